"""The stand-in of a laboratory: results by patient number, read only.

``GET /results/<number>`` over HTTP, and the same as tables of a database with a role that may only
read. Stale, it does not know the newest sample yet.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from portal.connectors.stand_ins.example_data import results
from portal.connectors.stand_ins.server import Answer, Asked

READER = "laboratory_reader"
QUERY = (
    "SELECT taken_at, sample, code, name, value, unit FROM results"
    " WHERE number = :key ORDER BY place"
)
"""What a connector asks the database for: the same objects as over HTTP."""

_TABLES = """
    CREATE TABLE IF NOT EXISTS results (
        number text NOT NULL, place integer NOT NULL, taken_at timestamptz NOT NULL,
        sample text NOT NULL, code text NOT NULL, name text NOT NULL, value text NOT NULL,
        unit text NOT NULL,
        PRIMARY KEY (number, place)
    )
"""


class Laboratory:
    """What it holds."""

    def __init__(self) -> None:
        self.results = results()

    def __call__(self, asked: Asked) -> Answer:
        match asked.method, asked.parts:
            case "GET", ["health"]:
                return Answer(200, {"works": True})
            case "GET", ["results", number] if number in self.results:
                found = self.results[number]
                if asked.stale:
                    newest = found[0]["taken_at"]
                    found = [row for row in found if row["taken_at"] != newest]
                return Answer(200, found)
            case "GET", _:
                return Answer(404, {"error": "there is nothing here"})
            case _:
                return Answer(405, {"error": "this is for reading"})


def fill_database(url: str, password: str) -> None:
    """Make its tables in the database at ``url`` and a role that may read them, unless there."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLES)
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [READER])
        act = "ALTER" if known.fetchone() else "CREATE"
        connection.execute(
            sql.SQL(act + " ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(READER), sql.Literal(password)
            )
        )
        connection.execute(sql.SQL("GRANT SELECT ON results TO {}").format(sql.Identifier(READER)))
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO results VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                [
                    (number, place, *(row[name] for name in _COLUMNS))
                    for number, rows in results().items()
                    for place, row in enumerate(rows)
                ],
            )


_COLUMNS = ("taken_at", "sample", "code", "name", "value", "unit")
