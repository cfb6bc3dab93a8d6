"""When somebody is reminded of a form that waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Asked:
    """A form that was asked for and is not complete."""

    asked_on: date
    due_on: date | None
    reminded_on: date | None
    meeting_on: date | None
    """Of the coming meeting on whose list the patient stands."""
    days: int
    """After so many days the first reminder."""
    days_before: int
    """So many days before the meeting the last one."""


def moments(asked: Asked) -> list[date]:
    """The days on which there is a reminder: some time after asking (or when the form is due,
    where it has a later day), and some time before the meeting."""
    first = asked.asked_on + timedelta(days=asked.days)
    found = [max(first, asked.due_on) if asked.due_on is not None else first]
    if asked.meeting_on is not None:
        found.append(asked.meeting_on - timedelta(days=asked.days_before))
    return found


def is_due(asked: Asked, today: date) -> bool:
    """Whether one of the days came since the form was asked for or last reminded of.

    A form that is asked for within the last days before its meeting is asked for then, and not
    reminded of at once.
    """
    since = asked.reminded_on or asked.asked_on
    return any(since < day <= today for day in moments(asked))
