"""The stack and the browser that all browser tests share, and the people in front of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from playwright.sync_api import sync_playwright

from tests.e2e.pages import LoginPage
from tests.e2e.stack import Stack, running_stack
from tests.e2e.visitor import SCREENSHOTS, Visitor
from tests.support.browsers import Browsers
from tests.support.services import Services

_FAILED = pytest.StashKey[bool]()
_STOPPED_DRAWING = pytest.StashKey[bool]()

VisitorMaker = Callable[..., Visitor]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """A test whose browser stopped drawing says nothing of the portal: once more with a new one."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if item.stash.get(_STOPPED_DRAWING, False):
        item._initrequest()  # type: ignore[attr-defined]
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(scope="package")
def stack(services: Services, django_db_setup: None) -> Generator[Stack, None, None]:
    """The running portal with the demo's data; a test leaves it usable for the next."""
    with running_stack(services) as running:
        yield running


# Not pytest-playwright's own `browser`: that one lives as long as the session, and while
# Playwright runs, its event loop forbids Django's database in the same thread, to all tests.
@pytest.fixture(scope="package")
def chromium(
    stack: Stack, browser_type_launch_args: dict[str, Any]
) -> Generator[Browsers, None, None]:
    with sync_playwright() as playwright:
        browsers = Browsers(playwright.chromium, browser_type_launch_args)
        yield browsers
        browsers.close()


@pytest.fixture(scope="package")
def log_ins(chromium: Browsers) -> dict[str, Any]:
    """Who has logged in already, with the cookies that their browser keeps from then on."""
    return {}


@pytest.fixture
def arrive(
    request: pytest.FixtureRequest, stack: Stack, chromium: Browsers, log_ins: dict[str, Any]
) -> Generator[VisitorMaker, None, None]:
    """`arrive()` is somebody at a browser of their own, `arrive("Mette Dalgaard")` is logged in.

    Whatever their browsers complained of fails the test, at its end at the latest.
    """
    visitors: list[Visitor] = []
    browser = chromium.drawing()

    def make(name: str | None = None, **options: Any) -> Visitor:
        cookies = log_ins.get(name or "")
        visitor = Visitor.arriving(browser, stack.site.url, storage_state=cookies, **options)
        visitors.append(visitor)
        if name is not None and cookies is None:
            LoginPage.of(visitor).log_in_as(name)
            log_ins[name] = visitor.context.storage_state()
        return visitor

    yield make
    if request.node.stash.get(_FAILED, True):
        if not chromium.draws():
            request.node.stash[_STOPPED_DRAWING] = True
            return
        _keep_evidence(request.node.name, visitors)
    for visitor in visitors:
        visitor.context.close()
    for visitor in visitors:
        visitor.check()


def _keep_evidence(test: str, visitors: list[Visitor]) -> None:
    folder = SCREENSHOTS / "failed"
    folder.mkdir(parents=True, exist_ok=True)
    for number, visitor in enumerate(visitors, start=1):
        visitor.screenshot(folder / f"{re.sub(r'[^a-z0-9]+', '-', test.lower())}-{number}.png")
