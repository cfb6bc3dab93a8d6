"""Appointments over the real MLLP listener: from the sender's socket to the booking (TS-020)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from math import ceil

import pytest
from hl7.client import MLLPClient
from tracershop.models import Booking, BookingChange

from portal.inbox.hl7_listener import Listener
from portal.inbox.models import InboundMessage
from portal.inbox.services import process_waiting
from tests.tracershop.factories import FDG_HALF_LIFE_S, MONDAY, local, map_fdg, shop_world
from tests.tracershop.test_services_booking_changes import order_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("TS-020")]
HOST = "127.0.0.1"
PATIENT = "PID|1||0102031234^^^CPR||Jørgensen^Sørine||19030201|F|||Æblevej 2^^Køge"


@contextmanager
def listening():
    listener = Listener(HOST, 0)
    thread = threading.Thread(target=listener.serve)
    thread.start()
    try:
        yield listener.port
    finally:
        listener.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def world(transactional_db):
    world = shop_world()
    map_fdg(world)
    return world


@pytest.fixture
def send(world):
    """Sends over one connection, as a RIS does; gives MSA-1 and what became of the message."""
    with listening() as port, MLLPClient(HOST, port) as client:

        def sent(raw):
            answer = client.send_message(raw).decode("latin-1")
            code = answer.split("\rMSA|")[1][:2]
            process_waiting("hl7")
            kept = InboundMessage.objects.order_by("-pk").first()
            return code, kept.outcome if kept else ""

        yield sent


def appointment(trigger, control, *, start="20261123090000", status="Booked", resources=None):
    """An appointment as scheduling systems send it: patient, visit, people and notes in it."""
    schedule = [
        "SCH",
        "10345^RIS",
        "2196178^RIS",
        "",
        "",
        "10345",
        "ROUTINE^^HL70276",
        "Control of treatment",
        "OUTP^^HL70277",
        "60",
        "min",
        f"^^60^{start}^20261123100000",
        *[""] * 4,
        "ØST^Sekretær^Sanne",
        *[""] * 8,
        status,
        "DKREGH0023459112^RIS",
        "F778^RIS",
    ]
    lines = (
        f"MSH|^~\\&|RIS|RH|Portal|PET|20261120081500||SIU^{trigger}^SIU_S12|{control}|P|2.5.1",
        "|".join(schedule),
        "NTE|1||Patient needs an interpreter",
        PATIENT,
        "PV1|1|O|PET^^^RH||||ØST^Læge^Lise",
        *(resources or RESOURCES),
    )
    return "".join(f"{line}\r" for line in lines).encode("latin-1")


def service(code="FDG-WB", action="A"):
    return f"AIS|1|{action}|{code}^PET/CT, FDG helkrop^L|20261123090000|0|min|60|min|NO|Booked"


def location(room="PET-1", action="A"):
    return f"AIL|1|{action}|RH^{room}^^RH^^^^^Scanner|SCAN|||20261123090000||||60|min"


PERSONNEL = "AIP|1|A|771^Bioanalytiker^Bo|TECH|||20261123090000"
RESOURCES = ("RGS|1|A", service(), location(), PERSONNEL)


def booking():
    return Booking.objects.get()


def test_a_new_appointment_is_a_booking_without_its_patient(world, send):
    assert send(appointment("S12", "1")) == ("AA", "booked")

    found = booking()
    assert (found.accession, found.procedure_code) == ("DKREGH0023459112", "FDG-WB")
    assert (found.starts_at, found.room) == (local(MONDAY, 9), "PET-1")
    assert found.procedure_text == "PET/CT, FDG helkrop"
    assert found.endpoint == world.endpoint_a


def test_it_is_rescheduled_modified_and_cancelled(world, send):
    send(appointment("S12", "1"))

    assert send(appointment("S13", "2", start="20261123103000")) == ("AA", "changed")
    assert booking().starts_at == local(MONDAY, 10, 30)
    moved = ("RGS|1|A", service("FDG-BRAIN"), location("PET-1", "D"), location("PET-2"))
    outcome = send(appointment("S14", "3", start="20261123103000", resources=moved))
    assert outcome == ("AA", "changed")
    assert (booking().procedure_code, booking().room) == ("FDG-BRAIN", "PET-2")
    assert send(appointment("S15", "4", status="Cancelled")) == ("AA", "cancelled")
    assert booking().status == "cancelled"


@pytest.mark.requirement("TS-025")
def test_a_rescheduled_appointment_reaches_the_order_that_was_placed_for_it(world, send):
    send(appointment("S12", "1"))
    order_all(world)

    send(appointment("S13", "2", start="20261123093000"))

    change = BookingChange.objects.get()
    needed = ceil(300 * 2 ** (135 * 60 / FDG_HALF_LIFE_S))
    assert (change.what, change.proposed_mbq) == ("moved", needed)


@pytest.mark.requirement("TS-021")
def test_the_same_message_again_has_one_effect(world, send):
    send(appointment("S12", "1"))

    assert send(appointment("S12", "1"))[0] == "AA"
    assert InboundMessage.objects.count() == 1


def test_one_that_has_begun_changes_nothing(world, send):
    send(appointment("S12", "1"))

    assert send(appointment("S14", "2", start="20261123120000", status="Started")) == (
        "AA",
        "no change",
    )
    assert booking().starts_at == local(MONDAY, 9)


def test_orders_in_an_appointment_are_bookings_of_their_own(world, send):
    orders = []
    for number, start in ((1, "20261123080000"), (2, "20261123093000")):
        orc = ["ORC", "NW"] + [""] * 19
        orc[7], orc[20] = f"^^^{start}", f"ACC-{number}"
        obr = ["OBR", str(number)] + [""] * 20
        obr[4], obr[21] = "FDG-WB^PET/CT", "PET-1"
        orders += ["|".join(orc), "|".join(obr)]

    assert send(appointment("S12", "1", resources=(*RESOURCES, *orders))) == (
        "AA",
        "booked, booked",
    )
    starts = dict(Booking.objects.values_list("accession", "starts_at"))
    assert starts == {"ACC-1": local(MONDAY, 8), "ACC-2": local(MONDAY, 9, 30)}


@pytest.mark.requirement("TS-021")
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (appointment("S12", "1", start="soon"), "AE"),
        (appointment("S12", "1", resources=("RGS|1|A", service())), "AE"),
        (appointment("S12", "1", resources=(*RESOURCES, location("PET-2"))), "AE"),
        (appointment("S17", "1"), "AR"),
        (appointment("S26", "1"), "AR"),
    ],
    ids=["no time", "no room", "two rooms", "deletion", "no show"],
)
def test_what_cannot_be_understood_is_said_and_books_nothing(world, send, raw, code):
    assert send(raw)[0] == code
    assert not Booking.objects.exists()


@pytest.mark.requirement("TS-022")
def test_the_patient_is_in_nothing_that_is_kept(world, send):
    from portal.inbox.services import read_raw

    send(appointment("S12", "1"))

    kept = read_raw(InboundMessage.objects.get()).decode("latin-1")
    for word in ("Jørgensen", "0102031234", "interpreter", "Sanne", "Lise", "Control", "Bo|"):
        assert word not in kept
    assert "DKREGH0023459112" in kept
