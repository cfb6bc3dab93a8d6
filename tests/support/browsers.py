"""pytest plugin: browser tests drive the Chromium that is found, or say what was left out.

`PORTAL_CHROMIUM` names a program; otherwise the usual names are looked for on the path.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserType
from playwright.sync_api import Error as PlaywrightError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_HOW = (
    "install Chromium (Debian, Ubuntu: apt-get install chromium),"
    " or name a Chrome in PORTAL_CHROMIUM"
)
_skipped: set[str] = set()


def find_browser() -> str | None:
    """The program that browser tests drive, or nothing.

    Raises UsageError where PORTAL_CHROMIUM names something that is not there: who asked for a
    browser must not get a run without.
    """
    named = os.environ.get("PORTAL_CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise pytest.UsageError(f"PORTAL_CHROMIUM names {named}, which is not there")
        return found
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@pytest.hookimpl(trylast=True)  # after -m and -k: what nobody asked for was not left out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    browser_tests = [item for item in items if item.get_closest_marker("browser")]
    if browser_tests and find_browser() is None:
        for item in browser_tests:
            item.add_marker(pytest.mark.skip(reason="no Chromium or Chrome was found"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and report.when == "setup" and "browser" in report.keywords:
        _skipped.add(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _skipped and find_browser() is None:
        terminalreporter.write_line(
            f"{len(_skipped)} browser tests were left out, since no Chromium or Chrome was found."
            f" To run them: {_HOW}.",
            yellow=True,
        )


class Browsers:
    """The browser that tests share; a new one where it no longer draws.

    A Chromium whose compositor hangs still answers, and lets every click and screenshot time out.
    """

    def __init__(self, kind: BrowserType, arguments: dict[str, Any]) -> None:
        self._kind, self._arguments = kind, arguments
        self._browser: Browser | None = None

    def drawing(self) -> Browser:
        """One that draws."""
        if self._browser is None or not self.draws():
            self.close()
            self._browser = self._kind.launch(**self._arguments)
        return self._browser

    def draws(self) -> bool:
        if self._browser is None or not self._browser.is_connected():
            return False
        try:
            page = self._browser.new_page(viewport={"width": 100, "height": 100})
            page.screenshot(timeout=10_000)
            page.close()
        except PlaywrightError:
            return False
        return True

    def close(self) -> None:
        if self._browser is not None and self._browser.is_connected():
            self._browser.close()
        self._browser = None


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's own Chromium instead of one that Playwright would have to download.

    It draws by itself: without a graphics card, the process that stands in for one is one more
    that can hang.
    """
    arguments = ["--disable-gpu", "--disable-quic"]
    if not _has_shared_memory():
        arguments.append("--disable-dev-shm-usage")
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium refuses its sandbox to root
    return {**browser_type_launch_args, "executable_path": find_browser(), "args": arguments}


def _has_shared_memory() -> bool:
    """Enough for a browser's pages; containers have 64 MB by default."""
    folder = Path("/dev/shm")
    return folder.is_dir() and shutil.disk_usage(folder).free > 1 << 30
