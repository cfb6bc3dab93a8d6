"""What may be kept of an answer: JSON that the database takes too."""

from __future__ import annotations

import json
from typing import Any

from portal.connectors.problems import Code, OutsideFailure


def from_text(raw: bytes) -> Any:
    """The value of a JSON text; OutsideFailure (WRONG) without quoting it."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_no_number)
        size_of(value)
    except (ValueError, RecursionError) as error:
        raise OutsideFailure(Code.WRONG, f"no JSON: {type(error).__name__}") from None
    return value


def size_of(value: Any) -> int:
    """Its size in bytes; ValueError where it holds what cannot be kept (NUL, half a character)."""
    if _has_nul(value):
        raise ValueError("a NUL character")
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8"))


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(each) for key, each in value.items())
    return isinstance(value, list) and any(_has_nul(each) for each in value)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
