"""Finding what somebody did to the logs behind the portal's back (PT-023).

The database recomputes every hash, a part of a chain at a time: the portal's memory holds a part's
faults and nothing else, however long the logs are. After each part the outcome is kept, so a run
that was cut short goes on where it stood. Every night verifies everything; where the logs are too
long for that, ``PORTAL_AUDIT_WHOLE_EVERY`` lets most nights verify what was added since the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from portal.audit import anchors
from portal.audit.chain import CHAINS, TRAIL, hash_sql
from portal.audit.models import Verification

PART = 250_000
"""Links in one statement: what the database sorts and joins of so many fits its memory."""
MOST_FAULTS = 1_000
_PLANNING = {
    "work_mem": "64MB",
    # A part is small for PostgreSQL's taste, but every row of it costs a hash: both processors.
    "min_parallel_table_scan_size": "0",
    "min_parallel_index_scan_size": "0",
    "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0.001",
}
"""Settings for the statement that verifies a part; measured: 250,000 rows/s instead of 195,000."""
_RESUMED_WITHIN = timedelta(days=2)


@dataclass(frozen=True)
class Fault:
    """One thing wrong: which chain, which link and entry, and what."""

    chain: str
    seq: int | None
    entry_id: int | None
    what: str

    def __str__(self) -> str:
        where = f"entry {self.entry_id} (link {self.seq}): " if self.entry_id else ""
        where = where or (f"link {self.seq}: " if self.seq else "")
        return f"{self.chain}: {where}{self.what}"


def verify_all(*, whole: bool = True) -> list[Fault]:
    """Verify both chains and keep the outcome for the operations page.

    ``whole``: from the first link; else from where the last sound verification ended. Either goes
    on with a run that was cut short within the last two days.
    """
    return [fault for chain in CHAINS for fault in _verify_and_keep(chain, whole=whole)]


def whole_is_due(now: datetime) -> bool:
    """Whether a chain was last verified from its first link on too long ago, or not soundly."""
    if not settings.PORTAL_AUDIT_WHOLE_EVERY:
        return True
    since = now - settings.PORTAL_AUDIT_WHOLE_EVERY
    sound = Verification.objects.filter(partial=False, from_seq=1, faults=[], at__gte=since)
    return any(not sound.filter(chain=chain).exists() for chain in CHAINS)


def verify_chain(chain: str) -> list[Fault]:
    """Verify a whole chain and its anchors; [] when it is sound. At most `MOST_FAULTS` faults."""
    faults = range_faults(chain, 0, _head(chain)[0])
    return [*faults, *_whole_log_faults(chain, suspicious=bool(faults))][:MOST_FAULTS]


def range_faults(chain: str, after: int, until: int) -> list[Fault]:
    """What is wrong with the links above ``after`` up to ``until``; at most `MOST_FAULTS`."""
    faults: list[Fault] = []
    for start in range(after, until, PART):
        faults += part_faults(chain, start, min(start + PART, until))
        if len(faults) >= MOST_FAULTS:
            break
    return faults[:MOST_FAULTS]


def entry_count(chain: str) -> int:
    _number, table = CHAINS[chain]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
        return cursor.fetchone()[0]


# --- a run, part by part --------------------------------------------------------------------------


def _verify_and_keep(chain: str, *, whole: bool) -> list[Fault]:
    begun, after, told = _begin(chain, whole=whole)
    seq, digest = _head(chain)
    found: list[Fault] = []
    while after < seq:
        until = min(after + PART, seq)
        found += part_faults(chain, after, until)[: MOST_FAULTS - len(found)]
        if until < seq:
            _keep(chain, begun, until, _hash_at(chain, until), told, found, partial=True)
        after = until
    found += _whole_log_faults(chain, suspicious=bool(found or told))
    _keep(chain, begun, seq, digest, told, found)
    return [*told, *found]


def _begin(chain: str, *, whole: bool) -> tuple[int, int, list[Fault]]:
    """The first link of the run, the link that is verified already, and what was found up to it."""
    rows = Verification.objects.filter(chain=chain)
    last = rows.first()
    recent = timezone.now() - _RESUMED_WITHIN
    if last and last.partial and last.at >= recent and (last.from_seq == 1 or not whole):
        told = [text.removeprefix(f"{chain}: ") for text in last.faults]
        return last.from_seq, last.to_seq, [Fault(chain, None, None, text) for text in told]
    sound = rows.filter(partial=False).first()
    if whole or sound is None or sound.faults or _hash_at(chain, sound.to_seq) != sound.head_hash:
        return 1, 0, []
    return sound.to_seq + 1, sound.to_seq, []


def _keep(
    chain: str,
    begun: int,
    until: int,
    digest: str,
    told: list[Fault],
    found: list[Fault],
    *,
    partial: bool = False,
) -> None:
    """``told`` are the faults of the run's earlier half, before it was cut short."""
    Verification.objects.create(
        chain=chain,
        from_seq=begun,
        to_seq=until,
        head_hash=digest,
        entries=0 if partial else entry_count(chain),
        faults=[str(fault) for fault in [*told, *found]],
        partial=partial,
    )


# --- what the database is asked -------------------------------------------------------------------


