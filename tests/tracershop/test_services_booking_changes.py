"""A booking that changes after it was ordered for reaches its order (TS-025)."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from tracershop.interfaces.hl7_orders import BookingAct, BookingMessage
from tracershop.models import (
    Booking,
    BookingChange,
    Order,
    ProcedureMapping,
    RoomMapping,
)
from tracershop.selectors.booking_changes import changed_orders
from tracershop.selectors.booking_plan import plan_day
from tracershop.selectors.tasks import open_tasks
from tracershop.services.booking_changes import (
    apply_booking_changes,
    put_aside_booking_changes,
)
from tracershop.services.bookings import (
    HL7,
    order_bookings,
    purge_old_bookings,
    take_bookings,
)
from tracershop.services.ordering import delete_order
from tracershop.services.production import accept_orders, reject_orders, unreject_orders

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from tests.tracershop.factories import (
    FDG_HALF_LIFE_S,
    MONDAY,
    NOW,
    local,
    make_booking,
    map_fdg,
    shop_world,
)
from tests.tracershop.releasing import at_once, make_vial

pytestmark = pytest.mark.requirement("TS-025")
LATE = local(MONDAY, 7)
"""On the day itself: hours after the deadline, before the delivery."""


@pytest.fixture
def world(db):
    world = shop_world()
    map_fdg(world)
    return world


def at_slot(minutes, mbq=300):
    return mbq * 2 ** (minutes * 60 / FDG_HALF_LIFE_S)


def order_all(world, now=NOW):
    plan = plan_day(world.secretary, MONDAY, now=now)
    keys = [key for line in plan.plan.lines for key in line.booking_keys]
    keys += [line.booking_key for line in plan.plan.injections]
    done = order_bookings(
        actor=world.secretary,
        day=MONDAY,
        booking_ids=keys,
        fingerprint=plan.fingerprint,
        now=now,
    )
    return done.orders


def two_in_an_order(world):
    """Injections at 09:00 and 10:00 from the delivery at 08:15."""
    make_booking("A1", local(MONDAY, 8))
    make_booking("A2", local(MONDAY, 9))
    (order,) = order_all(world)
    return order


def say(accession, starts_at, now=NOW, **values):
    fields = {"procedure_code": "FDG-WB", "procedure_text": "FDG", "room": "PET-1"}
    message = BookingMessage(BookingAct.UPSERT, accession, starts_at, **(fields | values))
    return take_bookings(actor=HL7, messages=[message], now=now)


def cancel(accession, now=NOW):
    message = BookingMessage(BookingAct.CANCEL, accession)
    return take_bookings(actor=HL7, messages=[message], now=now)


def shown(user, now=NOW):
    (row,) = changed_orders(user, now)
    return row


def settle(user, now=NOW):
    row = shown(user, now)
    return apply_booking_changes(actor=user, order_id=row.order.pk, seen=row.fingerprint, now=now)


def refused(act, *args, **values):
    with pytest.raises(Refused) as found:
        act(*args, **values)
    return found.value.code


# --- noticing ------------------------------------------------------------------------------------


def test_a_booking_that_moved_proposes_the_recomputed_amount(world):
    order = two_in_an_order(world)

    say("A2", local(MONDAY, 9, 30))

    change = BookingChange.objects.get()
    assert (change.order, change.what, change.obstacle) == (order, "moved", "")
    assert (change.old_starts_at, change.new_starts_at) == (
        local(MONDAY, 9),
        local(MONDAY, 9, 30),
    )
    assert change.proposed_mbq == ceil(at_slot(45) + at_slot(135))
    order.refresh_from_db()
    assert order.activity_mbq == ceil(at_slot(45) + at_slot(105))


def test_owner_and_production_are_told_with_old_and_new_amount_and_have_a_task(world):
    two_in_an_order(world)

    cancel("A2")

    old, new = ceil(at_slot(45) + at_slot(105)), ceil(at_slot(45))
    for person in (world.secretary, world.producer, world.production_admin):
        text = Notification.objects.get(user=person, url__contains="booking-changes").text
        assert f"{old:,} MBq → {new:,} MBq" in text
        assert "A2" not in text
        assert "Settle changed bookings of 1 order" in [task.title for task in open_tasks(person)]
    for person in (world.other_secretary, world.external):
        assert not Notification.objects.filter(user=person).exists()
        assert not [task for task in open_tasks(person) if "Settle" in task.title]


@pytest.mark.requirement("TS-006")
def test_who_no_longer_represents_the_customer_is_not_told(world):
    two_in_an_order(world)
    for row in world.secretary.represents.filter(deleted_at__isnull=True):
        row.deleted_at = NOW
        row.save()

    cancel("A2")

    assert not Notification.objects.filter(user=world.secretary).exists()
    assert Notification.objects.filter(user=world.producer).exists()


def test_a_later_change_takes_the_place_of_an_open_one(world):
    two_in_an_order(world)
    say("A2", local(MONDAY, 9, 30))

    say("A2", local(MONDAY, 9, 45))

    first, second = BookingChange.objects.order_by("pk")
    assert (first.outcome, second.outcome) == ("overtaken", "")
    assert second.old_starts_at == local(MONDAY, 9)  # what the order was placed for
    assert second.proposed_mbq == ceil(at_slot(45) + at_slot(150))


def test_moving_back_closes_the_change(world):
    two_in_an_order(world)
    say("A2", local(MONDAY, 9, 30))

    say("A2", local(MONDAY, 9))

    assert [change.outcome for change in BookingChange.objects.all()] == ["overtaken"]
    assert changed_orders(world.secretary, NOW) == []


def test_cancelled_and_booked_again_closes_the_change(world):
    two_in_an_order(world)
    cancel("A2")

    say("A2", local(MONDAY, 9))

    assert changed_orders(world.producer, NOW) == []


def test_what_changes_nothing_for_the_order_makes_no_change(world):
    two_in_an_order(world)
    RoomMapping.objects.create(room="PET-2", endpoint=world.endpoint_a)

    say("A1", local(MONDAY, 8), room="PET-2", procedure_text="Other words")

    assert Booking.objects.get(accession="A1").room == "PET-2"
    assert not BookingChange.objects.exists()


def test_another_examination_says_what_it_needs(world):
    two_in_an_order(world)
    ProcedureMapping.objects.create(
        procedure_code="FDG-BRAIN",
        endpoint=world.endpoint_a,
        tracer=world.fdg,
        units=200.0,
        delay_min=30,
    )

    say("A2", local(MONDAY, 9), procedure_code="FDG-BRAIN")

    change = BookingChange.objects.get()
    assert change.what == "changed"
    assert change.proposed_mbq == ceil(at_slot(45) + at_slot(75, 200))


@pytest.mark.parametrize(
    ("values", "obstacle"),
    [
        ({"starts_at": local(MONDAY, 6)}, "before_delivery"),
        ({"starts_at": local(MONDAY + timedelta(days=1), 9)}, "other_day"),
        ({"starts_at": local(MONDAY, 12)}, "nearer_slot"),
        ({"starts_at": local(MONDAY, 9), "procedure_code": "NAF"}, "not_mapped"),
        ({"starts_at": local(MONDAY, 9), "room": "PET-9"}, "not_mapped"),
        ({"starts_at": local(MONDAY, 9), "room": "B-1"}, "other_endpoint"),
    ],
)
def test_a_booking_that_no_longer_fits_is_told_apart(world, values, obstacle):
    RoomMapping.objects.create(room="B-1", endpoint=world.endpoint_b)
    ProcedureMapping.objects.create(
        procedure_code="FDG-WB", endpoint=world.endpoint_b, tracer=world.fdg, units=1, delay_min=60
    )
    two_in_an_order(world)

    say("A2", **values)

    change = BookingChange.objects.get()
    assert (change.obstacle, change.proposed_mbq) == (obstacle, ceil(at_slot(45)))


def test_after_the_deadline_of_a_nearer_slot_the_booking_stays(world):
    two_in_an_order(world)

    say("A2", local(MONDAY, 12), now=LATE)

    change = BookingChange.objects.get()
    assert (change.obstacle, change.proposed_mbq) == ("", ceil(at_slot(45) + at_slot(285)))


def test_several_bookings_of_one_message_are_one_recomputation(world):
    two_in_an_order(world)
    messages = [
        BookingMessage(BookingAct.UPSERT, accession, starts_at, "FDG-WB", "FDG", "PET-1")
        for accession, starts_at in (("A2", local(MONDAY, 8)), ("A1", local(MONDAY, 9)))
    ]

    take_bookings(actor=HL7, messages=messages, now=NOW)

    amounts = {change.proposed_mbq for change in BookingChange.objects.all()}
    assert amounts == {ceil(at_slot(45) + at_slot(105))}
    assert Notification.objects.filter(user=world.secretary).count() == 1


def test_a_second_change_updates_what_the_first_proposes(world):
    two_in_an_order(world)
    say("A1", local(MONDAY, 8, 30))

    cancel("A2")

    amounts = {change.proposed_mbq for change in BookingChange.objects.all()}
    assert amounts == {ceil(at_slot(75))}


@pytest.mark.requirement("TS-042")
def test_an_order_moved_to_an_earlier_slot_is_recomputed_for_the_one_it_was_ordered_for(world):
    make_booking("L1", local(MONDAY, 11))
    (order,) = order_all(world)
    assert order.slot == world.slot_a_late
    order.moved_from_slot, order.moved_from_at = order.slot, order.deliver_at
    order.slot, order.deliver_at = world.slot_a, local(MONDAY, 8, 15)
    order.save()

    say("L1", local(MONDAY, 11, 15))

    assert BookingChange.objects.get().proposed_mbq == ceil(at_slot(45))


# --- applying ------------------------------------------------------------------------------------


def test_one_click_of_the_owner_gives_the_order_its_new_amount(world):
    order = two_in_an_order(world)
    say("A2", local(MONDAY, 9, 30))

    settle(world.secretary)

    order.refresh_from_db()
    assert order.activity_mbq == ceil(at_slot(45) + at_slot(135))
    change = BookingChange.objects.get()
    assert (change.outcome, change.settled_by) == ("applied", world.secretary)
    booking = Booking.objects.get(accession="A2")
    assert (booking.order, booking.ordered_mbq) == (order, pytest.approx(at_slot(135)))
    entry = AuditEntry.objects.get(action="tracershop.order_edited")
    assert (entry.reason, entry.data["activity_mbq"][1]) == ("booking moved", order.activity_mbq)


def test_an_order_without_bookings_left_is_taken_back(world):
    make_booking("A1", local(MONDAY, 8))
    (order,) = order_all(world)
    cancel("A1")

    settle(world.secretary)

    assert Order.all_objects.get(pk=order.pk).deleted_at is not None
    assert Booking.objects.get().order is None
    assert AuditEntry.objects.filter(action="tracershop.order_deleted").exists()


def test_what_left_the_order_can_be_ordered_anew_when_it_is_applied(world):
    two_in_an_order(world)
    say("A2", local(MONDAY, 12))
    assert plan_day(world.secretary, MONDAY, now=NOW).bookings == {}

    settle(world.secretary)

    plan = plan_day(world.secretary, MONDAY, now=NOW)
    assert [booking.accession for booking in plan.bookings.values()] == ["A2"]


def test_an_injection_order_moves_with_its_booking(world):
    ProcedureMapping.objects.create(
        procedure_code="H2O", endpoint=world.endpoint_a, tracer=world.water, units=2
    )
    make_booking("W1", local(MONDAY, 9), procedure_code="H2O")
    (order,) = order_all(world)
    say("W1", local(MONDAY, 14), procedure_code="H2O")

    settle(world.secretary)

    order.refresh_from_db()
    assert (order.deliver_at, order.injections) == (local(MONDAY, 14), 2)


@pytest.mark.requirement("TS-005", "TS-004")
def test_after_the_deadline_only_production_applies_it(world):
    order = two_in_an_order(world)
    cancel("A2", now=LATE)
    assert refused(settle, world.secretary, LATE) == "not_applicable"

    settle(world.producer, LATE)

    order.refresh_from_db()
    assert (order.activity_mbq, order.late_reason) == (ceil(at_slot(45)), "booking moved")
    assert Notification.objects.filter(user=world.secretary, text__contains="are settled").exists()


@pytest.mark.requirement("TS-005")
def test_once_accepted_only_production_applies_it_and_it_stays_accepted(world):
    order = two_in_an_order(world)
    accept_orders(actor=world.producer, order_ids=[order.pk])
    cancel("A2")
    assert refused(settle, world.secretary) == "not_applicable"

    settle(world.producer)

    order.refresh_from_db()
    assert (order.status, order.activity_mbq) == ("accepted", ceil(at_slot(45)))


def test_an_accepted_order_that_is_taken_back_gives_its_vials_free(world):
    make_booking("A1", local(MONDAY, 8))
    (order,) = order_all(world)
    accept_orders(actor=world.producer, order_ids=[order.pk])
    vial = make_vial(world, order=order)
    cancel("A1")

    settle(world.producer)

    vial.refresh_from_db()
    assert vial.order is None


@pytest.mark.requirement("TS-084")
def test_a_released_order_is_not_changed(world):
    order = two_in_an_order(world)
    order.status = Order.Status.RELEASED
    order.save()
    cancel("A2")

    for person in (world.secretary, world.producer):
        assert refused(settle, person) == "not_applicable"
    put_aside_booking_changes(actor=world.producer, order_id=order.pk, reason="delivered")
    order.refresh_from_db()
    assert order.activity_mbq == ceil(at_slot(45) + at_slot(105))


@pytest.mark.requirement("TS-006")
@pytest.mark.parametrize("who", ["other_secretary", "external"])
def test_another_customers_people_neither_see_nor_settle_it(world, who):
    order = two_in_an_order(world)
    cancel("A2")
    row = shown(world.secretary)
    stranger = getattr(world, who)

    assert changed_orders(stranger, NOW) == []
    act = {"actor": stranger, "order_id": order.pk}
    assert refused(apply_booking_changes, **act, seen=row.fingerprint, now=NOW) == "gone"
    assert refused(put_aside_booking_changes, **act, reason="x") == "gone"


@pytest.mark.requirement("TS-100")
def test_an_external_person_of_the_same_customer_does_not_settle_it(world):
    order = two_in_an_order(world)
    cancel("A2")
    world.external.represents.create(customer=world.customer_a)
    row = shown(world.external)
    act = {"actor": world.external, "order_id": order.pk}

    code = refused(apply_booking_changes, **act, seen=row.fingerprint, now=NOW)

    assert code == "not_applicable"
    with pytest.raises(PermissionDenied):
        put_aside_booking_changes(**act, reason="x")


def test_what_was_not_looked_at_is_not_applied(world):
    order = two_in_an_order(world)
    cancel("A2")
    seen = shown(world.secretary).fingerprint
    say("A1", local(MONDAY, 8, 30))

    code = refused(
        apply_booking_changes, actor=world.secretary, order_id=order.pk, seen=seen, now=NOW
    )

    assert code == "changed"
    assert BookingChange.objects.filter(settled_at__isnull=True).count() == 2


def test_too_many_injections_are_refused(world):
    mapping = ProcedureMapping.objects.create(
        procedure_code="H2O", endpoint=world.endpoint_a, tracer=world.water, units=2
    )
    make_booking("W1", local(MONDAY, 9), procedure_code="H2O")
    order_all(world)
    mapping.units = 9
    mapping.save()
    say("W1", local(MONDAY, 10), procedure_code="H2O")

    assert refused(settle, world.secretary) == "too_many_injections"


# --- putting aside -------------------------------------------------------------------------------


def test_putting_aside_needs_a_reason_and_leaves_the_order(world):
    order = two_in_an_order(world)
    cancel("A2")
    act = {"actor": world.secretary, "order_id": order.pk}
    assert refused(put_aside_booking_changes, **act, reason=" ") == "reason_needed"

    put_aside_booking_changes(**act, reason="another patient takes it")

    version = order.version
    order.refresh_from_db()
    assert order.version == version
    assert BookingChange.objects.get().outcome == "put_aside"
    entry = AuditEntry.objects.get(action="tracershop.booking_change_put_aside")
    assert entry.reason == "another patient takes it"
    assert refused(put_aside_booking_changes, **act, reason="again") == "settled"


def test_a_booking_that_left_is_free_when_its_change_is_put_aside(world):
    order = two_in_an_order(world)
    say("A2", local(MONDAY + timedelta(days=1), 9))

    put_aside_booking_changes(actor=world.producer, order_id=order.pk, reason="made already")

    tuesday = plan_day(world.secretary, MONDAY + timedelta(days=1), now=NOW)
    assert [booking.accession for booking in tuesday.bookings.values()] == ["A2"]


# --- rejected and deleted orders -----------------------------------------------------------------


@pytest.mark.requirement("TS-041", "TS-024")
def test_bookings_of_a_rejected_order_can_be_ordered_anew(world):
    order = two_in_an_order(world)
    reject_orders(actor=world.producer, order_ids=[order.pk], reason="no capacity")

    (anew,) = order_all(world)

    assert Booking.objects.filter(order=anew).count() == 2
    code = refused(unreject_orders, actor=world.producer, order_ids=[order.pk])
    assert code == "ordered_anew"


@pytest.mark.requirement("TS-041")
def test_a_rejection_taken_back_has_its_bookings_still(world):
    order = two_in_an_order(world)
    reject_orders(actor=world.producer, order_ids=[order.pk], reason="no capacity")
    say("A2", local(MONDAY, 9, 10))
    assert not BookingChange.objects.exists()

    unreject_orders(actor=world.producer, order_ids=[order.pk])

    assert plan_day(world.secretary, MONDAY, now=NOW).bookings == {}
    assert Booking.objects.filter(order=order).count() == 2


def test_changes_of_a_deleted_order_are_nobodys(world):
    order = two_in_an_order(world)
    cancel("A2")

    delete_order(actor=world.secretary, order_id=order.pk, now=NOW)

    assert changed_orders(world.secretary, NOW) == []
    (anew,) = order_all(world)
    say("A1", local(MONDAY, 8, 20))
    assert shown(world.secretary).order == anew


# --- purging -------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-022")
def test_changes_are_purged_with_their_bookings_history_and_all(world):
    two_in_an_order(world)
    cancel("A2")

    later = local(MONDAY + timedelta(days=8), 9)
    purge_old_bookings(actor=ServiceActor("purge"), now=later)

    assert not Booking.all_objects.exists()
    assert not BookingChange.all_objects.exists()
    assert not BookingChange.history.exists()
    assert Order.objects.count() == 1


# --- at once -------------------------------------------------------------------------------------


@pytest.fixture
def shop(transactional_db):
    world = shop_world()
    map_fdg(world)
    return world


@pytest.mark.django_db(transaction=True)
def test_a_booking_that_moves_while_it_is_ordered_loses_nothing(shop):
    """Either the order is of the new time, or it is of the old one and the change is open."""
    make_booking("A1", local(MONDAY, 8))
    plan = plan_day(shop.secretary, MONDAY, now=NOW)

    results = at_once(
        lambda: order_bookings(
            actor=shop.secretary,
            day=MONDAY,
            booking_ids=list(plan.bookings),
            fingerprint=plan.fingerprint,
            now=NOW,
        ),
        lambda: say("A1", local(MONDAY, 8, 30)),
        lambda: say("A1", local(MONDAY, 9)),
    )

    faults = [each for each in results if isinstance(each, Exception)]
    assert all(isinstance(each, Refused) and each.code == "plan_changed" for each in faults)
    booking = Booking.objects.get()
    if faults:
        assert booking.order is None
        assert not BookingChange.objects.exists()
    else:
        change = BookingChange.objects.get(settled_at__isnull=True)
        assert change.new_starts_at == booking.starts_at


@pytest.mark.django_db(transaction=True)
def test_two_bookings_of_an_order_that_change_at_once_are_both_in_the_amount(shop):
    two_in_an_order(shop)

    results = at_once(
        lambda: say("A1", local(MONDAY, 8, 30)),
        lambda: say("A2", local(MONDAY, 9, 30)),
    )

    assert results == [["changed"], ["changed"]]
    amounts = {change.proposed_mbq for change in BookingChange.objects.all()}
    assert amounts == {ceil(at_slot(75) + at_slot(135))}


@pytest.mark.django_db(transaction=True)
def test_two_people_who_settle_at_once_settle_once(shop):
    order = two_in_an_order(shop)
    cancel("A2")
    seen = shown(shop.secretary).fingerprint
    act = {"order_id": order.pk, "seen": seen, "now": NOW}

    results = at_once(
        lambda: apply_booking_changes(actor=shop.secretary, **act),
        lambda: apply_booking_changes(actor=shop.producer, **act),
    )

    assert [each.code for each in results if isinstance(each, Refused)] == ["settled"]
    assert AuditEntry.objects.filter(action="tracershop.order_edited").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_message_an_act_and_a_deletion_at_once_never_wait_in_a_circle(shop):
    order = two_in_an_order(shop)
    cancel("A2")
    seen = shown(shop.secretary).fingerprint

    results = at_once(
        lambda: say("A1", local(MONDAY, 8, 30)),
        lambda: apply_booking_changes(actor=shop.producer, order_id=order.pk, seen=seen, now=NOW),
        lambda: delete_order(actor=shop.secretary, order_id=order.pk, now=NOW),
    )

    faults = [each for each in results if isinstance(each, Exception)]
    assert all(isinstance(each, Refused) for each in faults), faults
    assert timezone.is_aware(Booking.objects.get(accession="A1").starts_at)
