"""The editor of a draft: tables, drawing and the chosen part's properties, in step.

Every change is kept at once, as a version of the draft (`portal.forms.services.designs`): there is
no unsaved flow. `keep` takes the properties of one part as a field is left and answers with all
that follows from them, beside the form that is being typed in; `act` takes what changes the form
itself. Without script both lead back to the editor's page.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from portal.access.decision import can
from portal.flows import kinds
from portal.flows.forms import LANGUAGES, PART_FORMS, CodeField, FlowForm
from portal.flows.kinds import FLOWS
from portal.flows.models import FlowVersion
from portal.flows.models.designs import PUBLISH_FLOWS
from portal.flows.presentation import flow_picture, words
from portal.flows.rules import editing
from portal.flows.rules.definition import Action, Machine, machine_from_json
from portal.flows.rules.difference import difference
from portal.flows.rules.drawing import places_in
from portal.flows.views.designs import find_version, tables_of
from portal.flows.words import KINDS, change_words, fault_rows, part_words
from portal.forms.fault_words import words_of
from portal.forms.rules.checking import check_rule
from portal.forms.rules.definition import CODE
from portal.forms.rules.expressions import RuleError, names_in
from portal.forms.rules.terms import OF_KIND, Term, Type
from portal.forms.services import designs as services
from portal.records.errors import Refused, StaleRecord


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


def _chosen(given: Any, machine: Machine) -> Chosen:
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


@require_safe
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft's editor; a published version is shown instead."""
    found = find_version(request, pk)
    if found.state != FlowVersion.State.DRAFT:
        return redirect("flows:version", found.pk)
    machine = machine_from_json(found.content)
    context = _context(request, found, machine, _chosen(request.GET, machine))
    context["focus"] = bool(getattr(request, "htmx", False))
    return render(request, "flows/editor.html", context)


