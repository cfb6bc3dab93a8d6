"""Copying the week before: as it was shown, all or nothing, never twice."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tracershop.models import (
    CatalogueEntry,
    ClosedDay,
    DeliverySlot,
    Order,
    OrderDeadline,
    ProductionRun,
    Tracer,
)
from tracershop.selectors.copying import copy_plan
from tracershop.services.copying import copy_last_week
from tracershop.services.ordering import delete_order, edit_order
from tracershop.services.standing import repeat_activity

from portal.audit.models import AuditEntry
from portal.records.errors import Refused
from portal.records.services import soft_delete
from tests.support.threads import at_once
from tests.tracershop.factories import MONDAY, NOW, local, make_order, shop_world

pytestmark = pytest.mark.django_db

WEEK = timedelta(weeks=1)
BEFORE = MONDAY - WEEK


@pytest.fixture
def world(db):
    return shop_world()


def plan_of(world, user=None, now=NOW):
    return copy_plan(user or world.secretary, world.customer_a, MONDAY, now)


def seals(plan):
    return [line.seal for line in plan.going]


def copy(world, ticked, **values):
    fields = {
        "actor": world.secretary,
        "customer_id": world.customer_a.pk,
        "monday": MONDAY,
        "seals": ticked,
        "now": NOW,
    }
    return copy_last_week(**(fields | values))


def refused(act, *args, **values):
    with pytest.raises(Refused) as refusal:
        act(*args, **values)
    return refusal.value


def why(plan):
    return [line.copy.obstacle and line.copy.obstacle.code.value for line in plan.lines]


@pytest.mark.requirement("TS-008")
def test_what_is_ticked_is_ordered_a_week_later_as_it_was(world):
    fdg = make_order(world, day=BEFORE, comment="mice", intended_use="animal", activity_mbq=750.0)
    water = make_order(world, day=BEFORE, injections=3)
    make_order(world, day=BEFORE + timedelta(days=1), slot=world.slots_a[1])
    plan = plan_of(world)
    ticked = [line.seal for line in plan.going if line.order.pk in {fdg.pk, water.pk}]

    orders = copy(world, ticked)

    new = {order.kind: order for order in orders}
    assert set(new) == {"activity", "injection"}
    assert (new["activity"].activity_mbq, new["activity"].intended_use) == (750.0, "animal")
    assert (new["activity"].comment, new["activity"].overhead_factor) == ("mice", 1.25)
    assert new["activity"].deliver_at == local(MONDAY, 8, 15)
    assert (new["injection"].injections, new["injection"].deliver_at) == (3, local(MONDAY, 10))
    assert {order.ordered_by for order in orders} == {world.secretary}
    assert {order.status for order in orders} == {"ordered"}
    entry = AuditEntry.objects.get(action="tracershop.week_copied")
    assert entry.data["orders"] == [order.pk for order in orders]


@pytest.mark.requirement("TS-008", "TS-003")
def test_bare_isotopes_are_copied_like_activity(world):
    isotope = Tracer.objects.create(
        name="F-18 fluoride",
        isotope=world.fdg.isotope,
        kind=Tracer.Kind.ISOTOPE,
        lot_prefix="NAF",
        max_vial_mbq=50_000,
    )
    run = ProductionRun.objects.create(tracer=isotope, weekday=0, ends_at=time(6))
    slot = DeliverySlot.objects.create(
        endpoint=world.endpoint_a, run=run, weekday=0, deliver_time=time(9)
    )
    CatalogueEntry.objects.create(endpoint=world.endpoint_a, tracer=isotope)
    make_order(world, day=BEFORE, slot=slot, kind=Order.Kind.ISOTOPE)
    assert why(plan_of(world)) == ["no_deadline"]
    OrderDeadline.objects.create(order_kind="isotope", kind="daily", at=time(12))

    (order,) = copy(world, seals(plan_of(world)))

    assert (order.kind, order.activity_mbq) == ("isotope", 1000.0)


@pytest.mark.requirement("TS-008")
def test_confirmed_twice_it_is_ordered_once(world):
    make_order(world, day=BEFORE)
    ticked = seals(plan_of(world))
    copy(world, ticked)

    refusal = refused(copy, world, ticked)

    assert refusal.code == "unplaced"
    assert "ordered already" in refusal.details[0]
    assert Order.objects.filter(deliver_on=MONDAY).count() == 1
    assert plan_of(world).going == []


@pytest.mark.requirement("TS-008")
@pytest.mark.django_db(transaction=True)
def test_two_people_copying_at_once_order_once(transactional_db):
    world = shop_world()
    # two alike: each of the two people ticks one of them
    make_order(world, day=BEFORE)
    make_order(world, day=BEFORE)
    make_order(world, day=MONDAY)
    plan = plan_of(world)
    assert why(plan) == ["already_ordered", None]

    results = at_once(
        lambda: copy(world, seals(plan)),
        lambda: copy(world, seals(plan), actor=world.superuser),
    )

    assert [each.code for each in results if isinstance(each, Refused)] == ["unplaced"]
    assert Order.objects.filter(deliver_on=MONDAY).count() == 2


@pytest.mark.requirement("TS-008", "TS-004")
def test_a_deadline_that_passes_between_preview_and_confirmation_orders_nothing(world):
    make_order(world, day=BEFORE)
    make_order(world, day=BEFORE + timedelta(days=1), slot=world.slots_a[1])
    ticked = seals(plan_of(world))
    assert len(ticked) == 2

    refusal = refused(copy, world, ticked, now=local(MONDAY - timedelta(days=3), 13))

    assert refusal.code == "unplaced"
    assert len(refusal.details) == 1
    assert "The deadline was" in refusal.details[0]
    assert not Order.objects.filter(deliver_on__gte=MONDAY).exists()
    tuesday = seals(plan_of(world, now=local(MONDAY - timedelta(days=3), 13)))
    assert len(copy(world, tuesday, now=local(MONDAY - timedelta(days=3), 13))) == 1


@pytest.mark.requirement("TS-008")
@pytest.mark.parametrize("change", ["amount", "time", "deleted"])
def test_what_is_not_as_it_was_shown_is_not_ordered_unseen(world, change):
    later = local(BEFORE - timedelta(days=4), 8)  # before the deadline of what is copied
    order = make_order(world, day=BEFORE)
    ticked = seals(plan_of(world))
    if change == "amount":
        edit_order(
            actor=world.secretary,
            order_id=order.pk,
            expected_version=order.version,
            activity_mbq=5000.0,
            now=later,
        )
    elif change == "time":
        world.slot_a.deliver_time = time(8, 45)
        world.slot_a.save()
    else:
        delete_order(actor=world.secretary, order_id=order.pk, now=later)

    assert refused(copy, world, ticked).code == "changed"
    assert not Order.objects.filter(deliver_on=MONDAY).exists()


@pytest.mark.requirement("TS-008")
def test_nothing_ticked_is_nothing_ordered(world):
    make_order(world, day=BEFORE)

    assert refused(copy, world, []).code == "nothing"
    assert refused(copy, world, ["1.1.1"]).code == "changed"


@pytest.mark.requirement("TS-008")
def test_what_does_not_go_says_why(world):
    ClosedDay.objects.create(day=MONDAY + timedelta(days=1), name="Maintenance")
    make_order(world, day=BEFORE)
    make_order(world, day=BEFORE + timedelta(days=1), slot=world.slots_a[1])
    make_order(world, day=BEFORE + timedelta(days=2), slot=world.slots_a[2], status="rejected")
    make_order(world, day=BEFORE + timedelta(days=3), slot=world.slots_a[3], ghost=True)
    make_order(world, day=BEFORE + timedelta(days=4), injections=4)
    soft_delete(CatalogueEntry.objects.get(endpoint=world.endpoint_a, tracer=world.water))

    plan = plan_of(world)

    assert why(plan) == [None, "closed_day", "rejected", "ghost", "not_in_catalogue"]
    assert all(line.reason for line in plan.staying)


@pytest.mark.requirement("TS-008")
def test_a_standing_orders_orders_are_left_to_it_until_it_ends(world):
    friday_before = NOW - WEEK
    standing = repeat_activity(
        actor=world.secretary,
        slot_id=world.slot_a.pk,
        activity_mbq=800.0,
        starts_on=BEFORE,
        now=friday_before,
    ).standing
    assert why(plan_of(world)) == ["standing"]
    standing.refresh_from_db()
    standing.ends_on = BEFORE
    standing.save()

    assert why(plan_of(world)) == ["already_ordered"]
    soft_delete(Order.objects.get(deliver_on=MONDAY))
    assert why(plan_of(world)) == [None]


@pytest.mark.requirement("TS-008", "TS-042")
def test_an_order_that_production_moved_is_copied_to_where_it_was_ordered(world):
    make_order(
        world,
        day=BEFORE,
        moved_from_slot=world.slot_a_late,
        moved_from_at=local(BEFORE, 11, 30),
    )

    (order,) = copy(world, seals(plan_of(world)))

    assert (order.slot, order.deliver_at) == (world.slot_a_late, local(MONDAY, 11, 30))
    assert order.moved_from_at is None


@pytest.mark.requirement("TS-006", "TS-008")
def test_another_customers_week_is_as_if_it_were_not_there(world):
    make_order(world, slot=world.slot_b, day=BEFORE)
    theirs = copy_plan(world.other_secretary, world.customer_b, MONDAY, NOW)
    assert len(theirs.going) == 1

    assert copy_plan(world.secretary, world.customer_b, MONDAY, NOW).lines == []
    of_b = {"customer_id": world.customer_b.pk}
    assert refused(copy, world, seals(theirs), **of_b).code == "gone"
    # nor by way of one's own customer
    assert refused(copy, world, seals(theirs)).code == "changed"
    assert not Order.objects.filter(deliver_on=MONDAY).exists()
    assert len(copy(world, seals(theirs), actor=world.external, **of_b)) == 1


@pytest.mark.requirement("TS-006", "TS-101")
def test_an_exception_to_look_is_no_right_to_copy(world):
    from guardian.shortcuts import assign_perm

    from tests.support.factories import make_user

    make_order(world, day=BEFORE)
    looker = make_user("Ditte Holm")
    assign_perm("tracershop.see_own_orders", looker, world.customer_a)

    with pytest.raises(PermissionDenied):
        copy(world, seals(plan_of(world)), actor=looker)


@pytest.mark.requirement("TS-004", "TS-008")
def test_production_copies_on_a_customers_behalf_but_not_late(world):
    make_order(world, day=BEFORE)
    plan = plan_of(world, world.producer)

    (order,) = copy(world, seals(plan), actor=world.producer)
    assert order.customer == world.customer_a
    late = local(MONDAY - timedelta(days=3), 13)
    assert plan_of(world, world.producer, now=late).going == []


@pytest.mark.requirement("TS-008")
def test_the_plan_takes_as_many_queries_for_many_orders_as_for_one(world):
    counts = []
    for number in (1, 12):
        for _each in range(number):
            make_order(world, day=BEFORE)
        plan_of(world)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            plan_of(world)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.requirement("TS-008")
def test_week_53_is_copied_to_week_1(world):
    monday = MONDAY + 6 * WEEK  # 4 January 2027
    assert monday.isocalendar()[:2] == (2027, 1)
    make_order(world, day=monday - WEEK)
    now = NOW + 6 * WEEK

    plan = copy_plan(world.secretary, world.customer_a, monday, now)
    (order,) = copy(world, seals(plan), monday=monday, now=now)

    assert order.deliver_on == monday
