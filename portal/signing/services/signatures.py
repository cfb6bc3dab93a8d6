"""Signing, and saying that a signature no longer stands for the present state."""

from __future__ import annotations

import base64
import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal import serverkeys
from portal.audit.services import Access, log_access, record
from portal.records.errors import Refused
from portal.records.services import writes
from portal.signing import crypto
from portal.signing.models import Signature, SigningKey, Supersession
from portal.signing.payloads import left_out_of, object_key, signed_document
from portal.signing.register import registered_keys
from portal.signing.services.asking import PasskeyProof, Rehearsal
from portal.signing.services.opening import UnlockedKey, in_own_role, server_keys
from portal.signing.statements import counter_signed_of

logger = logging.getLogger(__name__)

Signer = UnlockedKey | PasskeyProof | Rehearsal
"""What a service is handed to sign with; it passes it on to `sign`."""

_LONGEST_MEANING = 200


@writes
def sign(*, actor: Any, signable: str, obj: Model, meaning: Any, key: Signer) -> Signature:
    """Sign the facts of ``obj`` as they stand in the database, in the caller's transaction.

    The caller has decided that ``actor`` may, has locked ``obj`` and has *saved* it: what is signed
    is read from the row, so that it is what verification will read. ``meaning`` is signed as the
    words that the signer sees. ``key`` comes from `unlock` or `accept_passkey`, before the
    transaction; with a `Rehearsal` nothing is signed, but noted what would be.
    PermissionDenied for another's key. Refused: ``key_revoked``, ``key_unknown``, ``server_key``,
    ``acting_as``, ``changed_meanwhile`` (not what the passkey signed). NotSignable,
    NotCanonicalError and ValueError (no meaning, or one too long) are faults of the module.
    """
    if key.user_id != actor.pk:
        raise PermissionDenied("another person's signing key")
    in_own_role()
    meaning = str(meaning)
    if not 0 < len(meaning) <= _LONGEST_MEANING:
        raise ValueError(f"the meaning must have 1 to {_LONGEST_MEANING} characters")
    _refuse_key_out_of_use(key.key_pk)
    with server_keys():
        server = serverkeys.load_countersign()

    live = type(obj)._base_manager.get(pk=obj.pk)  # noqa: SLF001
    facts = signed_document(signable, live)
    document = crypto.canonical(facts)
    kind, object_id = object_key(live)
    signature = Signature(
        signable=signable,
        object_type=kind,
        object_id=object_id,
        signer=actor,
        printed_name=str(actor),
        meaning=meaning,
        signed_at=timezone.now(),
        payload=document.decode(),
        digest=crypto.digest(document),
        key=SigningKey.objects.get(pk=key.key_pk),
        method=key.method,
        countersign_key_id=server.key_id,
    )
    if isinstance(key, Rehearsal):
        key.note(facts, meaning, left_out_of(signable))
        signature.save()  # for whoever refers to it; gone when the rehearsal ends
        return signature
    signature.proof = base64.b64encode(key.prove(signature)).decode()
    counter = crypto.countersign(server, counter_signed_of(signature).canonical())
    signature.countersignature = base64.b64encode(counter).decode()
    signature.save()
    told = {
        "signature": signature.pk,
        "signable": signable,
        "digest": signature.digest,
        "meaning": meaning,
        "method": str(key.method),
        "key_id": signature.key.key_id,
        "countersign_key_id": server.key_id,
    }
    record("signing.signed", live, data=told)
    log_access(Access.SIGN, live, data={"signature": signature.pk})
    return signature


def _refuse_key_out_of_use(key_pk: int) -> None:
    """Not locked: a revocation at this very moment shows in the verdict, by its time."""
    registered = registered_keys([key_pk]).get(key_pk)
    if registered is None or registered.fault:
        logger.error("signing key %s: %s", key_pk, registered.fault if registered else "gone")
        raise Refused(
            _("Your signing key is not the one that was registered. Call support."),
            code="key_unknown",
        )
    if registered.revoked_at is not None:
        raise Refused(_("Your signing key was revoked meanwhile."), code="key_revoked")


def supersede(signature: Signature, reason: str) -> Supersession:
    """The signed record was corrected: its signature stays, and says that it no longer stands.

    Called by the correcting service, in its transaction. Once is enough: a second call gives the
    first's answer.
    """
    if not reason.strip():
        raise Refused(_("Say why the signature no longer stands."), code="reason_needed")
    with transaction.atomic():
        supersession, created = Supersession.objects.get_or_create(
            signature=signature, defaults={"reason": reason}
        )
        if created:
            data = {"signature": signature.pk}
            record("signing.superseded", signature, data=data, reason=reason)
    return supersession


def signatures_of(obj: Model) -> QuerySet[Signature]:
    """Every signature ever made on ``obj``, newest first; the caller decides who may see them."""
    kind, key = object_key(obj)
    return Signature.objects.filter(object_type=kind, object_id=key).select_related(
        "key", "signer", "supersession"
    )


def printed(signature: Signature) -> dict[str, str]:
    """``data.signature`` of a document (``signature-block`` of house.typ)."""
    local = timezone.localtime(signature.signed_at)
    return {
        "printed_name": signature.printed_name,
        "meaning": signature.meaning,
        "method": str(signature.key.get_method_display()),
        "signed_at_utc": f"{signature.signed_at:%Y-%m-%d %H:%M:%S} UTC",
        "signed_at_local": f"{date_format(local, 'SHORT_DATE_FORMAT')} {local:%H:%M:%S %Z}",
        "key_id": signature.key.key_id,
        "digest": signature.digest,
        "countersign_key_id": signature.countersign_key_id,
    }
