"""Bookings: from HL7 to a booking that names nobody, and from bookings to orders."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import pytest
from django.apps import apps
from tracershop.models import (
    Booking,
    ClosedDay,
    DeliverySlot,
    Order,
    OrderDeadline,
    ProcedureMapping,
    RoomMapping,
)
from tracershop.selectors.booking_page import booking_page
from tracershop.selectors.booking_plan import plan_day
from tracershop.services.bookings import order_bookings, purge_old_bookings
from tracershop.services.ordering import delete_order

from portal.audit.models import AuditEntry
from portal.inbox.hl7 import AckCode
from portal.inbox.hl7_intake import take
from portal.inbox.models import InboundMessage
from portal.inbox.services import process_waiting
from portal.notifications.models import Notification
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.personal import unmasked
from tests.tracershop.factories import (
    FDG_HALF_LIFE_S,
    MONDAY,
    NOW,
    local,
    make_booking,
    map_fdg,
    shop_world,
)
from tests.tracershop.releasing import at_once

PATIENT = "PID|||010203-1234^^^CPR||Jørgensen^Sørine||19030201|M|||Æblevej 2^^Køge"
PERSONAL = ("010203", "Jørgensen", "Æblevej", "Køge", "Sørine")


@pytest.fixture
def world(db):
    world = shop_world()
    map_fdg(world)
    return world


def hl7(control, *, act="NW", accession="DKN0001", start="20261123090000", **values):
    """ORM^O01 with a patient in it, in Latin-1 as the booking system sends it."""
    orc, obr = [""] * 21, [""] * 22
    orc[0], orc[1], orc[7], orc[20] = "ORC", act, f"^^^{start}^^R", accession
    orc[5] = values.get("status", "")
    orc[12] = "123^Hansen^Lise"
    obr[0], obr[4] = "OBR", values.get("procedure", "FDG-WB^PET/CT, FDG whole body")
    obr[20], obr[21] = accession, values.get("room", "PET-1")
    header = f"MSH|^~\\&|Sectra|RIS|Portal|PET|20261120081530||ORM^O01|{control}|P|2.3.1"
    lines = (header, PATIENT, "|".join(orc), "|".join(obr))
    return "".join(f"{line}\r" for line in lines).encode("latin-1")


def receive(*messages):
    for message in messages:
        assert take(message).code == AckCode.ACCEPTED
    process_waiting("hl7")
    return InboundMessage.objects.order_by("-pk").first().outcome


def order_day(world, **values):
    """Order for every placeable booking of MONDAY, as its preview says."""
    actor = values.get("actor", world.secretary)
    plan = plan_day(actor, MONDAY, now=values.get("now", NOW))
    keys = [key for line in plan.plan.lines for key in line.booking_keys]
    keys += [line.booking_key for line in plan.plan.injections]
    fields = {
        "actor": actor,
        "day": MONDAY,
        "booking_ids": keys,
        "fingerprint": plan.fingerprint,
        "now": NOW,
    }
    return order_bookings(**(fields | values))


def at_slot(mbq, minutes):
    """What is needed at a delivery for ``mbq`` that are injected so many minutes later."""
    return mbq * 2 ** (minutes * 60 / FDG_HALF_LIFE_S)


# --- from the message to the booking -------------------------------------------------------------


@pytest.mark.requirement("TS-020", "TS-023")
def test_a_message_becomes_a_booking_at_the_endpoint_of_its_room(world):
    assert receive(hl7(1)) == "booked"

    booking = Booking.objects.get()
    assert (booking.accession, booking.procedure_code) == ("DKN0001", "FDG-WB")
    assert booking.procedure_text == "PET/CT, FDG whole body"
    assert booking.starts_at == local(MONDAY, 9)
    assert (booking.endpoint, booking.status) == (world.endpoint_a, "booked")


@pytest.mark.requirement("TS-020")
def test_a_later_message_moves_the_booking_and_a_cancellation_ends_it(world):
    assert receive(hl7(1), hl7(2, act="XO", start="20261123101500")) == "changed"
    assert Booking.objects.get().starts_at == local(MONDAY, 10, 15)

    assert receive(hl7(3, act="CA")) == "cancelled"
    assert Booking.objects.get().status == "cancelled"
    assert receive(hl7(4, act="CA")) == "cancelled already"


@pytest.mark.requirement("TS-020")
def test_a_cancelled_booking_can_be_booked_anew(world):
    receive(hl7(1), hl7(2, act="CA"))

    assert receive(hl7(3)) == "changed"
    assert Booking.objects.get().status == "booked"


@pytest.mark.requirement("TS-020")
def test_the_same_content_again_changes_nothing(world):
    receive(hl7(1))
    version = Booking.objects.get().version

    assert receive(hl7(2)) == "known already"
    assert Booking.objects.get().version == version


@pytest.mark.requirement("TS-021")
def test_the_same_message_again_has_one_effect(world):
    receive(hl7(1), hl7(1))

    assert InboundMessage.objects.count() == 1
    assert Booking.objects.count() == 1


@pytest.mark.requirement("TS-020")
def test_an_examination_that_has_started_changes_nothing(world):
    receive(hl7(1))

    assert receive(hl7(2, status="ExamStarted", start="20261123120000")) == "no change"
    assert Booking.objects.get().starts_at == local(MONDAY, 9)


@pytest.mark.requirement("TS-020")
def test_a_cancellation_of_what_is_not_known_is_taken_and_does_nothing(world):
    assert receive(hl7(1, act="CA")) == "cancelled, not known"
    assert not Booking.objects.exists()


@pytest.mark.requirement("TS-023")
def test_a_booking_in_a_room_that_nobody_mapped_waits_without_an_endpoint(world):
    receive(hl7(1, room="PET-9"))

    assert Booking.objects.get().endpoint is None


@pytest.mark.requirement("TS-022")
def test_nothing_of_the_patient_is_in_any_table(world):
    receive(hl7(1), hl7(2, act="XO", start="20261123101500"))

    texts = []
    for model in apps.get_models():
        if model._meta.managed and not model._meta.proxy:
            with unmasked():
                texts += [repr(row) for row in model._base_manager.values_list()]
    stored = "\n".join(texts)
    assert "DKN0001" in stored  # the booking is there, the search does look
    assert [word for word in PERSONAL if word in stored] == []


@pytest.mark.requirement("TS-022")
def test_what_is_kept_of_the_message_is_without_the_patient(world):
    from portal.inbox.services import read_raw

    receive(hl7(1))

    kept = read_raw(InboundMessage.objects.get()).decode("latin-1")
    assert "DKN0001" in kept
    assert [word for word in PERSONAL if word in kept] == []


@pytest.mark.requirement("TS-020")
def test_who_ordered_is_told_when_an_ordered_booking_moves_or_is_cancelled(world):
    receive(hl7(1))
    (order,) = order_day(world).orders

    receive(hl7(2, act="XO", start="20261123093000"), hl7(3, act="CA"))

    told = Notification.objects.filter(user=world.secretary).order_by("pk")
    assert [str(order.pk) in each.text for each in told] == [True, True]


@pytest.mark.requirement("TS-022")
def test_bookings_are_purged_after_a_week_with_their_history_and_orders_are_not(world):
    old = make_booking("OLD", NOW - timedelta(days=8))
    make_booking("RECENT", NOW - timedelta(days=6))
    make_booking("A1", local(MONDAY, 9))
    order_day(world)

    count = purge_old_bookings(actor=ServiceActor("test"), now=NOW)

    assert count == 1
    assert set(Booking.all_objects.values_list("accession", flat=True)) == {"RECENT", "A1"}
    assert not Booking.history.filter(id=old.pk).exists()
    assert Order.objects.count() == 1


# --- from bookings to orders ---------------------------------------------------------------------


@pytest.mark.requirement("TS-024")
def test_each_booking_goes_to_the_latest_slot_before_its_injection(world):
    early = make_booking("A1", local(MONDAY, 8))  # injected at 9:00, delivered at 8:15
    late = make_booking("A2", local(MONDAY, 10, 30))  # injected at 11:30, as it is delivered
    later = make_booking("A3", local(MONDAY, 11))  # injected at 12:00

    first, second = order_day(world).orders

    assert (first.slot, second.slot) == (world.slot_a, world.slot_a_late)
    assert first.activity_mbq == ceil(at_slot(300, 45))
    assert second.activity_mbq == ceil(300 + at_slot(300, 30))
    for booking, order in ((early, first), (late, second), (later, second)):
        booking.refresh_from_db()
        assert booking.order == order
    assert later.ordered_mbq == pytest.approx(at_slot(300, 30))


@pytest.mark.requirement("TS-024")
def test_an_injection_tracer_gives_one_order_for_each_booking(world):
    ProcedureMapping.objects.create(
        procedure_code="H2O",
        endpoint=world.endpoint_a,
        tracer=world.water,
        units=2,
        delay_min=15,
    )
    for number, hour in (("W1", 9), ("W2", 10)):
        make_booking(number, local(MONDAY, hour), procedure_code="H2O")

    orders = order_day(world).orders

    assert [(order.kind, order.injections) for order in orders] == [("injection", 2)] * 2
    assert [order.deliver_at for order in orders] == [local(MONDAY, 9, 15), local(MONDAY, 10, 15)]


@pytest.mark.requirement("TS-024")
def test_only_the_ticked_bookings_are_ordered(world):
    ticked = make_booking("A1", local(MONDAY, 9))
    left = make_booking("A2", local(MONDAY, 9))
    plan = plan_day(world.secretary, MONDAY, only=[ticked.pk], now=NOW)

    order_day(world, booking_ids=[ticked.pk], fingerprint=plan.fingerprint)

    left.refresh_from_db()
    assert left.order is None
    assert Order.objects.get().activity_mbq == ceil(at_slot(300, 105))


@pytest.mark.requirement("TS-024")
def test_one_booking_that_cannot_be_placed_leaves_all_unordered_and_is_named(world):
    make_booking("A1", local(MONDAY, 9))
    make_booking("TOO-EARLY", local(MONDAY, 6))
    keys = list(Booking.objects.values_list("pk", flat=True))

    with pytest.raises(Refused) as refused:
        order_day(world, booking_ids=keys)

    assert refused.value.code == "unplaced"
    (reason,) = refused.value.details
    assert reason.startswith("TOO-EARLY: ")
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-024")
def test_an_order_that_is_refused_takes_the_others_of_the_confirmation_with_it(world):
    ProcedureMapping.objects.create(
        procedure_code="H2O",
        endpoint=world.endpoint_a,
        tracer=world.water,
        units=9,  # more than the catalogue's four
        delay_min=0,
    )
    make_booking("A1", local(MONDAY, 9))
    make_booking("W1", local(MONDAY, 9), procedure_code="H2O")

    with pytest.raises(Refused) as refused:
        order_day(world)

    assert refused.value.code == "too_many_injections"
    assert not Order.objects.exists()
    assert not Booking.objects.filter(order__isnull=False).exists()
    assert not AuditEntry.objects.filter(action="tracershop.order_placed").exists()


@pytest.mark.requirement("TS-024", "TS-002")
@pytest.mark.parametrize(
    ("hinder", "code"),
    [
        (lambda world: ClosedDay.objects.create(day=MONDAY, name="Maintenance"), "closed_day"),
        (lambda world: _expire(world), "no_slot"),
        (lambda world: _deadline_yesterday(), "deadline_passed"),
    ],
)
def test_what_forbids_a_slot_forbids_it_for_bookings_too(world, hinder, code):
    make_booking("A1", local(MONDAY, 9))
    hinder(world)

    plan = plan_day(world.secretary, MONDAY, now=NOW).plan

    assert [each.code for each in plan.unplaced] == [code]
    assert plan.lines == ()


def _expire(world):
    for slot in DeliverySlot.objects.filter(endpoint=world.endpoint_a):
        slot.expires_on = MONDAY - timedelta(days=1)
        slot.save()


def _deadline_yesterday():
    deadline = OrderDeadline.objects.get(order_kind="activity")
    deadline.kind, deadline.weekday = OrderDeadline.Kind.WEEKLY, 3
    deadline.save()


@pytest.mark.requirement("TS-024")
def test_confirming_twice_orders_once(world):
    make_booking("A1", local(MONDAY, 9))
    plan = plan_day(world.secretary, MONDAY, now=NOW)
    again = {"booking_ids": list(plan.bookings), "fingerprint": plan.fingerprint}
    order_day(world, **again)

    with pytest.raises(Refused) as refused:
        order_day(world, **again)

    assert refused.value.code == "plan_changed"
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.requirement("TS-024")
def test_two_people_confirming_at_once_order_once(transactional_db):
    world = shop_world()
    map_fdg(world)
    for number in range(3):
        make_booking(f"A{number}", local(MONDAY, 9 + number))
    plan = plan_day(world.secretary, MONDAY, now=NOW)
    sent = {"booking_ids": list(plan.bookings), "fingerprint": plan.fingerprint}

    results = at_once(
        lambda: order_day(world, **sent),
        lambda: order_day(world, actor=world.superuser, **sent),
    )

    refused = [each for each in results if isinstance(each, Refused)]
    assert [each.code for each in refused] == ["plan_changed"]
    assert Order.objects.count() == 2  # one for each slot
    assert Booking.objects.filter(order__isnull=False).count() == 3


@pytest.mark.requirement("TS-024")
@pytest.mark.parametrize(
    "change",
    [
        lambda world: make_booking("A1", local(MONDAY, 9, 1)),
        lambda world: _move(Booking, starts_at=local(MONDAY, 9, 30)),
        lambda world: _move(Booking, status="cancelled"),
        lambda world: _move(ProcedureMapping, units=400.0),
        lambda world: _move(ProcedureMapping, delay_min=70),
        lambda world: _move(DeliverySlot, pk=world.slot_a.pk, deliver_time="08:20"),
    ],
    ids=["more", "moved", "cancelled", "amount", "delay", "slot"],
)
def test_what_changed_since_the_preview_is_not_ordered_unseen(world, change):
    make_booking("A0", local(MONDAY, 9))
    plan = plan_day(world.secretary, MONDAY, now=NOW)
    change(world)
    keys = list(Booking.objects.values_list("pk", flat=True))

    with pytest.raises(Refused) as refused:
        order_day(world, booking_ids=keys, fingerprint=plan.fingerprint)

    assert refused.value.code == "plan_changed"
    assert not Order.objects.exists()


def _move(model, pk=None, **values):
    row = model.objects.get(pk=pk) if pk else model.objects.first()
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


@pytest.mark.requirement("TS-024")
def test_an_injection_that_moved_since_the_preview_is_not_ordered_unseen(world):
    ProcedureMapping.objects.create(
        procedure_code="H2O", endpoint=world.endpoint_a, tracer=world.water, units=2
    )
    booking = make_booking("W1", local(MONDAY, 9), procedure_code="H2O")
    plan = plan_day(world.secretary, MONDAY, now=NOW)
    booking.starts_at = local(MONDAY, 14)
    booking.save()

    with pytest.raises(Refused) as refused:
        order_day(world, booking_ids=[booking.pk], fingerprint=plan.fingerprint)

    assert refused.value.code == "plan_changed"


@pytest.mark.requirement("TS-024", "TS-006")
def test_nobody_orders_for_bookings_of_another_customer(world):
    booking = make_booking("A1", local(MONDAY, 9))
    plan = plan_day(world.secretary, MONDAY, now=NOW)

    with pytest.raises(Refused) as refused:
        order_day(
            world,
            actor=world.other_secretary,
            booking_ids=[booking.pk],
            fingerprint=plan.fingerprint,
        )

    assert refused.value.code == "plan_changed"
    assert refused.value.details == []
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-100")
def test_an_external_shop_user_does_not_order_from_bookings(world):
    RoomMapping.objects.create(room="B-1", endpoint=world.endpoint_b)
    make_booking("B1", local(MONDAY, 9), room="B-1")

    plan = plan_day(world.external, MONDAY, now=NOW)

    assert plan.bookings == {}


@pytest.mark.requirement("TS-024")
def test_after_the_order_is_deleted_its_bookings_are_in_the_plan_again(world):
    booking = make_booking("A1", local(MONDAY, 9))
    (order,) = order_day(world).orders
    assert plan_day(world.secretary, MONDAY, now=NOW).ordered == [booking]

    delete_order(actor=world.secretary, order_id=order.pk, now=NOW)

    assert list(plan_day(world.secretary, MONDAY, now=NOW).bookings) == [booking.pk]


@pytest.mark.requirement("TS-023", "TS-024")
def test_a_procedure_that_nobody_mapped_is_told_apart(world):
    booking = make_booking("A1", local(MONDAY, 9), procedure_code="NAF")

    plan = plan_day(world.secretary, MONDAY, now=NOW)

    assert plan.unmapped == [booking]
    assert plan.plan.lines == ()


# --- the preview ---------------------------------------------------------------------------------


@pytest.mark.requirement("TS-024")
def test_at_first_every_booking_is_ticked_and_what_came_since_is_too(world):
    first, second = (make_booking(f"A{n}", local(MONDAY, 9)) for n in range(2))
    page = booking_page(world.secretary, MONDAY, NOW)
    assert page.ticked == [first.pk, second.pk]
    new = make_booking("NEW", local(MONDAY, 9))

    page = booking_page(
        world.secretary, MONDAY, NOW, ticked=[first.pk], known=[first.pk, second.pk]
    )

    assert page.ticked == [first.pk, new.pk]
    (order,) = page.orders
    assert order.ordered_mbq == ceil(2 * at_slot(300, 105))
    assert [each.ticked for each in order.bookings] == [True, False, True]


@pytest.mark.requirement("TS-024")
def test_with_nothing_ticked_nothing_would_be_ordered(world):
    booking = make_booking("A1", local(MONDAY, 9))

    page = booking_page(world.secretary, MONDAY, NOW, known=[booking.pk])

    assert (page.ticked, page.order_count, page.fingerprint) == ([], 0, "")
    assert [order.ordered_mbq for order in page.orders] == [None]


@pytest.mark.requirement("TS-024")
def test_the_week_counts_the_bookings_that_are_not_ordered(world):
    make_booking("A1", local(MONDAY, 9))
    order_day(world)
    make_booking("A2", local(MONDAY, 23, 59))
    make_booking("A3", local(MONDAY + timedelta(days=6), 0, 0))
    make_booking("A4", local(MONDAY + timedelta(days=7), 0, 0))

    page = booking_page(world.secretary, MONDAY, NOW)

    assert [number for _, number in page.week] == [1, 0, 0, 0, 0, 0, 1]


@pytest.mark.requirement("TS-023", "TS-006")
def test_only_who_may_map_is_told_of_rooms_that_nobody_mapped(world):
    make_booking("X1", local(MONDAY, 9), room="SOMEWHERE")

    assert booking_page(world.superuser, MONDAY, NOW).unmapped_rooms == 1
    assert booking_page(world.secretary, MONDAY, NOW).unmapped_rooms == 0
