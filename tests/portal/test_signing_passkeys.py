"""Signing with a passkey: registered, asked, checked, kept; and what must never be taken."""

from __future__ import annotations

import base64
import json
import threading
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from webauthn.helpers import bytes_to_base64url

from portal.audit.models import AccessEntry, AuditEntry
from portal.notifications.models import Notification
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.signing import crypto, services
from portal.signing.models import Signature, SigningKey
from portal.signing.passkeys import RelyingParty
from portal.signing.register import fingerprint_of_pem
from portal.signing.services import State, challenges
from tests.support.authenticators import SoftAuthenticator, es256, rs256
from tests.support.factories import make_unit, make_user
from tests.support.passkeys import PARTY, SESSION, accept, ask, give_passkey, signer
from tests.support.signing import PIN, UNIT, declare_signables, give_pin, triggers_disabled

MEANING = "I have seen this unit"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _signables(monkeypatch):
    declare_signables(monkeypatch)


@pytest.fixture
def karen():
    return make_user("Karen Brandt Holm")


@pytest.fixture
def phone():
    return SoftAuthenticator()


@pytest.fixture
def key(karen, phone):
    return give_passkey(karen, phone)


@pytest.fixture
def unit():
    return make_unit("pet-centre", name="PET centre")


@pytest.fixture
def act(karen, unit):
    """Sign the unit as it is, with whatever signs."""
    return lambda signer: services.sign(
        actor=karen, signable=UNIT, obj=unit, meaning=MEANING, key=signer
    )


def refused_with(code, what, *given, **more):
    with pytest.raises(Refused) as refused:
        what(*given, **more)
    assert refused.value.code == code
    return refused.value


def audited(action):
    return AuditEntry.objects.filter(action=action)


def states():
    return [each.state for each in services.verify_many(Signature.objects.order_by("pk"))]


# --- registering ----------------------------------------------------------------------------------


@pytest.mark.requirement("PT-030")
@pytest.mark.parametrize("make", [es256, rs256])
def test_a_registered_passkey_is_in_the_audit_trail_with_its_fingerprint(karen, make):
    key = give_passkey(karen, SoftAuthenticator(make()), name="  Work computer ")
    assert (key.name, key.rp_id, key.method) == ("Work computer", "localhost", "passkey")
    told = audited("signing.key_created").get()
    assert told.actor_id == karen.pk
    assert told.data["key_id"] == key.key_id
    assert told.data["public_key_sha256"] == fingerprint_of_pem(key.public_pem)
    assert told.data["credential_id"] == key.credential_id
    assert services.passkeys_of(karen) == [key]
    assert services.verify_all().faults == []


@pytest.mark.requirement("PT-030")
def test_a_device_that_does_not_check_its_user_registers_nothing(karen):
    refused_with("passkey_refused", give_passkey, karen, SoftAuthenticator(verifies=False))
    assert not SigningKey.objects.exists()


@pytest.mark.requirement("PT-030")
def test_an_answer_registers_once_for_the_person_session_and_place_it_was_made_for(karen, phone):
    options = services.ask_registration(actor=karen, party=PARTY, session=SESSION)
    answer = phone.create(options)
    sent = {"name": "Phone", "answer": answer, "party": PARTY, "session": SESSION}
    for change, code in (
        ({"actor": make_user("Jens Friis")}, "challenge_gone"),
        ({"name": " "}, "name_needed"),
        ({"answer": "{}"}, "passkey_refused"),
    ):
        refused_with(code, services.register_passkey, **{"actor": karen, **sent, **change})
    assert services.register_passkey(actor=karen, **sent)
    refused_with("challenge_gone", services.register_passkey, actor=karen, **sent)

    options = services.ask_registration(actor=karen, party=PARTY, session=SESSION)
    assert [each["id"] for each in options["excludeCredentials"]] == [
        services.passkeys_of(karen)[0].credential_id
    ]
    sent["answer"] = SoftAuthenticator().create(options)
    refused_with(
        "challenge_gone",
        services.register_passkey,
        **{"actor": karen, **sent, "session": "another"},
    )
    options = services.ask_registration(actor=karen, party=PARTY, session=SESSION)
    sent["answer"] = SoftAuthenticator(origin="http://localhost:9999").create(options)
    refused_with("passkey_refused", services.register_passkey, actor=karen, **sent)
    assert SigningKey.objects.count() == 1