def part_faults(chain: str, after: int, until: int) -> list[Fault]:
    """What is wrong with the links above ``after`` up to ``until``, the worst `MOST_FAULTS`."""
    _number, table = CHAINS[chain]
    values = {"chain": chain, "after": after, "until": until, "most": MOST_FAULTS}
    with transaction.atomic(), connection.cursor() as cursor:
        for setting, value in _PLANNING.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [setting, value])
        cursor.execute(
            "SELECT min(entry_id), max(entry_id) FROM audit_chainlink"
            " WHERE chain = %(chain)s AND seq > %(after)s AND seq <= %(until)s",
            values,
        )
        values["low"], values["high"] = cursor.fetchone()
        # The bounds of the entries are said too: with them the planner reads a part, not the table.
        # OFFSET 0 has it plan for all rows of the part: for the few of LIMIT it would look each
        # entry up by itself, on one processor.
        cursor.execute(
            f"""
            SELECT * FROM (
              SELECT l.seq, l.entry_id, CASE
                  WHEN e.id IS NULL THEN 'the entry was removed'
                  WHEN p.seq IS NULL AND l.seq > 1 THEN 'links before it were removed'
                  ELSE 'the entry was changed (or the link before it)'
                END
              FROM (SELECT seq, entry_id, hash FROM audit_chainlink
                    WHERE chain = %(chain)s AND seq > %(after)s AND seq <= %(until)s) l
              LEFT JOIN (SELECT seq, hash FROM audit_chainlink
                         WHERE chain = %(chain)s AND seq >= %(after)s AND seq < %(until)s) p
                ON p.seq = l.seq - 1
              LEFT JOIN (SELECT * FROM {table} WHERE id BETWEEN %(low)s AND %(high)s) e
                ON e.id = l.entry_id
              WHERE e.id IS NULL OR (p.seq IS NULL AND l.seq > 1)
                OR l.hash <> {hash_sql("p.hash", "e")}
              OFFSET 0
            ) wrong ORDER BY 1 LIMIT %(most)s
            """,  # noqa: S608 the names come from CHAINS
            values,
        )
        return [Fault(chain, *row) for row in cursor.fetchall()]


def _whole_log_faults(chain: str, *, suspicious: bool) -> list[Fault]:
    """What no single part shows: entries without a link, and a log that is not what it was."""
    return [
        *_unlinked(chain, suspicious=suspicious),
        *_checkpoint_faults(chain),
        *(Fault(chain, seq, None, what) for seq, what in anchors.head_faults(chain)),
        *(Fault(chain, None, None, what) for what in _file_faults(chain)),
    ]


def _file_faults(chain: str) -> list[str]:
    """The files hold both chains' heads; their own faults are told once, with the trail's."""
    return anchors.file_faults() if chain == TRAIL else []


def _unlinked(chain: str, *, suspicious: bool) -> list[Fault]:
    """Entries that were inserted with the trigger disabled.

    A link names an entry once, and every link has its entry: with as many entries as links there is
    no other one. Only where that does not hold each entry is looked for.
    """
    _number, table = CHAINS[chain]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT count(*) FROM {table}) ="  # noqa: S608
            " (SELECT count(*) FROM audit_chainlink WHERE chain = %s)",
            [chain],
        )
        if cursor.fetchone()[0] and not suspicious:
            return []
        cursor.execute(
            f"SELECT e.id FROM {table} e"  # noqa: S608
            " LEFT JOIN audit_chainlink l ON l.chain = %s AND l.entry_id = e.id"
            " WHERE l.id IS NULL ORDER BY e.id LIMIT %s",
            [chain, MOST_FAULTS],
        )
        what = "the entry is not in the chain: inserted with the trigger disabled"
        return [Fault(chain, None, pk, what) for (pk,) in cursor.fetchall()]


def _checkpoint_faults(chain: str) -> list[Fault]:
    """A log never gets shorter nor other than it was when it was verified before."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.to_seq, l.seq IS NULL, min(v.at)
            FROM audit_verification v
            LEFT JOIN audit_chainlink l ON l.chain = v.chain AND l.seq = v.to_seq
            WHERE v.chain = %s AND v.head_hash <> ''
              AND encode(l.hash, 'hex') IS DISTINCT FROM v.head_hash
            GROUP BY 1, 2 ORDER BY 1 LIMIT 1
            """,
            [chain],
        )
        return [
            Fault(chain, seq, None, f"{'missing' if gone else 'rewritten'} since verified on {at}")
            for seq, gone, at in cursor.fetchall()
        ]


def _head(chain: str) -> tuple[int, str]:
    """The newest link; (0, '') for an empty chain."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq, encode(hash, 'hex') FROM audit_chainlink WHERE chain = %s"
            " ORDER BY seq DESC LIMIT 1",
            [chain],
        )
        return cursor.fetchone() or (0, "")


def _hash_at(chain: str, seq: int) -> str:
    """The hash of a link; of one that is not there, and before the first one, ''."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT encode(hash, 'hex') FROM audit_chainlink WHERE chain = %s AND seq = %s",
            [chain, seq],
        )
        row = cursor.fetchone()
        return row[0] if row else ""


def check_last_run() -> None:
    """Health check: the newest verification of each chain is sound and not older than two days."""
    for chain in CHAINS:
        last = Verification.objects.filter(chain=chain, partial=False).first()
        if last is None:
            continue
        if last.faults:
            raise RuntimeError(f"{chain}: {len(last.faults)} faults, first: {last.faults[0]}")
        if last.at < timezone.now() - timedelta(days=2):
            raise RuntimeError(f"{chain}: last verified {last.at:%Y-%m-%d %H:%M}")
