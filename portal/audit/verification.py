"""Finding what somebody did to the logs behind the portal's back; and anchoring them outside."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from portal import serverkeys
from portal.audit.chain import CHAINS, hash_sql
from portal.audit.models import Verification


@dataclass(frozen=True)
class Fault:
    """One thing wrong: which chain, which link and entry, and what."""

    chain: str
    seq: int | None
    entry_id: int | None
    what: str

    def __str__(self) -> str:
        return f"{self.chain}: entry {self.entry_id} (link {self.seq}): {self.what}"


def verify_chain(chain: str) -> list[Fault]:
    """Recompute every hash of a chain in the database, in one pass; [] when it is sound."""
    _number, table = CHAINS[chain]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH links AS (
              SELECT seq, entry_id, hash,
                     lag(hash) OVER (ORDER BY seq) AS previous,
                     row_number() OVER (ORDER BY seq) AS expected_seq,
                     lag(seq) OVER (ORDER BY seq) AS previous_seq
              FROM audit_chainlink WHERE chain = %s
            ), judged AS (
              SELECT l.seq, l.entry_id, CASE
                WHEN e.id IS NULL THEN 'the entry was removed'
                WHEN l.seq <> coalesce(l.previous_seq, 0) + 1 THEN 'links before it were removed'
                WHEN l.hash <> {hash_sql("l.previous", "e")}
                  THEN 'the entry was changed (or the link before it)'
                END AS what
              FROM links l LEFT JOIN {table} e ON e.id = l.entry_id
            )
            SELECT seq, entry_id, what FROM judged WHERE what IS NOT NULL
            UNION ALL
            SELECT NULL, e.id, 'the entry is not in the chain: inserted with the trigger disabled'
              FROM {table} e
              LEFT JOIN audit_chainlink l ON l.chain = %s AND l.entry_id = e.id
              WHERE l.id IS NULL
            ORDER BY 1, 2
            """,  # noqa: S608 the names come from CHAINS
            [chain, chain],
        )
        faults = [Fault(chain, *row) for row in cursor.fetchall()]
    return [*faults, *_anchor_faults(chain), *_shrinkage(chain)]


def _shrinkage(chain: str) -> Iterator[Fault]:
    """A log never gets shorter: fewer entries than were verified before is a cut tail."""
    most = Verification.objects.filter(chain=chain).aggregate(most=Max("entries"))["most"]
    count = entry_count(chain)
    if most is not None and count < most:
        yield Fault(chain, None, None, f"{most} entries were verified before, {count} are left")


def entry_count(chain: str) -> int:
    _number, table = CHAINS[chain]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
        return cursor.fetchone()[0]


def verify_all() -> list[Fault]:
    """Verify both chains and keep the outcome for the operations page."""
    faults: list[Fault] = []
    for chain in CHAINS:
        found = verify_chain(chain)
        Verification.objects.create(
            chain=chain, entries=entry_count(chain), faults=[str(fault) for fault in found]
        )
        faults += found
    return faults


# --- anchors: signed heads in a file outside the database ---------------------------------------


def write_anchors() -> int:
    """Append the signed head of each chain to the anchor file; returns how many lines."""
    lines = []
    for chain in CHAINS:
        head = _link(chain, "ORDER BY seq DESC LIMIT 1", [])
        if head is None:
            continue
        seq, digest = head
        statement = {"chain": chain, "seq": seq, "hash": digest, "at": timezone.now().isoformat()}
        signature = serverkeys.load_anchor_key().sign(_signed_bytes(statement))
        lines.append({**statement, "signature": base64.b64encode(signature).decode()})
    path = Path(settings.PORTAL_ANCHOR_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line, sort_keys=True) + "\n" for line in lines)
    return len(lines)


def _anchor_faults(chain: str) -> Iterator[Fault]:
    path = Path(settings.PORTAL_ANCHOR_FILE)
    if not path.exists():
        return
    public = serverkeys.load_anchor_key().public_key()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            anchor = json.loads(line)
            signature = base64.b64decode(anchor.pop("signature"))
            public.verify(signature, _signed_bytes(anchor))
        except (ValueError, KeyError, InvalidSignature):
            yield Fault(chain, None, None, f"anchor line {number} is not genuine")
            continue
        if anchor["chain"] != chain:
            continue
        found = _link(chain, "AND seq = %s", [anchor["seq"]])
        if found is None:
            yield Fault(chain, anchor["seq"], None, f"anchored on {anchor['at']}, now missing")
        elif found[1] != anchor["hash"]:
            yield Fault(chain, anchor["seq"], None, f"rewritten since anchored on {anchor['at']}")


def _link(chain: str, condition: str, values: list[Any]) -> tuple[int, str] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq, encode(hash, 'hex') FROM audit_chainlink"  # noqa: S608
            f" WHERE chain = %s {condition}",
            [chain, *values],
        )
        return cursor.fetchone()


def _signed_bytes(statement: dict[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def check_last_run() -> None:
    """Health check: the newest verification of each chain is sound and not older than two days."""
    for chain in CHAINS:
        last = Verification.objects.filter(chain=chain).first()
        if last is None:
            continue
        if last.faults:
            raise RuntimeError(f"{chain}: {len(last.faults)} faults, first: {last.faults[0]}")
        if last.at < timezone.now() - timedelta(days=2):
            raise RuntimeError(f"{chain}: last verified {last.at:%Y-%m-%d %H:%M}")
