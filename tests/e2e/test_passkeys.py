"""A passkey in a real browser: Chromium with a virtual authenticator registers one and signs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import CDPSession, expect

from tests.e2e import outside
from tests.e2e.conftest import VisitorMaker
from tests.e2e.pages import BoardPage, LoginPage, OrderPage, PortalPage, ReleasePage, SigningPage
from tests.e2e.stack import Stack
from tests.e2e.visitor import Visitor
from tests.support.browsers import Browsers

pytestmark = [pytest.mark.browser, pytest.mark.processes]

ZONE = ZoneInfo("Europe/Copenhagen")
RADIOCHEMIST, ADMINISTRATOR = "Karen Brandt", "Birgitte Kjærsgaard"


class Device:
    """A device that makes passkeys and knows its user, or does not."""

    def __init__(self, visitor: Visitor) -> None:
        self.session: CDPSession = visitor.context.new_cdp_session(visitor.page)
        self.session.send("WebAuthn.enable")
        made = self.session.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                }
            },
        )
        self.id: str = made["authenticatorId"]

    def knows_its_user(self, verified: bool) -> None:
        self.session.send(
            "WebAuthn.setUserVerified",
            {"authenticatorId": self.id, "isUserVerified": verified},
        )

    def passkeys(self) -> list[dict[str, Any]]:
        found = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return list(found["credentials"])


@pytest.fixture
def arrive_by_name(stack: Stack, chromium: Browsers) -> Generator[Callable[[str], Visitor]]:
    """Somebody logged in at http://localhost: passkeys want a name, and 127.0.0.1 is none."""
    visitors: list[Visitor] = []
    browser = chromium.drawing()

    def make(name: str) -> Visitor:
        by_name = stack.site.url.replace("127.0.0.1", "localhost")
        visitor = Visitor.arriving(browser, by_name)
        visitors.append(visitor)
        LoginPage.of(visitor).log_in_as(name)
        return visitor

    yield make
    for visitor in visitors:
        visitor.context.close()
    for visitor in visitors:
        visitor.check()


@dataclass
class ToRelease:
    """An accepted order and the lot of the vial that was dispensed for it."""

    number: int
    lot: str

    def open(self, visitor: Visitor) -> ReleasePage:
        """The page on which it is released, all but the signature done."""
        release = ReleasePage.of(visitor)
        release.open(self.number)
        release.choose_only(self.lot)
        release.confirm_warnings()
        return release


@pytest.fixture
def order(stack: Stack, arrive: VisitorMaker) -> ToRelease:
    """Of those ordered the one delivered last, accepted and dispensed: nobody else looks at it."""
    wanted = stack.rows(
        "SELECT o.id, o.deliver_at, o.activity_mbq, c.name AS customer FROM tracershop_order o"
        " JOIN tracershop_tracer t ON t.id = o.tracer_id"
        " JOIN tracershop_customer c ON c.id = o.customer_id"
        " WHERE o.status = 'ordered' AND o.activity_mbq > 0 AND t.lot_prefix = 'FDG'"
        " AND o.deliver_at > now() ORDER BY o.deliver_at DESC LIMIT 1"
    )[0]
    deliver_at = wanted.deliver_at.astimezone(ZONE)
    production = arrive(RADIOCHEMIST)
    page = OrderPage.of(production)
    page.open(wanted.id)
    page.accept()
    lot = f"FDG-{deliver_at:%y%m%d}-{2000 + secrets.randbelow(8000)}"
    board = BoardPage.of(production)
    board.open(deliver_at.date())
    outside.write_csv_file(
        stack.dispenser_folder,
        customer=wanted.customer,
        lot=lot,
        filled_at=deliver_at - timedelta(minutes=20),
        activity_mbq=float(wanted.activity_mbq) * 1.5,
    )
    expect(board.free_vial(lot)).to_be_visible(timeout=20_000)
    return ToRelease(wanted.id, lot)


