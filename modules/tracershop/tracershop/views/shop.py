"""The shop: calendar, the chosen day's deliveries, and what is ordered there."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.access.decision import can, require
from tracershop.models import Customer, Order
from tracershop.models.reach import ORDER_BOOKINGS, PLACE, SEE_OWN
from tracershop.selectors.shop import customers_for, shop_day
from tracershop.selectors.topics import customer_topic
from tracershop.views.parameters import day_of

_REMEMBERED = "tracershop_customer"


@require_GET
def shop(request: HttpRequest) -> HttpResponse:
    """A day of one customer; htmx fetches the same without the frame."""
    customers, customer = chosen_customer(request)
    if customer is None:
        return represents_nobody(request)
    day, now = day_of(request), timezone.now()
    context = {
        "customers": customers,
        "customer": customer,
        "day": day,
        "today": timezone.localdate(),
        "now": now,
        "shop": shop_day(request.user, customer, day, now),
        "statuses": Order.Status.values,
        "topic": customer_topic(customer.pk),
        "may_repeat": can(request.user, PLACE, customer),
        "may_order_bookings": can(request.user, ORDER_BOOKINGS, customer),
        **_neighbours(day),
    }
    template = "tracershop/shop/_shop.html" if request.htmx else "tracershop/shop/shop.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def shop_url(day: date, customer_id: int) -> str:
    return f"{reverse('tracershop:shop')}?day={day:%Y-%m-%d}&customer={customer_id}"


def week_url(day: date, customer_id: int) -> str:
    return f"{reverse('tracershop:week')}?day={day:%Y-%m-%d}&customer={customer_id}"


def represents_nobody(request: HttpRequest) -> HttpResponse:
    """Who holds a role of the shop is told what to do; others have no business here."""
    require(request.user, SEE_OWN)
    return render(request, "tracershop/shop/no_customer.html")


def chosen_customer(request: HttpRequest) -> tuple[list[Customer], Customer | None]:
    """The customers one sees, and the one asked for, else the one looked at last; None without any.

    Another's does not exist (TS-006).
    """
    customers = customers_for(request.user)
    return customers, _chosen(request, customers) if customers else None


def _chosen(request: HttpRequest, customers: list[Customer]) -> Customer:
    by_key = {str(customer.pk): customer for customer in customers}
    if asked := request.GET.get("customer"):
        if asked not in by_key:
            raise Http404
        if request.session.get(_REMEMBERED) != asked:
            request.session[_REMEMBERED] = asked
        return by_key[asked]
    return by_key.get(request.session.get(_REMEMBERED, ""), customers[0])


def _neighbours(day: date) -> dict[str, Any]:
    """The same weekday a week before and after; a day of the months before and after."""
    return {
        "week_before": day - timedelta(days=7),
        "week_after": day + timedelta(days=7),
        "month_before": day.replace(day=1) - timedelta(days=1),
        "month_after": day.replace(day=28) + timedelta(days=4),
    }
