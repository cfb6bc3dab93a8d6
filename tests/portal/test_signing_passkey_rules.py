"""What a passkey is asked to sign, and what shows later that it did: pure functions."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from webauthn.helpers import bytes_to_base64url, encode_cbor
from webauthn.helpers.exceptions import WebAuthnException

from portal.signing import intents, passkeys
from portal.signing.passkeys import NoPasskeys, NoPasskeysHere, PasskeyRefused, relying_party
from tests.support.authenticators import SoftAuthenticator, eddsa, es256, rs256

PARTY = relying_party("https", "portal.hospital.example")
CHALLENGE = b"c" * 32
AT = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.UTC)
DOCUMENT = {
    "signable": "tests.release",
    "object": {"type": "tests.release", "id": "57"},
    "facts": {"order": 1042, "activity_mbq": 8200.0, "released_at": AT},
}
LEFT_OUT = (intents.OBJECT_ID, "facts.released_at")

pytestmark = pytest.mark.requirement("PT-030")


def device(private=None, **how):
    return SoftAuthenticator(private or es256(), origin=PARTY.origin, **how)


def register(authenticator, **changes):
    options = passkeys.creation_options(
        party=PARTY,
        site="Portal",
        person_id="7",
        name="REG0007",
        display_name="Karen Brandt",
        challenge=CHALLENGE,
        known=[("AAAA", ["usb", "unheard-of"])],
    )
    return passkeys.check_registration(
        authenticator.create(options, **changes), challenge=CHALLENGE, party=PARTY
    )


def intent(**changes):
    seen = intents.seen(DOCUMENT, "Released for use", LEFT_OUT)
    values = {
        "nonce": "n",
        "asked_at": AT,
        "signer_id": "7",
        "printed_name": "Karen Brandt",
        "rp_id": PARTY.rp_id,
        "origin": PARTY.origin,
        "documents": (seen,),
    }
    return intents.Intent(**{**values, **changes})


def answer(authenticator, asked, **changes):
    options = passkeys.request_options(asked, [])
    return passkeys.Assertion.read(authenticator.get(options, **changes))


# --- where ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "host", "rp_id", "origin"),
    [
        ("https", "portal.hospital.example", "portal.hospital.example", None),
        ("https", "Portal.Hospital.example:8443", "portal.hospital.example", None),
        ("http", "localhost:8000", "localhost", None),
        ("http", "demo.localhost", "demo.localhost", None),
    ],
)
def test_a_passkey_belongs_to_the_name_by_which_the_portal_was_opened(scheme, host, rp_id, origin):
    party = relying_party(scheme, host)
    assert (party.rp_id, party.origin) == (rp_id, origin or f"{scheme}://{host.lower()}")


@pytest.mark.parametrize(
    ("scheme", "host", "why"),
    [
        ("http", "127.0.0.1:8000", NoPasskeys.ADDRESS),
        ("https", "10.1.2.3", NoPasskeys.ADDRESS),
        ("http", "[::1]:8000", NoPasskeys.ADDRESS),
        ("http", "portal.hospital.example", NoPasskeys.INSECURE),
        ("http", "localhost.example", NoPasskeys.INSECURE),
    ],
)
def test_a_number_or_a_page_without_tls_has_no_passkeys(scheme, host, why):
    with pytest.raises(NoPasskeysHere) as none:
        relying_party(scheme, host)
    assert none.value.why == why


# --- registering ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [es256, rs256, eddsa])
def test_a_passkey_of_each_kind_asked_for_is_registered_and_signs(make):
    authenticator = device(make())
    new = register(authenticator)
    assert new.transports == ["internal", "hybrid"]
    assert "BEGIN PUBLIC KEY" in new.public_pem
    asked = intent()
    given = answer(authenticator, asked)
    assert passkeys.check_assertion(given, intent=asked, cose=new.cose) == 1
    proof = passkeys.proof_bytes(asked, given)
    assert fault(proof, new) == ""


def test_what_the_browser_is_asked_for_wants_a_verified_user_and_no_attestation():
    options = passkeys.creation_options(
        party=PARTY,
        site="Portal",
        person_id="7",
        name="REG0007",
        display_name="Karen Brandt",
        challenge=CHALLENGE,
        known=[("AAAA", ["usb", "unheard-of"])],
    )
    selection = options["authenticatorSelection"]
    assert selection["userVerification"] == "required"
    assert selection["residentKey"] == "preferred"
    assert options["attestation"] == "none"
    assert options["excludeCredentials"] == [
        {"id": "AAAA", "type": "public-key", "transports": ["usb"]}
    ]
    assert [each["alg"] for each in options["pubKeyCredParams"]] == [-7, -8, -257]
    asked = passkeys.request_options(intent(), [("AAAA", [])])
    assert asked["userVerification"] == "required"
    assert asked["challenge"] == bytes_to_base64url(intent().challenge())


@pytest.mark.parametrize(
    ("how", "changes"),
    [
        ({"verifies": False}, {}),
        ({}, {"challenge": bytes_to_base64url(b"d" * 32)}),
        ({}, {"origin": "https://portal.hospital.example.evil.example"}),
        ({}, {"type": "webauthn.get"}),
        ({"private": rs256(1024)}, {}),
        ({"private": ec.generate_private_key(ec.SECP384R1())}, {}),
    ],
    ids=["user not verified", "challenge", "origin", "type", "RSA-1024", "P-384 as ES256"],
)
def test_a_registration_that_is_not_what_was_asked_for_is_refused(how, changes):
    with pytest.raises(PasskeyRefused):
        register(device(**how), **changes)


@given(st.one_of(st.text(), st.binary().map(repr), st.just("x" * 30_000)))
def test_whatever_a_browser_sends_is_an_answer_or_refused(sent):
    for read in (passkeys.Assertion.read, passkeys.challenge_of_registration):
        with pytest.raises(PasskeyRefused):
            read(sent)


@given(st.binary(max_size=80))
def test_hostile_bytes_within_an_answer_are_refused_and_not_a_crash(noise):
    text = bytes_to_base64url(noise)
    response = {"clientDataJSON": text, "authenticatorData": text, "signature": text}
    sent = {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response}
    given_ = passkeys.Assertion.read(json.dumps(sent))
    with pytest.raises(PasskeyRefused):
        passkeys.check_assertion(given_, intent=intent(), cose=noise)
    with pytest.raises(PasskeyRefused):
        given_.challenge()
    sent["response"] = {"clientDataJSON": text, "attestationObject": text}
    with pytest.raises(PasskeyRefused):
        passkeys.check_registration(json.dumps(sent), challenge=CHALLENGE, party=PARTY)


# --- what is signed -------------------------------------------------------------------------------


def test_the_challenge_is_bound_to_every_fact_that_is_not_made_by_the_act():
    asked = intent()
    for name, value in {
        "order": 1043,
        "activity_mbq": 8201.0,
    }.items():
        facts = {**DOCUMENT["facts"], name: value}
        other = intents.seen({**DOCUMENT, "facts": facts}, "Released for use", LEFT_OUT)
        assert intent(documents=(other,)).challenge() != asked.challenge()
    later = {**DOCUMENT["facts"], "released_at": AT + dt.timedelta(minutes=2)}
    born = {**DOCUMENT, "object": {"type": "tests.release", "id": "58"}, "facts": later}
    assert intents.seen(born, "Released for use", LEFT_OUT) == asked.documents[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "m"},
        {"asked_at": AT + dt.timedelta(seconds=1)},
        {"signer_id": "8"},
        {"printed_name": "Jens Friis"},
        {"rp_id": "other.example"},
        {"origin": "https://other.example"},
        {"documents": ()},
    ],
)
def test_the_challenge_is_bound_to_who_signs_where_and_when_they_were_asked(changes):
    assert intent(**changes).challenge() != intent().challenge()


def test_an_intent_comes_back_from_json_as_it_was():
    written = json.loads(json.dumps(intent().as_json()))
    assert intents.Intent.from_json(written) == intent()


# --- the proof, later -----------------------------------------------------------------------------


def fault(proof, new, **changes):
    values = {
        "cose": new.cose,
        "credential_id": new.credential_id,
        "rp_id": PARTY.rp_id,
        "signer_id": "7",
        "printed_name": "Karen Brandt",
        "meaning": "Released for use",
        "document": DOCUMENT,
    }
    return passkeys.proof_fault(proof, **{**values, **changes})


@pytest.fixture(scope="module")
def signed():
    authenticator = device()
    new, asked = register(authenticator), intent()
    return new, passkeys.proof_bytes(asked, answer(authenticator, asked))


CHANGED = {
    "another fact": {"document": {**DOCUMENT, "facts": {**DOCUMENT["facts"], "order": 1}}},
    "a fact more": {"document": {**DOCUMENT, "facts": {**DOCUMENT["facts"], "more": 1}}},
    "another kind": {"document": {**DOCUMENT, "signable": "tests.recall"}},
    "no released_at": {"document": {**DOCUMENT, "facts": {"order": 1042, "activity_mbq": 8200.0}}},
    "meaning": {"meaning": "Recalled"},
    "signer": {"signer_id": "8"},
    "name": {"printed_name": "Jens Friis"},
    "credential": {"credential_id": "AAAA"},
    "address": {"rp_id": "other.example"},
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_proof_shows_one_thing_signed_by_one_person_and_nothing_else(signed, what):
    new, proof = signed
    assert fault(proof, new) == ""
    assert fault(proof, new, **CHANGED[what])


def test_a_proof_of_another_key_does_not_hold(signed):
    _, proof = signed
    assert "does not hold" in fault(proof, replace(signed[0], cose=register(device()).cose))


@pytest.mark.parametrize("part", ["intent", "assertion"])
def test_a_proof_with_any_part_changed_does_not_hold(signed, part):
    new, proof = signed
    for name, value in json.loads(proof)[part].items():
        kept = json.loads(proof)
        if name == "type":
            continue
        kept[part][name] = [] if isinstance(value, list) else f"{value}A"
        assert fault(json.dumps(kept).encode(), new), name
    assert "unreadable" in fault(b"no JSON", new)
    assert "unreadable" in fault(b"[]", new)


def test_a_proof_made_without_a_verified_user_does_not_hold():
    authenticator = device()
    new, asked = register(authenticator), intent()
    authenticator.verifies = False
    proof = passkeys.proof_bytes(asked, answer(authenticator, asked))
    assert "verification" in fault(proof, new)


@pytest.mark.parametrize(
    ("last", "now", "copied"),
    [(0, 0, False), (0, 1, False), (4, 5, False), (5, 5, True), (5, 4, True), (5, 0, True)],
)
def test_a_count_that_does_not_go_up_says_copied_unless_the_device_does_not_count(
    last, now, copied
):
    assert passkeys.went_back(last, now) is copied


def test_a_cose_key_of_another_kind_is_not_taken():
    symmetric = encode_cbor({1: 4, 3: 5, -1: b"k" * 32})
    with pytest.raises(WebAuthnException):
        passkeys.public_key(symmetric)
    with pytest.raises(ValueError):
        passkeys.cose_bytes("not base64!")
