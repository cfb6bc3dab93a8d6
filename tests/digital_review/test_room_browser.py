"""The meeting room in real browsers: text that grows, a lost connection, the pen taken over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from digital_review.services.room import show_patient, start_meeting, take_pen
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from tests.digital_review.factories import make_form, review_world
from tests.digital_review.meetings import items, plan_today
from tests.e2e.visitor import Visitor
from tests.support.browsers import Browsers
from tests.support.threads import at_once

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG_MS = 30_000


@pytest.fixture
def room(portal_url: str, browser_type_launch_args: dict[str, Any]) -> Iterator[SimpleNamespace]:
    """A meeting that runs, with the secretary and a participant at their screens."""
    world = review_world()
    meeting = plan_today(world, "SK-0001", "SK-0002")
    for item in items(meeting):
        make_form(item.case, world.slots["precrf"])
    people = world.people
    start_meeting(actor=people["chairman"], meeting_id=meeting.pk)
    show_patient(actor=people["chairman"], meeting_id=meeting.pk, item_id=items(meeting)[0].pk)
    roles = ("chairman", "secretary", "specialist")
    sessions = {role: session_of(people[role]) for role in roles}
    with sync_playwright() as playwright:
        browsers = Browsers(playwright.chromium, browser_type_launch_args)
        browser = browsers.drawing()

        def enter(role: str) -> Visitor:
            visitor = Visitor.arriving(browser, portal_url)
            cookie = {"name": "sessionid", "value": sessions[role], "url": portal_url}
            visitor.context.add_cookies([cookie])
            assert visitor.open(f"/digital_review/meetings/{meeting.pk}/room/") == 200
            return visitor

        yield SimpleNamespace(
            world=world,
            meeting=meeting,
            enter=enter,
            secretary=enter("secretary"),
            member=enter("specialist"),
        )
        browsers.close()


def session_of(person: Any) -> str:
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return str(client.cookies["sessionid"].value)


def conclusion(page: Page) -> Any:
    return page.get_by_label(re.compile("Conclusion"))


@pytest.mark.requirement("DR-007", "DR-060", "DR-138")
def test_the_minutes_grow_and_a_lost_connection_loses_nothing(room) -> None:
    secretary, member = room.secretary.page, room.member.page
    seen = member.locator("#room-written")
    room.member.mark_page()
    conclusion(secretary).press_sequentially("Hypocellular marr")
    expect(seen).to_contain_text("Hypocellular marr", timeout=LONG_MS)
    expect(secretary.locator("#minutes-state")).to_contain_text("shown to everybody")
    # mid-sentence the secretary's connection is gone: said plainly, and nothing typed is lost
    room.secretary.expects("ERR_INTERNET_DISCONNECTED|WebSocket|Failed to fetch")
    room.secretary.context.set_offline(True)
    conclusion(secretary).press_sequentially("ow, no blasts")
    expect(secretary.locator("#minutes-state")).to_contain_text("No connection", timeout=LONG_MS)
    expect(conclusion(secretary)).to_have_value("Hypocellular marrow, no blasts")
    room.secretary.context.set_offline(False)
    expect(seen).to_contain_text("Hypocellular marrow, no blasts", timeout=LONG_MS)
    assert room.member.page_was_never_reloaded()
    room.member.check()
    room.secretary.check()


@pytest.mark.requirement("DR-060")
def test_who_loses_the_pen_is_told_and_the_chairman_goes_on_where_it_stood(room) -> None:
    secretary, member = room.secretary.page, room.member.page
    conclusion(secretary).press_sequentially("Hypocellu")
    expect(member.locator("#room-written")).to_contain_text("Hypocellu", timeout=LONG_MS)
    chairman = room.world.people["chairman"]
    # Playwright has an event loop in this thread, in which Django writes nothing
    at_once(lambda: take_pen(actor=chairman, meeting_id=room.meeting.pk))
    room.secretary.expects("409")
    at_the_chair = room.enter("chairman")
    expect(conclusion(at_the_chair.page)).to_have_value("Hypocellu")
    expect(secretary.locator("#room-minutes")).to_contain_text(
        "Chairman Review writes", timeout=LONG_MS
    )
    conclusion(at_the_chair.page).press("End")
    conclusion(at_the_chair.page).press_sequentially("lar")
    expect(member.locator("#room-written")).to_contain_text("Hypocellular", timeout=LONG_MS)
    expect(secretary.locator("#room-written")).to_contain_text("Hypocellular", timeout=LONG_MS)
    at_the_chair.check()


def test_who_comes_and_goes_is_seen_and_the_page_is_accessible(room) -> None:
    here = room.member.page.locator(".room-person--here", has_text="Secretary Review")
    expect(here).to_be_visible(timeout=LONG_MS)
    room.secretary.page.goto("/")
    expect(here).to_have_count(0, timeout=LONG_MS)
    assert room.member.accessibility_faults() == []
    room.member.check()
