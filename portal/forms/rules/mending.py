"""A draft made usable for its preview: what is faulty is left out, a missing text is its code.

A form that is being made is faulty most of the time, and yet whoever makes it wants to see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from portal.forms.rules.definition import (
    CHOICES,
    Choice,
    CodeList,
    Form,
    Group,
    Item,
    Kind,
    Section,
)
from portal.forms.rules.faults import Fault
from portal.forms.rules.filling import UsableForm
from portal.forms.rules.publishing import faults_of
from portal.forms.rules.terms import Terms
from portal.forms.rules.texts import Words
from portal.forms.rules.tree import (
    Address,
    address_of,
    changed_at,
    children,
    part_at,
    with_children,
    without_part,
)

_ROUNDS = 8
_RULES: Mapping[str, str] = {"show if": "show_if", "required if": "required_if", "rule": "rule"}


def usable_part_of(form: Form, outside: Terms | None = None) -> UsableForm | None:
    """What of the form can be filled in; None where nothing can."""
    mended = _worded(form)
    for _ in range(_ROUNDS):
        faults = faults_of(mended, outside)
        if not faults:
            return UsableForm(mended, outside)
        if not any(True for _ in mended.all_spots()):
            return None
        mended = _less(mended, faults)
    return None


def _worded(form: Form) -> Form:
    """Every text in every language: where it is missing, the code."""
    languages = form.languages or ("en",)

    def words(given: Words, code: str, *, optional: bool = False) -> Words:
        if optional and not given:
            return Words()
        return Words.of({each: given.text(each, languages) or code for each in languages})

    def choice(each: Choice) -> Choice:
        return replace(each, label=words(each.label, each.code))

    def part(each: Any) -> Any:
        values: dict[str, Any] = {"help": words(each.help, "", optional=True)}
        key = "label" if isinstance(each, Item) else "title"
        values[key] = words(getattr(each, key), each.code)
        if isinstance(each, Item):
            values["checks"] = tuple(
                replace(check, message=words(check.message, check.when or check.code))
                for check in each.checks
            )
            return replace(each, **values)
        return with_children(
            replace(each, **values), tuple(part(inside) for inside in children(each))
        )

    return replace(
        form,
        languages=tuple(dict.fromkeys(languages)),
        title=words(form.title, form.code),
        description=words(form.description, "", optional=True),
        code_lists=tuple(
            CodeList(each.code, tuple(choice(one) for one in each.choices))
            for each in form.code_lists
        ),
        missing_codes=tuple(choice(one) for one in form.missing_codes),
        sections=tuple(part(each) for each in form.sections),
    )


def _less(form: Form, faults: list[Fault]) -> Form:
    """The form less what the faults are about: a rule, an item's settings, at last the part."""
    gone: set[Address] = set()
    before = form
    for fault in faults:
        first = fault.place[0][0] if fault.place else ""
        if first == "code list":
            kept = tuple(each for each in form.code_lists if each.code != fault.place[0][1])
            form = replace(form, code_lists=kept)
        elif first == "missing-value codes":
            form = replace(form, missing_codes=())
        elif at := address_of(form, fault.place):
            # of a part that lost something already, what is left is looked at in the next round
            if part_at(form, at) == part_at(before, at):
                form = _mended_at(form, at, fault, gone)
        elif fault.code == "bad_code":
            form = replace(form, code="form")
    for at in sorted(gone, reverse=True):
        form = without_part(form, at)
    return form


def _mended_at(form: Form, at: Address, fault: Fault, gone: set[Address]) -> Form:
    part: Any = part_at(form, at)
    what, which = fault.place[-1]
    less: Any = part
    key = _RULES.get(what, "")
    if key and getattr(part, key, None):
        less = replace(part, **{key: ""})
    elif what == "check" and isinstance(part, Item):
        less = replace(part, checks=tuple(each for each in part.checks if each.code != which))
    elif isinstance(part, Item):
        less = _bare(part)
    elif isinstance(part, Group):
        less = replace(part, show_if="", rows_least=None, rows_most=None)
    elif isinstance(part, Section):
        less = replace(part, show_if="")
    if less == part:
        gone.add(at)
        return form
    return changed_at(form, at, lambda _: less)


def _bare(item: Item) -> Item:
    """The question alone."""
    keep = Item(item.code, item.kind, item.label, item.help)
    if item.kind in CHOICES:
        return replace(keep, code_list=item.code_list)
    if item.kind is Kind.COMPUTED:
        return replace(keep, rule=item.rule, result=item.result)
    return keep
