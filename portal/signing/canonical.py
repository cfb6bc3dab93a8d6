"""What is signed, as bytes that always come out the same, and what changed since.

RFC 8785 (JSON Canonicalization Scheme) fixes the order of members and the writing of numbers and
strings. It knows only JSON's own types, so the rest is written here as strings:

| value             | written as                                                           |
|-------------------|----------------------------------------------------------------------|
| `datetime`, aware | ISO 8601 in UTC, `2026-11-21T07:30:00Z`; microseconds where not zero |
| `date`            | ISO 8601, `2026-11-21`                                               |
| `Decimal`, finite | plain digits, no exponent, no closing zeros, `12.5`                  |
| `UUID`            | lower case with hyphens                                              |

So one moment in two zones, or `Decimal("12.5")` that comes back from a database column as `12.50`,
is not a change. Everything else (naive datetimes, sets, bytes, lazy translations, NaN, integers
beyond ±(2⁵³-1), keys that are no strings) is refused with the path to it: what a signature covers
is never guessed.
"""

import datetime as dt
import hashlib
import json
import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

import rfc8785

_SAFE_INTEGER = 2**53 - 1
_WRITTEN_WITH_EXPONENT = 10**21
_GREATEST_DEPTH = 64
# A database column holds fewer digits; an exponent beyond would write megabytes of zeros.
_GREATEST_EXPONENT = 400
_PLAIN_KEY = re.compile(r"[^\W\d]\w*", re.ASCII)


class NotCanonicalError(ValueError):
    """A value has no canonical writing; `path` says where it stands."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path or 'the payload'}: {problem}")


class Absent(Enum):
    """Stands where a value is on one side only; JSON's null is a value of its own."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True)
class Change:
    """One place where two payloads differ: `path` as `vials[0].activity_mbq`, both plain values."""

    path: str
    old: Any
    new: Any

    def as_json(self) -> dict[str, Any]:
        """For an audit entry: `path`, `old`, `new`; a side where it is absent is left out."""
        sides = {"path": self.path, "old": self.old, "new": self.new}
        return {name: value for name, value in sides.items() if value is not ABSENT}


def canonical(payload: Mapping[str, Any]) -> bytes:
    """Write `payload` by RFC 8785, in UTF-8; `NotCanonicalError` names what cannot be written."""
    return rfc8785.dumps(plain(payload))


def digest(data: bytes) -> str:
    """SHA-256 of `data`, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def plain(payload: Any) -> Any:
    """Turn `payload` into JSON's own types, as `canonical` writes them. Errors as `canonical`."""
    return _plain(payload, "", 0)


def changed_fields(signed: Mapping[str, Any], live: Mapping[str, Any]) -> list[Change]:
    """Every place where `live` differs from `signed`, in the order of their paths' members.

    Empty exactly when both have the same canonical bytes. Lists are compared by position.
    """
    changes: list[Change] = []
    _compare(plain(signed), plain(live), "", changes)
    return changes


def _plain(value: Any, path: str, depth: int) -> Any:
    if depth > _GREATEST_DEPTH:
        raise NotCanonicalError(path, f"nested more than {_GREATEST_DEPTH} deep")
    if isinstance(value, Mapping):
        return {
            _key(key, path): _plain(member, _member(path, key), depth + 1)
            for key, member in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    return _plain_scalar(value, path)


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise NotCanonicalError(path, f"the key {key!r} is not a string")
    return _plain_text(key, path)


def _plain_text(value: str, path: str) -> str:
    try:
        # By way of bytes: a member of a string enumeration gives its value, not its name.
        return value.encode().decode()
    except UnicodeEncodeError:
        raise NotCanonicalError(path, "text with half a surrogate pair") from None


def _plain_scalar(value: Any, path: str) -> Any:  # noqa: C901 - one line a type
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _plain_text(value, path)
    if isinstance(value, int):
        return _plain_integer(value, path)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotCanonicalError(path, f"{value} is not a number")
        return float(value)
    if isinstance(value, Decimal):
        return _plain_decimal(value, path)
    if isinstance(value, dt.datetime):
        if value.utcoffset() is None:
            raise NotCanonicalError(path, f"the datetime {value} has no zone")
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise NotCanonicalError(path, f"a {type(value).__name__} has no canonical writing")


def _plain_integer(value: int, path: str) -> int | float:
    if abs(value) <= _SAFE_INTEGER:
        return int(value)
    # A float such as 1e17 is written as a whole number, so that is what reading back gives.
    if abs(value) < _WRITTEN_WITH_EXPONENT and rfc8785.dumps(float(value)) == str(value).encode():
        return float(value)
    raise NotCanonicalError(path, f"the integer {value} is beyond ±(2⁵³-1)")


def _plain_decimal(value: Decimal, path: str) -> str:
    if not value.is_finite():
        raise NotCanonicalError(path, f"{value} is not a number")
    if not value:
        return "0"
    if abs(value.adjusted()) > _GREATEST_EXPONENT:
        raise NotCanonicalError(path, "a decimal beyond any quantity")
    written = format(value, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def _member(path: str, key: Any) -> str:
    if not _PLAIN_KEY.fullmatch(str(key)):
        return f"{path}[{json.dumps(str(key), ensure_ascii=False)}]"
    return f"{path}.{key}" if path else str(key)


def _compare(old: Any, new: Any, path: str, changes: list[Change]) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            _compare(old.get(key, ABSENT), new.get(key, ABSENT), _member(path, key), changes)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before, after = (side[index] if index < len(side) else ABSENT for side in (old, new))
            _compare(before, after, f"{path}[{index}]", changes)
    elif ABSENT in (old, new) or rfc8785.dumps(old) != rfc8785.dumps(new):
        # By how they are written, not by ==: Python holds True and 1 equal.
        changes.append(Change(path, old, new))
