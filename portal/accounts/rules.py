"""Who is let in, and for how long: pure, so that every way in decides alike (PT-002, PT-004)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

SEEN_EVERY = timedelta(minutes=1)
"""How often at most a session notes that it was used."""
HALF_LOGIN_LIFE = timedelta(minutes=10)
"""Between the password and the code."""
RESET_PAUSE = timedelta(minutes=2)
"""Between two mails with a link to one person."""


class NotAdmitted(StrEnum):
    """Why a person may not log in."""

    CLOSED = "closed"
    SUSPENDED = "suspended"
    EXPIRED = "expired"


class SessionEnd(StrEnum):
    """Why a session is over."""

    SIGNED_OUT = "signed_out"
    ENDED = "ended"
    """By its owner from another device, or because it is not known (any more)."""
    IDLE = "idle"
    ABSOLUTE = "absolute"
    CLOSED = "closed"
    """The account was suspended, closed, or has expired."""
    SECOND_FACTOR = "second_factor"
    PASSWORD = "password"  # noqa: S105 a reason, not a password


class Person(Protocol):
    is_active: bool
    suspended_at: datetime | None
    expires_on: date | None
    deleted_at: datetime | None


def why_not_admitted(person: Person, today: date) -> NotAdmitted | None:
    """Why ``person`` may not use the portal today; None when they may.

    ``expires_on`` is the last day on which the account works.
    """
    if person.deleted_at is not None:
        return NotAdmitted.CLOSED
    if person.suspended_at is not None:
        return NotAdmitted.SUSPENDED
    if not person.is_active:
        return NotAdmitted.CLOSED
    if person.expires_on is not None and person.expires_on < today:
        return NotAdmitted.EXPIRED
    return None


def why_session_over(
    *,
    now: datetime,
    started_at: datetime,
    last_seen_at: datetime,
    idle: timedelta,
    absolute: timedelta,
) -> SessionEnd | None:
    """Whether a session has lasted too long at ``now``, or was left alone too long."""
    if now - started_at >= absolute:
        return SessionEnd.ABSOLUTE
    if now - last_seen_at >= idle:
        return SessionEnd.IDLE
    return None
