"""Filling in a form in a real browser: as a field is left, by keyboard, without a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django import Settings

from portal.accounts.models import User
from portal.forms.models import UnsavedInput
from portal.forms.services.sheets import save_sheet
from tests.support.browsers import Browsers
from tests.support.patients_app.models import PatientForm
from tests.support.patients_app.urls import RULES
from tests.support.sheets import ROOT_URLCONF, SheetWorld, sheet_world
from tests.support.threads import at_once

T = TypeVar("T")

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(portal_url: str, settings: Settings) -> SheetWorld:
    settings.ROOT_URLCONF = ROOT_URLCONF
    return sheet_world()


@pytest.fixture
def tab(
    world: SheetWorld, portal_url: str, browser_type_launch_args: dict[str, Any]
) -> Iterator[Page]:
    """The form, opened by the nurse; nothing on the page may go wrong."""
    client = Client()
    client.force_login(world.nurse, backend="portal.accounts.backends.RegionalIdBackend")
    session = client.cookies["sessionid"].value
    with sync_playwright() as playwright:
        browsers = Browsers(playwright.chromium, browser_type_launch_args)
        context = browsers.drawing().new_context(viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": "sessionid", "value": session, "url": portal_url}])
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda said: errors.append(said.text) if "Content Security" in said.text else None,
        )
        page.goto(f"{portal_url}/patients/forms/{world.sheet.pk}/fill/")
        yield page
        assert errors == []
        context.close()
        browsers.close()


expect.set_options(timeout=15_000)


def aside(act: Callable[[], T]) -> T:
    """Ask the database: not in this thread, in which Playwright drives the browser."""
    (found,) = at_once(act)
    if isinstance(found, Exception):
        raise found
    return found


def typed(person: User) -> dict[str, str]:
    found = aside(lambda: UnsavedInput.objects.filter(person=person).first())
    return found.typed if found is not None else {}


def answers() -> dict[str, Any]:
    return aside(lambda: PatientForm.objects.get()).answers


@pytest.mark.requirement("DR-090", "DR-007")
def test_as_a_field_is_left_the_server_says_what_follows_and_nothing_jumps(
    tab: Page, world: SheetWorld
) -> None:
    tab.fill("#i-hb", "2,0")
    tab.keyboard.press("Enter")  # on to the next field
    expect(tab.locator("#i-blasts")).to_be_focused()
    expect(tab.locator("#v-hb_double")).to_have_text("4.0")
    expect(tab.locator("#s-hb")).to_contain_text("lower than expected")
    expect(tab.locator("#sheet-answer")).to_contain_text("Haemoglobin: This is lower")
    expect(tab.locator("#i-blasts")).to_be_focused()
    expect(tab.locator("#sheet-state")).to_have_text("All kept. It is not saved yet.")

    expect(tab.locator("#f-biopsy_on")).to_be_hidden()
    tab.locator("#f-biopsy").get_by_role("radio", name="Yes").check()
    expect(tab.locator("#f-biopsy_on")).to_be_visible()
    # an answer given by mistake is taken away by the keyboard
    tab.keyboard.press("Delete")
    expect(tab.locator("#f-biopsy_on")).to_be_hidden()
    expect(tab.locator("#n-section-2")).to_contain_text("1/1")
    assert typed(world.nurse) == {"hb": "2,0", "biopsy": ""}

    tab.fill("#i-history", "Pale")
    tab.keyboard.press("Control+Enter")
    expect(tab.locator("main")).to_contain_text("Saved: 2 answers.")
    assert answers()["values"] == {"hb": "2.0", "history": "Pale"}


@pytest.mark.requirement("DR-138", "DR-136")
def test_without_a_connection_nothing_is_lost_and_nothing_is_said_to_be_kept(
    tab: Page, world: SheetWorld
) -> None:
    tab.context.set_offline(True)
    tab.fill("#i-hb", "7,2")
    tab.keyboard.press("Tab")
    expect(tab.locator("#sheet-state")).to_contain_text("Not sent: 1 changes")
    tab.fill("#i-blasts", "5")
    tab.keyboard.press("Tab")
    expect(tab.locator("#sheet-state")).to_contain_text("Not sent: 2 changes")
    assert typed(world.nurse) == {}

    tab.context.set_offline(False)
    expect(tab.locator("#sheet-state")).to_have_text("All kept. It is not saved yet.")
    expect(tab.locator("#v-hb_double")).to_have_text("14.4")
    assert typed(world.nurse) == {"hb": "7,2", "blasts": "5"}


@pytest.mark.requirement("DR-007", "DR-138")
def test_what_could_not_be_sent_is_there_and_sent_after_a_reload(
    tab: Page, world: SheetWorld
) -> None:
    tab.route("**/check/", lambda route: route.abort())
    tab.fill("#i-hb", "7,2")
    tab.keyboard.press("Tab")
    expect(tab.locator("#sheet-state")).to_contain_text("Not sent: 1 changes")
    tab.reload()
    expect(tab.locator("#i-hb")).to_have_value("7,2")
    # leaving sent it once more, past the route: the page cannot know that it came through
    expect(tab.locator("#sheet-state")).to_contain_text("Not sent: 1 changes")
    tab.unroute("**/check/")
    expect(tab.locator("#sheet-state")).to_have_text("All kept. It is not saved yet.")
    expect(tab.locator("#v-hb_double")).to_have_text("14.4")
    assert typed(world.nurse) == {"hb": "7,2"}
    kept = tab.evaluate("Object.keys(sessionStorage)")
    assert not [key for key in kept if key.startswith("sheet:")]


@pytest.mark.requirement("DR-007")
def test_what_stands_in_the_field_as_the_page_is_closed_is_kept(
    tab: Page, world: SheetWorld, portal_url: str
) -> None:
    tab.fill("#i-history", "half a sent")
    tab.goto(f"{portal_url}/patients/forms/{world.sheet.pk}/")
    for _attempt in range(100):
        if typed(world.nurse):
            break
        tab.wait_for_timeout(100)
    assert typed(world.nurse) == {"history": "half a sent"}
    tab.reload()
    expect(tab.locator("main")).to_contain_text("You typed something here")


def test_rows_come_and_go(tab: Page, world: SheetWorld) -> None:
    tab.get_by_role("button", name="Add a row").click()
    expect(tab.locator("#i-rounds-0-drug")).to_be_focused()
    tab.fill("#i-rounds-0-drug", "aspirin")
    tab.get_by_role("button", name="Add a row").click()
    expect(tab.locator("#i-rounds-1-drug")).to_be_focused()
    expect(tab.locator("#i-rounds-0-drug")).to_have_value("aspirin")
    tab.fill("#i-rounds-1-drug", "heparin")
    tab.get_by_role("button", name="Take row 1 away").click()
    expect(tab.locator("#i-rounds-0-drug")).to_have_count(0)
    expect(tab.locator("#i-rounds-1-drug")).to_have_value("heparin")
    tab.locator("[data-sheet-save]").click()
    expect(tab.locator("main")).to_contain_text("Saved")
    assert answers()["rows"] == {"rounds": [{"drug": "heparin"}]}


def test_a_file_is_sent_as_it_is_chosen(tab: Page, world: SheetWorld) -> None:
    file = {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n"}
    tab.set_input_files("#i-scan", file)
    expect(tab.locator("#f-scan a")).to_have_text("letter.pdf")
    wrong = {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": b"<html>"}
    tab.set_input_files("#i-scan", wrong)
    expect(tab.locator("#sheet-state")).to_contain_text("Not kept: Only PDF")
    tab.get_by_role("button", name="Take it away").click()
    expect(tab.locator("#f-scan a")).to_have_count(0)
    assert typed(world.nurse) == {"scan": ""}


@pytest.mark.requirement("PT-022", "DR-139")
def test_who_saves_second_is_told_meanwhile_and_chooses(tab: Page, world: SheetWorld) -> None:
    tab.fill("#i-hb", "7")
    tab.keyboard.press("Tab")
    expect(tab.locator("#sheet-state")).to_contain_text("All kept")
    theirs = {"hb": "8", "stage": "ii"}
    aside(
        lambda: save_sheet(
            RULES, actor=world.colleague, sheet_id=world.sheet.pk, typed=theirs, opened_version=1
        )
    )
    tab.locator("[data-sheet-save]").click()
    tab.get_by_label("7", exact=True).check()
    tab.get_by_role("button", name="Save what I chose").click()
    expect(tab.locator("main")).to_contain_text("Saved: 1 answer.")
    assert answers()["values"] == {"hb": "7", "stage": "ii"}
