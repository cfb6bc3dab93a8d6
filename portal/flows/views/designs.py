"""Flows and their versions: list, one flow, one version, difference, export."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access.decision import can, require, visible
from portal.flows import selectors
from portal.flows.forms import NewFlowForm
from portal.flows.kinds import FLOWS, roles_offered
from portal.flows.models import FlowDesign, FlowVersion
from portal.flows.models.designs import DESIGN_FLOWS, PUBLISH_FLOWS
from portal.flows.presentation import state_title, transition_title
from portal.flows.rules import difference as rules
from portal.flows.words import (
    STATE_KINDS,
    action_words,
    change_words,
    delay_words,
    part_words,
    role_words,
)
from portal.forms.services import designs as services
from portal.records.errors import Refused
from portal.registry import registry

_FIELDS = {"code_taken": "code", "code": "code", "area": "area", "unreadable": "file"}


def find_design(request: HttpRequest, pk: int) -> FlowDesign:
    return get_object_or_404(
        visible(request.user, FlowDesign.objects.select_related("unit")), pk=pk
    )


def find_version(request: HttpRequest, pk: int) -> FlowVersion:
    """Who designs sees every version, drafts too; who does not sees none (PT-016)."""
    versions = FlowVersion.objects.select_related("design__unit", "published_by")
    return get_object_or_404(visible(request.user, versions), pk=pk)


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    require(request.user, DESIGN_FLOWS)
    text = request.GET.get("text", "").strip()
    context = {"flows": selectors.flows(request.user, text), "text": text}
    return render(request, "flows/designs.html", context)


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A flow with an empty draft, or one from a file."""
    require(request.user, DESIGN_FLOWS)
    units = selectors.units_to_design_at(request.user)
    areas = [(each.code, each.label) for each in registry.design_areas() if each.flow_actions]
    form = NewFlowForm(
        request.POST or None,
        request.FILES or None,
        areas=areas,
        units=units,
        initial={"area": areas[0][0] if len(areas) == 1 else None, "unit": units.first()},
    )
    if request.method == "POST" and form.is_valid():
        try:
            draft = _made(request.user, dict(form.cleaned_data))
        except Refused as error:
            field = _FIELDS.get(error.code)
            form.add_error(field, [str(error), *map(str, error.details)])
        else:
            messages.success(request, _("Made: %(flow)s") % {"flow": draft.design})
            return redirect("flows:edit", draft.pk)
    status = 422 if form.errors else 200
    return render(request, "flows/new.html", {"form": form, "areas": areas}, status=status)


def _made(actor: Any, given: dict[str, Any]) -> FlowVersion:
    file = given.pop("file")
    languages = tuple(given.pop("languages"))
    if file:
        made = services.import_design(FLOWS, actor=actor, data=file.read(), **given)
    else:
        made = services.create_design(FLOWS, actor=actor, languages=languages, **given)
    version: FlowVersion = made
    return version


@require_safe
def design(request: HttpRequest, pk: int) -> HttpResponse:
    """One flow: its versions, and the picture of the one in use, or of the draft."""
    found = find_design(request, pk)
    versions = selectors.versions_of(found)
    draft = next((each for each in versions if each.state == FlowVersion.State.DRAFT), None)
    published = next((each for each in versions if each.state == FlowVersion.State.PUBLISHED), None)
    context = {
        "design": found,
        "area": selectors.area_label(found),
        "versions": versions,
        "draft": draft,
        "published": published,
        "shown": published or draft or (versions[0] if versions else None),
        "may_publish": can(request.user, PUBLISH_FLOWS, found),
        "standings": selectors.standings(found),
    }
    return render(request, "flows/design.html", context)


@require_POST
def begin(request: HttpRequest, pk: int) -> HttpResponse:
    """The next version, to be drawn; the draft that there is already."""
    found = find_design(request, pk)
    draft = services.begin_draft(FLOWS, actor=request.user, design_id=found.pk)
    return redirect("flows:edit", draft.pk)


@require_safe
def version(request: HttpRequest, pk: int) -> HttpResponse:
    """One version, as it can be read."""
    found = find_version(request, pk)
    machine = selectors.machine_of(found)
    context = {
        "version": found,
        "machine": machine,
        "may_publish": can(request.user, PUBLISH_FLOWS, found),
        **tables_of(found, machine),
    }
    return render(request, "flows/version.html", context)


def tables_of(version: FlowVersion, machine: Any) -> dict[str, Any]:
    """The rows of the tables of states, transitions and timers, in words."""
    roles = roles_offered(version.design)
    return {
        "state_rows": [
            {
                "state": each,
                "title": part_title("state", each.code, machine),
                "kind": STATE_KINDS[each.kind],
                "ways": len(machine.leaving(each.code)),
                "actions": "; ".join(map(action_words, each.on_entry)),
            }
            for each in machine.states
        ],
        "transition_rows": [
            {
                "transition": each,
                "title": part_title("transition", each.code, machine),
                "sources": ", ".join(part_title("state", code, machine) for code in each.sources),
                "target": part_title("state", each.target, machine),
                "roles": role_words(each.roles, roles),
                "actions": "; ".join(map(action_words, each.actions)),
            }
            for each in machine.transitions
        ],
        "timer_rows": [
            {
                "timer": each,
                "transition": part_title("transition", each.transition, machine),
                "delay": delay_words(each),
            }
            for each in machine.timers
        ],
    }


def part_title(what: str, code: str, machine: Any) -> str:
    return state_title(machine, code) if what == "state" else transition_title(machine, code)


@require_safe
def export(request: HttpRequest, pk: int) -> HttpResponse:
    """The version as a file that *New flow* reads."""
    found = find_version(request, pk)
    answer = HttpResponse(services.export_design(found), content_type="application/json")
    name = f"{found.design.code}-{found.number}.json"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@require_safe
def difference(request: HttpRequest, pk: int) -> HttpResponse:
    """What differs between two versions, in words; at first between the two newest."""
    found = find_design(request, pk)
    versions = selectors.versions_of(found)
    by_number = {str(each.number): each for each in versions}
    newer = by_number.get(request.GET.get("new", ""), versions[0])
    older = by_number.get(
        request.GET.get("old", ""), next((v for v in versions if v.number < newer.number), newer)
    )
    old, new = selectors.machine_of(older), selectors.machine_of(newer)
    changes = rules.difference(old, new)
    context = {
        "design": found,
        "versions": versions,
        "older": older,
        "newer": newer,
        "changes": [change_words(each, old, new) for each in changes],
        "removed": [part_words("state", code, old) for code in rules.states_removed(changes)],
    }
    return render(request, "flows/difference.html", context)
