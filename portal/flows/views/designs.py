"""Flows and their versions: list, one flow, one version, difference, export, life cycle."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access.acts import ask
from portal.access.decision import can, require, visible
from portal.access.forms import ReasonForm
from portal.flows import selectors
from portal.flows.forms import NewFlowForm
from portal.flows.kinds import FLOWS, flow_faults, roles_offered
from portal.flows.models import FlowDesign, FlowVersion
from portal.flows.models.designs import DESIGN_FLOWS, PUBLISH_FLOWS
from portal.flows.presentation import state_title, transition_title
from portal.flows.rules import difference as rules
from portal.flows.words import (
    STATE_KINDS,
    action_words,
    change_words,
    delay_words,
    fault_rows,
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


class FileForm(ReasonForm):
    file = forms.FileField(label=_lazy("File"))
    version = forms.IntegerField(widget=forms.HiddenInput)
    field_order = ("file", "reason")


@require_http_methods(["GET", "POST"])
def replace_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """The draft's content from a file; undoing brings back what was there."""
    found = find_version(request, pk)
    initial = {"version": found.version}
    form = FileForm(request.POST or None, request.FILES or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.save_draft(
                FLOWS,
                actor=request.user,
                version_id=found.pk,
                content=form.cleaned_data["file"].read(),
                opened_version=form.cleaned_data["version"],
                step=_("From a file: %(reason)s") % {"reason": form.cleaned_data["reason"]},
                places={},
            )
        except Refused as error:
            form.add_error("file", [str(error), *map(str, error.details)])
        else:
            return redirect("flows:edit", found.pk)
    context = {"version": found, "form": form}
    return render(request, "flows/replace.html", context, status=422 if form.errors else 200)


class PublishForm(ReasonForm):
    version = forms.IntegerField(widget=forms.HiddenInput)


@require_http_methods(["GET", "POST"])
def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything that is wrong, each with its place; or, where nothing is, the reason."""
    found = find_version(request, pk)
    require(request.user, PUBLISH_FLOWS, found)
    machine = selectors.machine_of(found)
    faults = flow_faults(found.design, machine)
    if faults and found.state == FlowVersion.State.DRAFT:
        back = reverse("flows:edit", args=[found.pk])
        rows = [{**row, "url": f"{back}{row['query']}"} for row in fault_rows(faults)]
        context = {"version": found, "faults": rows, "back": back}
        return render(request, "flows/faulty.html", context, status=422)
    before = next(
        (
            each
            for each in selectors.versions_of(found.design)
            if each.state == FlowVersion.State.PUBLISHED
        ),
        None,
    )
    lines = []
    if before is not None:
        old = selectors.machine_of(before)
        lines = [
            f"{each['label']}: {each['old'] or '–'} → {each['new'] or '–'}"
            for each in (
                change_words(change, old, machine) for change in rules.difference(old, machine)
            )
        ]
    return ask(
        request,
        PublishForm(request.POST or None, initial={"version": found.version}),
        lambda reason, version: services.publish_version(
            FLOWS,
            actor=request.user,
            version_id=found.pk,
            opened_version=version,
            reason=reason,
        ),
        title=_("Publish version %(number)s of %(flow)s")
        % {"number": found.number, "flow": found.design},
        words=_(
            "New cases begin on it; a published version never changes. Cases that are under way"
            " stay on their version until they are moved."
        ),
        lines=lines,
        back=reverse("flows:design", args=[found.design_id]),
    )


@require_http_methods(["GET", "POST"])
def retire(request: HttpRequest, pk: int) -> HttpResponse:
    found = find_version(request, pk)
    require(request.user, PUBLISH_FLOWS, found)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda reason: services.retire_version(
            FLOWS, actor=request.user, version_id=found.pk, reason=reason
        ),
        title=_("Retire version %(number)s of %(flow)s")
        % {"number": found.number, "flow": found.design},
        words=_("No new case begins on it. Cases that stand on it go on."),
        back=reverse("flows:design", args=[found.design_id]),
        danger=True,
    )


@require_http_methods(["GET", "POST"])
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Throw a draft away."""
    found = find_version(request, pk)
    only = len(selectors.versions_of(found.design)) == 1
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda reason: services.discard_draft(
            FLOWS, actor=request.user, version_id=found.pk, reason=reason
        ),
        title=_("Discard the draft of %(flow)s") % {"flow": found.design},
        words=_("The flow goes with it: it has no other version.")
        if only
        else _("What was drawn in it is not in any list any more."),
        back=reverse("flows:designs") if only else reverse("flows:design", args=[found.design_id]),
        danger=True,
    )
