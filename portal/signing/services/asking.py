"""Signing with a passkey: first what is to be signed is worked out, then the person's device signs.

The act is *rehearsed*: the module's service runs as it would, in a transaction that is rolled back,
and `sign` notes what it would sign. Of that the challenge is made (`intents.Intent`). The device's
answer is checked before the act (`accept_passkey`, as `unlock` for a PIN), and in the act `sign`
refuses whatever is not, fact by fact, what was rehearsed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import serverkeys
from portal.audit.services import Access, log_access, record
from portal.notifications.models import Notification
from portal.notifications.services import notify
from portal.records.context import acting
from portal.records.errors import Refused
from portal.signing import crypto, intents, passkeys
from portal.signing.models import Signature, SigningKey
from portal.signing.services import challenges
from portal.signing.services.challenges import Purpose
from portal.signing.services.opening import in_own_role, key_facts, server_keys, the_person
from portal.signing.statements import signed_document_of

_NONCE_BYTES = 32


@dataclass
class Rehearsal:
    """Stands for a key while the act is rehearsed: `sign` notes what it would sign."""

    method: ClassVar[crypto.ProofMethod] = crypto.ProofMethod.PASSKEY

    user_id: int
    key_pk: int
    noted: list[intents.Seen] = field(default_factory=list)
    over: bool = False

    def note(self, document: Mapping[str, Any], meaning: str, left_out: Sequence[str]) -> None:
        """RuntimeError once it is over: what is noted must be rolled back."""
        if self.over:
            raise RuntimeError("a rehearsal signs nothing")
        self.noted.append(intents.seen(document, meaning, left_out))


@dataclass(frozen=True)
class PasskeyProof:
    """A passkey's answer, checked: for the one act that was rehearsed, in memory only."""

    method: ClassVar[crypto.ProofMethod] = crypto.ProofMethod.PASSKEY

    user_id: int
    key_pk: int
    intent: intents.Intent
    assertion: passkeys.Assertion

    def prove(self, signature: Signature) -> bytes:
        """The proof, for a signature that was asked for. Refused: ``changed_meanwhile``."""
        document = signed_document_of(signature)
        if not intents.covers(
            self.intent,
            str(signature.signer_id),
            signature.printed_name,
            signature.meaning,
            document,
        ):
            raise Refused(
                _("What is to be signed has changed since you were asked. Look again, and sign."),
                code="changed_meanwhile",
            )
        return passkeys.proof_bytes(self.intent, self.assertion)


def passkeys_of(person: Any, rp_id: str | None = None) -> list[SigningKey]:
    """The passkeys that the person can sign with, at one host name or at any; newest first."""
    keys = SigningKey.objects.filter(user=person, suspected_at__isnull=True).passkeys().in_use()
    if rp_id is not None:
        keys = keys.filter(rp_id=rp_id)
    return list(keys.order_by("-pk"))


def ask_passkey(
    *,
    actor: Any,
    act: Callable[[Rehearsal], object],
    party: passkeys.RelyingParty,
    session: str,
) -> dict[str, Any]:
    """Rehearse ``act`` and give the options with which the browser asks the person's device.

    ``act`` is the module's service, called with what stands for a key; nothing of it remains.
    Refused: what the act refuses, ``no_passkey``, ``nothing_to_sign``, ``server_key``,
    ``acting_as``. RuntimeError within a transaction.
    """
    person = the_person(actor)
    in_own_role()
    keys = passkeys_of(person, party.rp_id)
    if not keys:
        raise Refused(_("You have no passkey for this address."), code="no_passkey")
    with server_keys():
        serverkeys.load_countersign()  # better missed now than after the device was asked
    documents = _rehearse(act, Rehearsal(person.pk, keys[0].pk))
    if not documents:
        raise Refused(_("There is nothing to sign."), code="nothing_to_sign")
    intent = intents.Intent(
        nonce=secrets.token_hex(_NONCE_BYTES),
        asked_at=timezone.now(),
        signer_id=str(person.pk),
        printed_name=str(person),
        rp_id=party.rp_id,
        origin=party.origin,
        documents=tuple(documents),
    )
    challenges.keep(
        Purpose.SIGN,
        person=person,
        session=session,
        challenge=intent.challenge(),
        what=intent.as_json(),
    )
    return passkeys.request_options(intent, known(keys))


