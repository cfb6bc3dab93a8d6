"""The identity provider is down, lies, or has a wrong clock; roles are lost while logged in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from portal.access.models import DirectoryGroup, Role
from portal.access.services import end_grant
from portal.accounts.health import check_login_service
from portal.accounts.models import User
from portal.audit.models import AccessEntry
from portal.records.context import ServiceActor
from tests.support.accounts import PASSWORD, code_of, is_logged_in, make_external, sign_in
from tests.support.factories import give, make_unit, make_user
from tests.support.login_services import TokenProvider, token_provider

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-001")]

NOBODY_LISTENS = "http://127.0.0.1:9"
CALLBACK = "/accounts/regional-id/callback/"


@pytest.fixture
def provider(settings: Settings) -> Iterator[TokenProvider]:
    with token_provider(settings) as running:
        yield running


def begin(client: Client, provider: TokenProvider) -> dict[str, str]:
    """Go out; the provider's next ID token answers this log-in. The query to come back with."""
    start = client.get(reverse("accounts:regional_id"))
    asked = {
        name: values[0] for name, values in parse_qs(urlsplit(start["Location"]).query).items()
    }
    provider.nonce = asked["nonce"]
    return {"code": "c", "state": asked["state"]}


def log_in(client: Client, provider: TokenProvider) -> Any:
    return client.get(CALLBACK, begin(client, provider))


def refusal(client: Client, response: Any) -> str:
    assert response["Location"] == reverse("accounts:refused")
    page = client.get(response["Location"])
    assert page.status_code == 403
    assert not is_logged_in(client)
    return page.content.decode()


def why() -> str:
    return AccessEntry.objects.get(action="refused").data["why"]


def test_with_the_provider_as_it_should_be_the_log_in_works(
    client: Client, provider: TokenProvider
) -> None:
    assert log_in(client, provider)["Location"] == "/"
    assert is_logged_in(client)
    check_login_service()


# --- down ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["refused", "error", "slow"])
def test_nobody_is_sent_to_a_provider_that_is_down(
    client: Client,
    provider: TokenProvider,
    settings: Settings,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if fault == "refused":
        settings.OIDC_OP_JWKS_ENDPOINT = f"{NOBODY_LISTENS}/jwks"
    elif fault == "error":
        provider.faults["/jwks"] = (503, b"")
    else:
        monkeypatch.setattr("portal.accounts.health._TIMEOUT_S", (0.1, 0.1))
        provider.slow_s = 0.5
    page = refusal(client, client.get(reverse("accounts:regional_id")))
    assert "does not answer" in page
    assert settings.PORTAL_SUPPORT_CONTACT in page
    assert "local administrators do not need the login service" in page
    with pytest.raises(RuntimeError):
        check_login_service()


@pytest.mark.parametrize("path", ["/token", "/jwks", "/userinfo"])
@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        ((500, b""), {"provider"}),
        ((200, b"<html>Maintenance</html>"), {"provider"}),
        ((200, b"[]"), {"token", "claims"}),
        ((200, b"null"), {"token", "claims"}),
        ((200, b'{"id_token": 7, "keys": 7, "sub": 7}'), {"token"}),
        ((200, b'{"id_token": "a.b.c", "keys": [7], "sub": "other"}'), {"token"}),
    ],
)
def test_a_provider_that_fails_half_way_logs_nobody_in(
    client: Client, provider: TokenProvider, path: str, fault: tuple[int, bytes], reasons: set[str]
) -> None:
    query = begin(client, provider)
    provider.faults[path] = fault
    refusal(client, client.get(CALLBACK, query))
    assert why() in reasons
    assert not User.objects.filter(subject="sub-ane").exists()


def test_a_provider_that_hangs_half_way_is_not_waited_for(
    client: Client, provider: TokenProvider, settings: Settings
) -> None:
    query = begin(client, provider)
    provider.slow_s, settings.OIDC_TIMEOUT = 0.6, 0.2
    assert "does not answer" in refusal(client, client.get(CALLBACK, query))
    assert why() == "provider"


@pytest.mark.requirement("PT-002")
def test_while_the_provider_is_down_a_local_administrator_gets_in(
    client: Client, provider: TokenProvider, settings: Settings
) -> None:
    from django_otp.plugins.otp_totp.models import TOTPDevice

    settings.OIDC_OP_JWKS_ENDPOINT = f"{NOBODY_LISTENS}/jwks"
    user = make_external("Emma Ergency", emergency=True)
    device = TOTPDevice.objects.create(user=user, confirmed=True, name="app")
    page = client.get(reverse("accounts:login")).content.decode()
    assert "Other ways to log in" in page
    login = {"username": user.username, "password": PASSWORD}
    assert client.post(reverse("accounts:login"), login)["Location"] == reverse("accounts:code")
    client.post(reverse("accounts:code"), {"code": code_of(device)})
    assert is_logged_in(client)


