"""What tests of production need: vials, accepted orders, a signer, people at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connections
from tracershop.models import Order, Vial
from tracershop.services.release import ReleaseRequest

from portal.signing.services import UnlockedKey, has_pin, unlock
from tests.support.signing import PIN, give_pin
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


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act gave, or the exception that it raised: all begun at the same moment, each in a
    thread and a database connection of its own."""
    barrier = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        try:
            barrier.wait(10)
            results[number] = act()
        except Exception as error:
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number, act)) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
