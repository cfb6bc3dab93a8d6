"""Changing a form's shape: one act of an editor after the other, each giving a new form.

Parts are addressed as `tree.py` says. An act with an address that leads nowhere raises LookupError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from portal.forms.rules.definition import CodeList, Form, Group, Item, Kind, Section
from portal.forms.rules.items import FITS
from portal.forms.rules.renaming import renamed_in_form
from portal.forms.rules.texts import Words
from portal.forms.rules.tree import (
    DEEPEST,
    Address,
    Part,
    changed_at,
    children,
    part_at,
    walk,
    with_children,
    without_part,
)


def codes_taken(form: Form) -> frozenset[str]:
    """Every code that a new section, group or item cannot have."""
    return frozenset(getattr(part, "code", "") for at, part in walk(form) if at)


def free_code(form: Form, like: str) -> str:
    """``A18_2`` where A18 is taken."""
    taken = codes_taken(form)
    if like not in taken:
        return like
    return next(code for number in count(2) if (code := f"{like[:58]}_{number}") not in taken)


def fits_in(part: Part, inside: Part) -> bool:
    """Whether a part may stand in another: groups are not nested."""
    return isinstance(
        inside,
        Form
        if isinstance(part, Section)
        else Section
        if isinstance(part, Group)
        else Section | Group,
    )


def inserted(form: Form, at: Address, part: Any) -> Form:
    """The form with a part put at that address; what stood there moves on. LookupError."""
    around = part_at(form, at[:-1])
    if not fits_in(part, around) or not 0 <= at[-1] <= len(children(around)):
        raise LookupError(at)
    here = at[-1]
    return changed_at(
        form,
        at[:-1],
        lambda whole: with_children(
            whole, (*children(whole)[:here], part, *children(whole)[here:])
        ),
    )


def new_part(form: Form, what: str) -> Section | Group | Item:
    """A section, group or item with a code of its own, and that as its text in every language."""
    code = free_code(form, {"section": "part", "group": "group"}.get(what, "item"))
    words = Words.of(dict.fromkeys(form.languages, code))
    if what == "section":
        return Section(code, words, ())
    if what == "group":
        return Group(code, words, ())
    return Item(code, Kind(what) if what in list(Kind) else Kind.TEXT, words)


def added(form: Form, at: Address, what: str) -> tuple[Form, Address]:
    """The form with a new part after the one chosen, or at the end inside it; and where that is."""
    if not at and form.sections and what != "section":
        at = (len(form.sections) - 1,)
    part = new_part(form, what)
    place = _place_for(form, at, part)
    return inserted(form, place, part), place


def _place_for(form: Form, at: Address, part: Any) -> Address:
    """The nearest place at or above the chosen part where the new one may stand."""
    chosen = part_at(form, at)
    if fits_in(part, chosen):
        return (*at, len(children(chosen)))
    for depth in range(len(at) - 1, -1, -1):
        if fits_in(part, part_at(form, at[:depth])):
            return (*at[:depth], at[depth] + 1)
    # an item in a form without a section: there is none to take it
    raise LookupError(at)


def duplicated(form: Form, at: Address) -> tuple[Form, Address]:
    """The form with a copy right after the part; codes in it are new, rules in it follow them."""
    copy = part_at(form, at)
    if not at:
        raise LookupError(at)
    place = (*at[:-1], at[-1] + 1)
    whole = inserted(form, place, copy)
    names: dict[str, str] = {}
    for address, part in _inside(copy, place):
        taken = replace(form, sections=(*form.sections, *_placeholders(names.values())))
        code = names.setdefault(part.code, free_code(taken, part.code))
        whole = changed_at(whole, address, partial(_with_code, code))
    return changed_at(whole, place, lambda part: renamed_in_form(form, part, names)), place


def _with_code(code: str, part: Any) -> Any:
    return replace(part, code=code)


def _placeholders(codes: Iterable[str]) -> tuple[Section, ...]:
    return tuple(Section(code, Words(), ()) for code in codes)


def _inside(part: Any, at: Address) -> Iterator[tuple[Address, Any]]:
    yield at, part
    for number, each in enumerate(children(part)):
        yield from _inside(each, (*at, number))


def moved(form: Form, at: Address, step: int) -> tuple[Form, Address]:
    """One step up (-1) or down (1); at an end into the neighbour that may hold it."""
    part = part_at(form, at)
    around = children(part_at(form, at[:-1]))
    there = at[-1] + step
    if 0 <= there < len(around):
        neighbour = around[there]
        if isinstance(part, Item) and isinstance(neighbour, Group):
            inside = (*at[:-1], there, len(neighbour.items) if step < 0 else 0)
            return moved_to(form, at, inside)
        return _swapped(form, at, there)
    if len(at) < 2:
        return form, at
    if len(at) == DEEPEST:  # out of its group, before or after it
        return moved_to(form, at, (at[0], at[1] + (step > 0)))
    section = at[0] + step
    if not 0 <= section < len(form.sections):
        return form, at
    return moved_to(form, at, (section, len(form.sections[section].parts) if step < 0 else 0))


def _swapped(form: Form, at: Address, there: int) -> tuple[Form, Address]:
    def swap(whole: Any) -> Any:
        inside = list(children(whole))
        inside[at[-1]], inside[there] = inside[there], inside[at[-1]]
        return with_children(whole, tuple(inside))

    return changed_at(form, at[:-1], swap), (*at[:-1], there)


def moved_to(form: Form, at: Address, to: Address) -> tuple[Form, Address]:
    """The part taken from one address and put before what stands at another. LookupError."""
    part = part_at(form, at)
    if not at or to[: len(at)] == at or not fits_in(part, part_at(form, to[:-1])):
        raise LookupError(to)
    less, place = without_part(form, at), list(to)
    depth = len(at) - 1
    if len(to) > depth and to[:depth] == at[:depth] and to[depth] > at[depth]:
        place[depth] -= 1  # what stood behind it has moved up
    return inserted(less, tuple(place), part), tuple(place)


def used_by(form: Form, code_list: CodeList) -> list[Item]:
    """The items that offer a code list."""
    return [spot.item for spot in form.all_spots() if spot.item.code_list == code_list.code]


def of_kind(item: Item, kind: Kind) -> Item:
    """The item as another kind; settings that have no meaning there are gone."""
    plain = Item(item.code, kind, item.label)
    gone = {key: getattr(plain, key) for key, kinds in FITS.items() if kind not in kinds}
    return replace(item, kind=kind, **gone)
