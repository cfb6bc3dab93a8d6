"""The identity provider ends sessions: OpenID Connect Back-Channel Logout 1.0."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from websockets.sync.client import connect

from portal.access.decision import can
from portal.access.models import DirectoryGroup, Role
from portal.accounts.interfaces.logout_token import (
    LONGEST_AGE,
    LogoutToken,
    LogoutTokenError,
    read_logout_token,
)
from portal.accounts.models import LoginSession, UsedLogoutToken, User
from portal.accounts.services.provider_logout import log_out_by_token
from portal.accounts.services.sessions import end_provider_sessions
from portal.accounts.tasks import forget_tokens
from portal.audit.models import AccessEntry, AuditEntry
from portal.live.services import publish
from portal.notifications.services import person_topic
from portal.records.errors import Refused
from tests.support.accounts import is_logged_in, make_external, sign_in
from tests.support.factories import make_unit, make_user
from tests.support.login_services import TokenProvider, token_provider

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-001")]

URL = "/accounts/back-channel-logout/"
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def provider(settings: Settings) -> Iterator[TokenProvider]:
    with token_provider(settings) as running:
        yield running


def log_in(client: Client, provider: TokenProvider, **claims: Any) -> Any:
    """The whole code flow; ``claims`` are in the ID token."""
    start = client.get(reverse("accounts:regional_id"))
    asked = {
        name: values[0] for name, values in parse_qs(urlsplit(start["Location"]).query).items()
    }
    provider.nonce, provider.claims = asked["nonce"], claims
    provider.userinfo = {"sub": claims.get("sub", "sub-ane")}
    callback = reverse("accounts:regional_id_callback")
    answer = client.get(callback, {"code": "c", "state": asked["state"]})
    assert answer["Location"] == "/", client.get(answer["Location"]).content.decode()
    return answer


def send(token: str) -> Any:
    """As the provider posts it: no session, no cookie, no token against forgery."""
    return Client(enforce_csrf_checks=True).post(URL, {"logout_token": token})


@pytest.fixture
def ane(client: Client, provider: TokenProvider) -> User:
    log_in(client, provider)
    return User.objects.get(subject="sub-ane")


# --- whom it logs out ---------------------------------------------------------------------------


def test_a_subject_is_logged_out_everywhere_at_once_and_audited(
    client: Client, provider: TokenProvider, ane: User
) -> None:
    phone, other = Client(), Client()
    log_in(phone, provider)
    log_in(other, provider, sub="sub-eva", preferred_username="RDAH0002", name="Eva Lind")
    answer = send(provider.logout_token())
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Cache-Control"] == "no-store"
    assert [is_logged_in(each) for each in (client, phone, other)] == [False, False, True]
    entry = AuditEntry.objects.get(action="accounts.provider_logout")
    assert (entry.actor_id, entry.service, entry.data) == (
        ane.pk,
        "directory login",
        {"sessions": 2},
    )
    assert {e.data["why"] for e in AccessEntry.objects.filter(action="logout")} == {"provider"}
    assert "by the login service" in client.get(reverse("accounts:login")).content.decode()


def test_a_session_that_the_id_token_named_is_ended_and_the_others_stay(
    client: Client, provider: TokenProvider
) -> None:
    phone = Client()
    log_in(client, provider, sid="session-1")
    log_in(phone, provider, sid="session-2")
    assert send(provider.logout_token(sid="session-1")).status_code == 200
    assert [is_logged_in(each) for each in (client, phone)] == [False, True]
    assert send(provider.logout_token(sid="session-2", sub=None)).status_code == 200
    assert not is_logged_in(phone)


def test_of_a_person_whose_session_has_no_name_all_such_sessions_end(
    client: Client, provider: TokenProvider, ane: User
) -> None:
    named, stranger = Client(), Client()
    log_in(named, provider, sid="session-2")
    log_in(stranger, provider, sub="sub-eva", preferred_username="RDAH0002", name="Eva Lind")
    assert send(provider.logout_token(sid="session-1")).status_code == 200
    assert [is_logged_in(each) for each in (client, named, stranger)] == [False, True, True]


def test_a_session_name_alone_ends_no_nameless_session(
    client: Client, provider: TokenProvider, ane: User
) -> None:
    assert send(provider.logout_token(sid="session-1", sub=None)).status_code == 200
    assert is_logged_in(client)


def test_anothers_session_does_not_end_by_its_name_with_ones_own_subject(
    client: Client, provider: TokenProvider
) -> None:
    log_in(client, provider, sid="session-1")
    assert send(provider.logout_token(sid="session-1", sub="sub-eva")).status_code == 200
    assert is_logged_in(client)


def test_whom_nobody_knows_or_who_is_out_already_is_no_fault(
    client: Client, provider: TokenProvider, ane: User
) -> None:
    assert send(provider.logout_token(sub="sub-nobody")).status_code == 200
    assert is_logged_in(client)
    send(provider.logout_token())
    assert send(provider.logout_token()).status_code == 200
    assert AuditEntry.objects.filter(action="accounts.provider_logout").count() == 1


def test_an_external_person_is_no_concern_of_the_provider(
    client: Client, provider: TokenProvider
) -> None:
    sign_in(client, make_external("Ole Ude"))
    LoginSession.objects.update(provider_session="session-1")
    assert send(provider.logout_token(sid="session-1", sub=None)).status_code == 200
    assert is_logged_in(client)


def test_a_role_that_the_directory_took_is_gone_at_the_next_login(
    client: Client, provider: TokenProvider
) -> None:
    DirectoryGroup.objects.create(
        name="audit-people", role=Role.objects.get(code="audit.auditor"), unit=make_unit("hospital")
    )
    log_in(client, provider)
    log = reverse("operations:audit")
    assert client.get(log).status_code == 200
    send(provider.logout_token())
    assert client.get(log).status_code == 302
    log_in(client, provider, groups=[])
    assert client.get(log).status_code == 403
    assert not can(User.objects.get(subject="sub-ane"), "audit.browse_logs")


# --- what is refused ----------------------------------------------------------------------------


def over(seconds: float) -> float:
    return time.time() + seconds


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.invalid"},
        {"iss": None},
        {"aud": "another-portal"},
        {"aud": None},
        {"iat": None},
        {"iat": "now"},
        {"iat": over(3600), "exp": over(7200)},
        {"iat": over(-3600), "exp": over(3600)},
        {"iat": True},
        {"iat": 1e300},
        {"exp": None},
        {"exp": over(-3600)},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"events": None},
        {"events": {}},
        {"events": [EVENT]},
        {"events": {EVENT: "yes"}},
        {"events": {"http://elsewhere": {}}},
        {"nonce": "n"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sid": ""},
        {"sid": ["session-1"]},
        {"sid": "s\0"},
        {"sub": "s" * 256},
        {"headers": {"typ": "at+jwt"}},
        {"headers": {"kid": "another"}},
        {"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)},
    ],
    ids="-".join,
)
def test_a_token_that_is_not_right_in_every_part_logs_nobody_out(
    client: Client, provider: TokenProvider, ane: User, changes: dict[str, Any]
) -> None:
    answer = send(provider.logout_token(**changes))
    assert answer.status_code == 400
    assert answer["Cache-Control"] == "no-store"
    assert answer.json()["error"] == "invalid_request"
    assert answer.json()["error_description"]
    assert is_logged_in(client)
    assert not UsedLogoutToken.objects.exists()


def test_a_token_without_a_signature_or_by_a_shared_secret_is_refused(
    client: Client, provider: TokenProvider, ane: User, settings: Settings
) -> None:
    claims = jwt.decode(provider.logout_token(), options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none", headers={"kid": "key-1"})
    by_secret = jwt.encode(
        claims, settings.OIDC_RP_CLIENT_SECRET * 20, algorithm="HS256", headers={"kid": "key-1"}
    )
    for token in (unsigned, by_secret, "", "x.y.z", "é" * 100):
        assert send(token).status_code == 400
    assert is_logged_in(client)


def test_an_id_token_is_no_logout_token(client: Client, provider: TokenProvider, ane: User) -> None:
    assert send(provider.id_token()).status_code == 400
    assert is_logged_in(client)


def test_only_a_post_is_taken(provider: TokenProvider) -> None:
    token = provider.logout_token()
    assert Client().get(URL, {"logout_token": token}).status_code == 405
    assert Client().post(URL, {}).status_code == 400


def test_a_token_works_once(client: Client, provider: TokenProvider, ane: User) -> None:
    token = provider.logout_token()
    assert send(token).status_code == 200
    log_in(client, provider)
    again = send(token)
    assert (again.status_code, again.json()["error_description"]) == (
        400,
        "the token was used before",
    )
    assert is_logged_in(client)


@pytest.mark.django_db(transaction=True)
def test_one_token_sent_twice_at_once_works_once(provider: TokenProvider) -> None:
    token = provider.logout_token()
    both = threading.Barrier(2)

    def post(_number: int) -> int:
        try:
            both.wait(timeout=10)
            return send(token).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(post, range(2))) == [200, 400]


@pytest.mark.parametrize(
    "fault",
    [
        (500, b""),
        (200, b"<html>Maintenance</html>"),
        (200, b"[]"),
        (200, b'{"keys": "none"}'),
        (200, b'{"keys": []}'),
        (200, b'{"keys": [{"kid": "key-1", "kty": "RSA"}]}'),
    ],
)
def test_without_the_providers_keys_nobody_is_logged_out(
    client: Client, provider: TokenProvider, ane: User, fault: tuple[int, bytes]
) -> None:
    provider.faults["/jwks"] = fault
    assert send(provider.logout_token()).status_code == 400
    assert is_logged_in(client)
    del provider.faults["/jwks"]
    assert send(provider.logout_token()).status_code == 200  # it was not used up


def test_who_names_nobody_ends_nothing(client: Client, ane: User) -> None:
    assert end_provider_sessions() == 0
    assert is_logged_in(client)


def test_used_tokens_are_forgotten_only_when_they_are_too_old_to_be_taken() -> None:
    UsedLogoutToken.objects.create(digest="young", used_at=timezone.now() - LONGEST_AGE)
    UsedLogoutToken.objects.create(digest="old", used_at=timezone.now() - timedelta(hours=1))
    assert forget_tokens() == 1
    assert UsedLogoutToken.objects.get().digest == "young"


def test_the_service_refuses_a_token_of_the_same_number_whatever_else_it_says() -> None:
    log_out_by_token(LogoutToken("jti-1", subject="a"))
    with pytest.raises(Refused) as refusal:
        log_out_by_token(LogoutToken("jti-1", subject="b"))
    assert refusal.value.code == "replayed"


# --- the clock ----------------------------------------------------------------------------------

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LEEWAY = timedelta(seconds=30)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("issued_at", "ends_at", "taken"),
    [
        (NOW, NOW + 2 * SECOND, True),
        (NOW + LEEWAY, NOW + timedelta(minutes=2), True),
        (NOW + LEEWAY + SECOND, NOW + timedelta(minutes=2), False),
        (NOW - timedelta(minutes=1), NOW - LEEWAY + SECOND, True),
        (NOW - timedelta(minutes=1), NOW - LEEWAY, False),
        (NOW - LONGEST_AGE - LEEWAY + SECOND, NOW + timedelta(hours=1), True),
        (NOW - LONGEST_AGE - LEEWAY, NOW + timedelta(hours=1), False),
    ],
)
def test_the_providers_clock_may_be_off_by_the_leeway_and_no_more(
    issued_at: datetime, ends_at: datetime, taken: bool
) -> None:
    claims = {
        "iss": "i",
        "aud": "c",
        "iat": issued_at.timestamp(),
        "exp": ends_at.timestamp(),
        "jti": "1",
        "sub": "s",
        "events": {EVENT: {}},
    }

    def read() -> str:
        return read_logout_token(
            jwt.encode(claims, KEY, algorithm="RS256", headers={"typ": "logout+jwt"}),
            KEY.public_key(),
            algorithm="RS256",
            issuer="i",
            client_id="c",
            now=NOW,
            leeway=LEEWAY,
        ).subject

    if taken:
        assert read() == "s"
    else:
        with pytest.raises(LogoutTokenError):
            read()


# --- the open page ------------------------------------------------------------------------------


@pytest.mark.requirement("PT-060")
@pytest.mark.django_db(transaction=True)
def test_the_socket_of_an_ended_session_hears_nothing_more(
    portal_url: str, provider: TokenProvider
) -> None:
    client = Client()
    user = make_user("Ane Holm", username="RDAH0001", subject="sub-ane")
    sign_in(client, user)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    topic = person_topic(user)
    with connect(
        portal_url.replace("http://", "ws://") + "/ws/live/",
        origin=portal_url,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookies},
        proxy=None,
    ) as page:
        page.recv(timeout=10)
        page.send(f'{{"type": "subscribe", "topics": ["{topic}"]}}')
        assert "subscribed" in page.recv(timeout=10)
        assert send(provider.logout_token()).status_code == 200
        publish(topic, "notification")
        assert "refused" in page.recv(timeout=10)
