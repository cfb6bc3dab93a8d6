"""A tracer goes from booking to released vial: the whole story in real browsers, on real parts."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from cryptography import x509
from django.utils import timezone
from playwright.sync_api import expect

from portal.documents.sealing import SealState, verify_seal
from tests.e2e import outside
from tests.e2e.conftest import VisitorMaker
from tests.e2e.pages import BoardPage, BookingsPage, OrderPage, ShopPage
from tests.e2e.stack import Stack
from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SECRETARY, OTHER_SECRETARY, RADIOCHEMIST = "Mette Dalgaard", "Bodil Iversen", "Karen Brandt"
CUSTOMER, ENDPOINT = "Nuklearmedicin Nordhavn", "Nordhavn PET/CT 1"
FDG = "[18F]FDG"
ZONE = ZoneInfo("Europe/Copenhagen")


@pytest.mark.requirement(
    *("TS-001", "TS-006", "TS-007", "TS-020", "TS-022", "TS-023", "TS-024", "TS-040", "TS-041"),
    *("TS-060", "TS-062", "TS-080", "TS-081", "TS-083", "TS-086", "TS-120"),
    *("PT-001", "PT-030", "PT-060"),
)
def test_a_tracer_goes_from_booking_to_released_vial(stack: Stack, arrive: VisitorMaker) -> None:
    secretary, radiochemist = arrive(SECRETARY), arrive(RADIOCHEMIST)
    pin = next(person.pin for person in stack.people if person.name == RADIOCHEMIST)
    assert pin

    accession, number = f"E2E{secrets.randbelow(10**8):08d}", 100 + secrets.randbelow(900)
    # a booking comes in over the socket, onto a page that is open already
    shop = ShopPage.of(secretary)
    day = shop.open_first_orderable_day(timezone.localdate(), ENDPOINT, f"{FDG} 16:00")
    bookings = BookingsPage.of(secretary)
    bookings.open(day)
    secretary.mark_page()
    acknowledged = outside.send_booking(
        stack.hl7_port,
        accession=accession,
        starts_at=datetime.combine(day, time(20, 15)),
        procedure="FDG-HELKROP",
        room="PET1",
    )
    assert acknowledged == "AA"
    plan = bookings.planned(accession)
    expect(plan).to_contain_text("20:00")
    # 300 MBq at 20:30 (15 minutes after the booked time) are 362.6 at 20:00
    expect(plan).to_contain_text("363 MBq")
    assert secretary.page_was_never_reloaded()
    assert outside.PATIENT.split("^")[0] not in secretary.page.content()
    kept = stack.rows("SELECT b::text FROM tracershop_booking b WHERE accession = %s", [accession])
    assert outside.PATIENT.split("^")[0] not in kept[0][0]

    # she orders for it with the others of the day
    bookings.order_all()
    booked = bookings.order_number(accession)

    # production has the day open, and sees what she then orders by hand
    board = BoardPage.of(radiochemist)
    board.open(day)
    radiochemist.mark_page()
    expect(board.order(booked)).to_contain_text("Ordered")
    shop.open(day)
    form = shop.begin_order(ENDPOINT, f"{FDG} 16:00")
    form.add_injection("16:30", "300,0")
    form.add_injection("17:15", "200")
    # 300 MBq at 16:30 and 200 at 17:15 are 362.6 and 321.2 at 16:00
    form.button("Calculate").click()
    expect(form.amount).to_have_value("684")
    ordered = form.place()
    expect(board.order(ordered)).to_contain_text("684")
    expect(board.order(ordered)).to_contain_text("855")  # with overhead, 1.25
    assert radiochemist.page_was_never_reloaded()

    # from here on her page is never loaded again
    secretary.mark_page()
    expect(shop.order(ordered)).to_contain_text("Ordered")
    board.open_order(ordered).accept()
    board.says(f"Order {ordered}: accepted.")
    expect(shop.order(ordered)).to_contain_text("Accepted")
    expect(shop.order(booked)).to_contain_text("Ordered")

    # both dispensers write their files; the vials come onto the open board
    radiochemist.mark_page()
    lot, other_lot = (f"FDG-{day:%y%m%d}-{n}" for n in (number, number + 1000))
    outside.write_val_file(
        stack.dispenser_folder,
        customer=f"4-{CUSTOMER}",
        lot=lot,
        filled_at=datetime.combine(day, time(15, 40), ZONE),
        activity_mbq=1100.0,
    )
    outside.write_csv_file(
        stack.dispenser_folder,
        customer=CUSTOMER,
        lot=other_lot,
        filled_at=datetime.combine(day, time(19, 30), ZONE),
        activity_mbq=600.0,
    )
    expect(board.free_vial(lot)).to_contain_text(CUSTOMER, timeout=20_000)
    expect(board.free_vial(other_lot)).to_contain_text(CUSTOMER, timeout=20_000)
    assert radiochemist.page_was_never_reloaded()

    # a wrong PIN releases nothing
    release = board.open_order(ordered).begin_release()
    release.choose_only(lot)
    release.says("Human use")
    assert any("which is not today" in warning for warning in release.warnings())
    release.confirm_warnings()
    radiochemist.expects("status of 422")
    release.release(ordered, "12345678")
    release.says("The signing PIN is wrong.")
    assert not stack.rows("SELECT 1 FROM tracershop_release WHERE order_id = %s", [ordered])
    expect(shop.order(ordered)).to_contain_text("Accepted")

    # the right one does, and her page says so by itself
    release.release(ordered, pin)
    board.says(f"Order {ordered} is released.")
    line = shop.order(ordered)
    expect(line).to_contain_text("Released")
    expect(line).to_contain_text(lot)
    expect(line).to_contain_text(RADIOCHEMIST)
    expect(line).to_contain_text("Human use")
    expect(line).to_contain_text("Valid")
    expect(line).not_to_contain_text(other_lot)
    expect(line.get_by_role("link", name="Release certificate")).to_be_visible(timeout=20_000)
    assert secretary.page_was_never_reloaded()

    # the certificate is a sealed PDF
    name, pdf = shop.download_certificate(ordered)
    assert name.startswith(f"RC-{ordered}-")
    assert name.endswith(".pdf")
    assert pdf.startswith(b"%PDF-")
    assert _seal(pdf, stack) == SealState.INTACT
    assert _seal(pdf.replace(b"/Type", b"/type", 1), stack) != SealState.INTACT

    # nothing of it exists for the other hospital
    _sees_nothing_of(arrive(OTHER_SECRETARY), stack, ordered, lot, day)
    assert stack.manage("signatures_verify").returncode == 0


def _sees_nothing_of(other: Visitor, stack: Stack, order: int, lot: str, day: date) -> None:
    own, foreign = (_customer(stack, name) for name in ("Nuklearmedicin Køge Bugt", CUSTOMER))
    other.expects("status of 404")
    page = OrderPage.of(other)
    assert page.open(order) == 404
    assert lot not in other.page.content()
    assert other.open(f"/tracershop/orders/{order}/certificate/") == 404
    assert other.open(f"/tracershop/shop/?day={day}&customer={foreign}") == 404
    assert other.open(f"/tracershop/shop/?day={day}&customer={own}") == 200
    assert lot not in other.page.content()
    assert f"/tracershop/orders/{order}/" not in other.page.content()
    answers = _subscribe(
        other,
        *(f"tracershop/customer/{own}", f"tracershop/customer/{foreign}"),
        *(f"tracershop/day/{day}", "tracershop/vials"),
    )
    assert answers == {
        f"tracershop/customer/{own}": "subscribed",
        f"tracershop/customer/{foreign}": "refused",
        f"tracershop/day/{day}": "refused",
        "tracershop/vials": "refused",
    }


def _customer(stack: Stack, name: str) -> int:
    return stack.rows("SELECT id FROM tracershop_customer WHERE name = %s", [name])[0].id


def _subscribe(visitor: Visitor, *topics: str) -> dict[str, str]:
    """What the websocket answers to each topic, asked from within a page with its session."""
    return visitor.page.evaluate(
        """topics => new Promise((resolve, reject) => {
             const socket = new WebSocket(`ws://${location.host}/ws/live/`);
             const answers = {};
             socket.onopen = () => socket.send(JSON.stringify({type: "subscribe", topics}));
             socket.onerror = () => reject(new Error("no socket"));
             socket.onmessage = event => {
               const message = JSON.parse(event.data);
               if (message.topic) answers[message.topic] = message.type;
               if (Object.keys(answers).length === topics.length) resolve(answers);
             };
           })""",
        list(topics),
    )


def _seal(pdf: bytes, stack: Stack) -> SealState:
    kept = (stack.keys_folder / "sealing.d").glob("*.pem")
    certificates = [x509.load_pem_x509_certificate(path.read_bytes()) for path in kept]
    # in a thread: pyHanko starts an event loop, and here Playwright's is running
    with ThreadPoolExecutor() as threads:
        return threads.submit(verify_seal, pdf, certificates).result()


@pytest.mark.requirement("PT-023", "TS-121")
def test_a_row_of_the_audit_trail_changed_by_raw_sql_is_found_and_named(stack: Stack) -> None:
    entry = stack.rows(
        "SELECT id, reason FROM audit_auditentry WHERE action = 'tracershop.order_released'"
        " ORDER BY id LIMIT 1"
    )[0]

    def write(reason: str) -> None:
        with stack.triggers_disabled() as connection:
            connection.execute(
                "UPDATE audit_auditentry SET reason = %s WHERE id = %s", [reason, entry.id]
            )

    write("It was quite all right")
    try:
        found = stack.manage("audit_verify")
    finally:
        write(entry.reason)
    assert found.returncode == 1
    named = [line for line in found.stderr.splitlines() if line.startswith("trail: ")]
    assert len(named) == 1
    assert f"entry {entry.id} " in named[0]
    # and with the row as it was, both chains are sound
    sound = stack.manage("audit_verify")
    assert sound.returncode == 0, sound.stderr
