"""Orders that production adds without a shop's (TS-043)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import CatalogueEntry, ClosedDay, Order
from tracershop.services.ghosts import add_ghost_injections, add_ghost_order

from portal.audit.models import AuditEntry
from portal.records.errors import Refused
from portal.records.services import soft_delete
from tests.tracershop.factories import MONDAY, local, shop_world

pytestmark = pytest.mark.requirement("TS-043")
MORNING = local(MONDAY, 7)
"""Long after the deadline of the Friday before."""


@pytest.fixture
def world(db):
    return shop_world()


def ghost(world, **values) -> Order:
    given = {
        "actor": world.producer,
        "slot_id": world.slot_a.pk,
        "day": MONDAY,
        "activity_mbq": 700,
        "reason": "Asked for by telephone",
        "now": MORNING,
    }
    return add_ghost_order(**(given | values))


def injected(world, **values) -> Order:
    given = {
        "actor": world.producer,
        "endpoint_id": world.endpoint_a.pk,
        "tracer_id": world.water.pk,
        "inject_at": local(MONDAY, 10),
        "injections": 2,
        "reason": "Asked for by telephone",
        "now": MORNING,
    }
    return add_ghost_injections(**(given | values))


def code_of(act, world, **values) -> str:
    with pytest.raises(Refused) as refused:
        act(world, **values)
    return refused.value.code


def test_production_adds_an_order_past_the_deadline_marked_and_with_a_reason(world):
    order = ghost(world)
    assert (order.ghost, order.status, order.ordered_by) == (True, "ordered", world.producer)
    assert (order.activity_mbq, order.overhead_factor) == (700, 1.25)
    assert order.deliver_at == local(MONDAY, 8, 15)
    entry = AuditEntry.objects.get(action="tracershop.ghost_order_added")
    assert entry.reason == order.late_reason == "Asked for by telephone"


def test_injections_too(world):
    order = injected(world)
    assert (order.ghost, order.kind, order.injections) == (True, "injection", 2)
    assert order.customer == world.customer_a


def test_the_catalogue_and_the_weeks_plan_still_hold(world):
    assert code_of(ghost, world, day=MONDAY + timedelta(days=1)) == "no_such_slot"
    assert code_of(ghost, world, slot_id=10**9) == "gone"
    assert code_of(injected, world, injections=5) == "too_many_injections"
    assert code_of(injected, world, tracer_id=world.fdg.pk) == "gone", "not by injections"
    soft_delete(CatalogueEntry.objects.get(endpoint=world.endpoint_a, tracer=world.fdg))
    assert code_of(ghost, world) == "not_in_catalogue"
    assert not Order.objects.exists()


@pytest.mark.parametrize("amount", [0, -1, float("nan"), float("inf"), 10**8])
def test_an_amount_that_cannot_be_is_refused(world, amount):
    assert code_of(ghost, world, activity_mbq=amount) == "amount"


def test_a_reason_a_day_that_is_open_and_a_delivery_ahead(world):
    assert code_of(ghost, world, reason=" ") == "reason_needed"
    assert code_of(ghost, world, now=local(MONDAY, 8, 15)) == "past"
    assert code_of(injected, world, now=local(MONDAY, 10)) == "past"
    assert code_of(ghost, world, intended_use="party") == "use"
    ClosedDay.objects.create(day=MONDAY, name="Maintenance")
    assert code_of(ghost, world) == "closed_day"
    assert code_of(injected, world) == "closed_day"


def test_a_shop_adds_no_ghost_orders(world):
    for act in (ghost, injected):
        for person in (world.secretary, world.superuser, world.other_secretary):
            with pytest.raises((PermissionDenied, Refused)) as refused:
                act(world, actor=person)
            assert getattr(refused.value, "code", "gone") == "gone"
    assert not Order.objects.exists()
