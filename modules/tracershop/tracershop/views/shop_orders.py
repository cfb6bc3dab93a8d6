"""Placing, changing and taking back an order: a dialog on the shop page, a page without script."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from portal.access.decision import can
from portal.operations.templatetags.portal_formats import mbq, moment
from portal.records.errors import Refused, StaleRecord
from portal.records.merging import merge_screen
from tracershop.forms.calculator import Calculator
from tracershop.forms.ordering import ActivityOrderForm, InjectionOrderForm, OrderForm
from tracershop.models import Customer, Order
from tracershop.models.reach import PLACE
from tracershop.rules.moments import local_moment
from tracershop.rules.orders import OrderStatus, may_edit
from tracershop.selectors.schedule import Calendar, SlotOnDay, site_zone
from tracershop.selectors.shop import entry_for, orders_on_behalf, slot_on, visible_order
from tracershop.services import ordering
from tracershop.views.parameters import day_of, key_of
from tracershop.views.shop import shop_url, week_url

_TYPED = ("activity_mbq", "calculated", "intended_use", "comment", "late_reason", "version")


@require_http_methods(["GET", "POST"])
def order_activity(request: HttpRequest) -> HttpResponse:
    """Order MBq at a slot, of a tracer or a bare isotope."""
    day = day_of(request)
    slot = slot_on(request.user, _key(request, "slot"), day, timezone.now())
    if slot is None or slot.entry is None or not slot.tracer.by_slot:
        raise Http404
    customer = slot.slot.endpoint.customer

    def place(form: OrderForm) -> Order:
        return ordering.place_activity_order(
            actor=request.user,
            slot_id=slot.slot.pk,
            day=day,
            activity_mbq=form.cleaned_data["activity_mbq"],
            **form.values,
        )

    context = {
        "heading": _("Order %(tracer)s") % {"tracer": slot.tracer},
        "button": pgettext("button", "Order"),
    }
    return _activity_form(request, customer, slot, place, context)


@require_http_methods(["GET", "POST"])
def order_injections(request: HttpRequest) -> HttpResponse:
    """Order a number of injections at a time of the day."""
    day = day_of(request)
    entry = entry_for(request.user, _key(request, "endpoint"), _key(request, "tracer"))
    if entry is None or entry.tracer.by_slot:
        raise Http404
    on_behalf = _footing(request, entry.endpoint.customer)

    def place(form: OrderForm) -> Order:
        return ordering.place_injection_order(
            actor=request.user,
            endpoint_id=entry.endpoint_id,
            tracer_id=entry.tracer_id,
            inject_at=local_moment(form.cleaned_data["clock"], day, site_zone()),
            injections=form.cleaned_data["injections"],
            **form.values,
        )

    form = InjectionOrderForm(request.POST or None, entry=entry, on_behalf=on_behalf)
    calendar = Calendar(day, day)
    context = {
        "heading": _("Order %(tracer)s") % {"tracer": entry.tracer},
        "button": pgettext("button", "Order"),
        "form": form,
        "endpoint": entry.endpoint,
        "day": day,
        "customer": entry.endpoint.customer,
        "deadline_at": calendar.deadline(entry.tracer.kind, day),
    }
    return _save(request, form, place, context)


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an order while it is *Ordered*."""
    order = _editable(request, pk)
    heading = _("Change order %(number)s: %(tracer)s")
    context: dict[str, Any] = {
        "heading": heading % {"number": order.pk, "tracer": order.tracer},
        "button": _("Save order %(number)s") % {"number": order.pk},
    }

    def change(form: OrderForm) -> Order:
        return ordering.edit_order(
            actor=request.user,
            order_id=order.pk,
            expected_version=form.cleaned_data["version"],
            activity_mbq=form.cleaned_data.get("activity_mbq"),
            injections=form.cleaned_data.get("injections"),
            **form.values,
        )

    if order.kind != Order.Kind.INJECTION:
        return _activity_form(
            request, order.customer, _delivery_of(order), change, context, editing=order
        )
    entry = entry_for(request.user, order.endpoint_id, order.tracer_id)
    if entry is None:
        raise Refused(_("The tracer is not in the catalogue any more."), code="not_in_catalogue")
    form = InjectionOrderForm(
        request.POST or None,
        entry=entry,
        on_behalf=_footing(request, order.customer),
        editing=True,
        initial={**_initial(order), "injections": order.injections},
    )
    context |= {"form": form, "endpoint": order.endpoint, "deliver_at": order.deliver_at}
    context |= {"day": order.deliver_on, "customer": order.customer}
    return _save(request, form, change, context)


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an order back, after saying in words what that does."""
    order = _editable(request, pk)
    back = shop_url(order.deliver_on, order.customer_id)
    on_behalf = _footing(request, order.customer)
    if request.method == "POST":
        version = key_of(request.POST.get("version", ""))
        ordering.delete_order(
            actor=request.user,
            order_id=order.pk,
            expected_version=order.version if version is None else version,
            late_reason=request.POST.get("late_reason", ""),
        )
        messages.success(request, _("Order %(number)s is deleted.") % {"number": order.pk})
        return _away(request, back)
    context = {
        "order": order,
        "back": back,
        "on_behalf": on_behalf,
        "bookings": order.bookings.filter(deleted_at__isnull=True).count(),
    }
    template = "_delete_dialog.html" if request.htmx else "delete.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/shop/{template}", context)


def _activity_form(
    request: HttpRequest,
    customer: Customer,
    slot: SlotOnDay,
    save: Callable[[OrderForm], Order],
    context: dict[str, Any],
    *,
    editing: Order | None = None,
) -> HttpResponse:
    """The form with the calculator; its row buttons come back here without ordering anything."""
    calculator = Calculator.of(request.POST, slot)
    options: dict[str, Any] = {
        "calculator": calculator,
        "on_behalf": _footing(request, customer),
        "editing": editing is not None,
    }
    context |= {
        "calculator": calculator,
        "customer": customer,
        "endpoint": slot.slot.endpoint,
        "day": slot.deliver_at.astimezone(site_zone()).date(),
        "deliver_at": slot.deliver_at,
        "deadline_at": slot.deadline_at,
    }
    act = _act(request, calculator)
    if request.method == "POST" and act != "order":
        sent: dict[str, Any] = {name: request.POST.get(name, "") for name in _TYPED}
        needed = calculator.needed_mbq
        # an amount that the calculator wrote follows the rows; one that was typed stays
        follows = sent["activity_mbq"] == sent["calculated"]
        if follows or (act == "calculate" and needed is not None):
            value = "" if needed is None else needed
            sent |= {"activity_mbq": value, "calculated": value}
        context["form"] = ActivityOrderForm(initial=sent, **options)
        context["focus"] = act
        if request.htmx and request.htmx.target == "calculation-result":  # type: ignore[attr-defined]
            return _recalculated(request, context)
        return _show(request, context)
    initial = {**_initial(editing), "activity_mbq": editing.activity_mbq} if editing else {}
    form = ActivityOrderForm(request.POST or None, initial=initial, **options)
    context["form"] = form
    return _save(request, form, save, context)


def _act(request: HttpRequest, calculator: Calculator) -> str:
    """Which button was pressed. The Enter key calculates first, and orders when nothing is left to
    calculate: nobody orders by pressing Enter after the first of three rows."""
    act = request.POST.get("act", "order")
    if act != "enter":
        return act
    shown = request.POST.get("calculated") == str(calculator.needed_mbq)
    settled = not calculator.filled or shown
    return "order" if settled else "calculate"


def _recalculated(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """What the rows add up to, and the amount's field if it is known."""
    for name in ("activity_mbq", "calculated"):
        context["form"].fields[name].widget.attrs["hx-swap-oob"] = "true"
    return render(request, "tracershop/shop/_calculation.html", {**context, "swap_amount": True})


