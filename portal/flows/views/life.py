"""The life of a version: a draft replaced by a file, published, retired, discarded."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods

from portal.access.acts import ask
from portal.access.decision import require
from portal.access.forms import ReasonForm
from portal.flows import selectors
from portal.flows.kinds import FLOWS, flow_faults
from portal.flows.models import FlowVersion
from portal.flows.models.designs import PUBLISH_FLOWS
from portal.flows.rules import difference as rules
from portal.flows.views.designs import find_version
from portal.flows.words import (
    change_words,
    fault_rows,
)
from portal.forms.services import designs as services
from portal.records.errors import Refused


class FileForm(ReasonForm):
    file = forms.FileField(label=lazy("File"))
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
