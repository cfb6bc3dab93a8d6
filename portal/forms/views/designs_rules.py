"""Rules tried as they are written in the editor, and conditions put together without writing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.forms.editor_acts import address_from
from portal.forms.editor_state import EditorState
from portal.forms.editor_words import COMPARISONS
from portal.forms.fault_words import TYPES, words_of
from portal.forms.kinds import FORMS
from portal.forms.rules.definition import Item, Kind
from portal.forms.rules.terms import OF_KIND, Term, Type
from portal.forms.rules.trial import REASON, ROWS, Trial, comparisons_for, condition, joined, tried
from portal.forms.rules.values import BadValue, Habits
from portal.forms.views.designs import draft_of
from portal.forms.words import bad_value_in_words

_HINTS: Mapping[Type, str] = {
    Type.NUMBER: "3,5",
    Type.DATE: "31-01-2026",
    Type.PARTIAL_DATE: "01-2026",
    Type.TIME: "09:30",
    Type.DATETIME: "31-01-2026 09:30",
}


@require_POST
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    """What a rule gives, or what is wrong with it; nothing is stored."""
    draft = draft_of(request, pk)
    try:
        at = address_from(request.POST.get("at", ""))
    except LookupError:
        at = ()
    state = EditorState(draft, FORMS.read(draft.content), at, "")
    key = request.POST.get("of", "")
    context = {
        "key": key,
        "id": f"rule-{key}",
        "at": state.chosen,
        "version": draft,
        "rule_url": request.path,
    }
    step = request.POST.get("step", "")
    if step in ("builder", "build"):
        return _builder(request, state, key, context, build=step == "build")
    return _tried(request, state, key, context)


def _habits() -> Habits:
    return Habits(zone=timezone.get_current_timezone())


def _tried(
    request: HttpRequest, state: EditorState, key: str, context: dict[str, Any]
) -> HttpResponse:
    text = request.POST.get(key, "")
    typed = {
        name.removeprefix("try:"): value
        for name, value in request.POST.items()
        if name.startswith("try:") and isinstance(value, str)
    }
    wanted = _wanted(state, key)
    trial = tried(text, state.terms, wanted, typed, timezone.localdate(), _habits())
    context |= {
        "rule": text.strip(),
        "trial": trial,
        "fault": words_of(trial.fault.at(())) if trial.fault is not None else "",
        "asked": [_asked(state, name, typed.get(name, ""), trial) for name in trial.names],
        "outcome": _outcome(trial.result),
    }
    return render(request, "forms/design_rule_result.html", context)


def _wanted(state: EditorState, key: str) -> Type:
    """What the rule has to give: yes or no, or what the computed item holds."""
    part = state.part
    if key != "rule" or not isinstance(part, Item):
        return Type.TRUTH
    return OF_KIND.get(part.result or Kind.TEXT, Type.TEXT)


def _asked(state: EditorState, name: str, value: str, trial: Trial) -> dict[str, Any]:
    term = state.terms[name]
    error = bad_value_in_words(trial.bad[name]) if name in trial.bad else ""
    return {
        "name": name,
        "label": _label(state, name),
        "value": value,
        "options": _options(term),
        "hint": _hint(term),
        "error": error,
    }


def _label(state: EditorState, name: str) -> str:
    spot = state.form.spots.get(name.rpartition(".")[2])
    return spot.item.label.text(state.language, state.form.languages) if spot is not None else ""


def _options(term: Term) -> list[tuple[str, str]]:
    """What can be chosen; nothing where it is typed."""
    if term.column or term.group:
        return []
    values = []
    if term.type is Type.TRUTH:
        values = [("true", _("yes")), ("false", _("no"))]
    elif term.type is Type.CHOICE:
        values = [(code, code) for code in term.codes]
    reasons = [(f"{REASON}{code}", f"({code})") for code in term.missing_codes]
    return [*values, *reasons] if values else []


def _hint(term: Term) -> str:
    if term.group:
        return _("how many rows")
    example = _HINTS.get(term.type, "")
    if term.type is Type.CHOICES:
        example = f"{ROWS} ".join(term.codes[:2])
    if term.column:
        return _("one value a row: %(example)s") % {"example": f"{example or 'a'}{ROWS} …"}
    return example


def _outcome(result: Any) -> str:
    if result is None:
        return _("unknown: an answer is missing")
    if isinstance(result, bool):
        return _("yes") if result else _("no")
    return str(result)


# --- a condition put together ---------------------------------------------------------------------


def _builder(
    request: HttpRequest, state: EditorState, key: str, context: dict[str, Any], *, build: bool
) -> HttpResponse:
    sent = {
        name.removeprefix("cond."): str(value)
        for name, value in request.POST.items()
        if name.startswith("cond.")
    }
    terms = sorted(state.terms.items(), key=lambda each: "." in each[0])  # its own items first
    offered = {name: term for name, term in terms if comparisons_for(term)}
    chosen = sent.get("name", "") if sent.get("name") in offered else next(iter(offered), "")
    error, built = "", ""
    if build and chosen:
        try:
            more = condition(
                chosen, offered[chosen], sent.get("how", ""), sent.get("value", ""), _habits()
            )
            how = "or" if sent.get("join") == "or" else "and"
            built = joined(request.POST.get(key, ""), how, more)
        except BadValue as bad:
            error = bad_value_in_words(bad)
    term = offered.get(chosen)
    context |= {
        "sent": {**sent, "name": chosen},
        "names": [(name, _offer(state, name)) for name in offered],
        "comparisons": [(how, COMPARISONS[how]) for how in comparisons_for(term)] if term else [],
        "options": _values(term) if term is not None else [],
        "hint": _hint(term) if term is not None else "",
        "joins": bool((built or request.POST.get(key, "")).strip()),
        "error": error,
        "types": TYPES,
    }
    answer = render(request, "forms/design_rule_builder.html", context)
    if built:
        answer["HX-Trigger"] = json.dumps({"rule-built": {"of": key, "text": built}})
    return answer


def _values(term: Term) -> list[tuple[str, str]]:
    """Values to choose from: of a comparison no reasons, which are no values."""
    if term.type is Type.CHOICES and not term.column:
        return [(code, code) for code in term.codes]
    found = [each for each in _options(term) if not each[0].startswith(REASON)]
    if term.column and term.type in (Type.CHOICE, Type.CHOICES):
        return [(code, code) for code in term.codes]
    return found


def _offer(state: EditorState, name: str) -> str:
    label = _label(state, name)
    return f"{name} · {label}" if label else name
