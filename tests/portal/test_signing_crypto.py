"""The cryptography of signatures, and the server's keys: no database, no settings."""

import base64
import dataclasses
import datetime as dt
import itertools
import json
import multiprocessing
import random
import stat
import uuid
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from portal import serverkeys
from portal.signing import crypto

PIN = "40718265"
OTHER_PIN = "90351748"
PEPPER = bytes(range(32))
# One guess in a test need not be dear: what is tested is that parameters are kept and bound.
QUICK = crypto.Argon2Parameters(time_cost=1, memory_cost_kib=64, parallelism=1)
COPENHAGEN = ZoneInfo("Europe/Copenhagen")

RELEASE = {
    "order": 1042,
    "customer": "Rigshospitalet, PET",
    "deliver_at": dt.datetime(2026, 11, 21, 8, 30, tzinfo=COPENHAGEN),
    "vials": [
        {"lot": "FDG-261121-1", "activity_mbq": Decimal("1520.50"), "filled": True},
        {"lot": "FDG-261121-1", "activity_mbq": Decimal(980), "filled": True},
    ],
    "comment": None,
}


@pytest.fixture(scope="module")
def sealed():
    return crypto.create_user_key(PIN, PEPPER, parameters=QUICK)


@pytest.fixture(scope="module")
def keys_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server") / "keys"
    serverkeys.create_missing(folder)
    return folder


# --- canonical ----------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
payloads = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=10,
    ),
    max_size=4,
)


@pytest.mark.requirement("PT-030")
def test_the_canonical_writing_is_that_of_rfc_8785():
    # The example of RFC 8785, section 3.2.2 and 3.2.3.
    payload = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\x0f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert (
        crypto.canonical(payload)
        == (
            '{"literals":[null,true,false],'
            '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


@pytest.mark.requirement("PT-030")
def test_values_of_the_database_are_written_as_strings():
    class Use(StrEnum):
        HUMAN = "human"

    written = crypto.canonical(
        {
            "at": dt.datetime(2026, 11, 21, 8, 30, tzinfo=COPENHAGEN),
            "fine": dt.datetime(2026, 11, 21, 8, 30, 0, 250, tzinfo=dt.UTC),
            "day": dt.date(2026, 11, 21),
            "activity": Decimal("1520.50"),
            "tiny": Decimal("1E-7"),
            "great": Decimal("12E3"),
            "zero": Decimal("-0.00"),
            "id": uuid.UUID("6FA459EA-EE8A-3CA4-894E-DB77E160355E"),
            "use": Use.HUMAN,
            "pair": (1, 2.0),
        }
    )
    assert json.loads(written) == {
        "at": "2026-11-21T07:30:00Z",
        "fine": "2026-11-21T08:30:00.000250Z",
        "day": "2026-11-21",
        "activity": "1520.5",
        "tiny": "0.0000001",
        "great": "12000",
        "zero": "0",
        "id": "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "use": "human",
        "pair": [1, 2],
    }


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (dt.datetime(2026, 11, 21, 8, 30), "no zone"),
        (dt.time(8, 30), "time has no canonical"),
        ({1, 2}, "set has no canonical"),
        (b"bytes", "bytes has no canonical"),
        (object(), "object has no canonical"),
        (float("nan"), "not a number"),
        (Decimal("Infinity"), "not a number"),
        (Decimal("1E+999999"), "beyond any quantity"),
        (2**53 + 1, "beyond"),
        (10**400, "beyond"),
        ("\ud800", "surrogate"),
    ],
)
def test_what_has_no_canonical_writing_is_refused_with_its_path(value, says):
    with pytest.raises(crypto.NotCanonicalError, match=says) as caught:
        crypto.canonical({"vials": [{}, {"filled by": value}]})
    assert caught.value.path == 'vials[1]["filled by"]'
    assert caught.value.path in str(caught.value)


