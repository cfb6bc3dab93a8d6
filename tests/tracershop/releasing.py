"""What tests of production need: vials, accepted orders, a signer, people at the same moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tracershop.models import Order, Vial
from tracershop.services.release import ReleaseRequest

from portal.signing.services import UnlockedKey, has_pin, unlock
from tests.support.signing import PIN, give_pin
from tests.support.threads import at_once as at_once  # for those who take the rest from here
from tests.tracershop.factories import MONDAY, World, local, make_order

RELEASE_AT = local(MONDAY, 7, 30)
"""Three quarters of an hour before the delivery at ``slot_a``."""
LOT = "FDG-261123-1"


def make_vial(world: World, **values: Any) -> Vial:
    """A vial of FDG for customer_a, filled on MONDAY at 06:50: 2400 MBq, some 1417 at 08:15."""
    fields: dict[str, Any] = {
        "lot": LOT,
        "tracer": world.fdg,
        "customer": world.customer_a,
        "customer_label": "1-Nordby Hospital",
        "filled_at": local(MONDAY, 6, 50),
        "activity_mbq": 2400.0,
        "volume_ml": 3.5,
        "expires_at": local(MONDAY, 16, 50),
        "position": str(Vial.all_objects.count() + 1),
    }
    fields |= values
    # no two of a world are the same vial by accident
    fields["filled_at"] += timedelta(seconds=Vial.all_objects.count())
    return Vial.objects.create(**fields)


def accepted(world: World, **values: Any) -> Order:
    return make_order(world, **({"status": Order.Status.ACCEPTED} | values))


def signer(user: Any) -> UnlockedKey:
    """The person's key, opened; made where there is none."""
    if not has_pin(user):
        give_pin(user)
    return unlock(user, PIN)


def wanted(order: Order, *vials: Vial, lot: str = "", confirmed: Any = ()) -> ReleaseRequest:
    return ReleaseRequest(order.pk, frozenset(vial.pk for vial in vials), lot, frozenset(confirmed))