def test_a_passkey_known_already_is_not_registered_a_second_time(karen, phone, key):
    refused_with("passkey_known", give_passkey, karen, phone)
    refused_with("passkey_known", give_passkey, make_user("Jens Friis"), phone)


def test_nobody_has_more_passkeys_than_they_can_look_after(karen, monkeypatch):
    monkeypatch.setattr("portal.signing.services.registering.MOST", 2)
    for _ in range(2):
        give_passkey(karen, SoftAuthenticator())
    refused_with("too_many", give_passkey, karen, SoftAuthenticator())


def test_the_database_knows_no_key_of_two_methods(key):
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("""UPDATE signing_signingkey SET sealed = '{}' WHERE id = %s""", [key.pk])


# --- signing --------------------------------------------------------------------------------------


@pytest.mark.requirement("PT-030", "TS-080")
@pytest.mark.parametrize("make", [es256, rs256])
def test_what_a_passkey_signs_is_valid_and_says_that_a_passkey_signed(karen, unit, act, make):
    device = SoftAuthenticator(make())
    key = give_passkey(karen, device)
    signature = act(signer(karen, device, act))
    assert services.verify(Signature.objects.get()).state == State.VALID
    assert (signature.method, signature.key) == ("passkey", key)
    assert signature.payload.count("PET centre") == 1
    told = audited("signing.signed").get()
    assert (told.data["method"], told.data["key_id"]) == ("passkey", key.key_id)
    key.refresh_from_db()
    assert key.sign_count == 1
    assert key.last_used_at is not None
    assert services.verify_all().faults == []
    # a PIN's signature beside it is one of a PIN
    give_pin(karen)
    assert act(services.unlock(karen, PIN)).method == "pin"
    assert states() == [State.VALID, State.VALID]


@pytest.mark.requirement("PT-030")
def test_the_proof_shows_by_itself_that_the_device_signed_these_facts(karen, phone, key, act):
    signature = act(signer(karen, phone, act))
    kept = json.loads(base64.b64decode(signature.proof))
    (document,) = kept["intent"]["documents"]
    assert document["digest"] == signature.digest  # nothing is left out of what was there before
    assert document["left_out"] == []
    said = json.loads(base64.urlsafe_b64decode(kept["assertion"]["client_data_json"] + "=="))
    hashed = crypto.digest(crypto.canonical(kept["intent"]))
    assert said["challenge"] == bytes_to_base64url(bytes.fromhex(hashed))


@pytest.mark.requirement("PT-030")
def test_of_a_rehearsal_nothing_remains(karen, phone, key, unit, act):
    def rename_and_sign(signer):
        unit = Unit.objects.get(code="pet-centre")
        unit.name = "Renamed"
        unit.save()
        return services.sign(actor=karen, signable=UNIT, obj=unit, meaning=MEANING, key=signer)

    before = AuditEntry.objects.count(), AccessEntry.objects.count(), unit.history.count()
    options = ask(karen, rename_and_sign)
    unit.refresh_from_db()
    assert unit.name == "PET centre"
    assert not Signature.objects.exists()
    after = AuditEntry.objects.count(), AccessEntry.objects.count(), unit.history.count()
    assert after == before
    signature = rename_and_sign(accept(karen, phone.get(options)))
    assert "Renamed" in signature.payload
    assert states() == [State.VALID]


def test_a_rehearsal_kept_for_later_signs_nothing(karen, key, act):
    kept = []
    ask(karen, lambda rehearsal: (kept.append(rehearsal), act(rehearsal)))
    with pytest.raises(RuntimeError, match="rehearsal"):
        act(kept[0])


@pytest.mark.requirement("PT-030")
def test_one_answer_signs_all_that_was_asked_for_and_nothing_more(karen, phone, key):
    wards = [make_unit(f"ward-{number}") for number in range(3)]

    def sign(signer, units):
        return [
            services.sign(actor=karen, signable=UNIT, obj=each, meaning=MEANING, key=signer)
            for each in units
        ]

    proof = signer(karen, phone, lambda signer: sign(signer, wards))
    assert len(sign(proof, wards)) == 3
    assert states() == [State.VALID] * 3
    refused_with("changed_meanwhile", sign, proof, [make_unit("ward-9")])
    with pytest.raises(Refused):
        services.sign(actor=karen, signable=UNIT, obj=wards[0], meaning="Other", key=proof)