def test_a_key_that_is_no_string_is_refused_with_its_path():
    with pytest.raises(crypto.NotCanonicalError, match="key 1 is not a string") as caught:
        crypto.canonical({"vials": {1: "a"}})
    assert caught.value.path == "vials"


def test_bottomless_nesting_is_refused():
    payload = {}
    payload["again"] = payload
    with pytest.raises(crypto.NotCanonicalError, match="nested"):
        crypto.canonical(payload)


@given(payloads, st.randoms())
@example({"a": [1e17, 1.2345678901234567e20, 1e21, 2.0**53]}, random.Random(1))
def test_canonical_ignores_the_order_of_members_and_survives_reading_back(payload, chance):
    shuffled = list(payload.items())
    chance.shuffle(shuffled)
    written = crypto.canonical(payload)
    assert crypto.canonical(dict(shuffled)) == written
    assert crypto.canonical(json.loads(written)) == written


@given(st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2100, 1, 1), timezones=st.timezones()))
def test_one_moment_is_written_the_same_whatever_its_zone(moment):
    elsewhere = moment.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=45)))
    assert crypto.canonical({"at": moment}) == crypto.canonical({"at": elsewhere})


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.integers(0, 3))
def test_a_decimal_is_written_by_its_value_and_loses_none_of_it(value, zeros):
    padded = Decimal(f"{value:f}" + "0" * zeros)
    written = crypto.plain(value)
    assert crypto.plain(padded) == written
    assert Decimal(written) == value


# --- changed since signing ----------------------------------------------------------------------


@pytest.mark.requirement("PT-030")
def test_each_changed_field_is_named_by_a_readable_path():
    live = json.loads(crypto.canonical(RELEASE))
    live["vials"][0]["activity_mbq"] = Decimal("1520.60")
    live["vials"].append({"lot": "FDG-261121-2"})
    del live["comment"]
    live["deliver_at"] = dt.datetime(2026, 11, 21, 7, 30, tzinfo=dt.UTC)  # the same moment
    live["filled by"] = "AMC"
    assert crypto.changed_fields(RELEASE, live) == [
        crypto.Change("comment", None, crypto.ABSENT),
        crypto.Change('["filled by"]', crypto.ABSENT, "AMC"),
        crypto.Change("vials[0].activity_mbq", "1520.5", "1520.6"),
        crypto.Change("vials[2]", crypto.ABSENT, {"lot": "FDG-261121-2"}),
    ]


def test_a_change_for_the_audit_trail_leaves_out_the_side_that_was_absent():
    assert crypto.Change("a", crypto.ABSENT, None).as_json() == {"path": "a", "new": None}
    assert crypto.Change("a", 1, 2).as_json() == {"path": "a", "old": 1, "new": 2}


@given(payloads, payloads)
@example({"a": True}, {"a": 1})
@example({"a": 1}, {"a": 1.0})
@example({"a": None}, {})
@example({"a": {}}, {"a": []})
@example({"a": 0.0}, {"a": -0.0})
def test_fields_have_changed_exactly_when_the_canonical_bytes_differ(one, other):
    changes = crypto.changed_fields(one, other)
    assert bool(changes) == (crypto.canonical(one) != crypto.canonical(other))
    assert len({change.path for change in changes}) == len(changes)
    back = {change.path: (change.new, change.old) for change in changes}
    mirrored = {c.path: (c.old, c.new) for c in crypto.changed_fields(other, one)}
    assert mirrored.keys() == back.keys()


@given(payloads, st.lists(scalars, min_size=1, max_size=3), scalars)
def test_a_single_changed_item_is_the_only_one_named(payload, items, other):
    assume(crypto.canonical({"x": other}) != crypto.canonical({"x": items[-1]}))
    before = {**payload, "items": items}
    after = {**payload, "items": [*items[:-1], other]}
    (change,) = crypto.changed_fields(before, after)
    assert change.path == f"items[{len(items) - 1}]"


