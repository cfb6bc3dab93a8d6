"""The hash chain under audit trail and access log, kept by the database itself.

An entry is chained by a *deferred* trigger, that is, when its transaction commits: no Python path,
not even raw SQL, can leave the chain out, and the lock that orders the chain is held for the
commit alone. (A trigger at INSERT would hold it for the rest of the transaction and dead-lock two
services that audit one record and then lock another; ADR 0003.)

link hash = SHA-256(hash of the link before ‖ content), content = JSON array of the columns.
"""

from __future__ import annotations

import pgtrigger

LOCK_CLASS = 7301
LOCK_OF_BOTH = 0
"""One lock for both chains: with one each, a transaction that wrote trail and access log would
dead-lock with one that wrote them the other way round."""

TRAIL = "trail"
ACCESS = "access"
CHAINS = {TRAIL: (1, "audit_auditentry"), ACCESS: (2, "audit_accessentry")}

COLUMNS = (
    "actor_id", "actor_name", "service", "action", "object_type", "object_id", "object_repr",
    "patient", "reason", "data", "request_id", "address",
)  # fmt: skip


def content_sql(row: str) -> str:
    """SQL for the text that is hashed; ``at`` as microseconds, so that no time zone touches it.

    ``acting_as`` came later: it is hashed where there is one, so older entries stay as they were.
    """
    columns = ", ".join(
        [f"{row}.id", f"(extract(epoch from {row}.at) * 1000000)::bigint"]
        + [f"{row}.{name}" for name in COLUMNS]
    )
    return (
        f"CASE WHEN {row}.acting_as = '' THEN jsonb_build_array({columns})::text"
        f" ELSE jsonb_build_array({columns}, {row}.acting_as)::text END"
    )


def hash_sql(previous: str, row: str) -> str:
    return f"sha256(coalesce({previous}, ''::bytea) || convert_to({content_sql(row)}, 'UTF8'))"


def chained(chain: str) -> pgtrigger.Trigger:
    """The trigger that links an entry when its transaction commits."""
    return pgtrigger.Trigger(
        name=f"chain_{chain}",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        timing=pgtrigger.Deferred,
        declare=[("head_seq", "bigint"), ("head_hash", "bytea")],
        func=f"""
            PERFORM pg_advisory_xact_lock({LOCK_CLASS}, {LOCK_OF_BOTH});
            SELECT seq, hash INTO head_seq, head_hash FROM audit_chainlink
              WHERE chain = '{chain}' ORDER BY seq DESC LIMIT 1;
            INSERT INTO audit_chainlink (chain, seq, entry_id, hash)
              VALUES ('{chain}', coalesce(head_seq, 0) + 1, NEW.id, {hash_sql("head_hash", "NEW")});
            RETURN NULL;
        """,  # noqa: S608 the names come from CHAINS
    )
