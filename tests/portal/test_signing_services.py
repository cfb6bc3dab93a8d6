"""Signing, verifying and what raw SQL behind the portal's back does to a signature."""

from __future__ import annotations

import base64
import threading
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from portal import serverkeys
from portal.audit.models import AccessEntry, AuditEntry
from portal.notifications.models import Notification
from portal.organisation.models import Membership, Unit
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.signing import crypto, services, tasks
from portal.signing.models import Signature, SignatureVerification, SigningKey, Supersession
from portal.signing.payloads import NotSignable
from portal.signing.register import fingerprint_of_pem
from portal.signing.services import State, verification
from tests.support.factories import give, make_unit, make_user
from tests.support.signing import (
    BROKEN,
    MEMBERSHIP,
    PIN,
    UNIT,
    declare_signables,
    give_pin,
    triggers_disabled,
)

OTHER_PIN = "90351748"
WRONG = "55118822"
MEANING = "I have seen this unit"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _signables(monkeypatch):
    declare_signables(monkeypatch)


@pytest.fixture
def signer():
    user = make_user("Karen Brandt Holm")
    give_pin(user)
    return user


@pytest.fixture
def unit():
    return make_unit("pet-centre", name="PET centre")


@pytest.fixture
def signed(signer, unit):
    key = services.unlock(signer, PIN)
    return services.sign(actor=signer, signable=UNIT, obj=unit, meaning=MEANING, key=key)


def fresh(signature):
    return Signature.objects.get(pk=signature.pk)


def audited(action):
    return AuditEntry.objects.filter(action=action)


def verify_command():
    """Exit status and all that is written by `manage.py signatures_verify`."""
    out, err = StringIO(), StringIO()
    try:
        call_command("signatures_verify", stdout=out, stderr=err)
    except SystemExit as stop:
        return stop.code, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


# --- signing --------------------------------------------------------------------------------------


@pytest.mark.requirement("PT-030", "TS-080")
def test_what_is_signed_says_who_when_what_it_means_and_is_valid(signed, signer, unit):
    assert services.verify(fresh(signed)).state == State.VALID
    assert signed.printed_name == "Karen Brandt Holm"
    assert signed.meaning == MEANING
    assert signed.signed_at.utcoffset() == timedelta(0)
    assert signed.digest == crypto.digest(signed.payload.encode())
    assert '"facts":{"closed_on":null,"code":"pet-centre","name":"PET centre"}' in signed.payload
    assert services.signatures_of(unit).get() == signed


@pytest.mark.requirement("PT-030", "PT-023")
def test_a_signature_and_its_audit_entry_come_or_go_together(signer, unit):
    key = services.unlock(signer, PIN)

    @transaction.atomic
    def sign_and_fail():
        services.sign(actor=signer, signable=UNIT, obj=unit, meaning=MEANING, key=key)
        assert audited("signing.signed").count() == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sign_and_fail()
    assert not Signature.objects.exists()
    assert not audited("signing.signed").exists()

    signature = services.sign(actor=signer, signable=UNIT, obj=unit, meaning=MEANING, key=key)
    entry = audited("signing.signed").get()
    assert (entry.actor_id, entry.object_id) == (signer.pk, str(unit.pk))
    assert entry.data["signature"] == signature.pk
    assert entry.data["digest"] == signature.digest
    assert entry.data["meaning"] == MEANING
    assert entry.data["key_id"] == services.signing_key_of(signer).key_id
    assert AccessEntry.objects.get(action="sign").object_id == str(unit.pk)


@pytest.mark.requirement("PT-030")
def test_what_is_signed_is_the_row_not_what_the_caller_has_in_hand(signer, unit):
    unit.name = "never saved"
    key = services.unlock(signer, PIN)
    signature = services.sign(actor=signer, signable=UNIT, obj=unit, meaning=MEANING, key=key)
    assert "never saved" not in signature.payload
    assert services.verify(signature).state == State.VALID


