"""The list of orders, for shop and production alike, and as an Excel file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

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
    Column,
    excel_head,
    excel_rows,
    orders_for,
    sort_of,
)

PAGE_SIZE = 50
_USUAL_DAYS = timedelta(days=30)


@require_GET
def orders(request: HttpRequest) -> HttpResponse:
    """Newest delivery first; without a filter, from a month ago on."""
    form = _filter(request)
    sort = sort_of(request.GET.get("sort", ""))
    shown = _shown(request)
    found = orders_for(request.user, **form.chosen(), sort=sort)
    context = {
        "form": form,
        "page": Paginator(found, PAGE_SIZE).get_page(request.GET.get("page")),
        "columns": [_head(column, sort) for column in COLUMNS if column.code in shown],
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
    found = orders_for(request.user, **chosen, sort=sort_of(request.GET.get("sort", "")))
    told = {name: str(value) for name, value in chosen.items()}
    name = f"{_('orders')}-{timezone.localdate():%Y-%m-%d}.xlsx"
    return workbook_response(
        name,
        excel_head(),
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


def _shown(request: HttpRequest) -> set[str]:
    asked = set(request.GET.getlist("column"))
    return {column.code for column in COLUMNS if not column.optional or column.code in asked}


def _head(column: Column, sort: str) -> dict[str, Any]:
    """A head cell: pressing it sorts by the column, pressing again the other way."""
    sorted_by = sort.removeprefix("-") == column.code
    down = sort.startswith("-")
    return {
        "column": column,
        "sort": column.code if not sorted_by or down else f"-{column.code}",
        "direction": ("descending" if down else "ascending") if sorted_by else "",
        "sortable": bool(column.sort),
    }