@pytest.mark.requirement("PT-030")
def test_what_changed_since_the_device_was_asked_is_not_signed(karen, phone, key, unit, act):
    proof = signer(karen, phone, act)
    unit.name = "Elsewhere"
    unit.save()
    refused_with("changed_meanwhile", act, proof)
    assert not Signature.objects.exists()
    unit.name = "PET centre"
    unit.save()
    karen.name = "Karen Holm"
    refused_with("changed_meanwhile", act, proof)


@pytest.mark.requirement("PT-030")
def test_an_answer_is_good_once(karen, phone, key, act):
    answer = phone.get(ask(karen, act))
    act(accept(karen, answer))
    refused_with("challenge_gone", accept, karen, answer)


@pytest.mark.requirement("PT-030")
def test_an_answer_that_comes_too_late_is_not_taken(karen, phone, key, act, monkeypatch):
    monkeypatch.setattr(challenges, "LASTS", timedelta(milliseconds=1))
    options = ask(karen, act)
    threading.Event().wait(0.02)
    refused_with("challenge_gone", accept, karen, phone.get(options))


@pytest.mark.requirement("PT-030")
def test_an_answer_made_for_another_session_place_or_purpose_is_not_taken(karen, phone, key, act):
    answer = phone.get(ask(karen, act))
    with pytest.raises(Refused, match="too long"):
        services.accept_passkey(karen, answer, party=PARTY, session="another")
    answer = phone.get(ask(karen, act))
    elsewhere = RelyingParty("localhost", "http://localhost:9999")
    refused_with(
        "passkey_refused",
        services.accept_passkey,
        karen,
        answer,
        party=elsewhere,
        session=SESSION,
    )
    registering = services.ask_registration(actor=karen, party=PARTY, session=SESSION)
    answer = phone.get({**registering, "rpId": "localhost"})
    refused_with("challenge_gone", accept, karen, answer)


@pytest.mark.requirement("PT-030")
@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://portal.evil.example"},
        {"type": "webauthn.create"},
    ],
)
def test_an_answer_for_another_page_or_purpose_is_refused_and_noted(
    karen, phone, key, act, changes
):
    refused_with("passkey_refused", accept, karen, phone.get(ask(karen, act), **changes))
    entry = AccessEntry.objects.get(action="refused")
    assert (entry.actor_id, entry.data["what"]) == (karen.pk, "passkey")


@pytest.mark.requirement("PT-030")
def test_a_made_up_challenge_is_not_taken(karen, phone, key, act):
    options = ask(karen, act)
    answer = phone.get({**options, "challenge": bytes_to_base64url(b"x" * 32)})
    refused_with("challenge_gone", accept, karen, answer)
    refused_with("passkey_refused", accept, karen, "nonsense")


@pytest.mark.requirement("PT-030")
def test_an_intent_exchanged_in_the_cache_fits_no_answer(karen, phone, key, unit, act):
    options = ask(karen, act)
    other = make_unit("ward-b3", name="Ward")
    ask(karen, lambda s: services.sign(actor=karen, signable=UNIT, obj=other, meaning="m", key=s))
    challenge = base64.urlsafe_b64decode(options["challenge"] + "==")
    name = challenges._key(challenges.Purpose.SIGN, karen, challenge)
    kept = cache.get(name)
    kept["what"]["documents"][0]["meaning"] = "I pay everything"
    cache.set(name, kept)
    refused_with("passkey_refused", accept, karen, phone.get(options))


@pytest.mark.requirement("PT-030")
def test_without_user_verification_nothing_is_signed(karen, phone, key, act):
    phone.verifies = False
    refused_with("passkey_refused", accept, karen, phone.get(ask(karen, act)))
    assert "verif" in AccessEntry.objects.get(action="refused").data["why"]
    key.refresh_from_db()
    assert key.sign_count == 0


