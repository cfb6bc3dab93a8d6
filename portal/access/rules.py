"""When what is held has to be reviewed (PT-017). Pure: time is a parameter."""

from __future__ import annotations

from datetime import date, timedelta

REVIEW_EVERY = timedelta(days=365)
REMIND_BEFORE = timedelta(days=30)
"""How long before its day a review stands among one's tasks."""


def review_due_on(last_signed_on: date | None, first_granted_on: date | None) -> date | None:
    """The day by which a unit is to be reviewed; None where nothing was ever granted.

    A year after the last review was signed off, or, before the first, after the first role was
    granted.
    """
    from_day = last_signed_on or first_granted_on
    return None if from_day is None else from_day + REVIEW_EVERY


def is_coming_due(due_on: date | None, today: date) -> bool:
    """Whether it is time to remind of it."""
    return due_on is not None and due_on - REMIND_BEFORE <= today
