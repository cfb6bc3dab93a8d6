"""The pages of accounts in a real browser: no fault that axe knows, no wider than a phone."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import expect, sync_playwright
from pytest_django import Settings

from portal.access.models import Role
from portal.accounts.models import AccountRequest, User
from portal.accounts.services import requests as services
from tests.e2e.visitor import Visitor
from tests.portal.test_accounts_requests import IN_A_YEAR
from tests.support.accounts import sign_in
from tests.support.browsers import Browsers
from tests.support.factories import give, make_unit, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def cookies_of(user: User, url: str) -> list[Any]:
    client = Client()
    sign_in(client, user)
    return [{"name": n, "value": morsel.value, "url": url} for n, morsel in client.cookies.items()]


@pytest.mark.requirement("PT-003")
def test_the_way_to_an_account_is_seen_and_gone_in_the_browser(
    portal_url: str, settings: Settings, browser_type_launch_args: dict[str, Any]
) -> None:
    settings.OIDC_OP_JWKS_ENDPOINT = "http://127.0.0.1:9/jwks"  # the login service is down
    hospital = make_unit("hospital")
    clinic = make_unit("clinic", hospital)
    owner, administrator = make_user("Olga Owner"), make_user("Adam Admin")
    give(owner, "accounts.account_owner", clinic)
    for code in ("accounts.account_administrator", "accounts.people_administrator"):
        give(administrator, code, hospital)
    give(administrator, "access.portal_administrator", hospital)
    values: dict[str, Any] = {
        "actor": administrator,
        "module": "tracershop",
        "unit": clinic,
        "wish": "About ten vials a week for the trial in our animal laboratory, from January on.",
    }
    asked = services.request_account(name="Rosa Rye", email="rosa@company.example", **values)
    applied = services.request_account(name="Ole Ude", email="ole@company.example", **values)
    services.apply_for_account(
        actor=owner,
        request_id=applied.pk,
        unit=clinic,
        roles=[Role.objects.get(code="tracershop.shop_external")],
        expires_on=IN_A_YEAR,
    )
    pages = {
        owner: {
            "requests": "/accounts/requests/?show=all",
            "requests-none": "/accounts/requests/?show=mine",
            "request-new": "/accounts/requests/new/",
            "request": f"/accounts/requests/{applied.pk}/",
            "request-apply": f"/accounts/requests/{asked.pk}/apply/",
        },
        administrator: {
            "people": "/accounts/people/",
            "person": f"/accounts/people/{owner.pk}/",
            "request-administrator": f"/accounts/requests/{applied.pk}/",
        },
    }
    cookies = {person.pk: cookies_of(person, portal_url) for person in pages}
    faults: list[str] = []
    with sync_playwright() as playwright:
        browsers = Browsers(playwright.chromium, browser_type_launch_args)
        browser = browsers.drawing()
        for person, paths in pages.items():
            visitor = Visitor.arriving(browser, portal_url)
            visitor.context.add_cookies(cookies[person.pk])
            for name, path in paths.items():
                assert visitor.open(path) == 200
                faults += visitor.look(f"accounts-{name}")
            if person is administrator:
                page = visitor.page
                page.get_by_role("link", name="Set up").click()
                faults += visitor.look("accounts-request-dialog")
                page.get_by_role("dialog").get_by_role("button", name="Set up").click()
                expect(page.get_by_text("It is an owner's turn")).to_be_visible()
            visitor.check()
            visitor.context.close()
        stranger = Visitor.arriving(browser, portal_url)
        stranger.expects("403")
        stranger.open("/accounts/login/")
        faults += stranger.look("accounts-login")
        stranger.page.get_by_role("link", name="Log in with regional ID").click()
        expect(stranger.page.get_by_text("does not answer")).to_be_visible()
        faults += stranger.look("accounts-service-down")
        stranger.check()
        browsers.close()
    assert faults == []
    assert AccountRequest.objects.get(pk=applied.pk).state == "created"
