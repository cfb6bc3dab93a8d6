"""What somebody with the database's own powers does to the logs: every trigger is off."""

from __future__ import annotations

from django.db import connection, transaction

from portal.audit.chain import CHAINS, hash_sql
from portal.audit.models import ChainLink


def tamper(*statements: str) -> None:
    """Run SQL past every trigger and foreign key."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)


def rewrite_links_from(chain: str, seq: int) -> None:
    """Recompute every hash from a link on, as a thorough forger does."""
    _number, table = CHAINS[chain]
    last = ChainLink.objects.filter(chain=chain).order_by("-seq").first()
    assert last is not None
    tamper(
        *(
            f"UPDATE audit_chainlink l SET hash = {hash_sql('p.hash', 'e')}"
            f" FROM {table} e, audit_chainlink p WHERE l.chain = '{chain}' AND l.seq = {n}"
            f" AND p.chain = l.chain AND p.seq = l.seq - 1 AND e.id = l.entry_id"
            for n in range(seq, last.seq + 1)
        )
    )


def cut_tail(chain: str, entries: list[int]) -> None:
    """Remove the entries, which are the newest, together with their links."""
    _number, table = CHAINS[chain]
    keys = ", ".join(str(pk) for pk in entries)
    tamper(
        f"DELETE FROM {table} WHERE id IN ({keys})",
        f"DELETE FROM audit_chainlink WHERE chain = '{chain}' AND entry_id IN ({keys})",
    )
