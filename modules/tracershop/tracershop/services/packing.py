"""What forbids that orders leave in packages as somebody packed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from portal.records.errors import Refused
from tracershop.models import Order, Shipment, ShippedOrder
from tracershop.rules.decay import ActivityTooLargeError
from tracershop.rules.orders import OrderStatus
from tracershop.rules.transport import PackageFacts, PackageKind, package_obstacles
from tracershop.selectors.shipments import PackedOrder, contents_of
from tracershop.words import told


@dataclass(frozen=True)
class PackageSpec:
    """A package as somebody packed and measured it."""

    kind: PackageKind
    surface_msv_h: float
    at_1m_msv_h: float
    order_ids: frozenset[int]


def refuse_shipped(orders: Sequence[Order], shipment: Shipment | None) -> None:
    """An order is in one shipment at most: ``shipment`` is the one that is being packed anew."""
    lines = ShippedOrder.objects.filter(order__in=orders)
    if shipment is not None:
        lines = lines.exclude(shipment=shipment)
    elsewhere = [_is_shipped(line.order_id, line.shipment_id) for line in lines.order_by("order")]
    if elsewhere:
        raise Refused(_("Nothing is shipped."), code="not_shippable", details=elsewhere)


def _is_shipped(order: int, shipment: int) -> str:
    return str(
        _("Order %(number)s is in shipment %(shipment)s already.")
        % {"number": order, "shipment": shipment}
    )


def refuse_what_stands_against(
    orders: Sequence[PackedOrder], packages: Sequence[PackageSpec], ships_at: datetime
) -> None:
    """Refused (``not_shippable``, ``packages``) with every reason as a detail."""
    reasons = [str(reason) for order in orders for reason in _against(order, ships_at)]
    if len({(order.endpoint_id, order.deliver_on) for order in orders}) > 1:
        reasons.append(str(_("A shipment goes to one endpoint on one day.")))
    if len({order.is_human for order in orders}) > 1:
        reasons.append(str(_("Human and preclinical orders do not travel on the same papers.")))
    if reasons:
        raise Refused(_("Nothing is shipped."), code="not_shippable", details=reasons)
    by_key = {order.pk: order for order in orders}
    try:
        found = [
            told(obstacle)
            for number, package in enumerate(packages, start=1)
            for obstacle in package_obstacles(
                PackageFacts(
                    number=number,
                    kind=package.kind,
                    contents=contents_of([by_key[pk] for pk in package.order_ids], ships_at),
                    surface_msv_h=package.surface_msv_h,
                    at_1m_msv_h=package.at_1m_msv_h,
                )
            )
        ]
    except ActivityTooLargeError:
        found = [str(_("It leaves so long before the vials were filled that nothing is known."))]
    if found:
        raise Refused(_("Nothing is shipped."), code="packages", details=found)


def _against(order: PackedOrder, ships_at: datetime) -> list[str]:
    """What of an order forbids that it leaves then."""
    name = {"number": order.pk}
    reasons = []
    if order.status != OrderStatus.RELEASED:
        reasons.append(
            _("Order %(number)s is %(status)s, not released.")
            % {**name, "status": order.get_status_display()}
        )
    if not order.cargo:
        reasons.append(
            _("Order %(number)s has no vials: how much leaves with it is not known.") % name
        )
    if any(vial.filled_at > ships_at for vial in order.cargo):
        reasons.append(_("Order %(number)s was filled after it is said to leave.") % name)
    if any(vial.expires_at and vial.expires_at <= ships_at for vial in order.cargo):
        reasons.append(_("A vial of order %(number)s has expired when it leaves.") % name)
    return [str(reason) for reason in reasons]
