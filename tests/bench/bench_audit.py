"""What the audit trail's chain costs a commit, and how fast a long trail is verified.

Commits: four writers at once, each transaction what a service does: a row is changed, its history
row and an entry of the trail are written. With the chain on against every trigger disabled, in
turns: on, off, off, on. Each round by itself gives a ratio: what else the machine does hits both of
its sides alike.

Verification: 1,000,000 chained entries, by the function that the command and the nightly run use.
"""

from __future__ import annotations

import os
import resource
import statistics
import threading
import time
from typing import Any

import psycopg
from django.db import connection

from portal.access.models import Role
from portal.audit.chain import TRAIL, hash_sql
from portal.audit.verification import entry_count, verify_chain
from tests.bench.measures import Measure

WRITERS = 4
EACH = 150
ROUNDS = 15
ROWS = 1_000_000
_COLUMNS = (
    "at, actor_id, actor_name, service, action, object_type, object_id, object_repr, patient,"
    " reason, data, request_id, address"
)
_CHANGE = "UPDATE access_role SET version = version + 1, changed_at = now() WHERE id = %s"
_HISTORY = """
    INSERT INTO access_historicalrole (id, version, created_at, changed_at, code, name, module,
      privileges, predefined, history_date, history_type, history_service)
    SELECT id, version, created_at, changed_at, code, name, module, privileges, predefined, now(),
      '~', '' FROM access_role WHERE id = %s"""
_ENTRY = (
    f"INSERT INTO audit_auditentry ({_COLUMNS})"
    " VALUES (now(), 17, 'Signe Holm', '', 'tracershop.order_edited', 'tracershop.order', '1042',"
    " 'Order 1042, FDG, Nordby Hospital', '', 'the patient comes later',"
    """ '{"activity_mbq": [8200, 9000], "comment": ["", "after 10"]}', '5d1f0c2a9b3e',"""
    " '10.2.3.4')"
)


def run() -> dict[str, Any]:
    """Commits a second with and without the chain, their ratio; rows verified a second; memory."""
    return {"measures": [*_commits(), *_verification()]}


# --- commits --------------------------------------------------------------------------------------


def _commits() -> list[Measure]:
    sides = {"on": "origin", "off": "replica"}
    rates: dict[str, list[float]] = {"on": [], "off": []}
    for number in range(ROUNDS + 1):
        for side in list(sides)[:: 1 if number % 2 else -1]:
            rate = _write(sides[side])
            if number:  # the first round warms connections and pages
                rates[side].append(rate)
    ratio = statistics.median(on / off for on, off in zip(rates["on"], rates["off"], strict=True))
    on, off = statistics.median(rates["on"]), statistics.median(rates["off"])
    # what was written past the trigger would be a fault, rightly
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM audit_auditentry")
        cursor.execute("DELETE FROM audit_chainlink")
        cursor.execute("SET session_replication_role = origin")
    return [
        Measure(
            name=f"audited commits, chain on, {WRITERS} writers at once",
            number=on,
            unit="commits/s",
            compared_with=f"triggers disabled: {off:.0f} commits/s",
        ),
        Measure(
            name="the same as a ratio",
            number=ratio,
            unit="",
            target="≥ 0.4",
            compared_with="chain on ÷ off, median of the rounds",
        ),
    ]


def _write(role: str) -> float:
    """Commits a second of all writers together."""
    start = threading.Barrier(WRITERS + 1)
    failed: list[BaseException] = []

    def write(key: int) -> None:
        try:
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as own:
                own.execute(f"SET session_replication_role = {role}")
                start.wait()
                for _number in range(EACH):
                    with own.transaction():
                        own.execute(_CHANGE, [key])
                        own.execute(_HISTORY, [key])
                        own.execute(_ENTRY)
        except BaseException as error:
            failed.append(error)
            start.abort()

    keys = Role.objects.order_by("pk").values_list("pk", flat=True)[:WRITERS]
    threads = [threading.Thread(target=write, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    start.wait()
    began_at = time.perf_counter()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - began_at
    if failed:
        raise failed[0]
    return WRITERS * EACH / took_s


# --- verification ---------------------------------------------------------------------------------


def _verification() -> list[Measure]:
    _fill()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rates = []
    for _number in range(3):
        began_at = time.perf_counter()
        faults = verify_chain(TRAIL)
        rates.append(ROWS / (time.perf_counter() - began_at))
        if faults:
            raise AssertionError(f"the trail does not verify: {faults[0]}")
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    _spoil()
    (fault,) = verify_chain(TRAIL)
    if fault.entry_id is None:
        raise AssertionError("the changed entry was not named")
    rate, bare = statistics.median(rates), _bare_scan()
    return [
        Measure(
            name=f"verification of {ROWS:,} audit entries",
            number=rate,
            unit="entries/s",
            target="≥ 500000",
            compared_with="median of 3; a bare scan that hashes each entry and checks nothing:"
            f" {bare:.0f} entries/s",
        ),
        Measure(
            name="the same as a ratio", number=rate / bare, unit="", compared_with="÷ bare scan"
        ),
        Measure(
            name="memory that the process grew by meanwhile",
            number=grown_mb,
            unit="MB",
            target="≤ 20",
            compared_with="the database works, a part at a time",
        ),
    ]


def _fill() -> None:
    """Entries and links as the trigger makes them; in one loop, for it takes a tenth of the time.

    That the two are the same is shown by the verification itself.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            f"""
            INSERT INTO audit_auditentry ({_COLUMNS})
            SELECT now() - (%(rows)s - n) * interval '1 second', n %% 500, 'Person ' || n %% 500,
              '', 'tracershop.order_edited', 'tracershop.order', n::text,
              'Order ' || n || ', FDG, Nordby Hospital', '', 'the patient comes later',
              jsonb_build_object('activity_mbq', jsonb_build_array(n, n + 1)), md5(n::text),
              '10.2.3.4'
            FROM generate_series(1, %(rows)s) n
            """,
            {"rows": ROWS},
        )
        cursor.execute(
            f"""
            DO $$
            DECLARE e audit_auditentry; link bytea; seq bigint := 0;
            BEGIN
              FOR e IN SELECT * FROM audit_auditentry ORDER BY id LOOP
                seq := seq + 1;
                link := {hash_sql("link", "e")};
                INSERT INTO audit_chainlink (chain, seq, entry_id, hash)
                  VALUES ('trail', seq, e.id, link);
              END LOOP;
            END $$
            """
        )
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE audit_auditentry")
        cursor.execute("VACUUM ANALYZE audit_chainlink")
    if entry_count(TRAIL) != ROWS:
        raise AssertionError(f"{entry_count(TRAIL)} entries are not {ROWS}")


def _bare_scan() -> float:
    """Entries a second, by the one expression that no verification can do without."""
    expression = hash_sql("NULL::bytea", "e")
    with connection.cursor() as cursor:
        began_at = time.perf_counter()
        cursor.execute(f"SELECT count(*) FROM audit_auditentry e WHERE {expression} IS NULL")
        return ROWS / (time.perf_counter() - began_at)


def _spoil() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE audit_auditentry SET reason = 'other' WHERE id ="
            " (SELECT entry_id FROM audit_chainlink WHERE chain = 'trail' AND seq = %s)",
            [ROWS // 2],
        )
        cursor.execute("SET session_replication_role = origin")