@require_POST
def keep(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what was typed about one part."""
    draft, machine = _draft(request, pk)
    chosen = _chosen(request.POST, machine)
    form = _form(draft, machine, chosen, request.POST)
    if form is None:
        raise Http404
    if not form.is_valid():
        return _answer(request, draft, machine, chosen, form=form, status=422)
    if chosen.what == "flow":
        return _save(request, draft, chosen, form.changed, form)
    return _save(request, draft, chosen, lambda: editing.put(machine, form.part()), form)


@require_POST
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """One act on the draft as a whole, by its name."""
    draft, machine = _draft(request, pk)
    chosen = _chosen(request.POST, machine)
    name = request.POST.get("act", "")
    if name in ("undo", "redo"):
        step = services.undo_draft if name == "undo" else services.redo_draft
        return _stepped(request, draft, chosen, step)
    acting = _ACTS.get(name)
    if acting is None:
        raise Http404
    return acting(request, draft, machine, chosen)


@require_POST
def guard(request: HttpRequest, pk: int) -> HttpResponse:
    """Whether a guard that is being typed makes sense; nothing is kept."""
    draft, _machine = _draft(request, pk)
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


# --- acts -----------------------------------------------------------------------------------------


def _add_state(
    request: HttpRequest, draft: FlowVersion, machine: Machine, _chosen: Chosen
) -> HttpResponse:
    _room(machine)
    changed, code = editing.add_state(machine)
    return _save(request, draft, Chosen("state", code), lambda: changed)


def _add_transition(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    """From and to the states named; from the chosen state where none is."""
    _room(machine)
    source = request.POST.get("source") or (chosen.code if chosen.what == "state" else "")
    changed, code = editing.add_transition(machine, source, request.POST.get("target", ""))
    return _save(request, draft, Chosen("transition", code), lambda: changed)


def _add_timer(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    _room(machine)
    transition = chosen.code if chosen.what == "transition" else ""
    changed, code = editing.add_timer(machine, transition)
    return _save(request, draft, Chosen("timer", code), lambda: changed)


def _remove(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    what = _part_of(chosen)
    return _save(request, draft, Chosen(), lambda: editing.without(machine, what, chosen.code))


def _move(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    by = -1 if request.POST["act"] == "move_up" else 1
    what = _part_of(chosen)
    return _save(request, draft, chosen, lambda: editing.moved(machine, what, chosen.code, by))


def _rename(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    what = _part_of(chosen)
    code = request.POST.get("code", "").strip()
    if not CODE.fullmatch(code):
        return _refuse(request, draft, machine, chosen, CodeField().help_text)
    if code != chosen.code and editing.part(machine, what, code) is not None:
        taken = _("There is one with the code %(code)s already.") % {"code": code}
        return _refuse(request, draft, machine, chosen, taken)
    places = places_in(draft.places)
    if what == "state" and chosen.code in places:
        places[code] = places.pop(chosen.code)
    changed = editing.renamed(machine, what, chosen.code, code)
    return _save(request, draft, Chosen(what, code), lambda: changed, places=places)


def _add_action(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    name = request.POST.get("action", "")
    if name not in kinds.actions_offered(draft.design):
        raise Http404
    changed = editing.with_action(machine, _part_of(chosen), chosen.code, Action(name))
    return _save(request, draft, chosen, lambda: changed)


def _remove_action(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    number = _number(request.POST.get("number"))
    changed = editing.without_action(machine, _part_of(chosen), chosen.code, number)
    return _save(request, draft, chosen, lambda: changed)


def _languages(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    asked = request.POST.getlist("languages")
    languages = tuple(each for each in LANGUAGES if each in asked)
    if not languages:
        return _refuse(request, draft, machine, chosen, _("A flow needs a language."))
    return _save(request, draft, chosen, lambda: editing.in_languages(machine, languages))


def _place(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    """A box was dragged: ``places`` is JSON of state to [x, y]."""
    try:
        sent = places_in(json.loads(request.POST.get("places", "")))
    except ValueError:
        sent = {}
    places = places_in(draft.places) | sent
    places = {state: at for state, at in places.items() if state in machine.by_code}
    return _save(request, draft, chosen, lambda: machine, places=places)


def _arrange(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    """Every box back where the layout puts it."""
    return _save(request, draft, chosen, lambda: machine, places={})


_ACTS: dict[str, Callable[[HttpRequest, FlowVersion, Machine, Chosen], HttpResponse]] = {
    "add_state": _add_state,
    "add_transition": _add_transition,
    "add_timer": _add_timer,
    "remove": _remove,
    "move_up": _move,
    "move_down": _move,
    "rename": _rename,
    "add_action": _add_action,
    "remove_action": _remove_action,
    "languages": _languages,
    "place": _place,
    "arrange": _arrange,
}


def _room(machine: Machine) -> None:
    if len(machine.states) + len(machine.transitions) >= editing.MOST_PARTS:
        raise Refused(_("A flow has at most %(most)s parts.") % {"most": editing.MOST_PARTS})


def _part_of(chosen: Chosen) -> editing.What:
    for what in editing.WHATS:
        if chosen.what == what:
            return what
    raise Http404


def _number(text: Any) -> int:
    return int(text) if str(text).isdecimal() and len(str(text)) < 6 else 0


# --- saving and answering -------------------------------------------------------------------------


def _draft(request: HttpRequest, pk: int) -> tuple[FlowVersion, Machine]:
    draft = find_version(request, pk)
    return draft, machine_from_json(draft.content)


def _form(draft: FlowVersion, machine: Machine, chosen: Chosen, data: Any = None) -> Any:
    """The properties of what is chosen; None for nothing."""
    if chosen.what == "flow":
        return FlowForm(data, machine=machine, part=machine)
    if not chosen.what:
        return None
    return PART_FORMS[chosen.what](
        data,
        machine=machine,
        part=editing.part(machine, _part_of(chosen), chosen.code),
        registry=kinds.actions_offered(draft.design),
        roles=kinds.roles_offered(draft.design),
    )


def _save(
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


def _stepped(request: HttpRequest, draft: FlowVersion, chosen: Chosen, step: Any) -> HttpResponse:
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
    opened = _number(request.POST.get("version"))
    try:
        kept = write(opened)
    except StaleRecord:
        return _stale(request, draft.pk, opened, chosen, form)
    machine = machine_from_json(kept.content)
    still = _chosen({"part": chosen.part}, machine)
    kept.design = draft.design
    return _answer(request, kept, machine, still, form=form)


def _stale(request: HttpRequest, pk: int, opened: int, chosen: Chosen, form: Any) -> HttpResponse:
    """Somebody else was faster: nothing is kept, and the page says what they changed."""
    draft, machine = _draft(request, pk)
    was = draft.history.filter(version=opened).order_by("-history_id").first()
    changes: list[Any] = []
    if was is not None:
        old = machine_from_json(was.content)
        changes = [change_words(each, old, machine) for each in difference(old, machine)]
    last = draft.history.select_related("history_user").order_by("-history_id").first()
    stale = {"by": last.history_user if last else None, "changes": changes}
    return _answer(request, draft, machine, chosen, form=form, status=409, stale=stale)


def _refuse(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen, words: Any
) -> HttpResponse:
    return _answer(request, draft, machine, chosen, status=422, refused=words)


def _answer(
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
    context = _context(request, draft, machine, chosen, form=form) | more
    if not getattr(request, "htmx", False):
        if status == 200:
            return redirect(f"{reverse('flows:edit', args=[draft.pk])}{chosen.query}")
        return render(request, "flows/editor.html", context, status=status)
    if form is not None:
        answer = render(request, "flows/_kept.html", {**context, "oob": True}, status=status)
    else:
        # what was just added is what is typed in next
        context["focus"] = bool(chosen.what) and _chosen(request.POST, machine) != chosen
        answer = render(request, "flows/_editor.html", context, status=status)
        address = f"{reverse('flows:edit', args=[draft.pk])}{chosen.query}"
        answer["HX-Replace-Url"] = address
    if status == 200:
        # every form of the page goes on from the version that was kept
        trigger_client_event(answer, "flow:kept", {"version": draft.version})
    return answer


def _context(
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
        "form": form or _form(draft, machine, chosen),
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
