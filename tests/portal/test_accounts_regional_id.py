"""Staff log in by OpenID Connect: the real code flow against a real provider on the loopback."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth import get_user
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.access.decision import can
from portal.access.models import DirectoryGroup, Role, RoleGrant
from portal.accounts.backends import RegionalIdBackend
from portal.accounts.interfaces.claims import StaffClaims
from portal.accounts.models import LoginSession, User
from portal.accounts.services.staff import receive_staff
from portal.audit.models import AccessEntry, AuditEntry
from portal.demo.identity_provider import Person
from portal.records.services import soft_delete
from tests.support.accounts import ask_provider, http, is_logged_in, log_in_staff, make_external
from tests.support.factories import give, make_unit, make_user
from tests.support.processes import IdentityProvider

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-001")]

ANE = Person("sub-ane", "RDAH0001", "Ane Holm", "ane@hospital.invalid", ("audit-people",))


@pytest.fixture
def provider(identity_provider: IdentityProvider) -> IdentityProvider:
    identity_provider.add(ANE)
    return identity_provider


def say(provider: IdentityProvider, sub: str, **claims: Any) -> None:
    """Make the provider say exactly this of the person."""
    http().put(f"{provider.issuer}/users/{sub}", json=claims, timeout=10).raise_for_status()


def refusal(client: Client, response: Any) -> str:
    """The refused page's text, after the redirect to it."""
    assert response.status_code == 302
    assert response["Location"] == reverse("accounts:refused")
    page = client.get(response["Location"])
    assert page.status_code == 403
    return page.content.decode()


def test_a_member_of_staff_logs_in_and_the_portal_knows_them_from_then_on(
    client: Client, provider: IdentityProvider
) -> None:
    answer = log_in_staff(client, ANE.sub, next_url="/accounts/sessions/")
    assert answer["Location"] == "/accounts/sessions/"
    user = User.objects.get(subject=ANE.sub)
    assert (user.username, user.name, user.email, user.kind) == (
        "RDAH0001",
        "Ane Holm",
        "ane@hospital.invalid",
        "staff",
    )
    assert not user.has_usable_password()
    assert is_logged_in(client)
    created = AuditEntry.objects.get(action="accounts.staff_created")
    assert (created.service, created.actor_id) == ("directory login", user.pk)
    assert created.data["username"] == ["", "RDAH0001"]
    assert LoginSession.objects.get(user=user).session_key == client.session.session_key
    login = AccessEntry.objects.get(action="login")
    assert (login.actor_id, login.data) == (user.pk, {"way": "RegionalIdBackend"})