@pytest.mark.requirement("PT-030")
def test_nobody_signs_with_another_persons_key_and_no_service_signs(signer, unit):
    key = services.unlock(signer, PIN)
    other = make_user("Jens Friis")
    with pytest.raises(PermissionDenied):
        services.sign(actor=other, signable=UNIT, obj=unit, meaning=MEANING, key=key)
    with pytest.raises(PermissionDenied):
        services.unlock(ServiceActor("robot", on_behalf_of=signer), PIN)
    signer.is_active = False
    with pytest.raises(PermissionDenied):
        services.unlock(signer, PIN)
    assert not Signature.objects.exists()


def test_a_signature_must_mean_something_and_be_of_something_declared(signer, unit):
    key = services.unlock(signer, PIN)
    for meaning in ("", "x" * 201):
        with pytest.raises(ValueError, match="meaning"):
            services.sign(actor=signer, signable=UNIT, obj=unit, meaning=meaning, key=key)
    with pytest.raises(NotSignable):
        services.sign(actor=signer, signable="tests.nothing", obj=unit, meaning="m", key=key)


def test_the_opened_key_is_not_shown_when_it_is_printed(signer):
    shown = repr(services.unlock(signer, PIN))
    assert "private" not in shown
    assert "RSA" not in shown


@pytest.mark.requirement("PT-030")
@pytest.mark.parametrize("missing", ["countersign.pem", "pepper.key"])
def test_without_a_server_key_nothing_is_signed_and_no_try_is_spent(
    missing, signer, unit, settings, tmp_path
):
    key = services.unlock(signer, PIN)
    serverkeys.create_missing(tmp_path)
    (tmp_path / missing).unlink()
    serverkeys._forget()
    settings.PORTAL_KEYS_DIR = str(tmp_path)
    with pytest.raises(Refused) as refused:
        services.unlock(signer, PIN)
    assert refused.value.code == "server_key"
    assert "Call support" in str(refused.value)
    assert services.signing_key_of(signer).failures == 0
    if missing == "countersign.pem":
        with pytest.raises(Refused) as refused:
            services.sign(actor=signer, signable=UNIT, obj=unit, meaning=MEANING, key=key)
        assert refused.value.code == "server_key"
    else:
        with pytest.raises(Refused, match="key of the server"):
            services.set_pin(actor=make_user("Jens Friis"), pin=PIN)
    assert not Signature.objects.exists()


# --- the PIN --------------------------------------------------------------------------------------


@pytest.mark.requirement("PT-030")
def test_making_a_key_is_in_the_audit_trail_with_its_fingerprint():
    signer = make_user("Karen Brandt Holm")
    services.set_pin(actor=signer, pin=PIN)
    key = services.signing_key_of(signer)
    entry = audited("signing.key_created").get()
    assert entry.data["key_id"] == key.key_id
    assert entry.data["public_key_sha256"] == fingerprint_of_pem(key.public_pem)
    assert (entry.data["user"], entry.data["method"]) == (signer.pk, "pin")
    assert entry.data["public_key_sha256"].startswith(key.key_id)
    with pytest.raises(Refused) as refused:
        services.set_pin(actor=signer, pin=OTHER_PIN)
    assert refused.value.code == "has_signing_key"


@pytest.mark.parametrize("pin", ["1234567", "12345678", "12121212", "abcdefgh", "1234567890123"])
def test_a_pin_that_is_easily_guessed_is_refused(pin):
    with pytest.raises(Refused) as refused:
        services.set_pin(actor=make_user("Jens Friis"), pin=pin)
    assert refused.value.code == "weak_pin"
    assert pin not in str(refused.value)
    assert not SigningKey.objects.exists()


def test_who_has_no_pin_is_told_to_set_one():
    with pytest.raises(Refused) as refused:
        services.unlock(make_user("Jens Friis"), PIN)
    assert refused.value.code == "no_signing_key"