@pytest.mark.requirement("PT-030")
def test_another_persons_passkey_signs_nothing_for_one(karen, phone, key, act):
    jens, his = make_user("Jens Friis"), SoftAuthenticator()
    his_key = give_passkey(jens, his)
    refused_with("passkey_refused", accept, karen, his.get(ask(karen, act)))
    his.credential_id = phone.credential_id  # his key behind her credential's name
    refused_with("passkey_refused", accept, karen, his.get(ask(karen, act)))
    # and her own answer is none of his
    refused_with("challenge_gone", accept, jens, phone.get(ask(karen, act)))
    proof = signer(karen, phone, act)
    with pytest.raises(PermissionDenied):
        services.sign(actor=jens, signable=UNIT, obj=Unit.objects.get(), meaning=MEANING, key=proof)
    his_key.refresh_from_db()
    assert his_key.last_used_at is None


@pytest.mark.requirement("PT-030")
def test_a_count_that_goes_back_locks_the_passkey_and_is_told(karen, phone, key, act):
    phone.sign_count = 40
    act(signer(karen, phone, act))
    phone.sign_count = 12  # a copy, made some time ago
    refused_with("passkey_suspected", accept, karen, phone.get(ask(karen, act)))
    told = audited("signing.key_locked").get()
    assert told.data["key_id"] == key.key_id
    assert told.data["public_key_sha256"] == fingerprint_of_pem(key.public_pem)
    assert (told.data["last"], told.data["now"]) == (41, 13)
    assert Notification.objects.get(user=karen).level == "alarm"
    assert services.passkeys_of(karen) == []
    refused_with("no_passkey", ask, karen, act)
    assert states() == [State.VALID]  # what it signed before stands until it is revoked
    assert services.verify_all().faults == []


def test_a_suspected_passkey_does_not_sign_beside_a_sound_one(karen, phone, key, act):
    SigningKey.objects.get(pk=key.pk)
    phone.sign_count = 3
    give_passkey(karen, SoftAuthenticator(), name="Other")
    accept(karen, phone.get(ask(karen, act)))
    phone.sign_count = 1
    refused_with("passkey_suspected", accept, karen, phone.get(ask(karen, act)))
    phone.sign_count = 90
    refused_with("passkey_suspected", accept, karen, phone.get(ask(karen, act)))


def test_a_device_that_does_not_count_signs_again_and_again(karen, act):
    device = SoftAuthenticator(counts=False)
    give_passkey(karen, device)
    for _ in range(3):
        act(signer(karen, device, act))
    assert states() == [State.VALID] * 3


@pytest.mark.requirement("PT-030")
def test_a_revoked_passkey_signs_no_more_and_what_it_signed_stays_valid(karen, phone, key, act):
    act(signer(karen, phone, act))
    options = ask(karen, act)
    proof = signer(karen, phone, act)
    services.revoke_key(actor=karen, key_id=key.key_id, reason="phone lost")
    refused_with("key_revoked", act, proof)
    refused_with("passkey_refused", accept, karen, phone.get(options))
    refused_with("no_passkey", ask, karen, act)
    assert states() == [State.VALID]
    told = audited("signing.key_revoked").get()
    assert (told.reason, told.data["method"]) == ("phone lost", "passkey")
    assert services.verify_all().faults == []


@pytest.mark.requirement("PT-030")
def test_what_was_signed_while_the_phone_was_lost_is_not_trusted(karen, phone, key, act):
    signature = act(signer(karen, phone, act))
    services.revoke_key(
        actor=karen,
        key_id=key.key_id,
        reason="phone lost",
        doubtful_since=signature.signed_at - timedelta(milliseconds=1),
    )
    verdict = services.verify(signature)
    assert (verdict.state, verdict.wrong) == (State.KEY_REVOKED, True)


def test_what_the_act_refuses_is_refused_before_the_device_is_asked(karen, key):
    def late(_):
        raise Refused("The deadline has passed.", code="late")

    refused_with("late", ask, karen, late)
    refused_with("nothing_to_sign", ask, karen, lambda _: None)
    with pytest.raises(ZeroDivisionError):
        ask(karen, lambda _: 1 / 0)


def test_a_passkey_of_another_address_is_not_asked(karen, key, act):
    elsewhere = RelyingParty("portal.hospital.example", "https://portal.hospital.example")
    refused_with(
        "no_passkey",
        services.ask_passkey,
        actor=karen,
        act=act,
        party=elsewhere,
        session=SESSION,
    )


