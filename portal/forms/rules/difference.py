"""What changed between two versions of a form, in words of data, and what that risks.

Parts are told apart by their codes, wherever they stand: an item that moved to another section is
the same item. Every change names its part, its attribute (``label.nl``, ``limits.least``,
``checks.c1.when``), the old and the new value as JSON has them. Old answers keep the version they
were given on; a risk says what may happen to them when they are moved to the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from portal.forms.rules.codec import write
from portal.forms.rules.definition import Choice, Form, Group, Item, Spot

Part = tuple[str, str]
"""``("item", "A18")``."""


class Risk(StrEnum):
    """What may happen to answers that were collected."""

    REMOVED = "removed"
    """They have no place any more."""
    KIND_CHANGED = "kind changed"
    """They are of another kind than the item now asks."""
    UNIT_CHANGED = "unit changed"
    """The same number now means another amount."""
    CODE_REMOVED = "code removed"
    """They name a choice, or a reason for a missing value, that there is no more."""
    NARROWED = "narrowed"
    """They may lie outside limits, length, decimals, pattern or number of rows."""
    ROWS_CHANGED = "rows changed"
    """There was one answer and there are now rows of them, or the other way round."""
    HIDDEN = "hidden"
    """They may be hidden, and count no more."""
    RECOMPUTED = "recomputed"
    """Values that were computed become others."""


@dataclass(frozen=True)
class Change:
    """One change; of a part that was added or removed the attribute is empty."""

    part: Part
    what: str
    """``added``, ``removed`` or ``changed``."""
    attribute: str = ""
    old: Any = None
    new: Any = None
    risk: Risk | None = None


def difference(old: Form, new: Form) -> list[Change]:
    """Every change from ``old`` to ``new``, in the order of the new form, removed parts last."""
    before, after = _parts(old), _parts(new)
    changes: list[Change] = []
    for part, facts in after.items():
        if part not in before:
            changes.append(Change(part, "added"))
        else:
            changes += _changes(part, before[part], facts)
    changes += [
        Change(part, "removed", risk=_risk_of_removal(part)) for part in before if part not in after
    ]
    return [*changes, *_moved(old, new)]


def at_risk(changes: list[Change]) -> list[Change]:
    """Those that put collected answers at risk: a second person looks at them before publishing."""
    return [change for change in changes if change.risk is not None]


def _parts(form: Form) -> dict[Part, dict[str, Any]]:
    """Every part with its attributes, flat."""
    whole = {key: value for key, value in write(form).items() if key not in _BY_THEMSELVES}
    found = {("form", ""): dict(_flat(whole))}
    found["missing-value codes", ""] = _choices(form.missing_codes)
    for each in form.code_lists:
        found["code list", each.code] = _choices(each.choices)
    for section in form.sections:
        found["section", section.code] = dict(_own(section))
        for group in (part for part in section.parts if isinstance(part, Group)):
            found["group", group.code] = {**dict(_own(group)), "section": section.code}
    for spot in form.all_spots():
        found["item", spot.item.code] = {**dict(_own(spot.item)), **_stands(spot)}
    return found


_BY_THEMSELVES = frozenset({"sections", "code_lists", "missing_codes"})


def _choices(choices: tuple[Choice, ...]) -> dict[str, Any]:
    labels = {f"{each.code}.{key}": text for each in choices for key, text in _own(each)}
    return {"codes": tuple(each.code for each in choices), **labels}


def _stands(spot: Spot) -> dict[str, Any]:
    return {
        "section": spot.section.code,
        "group": spot.group.code if spot.group else None,
        "rows": spot.rows.code if spot.rows else None,
    }


def _own(part: Any) -> Iterator[tuple[str, Any]]:
    """A part's attributes without its parts."""
    data = write(part)
    for key in ("parts", "items", "code"):
        data.pop(key, None)
    return _flat(data)