# --- the PIN ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pin", "problem"),
    [
        ("4071826", crypto.PinProblem.LENGTH),
        ("4071826540718", crypto.PinProblem.LENGTH),
        ("", crypto.PinProblem.LENGTH),
        ("4071826a", crypto.PinProblem.NOT_DIGITS),
        ("40718265\n", crypto.PinProblem.NOT_DIGITS),
        ("４０７１８２６５", crypto.PinProblem.NOT_DIGITS),
        ("12345678", crypto.PinProblem.RUN),
        ("87654321", crypto.PinProblem.RUN),
        ("78901234", crypto.PinProblem.RUN),
        ("40711111", crypto.PinProblem.RUN),
        ("11111111", crypto.PinProblem.RUN),
        ("12121212", crypto.PinProblem.REPETITION),
        ("19841984", crypto.PinProblem.REPETITION),
        ("407407407", crypto.PinProblem.REPETITION),
    ],
)
@pytest.mark.requirement("PT-030")
def test_a_pin_that_is_short_or_easily_guessed_is_refused(pin, problem):
    with pytest.raises(crypto.WeakPin) as caught:
        crypto.check_pin_rules(pin)
    assert caught.value.problem == problem
    assert not pin or pin not in str(caught.value)
    with pytest.raises(crypto.WeakPin):
        crypto.create_user_key(pin, PEPPER, parameters=QUICK)


@pytest.mark.parametrize("pin", [PIN, OTHER_PIN, "123407712340", "11221133"])
def test_a_pin_that_only_looks_a_little_regular_is_taken(pin):
    crypto.check_pin_rules(pin)


