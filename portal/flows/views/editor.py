"""The editor of a draft: tables, drawing and the chosen part's properties, in step.

Every change is kept at once, as a version of the draft (`portal.forms.services.designs`): there is
no unsaved flow. `keep` takes the properties of one part as a field is left and answers with all
that follows from them, beside the form that is being typed in; `act` takes what changes the form
itself. Without script both lead back to the editor's page.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.flows import kinds
from portal.flows.models import FlowVersion
from portal.flows.rules import editing
from portal.flows.rules.definition import machine_from_json
from portal.flows.views.acts import ACTS
from portal.flows.views.designs import find_version
from portal.flows.views.drafts import (
    answer_with,
    chosen_in,
    context_of,
    draft_of,
    form_of,
    save,
    stepped,
)
from portal.forms.fault_words import words_of
from portal.forms.rules.checking import check_rule
from portal.forms.rules.expressions import RuleError, names_in
from portal.forms.rules.terms import OF_KIND, Term, Type
from portal.forms.services import designs as services


@require_safe
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft's editor; a published version is shown instead."""
    found = find_version(request, pk)
    if found.state != FlowVersion.State.DRAFT:
        return redirect("flows:version", found.pk)
    machine = machine_from_json(found.content)
    context = context_of(request, found, machine, chosen_in(request.GET, machine))
    context["focus"] = bool(getattr(request, "htmx", False))
    return render(request, "flows/editor.html", context)


@require_POST
def keep(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what was typed about one part."""
    draft, machine = draft_of(request, pk)
    chosen = chosen_in(request.POST, machine)
    form = form_of(draft, machine, chosen, request.POST)
    if form is None:
        raise Http404
    if not form.is_valid():
        return answer_with(request, draft, machine, chosen, form=form, status=422)
    if chosen.what == "flow":
        return save(request, draft, chosen, form.changed, form)
    return save(request, draft, chosen, lambda: editing.put(machine, form.part()), form)


@require_POST
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """One act on the draft as a whole, by its name."""
    draft, machine = draft_of(request, pk)
    chosen = chosen_in(request.POST, machine)
    name = request.POST.get("act", "")
    if name in ("undo", "redo"):
        step = services.undo_draft if name == "undo" else services.redo_draft
        return stepped(request, draft, chosen, step)
    acting = ACTS.get(name)
    if acting is None:
        raise Http404
    return acting(request, draft, machine, chosen)


@require_POST
def guard(request: HttpRequest, pk: int) -> HttpResponse:
    """Whether a guard that is being typed makes sense; nothing is kept."""
    draft, _machine = draft_of(request, pk)
    text = request.POST.get("guard", "").strip()
    terms = {fact.name: fact for fact in kinds.facts_offered(draft.design)}
    context: dict[str, Any] = {"text": text}
    if text:
        try:
            kept = {
                name: Term(OF_KIND[fact.kind], fact.codes)
                for name, fact in terms.items()
                if OF_KIND.get(fact.kind) not in (None, Type.DOCUMENT)
            }
            check_rule(text, kept, Type.TRUTH)
            context["reads"] = [name for name in names_in(text) if name in terms]
        except RuleError as error:
            fault = error.at(())
            context["fault"] = words_of(fault)
            position = fault.facts.get("position")
            if isinstance(position, int) and 0 < position <= len(text):
                at = position - 1
                context |= {"before": text[:at], "here": text[at], "after": text[at + 1 :]}
    return render(request, "flows/_guard.html", context)
