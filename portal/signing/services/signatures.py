"""Signing, and saying that a signature no longer stands for the present state."""

from __future__ import annotations

import base64
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
from portal.signing.payloads import object_key, signed_document
from portal.signing.services.opening import UnlockedKey, server_keys
from portal.signing.statements import counter_signed_of, statement_of

_LONGEST_MEANING = 200


@writes
def sign(*, actor: Any, signable: str, obj: Model, meaning: Any, key: UnlockedKey) -> Signature:
    """Sign the facts of ``obj`` as they stand in the database, in the caller's transaction.

    The caller has decided that ``actor`` may, has locked ``obj`` and has *saved* it: what is signed
    is read from the row, so that it is what verification will read. ``meaning`` is signed as the
    words that the signer sees. ``key`` comes from `unlock`, before the transaction.
    PermissionDenied for another's key. Refused: ``key_revoked``, ``server_key``. NotSignable,
    NotCanonicalError and ValueError (no meaning, or one too long) are faults of the module.
    """
    if key.user_id != actor.pk:
        raise PermissionDenied("another person's signing key")
    meaning = str(meaning)
    if not 0 < len(meaning) <= _LONGEST_MEANING:
        raise ValueError(f"the meaning must have 1 to {_LONGEST_MEANING} characters")
    # Not locked: a revocation at this very moment shows in the verdict, by its time.
    if not SigningKey.objects.filter(pk=key.key_pk, revoked_at__isnull=True).exists():
        raise Refused(_("Your signing key was revoked meanwhile."), code="key_revoked")
    with server_keys():
        server = serverkeys.load_countersign()

    live = type(obj)._base_manager.get(pk=obj.pk)  # noqa: SLF001
    document = crypto.canonical(signed_document(signable, live))
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
        countersign_key_id=server.key_id,
    )
    proof = key.opened.sign(statement_of(signature).canonical())
    signature.proof = base64.b64encode(proof).decode()
    counter = crypto.countersign(server, counter_signed_of(signature).canonical())
    signature.countersignature = base64.b64encode(counter).decode()
    signature.save()
    facts = {
        "signature": signature.pk,
        "signable": signable,
        "digest": signature.digest,
        "meaning": meaning,
        "key_id": signature.key.key_id,
        "countersign_key_id": server.key_id,
    }
    record("signing.signed", live, data=facts)
    log_access(Access.SIGN, live, data={"signature": signature.pk})
    return signature


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
        "signed_at_utc": f"{signature.signed_at:%Y-%m-%d %H:%M:%S} UTC",
        "signed_at_local": f"{date_format(local, 'SHORT_DATE_FORMAT')} {local:%H:%M:%S %Z}",
        "key_id": signature.key.key_id,
        "digest": signature.digest,
        "countersign_key_id": signature.countersign_key_id,
    }