# --- tokens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["sub", "preferred_username", "name", "exp", "iss", "aud"])
def test_a_token_without_an_expected_claim_is_refused(
    client: Client, provider: TokenProvider, missing: str
) -> None:
    provider.claims = {missing: None}
    refusal(client, log_in(client, provider))
    assert why() in ("claims", "token")
    assert not User.objects.filter(kind="staff").exists()


@pytest.mark.parametrize(
    ("claims", "works"),
    [
        ({"exp": 1000}, True),
        ({"exp": -20}, True),  # within the leeway of 30 s
        ({"exp": -40}, False),
        ({"iat": 20}, True),
        ({"iat": 40}, False),
        ({"nbf": 20}, True),
        ({"nbf": 40}, False),
    ],
)
def test_the_providers_clock_may_be_a_little_off_and_no_more(
    client: Client,
    provider: TokenProvider,
    settings: Settings,
    claims: dict[str, float],
    works: bool,
) -> None:
    assert settings.OIDC_CLOCK_SKEW_S == 30
    provider.claims = {name: time.time() + seconds for name, seconds in claims.items()}
    answer = log_in(client, provider)
    if works:
        assert answer["Location"] == "/"
        assert is_logged_in(client)
    else:
        assert "one of the clocks is wrong" in refusal(client, answer)
        assert why() == "time"


def test_how_far_it_may_be_off_is_a_setting(
    client: Client, provider: TokenProvider, settings: Settings
) -> None:
    settings.OIDC_CLOCK_SKEW_S = 0
    provider.claims = {"exp": time.time() - 5}
    refusal(client, log_in(client, provider))
    settings.OIDC_CLOCK_SKEW_S = 600
    provider.claims = {"exp": time.time() - 300}
    assert log_in(client, provider)["Location"] == "/"


def test_the_token_of_an_earlier_log_in_is_worth_nothing(
    client: Client, provider: TokenProvider
) -> None:
    log_in(client, provider)
    earlier = provider.nonce
    other = Client()
    query = begin(other, provider)
    provider.nonce = earlier
    assert "cannot trust" in refusal(other, other.get(CALLBACK, query))


def test_a_token_signed_by_anybody_else_is_refused(
    client: Client, provider: TokenProvider, settings: Settings
) -> None:
    query = begin(client, provider)
    theirs = TokenProvider(provider.client_id, provider.issuer, provider.nonce).id_token()
    body = f'{{"access_token": "a", "id_token": "{theirs}"}}'.encode()
    provider.faults["/token"] = (200, body)
    assert "cannot trust" in refusal(client, client.get(CALLBACK, query))


def test_a_token_by_a_shared_secret_or_by_none_is_refused(
    client: Client, provider: TokenProvider, settings: Settings
) -> None:
    import jwt

    for key, algorithm in ((settings.OIDC_RP_CLIENT_SECRET * 20, "HS256"), (None, "none")):
        query = begin(client, provider)
        claims = jwt.decode(provider.id_token(), options={"verify_signature": False})
        token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "key-1"})
        provider.faults["/token"] = (
            200,
            f'{{"access_token": "a", "id_token": "{token}"}}'.encode(),
        )
        assert "cannot trust" in refusal(client, client.get(CALLBACK, query))


def test_a_forged_state_is_refused_before_the_provider_is_asked(
    client: Client, provider: TokenProvider
) -> None:
    begin(client, provider)
    provider.faults["/token"] = (500, b"")
    answer = client.get(CALLBACK, {"code": "c", "state": "forged"})
    assert "does not belong to a log-in" in refusal(client, answer)
    assert not AccessEntry.objects.filter(action="refused").exists()


def test_many_refused_log_ins_lock_nobody_else_out(client: Client, provider: TokenProvider) -> None:
    provider.claims = {"name": None}
    for _time in range(7):
        log_in(client, provider)
    provider.claims = {}
    assert log_in(client, provider)["Location"] == "/"


# --- lost while logged in -----------------------------------------------------------------------


@pytest.mark.requirement("PT-012")
def test_a_role_lost_while_logged_in_is_lost_at_the_next_click(client: Client) -> None:
    user = sign_in(client, make_user("Ib Bo"))
    grant = give(user, "audit.auditor", make_unit("hospital"))
    log = reverse("operations:audit")
    assert client.get(log).status_code == 200
    end_grant(actor=ServiceActor("test"), grant_id=grant.pk, reason="left")
    assert client.get(log).status_code == 403


def test_a_directory_role_lost_on_one_device_is_lost_on_all(
    client: Client, provider: TokenProvider
) -> None:
    DirectoryGroup.objects.create(
        name="audit-people", role=Role.objects.get(code="audit.auditor"), unit=make_unit("hospital")
    )
    log = reverse("operations:audit")
    log_in(client, provider)
    assert client.get(log).status_code == 200
    provider.claims = {"groups": []}
    log_in(Client(), provider)
    assert client.get(log).status_code == 403
