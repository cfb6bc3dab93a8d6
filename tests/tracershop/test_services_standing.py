"""Standing orders: placed once a day, in the name of somebody who may; told of where not."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from tracershop.models import ClosedDay, DeliverySlot, Order, StandingOrder
from tracershop.services.ordering import delete_order, place_activity_order
from tracershop.services.production import accept_orders
from tracershop.services.standing import (
    change_standing_order,
    end_standing_order,
    repeat_activity,
    repeat_injections,
)
from tracershop.services.standing_placing import due_standing_orders, place_standing_order

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.records.context import ServiceActor
from portal.records.errors import Refused, StaleRecord
from portal.records.services import soft_delete
from tests.support.threads import at_once
from tests.tracershop.factories import MONDAY, NOW, ZONE, local, make_order, shop_world

pytestmark = pytest.mark.django_db

WEEK = timedelta(weeks=1)
CLOCK = ServiceActor("standing orders")


@pytest.fixture
def world(db):
    return shop_world()


def repeat_fdg(world, **values):
    fields = {
        "actor": world.secretary,
        "slot_id": world.slot_a.pk,
        "activity_mbq": 800.0,
        "starts_on": MONDAY,
        "now": NOW,
    }
    return repeat_activity(**(fields | values))


def repeat_water(world, **values):
    fields = {
        "actor": world.secretary,
        "endpoint_id": world.endpoint_a.pk,
        "tracer_id": world.water.pk,
        "weekday": 0,
        "inject_at": time(10),
        "injections": 2,
        "starts_on": MONDAY,
        "now": NOW,
    }
    return repeat_injections(**(fields | values))


def place(standing, now=NOW):
    return place_standing_order(actor=CLOCK, standing_order_id=standing.pk, now=now)


def days(orders):
    return [order.deliver_on for order in orders]


def told(person):
    return list(Notification.objects.filter(user=person).values_list("text", flat=True))


def refusal(act, *args, **values):
    with pytest.raises(Refused) as refused:
        act(*args, **values)
    return refused.value.code


# --- setting up ---


@pytest.mark.requirement("TS-008")
def test_what_is_due_in_two_weeks_is_placed_at_once_in_the_name_of_who_set_it_up(world):
    placement = repeat_fdg(world, comment=" two children ", intended_use="animal")

    assert days(placement.placed) == [MONDAY, MONDAY + WEEK]
    for order in placement.placed:
        order.refresh_from_db()
        assert (order.activity_mbq, order.overhead_factor) == (800.0, 1.25)
        assert (order.comment, order.intended_use) == ("two children", "animal")
        assert (order.ordered_by, order.standing_order) == (world.secretary, placement.standing)
        assert order.deliver_at == local(order.deliver_on, 8, 15)
    entry = AuditEntry.objects.filter(action="tracershop.order_placed").first()
    assert entry.data["standing_order"] == placement.standing.pk
    assert AuditEntry.objects.get(action="tracershop.standing_order_added").actor_id == (
        world.secretary.pk
    )


@pytest.mark.requirement("TS-008")
def test_injections_are_repeated_by_the_clock_on_the_wall_over_a_change_of_time(world):
    friday = local(date(2027, 3, 19), 8)
    placement = repeat_water(
        world, weekday=6, inject_at=time(2, 30), starts_on=date(2027, 3, 21), now=friday
    )

    # on 28 March 2027 the clocks leave 02:30 out
    assert [order.deliver_at.astimezone(ZONE).time() for order in placement.placed] == [
        time(2, 30),
        time(3, 30),
    ]
    assert days(placement.placed) == [date(2027, 3, 21), date(2027, 3, 28)]


@pytest.mark.requirement("TS-008")
def test_injections_at_midnight_belong_to_the_day_that_begins(world):
    placement = repeat_water(world, inject_at=time(0), ends_on=MONDAY)

    assert days(placement.placed) == [MONDAY]
    assert placement.placed[0].deliver_at == local(MONDAY, 0)


@pytest.mark.requirement("TS-008", "TS-002")
def test_a_slot_of_odd_weeks_is_ordered_in_weeks_53_and_1_one_after_the_other(world):
    world.slot_a.parity = DeliverySlot.Parity.ODD
    world.slot_a.save()
    now = local(date(2026, 12, 23), 8)

    placement = repeat_fdg(world, starts_on=date(2026, 12, 23), now=now)

    assert days(placement.placed) == [date(2026, 12, 28), date(2027, 1, 4)]
    assert placement.missed == []


@pytest.mark.requirement("TS-008", "TS-001", "TS-006")
def test_another_customers_slot_is_as_if_it_were_not_there(world):
    assert refusal(repeat_fdg, world, slot_id=world.slot_b.pk) == "gone"
    assert refusal(repeat_water, world, endpoint_id=world.endpoint_b.pk) == "gone"
    assert not StandingOrder.all_objects.exists()


@pytest.mark.requirement("TS-008", "TS-100")
def test_an_external_shop_user_repeats_for_their_customer(world):
    placement = repeat_fdg(world, actor=world.external, slot_id=world.slot_b.pk)

    assert placement.standing.customer == world.customer_b
    assert placement.placed


@pytest.mark.requirement("TS-008", "TS-004")
def test_production_orders_for_a_customer_but_sets_up_nothing_that_goes_on(world):
    with pytest.raises(PermissionDenied):
        repeat_fdg(world, actor=world.producer)
    assert not StandingOrder.all_objects.exists()


@pytest.mark.requirement("TS-008", "TS-003")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"activity_mbq": 0}, "amount"),
        ({"intended_use": "veterinary"}, "use"),
        ({"starts_on": NOW.date() - timedelta(days=1)}, "period"),
        ({"ends_on": MONDAY - timedelta(days=1)}, "period"),
    ],
)
def test_what_an_order_may_not_be_a_standing_order_may_not_be(world, values, code):
    assert refusal(repeat_fdg, world, **values) == code


@pytest.mark.requirement("TS-008", "TS-003")
def test_no_more_injections_than_the_catalogue_allows_and_each_tracer_in_its_own_way(world):
    assert refusal(repeat_water, world, injections=5) == "too_many_injections"
    assert refusal(repeat_water, world, tracer_id=world.fdg.pk) == "wrong_kind"


@pytest.mark.requirement("TS-008")
def test_there_is_one_standing_order_for_a_delivery(world):
    first = repeat_fdg(world, ends_on=MONDAY + WEEK).standing

    assert refusal(repeat_fdg, world) == "already_standing"
    assert repeat_fdg(world, intended_use="animal").placed
    after = repeat_fdg(world, starts_on=first.ends_on + timedelta(days=1))
    assert after.standing.pk != first.pk


@pytest.mark.requirement("TS-008")
@pytest.mark.django_db(transaction=True)
def test_two_people_who_set_up_the_same_at_once_set_up_one(transactional_db):
    world = shop_world()

    results = at_once(
        lambda: repeat_fdg(world),
        lambda: repeat_fdg(world, actor=world.superuser, activity_mbq=900.0),
    )

    assert [each.code for each in results if isinstance(each, Refused)] == ["already_standing"]
    assert StandingOrder.objects.count() == 1
    assert days(Order.objects.order_by("deliver_on")) == [MONDAY, MONDAY + WEEK]


# --- placing ---


@pytest.mark.requirement("TS-008")
def test_each_day_is_placed_once_however_often_it_runs(world):
    standing = repeat_fdg(world).standing

    assert place(standing).placed == []
    assert due_standing_orders(NOW) == []
    next_friday = NOW + WEEK
    assert due_standing_orders(next_friday) == [standing.pk]
    assert days(place(standing, next_friday).placed) == [MONDAY + 2 * WEEK]
    assert place(standing, next_friday).placed == []
    assert Order.objects.count() == 3


@pytest.mark.requirement("TS-008")
def test_what_a_person_deleted_does_not_come_back(world):
    placement = repeat_fdg(world)
    deleted = placement.placed[0]
    delete_order(actor=world.secretary, order_id=deleted.pk, now=NOW)
    standing = placement.standing
    standing.refresh_from_db()
    standing.placed_until = None  # as if nobody had looked at the days yet
    standing.save()

    assert place(standing).placed == []
    assert days(Order.objects.all()) == [MONDAY + WEEK]
    with pytest.raises(IntegrityError), transaction.atomic():
        make_order(world, standing_order=standing)


@pytest.mark.requirement("TS-008")
def test_a_worker_killed_in_the_middle_did_nothing_and_the_next_one_does_all(world, monkeypatch):
    standing = repeat_fdg(world, starts_on=MONDAY + timedelta(weeks=8)).standing
    ClosedDay.objects.create(day=MONDAY + 8 * WEEK, name="Maintenance")
    now = NOW + 8 * WEEK

    def killed(*_args, **_values):
        raise SystemExit

    with monkeypatch.context() as patched:
        # after the second day's order and before the end
        patched.setattr("tracershop.services.standing_placing.notify", killed)
        with pytest.raises(SystemExit):
            place(standing, now)
    standing.refresh_from_db()
    assert standing.placed_until is None
    assert not Order.all_objects.exists()
    assert told(world.secretary) == []

    assert days(place(standing, now).placed) == [MONDAY + 9 * WEEK]
    assert len(told(world.secretary)) == 1


@pytest.mark.requirement("TS-008")
@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_place_once(transactional_db):
    world = shop_world()
    standing = repeat_fdg(world).standing
    now = NOW + 2 * WEEK

    results = at_once(*[lambda: place(standing, now)] * 3)

    assert sorted(len(each.placed) for each in results) == [0, 0, 2]
    assert Order.objects.count() == 4


@pytest.mark.requirement("TS-008", "TS-004")
def test_a_closed_day_is_not_ordered_for_and_the_owner_is_told_once(world):
    standing = repeat_fdg(world).standing
    ClosedDay.objects.create(day=MONDAY + 2 * WEEK, name="Maintenance")

    placement = place(standing, NOW + WEEK)

    assert [missed.code for missed in placement.missed] == ["closed_day"]
    assert placement.placed == []
    (text,) = told(world.secretary)
    assert "7 Dec 2026" in text
    assert "closed day" in text
    assert told(world.producer) == []
    place(standing, NOW + WEEK)
    assert len(told(world.secretary)) == 1
    assert days(place(standing, NOW + 2 * WEEK).placed) == [MONDAY + 3 * WEEK]


@pytest.mark.requirement("TS-008", "TS-002")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda slot: soft_delete(slot), "gone"),
        (lambda slot: _set(slot, expires_on=MONDAY), "no_such_slot"),
        (lambda slot: _set(slot, weekday=1), "no_such_slot"),
    ],
)
def test_a_slot_that_no_longer_delivers_is_not_ordered_and_the_owner_is_told(world, change, code):
    standing = repeat_fdg(world).standing
    change(world.slot_a)

    placement = place(standing, NOW + WEEK)

    assert [missed.code for missed in placement.missed] == [code]
    assert len(told(world.secretary)) == 1
    assert Order.objects.count() == 2


def _set(row, **values):
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


@pytest.mark.requirement("TS-008", "TS-004")
def test_days_missed_while_nothing_ran_are_told_and_the_later_ones_placed(world):
    standing = repeat_fdg(world).standing
    late = local(MONDAY + 3 * WEEK, 9)

    placement = place(standing, late)

    assert [missed.code for missed in placement.missed] == ["deadline_passed"] * 2
    assert days(placement.placed) == [MONDAY + 4 * WEEK, MONDAY + 5 * WEEK]
    assert len(told(world.secretary)) == 1


@pytest.mark.requirement("TS-008", "TS-101")
@pytest.mark.parametrize("lost", ["representation", "role", "account"])
def test_who_may_not_order_any_more_orders_nothing_and_production_is_told(world, lost):
    standing = repeat_fdg(world).standing
    if lost == "representation":
        soft_delete(world.secretary.represents.get())
    elif lost == "role":
        soft_delete(world.secretary.role_grants.get())
    else:
        _set(world.secretary, is_active=False)

    placement = place(standing, NOW + WEEK)

    assert [missed.code for missed in placement.missed] == ["not_allowed"]
    assert Order.objects.count() == 2
    for person in (world.secretary, world.producer, world.production_admin):
        (text,) = told(person)
        assert "Mette Dalgaard may no longer order" in text
    assert told(world.other_secretary) == told(world.superuser) == []
    place(standing, NOW + WEEK)
    assert len(told(world.producer)) == 1
    entry = AuditEntry.objects.get(action="tracershop.standing_order_missed")
    assert (entry.data["why"], entry.service) == ("not_allowed", "standing orders")


@pytest.mark.requirement("TS-008")
def test_a_colleague_who_changes_it_takes_it_over(world):
    standing = repeat_fdg(world).standing
    soft_delete(world.secretary.represents.get())

    change_standing_order(
        actor=world.superuser,
        standing_order_id=standing.pk,
        expected_version=_version(standing),
        activity_mbq=standing.activity_mbq,
        now=NOW,
    )

    (order,) = place(standing, NOW + WEEK).placed
    assert order.ordered_by == world.superuser


@pytest.mark.requirement("TS-008")
def test_what_is_ordered_for_the_delivery_already_is_not_ordered_twice(world):
    mine = place_activity_order(
        actor=world.secretary,
        slot_id=world.slot_a.pk,
        day=MONDAY,
        activity_mbq=500.0,
        now=NOW,
    )

    placement = repeat_fdg(world)

    assert [(missed.day, missed.code) for missed in placement.missed] == [
        (MONDAY, "already_ordered")
    ]
    assert f"Order {mine.pk}" in placement.missed[0].why
    assert days(placement.placed) == [MONDAY + WEEK]


@pytest.mark.requirement("TS-008", "TS-042")
def test_an_order_that_production_moved_is_for_the_delivery_it_was_ordered_for(world):
    make_order(
        world,
        slot=world.slot_a,
        moved_from_slot=world.slot_a_late,
        moved_from_at=local(MONDAY, 11, 30),
    )

    at_late = repeat_fdg(world, slot_id=world.slot_a_late.pk, ends_on=MONDAY)
    at_early = repeat_fdg(world, ends_on=MONDAY)

    assert [missed.code for missed in at_late.missed] == ["already_ordered"]
    assert days(at_early.placed) == [MONDAY]


# --- changing and ending ---


def _version(standing):
    return StandingOrder.all_objects.get(pk=standing.pk).version


@pytest.mark.requirement("TS-008")
def test_a_changed_amount_is_ordered_from_the_next_day_on(world):
    standing = repeat_fdg(world).standing

    change_standing_order(
        actor=world.secretary,
        standing_order_id=standing.pk,
        expected_version=_version(standing),
        activity_mbq=950.0,
        comment="more",
        now=NOW,
    )
    (order,) = place(standing, NOW + WEEK).placed

    assert (order.activity_mbq, order.comment) == (950.0, "more")
    assert set(Order.objects.exclude(pk=order.pk).values_list("activity_mbq", flat=True)) == {800.0}
    entry = AuditEntry.objects.get(action="tracershop.standing_order_changed")
    assert entry.data["activity_mbq"] == [800.0, 950.0]


@pytest.mark.requirement("TS-008")
def test_the_second_to_change_it_is_told_what_the_first_made_of_it(world):
    standing = repeat_fdg(world).standing
    change = {"standing_order_id": standing.pk, "expected_version": _version(standing), "now": NOW}
    change_standing_order(actor=world.secretary, activity_mbq=950.0, **change)

    with pytest.raises(StaleRecord) as stale:
        change_standing_order(actor=world.superuser, activity_mbq=700.0, **change)
    assert [each.theirs for each in stale.value.differences] == [950.0]


@pytest.mark.requirement("TS-008")
def test_it_ends_with_its_last_day_and_what_it_placed_stays_unless_it_is_to_go_too(world):
    placement = repeat_fdg(world)
    standing = placement.standing

    stay = end_standing_order(
        actor=world.secretary, standing_order_id=standing.pk, last_day=MONDAY, now=NOW
    )

    assert days(stay) == [MONDAY + WEEK]
    assert place(standing, NOW + WEEK).placed == []
    stay = end_standing_order(
        actor=world.secretary,
        standing_order_id=standing.pk,
        last_day=MONDAY,
        delete_placed=True,
        now=NOW,
    )
    assert stay == []
    assert days(Order.objects.all()) == [MONDAY]


@pytest.mark.requirement("TS-008", "TS-005")
def test_ending_it_deletes_nothing_that_production_accepted_or_that_is_too_late(world):
    placement = repeat_fdg(world)
    accept_orders(actor=world.producer, order_ids=[placement.placed[1].pk])

    stay = end_standing_order(
        actor=world.secretary,
        standing_order_id=placement.standing.pk,
        last_day=MONDAY - timedelta(days=1),
        delete_placed=True,
        now=local(MONDAY - timedelta(days=3), 13),
    )

    assert stay == placement.placed
    assert StandingOrder.objects.count() == 0  # it ended before it began
    assert due_standing_orders(NOW + 4 * WEEK) == []


@pytest.mark.requirement("TS-008")
def test_production_ends_one_whose_owner_left_but_does_not_change_it(world):
    standing = repeat_fdg(world).standing

    with pytest.raises(PermissionDenied):
        change_standing_order(
            actor=world.producer,
            standing_order_id=standing.pk,
            expected_version=_version(standing),
            activity_mbq=1.0,
        )
    end_standing_order(actor=world.producer, standing_order_id=standing.pk, last_day=MONDAY)

    assert place(standing, NOW + WEEK).placed == []


@pytest.mark.requirement("TS-006", "TS-008")
def test_another_customers_standing_order_is_as_if_it_were_not_there(world):
    standing = repeat_fdg(world).standing
    other = {"actor": world.other_secretary, "standing_order_id": standing.pk}

    assert refusal(end_standing_order, last_day=MONDAY, **other) == "gone"
    assert refusal(change_standing_order, expected_version=1, activity_mbq=1.0, **other) == "gone"


@pytest.mark.requirement("TS-008")
def test_the_task_places_what_is_due_and_a_failing_one_keeps_no_other_from_it(world, monkeypatch):
    from tracershop import tasks

    from tests.tracershop.factories import stop_clock

    repeat_fdg(world)
    repeat_water(world)
    stop_clock(monkeypatch, NOW + WEEK)
    sent = []
    monkeypatch.setattr(tasks.place_standing_order, "delay", sent.append)

    tasks.place_standing_orders()
    assert sorted(sent) == sorted(StandingOrder.objects.values_list("pk", flat=True))
    for standing_order_id in sent:
        tasks.place_standing_order(standing_order_id)

    third = Order.objects.filter(deliver_on=MONDAY + 2 * WEEK)
    assert sorted(third.values_list("kind", flat=True)) == ["activity", "injection"]
    sent.clear()
    tasks.place_standing_orders()
    assert sent == []
