"""Orders: what may be ordered, by whom, until when, and until when it may be changed."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import (
    CatalogueEntry,
    ClosedDay,
    DeliverySlot,
    Order,
    OrderDeadline,
    Representation,
)
from tracershop.services.ordering import (
    delete_order,
    edit_order,
    place_activity_order,
    place_injection_order,
)

from portal.audit.models import AccessEntry, AuditEntry
from portal.organisation.models import Unit
from portal.records.errors import Refused, StaleRecord
from portal.records.services import soft_delete
from tests.support.factories import give, make_unit, make_user
from tests.tracershop.factories import (
    MONDAY,
    NOW,
    ZONE,
    local,
    make_booking,
    make_order,
    map_fdg,
    shop_world,
)

pytestmark = pytest.mark.django_db

DEADLINE = local(MONDAY - timedelta(days=3), 13)


@pytest.fixture
def world():
    return shop_world()


def order_fdg(world, **values):
    fields = {
        "actor": world.secretary,
        "slot_id": world.slot_a.pk,
        "day": MONDAY,
        "activity_mbq": 800.0,
        "now": NOW,
    }
    return place_activity_order(**(fields | values))


def order_water(world, **values):
    fields = {
        "actor": world.secretary,
        "endpoint_id": world.endpoint_a.pk,
        "tracer_id": world.water.pk,
        "inject_at": local(MONDAY, 10),
        "injections": 2,
        "intended_use": "human",
        "now": NOW,
    }
    return place_injection_order(**(fields | values))


def edit(order, **values):
    fields = {
        "actor": order.ordered_by,
        "order_id": order.pk,
        "expected_version": order.version,
        "activity_mbq": 900.0,
        "now": NOW,
    }
    return edit_order(**(fields | values))


def refusal(act, *args, **values):
    with pytest.raises(Refused) as refused:
        act(*args, **values)
    return refused.value.code


# --- placing -------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-001", "TS-002")
def test_an_activity_order_takes_time_overhead_and_customer_from_slot_and_catalogue(world):
    order = order_fdg(world, comment="  two children ", intended_use="animal")

    order.refresh_from_db()
    assert (order.customer, order.endpoint, order.tracer) == (
        world.customer_a,
        world.endpoint_a,
        world.fdg,
    )
    assert order.deliver_at == local(MONDAY, 8, 15)
    assert order.overhead_factor == 1.25
    assert (order.status, order.comment, order.intended_use) == (
        "ordered",
        "two children",
        "animal",
    )
    assert order.ordered_by == world.secretary
    entry = AuditEntry.objects.get(action="tracershop.order_placed")
    assert entry.actor_id == world.secretary.pk
    assert entry.object_id == str(order.pk)
    assert AccessEntry.objects.filter(action="create", object_id=str(order.pk)).exists()


@pytest.mark.requirement("TS-003")
@pytest.mark.parametrize("use", ["human", "animal", "other"])
def test_an_injection_order_says_time_number_and_use(world, use):
    order = order_water(world, intended_use=use, comment="for the scan")

    order.refresh_from_db()
    assert (order.kind, order.injections, order.intended_use) == ("injection", 2, use)
    assert order.deliver_at == local(MONDAY, 10)
    assert order.slot is None


@pytest.mark.requirement("TS-003")
def test_an_order_must_say_one_of_the_three_uses(world):
    assert refusal(order_water, world, intended_use="veterinary") == "use"
    assert refusal(order_fdg, world, intended_use="") == "use"


@pytest.mark.requirement("TS-003")
def test_at_most_as_many_injections_as_the_catalogue_allows(world):
    assert order_water(world, injections=4).injections == 4
    assert refusal(order_water, world, injections=5) == "too_many_injections"
    assert refusal(order_water, world, injections=0) == "amount"


@pytest.mark.requirement("TS-003")
def test_an_injection_is_not_ordered_for_a_time_gone_by(world):
    late = {"actor": world.producer, "late_reason": "called", "now": local(MONDAY, 10)}

    assert refusal(order_water, world, **late) == "past"


@pytest.mark.requirement("TS-001", "TS-006", "TS-101")
def test_a_customer_that_one_does_not_represent_is_as_if_it_were_not_there(world):
    assert refusal(order_fdg, world, slot_id=world.slot_b.pk) == "gone"
    assert refusal(order_fdg, world, slot_id=999_999) == "gone"
    assert refusal(order_water, world, endpoint_id=world.endpoint_b.pk) == "gone"
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-101")
def test_who_no_longer_represents_a_customer_no_longer_orders_for_it(world):
    soft_delete(world.secretary.represents.get())

    assert refusal(order_fdg, world) == "gone"


@pytest.mark.requirement("TS-101")
def test_representing_without_a_role_in_the_shop_orders_nothing(world):
    someone = make_user("Frede Lund")
    Representation.objects.create(user=someone, customer=world.customer_a)

    assert refusal(order_fdg, world, actor=someone) == "gone"


@pytest.mark.requirement("TS-100")
def test_an_external_shop_user_orders_for_the_customer_that_they_represent(world):
    order = order_fdg(world, actor=world.external, slot_id=world.slot_b.pk)

    assert order.customer == world.customer_b


@pytest.mark.requirement("TS-001")
def test_only_what_the_endpoints_catalogue_has_is_ordered(world):
    for entry in CatalogueEntry.objects.filter(endpoint=world.endpoint_a):
        soft_delete(entry)

    assert refusal(order_fdg, world) == "not_in_catalogue"
    assert refusal(order_water, world) == "not_in_catalogue"


@pytest.mark.requirement("TS-003")
def test_a_tracer_is_ordered_in_its_own_way(world):
    assert refusal(order_water, world, tracer_id=world.fdg.pk) == "wrong_kind"


@pytest.mark.requirement("TS-002")
def test_a_slot_is_ordered_on_its_weekday_only(world):
    tuesday = MONDAY + timedelta(days=1)

    assert refusal(order_fdg, world, day=tuesday) == "no_such_slot"


@pytest.mark.requirement("TS-002")
def test_a_slot_of_even_weeks_is_not_ordered_in_an_odd_one(world):
    even_week = MONDAY + timedelta(weeks=7 + MONDAY.isocalendar().week % 2)
    assert even_week.isocalendar().week % 2 == 0
    world.slot_a.parity = DeliverySlot.Parity.EVEN
    world.slot_a.save()

    assert order_fdg(world, day=even_week).deliver_on == even_week
    assert refusal(order_fdg, world, day=even_week + timedelta(weeks=1)) == "no_such_slot"


@pytest.mark.requirement("TS-002")
def test_a_slot_is_ordered_up_to_its_last_day(world):
    world.slot_a.expires_on = MONDAY
    world.slot_a.save()

    assert order_fdg(world).deliver_on == MONDAY
    assert refusal(order_fdg, world, day=MONDAY + timedelta(weeks=1)) == "no_such_slot"


@pytest.mark.requirement("TS-002", "TS-004")
def test_a_closed_day_is_not_ordered_for_not_even_by_production(world):
    ClosedDay.objects.create(day=MONDAY, name="Maintenance")
    by_production = {"actor": world.producer, "late_reason": "they called"}

    assert refusal(order_fdg, world) == "closed_day"
    assert refusal(order_water, world) == "closed_day"
    assert refusal(order_fdg, world, **by_production) == "closed_day"


@pytest.mark.requirement("TS-002", "TS-004")
def test_at_the_very_moment_of_the_deadline_it_is_too_late(world):
    assert order_fdg(world, now=DEADLINE - timedelta(microseconds=1)).pk
    assert refusal(order_fdg, world, now=DEADLINE) == "deadline_passed"


@pytest.mark.requirement("TS-004")
def test_each_kind_of_order_has_its_own_deadline(world):
    noon = local(MONDAY - timedelta(days=3), 12)

    assert refusal(order_water, world, now=noon) == "deadline_passed"
    assert order_fdg(world, now=noon).pk


@pytest.mark.requirement("TS-004")
def test_a_weekly_deadline_is_the_last_such_weekday_before_the_delivery(world):
    deadline = OrderDeadline.objects.get(order_kind="activity")
    deadline.kind, deadline.weekday = OrderDeadline.Kind.WEEKLY, 3
    deadline.save()
    thursday = local(MONDAY - timedelta(days=4), 13)

    assert order_fdg(world, now=thursday - timedelta(minutes=1)).pk
    assert refusal(order_fdg, world, now=thursday) == "deadline_passed"


@pytest.mark.requirement("TS-004")
def test_a_kind_without_a_deadline_cannot_be_ordered(world):
    soft_delete(OrderDeadline.objects.get(order_kind="activity"))

    assert refusal(order_fdg, world) == "no_deadline"


@pytest.mark.requirement("TS-004")
def test_production_orders_late_only_with_a_reason_and_the_reason_is_kept(world):
    late = {"actor": world.producer, "now": DEADLINE + timedelta(hours=1)}

    assert refusal(order_fdg, world, **late) == "late_reason_needed"
    order = order_fdg(world, late_reason="One patient more", **late)

    assert order.customer == world.customer_a
    assert order.late_reason == "One patient more"
    assert AuditEntry.objects.get(action="tracershop.order_placed").reason == "One patient more"


@pytest.mark.requirement("TS-004")
def test_a_reason_does_not_let_the_customer_order_late(world):
    assert refusal(order_fdg, world, late_reason="please", now=DEADLINE) == "deadline_passed"


@pytest.mark.requirement("TS-004")
def test_not_even_production_orders_for_a_delivery_that_has_left(world):
    gone = {"actor": world.producer, "late_reason": "they called", "now": local(MONDAY, 8, 15)}

    assert refusal(order_fdg, world, **gone) == "past"


@pytest.mark.requirement("TS-001")
def test_production_of_another_place_does_not_order_for_a_customer(world):
    elsewhere = make_unit("elsewhere", kind=Unit.Kind.INSTITUTION)
    stranger = make_user("Palle Rask")
    give(stranger, "tracershop.production_user", elsewhere)

    assert refusal(order_fdg, world, actor=stranger) == "gone"


@pytest.mark.requirement("TS-006", "TS-101")
def test_an_exception_to_look_is_no_right_to_order(world):
    from guardian.shortcuts import assign_perm

    looker = make_user("Ditte Holm")
    assign_perm("tracershop.see_own_orders", looker, world.customer_a)

    with pytest.raises(PermissionDenied):
        order_fdg(world, actor=looker)


@pytest.mark.requirement("TS-002")
@pytest.mark.parametrize("amount", [0, -5, math.nan, math.inf, 1e12, None])
def test_an_amount_that_cannot_be_delivered_is_refused(world, amount):
    assert refusal(order_fdg, world, activity_mbq=amount) == "amount"


# --- changing and taking back ---------------------------------------------------------------------


@pytest.mark.requirement("TS-005")
def test_an_ordered_order_is_changed_and_old_and_new_are_on_record(world):
    order = order_fdg(world)

    edit(order, activity_mbq=950.0, comment="more", intended_use="other")

    order.refresh_from_db()
    assert (order.activity_mbq, order.comment, order.intended_use) == (950.0, "more", "other")
    entry = AuditEntry.objects.get(action="tracershop.order_edited")
    assert entry.data["activity_mbq"] == [800.0, 950.0]


@pytest.mark.requirement("TS-005")
def test_saving_without_a_change_changes_nothing(world):
    order = order_fdg(world)

    edit(order, activity_mbq=800.0)

    order.refresh_from_db()
    assert order.version == 1
    assert not AuditEntry.objects.filter(action="tracershop.order_edited").exists()


@pytest.mark.requirement("TS-005")
@pytest.mark.parametrize("status", ["accepted", "released", "rejected"])
def test_only_an_ordered_order_is_changed_or_deleted(world, status):
    order = make_order(world, status=status)

    assert refusal(edit, order) == "not_editable"
    delete = {"actor": world.secretary, "order_id": order.pk, "now": NOW}
    assert refusal(delete_order, **delete) == "not_editable"
    assert Order.objects.filter(pk=order.pk, activity_mbq=1000).exists()


@pytest.mark.requirement("TS-005")
def test_a_deleted_order_stays_in_the_database_inactive(world):
    order = order_fdg(world)

    delete_order(actor=world.secretary, order_id=order.pk, now=NOW)

    assert not Order.objects.filter(pk=order.pk).exists()
    kept = Order.all_objects.get(pk=order.pk)
    assert kept.is_deleted
    assert (kept.status, kept.activity_mbq) == ("ordered", 800.0)
    assert AuditEntry.objects.filter(
        action="tracershop.order_deleted", object_id=str(order.pk)
    ).exists()


@pytest.mark.requirement("TS-005", "TS-006")
def test_another_customers_order_is_not_there_to_change_or_delete(world):
    order = make_order(world)

    assert refusal(edit, order, actor=world.other_secretary) == "gone"
    delete = {"actor": world.other_secretary, "order_id": order.pk, "now": NOW}
    assert refusal(delete_order, **delete) == "gone"


@pytest.mark.requirement("TS-005", "TS-004")
def test_after_the_deadline_only_production_changes_an_order_and_says_why(world):
    order = order_fdg(world)
    by_production = {"actor": world.producer, "now": DEADLINE}

    assert refusal(edit, order, now=DEADLINE) == "deadline_passed"
    assert refusal(edit, order, **by_production) == "late_reason_needed"
    edit(order, late_reason="agreed by phone", **by_production)

    order.refresh_from_db()
    assert (order.activity_mbq, order.late_reason) == (900.0, "agreed by phone")
    assert AuditEntry.objects.get(action="tracershop.order_edited").reason == "agreed by phone"


@pytest.mark.requirement("TS-005", "TS-004")
def test_after_the_deadline_only_production_deletes_an_order_and_says_why(world):
    order = order_fdg(world)
    late = {"order_id": order.pk, "now": DEADLINE}

    assert refusal(delete_order, actor=world.secretary, **late) == "deadline_passed"
    assert refusal(delete_order, actor=world.producer, **late) == "late_reason_needed"
    delete_order(actor=world.producer, late_reason="the scanner broke", **late)

    assert AuditEntry.objects.get(action="tracershop.order_deleted").reason == "the scanner broke"


@pytest.mark.requirement("TS-005")
def test_an_order_for_a_day_that_was_closed_meanwhile_can_be_taken_back(world):
    order = order_fdg(world)
    ClosedDay.objects.create(day=MONDAY, name="Maintenance")

    assert refusal(edit, order) == "closed_day"
    delete_order(actor=world.secretary, order_id=order.pk, now=DEADLINE)

    assert not Order.objects.filter(pk=order.pk).exists()


@pytest.mark.requirement("TS-003", "TS-005")
def test_an_injection_order_is_changed_within_the_limit(world):
    order = order_water(world)
    change = {"activity_mbq": None, "intended_use": "human"}

    edit(order, injections=4, **change)

    order.refresh_from_db()
    assert order.injections == 4
    assert refusal(edit, order, injections=5, **change) == "too_many_injections"


@pytest.mark.requirement("TS-005", "PT-022")
def test_the_second_to_save_is_told_what_the_first_made_of_it(world):
    order = order_fdg(world)
    opened = order.version
    edit(order, activity_mbq=1100.0)

    with pytest.raises(StaleRecord) as stale:
        edit(order, actor=world.superuser, expected_version=opened, activity_mbq=700.0)

    (difference,) = stale.value.differences
    assert (difference.before, difference.theirs, difference.yours) == (800.0, 1100.0, 700.0)
    order.refresh_from_db()
    assert order.activity_mbq == 1100.0


@pytest.mark.requirement("TS-005", "PT-022")
def test_an_order_that_somebody_changed_is_not_deleted_unseen(world):
    order = order_fdg(world)
    opened = order.version
    edit(order)

    with pytest.raises(StaleRecord):
        delete_order(actor=world.superuser, order_id=order.pk, expected_version=opened, now=NOW)


@pytest.mark.requirement("TS-024", "TS-005")
def test_the_bookings_of_a_deleted_order_can_be_ordered_anew(world):
    map_fdg(world)
    order = order_fdg(world)
    booking = make_booking("A1", local(MONDAY, 9), order=order, ordered_mbq=411.0)

    delete_order(actor=world.secretary, order_id=order.pk, now=NOW)

    booking.refresh_from_db()
    assert (booking.order, booking.ordered_mbq) == (None, None)


def test_the_worlds_zone_is_the_sites_zone(settings):
    assert str(ZONE) == settings.TIME_ZONE
