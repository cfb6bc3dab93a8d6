"""The order list: filtered, sorted, and as rows for Excel (TS-006)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext_lazy as _

from portal.access.decision import visible
from tracershop.models import Customer, Order, Release, Tracer


@dataclass(frozen=True)
class Column:
    """A column of the list: how it is called, sorted, and written into Excel."""

    code: str
    label: Any
    sort: tuple[str, ...]
    cell: Callable[[Order], Any]
    unit: str = ""
    optional: bool = False
    """Shown only when asked for."""


def _lots(order: Order) -> str:
    return ", ".join(lot for release in order.releases_in_force for lot in release.lots)  # type: ignore[attr-defined]


def _ghost(order: Order) -> str:
    return str(_("yes")) if order.ghost else ""


COLUMNS = (
    Column("number", _("Number"), ("pk",), lambda order: order.pk),
    Column("delivery", _("Delivery"), ("deliver_at",), lambda order: order.deliver_at),
    Column("customer", _("Customer"), ("customer__name",), lambda order: order.customer.name),
    Column("endpoint", _("Endpoint"), ("endpoint__name",), lambda order: order.endpoint.name),
    Column("tracer", _("Tracer"), ("tracer__name",), lambda order: order.tracer.name),
    Column("activity", _("Activity"), ("activity_mbq",), lambda order: order.activity_mbq, "MBq"),
    Column("injections", _("Injections"), ("injections",), lambda order: order.injections),
    Column("use", _("Use"), ("intended_use",), lambda order: order.get_intended_use_display()),
    Column("status", _("Status"), ("status",), lambda order: order.get_status_display()),
    Column("lots", _("Batch"), (), _lots),
    Column(
        "ordered_by",
        _("Ordered by"),
        ("ordered_by__name",),
        lambda order: str(order.ordered_by),
        optional=True,
    ),
    Column(
        "ordered_at",
        _("Ordered at"),
        ("created_at",),
        lambda order: order.created_at,
        optional=True,
    ),
    Column(
        "ordered_for",
        _("Ordered for"),
        (),
        lambda order: order.moved_from_at,
        optional=True,
    ),
    Column("ghost", _("Ghost order"), (), _ghost, optional=True),
    Column("comment", _("Comment"), (), lambda order: order.comment, optional=True),
)
_SORTS = {column.code: column.sort for column in COLUMNS if column.sort}
DEFAULT_SORT = "-delivery"


def orders_for(
    user: Any,
    *,
    first: date | None = None,
    last: date | None = None,
    customer: Customer | None = None,
    tracer: Tracer | None = None,
    status: str = "",
    sort: str = DEFAULT_SORT,
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
        .order_by(*_ordering(sort))
    )


def sort_of(text: str) -> str:
    """A sort that exists: a column's code, with ``-`` downwards."""
    return text if text.removeprefix("-") in _SORTS else DEFAULT_SORT


def _ordering(sort: str) -> list[str]:
    down = "-" if sort.startswith("-") else ""
    return [f"{down}{name}" for name in _SORTS[sort.removeprefix("-")]] + [f"{down}pk"]


def excel_head() -> list[str]:
    return [
        f"{column.label} ({column.unit})" if column.unit else str(column.label)
        for column in COLUMNS
    ]


def excel_rows(orders: QuerySet[Order]) -> Iterator[list[Any]]:
    """One row an order; read in portions, so that a year's list does not fill the memory."""
    for order in orders.iterator(chunk_size=2000):
        yield [column.cell(order) for column in COLUMNS]
