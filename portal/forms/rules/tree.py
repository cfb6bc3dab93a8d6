"""The parts of a form by where they stand, so that also those with wrong codes can be reached.

``(0,)`` is the first section, ``(0, 2)`` its third part, ``(0, 2, 1)`` the second item of that
group; ``()`` is the form itself. An address that leads nowhere raises LookupError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from portal.forms.rules.definition import Form, Group, Item, Section
from portal.forms.rules.faults import Place

Address = tuple[int, ...]
Part = Form | Section | Group | Item
DEEPEST = 3


def part_at(form: Form, at: Address) -> Part:
    """The part that stands there. LookupError."""
    part: Part = form
    for step in at:
        inside = children(part)
        if not 0 <= step < len(inside):
            raise LookupError(at)
        part = inside[step]
    return part


def children(part: Part) -> tuple[Any, ...]:
    """What a part holds."""
    if isinstance(part, Form):
        return part.sections
    if isinstance(part, Section):
        return part.parts
    return part.items if isinstance(part, Group) else ()


def with_children(part: Any, inside: tuple[Any, ...]) -> Any:
    key = {Form: "sections", Section: "parts", Group: "items"}[type(part)]
    return replace(part, **{key: inside})


def walk(form: Form) -> Iterator[tuple[Address, Part]]:
    """Every part with its address, in the order of the form, the form itself first."""

    def below(part: Part, at: Address) -> Iterator[tuple[Address, Part]]:
        yield at, part
        for number, each in enumerate(children(part)):
            yield from below(each, (*at, number))

    return below(form, ())


def changed_at(form: Form, at: Address, change: Callable[[Any], Any]) -> Form:
    """The form with another part in that place."""
    part_at(form, at)

    def rebuilt(part: Any, way: Address) -> Any:
        if not way:
            return change(part)
        inside = list(children(part))
        inside[way[0]] = rebuilt(inside[way[0]], way[1:])
        return with_children(part, tuple(inside))

    whole: Form = rebuilt(form, at)
    return whole


def without_part(form: Form, at: Address) -> Form:
    """The form less one part, and all in it. LookupError."""
    part_at(form, at)
    here = at[-1]

    def less(whole: Any) -> Any:
        inside = children(whole)
        return with_children(whole, (*inside[:here], *inside[here + 1 :]))

    return changed_at(form, at[:-1], less)


def address_of(form: Form, place: Place) -> Address:
    """Where a fault's place is, as near as it can be found; of equal codes the last."""
    at: Address = ()
    for what, which in place:
        inside = children(part_at(form, at))
        if what == "section" and which.isdecimal() and int(which) <= len(inside):
            at = (int(which) - 1,)
        elif what in ("group", "item"):
            here = [n for n, each in enumerate(inside) if getattr(each, "code", "") == which]
            at = (*at, here[-1]) if here else at
    return at
