"""The acts of the flow editor that change more than the fields of one part."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from portal.flows import kinds
from portal.flows.forms import LANGUAGES, CodeField
from portal.flows.models import FlowVersion
from portal.flows.rules import editing
from portal.flows.rules.definition import Action, Machine
from portal.flows.rules.drawing import places_in
from portal.flows.views.drafts import Chosen, number_in, part_of, refuse, save
from portal.forms.rules.definition import CODE
from portal.records.errors import Refused


def _add_state(
    request: HttpRequest, draft: FlowVersion, machine: Machine, _chosen: Chosen
) -> HttpResponse:
    _room(machine)
    changed, code = editing.add_state(machine)
    return save(request, draft, Chosen("state", code), lambda: changed)


def _add_transition(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    """From and to the states named; from the chosen state where none is."""
    _room(machine)
    source = request.POST.get("source") or (chosen.code if chosen.what == "state" else "")
    changed, code = editing.add_transition(machine, source, request.POST.get("target", ""))
    return save(request, draft, Chosen("transition", code), lambda: changed)


def _add_timer(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    _room(machine)
    transition = chosen.code if chosen.what == "transition" else ""
    changed, code = editing.add_timer(machine, transition)
    return save(request, draft, Chosen("timer", code), lambda: changed)


def _remove(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    what = part_of(chosen)
    return save(request, draft, Chosen(), lambda: editing.without(machine, what, chosen.code))


def _move(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    by = -1 if request.POST["act"] == "move_up" else 1
    what = part_of(chosen)
    return save(request, draft, chosen, lambda: editing.moved(machine, what, chosen.code, by))


def _rename(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    what = part_of(chosen)
    code = request.POST.get("code", "").strip()
    if not CODE.fullmatch(code):
        return refuse(request, draft, machine, chosen, CodeField().help_text)
    if code != chosen.code and editing.part(machine, what, code) is not None:
        taken = _("There is one with the code %(code)s already.") % {"code": code}
        return refuse(request, draft, machine, chosen, taken)
    places = places_in(draft.places)
    if what == "state" and chosen.code in places:
        places[code] = places.pop(chosen.code)
    changed = editing.renamed(machine, what, chosen.code, code)
    return save(request, draft, Chosen(what, code), lambda: changed, places=places)


def _add_action(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    name = request.POST.get("action", "")
    if name not in kinds.actions_offered(draft.design):
        raise Http404
    changed = editing.with_action(machine, part_of(chosen), chosen.code, Action(name))
    return save(request, draft, chosen, lambda: changed)


def _remove_action(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    number = number_in(request.POST.get("number"))
    changed = editing.without_action(machine, part_of(chosen), chosen.code, number)
    return save(request, draft, chosen, lambda: changed)


def _languages(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    asked = request.POST.getlist("languages")
    languages = tuple(each for each in LANGUAGES if each in asked)
    if not languages:
        return refuse(request, draft, machine, chosen, _("A flow needs a language."))
    return save(request, draft, chosen, lambda: editing.in_languages(machine, languages))


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
    return save(request, draft, chosen, lambda: machine, places=places)


def _arrange(
    request: HttpRequest, draft: FlowVersion, machine: Machine, chosen: Chosen
) -> HttpResponse:
    """Every box back where the layout puts it."""
    return save(request, draft, chosen, lambda: machine, places={})


ACTS: dict[str, Callable[[HttpRequest, FlowVersion, Machine, Chosen], HttpResponse]] = {
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
