"""Frozen dataclasses as JSON and back, for forms and machines alike.

The dataclass is the schema: its field names are the keys, its type hints what may stand there, and
what equals its default is left out. Reading is strict: a key that is not known, a wrong type, a
text too long are faults with their place, and all of them are found in one pass. A class names the
steps of a place by ``PLACE`` (and, where a union needs it, its ``kind`` by ``TAG``).
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, Union

from portal.forms.rules.faults import Fault, Faulty, Place
from portal.forms.rules.texts import Words

T = TypeVar("T")
LONGEST_TEXT = 20_000
MOST_ENTRIES = 5_000
_NOTHING = object()
_SCALARS: dict[type, str] = {str: "a text", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True)
class Settings:
    """Named plain values (text, whole number, true or false), in their order."""

    pairs: tuple[tuple[str, str | int | bool], ...] = ()

    @classmethod
    def of(cls, **values: str | int | bool) -> Settings:
        return cls(tuple(values.items()))

    def as_dict(self) -> dict[str, str | int | bool]:
        return dict(self.pairs)


def write(thing: Any) -> Any:
    """What ``json.dumps`` takes; ``read(type(thing), write(thing)) == thing``."""
    if isinstance(thing, Words):
        return dict(thing.by_language)
    if isinstance(thing, Settings):
        return thing.as_dict()
    if isinstance(thing, StrEnum):
        return str(thing)
    if isinstance(thing, tuple):
        return [write(each) for each in thing]
    if is_dataclass(thing):
        tag = {"kind": thing.TAG} if hasattr(thing, "TAG") else {}
        return tag | {
            each.name: write(getattr(thing, each.name))
            for each in fields(thing)
            if _default(each) != getattr(thing, each.name)
        }
    return thing


def read(cls: type[T], data: object, place: Place = ()) -> T:
    """``data`` (from ``json.loads``) as a ``cls``. Faulty with every fault there is."""
    reader = _Reader()
    try:
        found = reader.one(cls, data, place)
    except RecursionError:
        raise Faulty([Fault(place, "not_json", {"reason": "nested too deeply"})]) from None
    if reader.faults:
        raise Faulty(reader.faults)
    return found  # type: ignore[no-any-return]


def read_whole(cls: type[T], data: object, schema: int) -> T:
    """A ``cls`` from JSON, or a JSON text, that says which schema it was written in. Faulty."""
    if isinstance(data, (str, bytes)):
        data = loads(data)
    if isinstance(data, dict):
        if (found := data.get("schema")) != schema or isinstance(found, bool):
            raise Faulty([Fault((), "not_schema", {"found": str(found)[:20], "wanted": schema})])
        data = {key: value for key, value in data.items() if key != "schema"}
    return read(cls, data)


def loads(text: str | bytes) -> object:
    """``json.loads`` with Faulty for what is no JSON, or names a key twice."""
    try:
        return json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Faulty([Fault((), "not_json", {"reason": str(error)})]) from error


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} stands twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


class _Reader:
    """Reads one thing and gathers what is wrong; what cannot be read comes back as `_NOTHING`."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, place: Place, code: str, **facts: object) -> object:
        self.faults.append(Fault(place, code, facts))
        return _NOTHING

    def one(self, cls: type, data: object, place: Place) -> Any:
        """A dataclass from a JSON object."""
        name = getattr(cls, "PLACE", cls.__name__.lower())
        if not isinstance(data, dict):
            return self.fault(place, "not_a", key=name, wanted="an object", found=_kind(data))
        known = {each.name: each for each in fields(cls)}
        for key in data:
            if key not in known and not (key == "kind" and hasattr(cls, "TAG")):
                self.fault(place, "unknown_key", key=key)
        values: dict[str, Any] = {}
        hints = _hints(cls)
        for key, each in known.items():
            if key in data:
                values[key] = self.value(hints[key], data[key], key, place)
            elif _default(each) is _NOTHING:
                values[key] = self.fault(place, "needed", key=key)
        if any(value is _NOTHING for value in values.values()):
            return _NOTHING
        return cls(**values)

    def value(self, hint: Any, data: object, key: str, place: Place) -> Any:
        """What a type hint asks for."""
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if origin in (Union, types.UnionType):
            return self.choice(inner, data, key, place)
        if origin is tuple:
            return self.several(inner[0], data, key, place)
        if hint is Words or hint is Settings:
            return self.pairs(hint, data, key, place)
        if is_dataclass(hint):
            return self.one(typing.cast("type", hint), data, (*place, (key.replace("_", " "), "")))
        if issubclass(hint, StrEnum):
            if data not in list(hint):
                allowed = ", ".join(hint)
                return self.fault(
                    place, "not_one_of", key=key, found=str(data)[:60], allowed=allowed
                )
            return hint(data)
        if type(data) is not hint:
            return self.fault(place, "not_a", key=key, wanted=_SCALARS[hint], found=_kind(data))
        if isinstance(data, str) and len(data) > LONGEST_TEXT:
            return self.fault(place, "too_long", key=key, most=LONGEST_TEXT)
        return data

    def choice(self, options: tuple[Any, ...], data: object, key: str, place: Place) -> Any:
        """Something or nothing."""
        if data is None and types.NoneType in options:
            return None
        return self.value(
            next(each for each in options if each is not types.NoneType), data, key, place
        )

    def several(self, hint: Any, data: object, key: str, place: Place) -> Any:
        """A list; every entry is a place of its own, named by its code or its number."""
        if not isinstance(data, list):
            return self.fault(place, "not_a", key=key, wanted="a list", found=_kind(data))
        if len(data) > MOST_ENTRIES:
            return self.fault((*place, (key, "")), "too_many", most=MOST_ENTRIES)
        options = typing.get_args(hint) or (hint,)
        found: list[Any] = []
        for number, each in enumerate(data, 1):
            if all(is_dataclass(option) for option in options):
                chosen = _tagged(options, each)
                found.append(self.one(chosen, each, (*place, step(chosen, each, number))))
            else:
                found.append(self.value(hint, each, key, place))
        return _NOTHING if any(each is _NOTHING for each in found) else tuple(found)

    def pairs(self, hint: Any, data: object, key: str, place: Place) -> Any:
        """Texts by language, or settings by name."""
        if not isinstance(data, dict):
            return self.fault(place, "not_a", key=key, wanted="an object", found=_kind(data))
        allowed = (str,) if hint is Words else (str, int, bool)
        for name, value in data.items():
            if type(value) not in allowed:
                wanted = " or ".join(_SCALARS[each] for each in allowed)
                return self.fault(
                    place, "not_a", key=f"{key}.{name}", wanted=wanted, found=_kind(value)
                )
            if isinstance(value, str) and len(value) > LONGEST_TEXT:
                return self.fault(place, "too_long", key=f"{key}.{name}", most=LONGEST_TEXT)
        return hint(tuple(data.items()))