@given(st.text("0123456789", max_size=14))
def test_a_pin_is_taken_exactly_when_no_rule_is_broken(pin):
    # The rules said over again, the slow way.
    ladders = ["0123456789" * 2, "9876543210" * 2] + [str(digit) * 5 for digit in range(10)]
    pieces = {ladder[i : i + 5] for ladder in ladders for i in range(len(ladder) - 4)}
    allowed = (
        8 <= len(pin) <= 12
        and not any(piece in pin for piece in pieces)
        and not any(pin == pin[:size] * (len(pin) // size) for size in range(1, len(pin) // 2 + 1))
    )
    try:
        crypto.check_pin_rules(pin)
    except crypto.WeakPin:
        assert not allowed
    else:
        assert allowed


# --- the signer's key ---------------------------------------------------------------------------


@pytest.mark.requirement("PT-030", "DR-112", "DR-174")
def test_the_right_pin_signs_and_the_public_key_verifies(sealed):
    data = crypto.canonical(RELEASE)
    proof = crypto.open_and_sign(sealed, PIN, PEPPER, data)
    assert crypto.verify_user(sealed.public_pem, data, proof)
    public = load_pem_public_key(sealed.public_pem.encode())
    assert public.key_size == 3072
    assert sealed.key_id == serverkeys.key_id(public)


@pytest.mark.requirement("PT-030")
@pytest.mark.parametrize("pin", [OTHER_PIN, "", "x" * 5000, "40718265 ", "\ud800"])
def test_a_wrong_pin_signs_nothing_and_costs_the_same_work_whatever_its_form(
    sealed, monkeypatch, pin
):
    hashed = []
    real = crypto.hash_secret_raw

    def counted(secret, salt, **parameters):
        hashed.append(parameters)
        return real(secret, salt, **parameters)

    monkeypatch.setattr(crypto, "hash_secret_raw", counted)
    with pytest.raises(crypto.WrongPin, match=r"^The signing PIN is wrong\.$"):
        crypto.open_and_sign(sealed, pin, PEPPER, b"data")
    assert [call["memory_cost"] for call in hashed] == [QUICK.memory_cost_kib]


@pytest.mark.requirement("PT-030")
def test_the_pin_without_the_servers_pepper_opens_nothing(sealed):
    with pytest.raises(crypto.WrongPin):
        crypto.open_and_sign(sealed, PIN, bytes(32), b"data")
    with pytest.raises(ValueError, match="pepper has 3 bytes"):
        crypto.open_and_sign(sealed, PIN, b"abc", b"data")
    with pytest.raises(ValueError, match="pepper has 0 bytes"):
        crypto.create_user_key(PIN, b"", parameters=QUICK)


@pytest.mark.requirement("PT-030", "DR-111")
def test_the_private_key_is_not_readable_in_what_is_stored(sealed):
    stored = json.dumps(dataclasses.asdict(sealed))
    assert "PRIVATE" not in stored
    assert PIN not in stored
    ciphertext = base64.b64decode(sealed.envelope["ciphertext"])
    # An unencrypted PKCS#8 holds the modulus, which the public half tells.
    modulus = load_pem_public_key(sealed.public_pem.encode()).public_numbers().n
    assert modulus.to_bytes(384, "big") not in ciphertext


def test_a_key_survives_being_stored_as_json(sealed):
    stored = json.loads(json.dumps(dataclasses.asdict(sealed), sort_keys=True))
    proof = crypto.open_and_sign(crypto.SealedKey(**stored), PIN, PEPPER, b"data")
    assert crypto.verify_user(sealed.public_pem, b"data", proof)


@pytest.mark.requirement("PT-030")
def test_changing_the_pin_keeps_the_key_and_ends_the_old_pin(sealed):
    changed = crypto.change_pin(sealed, PIN, OTHER_PIN, PEPPER, parameters=QUICK)
    assert (changed.key_id, changed.public_pem) == (sealed.key_id, sealed.public_pem)
    assert changed.envelope["salt"] != sealed.envelope["salt"]
    proof = crypto.open_and_sign(changed, OTHER_PIN, PEPPER, b"data")
    assert crypto.verify_user(sealed.public_pem, b"data", proof)
    with pytest.raises(crypto.WrongPin):
        crypto.open_and_sign(changed, PIN, PEPPER, b"data")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (OTHER_PIN, "90351749", crypto.WrongPin),
        (OTHER_PIN, "12345678", crypto.WrongPin),  # a weak new PIN tells nothing of the old one
        (PIN, "12345678", crypto.WeakPin),
        (PIN, PIN, crypto.WeakPin),
    ],
)
def test_a_pin_is_not_changed_without_the_old_one_or_to_a_refused_one(sealed, old, new, error):
    with pytest.raises(error):
        crypto.change_pin(sealed, old, new, PEPPER, parameters=QUICK)


@pytest.mark.requirement("PT-030")
def test_the_work_asked_of_a_guess_is_that_of_rfc_9106_unless_told_otherwise(monkeypatch):
    asked = {}

    def asked_of(_secret, salt, **parameters):
        asked.update(parameters, salt=len(salt))
        return bytes(32)

    monkeypatch.setattr(crypto, "hash_secret_raw", asked_of)
    envelope = crypto.create_user_key(PIN, PEPPER).envelope
    assert asked["memory_cost"] == envelope["memory_cost_kib"] == 64 * 1024
    assert asked["time_cost"] == envelope["time_cost"] == 3
    assert asked["parallelism"] == envelope["parallelism"] == 4
    assert asked["salt"] == 16
    assert asked["type"] is crypto.Type.ID


@pytest.mark.requirement("PT-030")
def test_a_key_sealed_with_the_full_work_opens():
    sealed = crypto.create_user_key(PIN, PEPPER)
    assert crypto.verify_user(
        sealed.public_pem, b"data", crypto.open_and_sign(sealed, PIN, PEPPER, b"data")
    )


