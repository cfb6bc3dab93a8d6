"""What the editor's buttons and fields do to a form: each act gives the form as it is after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from portal.forms.editor_forms import PartForm
from portal.forms.fault_words import words_of
from portal.forms.rules.definition import Check, Choice, CodeList, Form, Item
from portal.forms.rules.editing import added, codes_taken, duplicated, moved, moved_to
from portal.forms.rules.publishing import code_fault
from portal.forms.rules.renaming import readers_of, recoded
from portal.forms.rules.texts import Words
from portal.forms.rules.tree import Address, changed_at, part_at, walk, without_part
from portal.forms.rules.wording import with_languages, with_text

MISSING = "missing"
"""Stands for the list of missing-value codes among the code lists."""


@dataclass(frozen=True)
class Outcome:
    """The form after an act, which part is chosen now, and whether the page is drawn anew."""

    form: Form
    at: Address
    redraw: bool = True
    problem: str = ""
    """Why nothing was done."""
    invalid: PartForm | None = None
    asks: tuple[tuple[Address, str, str], ...] = ()
    """Rules that read what is to be deleted: it is asked again."""


Act = Callable[[Form, Address, QueryDict], Outcome]
"""Of the form, the chosen part, and what was sent. LookupError for what is not there (any more)."""


def address_from(text: str) -> Address:
    """``0.2.1`` as an address; empty is the form. LookupError for anything else."""
    steps = text.split(".") if text else []
    if len(steps) > 3 or not all(each.isdecimal() and len(each) < 6 for each in steps):
        raise LookupError(text)
    return tuple(int(each) for each in steps)


def properties(
    form: Form, at: Address, sent: QueryDict, connectors: tuple[str, ...] = ()
) -> Outcome:
    """The settings of a part, as they were sent."""
    part = part_at(form, at)
    filled = PartForm(sent, form=form, part=part, connectors=connectors)
    if not filled.is_valid():
        return Outcome(form, at, redraw=False, invalid=filled)
    after = filled.taken()
    # another kind, rows or none: other settings are asked
    keys = ("kind", "repeats")
    redraw = any(getattr(part, key, None) != getattr(after, key, None) for key in keys)
    return Outcome(changed_at(form, at, lambda _part: after), at, redraw)


def _code(form: Form, at: Address, sent: QueryDict) -> Outcome:
    part: Any = part_at(form, at)
    new = sent.get("code", "").strip()
    if not at or new == part.code:
        return Outcome(form, at, redraw=False)
    if bad := list(code_fault(new, ())):
        return Outcome(form, at, problem=words_of(bad[0]))
    if new in codes_taken(form):
        return Outcome(form, at, problem=_("“%(code)s” is taken already.") % {"code": new})
    return Outcome(recoded(form, at, new), at)


def _add(form: Form, at: Address, sent: QueryDict) -> Outcome:
    what = sent.get("what", "")
    if what != "section" and not form.sections:
        form, at = added(form, at, "section")
    return Outcome(*added(form, at, what))


def _step(by: int) -> Act:
    return lambda form, at, _sent: Outcome(*moved(form, at, by)) if at else Outcome(form, at)


def _drop(form: Form, at: Address, sent: QueryDict) -> Outcome:
    try:
        return Outcome(*moved_to(form, at, address_from(sent.get("to", ""))))
    except LookupError:
        return Outcome(form, at, problem=_("That cannot stand there."))


def _remove(form: Form, at: Address, sent: QueryDict) -> Outcome:
    if not at:
        raise LookupError(at)
    codes = frozenset(
        part.code
        for way, part in walk(form)
        if way[: len(at)] == at and part.code  # type: ignore[union-attr]
    )
    reading = [each for each in readers_of(form, codes) if each[0][: len(at)] != at]
    if reading and sent.get("confirmed") != "1":
        return Outcome(form, at, asks=tuple(reading))
    form = without_part(form, at)
    above = at[:-1]
    near = (*above, at[-1] - 1) if at[-1] else above
    return Outcome(form, near)


def _checks(form: Form, at: Address, change: Callable[[tuple[Check, ...]], Any]) -> Outcome:
    if not isinstance(part_at(form, at), Item):
        return Outcome(form, at)
    return Outcome(
        changed_at(form, at, lambda each: replace(each, checks=tuple(change(each.checks)))), at
    )


def _check_add(form: Form, at: Address, _sent: QueryDict) -> Outcome:
    def more(checks: tuple[Check, ...]) -> tuple[Check, ...]:
        codes = {each.code for each in checks}
        number = next(n for n in range(1, 1000) if f"c{n}" not in codes)
        return (*checks, Check(f"c{number}", "", Words()))

    return _checks(form, at, more)


def _check_remove(form: Form, at: Address, sent: QueryDict) -> Outcome:
    here = _number(sent, "check")
    return _checks(form, at, lambda checks: [each for n, each in enumerate(checks) if n != here])


# --- code lists -----------------------------------------------------------------------------------


def _number(sent: Mapping[str, Any], key: str) -> int:
    text = str(sent.get(key, ""))
    if not text.isdecimal() or len(text) > 5:
        raise LookupError(text)
    return int(text)


def choices_in(form: Form, which: str) -> tuple[Choice, ...]:
    """The choices of a code list by its number, or the missing-value codes. LookupError."""
    if which == MISSING:
        return form.missing_codes
    if not which.isdecimal() or int(which[:6]) >= len(form.code_lists):
        raise LookupError(which)
    return form.code_lists[int(which)].choices


def _with_choices(form: Form, which: str, choices: tuple[Choice, ...]) -> Form:
    choices_in(form, which)
    if which == MISSING:
        return replace(form, missing_codes=choices)
    here = int(which)
    lists = [
        replace(each, choices=choices) if number == here else each
        for number, each in enumerate(form.code_lists)
    ]
    return replace(form, code_lists=tuple(lists))


def _list_add(form: Form, at: Address, _sent: QueryDict) -> Outcome:
    codes = {each.code for each in form.code_lists}
    code = next(c for n in range(1, 10_000) if (c := f"list_{n}") not in codes)
    lists = (*form.code_lists, CodeList(code, (Choice("1", Words()),)))
    return Outcome(replace(form, code_lists=lists), at)


def _list_remove(form: Form, at: Address, sent: QueryDict) -> Outcome:
    here = _number(sent, "list")
    kept = tuple(each for number, each in enumerate(form.code_lists) if number != here)
    return Outcome(replace(form, code_lists=kept), at)


def _list_save(form: Form, at: Address, sent: QueryDict) -> Outcome:
    """Codes and labels as they stand in the panel; items follow a list's new code."""
    which = sent.get("list", "")
    old = choices_in(form, which)
    choices = tuple(_choice(form, number, each, sent) for number, each in enumerate(old))
    form = _renamed_reasons(form, which, old, choices)
    form = _with_choices(form, which, choices)
    if which != MISSING and (code := sent.get("code", "").strip()):
        form = _renamed_list(form, int(which), code)
    return Outcome(form, at, redraw=False)


