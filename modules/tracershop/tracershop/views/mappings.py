"""What a room and a procedure of the radiology system mean (TS-023)."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from portal.access.acts import ask
from portal.access.decision import require
from portal.records.errors import Refused, StaleRecord
from portal.records.merging import merge_screen
from tracershop.forms.mappings import ProcedureForm, ReasonForm, RoomForm, SwitchForm
from tracershop.models import Endpoint, ProcedureMapping
from tracershop.models.reach import MAP
from tracershop.selectors import mapping_page
from tracershop.selectors.automatic import LEAD
from tracershop.selectors.booking_page import rooms_waiting
from tracershop.selectors.mapping_preview import preview_mapping
from tracershop.selectors.topics import BOOKINGS
from tracershop.services import mappings as services
from tracershop.services.automatic import switch_automatic
from tracershop.views.parameters import key_of


@require_GET
def mappings(request: HttpRequest) -> HttpResponse:
    """What waits on top, then what is mapped. Fetched anew as bookings come in."""
    require(request.user, MAP)
    now = timezone.now()
    context = {
        "rooms_waiting": rooms_waiting(now),
        "procedures_waiting": mapping_page.procedures_waiting(request.user, now),
        "rooms": mapping_page.room_mappings(request.user),
        "procedures": mapping_page.procedure_mappings(request.user),
        "endpoints": list(mapping_page.mappable_endpoints(request.user)),
        "topic": BOOKINGS,
    }
    name = "_mappings.html" if request.htmx else "mappings.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/mappings/{name}", context)


@require_http_methods(["GET", "POST"])
def map_room(request: HttpRequest) -> HttpResponse:
    """Say which endpoint a room is, anew where it is mapped already."""
    require(request.user, MAP)
    room = request.GET.get("room", "")
    known = mapping_page.room_mappings(request.user).filter(room=room).first()
    endpoints = mapping_page.mappable_endpoints(request.user)
    initial = {"room": room, "endpoint": known.endpoint_id if known else _only(endpoints)}
    initial["version"] = known.version if known else 0
    form = RoomForm(request.POST or None, endpoints=endpoints, initial=initial)
    form.fields["room"].disabled = bool(room)
    if request.method == "POST" and form.is_valid():
        try:
            mapping = services.map_room(
                actor=request.user,
                room=form.cleaned_data["room"],
                endpoint_id=form.cleaned_data["endpoint"].pk,
                # a form that knew of no mapping is older than one that somebody made meanwhile
                expected_version=form.cleaned_data["version"] or 0,
            )
        except StaleRecord as stale:
            return merge_screen(request, form, stale, back=reverse("tracershop:mappings"))
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            return _done(request, _("Room %(mapping)s.") % {"mapping": mapping})
    return _show(request, form, _("Map a room"))


@require_http_methods(["GET", "POST"])
def map_procedure(request: HttpRequest) -> HttpResponse:
    """Say what a procedure at an endpoint needs."""
    require(request.user, MAP)
    endpoint = _endpoint(request)
    code = request.GET.get("procedure", "")
    known = (
        mapping_page.procedure_mappings(request.user)
        .filter(endpoint=endpoint, procedure_code=code)
        .first()
    )
    tracers = mapping_page.tracers_of(endpoint)
    initial = _initial(known) if known else {"procedure_code": code, "tracer": _only(tracers)}
    form = ProcedureForm(request.POST or None, tracers=tracers, initial=initial)
    form.fields["procedure_code"].disabled = bool(code)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            mapping = services.map_procedure(
                actor=request.user,
                procedure_code=values["procedure_code"],
                endpoint_id=endpoint.pk,
                tracer_id=values["tracer"].pk,
                units=values["units"],
                delay_min=values["delay_min"],
                # a form that knew of no mapping is older than one that somebody made meanwhile
                expected_version=values["version"] or 0,
            )
        except StaleRecord as stale:
            return merge_screen(request, form, stale, back=reverse("tracershop:mappings"))
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            return _done(request, _("Procedure %(mapping)s.") % {"mapping": mapping})
    query = urlencode({"endpoint": endpoint.pk, "procedure": code})
    preview_url = f"{reverse('tracershop:preview_mapping')}?{query}"
    return _show(request, form, _("Map a procedure"), endpoint=endpoint, preview_url=preview_url)


@require_GET
def preview(request: HttpRequest) -> HttpResponse:
    """What the mapping in the form would order for the bookings that wait for it."""
    require(request.user, MAP)
    endpoint = _endpoint(request)
    code = request.GET.get("procedure", "")
    form = ProcedureForm(
        {"procedure_code": code, **request.GET.dict()}, tracers=mapping_page.tracers_of(endpoint)
    )
    days = None
    if form.is_valid() and form.cleaned_data["units"]:
        values = form.cleaned_data
        mapping = ProcedureMapping(
            procedure_code=values["procedure_code"],
            endpoint=endpoint,
            tracer=values["tracer"],
            units=values["units"],
            delay_min=values["delay_min"],
        )
        days = preview_mapping(request.user, mapping, timezone.now())
    return render(request, "tracershop/mappings/_preview.html", {"days": days})


@require_http_methods(["GET", "POST"])
def end_room(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask why, then end it."""
    mapping = get_object_or_404(mapping_page.room_mappings(request.user), pk=pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        partial(services.end_room_mapping, actor=request.user, mapping_id=pk),
        title=_("End the mapping of %(what)s") % {"what": mapping.room},
        words=_(
            "Bookings in this room that are not ordered yet go back to waiting. What is ordered "
            "stays ordered."
        ),
        back=reverse("tracershop:mappings"),
        danger=True,
    )