def step(cls: type, data: object, number: int) -> tuple[str, str]:
    """One step of a place: ``("item", "A18")``; sections are counted, as people do."""
    name = getattr(cls, "PLACE", cls.__name__.lower())
    code = data.get("code") if isinstance(data, Mapping) else getattr(data, "code", None)
    by_number = getattr(cls, "COUNTED", False) or not isinstance(code, str) or not code
    return name, str(number) if by_number else str(code)[:60]


def _tagged(options: tuple[Any, ...], data: object) -> Any:
    """The one of several dataclasses that ``kind`` names by its ``TAG``; else the one without."""
    tag = data.get("kind") if isinstance(data, dict) else None
    plain = next(each for each in options if not hasattr(each, "TAG"))
    return next((each for each in options if getattr(each, "TAG", None) == tag), plain)


def _default(each: Any) -> Any:
    if each.default is not MISSING:
        return each.default
    return each.default_factory() if each.default_factory is not MISSING else _NOTHING


@lru_cache
def _hints(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {key: hint for key, hint in hints.items() if typing.get_origin(hint) is not ClassVar}


def _kind(data: object) -> str:
    if data is None:
        return "nothing"
    names = {**_SCALARS, dict: "an object", list: "a list", float: "a number with decimals"}
    return names.get(type(data), type(data).__name__)
