"""Shipments: released orders that leave together in packages, and the act that issues their papers.

Orders are always locked before their shipment, so that a correction of a release (which holds its
order) and a shipment never wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.audit.services import record
from portal.documents.models import IssuedDocument
from portal.documents.services import supersede_documents
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.services import check_version, locked, soft_delete, writes
from tracershop.models import Order, Package, Shipment, ShippedOrder
from tracershop.models.reach import ACCEPT
from tracershop.rules.orders import OrderStatus
from tracershop.rules.transport import PackageKind, category, transport_index
from tracershop.selectors.shipments import Cargo, PackedOrder, cargo_of, with_vials
from tracershop.selectors.topics import customer_topic, day_topic
from tracershop.services.packing import (
    PackageSpec,
    refuse_shipped,
    refuse_what_stands_against,
)
from tracershop.services.papers import issue_delivery_note, issue_transport_document
from tracershop.services.production import locked_orders


@writes
def make_shipment(
    *,
    actor: Any,
    packages: Sequence[PackageSpec],
    ships_at: datetime,
    carrier: str = "",
) -> Shipment:
    """Ship the orders that are in the packages.

    Refused, with every reason as a detail: ``not_shippable`` (an order is not released, has no
    vials, is packed twice or in another shipment; not one endpoint, day and use; leaves before it
    was filled or after it expired), ``packages`` (over a limit of ADR, or measured beyond what its
    category allows).
    """
    orders = _hold(actor, _order_ids(packages))
    refuse_shipped(orders, None)
    refuse_what_stands_against(orders, packages, ships_at)
    shipment = Shipment.objects.create(
        customer=orders[0].customer,
        endpoint=orders[0].endpoint,
        ships_at=ships_at,
        carrier=carrier.strip(),
        made_by=actor,
    )
    _load(shipment, orders, packages)
    record("tracershop.shipment_made", shipment, data=_told(shipment, packages))
    _announce(orders, shipment, "shipped")
    return shipment


@writes
def change_shipment(
    *,
    actor: Any,
    shipment_id: int,
    expected_version: int | None,
    packages: Sequence[PackageSpec],
    ships_at: datetime,
    carrier: str,
    reason: str,
) -> Shipment:
    """Pack anew: other orders of the same endpoint and day, other packages, another time.

    Papers that were issued are out of force from here on, for they say otherwise; they stay as they
    are. Refused as :func:`make_shipment`; StaleRecord where somebody changed it since it was read.
    """
    if not reason.strip():
        raise Refused(_("Changing a shipment needs a reason."), code="reason_needed")
    lines = _lines(actor, shipment_id)
    wanted = _order_ids(packages)
    held = _hold(actor, {line.order_id for line in lines} | wanted)
    shipment = _locked_shipment(actor, shipment_id, lines)
    sent = {"ships_at": ships_at, "carrier": carrier.strip()}
    check_version(shipment, expected_version, sent)
    orders = [order for order in held if order.pk in wanted]
    refuse_shipped(orders, shipment)
    refuse_what_stands_against(orders, packages, ships_at)
    if orders[0].endpoint_id != shipment.endpoint_id:
        raise Refused(_("A shipment keeps its endpoint: make another one."), code="not_shippable")
    before = _told(shipment, ())
    _unload(shipment)
    shipment.ships_at, shipment.carrier = ships_at, carrier.strip()
    shipment.save()
    _load(shipment, orders, packages)
    supersede_documents(shipment, reason)
    data = {"before": before, "after": _told(shipment, packages)}
    record("tracershop.shipment_changed", shipment, data=data)
    _announce(held, shipment, "shipped")
    return shipment


@writes
def discard_shipment(*, actor: Any, shipment_id: int, reason: str) -> Shipment:
    """It does not leave: its orders can be shipped otherwise, its papers are out of force."""
    if not reason.strip():
        raise Refused(_("Discarding a shipment needs a reason."), code="reason_needed")
    lines = _lines(actor, shipment_id)
    orders = _hold(actor, {line.order_id for line in lines})
    shipment = _locked_shipment(actor, shipment_id, lines)
    _unload(shipment)
    soft_delete(shipment)
    supersede_documents(shipment, reason)
    record("tracershop.shipment_discarded", shipment, data=_told(shipment, ()))
    _announce(orders, shipment, "unshipped")
    return shipment


@writes
def issue_papers(*, actor: Any, shipment_id: int) -> list[IssuedDocument]:
    """Delivery note and transport document of what the shipment is now, both or neither.

    Issued before and nothing changed since: those that there are. Refused: ``taken_back`` (the
    release of an order was corrected), ``packages`` as above (a half-life may have been changed
    since), and what the papers themselves refuse.
    """
    lines = _lines(actor, shipment_id)
    orders = _hold(actor, {line.order_id for line in lines})
    shipment = _locked_shipment(actor, shipment_id, lines)
    cargo = cargo_of(shipment)
    if cargo.taken_back:
        raise Refused(
            _("No papers are issued: the shipment has to be packed anew."),
            code="taken_back",
            details=[
                _("Order %(number)s is %(status)s, not released.")
                % {"number": order.pk, "status": order.get_status_display()}
                for order in cargo.taken_back
            ],
        )
    refuse_what_stands_against(cargo.orders, _specs(cargo), shipment.ships_at)
    issued = [
        issue_delivery_note(actor=actor, cargo=cargo),
        issue_transport_document(actor=actor, cargo=cargo),
    ]
    _announce(orders, shipment, "papers")
    return issued


def withdraw_papers(order: Order, reason: str) -> Shipment | None:
    """The release of a (locked) order is taken back: the papers of the shipment that it is in no
    longer stand. For the service that corrects a release, in its transaction."""
    line = ShippedOrder.objects.filter(order=order).first()
    if line is None:
        return None
    shipment = locked(Shipment.all_objects.all(), line.shipment_id)
    supersede_documents(shipment, reason)
    _announce([order], shipment, "papers")
    return shipment


def shipments_without_papers(*, before: datetime) -> list[int]:
    """Keys of shipments made before a time that never had papers: whoever made them was
    interrupted, or the demo did. One that waits for a person (an order was taken back) is left."""
    papers = IssuedDocument.objects.filter(
        object_type=Shipment._meta.label_lower,  # noqa: SLF001
        object_id=OuterRef("key"),
    )
    taken_back = ShippedOrder.objects.filter(shipment=OuterRef("pk")).exclude(
        order__status=OrderStatus.RELEASED
    )
    waiting = Shipment.objects.filter(made_at__lt=before).annotate(key=Cast("pk", CharField()))
    waiting = waiting.exclude(Exists(papers)).exclude(Exists(taken_back))
    return list(waiting.order_by("pk").values_list("pk", flat=True))


# --- holding ---------------------------------------------------------------------------------


def _order_ids(packages: Sequence[PackageSpec]) -> set[int]:
    packed = [pk for package in packages for pk in package.order_ids]
    if not packed:
        raise Refused(_("Nothing is packed."), code="not_shippable")
    if len(packed) != len(set(packed)):
        raise Refused(_("An order is packed twice."), code="not_shippable")
    return set(packed)


def _hold(actor: Any, order_ids: Collection[int]) -> list[PackedOrder]:
    orders = locked_orders(actor, order_ids)
    for order in orders:
        require(actor, ACCEPT, order)
    return with_vials(orders)


def _lines(actor: Any, shipment_id: int) -> list[ShippedOrder]:
    seen = visible(actor, Shipment.objects.all(), ACCEPT)
    lines = list(ShippedOrder.objects.filter(shipment__in=seen, shipment=shipment_id))
    if not lines:
        raise Refused(_("This shipment does not exist (any more)."), code="gone")
    return lines


def _locked_shipment(actor: Any, shipment_id: int, lines: list[ShippedOrder]) -> Shipment:
    shipment = locked(
        visible(actor, Shipment.objects.all(), ACCEPT).select_related("customer", "endpoint"),
        shipment_id,
    )
    now = ShippedOrder.objects.filter(shipment=shipment).values_list("pk", flat=True)
    if set(now) != {line.pk for line in lines}:
        raise Refused(_("Somebody packed this shipment anew just now."), code="gone")
    return shipment


# --- packing ---------------------------------------------------------------------------------


def _load(shipment: Shipment, orders: Sequence[Order], packages: Sequence[PackageSpec]) -> None:
    try:
        with transaction.atomic():
            for order in orders:
                ShippedOrder.objects.create(shipment=shipment, order=order)
                record("tracershop.order_shipped", order, data={"shipment": shipment.pk})
    except IntegrityError:  # what holds the orders' locks did not pack them; somebody else did
        raise Refused(
            _("Somebody else shipped one of these orders just now."), code="not_shippable"
        ) from None
    for number, package in enumerate(packages, start=1):
        index = transport_index(package.at_1m_msv_h)
        excepted = package.kind is PackageKind.EXCEPTED
        Package.objects.create(
            shipment=shipment,
            number=number,
            orders=sorted(package.order_ids),
            kind=package.kind,
            surface_msv_h=package.surface_msv_h,
            at_1m_msv_h=package.at_1m_msv_h,
            transport_index=None if excepted else index,
            category="" if excepted else category(index, package.surface_msv_h),
        )


def _unload(shipment: Shipment) -> None:
    for row in [*ShippedOrder.objects.filter(shipment=shipment).order_by("pk")]:
        soft_delete(row)
    for row in Package.objects.filter(shipment=shipment).order_by("pk"):
        soft_delete(row)


def _specs(cargo: Cargo) -> list[PackageSpec]:
    return [
        PackageSpec(
            PackageKind(package.kind),
            package.surface_msv_h,
            package.at_1m_msv_h,
            frozenset(package.orders),
        )
        for package in cargo.packages
    ]


def _told(shipment: Shipment, packages: Sequence[PackageSpec]) -> dict[str, Any]:
    """A shipment for the audit trail."""
    return {
        "endpoint": str(shipment.endpoint),
        "ships_at": shipment.ships_at.isoformat(),
        "carrier": shipment.carrier,
        "packages": [
            {
                "kind": str(package.kind),
                "orders": sorted(package.order_ids),
                "surface_msv_h": package.surface_msv_h,
                "at_1m_msv_h": package.at_1m_msv_h,
            }
            for package in packages
        ],
    }


def _announce(orders: Sequence[Order], shipment: Shipment, what: str) -> None:
    for day in {order.deliver_on for order in orders}:
        publish(day_topic(day), what, shipment.pk)
    publish(customer_topic(shipment.customer_id), what, shipment.pk)