def _flat(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """``{"label": {"nl": "Milt"}}`` as ``label.nl``; entries of a list by their code."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _flat(value, f"{path}.{key}" if path else key)
    elif isinstance(data, list) and data and isinstance(data[0], dict):
        for each in data:
            rest = {key: value for key, value in each.items() if key != "code"}
            yield from _flat(rest, f"{path}.{each.get('code', '')}")
    elif isinstance(data, list):
        yield path, tuple(data)
    else:
        yield path, data


def _changes(part: Part, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for attribute in dict.fromkeys((*new, *old)):
        before, after = old.get(attribute), new.get(attribute)
        if before != after:
            risk = _risk(part, attribute, before, after)
            yield Change(part, "changed", attribute, before, after, risk)


def _risk_of_removal(part: Part) -> Risk | None:
    # a code list that goes is seen at its items: they name another one, or none
    return Risk.REMOVED if part[0] == "item" else None


_RISKS: Mapping[str, Risk] = {
    "kind": Risk.KIND_CHANGED,
    "result": Risk.KIND_CHANGED,
    "unit": Risk.UNIT_CHANGED,
    "code_list": Risk.CODE_REMOVED,
    "rows": Risk.ROWS_CHANGED,
    "rule": Risk.RECOMPUTED,
}


def _risk(part: Part, attribute: str, old: Any, new: Any) -> Risk | None:
    what = part[0]
    if what in ("code list", "missing-value codes"):
        gone = attribute == "codes" and set(old) - set(new)
        return Risk.CODE_REMOVED if gone else None
    if attribute == "show_if":
        return Risk.HIDDEN if new is not None else None
    if what == "group" and attribute == "rows_most":
        return _narrowed(_number(old), _number(new))
    if what != "item":
        return None
    if attribute in _RISKS:
        return _RISKS[attribute]
    if attribute == "missing_codes":
        return Risk.CODE_REMOVED if set(old or ()) - set(new or ()) else None
    if attribute == "limits.least":
        return _narrowed(_number(new), _number(old)) if old and new else _given(new)
    if attribute in ("limits.most", "longest", "decimals"):
        return _narrowed(_number(old), _number(new))
    return _given(new) if attribute == "pattern" else None


def _given(new: Any) -> Risk | None:
    """A limit that was not there, or cannot be compared with the one before."""
    return Risk.NARROWED if new else None


def _narrowed(wide: Any, narrow: Any) -> Risk | None:
    """Whether an upper end came down; an end that opened narrows nothing."""
    if narrow is None:
        return None
    if wide is None or type(wide) is not type(narrow):
        return Risk.NARROWED
    return Risk.NARROWED if narrow < wide else None


def _number(value: Any) -> Any:
    """A limit for comparing: a number where it is one, else its text (ISO dates sort as text)."""
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return value


def _moved(old: Form, new: Form) -> Iterator[Change]:
    """The order of the items that both have."""
    both = old.spots.keys() & new.spots.keys()
    before = tuple(code for code in old.spots if code in both)
    after = tuple(code for code in new.spots if code in both)
    if before != after:
        yield Change(("form", ""), "changed", "order", before, after)


def items_at_risk(changes: list[Change], old: Form) -> dict[str, tuple[Risk, ...]]:
    """The items whose answers are at risk, with why; what a code list loses is its items' loss."""
    found: dict[str, dict[Risk, None]] = {}
    for change in at_risk(changes):
        for item in _items_of(change.part, old):
            if change.risk is not None:
                found.setdefault(item.code, {})[change.risk] = None
    return {code: tuple(risks) for code, risks in found.items()}


def _items_of(part: Part, form: Form) -> Iterator[Item]:
    what, code = part
    for spot in form.all_spots():
        group = spot.group.code if spot.group else ""
        belongs = {
            "item": spot.item.code == code,
            "code list": spot.item.code_list == code,
            "missing-value codes": bool(spot.item.missing_codes),
            "section": spot.section.code == code,
            "group": group == code,
        }
        if belongs.get(what):
            yield spot.item