@pytest.mark.requirement("PT-030")
def test_a_changed_pin_opens_the_same_key_and_the_old_one_no_longer(signer, signed):
    key = services.signing_key_of(signer)
    key_id = key.key_id
    services.change_pin(actor=signer, old_pin=PIN, new_pin=OTHER_PIN)
    assert services.signing_key_of(signer).key_id == key_id
    assert services.unlock(signer, OTHER_PIN)
    with pytest.raises(services.WrongPin):
        services.unlock(signer, PIN)
    assert services.verify(fresh(signed)).state == State.VALID
    told = audited("signing.pin_changed").get().data
    assert (told["key_id"], told["public_key_sha256"]) == (
        key_id,
        fingerprint_of_pem(key.public_pem),
    )


def test_changing_the_pin_needs_the_old_one_and_a_new_one_that_holds(signer):
    with pytest.raises(services.WrongPin):
        services.change_pin(actor=signer, old_pin=WRONG, new_pin=OTHER_PIN)
    assert services.signing_key_of(signer).failures == 1
    for new in (PIN, "12345678"):
        with pytest.raises(Refused) as refused:
            services.change_pin(actor=signer, old_pin=PIN, new_pin=new)
        assert refused.value.code == "weak_pin"
    assert services.unlock(signer, PIN)


def test_neither_a_former_pins_seal_nor_a_try_stays_in_the_history(signer):
    services.change_pin(actor=signer, old_pin=PIN, new_pin=OTHER_PIN)
    services.unlock(signer, OTHER_PIN)
    kept = services.signing_key_of(signer).history.all()
    assert kept.count() == 2
    assert not any(hasattr(row, "sealed") for row in kept)


@pytest.mark.requirement("PT-030", "TS-080")
def test_five_wrong_pins_lock_the_key_for_a_while_and_are_recorded(signer):
    left = []
    for _ in range(5):
        with pytest.raises(services.WrongPin) as wrong:
            services.unlock(signer, WRONG)
        left.append(wrong.value.tries_left)
    assert left == [4, 3, 2, 1, 0]
    assert wrong.value.code == "pin_locked"
    assert audited("signing.key_locked").count() == 1
    assert AccessEntry.objects.filter(action="refused", actor_id=signer.pk).count() == 5
    assert Notification.objects.filter(user=signer, level="warning").count() == 1

    with pytest.raises(services.WrongPin) as wrong:  # the right one does not help now
        services.unlock(signer, PIN)
    assert wrong.value.code == "pin_locked"

    key = services.signing_key_of(signer)
    key.locked_until = timezone.now() - timedelta(seconds=1)
    key.save(update_fields={"locked_until"})
    with pytest.raises(services.WrongPin) as wrong:
        services.unlock(signer, WRONG)
    assert wrong.value.tries_left == 4
    assert services.unlock(signer, PIN)
    key = services.signing_key_of(signer)
    assert (key.failures, key.locked_until) == (0, None)


def test_a_damaged_key_is_said_to_be_damaged(signer):
    key = services.signing_key_of(signer)
    key.sealed = {**key.sealed, "version": 99}
    key.save()
    with pytest.raises(Refused) as refused:
        services.unlock(signer, PIN)
    assert refused.value.code == "signing_key_broken"


@pytest.mark.requirement("PT-030")
@pytest.mark.django_db(transaction=True)
def test_a_wrong_pin_counts_though_the_caller_rolls_back_and_never_within_its_transaction(signer):
    with pytest.raises(services.WrongPin):
        services.unlock(signer, WRONG)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        services.unlock(signer, PIN)
    assert services.signing_key_of(signer).failures == 1


@pytest.mark.requirement("PT-030")
@pytest.mark.django_db(transaction=True)
def test_wrong_pins_tried_at_the_same_moment_all_count(signer, monkeypatch):
    together = threading.Barrier(2)
    opened = crypto.open_key

    def open_together(*given):
        together.wait(timeout=20)  # both have begun before either is decided
        return opened(*given)

    monkeypatch.setattr(crypto, "open_key", open_together)
    raised = []

    def guess():
        try:
            services.unlock(signer, WRONG)
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=guess) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert [type(error) for error in raised] == [services.WrongPin, services.WrongPin]
    assert services.signing_key_of(signer).failures == 2


