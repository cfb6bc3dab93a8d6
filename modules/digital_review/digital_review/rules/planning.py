"""Which patients a meeting discusses, and what is due before it (DR-056, DR-073, DR-074)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Why(StrEnum):
    """Why a patient belongs on the next list, the first that holds (DR-056)."""

    AGAIN = "again"
    """Discussed without a diagnosis: needs another review (DR-057)."""
    NOT_REACHED = "not_reached"
    """Was on a list, and the meeting did not come to it."""
    FORCED = "forced"
    """Somebody forced the review of a patient whose information is not complete (DR-058)."""
    NEW = "new"
    """Not discussed yet, and the information is complete enough."""


class Last(StrEnum):
    """What became of the patient at the last meeting that had them on its list."""

    NEVER = "never"
    POSTPONED = "postponed"
    DISCUSSED = "discussed"


@dataclass(frozen=True)
class Candidate:
    """What decides whether a case belongs on the next list."""

    ended: bool
    """The flow has ended, or the review has a diagnosis."""
    on_a_list: bool
    """To be discussed at a meeting already."""
    last: Last
    complete: bool
    """Every form that is needed before the meeting is complete."""
    forced: bool


def why_on_list(case: Candidate) -> Why | None:
    """Why the case belongs on the next list; None when it does not.

    Source: report, flow of the review: "the next list = those needing another review + those not
    yet reached + those new and complete enough" (DR-056).
    """
    if case.ended or case.on_a_list:
        return None
    if case.last == Last.DISCUSSED:
        return Why.AGAIN
    if case.last == Last.POSTPONED:
        return Why.NOT_REACHED
    if case.complete:
        return Why.NEW
    return Why.FORCED if case.forced else None


def days_due(meeting_on: date, days_before: int) -> date:
    """The day by which something is due that many days before the meeting."""
    return meeting_on - timedelta(days=days_before)


def in_time(meeting_on: date, today: date, days_before: int) -> bool:
    """Whether today is still early enough, the last day included."""
    return today <= days_due(meeting_on, days_before)


def follow_up_is_due(due_on: date | None, meeting_on: date) -> bool:
    """A follow-up form is asked for when it falls due by the day of the meeting (DR-052, Sc 8)."""
    return due_on is not None and due_on <= meeting_on


def reordered(order: list[int], moved: int, to: int) -> list[int]:
    """The keys with one moved to another place, from 1; beyond the ends: first or last."""
    rest = [each for each in order if each != moved]
    place = min(max(to, 1), len(rest) + 1) - 1
    return [*rest[:place], moved, *rest[place:]]
