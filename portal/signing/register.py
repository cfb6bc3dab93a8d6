"""Signatures and the audit trail must tell the same story.

A proof says nothing of a signature that was removed, of one that was copied, or of a supersession
that somebody wrote to hide a change. The chained audit trail does: each of these acts is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from django.db import connection
from webauthn.helpers.exceptions import WebAuthnException

from portal.signing.passkeys import cose_bytes, public_key

KEY_CREATED = "signing.key_created"
KEY_REVOKED = "signing.key_revoked"

# One statement each, so that both sides are seen at the same moment. The first column names the
# signature or key; numbers are compared as text, for what stands in `data` may be anything.
_NOT_IN_TRAIL = """
    SELECT s.id FROM signing_signature s
    LEFT JOIN audit_auditentry e ON e.action = 'signing.signed'
      AND e.data->>'signature' = s.id::text AND e.data->>'digest' = s.digest
    WHERE e.id IS NULL ORDER BY 1
"""
_NOT_IN_TABLE = """
    SELECT e.data->>'signature' FROM audit_auditentry e
    LEFT JOIN signing_signature s
      ON e.data->>'signature' = s.id::text AND e.data->>'digest' = s.digest
    WHERE e.action = 'signing.signed' AND s.id IS NULL ORDER BY e.id
"""
_SUPERSEDED_UNTOLD = """
    SELECT p.signature_id FROM signing_supersession p
    LEFT JOIN audit_auditentry e ON e.action = 'signing.superseded'
      AND e.data->>'signature' = p.signature_id::text
    WHERE e.id IS NULL ORDER BY 1
"""
_SUPERSEDED_NO_MORE = """
    SELECT e.data->>'signature' FROM audit_auditentry e
    LEFT JOIN signing_supersession p ON e.data->>'signature' = p.signature_id::text
    WHERE e.action = 'signing.superseded' AND p.id IS NULL ORDER BY e.id
"""
_KEY_GONE = """
    SELECT DISTINCT e.data->>'key_id' FROM audit_auditentry e
    LEFT JOIN signing_signingkey k ON k.key_id = e.data->>'key_id'
    WHERE e.action = 'signing.key_created' AND k.id IS NULL ORDER BY 1
"""
# The first entry of a kind counts: a second one, written by hand, changes nothing.
_KEYS = """
    SELECT k.id, k.key_id, k.public_pem, k.cose, k.user_id, k.revoked_at,
      c.data->>'key_id', c.data->>'public_key_sha256',
      coalesce(c.data->>'user', c.actor_id::text), r.data->>'revoked_at'
    FROM signing_signingkey k
    LEFT JOIN LATERAL (SELECT data, actor_id FROM audit_auditentry
      WHERE object_type = 'signing.signingkey' AND object_id = k.id::text AND action = %s
      ORDER BY id LIMIT 1) c ON true
    LEFT JOIN LATERAL (SELECT data FROM audit_auditentry
      WHERE object_type = 'signing.signingkey' AND object_id = k.id::text AND action = %s
      ORDER BY id LIMIT 1) r ON true
    WHERE %s OR k.id = ANY(%s)
    ORDER BY k.id
"""

_QUESTIONS = {
    _NOT_IN_TRAIL: "signature {}: not in the audit trail: inserted behind the portal's back",
    _NOT_IN_TABLE: "signature {}: in the audit trail, but its row was removed or exchanged",
    _SUPERSEDED_UNTOLD: "signature {}: marked superseded, which is not in the audit trail",
    _SUPERSEDED_NO_MORE: "signature {}: superseded by the audit trail, but the mark was removed",
    _KEY_GONE: "signing key {}: in the audit trail, but its row was removed or exchanged",
}


@dataclass(frozen=True)
class RegisteredKey:
    """A signing key as table and audit trail together have it."""

    key_id: str
    fault: str
    """Why the key in the table is not the one that was registered, in English; "" if it is."""
    revoked_at: datetime | None
    """Since when it is revoked, by the table or by the trail: nobody undoes a revocation."""
    revocation_differs: bool


def registered_keys(keys: Collection[int] | None = None) -> dict[int, RegisteredKey]:
    """These keys (by primary key), or all, as the audit trail knows them; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_KEYS, [KEY_CREATED, KEY_REVOKED, keys is None, list(keys or ())])
        return {row[0]: _registered(*row[1:]) for row in cursor.fetchall()}


def register_faults() -> list[str]:
    """Each place where the two differ, in a line that names the row."""
    faults = []
    with connection.cursor() as cursor:
        for question, sentence in _QUESTIONS.items():
            cursor.execute(question)
            faults += [sentence.format(row[0]) for row in cursor.fetchall()]
    for key in registered_keys().values():
        if key.fault:
            faults.append(f"signing key {key.key_id}: {key.fault}")
        if key.revocation_differs:
            faults.append(
                f"signing key {key.key_id}: its revocation is not what the audit trail says"
            )
    return faults


def fingerprint(public: PublicKeyTypes) -> str:
    """SHA-256 of the public key (SubjectPublicKeyInfo), hexadecimal."""
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def fingerprint_of_pem(public_pem: str) -> str:
    """SHA-256 of the public key in PEM; "" where that is none."""
    try:
        return fingerprint(load_pem_public_key(public_pem.encode()))
    except (ValueError, UnsupportedAlgorithm):
        return ""


def _registered(
    key_id: str,
    public_pem: str,
    cose: str,
    user_id: int,
    revoked_at: datetime | None,
    told_id: str | None,
    told_fingerprint: str | None,
    told_user: str | None,
    told_revoked_at: str | None,
) -> RegisteredKey:
    told_at = _moment(told_revoked_at)
    times = [each for each in (revoked_at, told_at) if each is not None]
    fault = ""
    if told_id != key_id:
        fault = "not in the audit trail"
    elif told_user != str(user_id):
        fault = "another person's by the audit trail"
    elif told_fingerprint != fingerprint_of_pem(public_pem) or not (
        cose == "" or told_fingerprint == _fingerprint_of_cose(cose)
    ):
        fault = "its public key is not the one in the audit trail"
    return RegisteredKey(key_id, fault, min(times, default=None), revoked_at != told_at)


def _fingerprint_of_cose(text: str) -> str:
    try:
        return fingerprint(public_key(cose_bytes(text)))
    except (ValueError, WebAuthnException):
        return ""


def _moment(text: str | None) -> datetime | None:
    """A time as the trail has it; one that nobody can read is before all others."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
