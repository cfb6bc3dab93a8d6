"""pytest plugin: browser tests drive the Chromium that is found, or say what was left out.

`PORTAL_CHROMIUM` names a program; otherwise the usual names are looked for on the path.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

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


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's own Chromium instead of one that Playwright would have to download."""
    arguments = ["--disable-dev-shm-usage"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium refuses its sandbox to root
    return {**browser_type_launch_args, "executable_path": find_browser(), "args": arguments}
