"""The order list: filtered, sorted, and as rows for Excel (TS-006)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext_lazy as _

from portal.access.decision import visible
from portal.operations.columns import Column, Columns
from tracershop.models import Customer, Order, Release, Tracer


def _lots(order: Order) -> str:
    return ", ".join(lot for release in order.releases_in_force for lot in release.lots)  # type: ignore[attr-defined]


def _ghost(order: Order) -> str:
    return str(_("yes")) if order.ghost else ""


COLUMNS = Columns(
    (
        Column("number", _("Number"), lambda order: order.pk, ("pk",)),
        Column("delivery", _("Delivery"), lambda order: order.deliver_at, ("deliver_at",)),
        Column("customer", _("Customer"), lambda order: order.customer.name, ("customer__name",)),
        Column("endpoint", _("Endpoint"), lambda order: order.endpoint.name, ("endpoint__name",)),
        Column("tracer", _("Tracer"), lambda order: order.tracer.name, ("tracer__name",)),
        Column(
            "activity", _("Activity"), lambda order: order.activity_mbq, ("activity_mbq",), "MBq"
        ),
        Column("injections", _("Injections"), lambda order: order.injections, ("injections",)),
        Column("use", _("Use"), lambda order: order.get_intended_use_display(), ("intended_use",)),
        Column("status", _("Status"), lambda order: order.get_status_display(), ("status",)),
        Column("lots", _("Batch"), _lots),
        Column(
            "ordered_by",
            _("Ordered by"),
            lambda order: str(order.ordered_by),
            ("ordered_by__name",),
            optional=True,
        ),
        Column(
            "ordered_at",
            _("Ordered at"),
            lambda order: order.created_at,
            ("created_at",),
            optional=True,
        ),
        Column(
            "ordered_for",
            _("Ordered for"),
            lambda order: order.moved_from_at,
            optional=True,
        ),
        Column("ghost", _("Ghost order"), _ghost, optional=True),
        Column("comment", _("Comment"), lambda order: order.comment, optional=True),
    ),
    begins_with="-delivery",
)


def orders_for(
    user: Any,
    *,
    first: date | None = None,
    last: date | None = None,
    customer: Customer | None = None,
    tracer: Tracer | None = None,
    status: str = "",
    sort: str = COLUMNS.begins_with,
) -> QuerySet[Order]:
    """The orders that the person sees, with all that a row shows; as many queries as columns need,
    however many rows."""
    given = {
        "deliver_on__gte": first,
        "deliver_on__lte": last,
        "customer": customer,
        "tracer": tracer,
        "status": status,
    }
    in_force = Release.objects.filter(corrected_at__isnull=True)
    return (
        visible(user, Order.objects.all())
        .filter(**{lookup: value for lookup, value in given.items() if value})
        .select_related("customer", "endpoint", "tracer", "ordered_by")
        .prefetch_related(Prefetch("releases", queryset=in_force, to_attr="releases_in_force"))
        .order_by(*COLUMNS.ordering(sort), "-pk" if sort.startswith("-") else "pk")
    )


def excel_rows(orders: QuerySet[Order]) -> Iterator[list[Any]]:
    """One row an order; read in portions, so that a year's list does not fill the memory."""
    for order in orders.iterator(chunk_size=2000):
        yield [column.cell(order) for column in COLUMNS]
