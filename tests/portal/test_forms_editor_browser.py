"""In a real browser: a form made in the editor by keys and mouse, its rules tried at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import expect, sync_playwright

from portal.forms.models import FormVersion
from tests.e2e.visitor import Visitor
from tests.support.accounts import sign_in
from tests.support.browsers import Browsers
from tests.support.definitions import check, group, item
from tests.support.designs import Designers, area, make_draft, people

__all__ = ["area", "people"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.requirement("DR-106"),
]


@contextmanager
def visiting(people: Designers, url: str, options: dict[str, Any]) -> Iterator[Visitor]:
    """The publisher at a browser. Within, the database is the site's alone."""
    client = Client()
    sign_in(client, people.publisher)
    session = client.cookies["sessionid"].value
    with sync_playwright() as playwright:
        browsers = Browsers(playwright.chromium, options)
        visitor = Visitor.arriving(browsers.drawing(), url)
        visitor.context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
        yield visitor
        visitor.check()
        browsers.close()


def saved_parts(draft: Any) -> list[dict[str, Any]]:
    draft.refresh_from_db()
    found: list[dict[str, Any]] = draft.content["sections"][0]["parts"]
    return found


def test_a_form_is_made_by_keys_and_mouse_and_tried_at_once(
    people: Designers, portal_url: str, browser_type_launch_args: dict[str, Any]
) -> None:
    draft = make_draft(
        people,
        item("A18", label={"en": "Spleen"}, unit="cm", checks=[check("A18 > 40")]),
        group("results", item("E2", label={"en": "Result"}), repeats=True),
    )
    with visiting(people, portal_url, browser_type_launch_args) as visitor:
        make_it(visitor, draft)
    parts = saved_parts(draft)
    assert [part["code"] for part in parts] == ["results", "A18", "A19"]
    assert parts[2]["show_if"] == "A18 > 3"
    assert FormVersion.objects.count() == 1


def make_it(visitor: Visitor, draft: Any) -> None:
    page = visitor.page
    visitor.open(reverse("forms:editor", args=[draft.pk]) + "?at=0.0")
    # an item more, with a label; saved as it is typed
    page.locator("#outline summary").click()
    page.get_by_role("button", name="yes or no", exact=True).click()
    label = page.get_by_label("Label · English")
    expect(label).to_have_value("item")
    label.fill("Is it palpable?")
    expect(page.locator(".outline a[aria-current] .outline__words")).to_have_text("Is it palpable?")
    expect(label).to_be_focused()
    # its code, followed by the outline
    page.get_by_label("Code", exact=True).fill("A19")
    page.keyboard.press("Enter")
    expect(page.locator("#settings-title code")).to_have_text("A19")
    # a rule, its name offered and chosen by keys, tried with a value
    rule = page.get_by_label("Show only if")
    rule.press_sequentially("a1")
    expect(page.locator(".rule__names [role=option]").first).to_contain_text("A18")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(rule).to_have_value("A18")
    rule.press_sequentially(" > > 3")
    said = page.locator('[data-rule-of="show_if"] .rule__result')
    expect(said).to_contain_text("cannot be read at character 7")
    rule.fill("A18 > 3")
    expect(said).to_contain_text("unknown")
    said.get_by_role("textbox").fill("12")
    expect(said.locator("output")).to_contain_text("yes")
    expect(page.locator("#draft-bar")).to_contain_text("Can be published")
    # the preview answers, and keeps nothing
    preview = page.locator("#preview")
    expect(preview.get_by_text("Is it palpable?")).to_be_hidden()
    preview.get_by_label("Spleen").fill("50")
    expect(preview.get_by_text("Is it palpable?")).to_be_visible()
    expect(preview).to_contain_text("not A18 > 40")
    # moved by keys, taken back
    page.locator("#chosen").focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator(".outline__line").nth(2)).to_contain_text("A19")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".outline__line").nth(3)).to_contain_text("A19")
    page.locator('.outline__line[data-at="0.2"]').drag_to(
        page.locator('.outline__line[data-at="0.0"]')
    )
    expect(page.locator(".outline__line").nth(2)).to_contain_text("results")


def test_a_condition_is_chosen_instead_of_written(
    people: Designers, portal_url: str, browser_type_launch_args: dict[str, Any]
) -> None:
    draft = make_draft(people, item("A18", label={"en": "Spleen"}), item("A19"))
    with visiting(people, portal_url, browser_type_launch_args) as visitor:
        page = visitor.page
        visitor.open(reverse("forms:editor", args=[draft.pk]) + "?at=0.1")
        builder = page.locator('[data-rule-of="show_if"] details')
        builder.locator("summary").click()
        expect(builder.get_by_label("Item")).to_have_value("A18")
        with page.expect_response("**/rule/"):
            builder.get_by_label("Item").select_option("precrf.A49")
        expect(builder.get_by_label("Value")).to_have_value("yes")
        with page.expect_response("**/rule/"):
            builder.get_by_label("Item").select_option("A18")
        builder.locator("input").fill("2")
        builder.get_by_role("button", name="Put it into the rule").click()
        expect(page.get_by_label("Show only if")).to_have_value("A18 == 2")
        expect(page.locator('.outline__line[data-at="0.1"] .outline__marks svg')).to_be_visible()
    assert saved_parts(draft)[1]["show_if"] == "A18 == 2"


def test_the_editors_pages_are_accessible_and_fit_the_screen(
    people: Designers, portal_url: str, browser_type_launch_args: dict[str, Any]
) -> None:
    draft = make_draft(
        people,
        item("A18", label={"en": "Spleen"}, unit="cm", checks=[check("A18 > 40")]),
        item("A20", "single choice", code_list="yn", show_if="A18 > Q"),
        languages=["en", "nl"],
    )
    editor = reverse("forms:editor", args=[draft.pk])
    pages = (
        ("items", f"{editor}?at=0.0"),
        ("lists", f"{editor}?tab=lists"),
        ("texts", f"{editor}?tab=texts"),
        ("faults", f"{editor}?tab=faults"),
        ("list", reverse("forms:designs")),
        ("form", reverse("forms:design", args=[draft.design_id])),
        ("new", reverse("forms:new")),
    )
    faults = []
    with visiting(people, portal_url, browser_type_launch_args) as visitor:
        for name, address in pages:
            visitor.open(address)
            if name == "items":
                expect(visitor.page.locator("#preview")).to_contain_text("Spleen")
            faults += visitor.look(f"form-editor-{name}")
    assert not faults, "\n".join(faults)
