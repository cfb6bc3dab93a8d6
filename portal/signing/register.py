"""Signatures and the audit trail must tell the same story.

A proof says nothing of a signature that was removed, of one that was copied, or of a supersession
that somebody wrote to hide a change. The chained audit trail does: each of these acts is in it.
"""

from __future__ import annotations

from django.db import connection

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
_KEY_UNTOLD = """
    SELECT k.key_id FROM signing_signingkey k
    LEFT JOIN audit_auditentry e ON e.action = 'signing.key_created'
      AND e.data->>'key_id' = k.key_id
    WHERE e.id IS NULL ORDER BY 1
"""
_REVOKED_OTHERWISE = """
    SELECT k.key_id FROM signing_signingkey k
    LEFT JOIN audit_auditentry e ON e.action = 'signing.key_revoked'
      AND e.data->>'key_id' = k.key_id
    WHERE k.revoked_at IS DISTINCT FROM (e.data->>'revoked_at')::timestamptz ORDER BY 1
"""

_QUESTIONS = {
    _NOT_IN_TRAIL: "signature {}: not in the audit trail: inserted behind the portal's back",
    _NOT_IN_TABLE: "signature {}: in the audit trail, but its row was removed or exchanged",
    _SUPERSEDED_UNTOLD: "signature {}: marked superseded, which is not in the audit trail",
    _SUPERSEDED_NO_MORE: "signature {}: superseded by the audit trail, but the mark was removed",
    _KEY_UNTOLD: "signing key {}: not in the audit trail",
    _REVOKED_OTHERWISE: "signing key {}: its revocation is not what the audit trail says",
}


def register_faults() -> list[str]:
    """Each place where the two differ, in a line that names the row."""
    faults = []
    with connection.cursor() as cursor:
        for question, sentence in _QUESTIONS.items():
            cursor.execute(question)
            faults += [sentence.format(row[0]) for row in cursor.fetchall()]
    return faults