def test_the_way_to_the_provider_carries_state_nonce_and_a_hashed_challenge(
    client: Client, provider: IdentityProvider
) -> None:
    start = client.get(reverse("accounts:regional_id"))
    asked = parse_qs(urlsplit(start["Location"]).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    [state] = asked["state"]
    kept = client.session["oidc_states"][state]
    assert kept["nonce"] == asked["nonce"][0]
    assert kept["code_verifier"] not in start["Location"]
    assert asked["redirect_uri"] == ["http://testserver" + reverse("accounts:regional_id_callback")]


def test_nobody_is_sent_to_another_site_after_the_login(
    client: Client, provider: IdentityProvider
) -> None:
    assert log_in_staff(client, ANE.sub, next_url="https://evil.invalid/")["Location"] == "/"


def test_a_second_login_brings_changes_and_audits_them_and_nothing_else(
    client: Client, provider: IdentityProvider
) -> None:
    log_in_staff(client, ANE.sub)
    version = User.objects.get(subject=ANE.sub).version
    log_in_staff(Client(), ANE.sub)
    assert User.objects.get(subject=ANE.sub).version == version
    assert not AuditEntry.objects.filter(action="accounts.staff_changed").exists()

    provider.add(Person(ANE.sub, "RDAH0002", "Ane Brandt", "brandt@hospital.invalid"))
    log_in_staff(Client(), ANE.sub)
    user = User.objects.get(subject=ANE.sub)
    assert (user.username, user.name, user.email) == (
        "RDAH0002",
        "Ane Brandt",
        "brandt@hospital.invalid",
    )
    changed = AuditEntry.objects.get(action="accounts.staff_changed")
    assert changed.data["name"] == ["Ane Holm", "Ane Brandt"]
    assert [row.name for row in user.history.order_by("version")] == ["Ane Holm", "Ane Brandt"]


def test_people_are_told_apart_by_subject_and_never_joined_by_mail(
    client: Client, provider: IdentityProvider
) -> None:
    other = make_user("Eva Lind", username="RDAH0009", email=ANE.email, subject="sub-eva")
    log_in_staff(client, ANE.sub)
    assert get_user(client).pk != other.pk
    assert User.objects.filter(email=ANE.email).count() == 2


# --- groups and roles ---------------------------------------------------------------------------


def actions(user: User) -> list[str]:
    found = AuditEntry.objects.filter(action__startswith="access.directory_role", actor_id=user.pk)
    return list(found.order_by("pk").values_list("action", flat=True))


def test_roles_come_change_and_go_with_the_groups_of_the_token(
    client: Client, provider: IdentityProvider
) -> None:
    unit = make_unit("hospital")
    auditor, operator = (Role.objects.get(code=c) for c in ("audit.auditor", "operations.operator"))
    DirectoryGroup.objects.create(name="audit-people", role=auditor, unit=unit)
    DirectoryGroup.objects.create(name="it-people", role=operator, unit=unit)

    log_in_staff(client, ANE.sub)
    user = User.objects.get(subject=ANE.sub)
    assert can(user, "audit.browse_logs")
    assert actions(user) == ["access.directory_role_granted"]

    provider.add(Person(ANE.sub, ANE.regional_id, ANE.name, ANE.email, ("it-people", "unknown")))
    log_in_staff(Client(), ANE.sub)
    user = User.objects.get(pk=user.pk)
    assert not can(user, "audit.browse_logs")
    assert can(user, "operations.see_status")
    assert sorted(actions(user)[1:]) == [
        "access.directory_role_granted",
        "access.directory_role_lost",
    ]

    say(provider, ANE.sub, preferred_username=ANE.regional_id, name=ANE.name)
    log_in_staff(Client(), ANE.sub)
    user = User.objects.get(pk=user.pk)
    assert not can(user, "operations.see_status")
    assert actions(user)[-1] == "access.directory_role_lost"
    assert RoleGrant.all_objects.filter(user=user).count() == 2  # ended, not deleted


def test_a_role_granted_by_a_person_outlives_a_login_without_groups(
    client: Client, provider: IdentityProvider
) -> None:
    log_in_staff(client, ANE.sub)
    user = User.objects.get(subject=ANE.sub)
    give(user, "audit.auditor", make_unit("hospital"))
    say(provider, ANE.sub, preferred_username=ANE.regional_id, name=ANE.name)
    log_in_staff(Client(), ANE.sub)
    assert can(User.objects.get(pk=user.pk), "audit.browse_logs")


@pytest.mark.requirement("TS-100")
def test_of_several_single_roles_of_a_module_the_strongest_is_kept(
    client: Client, provider: IdentityProvider
) -> None:
    unit = make_unit("hospital")
    for group, code in [("shop", "shop_internal"), ("lab", "production_user")]:
        role = Role.objects.get(code=f"tracershop.{code}")
        DirectoryGroup.objects.create(name=group, role=role, unit=unit)
    provider.add(Person(ANE.sub, ANE.regional_id, ANE.name, ANE.email, ("lab", "shop")))
    log_in_staff(client, ANE.sub)
    user = User.objects.get(subject=ANE.sub)
    assert [grant.role.code for grant in RoleGrant.objects.filter(user=user)] == [
        "tracershop.production_user"
    ]
    # stronger now by groups alone, weaker at the next login: never two at once
    provider.add(Person(ANE.sub, ANE.regional_id, ANE.name, ANE.email, ("shop",)))
    log_in_staff(Client(), ANE.sub)
    assert [grant.role.code for grant in RoleGrant.objects.filter(user=user)] == [
        "tracershop.shop_internal"
    ]


@pytest.mark.requirement("TS-100")
def test_a_role_that_a_person_granted_is_not_doubled_by_the_directory(
    client: Client, provider: IdentityProvider
) -> None:
    unit = make_unit("hospital")
    role = Role.objects.get(code="tracershop.production_user")
    DirectoryGroup.objects.create(name="audit-people", role=role, unit=unit)
    user = make_user("Ane Holm", username="RDAH0001", subject=ANE.sub)
    give(user, "tracershop.shop_internal", unit)
    log_in_staff(client, ANE.sub)
    [grant] = RoleGrant.objects.filter(user=user)
    assert grant.role.code == "tracershop.shop_internal"


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["preferred_username", "name"])
def test_a_token_that_does_not_say_who_is_refused_and_makes_nobody(
    client: Client, provider: IdentityProvider, missing: str
) -> None:
    claims = {"preferred_username": "RDAH0005", "name": "Bo Bak", "groups": ["it-people"]}
    say(provider, "sub-bo", **{name: text for name, text in claims.items() if name != missing})
    page = refusal(client, log_in_staff(client, "sub-bo"))
    assert "did not say who you are" in page
    assert not User.all_objects.filter(subject="sub-bo").exists()
    assert not is_logged_in(client)
    assert AccessEntry.objects.get(action="refused").data == {"why": "claims"}


