"""*My signing*, the auditors' page, and the components that modules include."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.template import engines
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from portal.accounts.models import LoginSession
from portal.signing import services
from portal.signing.models import Signature, SignatureVerification
from tests.support.factories import give, make_unit, make_user
from tests.support.signing import PIN, UNIT, declare_signables, give_pin

OTHER_PIN = "90351748"
MEANING = "I have seen this unit"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _signables(monkeypatch):
    declare_signables(monkeypatch)


@pytest.fixture
def person(client):
    user = make_user("Karen Brandt Holm")
    client.force_login(user, backend="portal.accounts.backends.RegionalIdBackend")
    return user


@pytest.fixture
def signed(person):
    unit = make_unit("pet-centre", name="PET centre")
    give_pin(person)
    key = services.unlock(person, PIN)
    return services.sign(actor=person, signable=UNIT, obj=unit, meaning=MEANING, key=key)


def long_logged_in(user):
    LoginSession.objects.filter(user=user).update(started_at=timezone.now() - timedelta(hours=1))


def post(client, name, *arguments, **values):
    return client.post(reverse(f"signing:{name}", args=arguments), values)


def render(source, user=None, **context):
    """A module's template that includes one of the components."""
    request = RequestFactory().get("/")
    request.user = user
    return engines["django"].from_string(source).render(context, request)


@pytest.mark.requirement("PT-005")
@pytest.mark.parametrize("name", ["own", "set_pin", "change_pin", "log_in_again", "verification"])
def test_nobody_sees_the_signing_pages_without_logging_in(client, name):
    for answer in (client.get(reverse(f"signing:{name}")), post(client, name)):
        assert answer.status_code == 302
        assert answer.url.startswith(reverse("accounts:login"))


@pytest.mark.requirement("PT-030")
def test_a_person_sets_a_pin_and_is_told_what_to_do_until_then(client, person):
    page = client.get(reverse("signing:own"))
    assert page.status_code == 200
    assert "You have signed nothing yet" in page.content.decode()
    assert 'autocomplete="off"' in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    answer = post(client, "set_pin", new_pin=PIN, new_pin_again=PIN)
    assert answer.status_code == 302
    assert services.unlock(person, PIN)
    page = client.get(reverse("signing:own")).content.decode()
    assert services.signing_key_of(person).key_id in page
    assert PIN not in page


@pytest.mark.parametrize(
    ("new", "again", "words"),
    [
        (PIN, OTHER_PIN, "The two PINs are not the same."),
        ("12345678", "12345678", "Too easily guessed"),
        ("", "", "This field is required."),
    ],
)
def test_a_pin_that_cannot_be_is_refused_beside_its_field_and_not_sent_back(
    client, person, new, again, words
):
    answer = post(client, "set_pin", new_pin=new, new_pin_again=again)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert words in page
    assert not new or f'value="{new}"' not in page
    assert not services.has_pin(person)


@pytest.mark.requirement("PT-030")
def test_setting_and_revoking_needs_a_log_in_of_just_now(client, person):
    long_logged_in(person)
    page = client.get(reverse("signing:own")).content.decode()
    assert "Log in again" in page
    assert reverse("signing:set_pin") not in page
    answer = post(client, "set_pin", new_pin=PIN, new_pin_again=PIN)
    assert answer.status_code == 422
    assert not services.has_pin(person)

    key = give_pin(person)
    answer = post(client, "revoke_key", key.key_id, reason="forgotten")
    assert answer.status_code == 422
    assert services.has_pin(person)

    answer = post(client, "log_in_again")
    assert answer.url == f"{reverse('accounts:login')}?next={reverse('signing:own')}"
    assert client.get(reverse("signing:own")).status_code == 302


@pytest.mark.requirement("PT-030")
def test_a_person_changes_the_pin_and_a_wrong_one_says_how_many_tries_are_left(client, person):
    give_pin(person)
    new = {"new_pin": OTHER_PIN, "new_pin_again": OTHER_PIN}
    long_logged_in(person)  # the old PIN is proof enough
    answer = post(client, "change_pin", old_pin="55118822", **new)
    assert answer.status_code == 422
    assert "4 tries are left" in answer.content.decode()
    assert post(client, "change_pin", old_pin=PIN, **new).status_code == 302
    assert services.unlock(person, OTHER_PIN)


def test_a_locked_pin_is_shown_as_locked(client, person):
    key = give_pin(person)
    key.failures, key.locked_until = 5, timezone.now() + timedelta(minutes=9)
    key.save()
    answer = post(client, "change_pin", old_pin=PIN, new_pin=OTHER_PIN, new_pin_again=OTHER_PIN)
    assert answer.status_code == 422
    assert "Your signing PIN is locked until" in answer.content.decode()