def _choice(form: Form, number: int, choice: Choice, sent: QueryDict) -> Choice:
    texts = {
        each: sent.get(f"choice.{number}.{each}", choice.label.text(each)).strip()
        for each in form.languages
    }
    code = sent.get(f"choice.{number}.code", choice.code).strip()[:200]
    return Choice(code, Words.of({each: text[:1000] for each, text in texts.items() if text}))


def _renamed_list(form: Form, here: int, new: str) -> Form:
    old = form.code_lists[here].code
    if new == old or new in {each.code for each in form.code_lists}:
        return form
    lists = tuple(
        replace(each, code=new[:64]) if number == here else each
        for number, each in enumerate(form.code_lists)
    )
    form = replace(form, code_lists=lists)
    return _each_item(
        form, lambda item: replace(item, code_list=new[:64]) if item.code_list == old else item
    )


def _renamed_reasons(
    form: Form, which: str, old: tuple[Choice, ...], new: tuple[Choice, ...]
) -> Form:
    """Items name the reasons that they allow: they follow a reason's new code."""
    if which != MISSING:
        return form
    names = {before.code: after.code for before, after in zip(old, new, strict=True)}
    return _each_item(
        form,
        lambda item: replace(
            item, missing_codes=tuple(names.get(each, each) for each in item.missing_codes)
        ),
    )


def _each_item(form: Form, change: Callable[[Item], Item]) -> Form:
    for at, part in list(walk(form)):
        if isinstance(part, Item) and change(part) != part:
            form = changed_at(form, at, change)
    return form


def _choice_add(form: Form, at: Address, sent: QueryDict) -> Outcome:
    which = sent.get("list", "")
    choices = choices_in(form, which)
    codes = {each.code for each in choices}
    code = next(str(n) for n in range(1, 10_000) if str(n) not in codes)
    return Outcome(_with_choices(form, which, (*choices, Choice(code, Words()))), at)


def _choice_remove(form: Form, at: Address, sent: QueryDict) -> Outcome:
    which, here = sent.get("list", ""), _number(sent, "choice")
    kept = tuple(each for n, each in enumerate(choices_in(form, which)) if n != here)
    return Outcome(_with_choices(form, which, kept), at)


def _choice_up(form: Form, at: Address, sent: QueryDict) -> Outcome:
    which, here = sent.get("list", ""), _number(sent, "choice")
    choices = list(choices_in(form, which))
    if 0 < here < len(choices):
        choices[here - 1 : here + 1] = [choices[here], choices[here - 1]]
    return Outcome(_with_choices(form, which, tuple(choices)), at)


# --- languages ------------------------------------------------------------------------------------


def _text(form: Form, at: Address, sent: QueryDict) -> Outcome:
    way, language = sent.get("way", ""), sent.get("language", "")
    text = sent.get("text", "").replace("\r\n", "\n")[:20_000]
    return Outcome(with_text(form, way, language, text), at, redraw=False)


def _language_add(form: Form, at: Address, sent: QueryDict) -> Outcome:
    language = sent.get("language", "").strip()[:10]
    if not language or language in form.languages:
        return Outcome(form, at)
    return Outcome(with_languages(form, (*form.languages, language)), at)


def _language_remove(form: Form, at: Address, sent: QueryDict) -> Outcome:
    kept = tuple(each for each in form.languages if each != sent.get("language"))
    if not kept:
        return Outcome(form, at, problem=_("A form has at least one language."))
    return Outcome(with_languages(form, kept), at)


ACTS: Mapping[str, Act] = {
    "code": _code,
    "add": _add,
    "duplicate": lambda form, at, _sent: Outcome(*duplicated(form, at)),
    "up": _step(-1),
    "down": _step(1),
    "drop": _drop,
    "remove": _remove,
    "check_add": _check_add,
    "check_remove": _check_remove,
    "list_add": _list_add,
    "list_save": _list_save,
    "list_remove": _list_remove,
    "choice_add": _choice_add,
    "choice_remove": _choice_remove,
    "choice_up": _choice_up,
    "text": _text,
    "language_add": _language_add,
    "language_remove": _language_remove,
}
