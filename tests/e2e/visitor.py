"""A person at a browser: what went wrong on their pages is kept, and fails the test."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

from tests.support.services import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = ROOT / "build" / "screenshots"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
# Playwright stills animations for a screenshot with a style that the page's policy rightly refuses
_PLAYWRIGHTS_OWN = re.compile(r"Applying inline style violates .*style-src", re.DOTALL)
_MARK = "e2eLoadedOnce"
_STILL = "Promise.allSettled(document.getAnimations().map((each) => each.finished)).then(() => 0)"
_JUDGED = {("desktop", "light"), ("phone", "dark")}
_TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Visitor:
    """One browser context: cookies of its own, any number of pages."""

    context: BrowserContext
    page: Page
    base_url: str
    troubles: list[str] = field(default_factory=list)
    expected: list[re.Pattern[str]] = field(default_factory=list)
    screenshooting: bool = False

    @classmethod
    def arriving(cls, browser: Browser, base_url: str, **options: Any) -> Visitor:
        """Somebody not logged in yet, on a quiet desktop-sized page."""
        width, height = SIZES["desktop"]
        context = browser.new_context(
            base_url=base_url,
            viewport={"width": width, "height": height},
            locale="en-GB",
            timezone_id="Europe/Copenhagen",
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(15_000)
        visitor = cls(context, context.new_page(), base_url)
        context.on("console", visitor._hear)
        context.on("weberror", lambda error: visitor._note(f"page error: {error.error}"))
        context.on("response", visitor._see)
        return visitor

    def expects(self, pattern: str) -> None:
        """From here on, what fits is no trouble: a refusal that the test wants, a site that is
        down. The browser tells of every answer of 400 and above as an error."""
        self.expected.append(re.compile(pattern))

    def check(self) -> None:
        """AssertionError naming what the browser complained of so far."""
        assert not self.troubles, "\n".join(self.troubles)

    def open(self, path: str) -> int:
        """Go to an address; the answer's status."""
        answer = self.page.goto(path)
        assert answer is not None
        return answer.status

    def path(self) -> str:
        return urlsplit(self.page.url).path

    # --- was it reloaded? ------------------------------------------------------------------

    def mark_page(self) -> None:
        """Leave a sign in the page that any reload would wipe away."""
        self.page.evaluate(f"window.{_MARK} = true")

    def page_was_never_reloaded(self) -> bool:
        return bool(self.page.evaluate(f"window.{_MARK} === true"))

    # --- how it looks ----------------------------------------------------------------------

    def accessibility_faults(self) -> list[str]:
        """What axe finds wrong with the page as it stands (WCAG 2.2 AA and good practice)."""
        if not self.page.evaluate("typeof window.axe === 'object'"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        # what is still fading in has other colours than it will have
        self.page.evaluate(_STILL)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{self.path()}: {fault['id']} ({fault['help']}): {node['html'][:200]}"
            f" {node['failureSummary']}"
            for fault in found["violations"]
            for node in fault["nodes"]
        ]

    def look(self, name: str) -> list[str]:
        """Screenshots in two sizes, light and dark; gives what is wrong with the page: what axe
        sees (large and light, small and dark), and that it is wider than the screen."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        faults: list[str] = []
        for size, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme)
                self.screenshot(SCREENSHOTS / f"{name}-{size}-{scheme}.png")
                if (size, scheme) in _JUDGED:
                    faults += self.accessibility_faults()
            if (over := self.page.evaluate(_TOO_WIDE)) > 0:
                faults.append(f"{self.path()} is {over} px wider than the {size}")
        width, height = SIZES["desktop"]
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme="light")
        return faults

    def screenshot(self, path: Path) -> None:
        """Of the whole page, with the caret where it is: hiding it would leave styles behind."""
        self.screenshooting = True
        try:
            self.page.screenshot(path=path, full_page=True, caret="initial")
        finally:
            self.screenshooting = False

    # --- what the browser tells ------------------------------------------------------------

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        if self.screenshooting and _PLAYWRIGHTS_OWN.search(message.text):
            return
        self._note(f"console: {message.text} ({message.location.get('url', '')})")

    def _see(self, response: Response) -> None:
        if response.status >= 500:
            self._note(f"HTTP {response.status}: {response.url}")

    def _note(self, text: str) -> None:
        if not any(pattern.search(text) for pattern in self.expected):
            self.troubles.append(text)