def test_a_regional_id_that_an_external_account_has_as_user_name_is_refused(
    client: Client, provider: IdentityProvider
) -> None:
    external = make_external("Ole Ude", username="rdah0001")
    assert "belongs to another account" in refusal(client, log_in_staff(client, ANE.sub))
    external.refresh_from_db()
    assert (external.kind, external.subject, external.name) == ("external", None, "Ole Ude")
    assert not User.objects.filter(subject=ANE.sub).exists()


def test_a_regional_id_that_passed_to_another_subject_is_refused(
    client: Client, provider: IdentityProvider
) -> None:
    make_user("Ane Holm", username="RDAH0001", subject="sub-of-before")
    assert "belongs to another account" in refusal(client, log_in_staff(client, ANE.sub))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"is_active": False}, "account in the portal is closed"),
        ({"is_active": False, "suspended_at": timezone.now()}, "is suspended"),
        ({"expires_on": timezone.localdate().replace(year=2020)}, "has expired"),
    ],
)
def test_who_is_closed_suspended_or_expired_stays_outside_and_unchanged(
    client: Client, provider: IdentityProvider, state: dict[str, Any], words: str
) -> None:
    user = make_user("Old Name", username="RDAH0001", subject=ANE.sub, **state)
    assert words in refusal(client, log_in_staff(client, ANE.sub))
    assert User.objects.get(pk=user.pk).name == "Old Name"
    assert not is_logged_in(client)


def test_a_deleted_person_stays_outside(client: Client, provider: IdentityProvider) -> None:
    soft_delete(make_user("Ane Holm", username="RDAH0001", subject=ANE.sub))
    assert "is closed" in refusal(client, log_in_staff(client, ANE.sub))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "does not belong to a log-in"),
        ("?code=x", "does not belong to a log-in"),
        ("?code=x&state=forged", "does not belong to a log-in"),
        ("?error=x&state=forged", "you cancelled there"),
    ],
)
def test_a_forged_state_changes_nothing_for_anybody(
    client: Client, provider: IdentityProvider, query: str, words: str
) -> None:
    callback = reverse("accounts:regional_id_callback")
    assert words in refusal(client, client.get(callback + query))

    log_in_staff(client, ANE.sub)
    client.get(callback + query)
    assert is_logged_in(client)  # nobody is logged out by a link either


def test_the_answer_to_one_browser_is_worth_nothing_in_another(
    client: Client, provider: IdentityProvider
) -> None:
    answer = ask_provider(client, sub=ANE.sub)
    other = Client()
    other.get(reverse("accounts:regional_id"))  # has begun a log-in of its own
    assert "does not belong to a log-in" in refusal(other, other.get(answer))


def test_an_answer_works_once(client: Client, provider: IdentityProvider) -> None:
    answer = ask_provider(client, sub=ANE.sub)
    assert client.get(answer)["Location"] == "/"
    client.post(reverse("accounts:sign_out"))
    assert "does not belong to a log-in" in refusal(client, client.get(answer))


