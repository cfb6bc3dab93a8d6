"""By keyboard alone, without JavaScript, with the site gone for a while, and two at once."""

from __future__ import annotations

import secrets
import time as clock
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.e2e import outside
from tests.e2e.conftest import VisitorMaker
from tests.e2e.pages import BoardPage, OrderPage, ReleasePage, ShopPage
from tests.e2e.stack import Stack
from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SECRETARY, RADIOCHEMIST, OTHER_RADIOCHEMIST = "Mette Dalgaard", "Karen Brandt", "Thomas Ejlersen"
TRAINEE = "Jens Friis"
CUSTOMER, ENDPOINT, DELIVERY = "Nuklearmedicin Nordhavn", "Nordhavn PET/CT 1", "[18F]FDG 10:45"
ZONE = ZoneInfo("Europe/Copenhagen")
FOCUS_IS_DRAWN = """() => {
  const style = getComputedStyle(document.activeElement);
  return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
    || style.boxShadow !== "none";
}"""
FOCUSED = """() => {
  const element = document.activeElement;
  const labelled = element.labels?.length ? element.labels[0].innerText : "";
  return (element.getAttribute("aria-label") || labelled || element.innerText || "").trim();
}"""


def _order(secretary: Visitor, mbq: str = "500") -> tuple[int, date]:
    """She orders by hand; the order and its day. She stays on the shop's page of that day."""
    shop = ShopPage.of(secretary)
    day = shop.open_first_orderable_day(timezone.localdate(), ENDPOINT, DELIVERY)
    form = shop.begin_order(ENDPOINT, DELIVERY)
    form.amount.fill(mbq)
    return form.place(), day


def _accept(radiochemist: Visitor, number: int) -> None:
    order = OrderPage.of(radiochemist)
    order.open(number)
    order.accept()
    order.says(f"Order {number}: accepted.")


def _dispense(stack: Stack, day: date) -> str:
    """A vial for the delivery; its lot."""
    lot = f"FDG-{day:%y%m%d}-{2000 + secrets.randbelow(7000)}"
    outside.write_val_file(
        stack.dispenser_folder,
        customer=f"4-{CUSTOMER}",
        lot=lot,
        filled_at=datetime.combine(day, time(10, 20), ZONE),
        activity_mbq=900.0,
    )
    return lot


def _pin(stack: Stack, name: str) -> str:
    pin = next(person.pin for person in stack.people if person.name == name)
    assert pin
    return pin


def _tab_to(page: Page, words: str, *, key: str = "Tab", within: int = 60) -> None:
    """Go on with Tab until the focus is on what is called so; it must always be seen."""
    passed = []
    for _ in range(within):
        page.keyboard.press(key)
        name = " ".join(page.evaluate(FOCUSED).split())
        assert page.evaluate(FOCUS_IS_DRAWN), f"the focus is not seen on {name!r}"
        if words in name:
            return
        passed.append(name)
    raise AssertionError(f"Tab does not come to {words!r}, only to {passed}")


@pytest.mark.requirement("TS-001", "PT-001")
def test_a_secretary_logs_in_and_orders_with_the_keyboard_alone(
    stack: Stack, arrive: VisitorMaker
) -> None:
    secretary = arrive()
    page = secretary.page
    secretary.open("/")
    _tab_to(page, "Log in with regional ID")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Who are you today?")).to_be_visible()
    _tab_to(page, SECRETARY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("banner").get_by_text(SECRETARY).first).to_be_visible()
    _tab_to(page, "Orders")
    page.keyboard.press("Enter")
    shop = ShopPage.of(secretary)
    shop.open_first_orderable_day(timezone.localdate(), ENDPOINT, DELIVERY)
    before = shop.orders()
    _tab_to(page, "Order… [18F]FDG 10:45")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    _tab_to(page, "Activity at delivery")
    page.keyboard.type("512,5")
    _tab_to(page, "Comment")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == "Order"
    page.keyboard.press("Enter")
    shop.says("is placed:")
    (number,) = shop.orders() - before
    query = "SELECT activity_mbq, comment FROM tracershop_order WHERE id = %s"
    assert stack.rows(query, [number]) == [(512.5, "By keyboard")]
    # Escape leaves a dialog, and the focus is back where it came from
    _tab_to(page, "Order… [18F]FDG 10:45")
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert "10:45" in page.evaluate(FOCUSED)


