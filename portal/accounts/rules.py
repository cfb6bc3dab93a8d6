"""Who is let in, for how long, and by which steps: pure, so that every way in decides alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

SEEN_EVERY = timedelta(minutes=1)
"""How often at most a session notes that it was used."""
HALF_LOGIN_LIFE = timedelta(minutes=10)
"""Between the password and the code."""
RESET_PAUSE = timedelta(minutes=2)
"""Between two mails with a link to one person."""
INACTIVITY_NOTICE = timedelta(days=14)
"""Between the warning and the suspension of an account that nobody uses."""


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
    ADMINISTRATOR = "administrator"
    PROVIDER = "provider"
    """The login service said that the person logged out there, or is to be."""
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


# --- accounts that nobody uses ------------------------------------------------------------------


class Inactivity(StrEnum):
    """What an account's not being used calls for."""

    NOTHING = "nothing"
    WARN = "warn"
    SUSPEND = "suspend"


def inactivity(
    *,
    now: datetime,
    used_at: datetime,
    warned_at: datetime | None,
    after: timedelta,
    notice: timedelta,
) -> Inactivity:
    """What to do about an account that was last used, or changed, at ``used_at``.

    It is suspended ``after`` that time, and never sooner than ``notice`` after its person was
    warned: who was not told is told first, however long they have been away.
    """
    if now - used_at < after - notice:
        return Inactivity.NOTHING
    if warned_at is None or warned_at < used_at:
        return Inactivity.WARN
    if now - used_at >= after and now - warned_at >= notice:
        return Inactivity.SUSPEND
    return Inactivity.NOTHING


# --- the five steps to an account (PT-003, CD-040) ------------------------------------------------


class RequestState(StrEnum):
    """Where a request for an account, or for more roles, stands."""

    REQUESTED = "requested"
    APPLIED = "applied"
    CREATED = "created"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class RequestAct(StrEnum):
    APPLY = "apply"
    CREATE = "create"
    APPROVE = "approve"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


class Part(StrEnum):
    """In what capacity somebody acts on a request."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"


class NotYours(StrEnum):
    """Why somebody may not do something with a request."""

    STATE = "state"
    PART = "part"
    SUBJECT = "subject"
    FOUR_EYES = "four_eyes"


TURN = {
    RequestState.REQUESTED: Part.OWNER,
    RequestState.APPLIED: Part.ADMINISTRATOR,
    RequestState.CREATED: Part.OWNER,
}
"""Whose turn it is in each open state."""
OPEN = tuple(TURN)
LEADS_TO = {
    (RequestState.REQUESTED, RequestAct.APPLY): RequestState.APPLIED,
    (RequestState.APPLIED, RequestAct.CREATE): RequestState.CREATED,
    (RequestState.CREATED, RequestAct.APPROVE): RequestState.APPROVED,
    **{(state, RequestAct.REFUSE): RequestState.REFUSED for state in OPEN},
    **{(state, RequestAct.WITHDRAW): RequestState.WITHDRAWN for state in OPEN},
}


@dataclass(frozen=True)
class RequestFacts:
    """What decides who may act on a request: its state and the keys of the people in it."""

    state: RequestState
    requester: int
    subject: int | None
    owner: int | None = None
    administrator: int | None = None


def why_not_act(
    act: RequestAct, facts: RequestFacts, *, actor: int, parts: Collection[Part]
) -> NotYours | None:
    """Why ``actor``, who has ``parts`` at the request's unit, may not ``act``; None when they may.

    Who asked, or for whom it was asked, may withdraw. Otherwise nobody acts for themselves; owner
    and administrator are two people, so that no account is one person's work.
    """
    if (facts.state, act) not in LEADS_TO:
        return NotYours.STATE
    if act is RequestAct.WITHDRAW:
        return None if actor in (facts.requester, facts.subject) else NotYours.PART
    if TURN[facts.state] not in parts:
        return NotYours.PART
    if actor == facts.subject:
        return NotYours.SUBJECT
    if act is RequestAct.CREATE and actor == facts.owner:
        return NotYours.FOUR_EYES
    if act is RequestAct.APPROVE and actor == facts.administrator:
        return NotYours.FOUR_EYES
    return None
