"""The pages as people know them: by their words, labels and roles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Self

from playwright.sync_api import Locator, Page, expect

from tests.e2e.visitor import Visitor


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

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name, exact=True)

    def says(self, text: str) -> None:
        """The text is on the page, or appears."""
        expect(self.page.get_by_role("main").get_by_text(text).first).to_be_visible()


class LoginPage(PortalPage):
    def log_in_as(self, name: str) -> None:
        """By the hospital's login, as somebody of the demo."""
        self.visitor.open("/")
        self.link("Log in with regional ID").click()
        self.page.get_by_role("button", name=name).click()
        expect(self.page.locator("header").get_by_text(name).first).to_be_visible()
        self.visitor.check()
