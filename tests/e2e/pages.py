"""The pages as people know them: by their words, labels and roles."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.e2e.visitor import Visitor

PAUSED = "Live updates paused"


@dataclass
class PortalPage:
    """Any page; making one says that the browser had nothing to complain of so far."""

    visitor: Visitor

    @classmethod
    def of(cls, visitor: Visitor) -> Self:
        visitor.check()
        return cls(visitor)

    @property
    def page(self) -> Page:
        return self.visitor.page

    @property
    def main(self) -> Locator:
        return self.page.get_by_role("main")

    @property
    def live_state(self) -> Locator:
        """What the page says while its updates are paused."""
        return self.page.get_by_text(PAUSED)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name, exact=True)

    def says(self, text: str) -> None:
        """The text is on the page, or appears there."""
        expect(self.main.get_by_text(text).first).to_be_visible()


class LoginPage(PortalPage):
    def log_in_as(self, name: str) -> None:
        """By the hospital's login, as somebody of the demo."""
        self.visitor.open("/")
        self.link("Log in with regional ID").click()
        self.page.get_by_role("button", name=name).click()
        expect(self.page.get_by_role("banner").get_by_text(name).first).to_be_visible()
        self.visitor.check()


class ShopPage(PortalPage):
    """A customer's day: deliveries, what is ordered there, what was released."""

    def open(self, day: date) -> None:
        self.visitor.open(f"/tracershop/shop/?day={day:%Y-%m-%d}")

    def open_first_orderable_day(self, today: date, endpoint: str, delivery: str) -> date:
        """The next day on which the delivery can still be ordered, as the page says."""
        for ahead in range(10):
            self.open(today + timedelta(days=ahead))
            if self._order_link(endpoint, delivery).count():
                return today + timedelta(days=ahead)
        raise AssertionError(f"no {delivery} can be ordered within ten days")

    def begin_order(self, endpoint: str, delivery: str) -> OrderForm:
        """`delivery` is what the link names: tracer and time, `[18F]FDG 16:00`."""
        self._order_link(endpoint, delivery).click()
        return OrderForm.of(self.visitor)

    def _order_link(self, endpoint: str, delivery: str) -> Locator:
        tracer, _, at = delivery.rpartition(" ")
        name = re.compile(rf"^Order…\s*{re.escape(tracer)}\s*{at}$")
        return self.page.get_by_role("region", name=endpoint).get_by_role("link", name=name)

    def order(self, number: int) -> Locator:
        """One order's lines on the page."""
        link = self.page.get_by_role("link", name=f"Order {number}", exact=True)
        return self.page.get_by_role("article").filter(has=link)

    def orders(self) -> set[int]:
        links = self.main.get_by_role("article").get_by_role(
            "link", name=re.compile(r"^Order \d+$")
        )
        return {int(text.split()[-1]) for text in links.all_inner_texts()}

    def download_certificate(self, number: int) -> tuple[str, bytes]:
        """The file's name and content; waits until the certificate is there."""
        link = self.order(number).get_by_role("link", name="Release certificate")
        with self.page.expect_download() as download:
            link.click()
        return download.value.suggested_filename, download.value.path().read_bytes()


class OrderForm(PortalPage):
    """Ordering MBq, in the dialog or on a page of its own; the injections may say how much."""

    def add_injection(self, at: str, mbq: str) -> None:
        """In the next row of the calculator."""
        rows = self.page.get_by_role("group", name=re.compile(r"^Row \d+$"))
        last = rows.last
        if last.get_by_label("Injection at").input_value():
            count = rows.count()
            self.button("Add a row").click()
            expect(rows).to_have_count(count + 1)
        last.get_by_label("Injection at").fill(at)
        last.get_by_label("Activity at injection, MBq").fill(mbq)

    @property
    def amount(self) -> Locator:
        return self.page.get_by_label("Activity at delivery")

    def place(self) -> int:
        """Order; the order's number, as the shop page then says."""
        self.button("Order").click()
        done = self.main.get_by_text(re.compile(r"^\s*Order \d+ is placed: ")).first
        expect(done).to_be_visible()
        number = re.search(r"Order (\d+) is placed", done.inner_text())
        assert number
        return int(number[1])


class BookingsPage(PortalPage):
    def open(self, day: date) -> None:
        self.visitor.open(f"/tracershop/bookings/?day={day:%Y-%m-%d}")

    def planned(self, accession: str) -> Locator:
        """The order that the plan makes of a booking."""
        return (
            self.page.get_by_role("region")
            .filter(has_text=accession)
            .filter(has=self.page.get_by_role("checkbox"))
            .last
        )

    def order_all(self) -> None:
        self.page.get_by_role("button", name=re.compile(r"^Order \d+ bookings?$")).click()

    def order_number(self, accession: str) -> int:
        """Which order was placed for a booking, by the list of what is ordered."""
        row = self.page.get_by_role("table", name="Bookings that are ordered").get_by_role("row")
        return int(row.filter(has_text=accession).get_by_role("link").inner_text())