def test_a_stolen_code_without_its_verifier_is_refused_by_the_provider(
    client: Client, provider: IdentityProvider
) -> None:
    stolen = parse_qs(urlsplit(ask_provider(client, sub=ANE.sub)).query)["code"][0]
    thief = Client()
    thief.get(reverse("accounts:regional_id"))
    [state] = thief.session["oidc_states"]
    answer = thief.get(reverse("accounts:regional_id_callback"), {"code": stolen, "state": state})
    assert "does not answer" in refusal(thief, answer)
    assert not is_logged_in(thief)


def test_cancelling_at_the_provider_is_said_in_plain_words(
    client: Client, provider: IdentityProvider
) -> None:
    answer = client.get(ask_provider(client, action="deny"))
    assert "you cancelled" in refusal(client, answer)


def test_a_provider_that_is_down_is_said_in_plain_words(
    client: Client, provider: IdentityProvider, settings: Any
) -> None:
    answer = ask_provider(client, sub=ANE.sub)
    settings.OIDC_OP_TOKEN_ENDPOINT = "http://127.0.0.1:9/token"  # nothing listens there
    page = refusal(client, client.get(answer))
    assert "does not answer" in page
    assert settings.PORTAL_SUPPORT_CONTACT in page
    assert AccessEntry.objects.get(action="refused").data == {"why": "provider"}


def test_a_token_of_another_issuer_is_refused(
    client: Client, provider: IdentityProvider, settings: Any
) -> None:
    answer = ask_provider(client, sub=ANE.sub)
    settings.OIDC_OP_ISSUER = "https://somebody-else.invalid"
    assert "cannot trust" in refusal(client, client.get(answer))
    assert not User.objects.filter(subject=ANE.sub).exists()


def test_a_token_that_was_made_for_another_client_is_refused(
    client: Client,
    provider: IdentityProvider,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = settings.OIDC_RP_CLIENT_ID, "another-portal"
    trade = RegionalIdBackend.get_token
    monkeypatch.setattr(
        RegionalIdBackend,
        "get_token",
        lambda self, payload: trade(self, payload | {"client_id": theirs}),
    )
    settings.OIDC_RP_CLIENT_ID = theirs
    answer = ask_provider(client, sub=ANE.sub)
    settings.OIDC_RP_CLIENT_ID = ours
    assert "cannot trust" in refusal(client, client.get(answer))
    assert not User.objects.filter(subject=ANE.sub).exists()


def test_a_token_without_the_key_id_that_is_demanded_is_refused(
    client: Client, provider: IdentityProvider, settings: Any
) -> None:
    answer = ask_provider(client, sub=ANE.sub)
    settings.OIDC_VERIFY_KID = True  # as in production; this provider's tokens have none
    assert "cannot trust" in refusal(client, client.get(answer))


def test_an_answer_without_a_code_is_refused(client: Client, provider: IdentityProvider) -> None:
    client.get(reverse("accounts:regional_id"))
    [state] = client.session["oidc_states"]
    answer = client.get(reverse("accounts:regional_id_callback"), {"state": state})
    assert "cannot trust" in refusal(client, answer)


def test_the_providers_end_of_a_token_is_kept() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.PyJWK(json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "RS256")
    over = jwt.encode({"sub": "x", "exp": 1_000_000_000}, key, algorithm="RS256")
    with pytest.raises(jwt.ExpiredSignatureError):
        RegionalIdBackend().get_payload_data(over, public)


def test_a_password_form_cannot_reach_the_provider_backend(client: Client) -> None:
    """State is checked by the callback alone: no other way may trade a code."""
    answer = client.post(
        reverse("accounts:login") + "?code=x&state=y", {"username": "a@b.dk", "password": "x"}
    )
    assert answer.status_code == 422
    assert AccessEntry.objects.get(action="refused").data == {"why": "not accepted"}


@pytest.mark.django_db(transaction=True)
def test_two_first_logins_of_one_person_at_once_make_one_person() -> None:
    claims = StaffClaims("sub-ane", "RDAH0001", "Ane Holm")
    both = threading.Barrier(2)

    def come(_number: int) -> int:
        try:
            both.wait(timeout=10)
            return receive_staff(claims).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(come, range(2))
    assert first == second
    assert User.all_objects.filter(subject="sub-ane").count() == 1
    assert AuditEntry.objects.filter(action="accounts.staff_created").count() == 1
