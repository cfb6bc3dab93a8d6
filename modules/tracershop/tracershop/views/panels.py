"""Tracershop on the home page."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone

from portal.access.decision import can, visible
from tracershop.models import Order
from tracershop.models.reach import SEE_ALL


def deliveries_today(request: HttpRequest) -> str | None:
    """What is delivered today, of the customers that the person may see."""
    today = timezone.localdate()
    orders = list(
        visible(request.user, Order.objects.filter(deliver_on=today))
        .select_related("endpoint", "tracer")
        .order_by("deliver_at", "pk")[:12]
    )
    context = {"orders": orders, "today": today, "production": can(request.user, SEE_ALL)}
    return render_to_string("tracershop/panels/deliveries.html", context, request)