@pytest.mark.requirement("PT-030")
@pytest.mark.django_db(transaction=True)
def test_many_guesses_at_once_do_not_slip_by_the_counter(signer, monkeypatch):
    begun, decide = threading.Semaphore(0), threading.Event()
    opened = crypto.open_key

    def open_when_told(*given):
        begun.release()
        decide.wait(timeout=30)
        return opened(*given)

    monkeypatch.setattr(crypto, "open_key", open_when_told)
    raised = []

    def guess():
        try:
            services.unlock(signer, WRONG)
        except services.WrongPin as error:
            raised.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert begun.acquire(timeout=30)
    assert not begun.acquire(timeout=1)  # the sixth never gets as far as a guess
    decide.set()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(raised) == ["pin_locked"] * 4 + ["wrong_pin"] * 4
    assert services.signing_key_of(signer).failures == 5


# --- revoking -------------------------------------------------------------------------------------


@pytest.mark.requirement("PT-030")
def test_a_revoked_key_signs_no_more_and_what_it_signed_stays_valid(signer, unit, signed):
    opened = services.unlock(signer, PIN)
    key_id = services.signing_key_of(signer).key_id
    services.revoke_key(actor=signer, key_id=key_id, reason="PIN forgotten")
    with pytest.raises(Refused) as refused:
        services.sign(actor=signer, signable=UNIT, obj=unit, meaning=MEANING, key=opened)
    assert refused.value.code == "key_revoked"
    assert services.verify(fresh(signed)).state == State.VALID
    assert audited("signing.key_revoked").get().reason == "PIN forgotten"
    new = services.set_pin(actor=signer, pin=OTHER_PIN)
    assert new.key_id != key_id
    assert services.unlock(signer, OTHER_PIN)
    assert verify_command()[0] == 0


@pytest.mark.requirement("PT-030")
def test_what_was_signed_while_somebody_else_may_have_known_the_pin_is_not_trusted(signer, signed):
    services.revoke_key(
        actor=signer,
        key_id=services.signing_key_of(signer).key_id,
        reason="a note with the PIN was lost",
        doubtful_since=signed.signed_at - timedelta(milliseconds=1),
    )
    verdict = services.verify(fresh(signed))
    assert (verdict.state, verdict.wrong) == (State.KEY_REVOKED, True)


def test_one_revokes_ones_own_key_with_a_reason_and_a_time_that_can_be(signer):
    key_id = services.signing_key_of(signer).key_id
    wrong = [
        ({"actor": make_user("Jens Friis"), "reason": "mine now"}, "gone"),
        ({"actor": signer, "reason": " "}, "reason_needed"),
        (
            {"actor": signer, "reason": "r", "doubtful_since": timezone.now() + timedelta(1)},
            "doubtful_since",
        ),
        (
            {"actor": signer, "reason": "r", "doubtful_since": timezone.now() - timedelta(9)},
            "doubtful_since",
        ),
    ]
    for said, code in wrong:
        with pytest.raises(Refused) as refused:
            services.revoke_key(key_id=key_id, **said)
        assert refused.value.code == code
    assert services.has_pin(signer)


# --- verifying against live rows ------------------------------------------------------------------


@pytest.mark.requirement("PT-030", "TS-083")
def test_a_row_changed_by_raw_sql_after_signing_is_found_with_the_field_named(signed, unit):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE organisation_unit SET name = 'Elsewhere' WHERE id = %s", [unit.pk])
    verdict = services.verify(fresh(signed))
    assert (verdict.state, verdict.fields) == (State.CHANGED, ["name"])
    assert verdict.changes[0].as_json() == {"path": "name", "old": "PET centre", "new": "Elsewhere"}
    status, written = verify_command()
    assert status == 1
    assert f"signature {signed.pk} " in written
    assert f"organisation.unit {unit.pk}: changed: name" in written


