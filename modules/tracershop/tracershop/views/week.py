"""The shop's week, and copying the week before."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from portal.access.decision import can
from portal.records.errors import Refused
from tracershop.models import Customer, Order
from tracershop.models.reach import PLACE
from tracershop.selectors.copying import copy_plan
from tracershop.selectors.shop import orders_on_behalf
from tracershop.selectors.topics import customer_topic
from tracershop.selectors.week import monday_of, shop_week
from tracershop.services.copying import copy_last_week
from tracershop.views.parameters import day_of
from tracershop.views.shop import chosen_customer, represents_nobody, week_url

ONE_WEEK = timedelta(days=7)
_MOST_ORDERS = 500


@require_GET
def week(request: HttpRequest) -> HttpResponse:
    """A week of one customer; htmx fetches the same without the frame."""
    customers, customer = chosen_customer(request)
    if customer is None:
        return represents_nobody(request)
    day, now = day_of(request), timezone.now()
    monday = monday_of(day)
    context = {
        "customers": customers,
        "customer": customer,
        "day": day,
        "today": timezone.localdate(),
        "week": shop_week(request.user, customer, day, now),
        "topic": customer_topic(customer.pk),
        "statuses": Order.Status.values,
        "week_before": monday - ONE_WEEK,
        "week_after": monday + ONE_WEEK,
    }
    template = "_week.html" if request.htmx else "week.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/shop/{template}", context)


@require_http_methods(["GET", "POST"])
def copy(request: HttpRequest) -> HttpResponse:
    """What copying the week before would order, ticked; confirmed, it is ordered."""
    customer = chosen_customer(request)[1]
    if customer is None:
        return represents_nobody(request)
    if not can(request.user, PLACE, customer) and not orders_on_behalf(request.user, customer):
        raise PermissionDenied
    monday = monday_of(day_of(request))
    if request.method != "POST":
        return _preview(request, customer, monday)
    ticked = request.POST.getlist("order")
    if len(ticked) > _MOST_ORDERS:
        raise Http404
    try:
        orders = copy_last_week(
            actor=request.user, customer_id=customer.pk, monday=monday, seals=ticked
        )
    except Refused as refusal:
        return _preview(request, customer, monday, ticked=ticked, refusal=refusal)
    text = ngettext("%(n)s order is placed.", "%(n)s orders are placed.", len(orders))
    messages.success(request, text % {"n": len(orders)})
    return redirect(week_url(monday, customer.pk))


def _preview(
    request: HttpRequest,
    customer: Customer,
    monday: date,
    *,
    ticked: list[str] | None = None,
    refusal: Refused | None = None,
) -> HttpResponse:
    """At first all that goes is ticked; after a refusal what was ticked and still goes."""
    plan = copy_plan(request.user, customer, monday, timezone.now())
    context: dict[str, Any] = {
        "customer": customer,
        "plan": plan,
        "ticked": [line.seal for line in plan.going if ticked is None or line.seal in ticked],
        "monday": monday,
        "before": monday - ONE_WEEK,
        "back": week_url(monday, customer.pk),
        "refusal": refusal,
    }
    status = 422 if refusal else 200
    return render(request, "tracershop/shop/copy.html", context, status=status)
