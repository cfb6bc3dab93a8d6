"""In a real browser: what a refused act of htmx shows, and where."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.test import Client
from django.urls import path
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django import Settings

from portal.config import urls as portal_urls
from portal.records.errors import Refused
from tests.support.browsers import Browsers
from tests.support.factories import make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

handler403, handler404 = portal_urls.handler403, portal_urls.handler404
handler500 = portal_urls.handler500

PAGE = """{% extends "base.html" %}{% block heading %}A page{% endblock %}{% block content %}
<button type="button" data-open-dialog="d">Open</button>
<c-dialog id="d" title="An act" action="/test/refusing/" hx-post="/test/refusing/" hx-target="#x">
  <c-slot name="foot"><button id="in-dialog">Act in the dialog</button></c-slot>
</c-dialog>
<div id="x">untouched</div>
<form hx-post="/test/refusing/" hx-target="#x"><button id="in-page">Act in the page</button></form>
{% endblock %}"""


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "test/page.html")


def refusing(request: HttpRequest) -> HttpResponse:
    raise Refused("The deadline has passed.", code="late")


urlpatterns = [
    path("test/page/", page),
    path("test/refusing/", refusing),
    *portal_urls.urlpatterns,
]


@pytest.mark.requirement("PT-022")
def test_a_refused_act_says_so_once_in_the_dialog_or_page_that_it_came_from(
    portal_url: str, settings: Settings, browser_type_launch_args: dict[str, Any], tmp_path: Any
) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "page.html").write_text(PAGE)
    templates = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**templates, "DIRS": [*templates["DIRS"], tmp_path]}]
    settings.ROOT_URLCONF = __name__
    client = Client()
    client.force_login(
        make_user("Signe Holm"), backend="portal.accounts.backends.RegionalIdBackend"
    )
    session = client.cookies["sessionid"].value
    with sync_playwright() as playwright:
        browsers = Browsers(playwright.chromium, browser_type_launch_args)
        browser = browsers.drawing()
        tab = browser.new_page()
        tab.context.add_cookies([{"name": "sessionid", "value": session, "url": portal_url}])
        tab.goto(f"{portal_url}/test/page/")
        _act(tab)
        browsers.close()


def _act(tab: Page) -> None:
    refusal = tab.locator("#refusal")
    tab.click("#in-page")
    expect(tab.locator("main > #refusal")).to_contain_text("The deadline has passed.")
    tab.get_by_text("Open", exact=True).click()
    tab.click("#in-dialog")
    expect(tab.locator("dialog[open] #refusal")).to_be_visible()
    expect(refusal).to_have_count(1)
    tab.click("#in-dialog")
    expect(tab.locator("dialog[open] #refusal")).to_be_focused()
    expect(refusal).to_have_count(1)
    expect(tab.locator("#x")).to_have_text("untouched")