@pytest.mark.requirement("PT-060", "TS-120")
def test_a_page_says_that_its_updates_are_paused_and_catches_up_when_the_site_is_back(
    stack: Stack, arrive: VisitorMaker
) -> None:
    secretary, radiochemist = arrive(SECRETARY), arrive(RADIOCHEMIST)
    number, _day = _order(secretary)
    shop = ShopPage.of(secretary)
    secretary.mark_page()
    expect(shop.live_state).to_be_hidden()
    for visitor in (secretary, radiochemist):  # what the browser says while nobody answers
        visitor.expects("WebSocket connection to .* failed|ERR_CONNECTION_REFUSED|ERR_EMPTY")
        visitor.expects("htmx:(sendError|afterRequest)")
    stack.site.stop()
    try:
        expect(shop.live_state).to_be_visible(timeout=10_000)
        expect(shop.order(number)).to_be_visible()  # what was there stays
    finally:
        stack.site.start_again()
    _accept(radiochemist, number)
    expect(shop.live_state).to_be_hidden(timeout=40_000)
    expect(shop.order(number)).to_contain_text("Accepted", timeout=15_000)
    assert secretary.page_was_never_reloaded()


@pytest.mark.requirement("TS-080", "TS-082", "TS-085")
def test_two_releases_at_the_same_moment_are_one_and_the_uncertified_person_gets_none(
    stack: Stack, arrive: VisitorMaker
) -> None:
    number, day = _order(arrive(SECRETARY))
    people = {name: arrive(name) for name in (RADIOCHEMIST, OTHER_RADIOCHEMIST, TRAINEE)}
    _accept(people[RADIOCHEMIST], number)
    board = BoardPage.of(people[RADIOCHEMIST])
    lot = _dispense(stack, day)
    expect(board.free_vial(lot)).to_be_visible(timeout=20_000)
    pages = {}
    for name, visitor in people.items():
        pages[name] = ReleasePage.of(visitor)
        pages[name].open(number)
        pages[name].choose_only(lot)
        pages[name].confirm_warnings()
        pages[name].type_pin(_pin(stack, name))

    # who is not certified is told so before, and again when trying all the same
    trainee = pages[TRAINEE]
    trainee.says("You are not certified for this tracer.")
    people[TRAINEE].expects("status of 422")
    trainee.release_button(number).click()
    refusal = trainee.page.get_by_role("alert")
    expect(refusal).to_contain_text("You are not certified for this tracer.")
    assert not stack.rows("SELECT 1 FROM tracershop_release WHERE order_id = %s", [number])

    # both certified ones press at the same millisecond
    both = [pages[RADIOCHEMIST], pages[OTHER_RADIOCHEMIST]]
    at_ms = (clock.time() + 1.0) * 1000
    for each in both:
        each.release_button(number).evaluate(
            "(button, at) => { setTimeout(() => button.click(), at - Date.now()); }", at_ms
        )
    told = []
    for each in both:
        expect(each.page).to_have_url(f"{stack.site.url}/tracershop/board/?day={day}")
        told.append(
            "first" if each.main.get_by_text(f"Order {number} is released.").count() else "second"
        )
        if told[-1] == "second":
            each.says(f"Order {number} was released already.")
    assert sorted(told) == ["first", "second"]
    releases = stack.rows(
        "SELECT r.lots, u.name FROM tracershop_release r"
        " JOIN accounts_user u ON u.id = r.released_by_id WHERE r.order_id = %s",
        [number],
    )
    winner = (RADIOCHEMIST, OTHER_RADIOCHEMIST)[told.index("first")]
    assert [(row.lots, row.name) for row in releases] == [([lot], winner)]


@pytest.mark.requirement("TS-001", "TS-007", "TS-041")
def test_ordering_and_accepting_work_without_javascript(arrive: VisitorMaker) -> None:
    secretary = arrive(SECRETARY, java_script_enabled=False)
    shop = ShopPage.of(secretary)
    shop.open_first_orderable_day(timezone.localdate(), ENDPOINT, DELIVERY)
    form = shop.begin_order(ENDPOINT, DELIVERY)
    form.add_injection("11:45", "250")
    form.add_injection("12:30", "100,5")
    form.button("Calculate").click()
    # 250 MBq at 11:45 and 100.5 at 12:30 are 365.2 and 195.0 at 10:45
    expect(form.amount).to_have_value("561")
    number = form.place()
    expect(shop.order(number)).to_contain_text("561 MBq")
    radiochemist = arrive(RADIOCHEMIST, java_script_enabled=False)
    _accept(radiochemist, number)
    expect(BoardPage.of(radiochemist).order(number)).to_contain_text("Accepted")