TAMPERED = {
    "payload": "replace(payload, 'PET centre', 'PET cellar')",
    "digest": "repeat('0', 64)",
    "meaning": "'I have seen nothing'",
    "printed_name": "'Jens Friis'",
    "signed_at": "signed_at - interval '1 second'",
    "object_id": "'999'",
    "object_type": "'organisation.membership'",
    "signable": "'tests.membership'",
    "proof": "countersignature",
    "countersignature": "proof",
    "countersign_key_id": "'0123456789abcdef'",
    "key_id": "key_id + 1000",
    "signer_id": "(SELECT max(id) FROM accounts_user)",
}


@pytest.mark.requirement("PT-030")
@pytest.mark.parametrize("column", TAMPERED)
def test_a_signature_changed_by_raw_sql_is_broken_and_named(column, signed):
    make_user("Jens Friis")
    with triggers_disabled() as cursor:
        cursor.execute(
            f"UPDATE signing_signature SET {column} = {TAMPERED[column]} WHERE id = %s",
            [signed.pk],
        )
        assert cursor.rowcount == 1
    verdict = services.verify(fresh(signed))
    assert verdict.state == State.BROKEN
    assert verdict.detail
    status, written = verify_command()
    assert status == 1
    assert f"signature {signed.pk} (" in written
    assert "broken" in written
    with triggers_disabled() as cursor:  # or the database's own checks end this test
        cursor.execute("DELETE FROM signing_signature")


@pytest.mark.requirement("PT-030")
def test_a_signature_forged_with_a_key_of_ones_own_is_broken(signed):
    mine = crypto.create_user_key(
        OTHER_PIN, b"x" * 32, parameters=crypto.Argon2Parameters(1, 64, 1)
    )
    forged = fresh(signed)
    forged.key.key_id, forged.key.public_pem = mine.key_id, mine.public_pem
    forged.meaning = "I pay everything"
    from portal.signing.statements import statement_of

    proof = crypto.open_and_sign(mine, OTHER_PIN, b"x" * 32, statement_of(forged).canonical())
    with triggers_disabled() as cursor:
        cursor.execute(
            "UPDATE signing_signingkey SET key_id = %s, public_pem = %s",
            [mine.key_id, mine.public_pem],
        )
        cursor.execute(
            "UPDATE signing_signature SET meaning = %s, proof = %s",
            [forged.meaning, base64.b64encode(proof).decode()],
        )
    verdict = services.verify(fresh(signed))
    assert verdict.state == State.BROKEN
    assert "counter-signature" in verdict.detail


@pytest.mark.requirement("PT-030")
def test_an_exchanged_public_key_is_found(signed):
    mine = crypto.create_user_key(
        OTHER_PIN, b"x" * 32, parameters=crypto.Argon2Parameters(1, 64, 1)
    )
    with triggers_disabled() as cursor:
        cursor.execute("UPDATE signing_signingkey SET public_pem = %s", [mine.public_pem])
    assert services.verify(fresh(signed)).detail == "the signer's public key was exchanged"
    with triggers_disabled() as cursor:
        cursor.execute("UPDATE signing_signingkey SET public_pem = 'none'")
    assert services.verify(fresh(signed)).state == State.BROKEN


@pytest.mark.requirement("PT-030")
def test_a_signature_removed_copied_or_hidden_behind_a_supersession_is_found(signed):
    with triggers_disabled() as cursor:
        cursor.execute(
            "INSERT INTO signing_supersession (signature_id, at, reason) VALUES (%s, now(), 'x')",
            [signed.pk],
        )
    assert services.verify(fresh(signed)).state == State.SUPERSEDED  # what it says of itself
    status, written = verify_command()
    assert status == 1
    assert f"signature {signed.pk}: marked superseded, which is not in the audit trail" in written

    with triggers_disabled() as cursor:
        cursor.execute("DELETE FROM signing_supersession")
        cursor.execute("CREATE TEMPORARY TABLE copy AS SELECT * FROM signing_signature")
        cursor.execute("UPDATE copy SET id = id + 500")
        cursor.execute("INSERT INTO signing_signature SELECT * FROM copy")
    assert f"signature {signed.pk + 500}: not in the audit trail" in verify_command()[1]

    with triggers_disabled() as cursor:
        cursor.execute("DELETE FROM signing_signature")
    status, written = verify_command()
    assert status == 1
    assert f"signature {signed.pk}: in the audit trail, but its row was removed" in written


