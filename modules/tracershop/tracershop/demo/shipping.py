"""What left in the demo: one shipment for each endpoint and delivery. The worker issues the papers,
as it does for a shipment whose maker was interrupted."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

from tracershop.models import Order
from tracershop.rules.transport import PackageKind
from tracershop.services.packing import PackageSpec
from tracershop.services.shipments import make_shipment

_BEFORE_DELIVERY = timedelta(minutes=30)
_CARRIER = "Isotoptransport Øst"
# of a lead pot in its box, as it comes out with a few GBq of F-18: mSv/h
_SURFACE, _AT_1M = 0.12, 0.004


def ship_released(actor: Any, orders: list[Order]) -> None:
    """Orders released by injections stay: what has no vials is used where it was made."""
    together: dict[Any, list[Order]] = defaultdict(list)
    for order in orders:
        if order.activity_mbq:
            together[order.endpoint_id, order.deliver_at, order.is_human].append(order)
    for (_endpoint, deliver_at, _human), group in together.items():
        make_shipment(
            actor=actor,
            packages=[
                PackageSpec(PackageKind.TYPE_A, _SURFACE, _AT_1M, frozenset({order.pk}))
                for order in group
            ],
            ships_at=deliver_at - _BEFORE_DELIVERY,
            carrier=_CARRIER,
        )
