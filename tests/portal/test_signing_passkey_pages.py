"""Passkeys on pages: *My signing*, the fields of a signing form, the administrators' list."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.http import HttpResponse
from django.template import engines
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from portal.access.decision import can
from portal.accounts.models import LoginSession
from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.organisation.models import Membership
from portal.records.context import acting
from portal.records.errors import Refused
from portal.signing import services, web
from portal.signing.models import Signature, SigningKey
from portal.signing.reach import REVOKE
from portal.signing.selectors import keys_in_reach
from tests.support.authenticators import SoftAuthenticator
from tests.support.factories import give, make_unit, make_user
from tests.support.passkeys import ask, give_passkey, signer
from tests.support.signing import (
    PIN,
    UNIT,
    declare_signables,
    give_pin,
    triggers_disabled,
)

MEANING = "I have seen this unit"
FIELDS = '{% include "signing/_sign_fields.html" with meaning="Released for use" %}'

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _signables(monkeypatch):
    declare_signables(monkeypatch)


@pytest.fixture
def karen(client):
    user = make_user("Karen Brandt Holm")
    client.force_login(user, backend="portal.accounts.backends.RegionalIdBackend")
    client.defaults["HTTP_HOST"] = "localhost"
    return user


@pytest.fixture
def phone():
    return SoftAuthenticator()


def post(client, view, /, *arguments, **values):
    return client.post(reverse(f"signing:{view}", args=arguments), values)


def own_page(client, **how):
    return client.get(reverse("signing:own"), **how).content.decode()


def register(client, phone, name="Work computer"):
    options = json.loads(post(client, "passkey_options").content)["publicKey"]
    return post(client, "register_passkey", name=name, passkey=phone.create(options))


def request_of(user, host="localhost", **posted):
    request = RequestFactory(HTTP_HOST=host).post("/", posted)
    request.user = user
    request.session = SessionStore()
    request.session.create()
    return request


def fields(user, host="localhost"):
    request = RequestFactory(HTTP_HOST=host).get("/")
    request.user = user
    return engines["django"].from_string(FIELDS).render({}, request)


# --- my signing -----------------------------------------------------------------------------------


@pytest.mark.requirement("PT-005")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("passkey_options", ()),
        ("register_passkey", ()),
        ("revoke_passkey", ("0123",)),
        ("keys", ()),
        ("revoke_other", ("0123",)),
    ],
)
def test_nobody_sees_the_pages_of_keys_without_logging_in(client, name, arguments):
    for answer in (
        client.get(reverse(f"signing:{name}", args=arguments)),
        post(client, name, *arguments),
    ):
        assert answer.status_code == 302
        assert answer.url.startswith(reverse("accounts:login"))


@pytest.mark.requirement("PT-030")
def test_a_person_registers_a_passkey_and_sees_it_in_the_list(client, karen, phone):
    assert "Register a passkey" in own_page(client)
    answer = register(client, phone, name="Work <computer>")
    assert (answer.status_code, answer.url) == (302, reverse("signing:own"))
    assert "can sign with it" in str(next(iter(get_messages(answer.wsgi_request))))
    page = own_page(client)
    assert "Work &lt;computer&gt;" in page
    assert "localhost" in page
    key = services.passkeys_of(karen)[0]
    assert reverse("signing:revoke_passkey", args=[key.key_id]) in page


@pytest.mark.requirement("PT-030")
def test_registering_and_revoking_a_passkey_needs_a_log_in_of_just_now(client, karen, phone):
    register(client, phone)
    key = services.passkeys_of(karen)[0]
    options = json.loads(post(client, "passkey_options").content)["publicKey"]
    LoginSession.objects.filter(user=karen).update(started_at=timezone.now() - timedelta(hours=1))
    page = own_page(client)
    assert "Register a passkey" not in page
    assert reverse("signing:log_in_again") in page
    assert reverse("signing:revoke_passkey", args=[key.key_id]) not in page
    asked = post(client, "passkey_options")
    assert (asked.status_code, "Log in again" in asked.json()["message"]) == (422, True)
    answer = SoftAuthenticator().create(options)
    assert post(client, "register_passkey", name="x", passkey=answer).status_code == 422
    refused = post(client, "revoke_passkey", key.key_id, reason="lost")
    assert (refused.status_code, "Log in again first" in refused.content.decode()) == (422, True)
    assert services.passkeys_of(karen) == [key]


@pytest.mark.requirement("PT-030")
def test_what_the_device_did_wrong_is_said_on_the_form(client, karen, phone):
    phone.verifies = False
    answer = register(client, phone)
    assert answer.status_code == 422
    assert "the device must check who you are" in answer.content.decode()
    answer = post(client, "register_passkey", name="", passkey="")
    assert "This field is required." in answer.content.decode()


@pytest.mark.requirement("PT-030")
def test_a_person_revokes_a_passkey_of_their_own_and_no_other(client, karen, phone):
    register(client, phone)
    key = services.passkeys_of(karen)[0]
    asked = client.get(reverse("signing:revoke_passkey", args=[key.key_id])).content.decode()
    assert "Revoke the passkey “Work computer”" in asked
    assert "may have used it since" in asked
    assert post(client, "revoke_passkey", key.key_id, reason="").status_code == 422
    assert post(client, "revoke_passkey", key.key_id, reason="lost").status_code == 302
    assert services.passkeys_of(karen) == []
    assert post(client, "revoke_passkey", key.key_id, reason="again").status_code == 404
    other = give_passkey(make_user("Jens Friis"), SoftAuthenticator())
    assert post(client, "revoke_passkey", other.key_id, reason="mine").status_code == 404
    pin = give_pin(karen)
    assert post(client, "revoke_passkey", pin.key_id, reason="no passkey").status_code == 404


@pytest.mark.requirement("PT-030")
@pytest.mark.parametrize(
    ("host", "words", "link"),
    [
        ("127.0.0.1:8000", "opened by a number", "http://localhost:8000/signing/"),
        ("10.1.2.3", "opened by a number", ""),
        ("portal.hospital.example", "without encryption", ""),
    ],
)
def test_where_passkeys_cannot_work_the_page_says_so_in_a_sentence(
    client, karen, phone, host, words, link
):
    client.defaults["HTTP_HOST"] = host
    page = own_page(client)
    assert words in page
    assert "Register a passkey" not in page
    assert f'href="{link}"' in page if link else "Open this page by its name" not in page
    refused = post(client, "passkey_options")
    assert (refused.status_code, words in refused.json()["message"]) == (422, True)
    assert post(client, "register_passkey", name="x", passkey="{}").status_code == 422


@pytest.mark.requirement("PT-006", "PT-030")
def test_who_acts_in_another_role_is_told_that_they_cannot_sign(karen):
    give_pin(karen)
    with acting(actor=karen, acting_as="Production user"):
        asked = fields(karen)
    assert "You are acting in another role (Production user)" in asked
    assert 'name="pin"' not in asked


def test_a_passkey_that_may_be_copied_and_a_locked_pin_are_shown_as_such(client, karen, phone):
    key, pin = give_passkey(karen, phone), give_pin(karen)
    key.suspected_at = timezone.now()
    key.save()
    pin.locked_until = timezone.now() + timedelta(minutes=9)
    pin.save()
    page = own_page(client)
    assert "May be copied: revoke it" in page
    assert "your PIN is locked until" in page


# --- the fields of a signing form -----------------------------------------------------------------


@pytest.mark.requirement("PT-030", "TS-080")
def test_the_fields_offer_the_passkey_first_and_the_pin_beside_it(karen, phone):
    give_pin(karen)
    assert 'name="passkey"' not in fields(karen)
    give_passkey(karen, phone)
    asked = fields(karen)
    assert asked.index("Passkey") < asked.index("Signing PIN")
    # without script the passkey's part is neither seen nor sent, and the PIN is
    assert "data-sign-ways hidden disabled" in asked
    assert 'name="pin"' in asked
    assert "Your passkeys work only where" not in asked
    by_number = fields(karen, host="127.0.0.1:8000")
    assert 'name="passkey"' not in by_number
    assert "Your passkeys work only where the portal is opened as localhost" in by_number


def test_who_has_only_a_passkey_is_told_what_it_needs(karen, phone):
    give_passkey(karen, phone)
    asked = fields(karen)
    assert 'name="pin"' not in asked
    assert "<noscript>" in asked
    elsewhere = fields(karen, host="127.0.0.1:8000")
    assert "You cannot sign yet" in elsewhere
    assert "localhost" in elsewhere


@pytest.mark.requirement("PT-030")
def test_a_view_signs_with_what_was_sent_a_passkeys_answer_or_a_pin(karen, phone):
    unit = make_unit("pet-centre")
    give_pin(karen)
    give_passkey(karen, phone)

    def act(signer):
        return services.sign(actor=karen, signable=UNIT, obj=unit, meaning=MEANING, key=signer)

    assert not web.asks_for_passkey(request_of(karen, pin=PIN))
    asking = request_of(karen, passkey_asked="1")
    assert web.asks_for_passkey(asking)
    options = json.loads(web.passkey_options(asking, act).content)["publicKey"]
    sent = request_of(karen, passkey=phone.get(options))
    sent.session = asking.session
    assert act(web.signer_of(sent)).method == "passkey"
    assert act(web.signer_of(request_of(karen, pin=PIN, passkey=""))).method == "pin"

    def late(_):
        raise Refused("Nothing was released.", code="late", details=["Order 7: too late"])

    answer = web.passkey_options(request_of(karen, passkey_asked="1"), late)
    assert answer.status_code == 422
    assert json.loads(answer.content) == {
        "message": "Nothing was released.",
        "details": ["Order 7: too late"],
    }
    assert isinstance(answer, HttpResponse)


@pytest.mark.requirement("PT-030")
def test_the_list_of_ones_signatures_says_what_each_was_signed_with(client, karen, phone):
    unit = make_unit("pet-centre")
    give_passkey(karen, phone)

    def act(signer):
        return services.sign(actor=karen, signable=UNIT, obj=unit, meaning=MEANING, key=signer)

    act(signer(karen, phone, act))
    assert "<td>passkey</td>" in own_page(client)
    shown = engines["django"].from_string(
        '{% include "signing/_signature.html" with verdict=verdict %}'
    )
    assert "passkey" in shown.render({"verdict": services.verify(Signature.objects.get())})


# --- administrators -------------------------------------------------------------------------------


@pytest.fixture
def north():
    return make_unit("hosp-north", name="North")


@pytest.fixture
def administrator(north):
    user = make_user("Birgitte Kjaersgaard")
    give(user, "signing.key_administrator", north)
    return user


@pytest.fixture
def jens(north):
    user = make_user("Jens Friis")
    Membership.objects.create(user=user, unit=north)
    return user


@pytest.mark.requirement("PT-012", "PT-030")
def test_only_who_may_revoke_keys_sees_them(client, karen, jens):
    key = give_pin(jens)
    assert client.get(reverse("signing:keys")).status_code == 403
    assert post(client, "revoke_other", key.key_id, reason="because").status_code == 403
    assert services.has_pin(jens)


@pytest.mark.requirement("PT-030")
def test_an_administrator_finds_a_persons_keys_and_revokes_one_with_a_reason(
    client, administrator, jens, phone
):
    give_pin(jens)
    key = give_passkey(jens, phone, name="Old phone")
    client.force_login(administrator, backend="portal.accounts.backends.RegionalIdBackend")
    page = client.get(reverse("signing:keys"), {"search": "friis"}).content.decode()
    assert "Old phone" in page
    assert page.count('<th scope="row">Jens Friis') == 2
    assert "No key fits" in client.get(reverse("signing:keys"), {"search": "zz"}).content.decode()
    asked = client.get(reverse("signing:revoke_other", args=[key.key_id])).content.decode()
    assert "Revoke the passkey of Jens Friis" in asked
    assert post(client, "revoke_other", key.key_id, reason=" ").status_code == 422
    assert post(client, "revoke_other", key.key_id, reason="left the house").status_code == 302
    assert services.passkeys_of(jens) == []
    assert services.has_pin(jens)
    told = AuditEntry.objects.get(action="signing.key_revoked")
    assert (told.actor_id, told.reason) == (administrator.pk, "left the house")
    assert told.data["user"] == jens.pk
    assert "left the house" in Notification.objects.get(user=jens).text
    assert post(client, "revoke_other", key.key_id, reason="again").status_code == 404
    revoked = client.get(reverse("signing:keys"), {"state": "revoked"}).content.decode()
    assert "Old phone" in revoked
    assert (
        "Old phone" not in client.get(reverse("signing:keys"), {"state": "used"}).content.decode()
    )
    assert services.verify_all().faults == []


@pytest.mark.requirement("PT-012", "PT-030")
def test_keys_are_reached_by_the_owners_unit_and_at_the_top_also_of_those_without_one(
    client, administrator, north, jens
):
    ward = north.add_child(
        instance=type(north)(code="ward-n", name="Ward", kind=type(north).Kind.WARD)
    )
    below, elsewhere, nowhere = (make_user(name) for name in ("Ane Dam", "Ole Bo", "Pia Krag"))
    Membership.objects.create(user=below, unit=ward)
    Membership.objects.create(user=elsewhere, unit=make_unit("hosp-south"))
    keys = {person: give_pin(person) for person in (jens, below, elsewhere, nowhere)}
    ward_only = make_user("Karl Wardmann")
    give(ward_only, "signing.key_administrator", ward)
    expected = {administrator: {jens, below, nowhere}, ward_only: {below}, jens: set()}
    for actor, people in expected.items():
        assert {key.user for key in keys_in_reach(actor)} == people
        for person, key in keys.items():
            assert can(actor, REVOKE, key) is (person in people), (actor, person)
    for actor, person in ((administrator, elsewhere), (ward_only, jens), (ward_only, nowhere)):
        with pytest.raises(Refused) as refused:
            services.revoke_key(actor=actor, key_id=keys[person].key_id, reason="r")
        assert refused.value.code == "gone"


def test_the_list_of_keys_takes_as_many_queries_for_many_as_for_one(
    client, administrator, jens, django_assert_max_num_queries
):
    client.force_login(administrator, backend="portal.accounts.backends.RegionalIdBackend")
    give_pin(jens)
    with CaptureQueriesContext(connection) as one:
        client.get(reverse("signing:keys"))
    for number in range(8):
        give_pin(make_user(f"Person {number}"))
    with django_assert_max_num_queries(len(one)):
        page = client.get(reverse("signing:keys")).content.decode()
    assert "Person 7" in page


def test_where_nobody_has_a_key_the_page_says_what_people_do(client, administrator):
    client.force_login(administrator, backend="portal.accounts.backends.RegionalIdBackend")
    page = client.get(reverse("signing:keys")).content.decode()
    assert "Nobody of your units has a signing key yet" in page


# --- the register in the audit trail --------------------------------------------------------------


@pytest.mark.requirement("PT-023", "PT-030")
def test_a_key_moved_removed_or_made_trustworthy_again_behind_the_portals_back_is_found(
    karen, phone
):
    key = give_passkey(karen, phone)
    jens, unit = make_user("Jens Friis"), make_unit("pet-centre")

    def act(signer):
        return services.sign(actor=karen, signable=UNIT, obj=unit, meaning=MEANING, key=signer)

    signature = act(signer(karen, phone, act))

    def write(statement, *values):
        with triggers_disabled() as cursor:
            cursor.execute(statement, values)

    write("UPDATE signing_signingkey SET user_id = %s", jens.pk)
    assert f"signing key {key.key_id}: another person's" in services.verify_all().faults[-1]
    write("UPDATE signing_signingkey SET user_id = %s", karen.pk)

    # revoked, and made usable again by raw SQL: the trail's word counts
    services.revoke_key(
        actor=karen,
        key_id=key.key_id,
        reason="lost",
        doubtful_since=signature.signed_at - timedelta(milliseconds=1),
    )
    write("UPDATE signing_signingkey SET revoked_at = NULL")
    assert services.verify(Signature.objects.get()).state == "key_revoked"
    with pytest.raises(Refused) as refused:
        ask(karen, act)
    assert refused.value.code == "key_revoked"
    assert any("its revocation is not what" in each for each in services.verify_all().faults)

    # one that the trail never heard of
    write("DELETE FROM audit_auditentry WHERE action = 'signing.key_created'")
    verdict = services.verify(Signature.objects.get())
    assert (verdict.state, verdict.wrong) == ("broken", True)
    assert "not in the audit trail" in verdict.detail
    with pytest.raises(Refused) as refused:
        ask(karen, act)
    assert refused.value.code == "key_unknown"


@pytest.mark.requirement("PT-023", "PT-030")
def test_a_key_whose_row_was_removed_is_found(karen, phone):
    key = give_passkey(karen, phone)
    with triggers_disabled() as cursor:
        cursor.execute("DELETE FROM signing_signingkey")
    assert (
        f"signing key {key.key_id}: in the audit trail, but its row was removed"
        in (services.verify_all().faults[0])
    )


@pytest.mark.requirement("PT-030")
def test_a_key_spoilt_by_raw_sql_can_still_be_revoked(karen, phone):
    key = give_passkey(karen, phone)
    with triggers_disabled() as cursor:
        cursor.execute("UPDATE signing_signingkey SET public_pem = 'none', cose = '!'")
    services.revoke_key(actor=karen, key_id=key.key_id, reason="spoilt")
    assert SigningKey.objects.get().revoked_at is not None
    assert any("its public key is not the one" in each for each in services.verify_all().faults)