@pytest.mark.requirement("PT-030")
def test_a_revocation_undone_and_a_key_out_of_nowhere_are_found(signer, signed):
    key = services.signing_key_of(signer)
    services.revoke_key(actor=signer, key_id=key.key_id, reason="PIN lost")
    with triggers_disabled() as cursor:
        cursor.execute("UPDATE signing_signingkey SET revoked_at = NULL")
    assert f"signing key {key.key_id}: its revocation is not what" in verify_command()[1]
    with triggers_disabled() as cursor:
        cursor.execute("UPDATE signing_signingkey SET key_id = 'feedfeedfeedfeed'")
    assert "signing key feedfeedfeedfeed: not in the audit trail" in verify_command()[1]


@pytest.mark.requirement("PT-030")
def test_a_soft_deleted_object_can_be_verified_and_one_that_is_gone_is_named(signed, unit):
    unit.deleted_at = timezone.now()
    unit.save()
    assert services.verify(fresh(signed)).state == State.VALID
    with triggers_disabled() as cursor:
        cursor.execute("DELETE FROM organisation_unit WHERE id = %s", [unit.pk])
    verdict = services.verify(fresh(signed))
    assert (verdict.state, verdict.wrong) == (State.UNVERIFIABLE, True)
    assert verify_command()[0] == 1


@pytest.mark.requirement("PT-030", "PT-050")
def test_without_its_module_a_signature_says_so_its_proof_is_checked_and_nobody_is_alarmed(
    signed, monkeypatch
):
    monkeypatch.undo()  # the module that declared it is gone
    verdict = services.verify(fresh(signed))
    assert (verdict.state, verdict.wrong) == (State.UNVERIFIABLE, False)
    assert verdict.detail == "its module is not installed"
    assert verify_command() == (0, "sound: 1 signatures\n")
    with triggers_disabled() as cursor:
        cursor.execute("UPDATE signing_signature SET meaning = 'other'")
    assert services.verify(fresh(signed)).state == State.BROKEN


def test_facts_that_can_no_longer_be_stated_are_a_finding_not_a_crash(signer, unit, monkeypatch):
    key = services.unlock(signer, PIN)
    monkeypatch.setattr("tests.support.signing.no_facts", lambda _: {"name": "x"})
    signature = services.sign(actor=signer, signable=BROKEN, obj=unit, meaning="m", key=key)
    monkeypatch.undo()
    declare_signables(monkeypatch)
    verdict = services.verify(signature)
    assert (verdict.state, verdict.wrong) == (State.UNVERIFIABLE, True)
    assert "ZeroDivisionError" in verdict.detail


@pytest.mark.requirement("PT-030", "TS-084")
def test_a_superseded_signature_stays_and_says_so_whatever_the_record_is_now(signed, unit):
    services.supersede(signed, "The vial was another one")
    services.supersede(signed, "once more")
    assert Supersession.objects.get().reason == "The vial was another one"
    assert audited("signing.superseded").get().reason == "The vial was another one"
    unit.name = "Corrected"
    unit.save()
    verdict = services.verify(fresh(signed))
    assert (verdict.state, verdict.wrong) == (State.SUPERSEDED, False)
    assert verdict.detail == "The vial was another one"
    assert verify_command()[0] == 0
    with pytest.raises(Refused):
        services.supersede(signed, " ")


