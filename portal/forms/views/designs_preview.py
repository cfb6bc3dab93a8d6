"""A version as who fills it in sees it: one types into it, rules answer, nothing is stored."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_POST, require_safe

from portal.forms.editor_state import EditorState
from portal.forms.fields import take_in
from portal.forms.kinds import FORMS
from portal.forms.models import FormVersion
from portal.forms.presentation import present
from portal.forms.rules.answers import Answers, first_answers
from portal.forms.rules.filling import UsableForm, fill
from portal.forms.rules.mending import usable_part_of
from portal.forms.rules.values import BadValue, Habits
from portal.forms.selectors import ReadSheet
from portal.forms.views.designs import version_of


@require_safe
def try_version(request: HttpRequest, pk: int) -> HttpResponse:
    """A page with nothing but the form."""
    version = version_of(request, pk)
    return render(request, "forms/design_try.html", {"version": version, "design": version.design})


@require_POST
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """The form with what was typed so far, and what follows from it."""
    version = version_of(request, pk)
    state = EditorState(version, FORMS.read(version.content), (), "")
    usable = usable_part_of(state.form, state.outside)
    context: dict[str, Any] = {"left_out": len(state.faults)}
    if usable is not None:
        context |= _filled(request, version, usable)
    return render(request, "forms/design_preview.html", context)


def _filled(request: HttpRequest, version: FormVersion, usable: UsableForm) -> dict[str, Any]:
    typed = _typed(request)
    answers = Answers() if typed else first_answers(usable.form)
    habits = Habits(zone=timezone.get_current_timezone())
    faults: dict[str, BadValue] = {}
    if typed:
        answers, faults = take_in(usable.form, answers, typed, habits)
    filled = fill(usable, answers, timezone.localdate())
    # a preview has no sheet: the page is made of its form and answers alone
    read = ReadSheet(None, usable.form, answers, filled, masked=False)  # type: ignore[arg-type]
    form = present(read, get_language() or "en", typed, faults)
    return {"form": form, "version": version, "urls": None}


def _typed(request: HttpRequest) -> dict[str, str]:
    """Every field as it was sent, several values one a line; a row more, a row less."""
    typed = {
        name: "\n".join(filter(None, values))
        for name, values in request.POST.lists()
        if name not in ("csrfmiddlewaretoken", "add", "remove") and not name.startswith("file:")
    }
    if more := request.POST.get("add"):
        typed[more] = ""
    group, _, number = request.POST.get("remove", "").partition(":")
    if number.isdecimal():
        typed[f"{group}-"] = ",".join(filter(None, (typed.get(f"{group}-", ""), number)))
    return typed