@require_http_methods(["GET", "POST"])
def end_procedure(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask why, then end it."""
    mapping = get_object_or_404(mapping_page.procedure_mappings(request.user), pk=pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        partial(services.end_procedure_mapping, actor=request.user, mapping_id=pk),
        title=_("End the mapping of %(what)s") % {"what": mapping.procedure_code},
        words=_(
            "Bookings for it that are not ordered yet go back to waiting. What is ordered stays "
            "ordered."
        ),
        back=reverse("tracershop:mappings"),
        danger=True,
    )


@require_http_methods(["GET", "POST"])
def automatic(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the mapping's bookings ordered by themselves, or no longer (TS-026)."""
    mapping = get_object_or_404(mapping_page.procedure_mappings(request.user), pk=pk)
    switch_on = not mapping.automatic
    names = {"what": mapping.procedure_code, "minutes": int(LEAD.total_seconds() // 60)}
    if switch_on:
        title = _("Order %(what)s automatically") % names
        words = _(
            "%(minutes)s minutes before the deadline its bookings are ordered in your name, while "
            "you may order for the customer. What was ordered, and what was not and why, is mailed "
            "to everybody who represents it."
        )
    else:
        title = _("Order %(what)s by hand") % names
        words = _("From now on somebody has to order for its bookings.")

    def switch(reason: str, version: int | None) -> None:
        switch_automatic(
            actor=request.user,
            mapping_id=pk,
            automatic=switch_on,
            reason=reason,
            expected_version=version,
        )

    return ask(
        request,
        SwitchForm(request.POST or None, initial={"version": mapping.version}),
        switch,
        title=title,
        words=words % names,
        back=reverse("tracershop:mappings"),
    )


def _endpoint(request: HttpRequest) -> Endpoint:
    key = key_of(request.GET.get("endpoint", ""))
    if key is None:
        raise Http404
    return get_object_or_404(mapping_page.mappable_endpoints(request.user), pk=key)


def _initial(known: ProcedureMapping) -> dict[str, Any]:
    names = ("procedure_code", "units", "delay_min", "version")
    return {**{name: getattr(known, name) for name in names}, "tracer": known.tracer_id}


def _only(choices: Any) -> int | None:
    """The key of the only choice there is."""
    keys = list(choices.values_list("pk", flat=True)[:2])
    return keys[0] if len(keys) == 1 else None


def _show(request: HttpRequest, form: Any, heading: str, **more: Any) -> HttpResponse:
    name = "map.html"
    if request.htmx:  # type: ignore[attr-defined]
        name = "_map_dialog.html" if request.method == "GET" else "_map_form.html"
    context = {"form": form, "heading": heading, "action": request.get_full_path(), **more}
    status = 422 if form.errors else 200
    return render(request, f"tracershop/mappings/{name}", context, status=status)


def _done(request: HttpRequest, text: str) -> HttpResponse:
    messages.success(request, text)
    answer = redirect("tracershop:mappings")
    return HttpResponseClientRedirect(answer.url) if request.htmx else answer  # type: ignore[attr-defined]
