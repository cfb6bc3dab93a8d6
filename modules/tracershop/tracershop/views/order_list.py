"""The list of orders, for shop and production alike, and as an Excel file."""

from __future__ import annotations

from datetime import timedelta

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal.access.decision import can, require, visible
from portal.documents.spreadsheet import workbook_response
from tracershop.forms.order_list import OrderFilterForm
from tracershop.models import Customer, Tracer
from tracershop.models.reach import SEE_ALL, SEE_OWN
from tracershop.selectors.order_list import (
    COLUMNS,
    excel_rows,
    orders_for,
)

PAGE_SIZE = 50
_USUAL_DAYS = timedelta(days=30)


@require_GET
def orders(request: HttpRequest) -> HttpResponse:
    """Newest delivery first; without a filter, from a month ago on."""
    form = _filter(request)
    sort = COLUMNS.sort_of(request.GET.get("sort", ""))
    shown = COLUMNS.shown(request.GET.getlist("column"))
    found = orders_for(request.user, **form.chosen(), sort=sort)
    context = {
        "form": form,
        "page": Paginator(found, PAGE_SIZE).get_page(request.GET.get("page")),
        "columns": COLUMNS.heads(sort, shown),
        "optional": [(column, column.code in shown) for column in COLUMNS if column.optional],
        "shown": shown,
        "sort": sort,
        "filtered": bool(set(request.GET) & {"first", "last", "customer", "tracer", "status"}),
        "production": can(request.user, SEE_ALL),
    }
    return render(request, "tracershop/shop/orders.html", context)


@require_GET
def excel(request: HttpRequest) -> HttpResponse:
    """What the list shows on all its pages, with every column. Logged as an export."""
    form = _filter(request)
    chosen = form.chosen()
    found = orders_for(request.user, **chosen, sort=COLUMNS.sort_of(request.GET.get("sort", "")))
    told = {name: str(value) for name, value in chosen.items()}
    name = f"{_('orders')}-{timezone.localdate():%Y-%m-%d}.xlsx"
    return workbook_response(
        name,
        [column.title for column in COLUMNS],
        excel_rows(found),
        of=_("Orders"),
        facts={"filter": told, "orders": found.count()},
    )


def _filter(request: HttpRequest) -> OrderFilterForm:
    customers = visible(request.user, Customer.objects.order_by("name"))
    if not can(request.user, SEE_ALL) and not customers.exists():
        require(request.user, SEE_OWN)
    sent = request.GET.copy()
    if "first" not in sent:
        sent["first"] = f"{timezone.localdate() - _USUAL_DAYS:%Y-%m-%d}"
    return OrderFilterForm(
        sent,
        customers=customers,
        tracers=Tracer.objects.order_by("name"),
    )