class BoardPage(PortalPage):
    """Production's day."""

    def open(self, day: date) -> None:
        self.visitor.open(f"/tracershop/board/?day={day:%Y-%m-%d}")

    def order(self, number: int) -> Locator:
        link = self.page.get_by_role("link", name=f"Order {number}", exact=True)
        return self.page.get_by_role("row").filter(has=link)

    def open_order(self, number: int) -> OrderPage:
        self.order(number).get_by_role("link", name=f"Order {number}", exact=True).click()
        return OrderPage.of(self.visitor)

    def free_vial(self, lot: str) -> Locator:
        return self.page.get_by_role("complementary").get_by_role("listitem").filter(has_text=lot)


class BatchPage(PortalPage):
    """One batch: its results, verdicts, and its recall."""

    def open(self, number: int) -> None:
        self.visitor.open(f"/tracershop/batches/{number}/")

    def release_fully(self, lot: str, pin: str) -> None:
        """By a signed verdict, whatever has to be confirmed."""
        self._sign(f"Release batch {lot}", pin, "Within all limits", "?verdict=released")
        self.says("Released")

    def reject(self, lot: str, pin: str, reason: str) -> None:
        self._sign(f"Reject batch {lot}", pin, reason, "?verdict=rejected")

    def _sign(self, act: str, pin: str, reason: str, verdict: str) -> None:
        self.visitor.open(f"{urlsplit(self.page.url).path}verdict/{verdict}")
        for box in self.main.get_by_role("checkbox").all():
            box.check()
        self.page.get_by_label("Reason", exact=True).fill(reason)
        self.page.get_by_label("Signing PIN").fill(pin)
        self.button(act).click()

    def recall(self, lot: str, pin: str, *, reason: str, instructions: str) -> None:
        """Leads to the recall's page."""
        self.page.get_by_role("link", name=re.compile("^Recall")).first.click()
        self.page.get_by_label("Reason", exact=True).fill(reason)
        self.page.get_by_label("What customers are to do").fill(instructions)
        self.page.get_by_label("Signing PIN").fill(pin)
        self.button(f"Recall batch {lot}").click()


class ReleasePage(PortalPage):
    def open(self, number: int) -> None:
        self.visitor.open(f"/tracershop/release/?order={number}")

    def choose_only(self, lot: str) -> None:
        """Tick the vials of this lot and no others."""
        for row in self.page.get_by_role("table", name="Vials").get_by_role("row").all():
            box = row.get_by_role("checkbox")
            if box.count():
                box.set_checked(row.get_by_text(lot).count() > 0)

    def warnings(self) -> list[str]:
        group = self.page.get_by_role("group", name="Confirm each of these before you release")
        return [text.strip() for text in group.locator("label").all_inner_texts()]

    def confirm_warnings(self) -> None:
        group = self.page.get_by_role("group", name="Confirm each of these before you release")
        for box in group.get_by_role("checkbox").all():
            box.check()

    def type_pin(self, pin: str) -> None:
        self.page.get_by_label("Signing PIN").fill(pin)

    def release_button(self, number: int) -> Locator:
        return self.button(f"Release order {number}")

    def release(self, number: int, pin: str) -> None:
        """Sign; what comes of it is for the test to see."""
        self.type_pin(pin)
        self.release_button(number).click()


class OrderPage(PortalPage):
    """One order, as shop and production see it."""

    def open(self, number: int) -> int:
        return self.visitor.open(f"/tracershop/orders/{number}/")

    def accept(self) -> None:
        """Leads to the board of its day."""
        self.button("Accept").click()

    def begin_release(self) -> ReleasePage:
        self.link("Release…").click()
        return ReleasePage.of(self.visitor)


class SigningPage(PortalPage):
    """*My signing*: one's passkeys, PIN and signatures."""

    def open(self) -> None:
        self.visitor.open("/signing/")

    def register(self, name: str) -> None:
        """Have the device make a passkey; what comes of it is for the test to see."""
        self.page.get_by_label("Name of the new passkey").fill(name)
        self.button("Register a passkey").click()

    def passkey(self, name: str) -> Locator:
        """Its row in the list."""
        return self.page.get_by_role("table", name="My passkeys").get_by_role("row", name=name)

    def revoke(self, name: str, *, reason: str) -> None:
        self.page.get_by_role("link", name=f"Revoke {name}").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label("Reason").fill(reason)
        dialog.get_by_role("button", name=f"Revoke the passkey “{name}”").click()

    @property
    def signatures(self) -> Locator:
        return self.page.get_by_role("table", name="What I have signed")
