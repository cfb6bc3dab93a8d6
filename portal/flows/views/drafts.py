"""A draft as the editor shows it: what is chosen, keeping a change, and what the page is told.

A change that somebody else was faster than is not kept; the page says what they changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django_htmx.http import trigger_client_event

from portal.access.decision import can
from portal.flows import kinds
from portal.flows.forms import LANGUAGES, PART_FORMS, FlowForm
from portal.flows.kinds import FLOWS
from portal.flows.models import FlowVersion
from portal.flows.models.designs import PUBLISH_FLOWS
from portal.flows.presentation import flow_picture, words
from portal.flows.rules import editing
from portal.flows.rules.definition import Machine, machine_from_json
from portal.flows.rules.difference import difference
from portal.flows.rules.drawing import places_in
from portal.flows.views.designs import find_version, tables_of
from portal.flows.words import KINDS, change_words, fault_rows, part_words
from portal.forms.services import designs as services
from portal.records.errors import StaleRecord


@dataclass(frozen=True)
class Chosen:
    """What the properties are of: a part, the flow itself, or nothing."""

    what: str = ""
    code: str = ""

    @property
    def part(self) -> str:
        """How forms name it: ``timer reminder``; a field of a form may be called like a part."""
        return f"{self.what} {self.code}".strip()

    @property
    def query(self) -> str:
        if self.what == "flow":
            return "?flow=1"
        return f"?{urlencode({self.what: self.code})}" if self.what else ""


def chosen_in(given: Any, machine: Machine) -> Chosen:
    """From a query or from sent fields; a part that is not there (any more) is nothing."""
    if "part" in given:
        what, _space, code = given["part"].partition(" ")
        given = {what: code or "1"}
    if given.get("flow"):
        return Chosen("flow")
    for sort in editing.WHATS:
        code = given.get(sort, "")
        if code and editing.part(machine, sort, code) is not None:
            return Chosen(sort, code)
    return Chosen()


def part_of(chosen: Chosen) -> editing.What:
    for what in editing.WHATS:
        if chosen.what == what:
            return what
    raise Http404


def number_in(text: Any) -> int:
    return int(text) if str(text).isdecimal() and len(str(text)) < 6 else 0


def draft_of(request: HttpRequest, pk: int) -> tuple[FlowVersion, Machine]:
    draft = find_version(request, pk)
    return draft, machine_from_json(draft.content)


def form_of(draft: FlowVersion, machine: Machine, chosen: Chosen, data: Any = None) -> Any:
    """The properties of what is chosen; None for nothing."""
    if chosen.what == "flow":
        return FlowForm(data, machine=machine, part=machine)
    if not chosen.what:
        return None
    return PART_FORMS[chosen.what](
        data,
        machine=machine,
        part=editing.part(machine, part_of(chosen), chosen.code),
        registry=kinds.actions_offered(draft.design),
        roles=kinds.roles_offered(draft.design),
    )


def save(
    request: HttpRequest,
    draft: FlowVersion,
    chosen: Chosen,
    change: Callable[[], Machine],
    form: Any = None,
    places: Any = None,
) -> HttpResponse:
    """Keep the changed machine with the facts that its guards read."""
    machine = editing.with_facts_used(change(), kinds.facts_offered(draft.design))
    fields = {} if places is None else {"places": places}
    return _written(
        request,
        draft,
        chosen,
        lambda opened: services.save_draft(
            FLOWS,
            actor=request.user,
            version_id=draft.pk,
            content=machine,
            opened_version=opened,
            **fields,
        ),
        form,
    )


def stepped(request: HttpRequest, draft: FlowVersion, chosen: Chosen, step: Any) -> HttpResponse:
    return _written(
        request,
        draft,
        chosen,
        lambda opened: step(FLOWS, actor=request.user, version_id=draft.pk, opened_version=opened),
    )


def _written(
    request: HttpRequest,
    draft: FlowVersion,
    chosen: Chosen,
    write: Callable[[int], Any],
    form: Any = None,
) -> HttpResponse:
    opened = number_in(request.POST.get("version"))
    try:
        kept = write(opened)
    except StaleRecord:
        return _stale(request, draft.pk, opened, chosen, form)
    machine = machine_from_json(kept.content)
    still = chosen_in({"part": chosen.part}, machine)
    kept.design = draft.design
    return answer_with(request, kept, machine, still, form=form)


def _stale(request: HttpRequest, pk: int, opened: int, chosen: Chosen, form: Any) -> HttpResponse:
    """Somebody else was faster: nothing is kept, and the page says what they changed."""
    draft, machine = draft_of(request, pk)
    was = draft.history.filter(version=opened).order_by("-history_id").first()
    changes: list[Any] = []
    if was is not None:
        old = machine_from_json(was.content)
        changes = [change_words(each, old, machine) for each in difference(old, machine)]
    last = draft.history.select_related("history_user").order_by("-history_id").first()
    stale = {"by": last.history_user if last else None, "changes": changes}
    # what was to be added is not there, and what was chosen may have been taken away
    chosen = chosen_in({"part": chosen.part}, machine)
    return answer_with(request, draft, machine, chosen, form=form, status=409, stale=stale)


def refuse(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen, words: Any
) -> HttpResponse:
    return answer_with(request, draft, machine, chosen, status=422, refused=words)


def answer_with(
    request: HttpRequest,
    draft: FlowVersion,
    machine: Machine,
    chosen: Chosen,
    *,
    form: Any = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """Without script: the editor's page. With it: the parts of the page that changed.

    With a ``form`` these leave the form alone that is being typed in.
    """
    context = context_of(request, draft, machine, chosen, form=form) | more
    if not getattr(request, "htmx", False):
        if status == 200:
            return redirect(f"{reverse('flows:edit', args=[draft.pk])}{chosen.query}")
        return render(request, "flows/editor.html", context, status=status)
    if form is not None:
        answer = render(request, "flows/_kept.html", {**context, "oob": True}, status=status)
    else:
        # what was just added is what is typed in next
        context["focus"] = bool(chosen.what) and chosen_in(request.POST, machine) != chosen
        answer = render(request, "flows/_editor.html", context, status=status)
        address = f"{reverse('flows:edit', args=[draft.pk])}{chosen.query}"
        answer["HX-Replace-Url"] = address
    if status == 200:
        # every form of the page goes on from the version that was kept
        trigger_client_event(answer, "flow:kept", {"version": draft.version})
    return answer


def context_of(
    request: HttpRequest,
    draft: FlowVersion,
    machine: Machine,
    chosen: Chosen,
    *,
    form: Any = None,
) -> dict[str, Any]:
    undo, redo = services.steps_of(draft)
    offered = kinds.facts_offered(draft.design)
    used = {fact.name for fact in machine.facts}
    return {
        "version": draft,
        "machine": machine,
        "chosen": chosen,
        "chosen_words": part_words(chosen.what, chosen.code, machine) if chosen.what else "",
        "form": form or form_of(draft, machine, chosen),
        "flow": flow_picture(machine, places=places_in(draft.places)),
        "arranged": bool(draft.places),
        "undo": undo,
        "redo": redo,
        "faults": fault_rows(kinds.flow_faults(draft.design, machine)),
        "facts": [
            {
                "fact": fact,
                "title": words(fact.title, machine),
                "kind": KINDS.get(fact.kind, fact.kind),
                "codes": ", ".join(fact.codes),
                "used": fact.name in used,
            }
            for fact in offered
        ],
        "actions": [(name, name.replace("_", " ")) for name in kinds.actions_offered(draft.design)],
        "languages": [
            (code, label, code in machine.languages) for code, label in LANGUAGES.items()
        ],
        "may_publish": can(request.user, PUBLISH_FLOWS, draft),
        **tables_of(draft, machine),
    }