@pytest.mark.requirement("PT-030")
def test_a_person_who_forgot_the_pin_revokes_the_key_and_sets_another(client, person, signed):
    key = services.signing_key_of(person)
    answer = post(client, "revoke_key", key.key_id, reason="")
    assert answer.status_code == 422
    assert "data-open-now" in answer.content.decode()
    answer = post(client, "revoke_key", key.key_id, reason="forgotten", doubtful_since="")
    assert answer.status_code == 302
    assert post(client, "set_pin", new_pin=PIN, new_pin_again=PIN).status_code == 302
    assert services.signing_key_of(person).key_id != key.key_id
    assert services.verify(Signature.objects.get()).state == "valid"


def test_nobody_revokes_another_persons_key(client, person):
    other = make_user("Jens Friis")
    key = give_pin(other)
    answer = post(client, "revoke_key", key.key_id, reason="I want to")
    assert answer.status_code == 422
    assert services.has_pin(other)


@pytest.mark.requirement("PT-030")
def test_the_list_of_ones_signatures_says_what_each_is_worth_now(client, person, signed):
    give_pin(make_user("Jens Friis"))
    page = client.get(reverse("signing:own")).content.decode()
    assert MEANING in page
    assert "Valid" in page
    with connection.cursor() as cursor:
        cursor.execute("UPDATE organisation_unit SET name = 'Secret' WHERE code = 'pet-centre'")
    page = client.get(reverse("signing:own")).content.decode()
    assert "Changed since signing" in page
    assert "<code>name</code>" in page
    assert "Secret" not in page  # the signer may see the record no longer


def test_another_persons_signatures_are_not_in_ones_list(client, person):
    other = make_user("Jens Friis")
    give_pin(other)
    unit = make_unit("pet-centre")
    key = services.unlock(other, PIN)
    services.sign(actor=other, signable=UNIT, obj=unit, meaning="of another", key=key)
    assert "of another" not in client.get(reverse("signing:own")).content.decode()


def test_the_page_takes_as_many_queries_for_many_signatures_as_for_one(
    client, person, signed, django_assert_num_queries
):
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        client.get(reverse("signing:own"))
    key = services.unlock(person, PIN)
    for number in range(9):
        unit = make_unit(f"ward-{number}")
        services.sign(actor=person, signable=UNIT, obj=unit, meaning="m", key=key)
    with django_assert_num_queries(len(one)):
        client.get(reverse("signing:own"))


@pytest.mark.requirement("PT-030", "PT-012")
def test_only_who_may_read_the_audit_trail_sees_the_verifications(client, person):
    assert client.get(reverse("signing:verification")).status_code == 403
    give(person, "audit.auditor", make_unit("pet-centre"))
    assert "Nothing verified yet" in client.get(reverse("signing:verification")).content.decode()
    SignatureVerification.objects.create(signatures=3, faults=["signature 9: broken"])
    page = client.get(reverse("signing:verification")).content.decode()
    assert "Not sound" in page
    assert "signature 9: broken" in page
    SignatureVerification.objects.create(signatures=3, faults=[])
    page = client.get(reverse("signing:verification")).content.decode()
    assert "found nothing wrong" in page


# --- components -----------------------------------------------------------------------------------


@pytest.mark.requirement("TS-080")
def test_a_signing_dialog_says_who_signs_and_what_it_means_and_asks_for_the_pin():
    user = make_user("Karen <Holm>")
    source = '{% include "signing/_sign_fields.html" with meaning="Released for use" %}'
    asked = render(source, user)
    assert "You cannot sign yet" in asked
    assert 'name="pin"' not in asked
    give_pin(user)
    asked = render(source, user)
    assert "Karen &lt;Holm&gt;" in asked
    assert "Released for use" in asked
    for attribute in ('type="password"', 'inputmode="numeric"', 'autocomplete="off"', 'name="pin"'):
        assert attribute in asked
    asked = render(
        '{% include "signing/_sign_fields.html" with meaning="m" pin_id="p7" pin_error="Wrong" %}',
        user,
    )
    assert 'id="p7"' in asked
    assert "p7_error" in asked
    assert "Wrong" in asked


@pytest.mark.requirement("PT-030", "TS-083")
def test_a_signature_block_shows_name_meaning_both_times_and_the_state(signed, settings):
    source = '{% include "signing/_signature.html" with verdict=verdict %}'
    shown = render(source, verdict=services.verify(signed))
    for part in ("Karen Brandt Holm", MEANING, "UTC", "CE", "Valid"):
        assert part in shown
    assert f"{signed.signed_at:%Y-%m-%d %H:%M:%S} UTC" in shown

    with connection.cursor() as cursor:
        cursor.execute("UPDATE organisation_unit SET name = 'Elsewhere' WHERE code = 'pet-centre'")
    verdict = services.verify(Signature.objects.get())
    shown = render(source, verdict=verdict)
    assert "Changed since signing" in shown
    assert "<code>name</code>" in shown
    assert "Elsewhere" not in shown
    shown = render(
        '{% include "signing/_signature.html" with verdict=verdict values=True %}', verdict=verdict
    )
    assert "<del>PET centre</del>" in shown
    assert "<ins>Elsewhere</ins>" in shown

    services.supersede(signed, "wrong vial")
    shown = render(source, verdict=services.verify(Signature.objects.get()))
    assert "Superseded" in shown
    assert "wrong vial" in shown