@pytest.mark.parametrize(
    "change",
    [
        {"time_cost": 2},
        {"memory_cost_kib": 128},
        {"parallelism": 2},
        {"kdf": "none"},
        {"cipher": "none"},
        {"salt": base64.b64encode(bytes(16)).decode()},
        {"nonce": base64.b64encode(bytes(12)).decode()},
        {"ciphertext": base64.b64encode(bytes(1800)).decode()},
        {"added": 1},
    ],
)
def test_a_tampered_envelope_does_not_open(sealed, change):
    tampered = dataclasses.replace(sealed, envelope={**sealed.envelope, **change})
    with pytest.raises(crypto.WrongPin):
        crypto.open_and_sign(tampered, PIN, PEPPER, b"data")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"time_cost": 1000000},
        {"memory_cost_kib": 2**31},
        {"memory_cost_kib": 1},
        {"parallelism": 0},
        {"time_cost": "dear"},
        {"time_cost": None},
        {"salt": "AA=="},
        {"nonce": "AA=="},
        {"ciphertext": "not base64!"},
        {"ciphertext": 7},
    ],
)
def test_an_envelope_that_is_none_of_ours_is_said_to_be_broken_without_the_work(sealed, change):
    tampered = dataclasses.replace(sealed, envelope={**sealed.envelope, **change})
    with pytest.raises(crypto.SealedKeyBroken):
        crypto.open_and_sign(tampered, PIN, PEPPER, b"data")
    missing = {name: part for name, part in sealed.envelope.items() if name not in change}
    with pytest.raises(crypto.SealedKeyBroken):
        crypto.open_and_sign(dataclasses.replace(sealed, envelope=missing), PIN, PEPPER, b"data")


def test_a_sealed_key_put_under_another_users_name_does_not_open(sealed):
    stranger = crypto.create_user_key(OTHER_PIN, PEPPER, parameters=QUICK)
    swapped = dataclasses.replace(sealed, public_pem=stranger.public_pem)
    renamed = dataclasses.replace(sealed, key_id=stranger.key_id)
    for tampered in (swapped, renamed):
        with pytest.raises(crypto.WrongPin):
            crypto.open_and_sign(tampered, PIN, PEPPER, b"data")


def test_a_key_sealed_under_a_name_that_is_not_its_own_signs_nothing(sealed):
    secret = crypto._open(sealed, PIN, PEPPER)
    misnamed = crypto._seal(secret, "0" * 16, sealed.public_pem, PIN, PEPPER, QUICK)
    with pytest.raises(crypto.SealedKeyBroken, match="another"):
        crypto.open_and_sign(misnamed, PIN, PEPPER, b"data")


@pytest.mark.requirement("PT-030")
def test_a_proof_by_another_key_or_kind_of_key_does_not_verify(sealed):
    proof = crypto.open_and_sign(sealed, PIN, PEPPER, b"data")
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    curve_pem = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    stranger = crypto.create_user_key(OTHER_PIN, PEPPER, parameters=QUICK)
    for public_pem in (stranger.public_pem, curve_pem, "", "no PEM"):
        assert not crypto.verify_user(public_pem, b"data", proof)
    assert not crypto.verify_user(sealed.public_pem, b"date", proof)
    assert not crypto.verify_user(sealed.public_pem, b"data", b"")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 383), st.integers(1, 255))
def test_a_proof_with_any_changed_byte_does_not_verify(place, flip):
    sealed, proof = _proof_once()
    changed = bytearray(proof)
    changed[place] ^= flip
    assert crypto.verify_user(sealed.public_pem, b"data", proof)
    assert not crypto.verify_user(sealed.public_pem, b"data", bytes(changed))


_PROOFS = []


def _proof_once():
    if not _PROOFS:
        sealed = crypto.create_user_key(PIN, PEPPER, parameters=QUICK)
        _PROOFS.append((sealed, crypto.open_and_sign(sealed, PIN, PEPPER, b"data")))
    return _PROOFS[0]


# --- the counter-signature ----------------------------------------------------------------------


