"""What a service says when it refuses. Middleware turns these into pages; nothing is half done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):  # noqa: N818 a refusal is an answer, not a fault
    """A rule forbids the act; nothing was changed. ``message`` is for people, ``code`` stable."""

    def __init__(self, message: Any, *, code: str = "refused", details: Sequence[Any] = ()) -> None:
        super().__init__(str(message))
        self.message = message
        self.code = code
        self.details = list(details)


@dataclass(frozen=True)
class FieldDifference:
    """One field that two people changed: what was there, what is there now, what was sent."""

    label: Any
    before: Any
    theirs: Any
    yours: Any
    name: str = ""
    """The record's field."""


@dataclass
class StaleRecord(Exception):  # noqa: N818
    """Somebody saved the record since it was read; the second saver sees what differs (PT-022)."""

    record: Any
    differences: list[FieldDifference] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.record} was changed by somebody else"
