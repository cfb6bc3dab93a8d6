"""In a real browser: a flow is drawn with the mouse and by keyboard, and nothing typed is lost."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect, sync_playwright

from portal.flows.kinds import FLOWS
from portal.flows.models import FlowVersion
from portal.flows.rules.definition import Machine, machine_from_json
from portal.forms.services import designs as services
from tests.e2e.visitor import Visitor
from tests.support import flow_area
from tests.support.accounts import sign_in
from tests.support.browsers import Browsers

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def visitor(
    portal_url: str, browser_type_launch_args: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Generator[Visitor, None, None]:
    flow_area.declare(monkeypatch)
    unit, person = flow_area.small_world()
    services.create_design(
        FLOWS,
        actor=person,
        unit=unit,
        area=flow_area.CODE,
        code="drawn",
        title="Drawn",
        languages=("en", "nl"),
    )
    client = Client()
    sign_in(client, person)
    address = reverse("flows:edit", args=[FlowVersion.objects.get().pk])
    with sync_playwright() as playwright:
        browsers = Browsers(playwright.chromium, browser_type_launch_args)
        visitor = Visitor.arriving(browsers.drawing(), portal_url)
        session = client.cookies["sessionid"].value
        visitor.context.add_cookies([{"name": "sessionid", "value": session, "url": portal_url}])
        visitor.open(address)
        yield visitor
        visitor.check()
        browsers.close()


def kept() -> tuple[Machine, dict[str, Any]]:
    """The draft's machine and places; read beside Playwright, which runs a loop in this thread."""

    def read() -> FlowVersion:
        try:
            return FlowVersion.objects.get()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as reader:
        draft = reader.submit(read).result()
    return machine_from_json(draft.content), draft.places


def box(page: Page, state: str) -> Locator:
    return page.locator(f"#box-{state}")


def drag(page: Page, grip: Locator, to: Locator) -> None:
    """From the middle of one to the middle of the other, in steps as a hand does."""
    begin, end = grip.bounding_box(), to.bounding_box()
    assert begin is not None
    assert end is not None
    page.mouse.move(begin["x"] + begin["width"] / 2, begin["y"] + begin["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=8)
    page.mouse.up()


def add_state(page: Page, code: str, title: str, kind: str = "") -> None:
    page.get_by_role("button", name="State", exact=True).click()
    expect(page.get_by_label("Code", exact=True)).to_have_value(code)
    page.get_by_label("Title (English)").fill(title)
    if kind:
        page.get_by_label("Kind").select_option(label=kind)
    page.get_by_label("Title (Dutch)").fill(f"{title} nl")


@pytest.mark.requirement("DR-105")
def test_a_flow_is_drawn_and_tables_and_drawing_stay_in_step(visitor: Visitor) -> None:
    page = visitor.page
    visitor.mark_page()
    add_state(page, "state_1", "Registered")
    # no pause: the act waits until what was typed before it is kept
    add_state(page, "state_2", "Done", "end")
    add_state(page, "state_3", "Reviewed")
    expect(box(page, "state_1")).to_contain_text("Registered")
    expect(box(page, "state_2")).to_contain_text("Done")
    page.get_by_role("row", name="Done").get_by_role("link").click()
    expect(box(page, "state_3")).to_contain_text("Reviewed")
    expect(page.get_by_label("Title (English)")).to_have_value("Done")
    # from one box's handle to another box: a transition
    drag(page, page.locator('[data-from="state_1"]'), box(page, "state_2"))
    expect(page.get_by_label("Code", exact=True)).to_have_value("transition_1")
    page.get_by_label("Title (English)").fill("Straight on")
    page.get_by_label("Chairman").check()
    page.locator("#id_guard").fill("crf.A49 == 'perhaps'")
    expect(page.locator("#guard-check")).to_contain_text("is not a code of crf.A49")
    page.locator("#id_guard").fill("crf.A49 == ")
    expect(page.locator("#guard-check")).to_contain_text("ends too early")
    page.locator("#id_guard").fill("")
    page.get_by_role("button", name="crf.A49").click()
    page.keyboard.type(' == "yes"')
    expect(page.locator("#guard-check")).to_contain_text("it reads crf.A49")
    expect(page.get_by_role("row", name="Straight on")).to_contain_text("Done")
    expect(page.locator(".flow--editing")).to_contain_text("Straight on")
    # right after typing, a box is dragged, and stays where it was put
    page.get_by_label("Title (Dutch)").fill("Rechtdoor")
    drag(page, box(page, "state_3"), page.locator('[data-from="state_1"]'))
    expect(page.get_by_role("button", name="Arrange anew")).to_be_visible()
    assert visitor.page_was_never_reloaded()
    drawn, places = kept()
    assert [str(each.kind) for each in drawn.states] == ["start", "halting", "ordinary"]
    assert [each.title.text("nl") for each in drawn.states][:2] == ["Registered nl", "Done nl"]
    way = drawn.transitions[0]
    assert (way.sources, way.target, way.roles) == (("state_1",), "state_2", ("chairman",))
    assert way.title.text("nl") == "Rechtdoor"
    assert way.guard == 'crf.A49 == "yes"'
    assert [fact.name for fact in drawn.facts] == ["crf.A49"]
    assert list(places) == ["state_3"]
    assert visitor.accessibility_faults() == []
    visitor.look("flow-editor")


@pytest.mark.requirement("DR-105")
def test_a_flow_is_drawn_by_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.page
    for title in ("Begin", "End"):
        page.locator("#act-add-state").focus()
        page.keyboard.press("Enter")
        # the new state's properties have the focus: the next field is its title
        expect(page.locator("#part-form")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.type(title)
        page.keyboard.press("Tab")
    expect(page.get_by_role("row", name="End")).to_be_visible()
    page.locator("#act-add-transition").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#part-form")).to_be_focused()
    page.get_by_label("Title (English)").focus()
    page.keyboard.type("Go")
    # the arrow keys move a box; the focus stays on it
    box(page, "state_2").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Arrange anew")).to_be_visible()
    expect(box(page, "state_2")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Title (English)")).to_have_value("End")
    assert kept()[0].transitions[0].title.text("en") == "Go"