def _statement(**changes):
    return dataclasses.replace(
        crypto.Statement(
            document_digest=crypto.digest(crypto.canonical(RELEASE)),
            signer_id="7",
            printed_name="Anne-Mette Christensen",
            meaning="Released for human use",
            signed_at=dt.datetime(2026, 11, 21, 8, 12, 30, 5, tzinfo=COPENHAGEN),
            key_id="0123456789abcdef",
        ),
        **changes,
    )


@pytest.mark.requirement("PT-030")
def test_the_counter_signed_content_binds_everything_that_a_signature_says():
    content = crypto.CounterSigned(
        _statement(), crypto.ProofMethod.PIN, b"\x00proof", "fedcba9876543210"
    )
    assert json.loads(content.canonical()) == {
        "type": "portal.signature.countersigned.v1",
        "document_digest": crypto.digest(crypto.canonical(RELEASE)),
        "signer_id": "7",
        "printed_name": "Anne-Mette Christensen",
        "meaning": "Released for human use",
        "signed_at": "2026-11-21T07:12:30.000005Z",
        "key_id": "0123456789abcdef",
        "method": "pin",
        "proof": base64.b64encode(b"\x00proof").decode(),
        "countersign_key_id": "fedcba9876543210",
    }


@pytest.mark.requirement("PT-030")
def test_tampering_with_any_part_of_a_signature_is_detected(sealed, keys_folder):
    key = serverkeys.load_countersign(keys_folder)
    statement = _statement(key_id=sealed.key_id)
    proof = crypto.open_and_sign(sealed, PIN, PEPPER, statement.canonical())
    content = crypto.CounterSigned(statement, crypto.ProofMethod.PIN, proof, key.key_id)
    signature = crypto.countersign(key, content.canonical())
    public = serverkeys.load_countersign_public(key.key_id, keys_folder)
    assert crypto.verify_countersign(public, content.canonical(), signature)

    other_statements = [
        _statement(key_id=sealed.key_id, **change)
        for change in (
            {"document_digest": crypto.digest(crypto.canonical({**RELEASE, "order": 1043}))},
            {"signer_id": "8"},
            {"printed_name": "Someone Else"},
            {"meaning": "Rejected"},
            {"signed_at": statement.signed_at + dt.timedelta(microseconds=1)},
        )
    ] + [_statement(key_id="0" * 16)]
    for other in other_statements:
        assert not crypto.verify_user(sealed.public_pem, other.canonical(), proof)
        forged = dataclasses.replace(content, statement=other)
        assert not crypto.verify_countersign(public, forged.canonical(), signature)
    for change in (
        {"proof": proof[:-1] + bytes([proof[-1] ^ 1])},
        {"method": crypto.ProofMethod.PASSKEY},
        {"countersign_key_id": "0" * 16},
    ):
        forged = dataclasses.replace(content, **change)
        assert not crypto.verify_countersign(public, forged.canonical(), signature)
    for place in range(len(signature)):
        flipped = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
        assert not crypto.verify_countersign(public, content.canonical(), flipped)
    assert not crypto.verify_countersign(public, content.canonical(), b"")
    anchor = serverkeys.load_anchor_key(keys_folder)
    assert not crypto.verify_countersign(anchor.public_key(), content.canonical(), signature)


def test_a_time_of_signing_without_a_zone_cannot_be_signed():
    naive = _statement(signed_at=dt.datetime(2026, 11, 21, 8, 12))
    with pytest.raises(crypto.NotCanonicalError, match="signed_at"):
        naive.canonical()


# --- the server's keys --------------------------------------------------------------------------


