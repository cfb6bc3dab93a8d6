"""Standing orders: the list, setting one up, changing it, ending it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from portal.access.acts import ask
from portal.access.decision import can
from portal.records.errors import Refused, StaleRecord
from portal.records.merging import merge_screen
from tracershop.forms.standing import (
    EndForm,
    StandingActivityForm,
    StandingForm,
    StandingInjectionForm,
)
from tracershop.models import Customer, DeliverySlot, Endpoint, StandingOrder, Tracer
from tracershop.models.reach import ORDER_LATE, PLACE
from tracershop.rules.standing import PLACED_AHEAD_DAYS
from tracershop.selectors.copying import ordered_at
from tracershop.selectors.schedule import site_zone, visible_slots
from tracershop.selectors.shop import entry_for, visible_order
from tracershop.selectors.standing import standing_lines, visible_standing
from tracershop.selectors.topics import customer_topic
from tracershop.services import standing as services
from tracershop.services.standing_placing import Placement
from tracershop.views.parameters import day_of, key_of
from tracershop.views.shop import chosen_customer, represents_nobody

_ONE_WEEK = timedelta(days=7)


@require_GET
def standing(request: HttpRequest) -> HttpResponse:
    """The customer's standing orders; htmx fetches the list alone."""
    customers, customer = chosen_customer(request)
    if customer is None:
        return represents_nobody(request)
    may_order = can(request.user, PLACE, customer)
    context = {
        "customers": customers,
        "customer": customer,
        "lines": standing_lines(request.user, customer, timezone.localdate()),
        "topic": customer_topic(customer.pk),
        "ahead": PLACED_AHEAD_DAYS,
        "may_order": may_order,
        "may_end": may_order or can(request.user, ORDER_LATE, customer),
    }
    name = "_list.html" if request.htmx else "list.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/standing/{name}", context)


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Repeat an order, or begin with a slot or an injection tracer of a day."""
    start = _start(request)
    _require_place(request, start["customer"])
    slot: DeliverySlot | None = start["slot"]
    form_class = StandingActivityForm if slot else StandingInjectionForm
    form: StandingForm = form_class(request.POST or None, initial=start["initial"])

    def save() -> Placement:
        values = form.values
        if slot is not None:
            return services.repeat_activity(actor=request.user, slot_id=slot.pk, **values)
        return services.repeat_injections(
            actor=request.user,
            endpoint_id=start["endpoint"].pk,
            tracer_id=start["tracer"].pk,
            weekday=start["day"].weekday(),
            inject_at=form.cleaned_data["clock"],
            **values,
        )

    context = {
        **start,
        "heading": _("Order %(tracer)s every week") % {"tracer": start["tracer"]},
        "button": _("Order every week"),
    }
    return _save(request, form, save, context)


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what is ordered, or its last day."""
    row = _visible(request, pk)
    _require_place(request, row.customer)
    names = ("activity_mbq", "injections", "ends_on", "intended_use", "comment", "version")
    form_class = StandingActivityForm if row.slot else StandingInjectionForm
    form: StandingForm = form_class(
        request.POST or None,
        editing=True,
        initial={name: getattr(row, name) for name in names},
    )

    def save() -> Placement:
        return services.change_standing_order(
            actor=request.user,
            standing_order_id=row.pk,
            expected_version=form.cleaned_data["version"],
            **form.values,
        )

    context = {
        "heading": _("Change the standing order of %(tracer)s") % {"tracer": row.tracer},
        "button": _("Save the standing order"),
        "customer": row.customer,
        "endpoint": row.endpoint,
        "tracer": row.tracer,
        "slot": row.slot,
        "standing": row,
        "day": row.starts_on + timedelta(days=(row.weekday - row.starts_on.weekday()) % 7),
    }
    return _save(request, form, save, context)


@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """Say until when; orders placed for later days stay, or are deleted too."""
    row = _visible(request, pk)
    if not can(request.user, ORDER_LATE, row.customer):
        _require_place(request, row.customer)
    today = timezone.localdate()
    placed = services.placed_after(row, today)

    def act(last_day: date, version: int, *, delete_placed: bool) -> None:
        stay = services.end_standing_order(
            actor=request.user,
            standing_order_id=row.pk,
            expected_version=version,
            last_day=last_day,
            delete_placed=delete_placed,
        )
        if stay:
            text = _("These orders stay: %(orders)s.")
            messages.warning(request, text % {"orders": _listed(stay)})

    lines = [_("Placed already: %(orders)s.") % {"orders": _listed(placed)}] if placed else []
    return ask(
        request,
        EndForm(request.POST or None, last_day=today, version=row.version),
        act,
        title=_("End the standing order"),
        words=_("Nothing is ordered after the last day. To pause, end it and begin again later."),
        back=_list_url(row.customer),
        danger=True,
        lines=lines,
    )