def _rehearse(act: Callable[[Rehearsal], object], rehearsal: Rehearsal) -> list[intents.Seen]:
    try:
        with transaction.atomic(durable=True):
            act(rehearsal)
            transaction.set_rollback(True)
    finally:
        rehearsal.over = True
    return rehearsal.noted


def known(keys: Sequence[SigningKey]) -> list[tuple[str, Sequence[str]]]:
    """Credentials as `passkeys` takes them."""
    return [(key.credential_id or "", key.transports) for key in keys]


def accept_passkey(
    actor: Any, answer: str, *, party: passkeys.RelyingParty, session: str
) -> PasskeyProof:
    """Check the device's answer, before the transaction in which the person signs.

    Each challenge is good once, for the person and session that it was made for, for
    `challenges.LASTS`. Refused: ``challenge_gone``, ``passkey_refused`` (not a key of theirs, not
    what was asked, user not verified), ``passkey_suspected`` (its count went back: it signs no
    more), ``server_key``, ``acting_as``. RuntimeError within a transaction: its rollback would
    forget the count.
    """
    person = the_person(actor)
    in_own_role()
    with server_keys():
        serverkeys.load_countersign()
    try:
        assertion = passkeys.Assertion.read(answer)
        challenge = assertion.challenge()
    except passkeys.PasskeyRefused as error:
        raise _refused(person, str(error)) from error
    kept = challenges.take(Purpose.SIGN, person=person, session=session, challenge=challenge)
    intent = intents.Intent.from_json(kept)
    if intent.origin != party.origin:
        raise _refused(person, f"asked at {intent.origin}, answered at {party.origin}")
    with transaction.atomic(durable=True), acting(actor=person):
        key = (
            SigningKey.objects.select_for_update(no_key=True, of=("self",))
            .filter(user=person, credential_id=assertion.credential_id, rp_id=intent.rp_id)
            .passkeys()
            .in_use()
            .first()
        )
        outcome = _settle(person, key, intent, assertion)
    if isinstance(outcome, Refused):
        raise outcome
    return PasskeyProof(person.pk, outcome.pk, intent, assertion)


def _settle(
    person: Any, key: SigningKey | None, intent: intents.Intent, assertion: passkeys.Assertion
) -> SigningKey | Refused:
    """Count the use of the key, or note why it is refused: that is raised after the commit."""
    if key is None:
        return _not_taken(None, "not a passkey in use of this person at this address")
    if key.suspected_at is not None:
        return _signs_no_more()
    try:
        cose = passkeys.cose_bytes(key.cose)
        count = passkeys.check_assertion(assertion, intent=intent, cose=cose)
    except (passkeys.PasskeyRefused, ValueError) as error:
        return _not_taken(key, str(error))
    if passkeys.went_back(key.sign_count, count):
        _suspect(person, key, count)
        return _signs_no_more()
    key.sign_count, key.last_used_at = count, timezone.now()
    # simple-history gives every model this
    key.save_without_historical_record(  # type: ignore[attr-defined]
        update_fields={"sign_count", "last_used_at"}
    )
    return key


def _suspect(person: Any, key: SigningKey, count: int) -> None:
    told = {"why": "its counter went back", "last": key.sign_count, "now": count}
    key.suspected_at = timezone.now()
    key.save(update_fields={"suspected_at"})
    log_access(Access.REFUSED, key, data={"what": "passkey", **told})
    record("signing.key_locked", key, data={**key_facts(key), **told})
    notify(
        person,
        _("Your passkey “%(name)s” may have been copied and signs no more. Revoke it.")
        % {"name": key.name},
        url=reverse("signing:own"),
        level=Notification.Level.ALARM,
    )


def _signs_no_more() -> Refused:
    return Refused(
        _(
            "This passkey signs no more: its counter went back, so somebody may have copied it."
            " Revoke it under “My signing” and register another."
        ),
        code="passkey_suspected",
    )


def _refused(person: Any, why: str) -> Refused:
    with transaction.atomic(durable=True), acting(actor=person):
        return _not_taken(None, why)


def _not_taken(key: SigningKey | None, why: str) -> Refused:
    log_access(Access.REFUSED, key, data={"what": "passkey", "why": why})
    return Refused(
        _("The passkey was not accepted: it is not one of yours, or did not check who you are."),
        code="passkey_refused",
    )