def _files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.requirement("PT-030")
def test_missing_server_keys_are_made_once_readable_by_their_owner_alone(tmp_path):
    folder = tmp_path / "var" / "keys"
    made = serverkeys.create_missing(folder)
    files = _files(folder)
    assert sorted(made) == sorted(files)
    assert made[:5] == [
        "countersign.pem",
        "anchor.pem",
        "pepper.key",
        "inbox.keys",
        "sealing.pem",
    ]
    for path in [folder, *folder.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert serverkeys.create_missing(folder) == []
    assert _files(folder) == files


def test_only_what_is_missing_is_made_again(tmp_path):
    serverkeys.create_missing(tmp_path)
    before = _files(tmp_path)
    (tmp_path / "anchor.pem").unlink()
    (kept_public,) = (tmp_path / "countersign.d").iterdir()
    kept_public.unlink()  # as when the first run died half-way
    assert serverkeys.create_missing(tmp_path) == [
        "anchor.pem",
        f"countersign.d/{kept_public.name}",
    ]
    after = _files(tmp_path)
    assert after.pop("anchor.pem") != before.pop("anchor.pem")
    assert after == before


def _make_and_tell(folder, start, results):
    start.wait()
    made = serverkeys.create_missing(folder)
    results.put((made, serverkeys.load_countersign(folder).key_id))


def test_two_processes_making_keys_at_once_end_with_one_set(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_make_and_tell, args=(tmp_path, start, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    answers = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    made = list(itertools.chain.from_iterable(names for names, _ in answers))
    assert sorted(made) == sorted(_files(tmp_path))  # each by exactly one, and no scratch left
    assert len({key_id for _, key_id in answers}) == 1


def test_a_file_that_appears_while_its_key_is_being_made_is_kept(tmp_path):
    path = tmp_path / "pepper.key"

    def overtaken():
        path.write_bytes(b"the other process's")
        return b"ours"

    assert not serverkeys._write_if_absent(path, overtaken)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"the other process's"]


LOADERS = [
    (serverkeys.load_countersign, "countersign.pem"),
    (serverkeys.load_anchor_key, "anchor.pem"),
    (serverkeys.load_pepper, "pepper.key"),
    (serverkeys.load_inbox, "inbox.keys"),
    (serverkeys.load_sealing, "sealing.pem"),
    (serverkeys.load_sealing_certificates, "sealing.d"),
]


@pytest.mark.parametrize(("load", "name"), LOADERS)
def test_a_missing_server_key_says_which_where_and_what_makes_it(tmp_path, load, name):
    with pytest.raises(serverkeys.ServerKeyMissing) as caught:
        load(tmp_path)
    for part in (name, str(tmp_path), "manage.py make_server_keys"):
        assert part in str(caught.value)
    serverkeys.create_missing(tmp_path)
    assert load(tmp_path)  # a failure is not remembered


@pytest.mark.parametrize(("load", "name"), LOADERS[:-1])
def test_a_server_key_that_others_can_read_is_not_used(tmp_path, load, name):
    serverkeys.create_missing(tmp_path)
    serverkeys._forget()
    (tmp_path / name).chmod(0o640)
    with pytest.raises(serverkeys.ServerKeyUnusable, match="0600"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("load", "name", "content"),
    [(load, name, content) for load, name in LOADERS[:-1] for content in (b"", b"garbage")]
    + [(load, name, "sealing.pem") for load, name in LOADERS[:-2]]
    + [(load, name, "anchor.pem") for load, name in LOADERS[2:-1]],
)
def test_a_file_that_holds_something_else_is_named(tmp_path, keys_folder, load, name, content):
    path = tmp_path / name
    path.touch(0o600)
    path.write_bytes((keys_folder / content).read_bytes() if isinstance(content, str) else content)
    with pytest.raises(serverkeys.ServerKeyUnusable, match=name):
        load(tmp_path)


def test_a_damaged_public_half_is_named(tmp_path):
    serverkeys.create_missing(tmp_path)
    (key,), (certificate,) = ((tmp_path / n).iterdir() for n in ("countersign.d", "sealing.d"))
    key.write_bytes(b"garbage")
    certificate.write_bytes(b"garbage")
    with pytest.raises(serverkeys.ServerKeyUnusable, match=key.stem):
        serverkeys.load_countersign_public(key.stem, tmp_path)
    with pytest.raises(serverkeys.ServerKeyUnusable, match=certificate.stem):
        serverkeys.load_sealing_certificates(tmp_path)


def test_a_server_key_that_is_no_file_is_named(tmp_path):
    (tmp_path / "pepper.key").mkdir()
    with pytest.raises(serverkeys.ServerKeyUnusable, match=r"pepper\.key cannot be read"):
        serverkeys.load_pepper(tmp_path)


def test_a_sealing_key_beside_another_keys_certificate_is_not_used(tmp_path, keys_folder):
    serverkeys.create_missing(tmp_path)
    other = serverkeys.load_sealing(keys_folder).certificate.public_bytes(Encoding.PEM)
    path = tmp_path / "sealing.pem"
    path.write_bytes(path.read_bytes().split(b"-----BEGIN CERT")[0] + other)
    serverkeys._forget()
    with pytest.raises(serverkeys.ServerKeyUnusable):
        serverkeys.load_sealing(tmp_path)


@pytest.mark.requirement("PT-030")
def test_what_a_former_countersigning_key_signed_stays_verifiable(tmp_path):
    serverkeys.create_missing(tmp_path)
    former = serverkeys.load_countersign(tmp_path)
    signature = crypto.countersign(former, b"content")
    (tmp_path / "countersign.pem").unlink()
    serverkeys.create_missing(tmp_path)
    present = serverkeys.load_countersign(tmp_path)
    assert present.key_id != former.key_id
    public = serverkeys.load_countersign_public(former.key_id, tmp_path)
    assert crypto.verify_countersign(public, b"content", signature)
    public = serverkeys.load_countersign_public(present.key_id, tmp_path)
    assert not crypto.verify_countersign(public, b"content", signature)


@pytest.mark.parametrize("name", ["0" * 16, "../countersign", "", "A" * 16, "0" * 15])
def test_a_countersigning_key_that_was_never_ours_is_missing(keys_folder, name):
    with pytest.raises(serverkeys.ServerKeyMissing):
        serverkeys.load_countersign_public(name, keys_folder)


def test_a_public_key_put_under_another_keys_id_is_not_used(tmp_path):
    serverkeys.create_missing(tmp_path)
    (public,) = (tmp_path / "countersign.d").iterdir()
    public.rename(public.with_name("0" * 16 + ".pem"))
    with pytest.raises(serverkeys.ServerKeyUnusable):
        serverkeys.load_countersign_public("0" * 16, tmp_path)


def test_the_inbox_encrypts_with_the_newest_key_and_reads_older_ones(tmp_path):
    serverkeys.create_missing(tmp_path)
    path = tmp_path / "inbox.keys"
    old = path.read_bytes()
    kept = serverkeys.load_inbox(tmp_path).encrypt(b"MSH|")
    newest = Fernet.generate_key()
    path.write_bytes(newest + b"\n" + old)
    serverkeys.create_missing(tmp_path)
    inbox = serverkeys.load_inbox(tmp_path)
    assert inbox.decrypt(kept) == b"MSH|"
    assert Fernet(newest).decrypt(inbox.encrypt(b"MSH|")) == b"MSH|"


def test_the_sealing_certificate_is_its_own_issuer_and_for_signing_only(keys_folder):
    certificate = serverkeys.load_sealing(keys_folder).certificate
    certificate.verify_directly_issued_by(certificate)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    assert not usage.key_cert_sign
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert serverkeys.load_sealing_certificates(keys_folder) == [certificate]


def test_keys_are_found_where_the_settings_say(keys_folder, monkeypatch):
    from types import SimpleNamespace

    import django.conf

    monkeypatch.setattr(django.conf, "settings", SimpleNamespace(PORTAL_KEYS_DIR=str(keys_folder)))
    assert serverkeys.load_pepper() == (keys_folder / "pepper.key").read_bytes()
    assert serverkeys.load_anchor_key() is serverkeys.load_anchor_key(keys_folder)
