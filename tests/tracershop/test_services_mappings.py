"""What rooms and procedures mean: said by superusers, for the customers they represent."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from tracershop.models import Booking, ProcedureMapping, RoomMapping
from tracershop.selectors.booking_page import rooms_waiting
from tracershop.selectors.mapping_page import procedures_waiting, tracers_of
from tracershop.selectors.mapping_preview import preview_mapping
from tracershop.services.mappings import (
    end_procedure_mapping,
    end_room_mapping,
    map_procedure,
    map_room,
)

from portal.audit.models import AuditEntry
from portal.records.errors import Refused, StaleRecord
from tests.support.threads import at_once
from tests.tracershop.factories import (
    FDG_HALF_LIFE_S,
    MONDAY,
    NOW,
    local,
    make_booking,
    make_order,
    map_fdg,
    shop_world,
)

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("TS-023")]


@pytest.fixture
def world():
    return shop_world()


def say(world, **values):
    fields = {
        "actor": world.superuser,
        "procedure_code": "FDG-WB",
        "endpoint_id": world.endpoint_a.pk,
        "tracer_id": world.fdg.pk,
        "units": 300.0,
        "delay_min": 60,
    }
    return map_procedure(**(fields | values))


def refusal(act, *args, **values):
    with pytest.raises(Refused) as refused:
        act(*args, **values)
    return refused.value.code


def test_mapping_a_room_places_the_bookings_that_waited_for_it(world):
    waiting = make_booking("A1", local(MONDAY, 9))
    elsewhere = make_booking("A2", local(MONDAY, 9), room="PET-2")

    map_room(actor=world.superuser, room="PET-1", endpoint_id=world.endpoint_a.pk)

    waiting.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (waiting.endpoint, elsewhere.endpoint) == (world.endpoint_a, None)
    entry = AuditEntry.objects.get(action="tracershop.room_mapped")
    assert entry.data == {"room": "PET-1", "endpoint": ["", "Nordby PET"]}


def test_an_ordered_booking_stays_where_it_was_ordered(world):
    mapping = map_fdg(world)
    booking = make_booking("A1", local(MONDAY, 9), order=make_order(world))

    end_room_mapping(actor=world.superuser, mapping_id=RoomMapping.objects.get().pk, reason="moved")

    booking.refresh_from_db()
    assert booking.endpoint == mapping.endpoint


def test_a_room_whose_mapping_ended_waits_again(world):
    map_fdg(world)
    booking = make_booking("A1", local(MONDAY, 9))

    end_room_mapping(actor=world.superuser, mapping_id=RoomMapping.objects.get().pk, reason="moved")

    booking.refresh_from_db()
    assert booking.endpoint is None
    assert rooms_waiting(NOW) == [{"room": "PET-1", "waiting": 1, "next_at": local(MONDAY, 9)}]
    assert RoomMapping.all_objects.count() == 1


def test_a_room_is_only_mapped_to_an_endpoint_that_one_represents(world):
    act = {"actor": world.superuser, "room": "PET-1", "endpoint_id": world.endpoint_b.pk}

    assert refusal(map_room, **act) == "gone"


@pytest.mark.requirement("TS-006")
def test_a_room_of_another_customer_is_not_taken_over(world):
    RoomMapping.objects.create(room="B-1", endpoint=world.endpoint_b)

    act = {"actor": world.superuser, "room": "B-1", "endpoint_id": world.endpoint_a.pk}

    assert refusal(map_room, **act) == "other_customer"
    assert RoomMapping.objects.get().endpoint == world.endpoint_b


@pytest.mark.requirement("TS-100")
@pytest.mark.parametrize("who", ["secretary", "other_secretary", "external", "producer"])
def test_only_a_superuser_maps(world, who):
    actor = getattr(world, who)

    room = {"actor": actor, "room": "PET-1", "endpoint_id": world.endpoint_a.pk}
    assert refusal(map_room, **room) == "gone"
    assert refusal(say, world, actor=actor) == "gone"


def test_a_procedure_says_tracer_amount_and_delay(world):
    mapping = say(world)

    assert (mapping.tracer, mapping.units, mapping.delay_min) == (world.fdg, 300.0, 60)
    assert AuditEntry.objects.filter(action="tracershop.procedure_mapped").exists()


def test_a_changed_procedure_keeps_old_and_new_on_record(world):
    mapping = say(world)

    say(world, units=350.0, expected_version=mapping.version)

    entry = AuditEntry.objects.order_by("-pk").first()
    assert entry.data == {"units": ["300.0", "350.0"]}
    assert ProcedureMapping.objects.get().units == 350.0


@pytest.mark.requirement("PT-022")
def test_the_second_to_save_a_procedure_is_told(world):
    opened = say(world).version
    say(world, units=350.0, expected_version=opened)

    with pytest.raises(StaleRecord):
        say(world, units=400.0, expected_version=opened)


@pytest.mark.parametrize("units", [0, -3, math.nan, math.inf])
def test_an_amount_that_nobody_can_inject_is_refused(world, units):
    assert refusal(say, world, units=units) == "units"


def test_injections_are_whole_numbers(world):
    assert refusal(say, world, tracer_id=world.water.pk, units=1.5) == "units"
    assert say(world, tracer_id=world.water.pk, units=2.0).units == 2


@pytest.mark.parametrize("delay", [-24 * 60, 24 * 60])
def test_a_delay_is_less_than_a_day(world, delay):
    assert refusal(say, world, delay_min=delay) == "delay"


@pytest.mark.requirement("TS-001")
def test_a_procedure_needs_a_tracer_of_the_endpoints_catalogue(world):
    for entry in world.endpoint_a.catalogue.filter(tracer=world.fdg):
        entry.deleted_at = local(MONDAY, 8)
        entry.save()

    assert refusal(say, world) == "not_in_catalogue"


def test_a_procedure_whose_mapping_ended_waits_again(world):
    mapping = map_fdg(world)
    make_booking("A1", local(MONDAY, 9))

    end_procedure_mapping(actor=world.superuser, mapping_id=mapping.pk, reason="moved")

    (row,) = procedures_waiting(world.superuser, NOW)
    assert (row["procedure_code"], row["waiting"]) == ("FDG-WB", 1)
    assert ProcedureMapping.all_objects.count() == 1


@pytest.mark.requirement("TS-006")
def test_mappings_of_another_customer_are_not_there_to_end(world):
    room = RoomMapping.objects.create(room="B-1", endpoint=world.endpoint_b)
    procedure = ProcedureMapping.objects.create(
        procedure_code="X", endpoint=world.endpoint_b, tracer=world.fdg, units=1
    )

    act = {"actor": world.superuser, "reason": "moved"}
    assert refusal(end_room_mapping, **act, mapping_id=room.pk) == "gone"
    assert refusal(end_procedure_mapping, **act, mapping_id=procedure.pk) == "gone"


@pytest.mark.requirement("TS-006")
def test_of_rooms_that_are_nobodys_only_code_and_number_are_told(world):
    make_booking("SECRET-1", local(MONDAY, 9), room="B-7")
    make_booking("SECRET-2", local(MONDAY, 9), room="B-7")
    make_booking("SECRET-3", local(MONDAY, 9), room="B-8", status=Booking.Status.CANCELLED)

    assert rooms_waiting(NOW) == [{"room": "B-7", "waiting": 2, "next_at": local(MONDAY, 9)}]


def test_the_most_urgent_stands_first(world):
    """Not the one with the most bookings; what is over is not told."""
    for number in range(3):
        make_booking(f"L{number}", local(MONDAY + timedelta(days=2), 9 + number), room="LATER")
    make_booking("S1", local(MONDAY, 8), room="SOON")
    make_booking("P1", NOW - timedelta(days=1), room="PAST")
    map_fdg(world)
    make_booking("A1", local(MONDAY + timedelta(days=1), 9), procedure_code="SECOND")
    make_booking("A2", local(MONDAY, 9), procedure_code="FIRST")

    assert [row["room"] for row in rooms_waiting(NOW)] == ["SOON", "LATER"]
    waiting = procedures_waiting(world.superuser, NOW)
    assert [row["procedure_code"] for row in waiting] == ["FIRST", "SECOND"]


def test_a_room_that_was_mapped_meanwhile_is_not_mapped_over_unseen(world):
    map_room(actor=world.superuser, room="PET-1", endpoint_id=world.endpoint_a.pk)

    with pytest.raises(StaleRecord):
        map_room(
            actor=world.superuser,
            room="PET-1",
            endpoint_id=world.endpoint_a.pk,
            expected_version=0,
        )


def test_ending_a_mapping_needs_a_reason_that_the_audit_trail_keeps(world):
    mapping = map_fdg(world)
    act = {"actor": world.superuser, "mapping_id": mapping.pk}
    room = {"actor": world.superuser, "mapping_id": RoomMapping.objects.get().pk}

    assert refusal(end_procedure_mapping, **act, reason="") == "reason_needed"
    assert refusal(end_room_mapping, **room, reason=" ") == "reason_needed"
    end_procedure_mapping(**act, reason="new scanner")
    entry = AuditEntry.objects.get(action="tracershop.procedure_unmapped")
    assert entry.reason == "new scanner"


def test_a_bare_isotope_is_not_what_a_procedure_needs(world):
    world.fdg.kind = "isotope"
    world.fdg.save()

    assert refusal(say, world) == "isotope"
    assert world.fdg not in tracers_of(world.endpoint_a)


@pytest.mark.django_db(transaction=True)
def test_two_people_who_map_a_room_for_the_first_time_at_once(transactional_db):
    world = shop_world()
    act = {"actor": world.superuser, "room": "PET-1", "endpoint_id": world.endpoint_a.pk}

    results = at_once(*[lambda: map_room(**act, expected_version=0)] * 2)

    (fault,) = [each for each in results if isinstance(each, Exception)]
    assert isinstance(fault, StaleRecord) or fault.code == "taken"
    assert RoomMapping.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_who_map_a_procedure_for_the_first_time_at_once(transactional_db):
    world = shop_world()

    results = at_once(
        lambda: say(world, expected_version=0), lambda: say(world, units=2.0, expected_version=0)
    )

    (fault,) = [each for each in results if isinstance(each, Exception)]
    assert isinstance(fault, StaleRecord) or fault.code == "taken"
    assert ProcedureMapping.objects.count() == 1


# --- the preview ---------------------------------------------------------------------------------


def unsaved(world, **values):
    fields = {
        "procedure_code": "FDG-WB",
        "endpoint": world.endpoint_a,
        "tracer": world.fdg,
        "units": 300.0,
        "delay_min": 60,
    }
    return ProcedureMapping(**(fields | values))


def test_the_preview_says_what_a_mapping_would_order(world):
    RoomMapping.objects.create(room="PET-1", endpoint=world.endpoint_a)
    for number, at in enumerate((local(MONDAY, 8), local(MONDAY, 9), local(MONDAY, 6))):
        make_booking(f"A{number}", at)
    make_booking("T1", local(MONDAY + timedelta(days=1), 8))

    monday, tuesday = preview_mapping(world.superuser, unsaved(world), NOW)

    (order,) = monday.orders
    needed = sum(300 * 2 ** (minutes * 60 / FDG_HALF_LIFE_S) for minutes in (45, 105))
    assert (order.bookings, order.ordered_mbq) == (2, math.ceil(needed))
    assert order.at == local(MONDAY, 8, 15)
    assert [n for _reason, n in monday.left_out] == [1]
    assert [order.bookings for order in tuesday.orders] == [1]
    assert not ProcedureMapping.objects.exists()


@pytest.mark.requirement("TS-006")
def test_the_preview_counts_no_booking_of_another_customer(world):
    RoomMapping.objects.create(room="B-1", endpoint=world.endpoint_b)
    make_booking("B1", local(MONDAY, 9), room="B-1")
    mapping = unsaved(world, endpoint=world.endpoint_b)

    assert preview_mapping(world.superuser, mapping, NOW) == []
