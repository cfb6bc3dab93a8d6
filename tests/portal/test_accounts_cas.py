"""Staff log in by CAS where a site chose it: against a CAS 3.0 server on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from portal.access.decision import can
from portal.access.models import DirectoryGroup, Role
from portal.accounts.health import check_login_service
from portal.accounts.interfaces.cas import (
    AttributeNames,
    CasError,
    read_logout_request,
    read_ticket_answer,
)
from portal.accounts.models import LoginSession, User
from portal.audit.models import AccessEntry, AuditEntry
from tests.support.accounts import http, is_logged_in, make_external
from tests.support.factories import make_unit, make_user
from tests.support.login_services import CasServer, cas_server, logout_request

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-001", "CD-041")]


@pytest.fixture
def cas(settings: Settings) -> Iterator[CasServer]:
    settings.PORTAL_LOGIN = "cas"
    settings.AUTHENTICATION_BACKENDS = [
        "axes.backends.AxesStandaloneBackend",
        "portal.accounts.backends.CasBackend",
        "portal.accounts.backends.ExternalAccountBackend",
    ]
    with cas_server() as server:
        settings.CAS_SERVER_URL = server.url
        yield server


def go_to_cas(client: Client, *, next_url: str = "/") -> str:
    """Begin, be sent to the CAS server and back: the address with the ticket."""
    start = client.get(reverse("accounts:cas"), {"next": next_url})
    assert start.status_code == 302, start.content
    sent = http().get(start["Location"], allow_redirects=False, timeout=10)
    address = urlsplit(sent.headers["Location"])
    return f"{address.path}?{address.query}"


def log_in(client: Client, **options: Any) -> Any:
    return client.get(go_to_cas(client, **options))


def refusal(client: Client, response: Any) -> str:
    assert response["Location"] == reverse("accounts:refused")
    page = client.get(response["Location"])
    assert page.status_code == 403
    return page.content.decode()


def test_a_member_of_staff_logs_in_by_cas_with_their_roles(client: Client, cas: CasServer) -> None:
    DirectoryGroup.objects.create(
        name="audit-people", role=Role.objects.get(code="audit.auditor"), unit=make_unit("hospital")
    )
    answer = log_in(client, next_url="/accounts/sessions/")
    assert answer["Location"] == "/accounts/sessions/"
    user = User.objects.get(subject="RDAH0001")
    assert (user.username, user.name, user.email, user.kind) == (
        "RDAH0001",
        "Ane Holm",
        "ane@hospital.invalid",
        "staff",
    )
    assert is_logged_in(client)
    assert can(user, "audit.browse_logs")
    assert AccessEntry.objects.get(action="login").data == {"way": "CasBackend"}

    cas.attributes["memberOf"] = "everybody"
    log_in(Client())
    assert not can(User.objects.get(pk=user.pk), "audit.browse_logs")


def test_the_login_page_leads_to_cas_and_there_is_no_way_by_openid(
    client: Client, cas: CasServer
) -> None:
    page = client.get(reverse("accounts:login")).content.decode()
    assert "Log in by CAS" in page
    assert reverse("accounts:cas") in page
    assert reverse("accounts:regional_id") not in page
    assert client.get(reverse("accounts:regional_id")).status_code == 404
    assert client.get(reverse("accounts:regional_id_callback")).status_code == 404
    assert client.post(reverse("accounts:provider_logout")).status_code == 404


def test_without_cas_in_the_settings_there_is_no_way_by_cas(client: Client) -> None:
    assert "Log in with regional ID" in client.get(reverse("accounts:login")).content.decode()
    assert client.get(reverse("accounts:cas")).status_code == 404
    assert client.get(reverse("accounts:cas_return")).status_code == 404
    assert client.post(reverse("accounts:cas_return")).status_code == 404


def test_a_site_says_what_its_server_calls_things(
    client: Client, cas: CasServer, settings: Settings
) -> None:
    settings.CAS_ATTRIBUTES = {
        "subject": "objectGUID",
        "regional_id": "sAMAccountName",
        "name": "cn",
        "email": "",
        "groups": "",
    }
    cas.attributes = {"objectGUID": "guid-1", "sAMAccountName": "RDAH0007", "cn": "Bo <Bak> & Co"}
    assert log_in(client)["Location"] == "/"
    user = User.objects.get(subject="guid-1")
    assert (user.username, user.name) == ("RDAH0007", "Bo <Bak> & Co")


def test_nobody_is_sent_to_another_site_after_the_login(client: Client, cas: CasServer) -> None:
    assert log_in(client, next_url="https://evil.invalid/")["Location"] == "/"


# --- what is refused ----------------------------------------------------------------------------


def test_an_invented_ticket_is_refused(client: Client, cas: CasServer) -> None:
    state = parse_qs(urlsplit(go_to_cas(client)).query)["state"][0]
    answer = client.get(reverse("accounts:cas_return"), {"state": state, "ticket": "ST-0-forged"})
    assert "cannot trust" in refusal(client, answer)
    assert not is_logged_in(client)
    assert AccessEntry.objects.get(action="refused").data == {"why": "token"}


def test_a_ticket_works_once(client: Client, cas: CasServer) -> None:
    address = go_to_cas(client)
    assert client.get(address)["Location"] == "/"
    client.post(reverse("accounts:sign_out"))
    assert "does not belong to a log-in" in refusal(client, client.get(address))
    # neither with the state of another log-in, begun anew
    ticket = parse_qs(urlsplit(address).query)["ticket"][0]
    state = parse_qs(urlsplit(go_to_cas(client)).query)["state"][0]
    again = client.get(reverse("accounts:cas_return"), {"state": state, "ticket": ticket})
    assert "cannot trust" in refusal(client, again)
    assert not is_logged_in(client)


def test_a_ticket_for_another_service_is_refused(client: Client, cas: CasServer) -> None:
    """Also the ticket of an attacker, put into the log-in that a victim began."""
    attackers = parse_qs(urlsplit(go_to_cas(Client())).query)["ticket"][0]
    state = parse_qs(urlsplit(go_to_cas(client)).query)["state"][0]
    answer = client.get(reverse("accounts:cas_return"), {"state": state, "ticket": attackers})
    assert "cannot trust" in refusal(client, answer)
    assert not is_logged_in(client)


@pytest.mark.parametrize("query", ["", "?ticket=ST-1-abc", "?ticket=ST-1-abc&state=forged"])
def test_a_forged_state_is_refused_and_the_server_not_even_asked(
    client: Client, cas: CasServer, query: str
) -> None:
    page = refusal(client, client.get(reverse("accounts:cas_return") + query))
    assert "does not belong to a log-in" in page
    assert cas.asked == []


def test_the_answer_to_one_browser_is_worth_nothing_in_another(
    client: Client, cas: CasServer
) -> None:
    address = go_to_cas(client)
    other = Client()
    go_to_cas(other)
    assert "does not belong to a log-in" in refusal(other, other.get(address))


def test_coming_back_without_a_ticket_is_not_being_logged_in(
    client: Client, cas: CasServer
) -> None:
    state = parse_qs(urlsplit(go_to_cas(client)).query)["state"][0]
    answer = client.get(reverse("accounts:cas_return"), {"state": state})
    assert "did not log you in" in refusal(client, answer)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("garbage", "cannot trust"),
        ("entities", "cannot trust"),
        ("neither", "cannot trust"),
        ("redirect", "cannot trust"),
        ("error", "does not answer"),
    ],
)
def test_an_answer_that_is_none_logs_nobody_in(
    client: Client, cas: CasServer, fault: str, words: str
) -> None:
    address = go_to_cas(client)
    cas.fault = fault
    assert words in refusal(client, client.get(address))
    assert not User.objects.filter(kind="staff").exists()


def test_a_server_that_hangs_is_not_waited_for(
    client: Client, cas: CasServer, settings: Settings
) -> None:
    address = go_to_cas(client)
    cas.fault, settings.OIDC_TIMEOUT = "slow", 0.2
    page = refusal(client, client.get(address))
    assert "does not answer" in page
    assert "local administrators do not need the login service" in page


def test_a_server_that_is_gone_is_said_in_plain_words_before_anybody_is_sent_there(
    client: Client, cas: CasServer, settings: Settings
) -> None:
    settings.CAS_SERVER_URL = "http://127.0.0.1:9/cas/"  # nothing listens there
    answer = client.get(reverse("accounts:cas"))
    assert "does not answer" in refusal(client, answer)
    with pytest.raises(RuntimeError, match="does not answer"):
        check_login_service()


@pytest.mark.parametrize("missing", ["displayName"])
def test_who_is_not_named_is_refused(client: Client, cas: CasServer, missing: str) -> None:
    del cas.attributes[missing]
    assert "did not say who you are" in refusal(client, log_in(client))


def test_closed_and_clashing_accounts_stay_outside(client: Client, cas: CasServer) -> None:
    closed = make_user("Ane", username="RDAH0001", subject="RDAH0001", is_active=False)
    assert "is closed" in refusal(client, log_in(client))
    assert User.objects.get(pk=closed.pk).name == "Ane"
    cas.user = "RDAH0002"
    make_external("Ole Ude", username="rdah0002")
    assert "belongs to another account" in refusal(client, log_in(client))


def test_many_refused_log_ins_lock_nobody_else_out(client: Client, cas: CasServer) -> None:
    for _time in range(6):
        address = go_to_cas(client)
        cas.fault = "garbage"
        client.get(address)
        cas.fault = ""
    assert log_in(client)["Location"] == "/"


# --- single logout ------------------------------------------------------------------------------


def test_single_logout_ends_the_session_of_its_ticket_alone(client: Client, cas: CasServer) -> None:
    address = go_to_cas(client)
    client.get(address)
    other = Client()
    log_in(other)
    ticket = parse_qs(urlsplit(address).query)["ticket"][0]
    nobody = Client(enforce_csrf_checks=True)
    answer = nobody.post(address, {"logoutRequest": logout_request(ticket)})
    assert answer.status_code == 200
    assert not is_logged_in(client)
    assert is_logged_in(other)
    entry = AuditEntry.objects.get(action="accounts.provider_logout")
    assert (entry.data, entry.service) == ({"sessions": 1}, "directory login")
    assert AccessEntry.objects.get(action="logout").data["why"] == "provider"
    nobody.post(address, {"logoutRequest": logout_request(ticket)})  # again: nothing happens
    assert AuditEntry.objects.filter(action="accounts.provider_logout").count() == 1


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "garbage",
        logout_request(""),
        logout_request("x").replace("LogoutRequest", "Other"),
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">' + logout_request("ST-1-abc"),
    ],
)
def test_a_logout_request_that_is_none_ends_nothing(
    client: Client, cas: CasServer, sent: str
) -> None:
    log_in(client)
    answer = Client().post(reverse("accounts:cas_return"), {"logoutRequest": sent})
    assert answer.status_code == 400
    assert is_logged_in(client)


def test_a_guessed_ticket_ends_nothing(client: Client, cas: CasServer) -> None:
    log_in(client)
    LoginSession.objects.update(provider_session="")  # one that no server named
    for ticket in ("ST-9-abc", " "):
        Client().post(reverse("accounts:cas_return"), {"logoutRequest": logout_request(ticket)})
    assert is_logged_in(client)


def test_the_person_of_a_session_is_who_the_ticket_was_of(client: Client, cas: CasServer) -> None:
    log_in(client)
    cas.user, cas.attributes["displayName"] = "RDAH0009", "Eva Lind"
    log_in(client)  # another person in the same browser
    assert get_user(client).username == "RDAH0009"
    assert (
        LoginSession.objects.filter(ended_at__isnull=True, user__username="RDAH0009").count() == 1
    )


# --- the format alone ---------------------------------------------------------------------------

NAMES = AttributeNames()


def answer_of(inner: bytes) -> bytes:
    root = b'<c:serviceResponse xmlns:c="http://www.yale.edu/tp/cas">%s</c:serviceResponse>'
    return root % inner


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"\x00",
        b"<a/>",
        b'<serviceResponse xmlns="http://elsewhere"><authenticationSuccess/></serviceResponse>',
        answer_of(b"<c:authenticationSuccess/>"),
        answer_of(
            b"<c:authenticationSuccess><c:user>x</c:user><c:proxies><c:proxy>p</c:proxy>"
            b"</c:proxies></c:authenticationSuccess>"
        ),
        b"<a>" + b"x" * 1024 * 1024 + b"</a>",
    ],
)
def test_what_is_no_answer_of_a_cas_server_is_refused(xml: bytes) -> None:
    with pytest.raises(CasError):
        read_ticket_answer(xml, NAMES)
    with pytest.raises(CasError):
        read_logout_request(xml)


def test_a_comment_in_a_name_does_not_cut_it_short() -> None:
    xml = answer_of(
        b"<c:authenticationSuccess><c:user>admin<!-- -->istrator2</c:user><c:attributes>"
        b"<c:displayName>A</c:displayName></c:attributes></c:authenticationSuccess>"
    )
    assert read_ticket_answer(xml, NAMES).regional_id == "administrator2"