@pytest.mark.requirement("PT-030", "TS-080", "TS-083")
def test_a_passkey_is_registered_and_releases_an_order(
    stack: Stack, arrive_by_name: Callable[[str], Visitor], order: ToRelease
) -> None:
    karen = arrive_by_name(RADIOCHEMIST)
    device = Device(karen)
    signing = SigningPage.of(karen)
    signing.open()

    # a device that does not know its user makes no passkey
    device.knows_its_user(False)
    signing.register("Work computer")
    signing.says("Nothing was registered")
    assert device.passkeys() == []
    device.knows_its_user(True)
    signing.register("Work computer")
    signing.says("The passkey is registered.")
    expect(signing.passkey("Work computer")).to_contain_text("localhost")
    assert not karen.look("my-signing")

    # nor does it sign
    release = order.open(karen)
    expect(release.page.get_by_label("Signing PIN")).to_be_hidden()
    expect(release.page.get_by_role("radio", name="Passkey")).to_be_checked()
    assert not karen.look("release-passkey")
    device.knows_its_user(False)
    release.release_button(order.number).click()
    release.says("Nothing was signed")
    assert not stack.rows("SELECT 1 FROM tracershop_release WHERE order_id = %s", [order.number])

    device.knows_its_user(True)
    release.release_button(order.number).click()
    BoardPage.of(karen).says(f"Order {order.number} is released.")
    signed = stack.rows(
        "SELECT s.method, k.name, k.sign_count FROM signing_signature s"
        " JOIN signing_signingkey k ON k.id = s.key_id"
        " JOIN tracershop_release r ON r.signature_id = s.id WHERE r.order_id = %s",
        [order.number],
    )[0]
    assert (signed.method, signed.name) == ("passkey", "Work computer")
    assert signed.sign_count == device.passkeys()[0]["signCount"] > 0
    page = OrderPage.of(karen)
    page.open(order.number)
    page.says("Valid")
    signing.open()
    row = signing.signatures.get_by_role("row").filter(has_text="passkey").first
    expect(row).to_contain_text("Valid")
    assert stack.manage("signatures_verify").returncode == 0

    # revoked, it is offered no more, and what it signed stays
    signing.revoke("Work computer", reason="a new computer")
    expect(signing.passkey("Work computer")).to_have_count(0)
    expect(row).to_contain_text("Valid")


@pytest.mark.requirement("PT-030")
def test_what_the_act_refuses_is_said_before_the_device_is_asked_and_the_pin_signs_too(
    stack: Stack, arrive_by_name: Callable[[str], Visitor], order: ToRelease
) -> None:
    karen = arrive_by_name(RADIOCHEMIST)
    device = Device(karen)
    signing = SigningPage.of(karen)
    signing.open()
    signing.register("Phone")
    signing.says("The passkey is registered.")
    release = order.open(karen)
    for box in release.page.get_by_role("table", name="Vials").get_by_role("checkbox").all():
        box.uncheck()
    karen.expects("status of 422")
    release.release_button(order.number).click()
    expect(
        release.page.get_by_role("alert").filter(has_text="Nothing was released")
    ).to_be_visible()
    assert device.passkeys()[0]["signCount"] == 1  # from its making
    # without the device: the PIN
    release.page.get_by_role("radio", name="PIN").check()
    pin = release.page.get_by_label("Signing PIN")
    expect(pin).to_be_visible()
    pin.fill("12345678")
    release.release_button(order.number).click()
    release.says("The signing PIN is wrong.")
    assert not stack.rows("SELECT 1 FROM tracershop_release WHERE order_id = %s", [order.number])


@pytest.mark.requirement("PT-030")
def test_at_a_number_the_page_says_why_there_are_no_passkeys_and_where_there_are(
    stack: Stack, arrive: VisitorMaker
) -> None:
    karen = arrive(RADIOCHEMIST)
    signing = SigningPage.of(karen)
    signing.open()
    signing.says("opened by a number")
    by_name = stack.site.url.replace("127.0.0.1", "localhost")
    expect(signing.link("Open this page by its name")).to_have_attribute(
        "href", f"{by_name}/signing/"
    )
    assert not karen.look("my-signing-by-number")


@pytest.mark.requirement("PT-030")
def test_an_administrator_finds_peoples_keys(arrive: VisitorMaker) -> None:
    administrator = arrive(ADMINISTRATOR)
    administrator.open("/signing/keys/")
    page = PortalPage.of(administrator)
    page.page.get_by_label("Name, regional ID or mail").fill("brandt")
    page.button("Find").click()
    rows = page.page.get_by_role("row").filter(has_text=RADIOCHEMIST)
    row = rows.filter(has_text="signing PIN")
    row.get_by_role("link", name="Revoke the signing PIN of Karen Brandt").click()
    dialog = page.page.get_by_role("dialog")
    expect(dialog).to_contain_text("can never be used again")
    assert not administrator.look("signing-keys")
    dialog.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("Active")
