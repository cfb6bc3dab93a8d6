"""What was delivered, as a chart, a table and an Excel file (TS-123)."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal.access.decision import can, require, visible
from portal.documents.spreadsheet import workbook_response
from tracershop.forms.statistics import StatisticsForm
from tracershop.models import Customer, Tracer
from tracershop.models.reach import SEE_ALL, SEE_OWN
from tracershop.selectors.statistics import charts, delivered, totals


@require_GET
def statistics(request: HttpRequest) -> HttpResponse:
    """Without a filter the last twelve months."""
    form = _filter(request)
    rows = delivered(request.user, **form.chosen())
    context = {
        "form": form,
        "rows": rows,
        "total": totals(rows),
        "charts": charts(rows, by_customer=form.by_customer),
        "filtered": bool(set(request.GET) & {"first", "last", "customer", "tracer"}),
        "production": can(request.user, SEE_ALL),
    }
    return render(request, "tracershop/statistics/statistics.html", context)


@require_GET
def excel(request: HttpRequest) -> HttpResponse:
    """The table as it is filtered. Logged as an export."""
    chosen = _filter(request).chosen()
    rows = delivered(request.user, **chosen)
    head = [
        _("Month"),
        _("Customer"),
        _("Tracer"),
        _("Orders"),
        _("Delivered (MBq)"),
        _("Injections"),
    ]
    return workbook_response(
        f"{_('statistics')}-{timezone.localdate():%Y-%m-%d}.xlsx",
        head,
        (
            [
                f"{row.month:%Y-%m}",
                row.customer,
                row.tracer,
                row.orders,
                round(row.delivered_mbq, 1),
                row.injections,
            ]
            for row in rows
        ),
        of=_("Statistics"),
        facts={"filter": {name: str(value) for name, value in chosen.items()}, "rows": len(rows)},
    )


def _filter(request: HttpRequest) -> StatisticsForm:
    customers = visible(request.user, Customer.objects.order_by("name"))
    if not can(request.user, SEE_ALL) and not customers.exists():
        require(request.user, SEE_OWN)
    sent: Any = request.GET.copy()
    if "first" not in sent:
        sent["first"] = f"{_a_year_back(timezone.localdate()):%Y-%m-%d}"
    return StatisticsForm(sent, customers=customers, tracers=Tracer.objects.order_by("name"))


def _a_year_back(today: date) -> date:
    """The first day of the month after this one, a year ago: twelve months with this one."""
    year, month = divmod(today.year * 12 + today.month - 12, 12)
    return date(year, month + 1, 1)