def _start(request: HttpRequest) -> dict[str, Any]:
    """What the form begins with; what one does not see does not exist."""
    if "order" in request.GET:
        return _start_from_order(request)
    day = day_of(request)
    if "slot" in request.GET:
        slot = visible_slots(request.user).filter(pk=_key(request, "slot")).first()
        if slot is None:
            raise Http404
        return _beginning(slot.endpoint, slot.run.tracer, slot, day, {"starts_on": day})
    entry = entry_for(request.user, _key(request, "endpoint"), _key(request, "tracer"))
    if entry is None or entry.tracer.by_slot:
        raise Http404
    return _beginning(entry.endpoint, entry.tracer, None, day, {"starts_on": day})


def _start_from_order(request: HttpRequest) -> dict[str, Any]:
    """The same a week later, and so on; never a day that lies behind."""
    order = visible_order(request.user, _key(request, "order"))
    if order is None:
        raise Http404
    weeks = (max(timezone.localdate() - order.deliver_on, timedelta(0)) // _ONE_WEEK) + 1
    initial = {
        "activity_mbq": order.activity_mbq,
        "injections": order.injections,
        "clock": order.ordered_for_at.astimezone(site_zone()).time(),
        "intended_use": order.intended_use,
        "comment": order.comment,
        "starts_on": order.deliver_on + weeks * _ONE_WEEK,
    }
    slot = ordered_at(order)
    return _beginning(order.endpoint, order.tracer, slot, order.deliver_on, initial)


def _beginning(
    endpoint: Endpoint,
    tracer: Tracer,
    slot: DeliverySlot | None,
    day: date,
    initial: dict[str, Any],
) -> dict[str, Any]:
    return {
        "customer": endpoint.customer,
        "endpoint": endpoint,
        "tracer": tracer,
        "slot": slot,
        "day": day,
        "initial": initial,
    }


def _save(
    request: HttpRequest, form: StandingForm, save: Any, context: dict[str, Any]
) -> HttpResponse:
    back = _list_url(context["customer"])
    context |= {"form": form, "back": back, "ahead": PLACED_AHEAD_DAYS}
    if request.method == "POST" and form.is_valid():
        try:
            placement = save()
        except StaleRecord as stale:
            return merge_screen(request, form, stale, back=back)
        except Refused as refusal:
            if refusal.code == "gone":
                raise
            form.add_error(None, str(refusal.message))
        else:
            _say(request, placement)
            return redirect(back)
    status = 422 if form.errors else 200
    return render(request, "tracershop/standing/form.html", context, status=status)


def _say(request: HttpRequest, placement: Placement) -> None:
    text = _("The standing order is saved.")
    if placement.placed:
        placed = _("Placed: %(orders)s.")
        text = f"{text} {placed % {'orders': _listed(placement.placed)}}"
    messages.success(request, text)
    for missed in placement.missed:
        day = date_format(missed.day, "SHORT_DATE_FORMAT")
        what = _("Not ordered for %(day)s: %(why)s") % {"day": day, "why": missed.why}
        messages.warning(request, what)


def _listed(orders: Any) -> str:
    return ", ".join(
        _("%(number)s (%(day)s)")
        % {"number": order.pk, "day": date_format(order.deliver_on, "SHORT_DATE_FORMAT")}
        for order in orders
    )


def _visible(request: HttpRequest, pk: int) -> StandingOrder:
    row = visible_standing(request.user, pk)
    if row is None:
        raise Http404
    return row


def _require_place(request: HttpRequest, customer: Customer) -> None:
    if not can(request.user, PLACE, customer):
        raise PermissionDenied


def _key(request: HttpRequest, name: str) -> int:
    key = key_of(request.GET.get(name, ""))
    if key is None:
        raise Http404
    return key


def _list_url(customer: Customer) -> str:
    return f"{reverse('tracershop:standing')}?customer={customer.pk}"
