"""What people see when something is refused, or breaks (TS-124, PT-022)."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from portal.access.models import Role
from portal.accounts.models import User
from portal.config import urls as portal_urls
from portal.operations.logs import JsonFormatter, RequestIdFilter
from portal.records.errors import FieldDifference, Refused, StaleRecord
from tests.support.factories import make_user

handler403 = portal_urls.handler403
handler404 = portal_urls.handler404
handler500 = portal_urls.handler500


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("somebody's secret")


def reading(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(User.objects.count()))


def refusing(request: HttpRequest) -> HttpResponse:
    raise Refused("Too <late>.", code="late", details=["The deadline was 12:00."])


def gone(request: HttpRequest) -> HttpResponse:
    raise Refused("It is gone.", code="gone")


def forbidding(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("not you")


def stale(request: HttpRequest) -> HttpResponse:
    role = Role(code="access.x", name="The role")
    raise StaleRecord(role, [FieldDifference("name", "Old", "Theirs", "Mine")])


urlpatterns = [
    path("test/broken/", broken),
    path("test/reading/", reading),
    path("test/refusing/", refusing),
    path("test/gone/", gone),
    path("test/forbidding/", forbidding),
    path("test/stale/", stale),
    *portal_urls.urlpatterns,
]


@pytest.fixture(autouse=True)
def _pages(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    settings.PORTAL_SUPPORT_CONTACT = "the test desk, phone 1234"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The software log, as the portal writes it."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield text
    logging.getLogger().removeHandler(handler)


def client() -> Client:
    found = Client(raise_request_exception=False)
    found.force_login(make_user("Signe Holm"), backend="portal.accounts.backends.RegionalIdBackend")
    return found


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def number_on(page: str) -> str:
    found = re.search(r"<samp>([0-9a-f]{12})</samp>", page)
    assert found, page
    return found[1]


@pytest.mark.requirement("TS-124")
@pytest.mark.django_db
def test_the_number_on_the_error_page_finds_the_fault_in_the_log(log: io.StringIO) -> None:
    answer = client().get("/test/broken/")
    assert answer.status_code == 500
    page = answer.content.decode()
    number = number_on(page)
    assert answer["X-Error-Number"] == answer["X-Request-ID"] == number
    assert "the test desk, phone 1234" in page
    assert "secret" not in page
    (line,) = [line for line in lines(log) if line["level"] == "ERROR"]
    assert line["request_id"] == number
    assert "somebody's secret" in line["traceback"]


@pytest.mark.requirement("TS-124")
@pytest.mark.django_db(transaction=True)
def test_the_error_page_needs_no_database(log: io.StringIO) -> None:
    person = client()
    connection.close()
    host = connection.settings_dict["HOST"]
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        answer = person.get("/test/reading/")
    finally:
        connection.close()
        connection.settings_dict["HOST"] = host
    assert answer.status_code == 500
    page = answer.content.decode()
    assert "the test desk, phone 1234" in page
    (line,) = [line for line in lines(log) if line["level"] == "ERROR"]
    assert line["request_id"] == number_on(page)
    assert "OperationalError" in line["traceback"]


@pytest.mark.requirement("TS-124")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/test/forbidding/", 403, "You may not see this page"),
        ("/test/nowhere/at/all/", 404, "There is no such page"),
    ],
)
def test_pages_that_one_may_not_see_or_that_are_not_there_say_whom_to_ask(
    address: str, status: int, words: str
) -> None:
    answer = client().get(address)
    page = answer.content.decode()
    assert answer.status_code == status
    assert words in page
    assert "the test desk, phone 1234" in page
    assert number_on(page) == answer["X-Request-ID"]


@pytest.mark.django_db
def test_requests_have_numbers_of_their_own() -> None:
    person = client()
    first, second = (person.get("/notifications/count/")["X-Request-ID"] for _n in range(2))
    assert first != second


# --- refused ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_refusal_is_a_page_that_says_why_and_leads_back() -> None:
    answer = client().post(
        "/test/refusing/", headers={"Referer": "http://testserver/operations/?day=1"}
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Too &lt;late&gt;." in page
    assert "The deadline was 12:00." in page
    assert 'href="http://testserver/operations/?day=1"' in page
    elsewhere = Client()
    elsewhere.force_login(User.objects.get(), backend="portal.accounts.backends.RegionalIdBackend")
    page = elsewhere.post("/test/refusing/", headers={"Referer": "https://evil.invalid/"})
    assert "evil.invalid" not in page.content.decode()


@pytest.mark.django_db
def test_what_is_gone_is_a_404() -> None:
    answer = client().get("/test/gone/")
    assert answer.status_code == 404
    assert "It is gone." in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/test/refusing/", "/test/gone/"])
def test_htmx_gets_the_refusal_as_a_message_for_the_dialog_or_page_it_came_from(
    address: str,
) -> None:
    answer = client().post(address, headers={"HX-Request": "true"})
    assert answer.status_code == 422  # what the browser's script swaps in
    assert answer["HX-Retarget"] == "closest <dialog, main, body/>"
    assert answer["HX-Reswap"].startswith("afterbegin")
    page = answer.content.decode()
    assert "<html" not in page
    assert 'role="alert"' in page


@pytest.mark.requirement("PT-022")
@pytest.mark.django_db
def test_the_second_saver_sees_before_theirs_and_yours_and_opens_anew() -> None:
    answer = client().post("/test/stale/", headers={"Referer": "http://testserver/form/"})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "The role was changed while you had it open" in page
    cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", page)]
    assert cells == ["Old", "Theirs", "Mine"]
    assert 'href="http://testserver/form/"' in page
    person = Client()
    person.force_login(User.objects.get(), backend="portal.accounts.backends.RegionalIdBackend")
    part = person.post(
        "/test/stale/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/orders/7/"},
    )
    assert part.status_code == 409
    assert "<html" not in part.content.decode()
    assert 'href="http://testserver/orders/7/"' in part.content.decode()


@pytest.mark.requirement("TS-124")
@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_nul_character_in_what_is_sent_is_refused_in_words(method: str) -> None:
    answer = getattr(client(), method)("/test/reading/", {"reason": "a\0b"})
    assert answer.status_code == 422
    assert "Null characters are not allowed." in answer.content.decode()


@pytest.mark.requirement("TS-124")
@pytest.mark.django_db
def test_a_nul_character_in_the_address_is_refused_in_words() -> None:
    answer = client().get("/operations/history/access.role/a%00b/")
    assert answer.status_code == 422


@pytest.mark.requirement("TS-124")
@pytest.mark.django_db
def test_a_nul_character_in_a_cookie_is_nobodys_session() -> None:
    answer = Client().get("/test/reading/", headers={"cookie": 'sessionid="\\000abcdefghi"'})
    assert answer.status_code == 302
