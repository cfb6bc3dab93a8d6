"""From a signature's row to what its keys have signed: the same for signing and for verifying.

A PIN's key signs the statement. A passkey signs what its owner saw before the act (`intents`), and
the server's counter-signature binds that to the statement.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from webauthn.helpers.exceptions import WebAuthnException

from portal import serverkeys
from portal.signing import crypto, passkeys
from portal.signing.models import Signature


def statement_of(signature: Signature) -> crypto.Statement:
    """What the signer's key signs."""
    return crypto.Statement(
        document_digest=signature.digest,
        signer_id=str(signature.signer_id),
        printed_name=signature.printed_name,
        meaning=signature.meaning,
        signed_at=signature.signed_at.astimezone(dt.UTC),
        key_id=signature.key.key_id,
    )


def counter_signed_of(signature: Signature) -> crypto.CounterSigned:
    """What the server's key signs: the statement and its proof. ValueError for a bad proof."""
    return crypto.CounterSigned(
        statement=statement_of(signature),
        method=crypto.ProofMethod(signature.method),
        proof=_bytes(signature.proof),
        countersign_key_id=signature.countersign_key_id,
    )


def proof_fault(signature: Signature) -> str:
    """What of the row is not as it was signed, in English for log and auditor; "" if nothing."""
    if crypto.digest(signature.payload.encode()) != signature.digest:
        return "the signed text or its digest was changed"
    if not _names_the_same(signature):
        return "it was moved to another object"
    key = getattr(signature, "key", None)
    if key is None:
        return "its signing key was removed"
    if (key.user_id, key.method) != (signature.signer_id, signature.method):
        return "its key is another person's, or of another method"
    try:
        return _key_fault(signature) or _counter_fault(signature)
    except serverkeys.ServerKeyError as error:
        return f"its counter-signature cannot be checked: {error}"
    except (ValueError, WebAuthnException) as error:
        return f"a part of it is unreadable: {error}"


def _key_fault(signature: Signature) -> str:
    """Of the signer's key and the proof made with it."""
    key = signature.key
    if serverkeys.key_id(load_pem_public_key(key.public_pem.encode())) != key.key_id:
        return "the signer's public key was exchanged"
    return _PROOF_FAULTS[crypto.ProofMethod(signature.method)](signature)


def _counter_fault(signature: Signature) -> str:
    counter_signed = counter_signed_of(signature).canonical()
    server = serverkeys.load_countersign_public(signature.countersign_key_id)
    if crypto.verify_countersign(server, counter_signed, _bytes(signature.countersignature)):
        return ""
    return "the server's counter-signature does not fit what stands in the row"


def _pin_fault(signature: Signature) -> str:
    statement = statement_of(signature).canonical()
    if crypto.verify_user(signature.key.public_pem, statement, _bytes(signature.proof)):
        return ""
    return "the signer's proof does not fit what stands in the row"


def _passkey_fault(signature: Signature) -> str:
    key = signature.key
    cose = passkeys.cose_bytes(key.cose)
    if serverkeys.key_id(passkeys.public_key(cose)) != key.key_id:
        return "the signer's public key was exchanged"
    return passkeys.proof_fault(
        _bytes(signature.proof),
        cose=cose,
        credential_id=key.credential_id or "",
        rp_id=key.rp_id,
        signer_id=str(signature.signer_id),
        printed_name=signature.printed_name,
        meaning=signature.meaning,
        document=signed_document_of(signature),
    )


_PROOF_FAULTS = {
    crypto.ProofMethod.PIN: _pin_fault,
    crypto.ProofMethod.PASSKEY: _passkey_fault,
}


def signed_document_of(signature: Signature) -> dict[str, Any]:
    """The document as it was signed. ValueError where the payload is no JSON."""
    return json.loads(signature.payload)


def signed_facts(signature: Signature) -> dict[str, Any]:
    """The facts as they were signed; for a signature without `proof_fault`."""
    return signed_document_of(signature)["facts"]


def _names_the_same(signature: Signature) -> bool:
    try:
        document = json.loads(signature.payload)
        named = (document["signable"], document["object"]["type"], document["object"]["id"])
    except (ValueError, KeyError, TypeError):
        return False
    return named == (signature.signable, signature.object_type, signature.object_id)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
