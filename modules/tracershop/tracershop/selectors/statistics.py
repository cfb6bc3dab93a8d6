"""What was delivered: activity and injections per month, customer and tracer (TS-123)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, TruncMonth
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal.access.decision import visible
from portal.operations.charts import Series, StackedBars, stacked_bars
from tracershop.models import Customer, Order, Release, Tracer


@dataclass(frozen=True)
class DeliveredRow:
    """A customer's deliveries of one tracer in one month."""

    month: date
    """Its first day."""
    customer: str
    tracer: str
    orders: int
    delivered_mbq: float
    injections: int


def delivered(
    user: Any,
    *,
    first: date | None = None,
    last: date | None = None,
    customer: Customer | None = None,
    tracer: Tracer | None = None,
) -> list[DeliveredRow]:
    """Released orders by the day of delivery on the site's calendar; one query, summed there.

    A release that was corrected does not count. The activity is what the vials had at the delivery;
    of a release that names its lots only, what was ordered. Injection orders are counted in
    injections, not in MBq.
    """
    given = {
        "order__deliver_on__gte": first,
        "order__deliver_on__lte": last,
        "order__customer": customer,
        "order__tracer": tracer,
    }
    by_activity = ~Q(order__kind=Order.Kind.INJECTION)
    rows = (
        visible(user, Release.objects.all())
        .filter(
            corrected_at__isnull=True,
            order__status=Order.Status.RELEASED,
            order__deleted_at__isnull=True,
            **{lookup: value for lookup, value in given.items() if value},
        )
        .order_by()
        .values(
            month=TruncMonth("order__deliver_on"),
            to=F("order__customer__name"),
            what=F("order__tracer__name"),
        )
        .annotate(
            orders=Count("pk"),
            mbq=Sum(Coalesce("delivered_mbq", "order__activity_mbq"), filter=by_activity),
            injections=Sum("order__injections"),
        )
        .order_by("month", "to", "what")
    )
    return [
        DeliveredRow(
            row["month"],
            row["to"],
            row["what"],
            row["orders"],
            row["mbq"] or 0.0,
            row["injections"] or 0,
        )
        for row in rows
    ]


def totals(rows: Sequence[DeliveredRow]) -> DeliveredRow | None:
    """All of it together; None of nothing."""
    if not rows:
        return None
    return DeliveredRow(
        month=rows[0].month,
        customer="",
        tracer="",
        orders=sum(row.orders for row in rows),
        delivered_mbq=sum(row.delivered_mbq for row in rows),
        injections=sum(row.injections for row in rows),
    )


def charts(rows: Sequence[DeliveredRow], *, by_customer: bool) -> list[StackedBars]:
    """A chart of the activity and one of the injections, each only where there are any."""
    name: Callable[[DeliveredRow], str] = (
        (lambda row: row.customer) if by_customer else (lambda row: row.tracer)
    )
    part = _("by customer") if by_customer else _("by tracer")
    drawn = [
        _chart(_("Delivered activity, %(part)s"), part, "MBq", rows, name, _mbq),
        _chart(_("Delivered injections, %(part)s"), part, _("injections"), rows, name, _injections),
    ]
    return [chart for chart in drawn if chart is not None]


def _mbq(row: DeliveredRow) -> float:
    return row.delivered_mbq


def _injections(row: DeliveredRow) -> float:
    return row.injections


def _chart(
    title: str,
    part: str,
    unit: str,
    rows: Sequence[DeliveredRow],
    name: Callable[[DeliveredRow], str],
    value: Callable[[DeliveredRow], float],
) -> StackedBars | None:
    months = _months(rows)
    amounts: dict[str, list[float]] = {}
    for row in rows:
        column = amounts.setdefault(name(row), [0.0] * len(months))
        column[months.index(row.month)] += value(row)
    return stacked_bars(
        title=title % {"part": part},
        description=_("One column a month, %(part)s. The table below has the figures.")
        % {"part": part},
        unit=unit,
        columns=[date_format(month, "M y") for month in months],
        series=[Series(each, values) for each, values in amounts.items()],
    )


def _months(rows: Sequence[DeliveredRow]) -> list[date]:
    """Every month from the first to the last, also those without a delivery."""
    if not rows:
        return []
    months = [min(row.month for row in rows)]
    last = max(row.month for row in rows)
    while months[-1] < last:
        year, month = divmod(months[-1].year * 12 + months[-1].month, 12)
        months.append(date(year, month + 1, 1))
    return months
