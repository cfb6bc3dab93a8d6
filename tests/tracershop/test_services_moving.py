"""Moving an order to an earlier delivery of its day, and back (TS-042)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import DeliverySlot, Order, ProductionRun
from tracershop.rules.orders import moved_total_mbq
from tracershop.services.moving import move_order, restore_order
from tracershop.services.ordering import delete_order, edit_order
from tracershop.services.release import order_facts

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.records.errors import Refused, StaleRecord
from portal.records.services import soft_delete
from tests.tracershop.factories import FDG_HALF_LIFE_S, MONDAY, NOW, local, make_order, shop_world
from tests.tracershop.releasing import accepted, at_once

pytestmark = pytest.mark.requirement("TS-042")


@pytest.fixture
def world(db):
    return shop_world()


def late(world, **values) -> Order:
    return make_order(world, slot=world.slot_a_late, **values)


def moved(world, order: Order, slot=None, **values) -> Order:
    given = {"actor": world.producer, "now": NOW, "slot_id": (slot or world.slot_a).pk}
    return move_order(**(given | {"order_id": order.pk} | values))


def code_of(act, *arguments, **values) -> str:
    with pytest.raises(Refused) as refused:
        act(*arguments, **values)
    return refused.value.code


def fresh(order: Order) -> Order:
    return Order.objects.select_related("tracer__isotope").get(pk=order.pk)


def test_a_moved_order_holds_so_much_more_as_decays_until_it_was_ordered_for(world):
    order = fresh(moved(world, late(world)))
    assert (order.slot, order.moved_from_slot) == (world.slot_a, world.slot_a_late)
    assert order.deliver_at == local(MONDAY, 8, 15)
    assert order.ordered_for_at == order.moved_from_at == local(MONDAY, 11, 30)
    assert order.activity_mbq == 1000, "what was ordered stays"
    more = 2 ** (195 * 60 / FDG_HALF_LIFE_S)
    assert order.due_mbq == pytest.approx(1000 * more)
    assert order.total_mbq == pytest.approx(1250 * more)
    assert order_facts(order).ordered_mbq == pytest.approx(1000 * more), "what a release compares"
    assert order.total_mbq == pytest.approx(
        moved_total_mbq(
            1000,
            1.25,
            half_life_s=FDG_HALF_LIFE_S,
            ordered_for_at=order.ordered_for_at,
            delivered_at=order.deliver_at,
        )
    )


def test_ordered_and_moved_here_from_three_half_lives_later_are_11250_mbq(world):
    three = timedelta(seconds=3 * FDG_HALF_LIFE_S)
    here = fresh(make_order(world))
    there = fresh(
        make_order(
            world,
            moved_from_slot=world.slot_a_late,
            moved_from_at=local(MONDAY, 8, 15) + three,
        )
    )
    assert here.total_mbq + there.total_mbq == pytest.approx(11250)


def test_the_orderer_is_told_and_it_is_audited(world):
    order = late(world)
    moved(world, order, reason="Short run at noon")
    entry = AuditEntry.objects.get(action="tracershop.order_moved")
    assert entry.reason == "Short run at noon"
    old_at, new_at = map(datetime.fromisoformat, entry.data["deliver_at"])
    assert (old_at, new_at) == (local(MONDAY, 11, 30), local(MONDAY, 8, 15))
    told = Notification.objects.get(user=world.secretary)
    assert str(order.pk) in told.text
    assert "Short run at noon" in told.text
    assert told.url == f"/tracershop/orders/{order.pk}/"


def test_moving_to_where_it_is_changes_nothing(world):
    order = late(world)
    moved(world, order)
    version = fresh(order).version
    moved(world, order)
    assert fresh(order).version == version
    assert AuditEntry.objects.filter(action="tracershop.order_moved").count() == 1
    assert Notification.objects.count() == 1


def middle(world, at=time(9, 45)) -> DeliverySlot:
    return DeliverySlot.objects.create(
        endpoint=world.endpoint_a, run=world.slot_a.run, weekday=0, deliver_time=at
    )


def test_moved_again_it_keeps_what_it_was_ordered_for_and_restoring_brings_that_back(world):
    between = middle(world)
    order = accepted(world, slot=world.slot_a_late)
    moved(world, order)
    moved(world, order, between)  # later than now, still earlier than ordered
    order = fresh(order)
    assert (order.slot, order.moved_from_slot) == (between, world.slot_a_late)
    assert order.moved_from_at == local(MONDAY, 11, 30)
    assert order.total_mbq == pytest.approx(1250 * 2 ** (105 * 60 / FDG_HALF_LIFE_S))
    for _ in range(2):
        restore_order(actor=world.producer, order_id=order.pk)
    order = fresh(order)
    assert (order.slot, order.moved_from_slot, order.moved_from_at) == (
        world.slot_a_late,
        None,
        None,
    )
    assert (order.deliver_at, order.total_mbq) == (local(MONDAY, 11, 30), 1250)
    assert order.status == Order.Status.ACCEPTED
    assert AuditEntry.objects.filter(action="tracershop.order_restored").count() == 1


def test_it_comes_back_also_where_its_slot_is_no_longer_in_the_weeks_plan(world):
    order = late(world)
    moved(world, order)
    soft_delete(world.slot_a_late)
    restore_order(actor=world.producer, order_id=order.pk)
    assert fresh(order).deliver_at == local(MONDAY, 11, 30)


def test_only_to_an_earlier_delivery_of_the_same_endpoint_day_and_tracer(world):
    order = make_order(world)
    assert code_of(moved, world, order, world.slot_a_late) == "not_earlier"
    assert code_of(moved, world, late(world), world.slot_b) == "no_such_slot", "another endpoint"
    assert code_of(moved, world, late(world), world.slots_a[1]) == "no_such_slot", "another day"
    run = ProductionRun.objects.create(tracer=world.water, weekday=0, ends_at=time(6))
    other = DeliverySlot.objects.create(
        endpoint=world.endpoint_a, run=run, weekday=0, deliver_time=time(7)
    )
    assert code_of(moved, world, late(world), other) == "no_such_slot", "another tracer"
    ended = middle(world)
    ended.expires_on = MONDAY - timedelta(days=1)
    ended.save()
    assert code_of(moved, world, late(world), ended) == "no_such_slot", "not any more"
    assert code_of(moved, world, late(world), slot_id=10**9) == "no_such_slot"
    assert code_of(moved, world, make_order(world, injections=2)) == "no_such_slot"
    assert not Order.objects.filter(moved_from_at__isnull=False).exists()


def test_not_to_a_delivery_that_has_passed(world):
    assert code_of(moved, world, late(world), now=local(MONDAY, 8, 15)) == "past"


@pytest.mark.parametrize("status", ["released", "rejected"])
def test_neither_moved_nor_restored_once_released_or_rejected(world, status):
    order = late(world, status=status)
    assert code_of(moved, world, order) == "wrong_status"
    assert code_of(restore_order, actor=world.producer, order_id=order.pk) == "wrong_status"


def test_more_than_can_be_made_is_refused_and_so_is_ordering_it_afterwards(world):
    isotope = world.fdg.isotope
    isotope.half_life_s = 600.0
    isotope.save()
    assert code_of(moved, world, late(world)) == "too_much"
    small = late(world, activity_mbq=0.5)
    moved(world, small)
    with pytest.raises(Refused) as refused:
        edit_order(
            actor=world.secretary,
            order_id=small.pk,
            expected_version=fresh(small).version,
            activity_mbq=5000,
            now=NOW,
        )
    assert refused.value.code == "too_much"


def test_who_may_not_accept_may_not_move(world):
    order = late(world)
    with pytest.raises(PermissionDenied):
        moved(world, order, actor=world.secretary)
    assert code_of(moved, world, order, actor=world.other_secretary) == "gone"
    assert fresh(order).moved_from_at is None


def test_a_page_that_is_out_of_date_moves_nothing(world):
    order = late(world)
    with pytest.raises(StaleRecord):
        moved(world, order, expected_version=order.version - 1)


@pytest.mark.requirement("TS-005")
def test_the_shop_changes_the_amount_of_a_moved_order_not_its_time_and_may_delete_it(world):
    order = late(world)
    moved(world, order)
    edit_order(
        actor=world.secretary,
        order_id=order.pk,
        expected_version=fresh(order).version,
        activity_mbq=500,
        now=NOW,
    )
    order = fresh(order)
    assert order.deliver_at == local(MONDAY, 8, 15)
    assert order.due_mbq == pytest.approx(500 * 2 ** (195 * 60 / FDG_HALF_LIFE_S))
    delete_order(actor=world.secretary, order_id=order.pk, now=NOW)
    assert not Order.objects.filter(pk=order.pk).exists()


def test_on_the_night_the_clocks_go_back_the_hour_that_comes_twice_decays_too(world):
    sunday = date(2026, 10, 25)
    run = ProductionRun.objects.create(tracer=world.fdg, weekday=6, ends_at=time(0, 30))
    early, noon = (
        DeliverySlot.objects.create(
            endpoint=world.endpoint_a, run=run, weekday=6, deliver_time=time(hour)
        )
        for hour in (1, 4)
    )
    order = make_order(world, slot=noon, day=sunday)
    moved(world, order, early, now=local(sunday - timedelta(days=2), 8))
    assert fresh(order).due_mbq == pytest.approx(1000 * 2 ** (4 * 3600 / FDG_HALF_LIFE_S))


def test_a_delivery_just_after_midnight_stays_on_its_day(world):
    early = middle(world, time(0, 10))
    order = late(world)
    moved(world, order, early)
    order = fresh(order)
    assert (order.deliver_on, order.deliver_at) == (MONDAY, local(MONDAY, 0, 10))


@pytest.mark.django_db(transaction=True)
def test_moved_by_two_at_once_it_is_moved_once():
    world = shop_world()
    order = late(world)
    results = at_once(*[lambda: moved(world, order) for _ in range(2)])
    assert [each.pk for each in results] == [order.pk] * 2
    assert fresh(order).slot_id == world.slot_a.pk
    assert AuditEntry.objects.filter(action="tracershop.order_moved").count() == 1
