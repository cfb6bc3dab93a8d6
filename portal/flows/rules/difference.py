"""What changed between two versions of a flow, and whether cases would lose their place.

Parts are told apart by their codes. Every change names its part, its attribute (``title.nl``,
``guard``, ``roles``), the old and the new value as an editor shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from enum import StrEnum
from typing import Any

from portal.flows.rules.definition import Action, Machine
from portal.forms.rules.difference import Change, Part
from portal.forms.rules.texts import Words

ORDERED = ("states", "transitions", "timers")
"""Parts whose order people see: that of tables, and of the ways offered."""


def difference(old: Machine, new: Machine) -> list[Change]:
    """Every change from ``old`` to ``new``, in the order of the new machine, removed parts last."""
    before, after = parts_of(old), parts_of(new)
    changes: list[Change] = []
    for part, attributes in after.items():
        if part in before:
            changes += _changes(part, before[part], attributes)
        else:
            changes.append(Change(part, "added"))
    changes += [Change(part, "removed") for part in before if part not in after]
    return [*changes, *_moved(old, new)]


def states_removed(changes: Sequence[Change]) -> list[str]:
    """The states in which cases of the old version would have no place (DR-107)."""
    return [each.part[1] for each in changes if each.part[0] == "state" and each.what == "removed"]


def parts_of(machine: Machine) -> dict[Part, dict[str, Any]]:
    """Every part with its attributes, flat; of parts with one code the last."""
    found: dict[Part, dict[str, Any]] = {("flow", ""): dict(_attributes(machine))}
    for what, parts in (
        ("state", machine.states),
        ("transition", machine.transitions),
        ("timer", machine.timers),
    ):
        found |= {(what, each.code): dict(_attributes(each)) for each in parts}
    found |= {("fact", each.name): dict(_attributes(each)) for each in machine.facts}
    return found


def action_text(action: Action) -> str:
    """``notify(role=datamanager, text=waiting)``."""
    given = ", ".join(f"{name}={_plain(value)}" for name, value in action.arguments.pairs)
    return f"{action.name}({given})"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _attributes(part: Any) -> Iterator[tuple[str, Any]]:
    """A part's attributes without its parts and its code."""
    own_code = None if isinstance(part, Machine) else ("code" if hasattr(part, "code") else "name")
    for each in fields(part):
        value = getattr(part, each.name)
        if each.name == own_code or each.name in (*ORDERED, "facts"):
            continue
        if isinstance(value, Words):
            yield from ((f"{each.name}.{language}", text) for language, text in value.by_language)
        elif isinstance(value, tuple) and value and isinstance(value[0], Action):
            yield each.name, tuple(action_text(action) for action in value)
        else:
            yield each.name, str(value) if isinstance(value, StrEnum) else value


def _changes(part: Part, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    for attribute in dict.fromkeys((*new, *old)):
        before, after = old.get(attribute), new.get(attribute)
        if before != after:
            yield Change(part, "changed", attribute, before, after)


def _moved(old: Machine, new: Machine) -> Iterator[Change]:
    """The order of what both have."""
    for what in ORDERED:
        before, after = ([each.code for each in getattr(one, what)] for one in (old, new))
        kept = tuple(code for code in before if code in after)
        now = tuple(code for code in after if code in before)
        if kept != now:
            yield Change(("flow", ""), "changed", f"order of {what}", kept, now)