def _save(
    request: HttpRequest,
    form: OrderForm,
    save: Callable[[OrderForm], Order],
    context: dict[str, Any],
) -> HttpResponse:
    if request.method != "POST" or not form.is_valid():
        return _show(request, context)
    try:
        order = save(form)
    except StaleRecord as stale:
        back = _back(request, context["day"], context["customer"].pk)
        return merge_screen(request, form, stale, back=back)
    except Refused as refusal:
        if refusal.code == "gone":
            raise
        form.add_error(None, str(refusal.message))
        return _show(request, context)
    placed, saved = _("Order %(number)s is placed: %(what)s."), _("Order %(number)s: %(what)s.")
    text = saved if "version" in form.fields else placed
    text %= {"number": order.pk, "what": _told(order)}
    messages.success(request, text)
    return _away(request, _back(request, order.deliver_on, order.customer_id))


def _back(request: HttpRequest, day: date, customer_id: int) -> str:
    """Where the order was begun: the week, or the day."""
    came_from_week = request.GET.get("from") == "week"
    return week_url(day, customer_id) if came_from_week else shop_url(day, customer_id)


def _told(order: Order) -> str:
    amount = (
        _("%(mbq)s MBq") % {"mbq": mbq(order.activity_mbq)}
        if order.activity_mbq
        else _("%(n)s injections") % {"n": order.injections}
    )
    return f"{amount} {order.tracer}, {moment(order.deliver_at)}"


def _show(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """As a dialog, as the form alone where it stands already, or as a page."""
    template = "order.html"
    if request.htmx:  # type: ignore[attr-defined]
        template = "_order_dialog.html" if request.method == "GET" else "_order_form.html"
    context |= {
        "action": request.get_full_path(),
        "back": _back(request, context["day"], context["customer"].pk),
    }
    status = 422 if context["form"].errors else 200
    return render(request, f"tracershop/shop/{template}", context, status=status)


def _away(request: HttpRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)  # type: ignore[attr-defined]


def _key(request: HttpRequest, name: str) -> int:
    key = key_of(request.GET.get(name, ""))
    if key is None:
        raise Http404
    return key


def _editable(request: HttpRequest, pk: int) -> Order:
    order = visible_order(request.user, pk)
    if order is None:
        raise Http404
    if not may_edit(OrderStatus(order.status)):
        text = _("Order %(number)s is %(status)s; it can no longer be changed here.")
        status = order.get_status_display().lower()
        raise Refused(text % {"number": order.pk, "status": status}, code="not_editable")
    return order


def _footing(request: HttpRequest, customer: Customer) -> bool:
    """Whether the person orders on the customer's behalf; PermissionDenied if not at all."""
    on_behalf = orders_on_behalf(request.user, customer)
    if not on_behalf and not can(request.user, PLACE, customer):
        raise PermissionDenied
    return on_behalf


def _initial(order: Order) -> dict[str, Any]:
    return {
        "intended_use": order.intended_use,
        "comment": order.comment,
        "version": order.version,
    }


def _delivery_of(order: Order) -> SlotOnDay:
    """The order's delivery as it was ordered, whether its slot still exists or not, and wherever
    production moved it."""
    deadline_at: datetime | None = Calendar(order.deliver_on, order.deliver_on).deadline(
        order.kind, order.deliver_on
    )
    slot = order.moved_from_slot or order.slot
    return SlotOnDay(slot, None, order.ordered_for_at, deadline_at, None)
