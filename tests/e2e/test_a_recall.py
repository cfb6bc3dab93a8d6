"""A whole production day from three people's sides, up to the recall of what was released."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.e2e import outside
from tests.e2e.conftest import VisitorMaker
from tests.e2e.pages import BatchPage, BoardPage, OrderPage, PortalPage, ReleasePage, ShopPage
from tests.e2e.stack import Stack
from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SECRETARY, RADIOCHEMIST, COLLEAGUE = "Mette Dalgaard", "Karen Brandt", "Thomas Ejlersen"
CUSTOMER, ENDPOINT, DELIVERY = "Nuklearmedicin Nordhavn", "Nordhavn PET/CT 1", "[18F]FDG 13:30"
ZONE = ZoneInfo("Europe/Copenhagen")


@pytest.mark.requirement(
    *("TS-044", "TS-045", "TS-046", "TS-063", "TS-080", "TS-083", "TS-086", "TS-087", "TS-120")
)
def test_a_day_is_planned_released_shipped_and_its_batch_recalled(
    stack: Stack, arrive: VisitorMaker
) -> None:
    secretary, radiochemist, colleague = (
        arrive(name) for name in (SECRETARY, RADIOCHEMIST, COLLEAGUE)
    )
    pins = {person.name: person.pin for person in stack.people}
    pin, other_pin = pins[RADIOCHEMIST], pins[COLLEAGUE]
    assert pin
    assert other_pin

    # the secretary orders
    shop = ShopPage.of(secretary)
    day = shop.open_first_orderable_day(timezone.localdate(), ENDPOINT, DELIVERY)
    form = shop.begin_order(ENDPOINT, DELIVERY)
    form.amount.fill("800")
    number = form.place()

    # the radiochemist sees what the day needs, and accepts
    assert radiochemist.open(f"/tracershop/plan/?day={day:%Y-%m-%d}") == 200
    PortalPage.of(radiochemist).says("End of synthesis")
    order = OrderPage.of(radiochemist)
    order.open(number)
    order.accept()

    # two vials are dispensed; the planner gives the order what it needs
    lot = f"FDG-{day:%y%m%d}-{2000 + secrets.randbelow(7000)}"
    for position, mbq in enumerate((1100.0, 300.0)):
        outside.write_val_file(
            stack.dispenser_folder,
            customer=f"4-{CUSTOMER}",
            lot=lot,
            filled_at=datetime.combine(day, time(13, 5 + position), ZONE),
            activity_mbq=mbq,
        )
    board = BoardPage.of(radiochemist)
    board.open(day)
    expect(board.free_vial(lot)).to_have_count(2, timeout=20_000)
    assert radiochemist.open(f"/tracershop/planner/?day={day:%Y-%m-%d}") == 200
    planner = PortalPage.of(radiochemist)
    planner.button("Allocate as planned").click()
    expect(planner.page).to_have_url(re.compile("/tracershop/board/"))
    allocated = stack.rows("SELECT 1 FROM tracershop_vial WHERE order_id = %s", [number])
    assert allocated

    # quality control has a batch with a verdict; her colleague gives it
    assert radiochemist.open(f"/tracershop/batches/new/?lot={lot}") == 200
    page = radiochemist.page
    page.get_by_label("Calibrated on").fill(f"{day:%Y-%m-%d}")
    page.locator("[name=calibrated_clock]").fill("12:30")
    page.get_by_label("Activity at calibration (MBq)").fill("60000")
    page.get_by_role("button", name="Make the batch").click()
    PortalPage.of(radiochemist).says("in quarantine")
    batch = stack.rows("SELECT id FROM tracershop_batch WHERE lot = %s", [lot])[0].id
    verdict = BatchPage.of(colleague)
    verdict.open(batch)
    verdict.release_fully(lot, other_pin)

    # released, and on its way with its papers
    shop.open(day)
    secretary.mark_page()
    release = ReleasePage.of(radiochemist)
    release.open(number)
    release.confirm_warnings()
    release.release(number, pin)
    expect(shop.order(number)).to_contain_text("Released")
    assert radiochemist.open(f"/tracershop/shipments/make/?order={number}") == 200
    packing = PortalPage.of(radiochemist)
    packing.page.get_by_label(re.compile("surface")).first.fill("0,12")
    packing.page.get_by_label(re.compile("1 m")).first.fill("0,004")
    packing.button("Ship and issue the papers").click()
    PortalPage.of(radiochemist).says("Transport document")
    shipment = int(radiochemist.path().rstrip("/").split("/")[-1])
    for word in ("delivery-note", "transport-document"):
        answer = radiochemist.page.request.get(f"/tracershop/shipments/{shipment}/{word}.pdf")
        assert answer.status == 200
        assert answer.body().startswith(b"%PDF-")

    _recall(stack, batch, lot, number, pin, secretary, radiochemist)


def _recall(
    stack: Stack,
    batch: int,
    lot: str,
    number: int,
    pin: str,
    secretary: Visitor,
    radiochemist: Visitor,
) -> None:
    """The drill: sterility fails; the customer is told, answers, and the recall is closed."""
    page = BatchPage.of(radiochemist)
    page.open(batch)
    page.recall(
        lot, pin, reason="Sterility test positive", instructions="Set aside what is left of it."
    )
    PortalPage.of(radiochemist).says("Recall of batch")
    assert radiochemist.look("recall") == []
    assert stack.rows("SELECT status FROM tracershop_batch WHERE id = %s", [batch]) == [
        ("recalled",)
    ]

    # she finds it among her tasks, and answers; production's page says so by itself
    radiochemist.mark_page()
    assert secretary.open("/notifications/tasks/") == 200
    secretary.page.get_by_role("link", name=re.compile("[Rr]ecall")).first.click()
    notice = PortalPage.of(secretary)
    notice.says("Do not use what is left of this batch")
    assert secretary.look("recall-notice") == []
    secretary.page.get_by_label("not used, set aside").check()
    secretary.page.get_by_label("Answer to production").fill("Stands in the lead safe.")
    notice.button("Acknowledge the recall").click()
    PortalPage.of(secretary).says("You have acknowledged this recall")
    expect(radiochemist.page.get_by_role("main")).to_contain_text("Stands in the lead safe.")
    assert radiochemist.page_was_never_reloaded()

    # nothing of it can be released any more, and the order says what became of it
    order = OrderPage.of(radiochemist)
    assert order.open(number) == 200
    order.says(f"Batch {lot} is recalled")
