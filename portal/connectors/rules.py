"""What follows from times and values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
_STEADY_AFTER = 8  # attempts: the pause has reached its longest by then


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts before the next."""
    if attempts >= _STEADY_AFTER:
        return LONGEST_PAUSE
    return min(FIRST_PAUSE * 2 ** max(0, attempts - 1), LONGEST_PAUSE)


def is_fresh(as_of: datetime, now: datetime, longest: timedelta) -> bool:
    """Whether an answer of that time still counts; one of the future (a clock was set) does not."""
    return timedelta(0) <= now - as_of <= longest


@dataclass(frozen=True)
class Difference:
    """A field whose value outside is another than ours. ``missing``: it is not there at all."""

    name: str
    ours: Any
    theirs: Any
    missing: bool = False


def differences(ours: Mapping[str, Any], theirs: Any) -> list[Difference]:
    """The fields of ``ours`` that differ from what an outside system has, in our order.

    What it has beyond ours is its own matter. Where it has no object at all, every field is
    missing.
    """
    found = theirs if isinstance(theirs, Mapping) else {}
    return [
        Difference(name, value, found.get(name), missing=name not in found)
        for name, value in ours.items()
        if name not in found or not _same(value, found[name])
    ]


def _same(ours: Any, theirs: Any) -> bool:
    """As JSON means it: 1 and 1.0 are the same number, true is none."""
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return set(ours) == set(theirs) and all(_same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(
            _same(a, b) for a, b in zip(ours, theirs, strict=True)
        )
    if isinstance(ours, str) != isinstance(theirs, str):  # 7.1 may be kept as "7.1"
        return _as_number(ours) is not None and _as_number(ours) == _as_number(theirs)
    return bool(ours == theirs)


def _as_number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value)) if isinstance(value, str | int | float) else None
    except InvalidOperation:
        return None