@pytest.mark.requirement("PT-030")
def test_a_former_server_key_still_vouches_for_what_it_signed(
    signer, unit, settings, tmp_path, server_keys
):
    serverkeys.create_missing(tmp_path)
    (tmp_path / "pepper.key").write_bytes((server_keys / "pepper.key").read_bytes())
    serverkeys._forget()
    settings.PORTAL_KEYS_DIR = str(tmp_path)
    key = services.unlock(signer, PIN)
    old = services.sign(actor=signer, signable=UNIT, obj=unit, meaning=MEANING, key=key)
    (tmp_path / "countersign.pem").unlink()
    serverkeys.create_missing(tmp_path)
    new = services.sign(actor=signer, signable=UNIT, obj=unit, meaning=MEANING, key=key)
    assert new.countersign_key_id != old.countersign_key_id
    assert [verdict.state for verdict in services.verify_many([old, new])] == ["valid", "valid"]


@pytest.mark.requirement("PT-030")
def test_verifying_many_takes_as_many_queries_as_verifying_one(signer, django_assert_num_queries):
    key = services.unlock(signer, PIN)
    for number in range(6):
        unit = make_unit(f"ward-{number}")
        membership = Membership.objects.create(
            user=signer, unit=unit, title=f"t{number}", starts_on=date(2026, 11, 21)
        )
        services.sign(actor=signer, signable=MEMBERSHIP, obj=membership, meaning="m", key=key)
        services.sign(actor=signer, signable=UNIT, obj=unit, meaning="m", key=key)
    # signatures, keys, supersessions, the register; memberships with units and people; units
    for many in (2, 12):
        with django_assert_num_queries(8):
            verdicts = services.verify_many(Signature.objects.order_by("pk")[:many])
        assert [verdict.state for verdict in verdicts] == ["valid"] * many

    changed = Unit.objects.get(code="ward-3")
    changed.name = "Another"
    changed.save()
    wrong = [v for v in services.verify_many(Signature.objects.order_by("pk")) if v.wrong]
    assert [(v.signature.signable, v.fields) for v in wrong] == [
        (MEMBERSHIP, ["unit.name"]),
        (UNIT, ["name"]),
    ]


def test_an_object_just_read_is_not_read_again(signed, unit, django_assert_num_queries):
    unit.refresh_from_db()
    signature = services.signatures_of(unit).get()
    with django_assert_num_queries(1):  # the register of keys
        assert services.verify(signature, unit).state == State.VALID


# --- nightly --------------------------------------------------------------------------------------


@pytest.mark.requirement("PT-030")
def test_the_nightly_run_keeps_its_outcome_and_tells_auditors_what_is_wrong(signed, unit):
    auditor, other = make_user("Lise Auditor"), make_user("Ole Other")
    give(auditor, "audit.auditor", unit)
    give(other, "operations.operator", unit)
    services.check_last_run()  # nothing has run yet: nothing is wrong
    tasks.verify_signatures()
    outcome = SignatureVerification.objects.get()
    assert (outcome.signatures, outcome.faults) == (1, [])
    services.check_last_run()
    assert not Notification.objects.filter(level="alarm").exists()

    with connection.cursor() as cursor:
        cursor.execute("UPDATE organisation_unit SET code = 'moved' WHERE id = %s", [unit.pk])
    tasks.verify_signatures()
    assert len(SignatureVerification.objects.first().faults) == 1
    with pytest.raises(RuntimeError, match=f"signature {signed.pk} .*changed: code"):
        services.check_last_run()
    assert [told.user for told in Notification.objects.filter(level="alarm")] == [auditor]
    entry = audited("signing.verification_failed").get()
    assert entry.service == "signature verification"


def test_a_run_that_did_not_take_place_is_missed():
    SignatureVerification.objects.create(signatures=0, at=timezone.now() - timedelta(days=3))
    with pytest.raises(RuntimeError, match="last verified"):
        services.check_last_run()


def test_more_signatures_than_a_batch_holds_are_all_verified(signer, monkeypatch):
    monkeypatch.setattr("portal.signing.services.verification._BATCH", 2)
    key = services.unlock(signer, PIN)
    for number in range(5):
        unit = make_unit(f"ward-{number}")
        with acting(actor=signer):
            services.sign(actor=signer, signable=UNIT, obj=unit, meaning="m", key=key)
    assert services.verify_all().signatures == 5


