"""Changed bookings, automatic mappings, statistics: who reaches them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from tracershop.models import Order
from tracershop.selectors.booking_changes import fingerprint, recomputed_orders

from tests.authorisation.expectations import Row, pk_of, post
from tests.authorisation.tracershop_roles import EVERYBODY, INTERNAL, PRODUCTION, SUPERUSER


def _reason(objects: Any, person: Any) -> dict[str, Any]:
    return {"reason": "another patient"}


def _seen(objects: Any, person: Any) -> dict[str, Any]:
    order = Order.objects.select_related("tracer").get(pk=objects["changed"].pk)
    recomputed = recomputed_orders([order], timezone.now())[order.pk]
    return {"seen": fingerprint(order, recomputed)}


def _endpoint(objects: Any, person: Any) -> dict[str, Any]:
    return {"endpoint": objects["endpoint"].pk}


URLS: dict[str, Row] = {
    "tracershop:booking_changes": Row(INTERNAL | PRODUCTION),
    "tracershop:apply_booking_changes": post(
        INTERNAL | PRODUCTION, args=pk_of("changed"), data=_seen, exact=True
    ),
    "tracershop:put_aside_booking_changes": post(
        INTERNAL | PRODUCTION, args=pk_of("changed"), data=_reason, exact=True
    ),
    "tracershop:preview_mapping": Row(SUPERUSER, data=_endpoint),
    "tracershop:automatic_mapping": post(
        SUPERUSER, args=pk_of("procedure"), data=_reason, exact=True
    ),
    "tracershop:statistics": Row(EVERYBODY),
    "tracershop:statistics_excel": Row(EVERYBODY),
}