@pytest.mark.requirement("PT-006", "PT-030")
def test_who_acts_in_another_role_signs_nothing_and_makes_no_key(karen, phone, key, act):
    give_pin(karen)
    pin, options = services.unlock(karen, PIN), ask(karen, act)
    proof = signer(karen, phone, act)
    with acting(actor=karen, acting_as="Production user"):
        for what in (
            lambda: services.unlock(karen, PIN),
            lambda: accept(karen, phone.get(options)),
            lambda: ask(karen, act),
            lambda: act(pin),
            lambda: act(proof),
            lambda: give_passkey(karen, SoftAuthenticator()),
            lambda: services.change_pin(actor=karen, old_pin=PIN, new_pin="90351748"),
        ):
            refused_with("acting_as", what)
    assert not Signature.objects.exists()
    assert services.signing_key_of(karen).failures == 0
    act(proof)


def test_only_a_person_signs_with_a_passkey(karen, key, act):
    robot = ServiceActor("robot", on_behalf_of=karen)
    with pytest.raises(PermissionDenied):
        ask(robot, act)
    karen.is_active = False
    with pytest.raises(PermissionDenied):
        ask(karen, act)


# --- at once --------------------------------------------------------------------------------------


@pytest.mark.requirement("PT-030")
@pytest.mark.django_db(transaction=True)
def test_one_answer_sent_twice_at_the_same_moment_is_taken_once(karen, phone, key, act):
    answer = phone.get(ask(karen, act))
    together, outcomes = threading.Barrier(4), []

    def send():
        together.wait(timeout=20)
        try:
            act(accept(karen, answer))
            outcomes.append("signed")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(outcomes) == ["challenge_gone"] * 3 + ["signed"]
    assert Signature.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_neither_rehearsing_nor_accepting_happens_within_a_transaction(karen, phone, key, act):
    options = ask(karen, act)
    for what in (lambda: ask(karen, act), lambda: accept(karen, phone.get(options))):
        with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
            what()


# --- verifying ------------------------------------------------------------------------------------


@pytest.mark.requirement("PT-030", "TS-083")
def test_each_verdict_is_found_for_a_passkeys_signature_too(karen, phone, key, unit, act):
    signature = act(signer(karen, phone, act))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE organisation_unit SET name = 'Elsewhere'")
    verdict = services.verify(Signature.objects.get())
    assert (verdict.state, verdict.fields) == (State.CHANGED, ["name"])
    assert f"signature {signature.pk} " in services.verify_all().faults[0]
    services.supersede(signature, "another unit")
    assert services.verify(Signature.objects.get()).state == State.SUPERSEDED


TAMPERED = {
    "method": "'pin'",
    "meaning": "'I have seen nothing'",
    "printed_name": "'Jens Friis'",
    "signed_at": "signed_at - interval '1 second'",
    "proof": "countersignature",
    "payload": "replace(payload, 'PET centre', 'PET cellar')",
    "signer_id": "(SELECT max(id) FROM accounts_user)",
}


@pytest.mark.requirement("PT-030")
@pytest.mark.parametrize("column", TAMPERED)
def test_a_passkeys_signature_changed_by_raw_sql_is_broken(column, karen, phone, key, act):
    act(signer(karen, phone, act))
    make_user("Jens Friis")
    with triggers_disabled() as cursor:
        cursor.execute(f"UPDATE signing_signature SET {column} = {TAMPERED[column]}")
    verdict = services.verify(Signature.objects.get())
    assert verdict.state == State.BROKEN
    assert verdict.detail


@pytest.mark.requirement("PT-030")
def test_a_passkey_exchanged_for_the_forgers_own_is_found(karen, phone, key, act):
    act(signer(karen, phone, act))
    his = SoftAuthenticator()
    mine = give_passkey(make_user("Jens Friis"), his)
    swapped = {"cose": mine.cose, "public_pem": mine.public_pem, "rp_id": "evil.example"}
    for column, value in swapped.items():
        with triggers_disabled() as cursor:
            cursor.execute(f"SELECT {column} FROM signing_signingkey WHERE id = %s", [key.pk])
            was = cursor.fetchone()[0]
            change = f"UPDATE signing_signingkey SET {column} = %s WHERE id = %s"
            cursor.execute(change, [value, key.pk])
        assert states() == [State.BROKEN], column
        if column != "rp_id":
            assert any(f"signing key {key.key_id}" in each for each in services.verify_all().faults)
        with triggers_disabled() as cursor:
            cursor.execute(change, [was, key.pk])
    assert states() == [State.VALID]