def test_a_printed_signature_has_both_times_and_all_that_verifies_it(signed):
    printed = services.printed(signed)
    assert printed["signed_at_utc"].endswith("UTC")
    assert "CE" in printed["signed_at_local"]  # CET or CEST
    assert printed["digest"] == signed.digest
    assert printed["key_id"] == signed.key.key_id


# --- what happens in between ----------------------------------------------------------------------


def test_a_pin_set_in_two_windows_is_set_once(monkeypatch):
    person = make_user("Jens Friis")
    give_pin(person)
    monkeypatch.setattr("portal.signing.services.keys.has_pin", lambda _: False)
    with pytest.raises(Refused) as refused:
        services.set_pin(actor=person, pin=OTHER_PIN)
    assert refused.value.code == "has_signing_key"
    assert services.unlock(person, PIN)


def test_a_pin_changed_in_two_windows_is_changed_by_the_first(signer, monkeypatch):
    changed = crypto.change_pin

    def change_slowly(sealed, old, new, pepper, **options):
        monkeypatch.setattr(crypto, "change_pin", changed)
        services.change_pin(actor=signer, old_pin=PIN, new_pin=OTHER_PIN)
        return changed(sealed, old, new, pepper, **options)

    monkeypatch.setattr(crypto, "change_pin", change_slowly)
    with pytest.raises(Refused) as refused:
        services.change_pin(actor=signer, old_pin=PIN, new_pin="71829304")
    assert refused.value.code == "stale"
    assert services.unlock(signer, OTHER_PIN)


def test_a_right_pin_costs_what_rfc_9106_says_unless_the_settings_say_otherwise(settings):
    settings.PORTAL_ARGON2 = {}
    key = services.set_pin(actor=make_user("Jens Friis"), pin=PIN)
    cost = ("time_cost", "memory_cost_kib", "parallelism")
    assert [key.sealed[name] for name in cost] == [3, 65536, 4]


@pytest.mark.requirement("PT-030")
@pytest.mark.parametrize("payload", ["nonsense", "[]", '{"signable": "tests.unit"}'])
def test_a_signed_text_that_is_none_is_broken(payload, signed):
    with triggers_disabled() as cursor:
        cursor.execute(
            "UPDATE signing_signature SET payload = %s, digest = %s",
            [payload, crypto.digest(payload.encode())],
        )
    assert services.verify(fresh(signed)).state == State.BROKEN


@pytest.mark.parametrize("column", ["proof", "countersignature"])
def test_a_proof_that_is_not_even_readable_is_broken(column, signed):
    with triggers_disabled() as cursor:
        cursor.execute(f"UPDATE signing_signature SET {column} = 'not base64!'")
    verdict = services.verify(fresh(signed))
    assert verdict.state == State.BROKEN
    assert "unreadable" in verdict.detail


def test_an_object_that_cannot_be_named_so_is_gone(signer, unit, monkeypatch):
    for module in ("payloads", "services.signatures"):
        monkeypatch.setattr(
            f"portal.signing.{module}.object_key", lambda _: ("organisation.unit", "no number")
        )
    key = services.unlock(signer, PIN)
    signature = services.sign(actor=signer, signable=UNIT, obj=unit, meaning="m", key=key)
    assert services.verify(signature).detail == "the signed record is gone"


def test_a_record_corrected_while_the_nightly_run_reads_is_no_fault(signed, monkeypatch):
    verified = verification.verify_many
    runs = []

    def stale_at_first(signatures, objects=None):
        runs.append(verified(signatures, objects))
        if len(runs) > 1:
            return runs[-1]
        return [replace(verdict, state=State.CHANGED, wrong=True) for verdict in runs[-1]]

    monkeypatch.setattr(verification, "verify_many", stale_at_first)
    assert services.verify_all().faults == []
    assert len(runs) == 2


def test_a_database_that_fails_is_not_taken_for_a_spoilt_record(signed, monkeypatch):
    def fail(_):
        raise OperationalError

    monkeypatch.setattr("tests.support.signing.unit_facts", fail)
    with pytest.raises(OperationalError):
        services.verify(fresh(signed))
