"""Bookings that changed after they were ordered for: one click settles an order (TS-025)."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.access.acts import ask
from portal.access.decision import can, visible
from portal.records.errors import Refused
from tracershop.forms.mappings import ReasonForm
from tracershop.models import Order
from tracershop.models.reach import ORDER_BOOKINGS, SEE_ALL
from tracershop.selectors.booking_changes import changed_orders, may_put_aside
from tracershop.selectors.topics import BOOKINGS
from tracershop.services.booking_changes import (
    apply_booking_changes,
    put_aside_booking_changes,
)


@require_GET
def booking_changes(request: HttpRequest) -> HttpResponse:
    """Orders with changed bookings, the next delivery first. Fetched anew as bookings change."""
    return _page(request)


@require_POST
def apply(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the order the amount that was looked at; if that is no longer so, show what is."""
    _require_page(request)
    try:
        order = apply_booking_changes(
            actor=request.user, order_id=pk, seen=request.POST.get("seen", "")
        )
    except Refused as refusal:
        if refusal.code == "gone":
            raise
        return _page(request, refusal)
    text = _("Order %(number)s is changed.")
    if order.deleted_at is not None:
        text = _("Order %(number)s is taken back: none of its bookings needs it any more.")
    messages.success(request, text % {"number": order.pk})
    return redirect("tracershop:booking_changes")


@require_http_methods(["GET", "POST"])
def put_aside(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave the order as it is, with a reason."""
    _require_page(request)
    orders = visible(request.user, Order.objects.select_related("customer__unit", "tracer"))
    order = get_object_or_404(orders, pk=pk)
    if not may_put_aside(request.user, order):
        raise PermissionDenied
    return ask(
        request,
        ReasonForm(request.POST or None),
        partial(put_aside_booking_changes, actor=request.user, order_id=pk),
        title=_("Leave order %(number)s as it is") % {"number": order.pk},
        words=_(
            "The order keeps its amount. Bookings that it no longer fits wait to be ordered anew."
        ),
        back=reverse("tracershop:booking_changes"),
    )


def _require_page(request: HttpRequest) -> None:
    if not (can(request.user, ORDER_BOOKINGS) or can(request.user, SEE_ALL)):
        raise PermissionDenied


def _page(request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    _require_page(request)
    context = {
        "orders": changed_orders(request.user, timezone.now()),
        "refusal": refusal,
        "topic": BOOKINGS,
        "production": can(request.user, SEE_ALL),
    }
    name = "_changes.html" if request.htmx else "changes.html"  # type: ignore[attr-defined]
    status = 422 if refusal else 200
    return render(request, f"tracershop/bookings/{name}", context, status=status)
