"""The SQL kind against a real PostgreSQL: bound values, read-only, time-outs."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_django import Settings

from portal.connectors.breaker import condition
from portal.connectors.configuration import system_of
from portal.connectors.problems import Code
from portal.connectors.services import read, write
from portal.connectors.services.writing import deliver_waiting
from portal.connectors.stand_ins.laboratory import QUERY, READER, fill_database
from portal.demo.embedded import create_database, with_database
from tests.support.services import Services, drop_database

pytestmark = pytest.mark.django_db

FORMS = """
    CREATE TABLE forms (
        key text PRIMARY KEY, payload jsonb NOT NULL, ery numeric, taken_by text UNIQUE NOT NULL
    );
    GRANT SELECT, INSERT, UPDATE ON forms TO laboratory_reader;
"""
WRITE = """
    INSERT INTO forms (key, payload, ery, taken_by)
    SELECT :key, CAST(:payload AS jsonb), :ery, :idempotency_key
    ON CONFLICT (key) DO UPDATE SET payload = EXCLUDED.payload, ery = EXCLUDED.ery,
        taken_by = EXCLUDED.taken_by
"""
RESOURCES = {
    "results": {"read": QUERY, "keep_fresh_s": 0.0},
    "slow": {"read": "SELECT pg_sleep(35), CAST(:key AS text) AS key"},
    "sneaky": {
        "read": "INSERT INTO forms VALUES (:key, '{}', 1, :key) RETURNING key",
    },
    "hidden": {"read": "SELECT * FROM secrets WHERE key = :key"},
    "form": {"read": "SELECT payload FROM forms WHERE key = :key", "write": WRITE, "one": True},
}


@pytest.fixture(scope="module")
def laboratory_url(services: Services) -> Generator[str, None, None]:
    """A database of its own on the run's PostgreSQL, reached as who may only read its results."""
    name = f"laboratory_{services.worker}"
    url = with_database(services.server_url, name)
    drop_database(services.server_url, name)
    create_database(with_database(services.server_url, "postgres"), name)
    fill_database(url, "reader-secret")
    fill_database(url, "reader-secret")  # a second time changes nothing
    with psycopg.connect(url) as connection:
        connection.execute(FORMS)
        connection.execute("CREATE TABLE secrets (key text)")
    yield url
    drop_database(services.server_url, name)


def _as_reader(url: str) -> str:
    return url.replace("postgres@", f"{READER}@", 1)


@pytest.fixture
def laboratory(laboratory_url: str, settings: Settings, tmp_path: Path) -> Generator[str, None]:
    secret = tmp_path / "secret"
    secret.write_text("reader-secret")
    settings.PORTAL_OUTSIDE_SYSTEMS = {
        "laboratory": {
            "kind": "sql",
            "address": _as_reader(laboratory_url),
            "secret_file": str(secret),
            "read_timeout_s": 1.0,
            "resources": RESOURCES,
        }
    }
    yield laboratory_url
    with psycopg.connect(laboratory_url) as connection:
        connection.execute("DELETE FROM forms")


@pytest.mark.requirement("DR-141")
def test_rows_are_read_by_a_bound_key(laboratory: str) -> None:
    reading = read("laboratory", "results", "104217")
    assert len(reading.value) == 42
    assert set(reading.value[0]) == {"taken_at", "sample", "code", "name", "value", "unit"}
    assert reading.value[0]["taken_at"] >= reading.value[-1]["taken_at"]
    assert read("laboratory", "results", "999999").value == []


@pytest.mark.parametrize(
    "key", ["104217' OR '1'='1", "x'; DROP TABLE results; --", "%", ":key", "\\'", "$1"]
)
def test_a_key_is_a_value_whatever_it_holds(laboratory: str, key: str) -> None:
    reading = read("laboratory", "results", key)
    assert (reading.value, reading.problem) == ([], None)
    assert len(read("laboratory", "results", "104217").value) == 42


def test_a_read_cannot_write(laboratory: str) -> None:
    reading = read("laboratory", "sneaky", "k")
    assert reading.problem.code == Code.REFUSED
    assert "a read may not write" in reading.problem.detail
    with psycopg.connect(laboratory) as connection:
        assert connection.execute("SELECT count(*) FROM forms").fetchone() == (0,)


def test_what_the_role_may_not_see_is_told_as_credentials(laboratory: str) -> None:
    assert read("laboratory", "hidden", "k").problem.code == Code.CREDENTIALS


@pytest.mark.requirement("DR-142")
def test_a_slow_database_is_left_after_the_read_time_out(laboratory: str) -> None:
    began = time.monotonic()
    reading = read("laboratory", "slow", "k")
    assert time.monotonic() - began < 2.5
    assert reading.problem.code == Code.SLOW
    assert read("laboratory", "results", "104217").value, "its connection is usable again"


def test_a_database_that_is_away_or_does_not_know_us_is_told(
    laboratory: str, settings: Settings
) -> None:
    (table,) = settings.PORTAL_OUTSIDE_SYSTEMS.values()
    away = "postgresql://reader@127.0.0.1:1/laboratory"
    settings.PORTAL_OUTSIDE_SYSTEMS = {"laboratory": table | {"address": away}}
    assert read("laboratory", "results", "104217").problem.code == Code.AWAY
    stranger = laboratory.replace("postgres@", "stranger@", 1)
    settings.PORTAL_OUTSIDE_SYSTEMS = {"laboratory": table | {"address": stranger}}
    assert read("laboratory", "results", "104217").problem.code == Code.CREDENTIALS
    assert condition("laboratory").problem.code == Code.CREDENTIALS


def test_a_row_is_written_once_with_its_fields_and_read_where_it_was_written(
    laboratory: str,
) -> None:
    write("laboratory", "form", "k'1", {"ery": 4, "note": "a'b"}, idempotency_key="one")
    assert deliver_waiting("laboratory") == 1
    with psycopg.connect(laboratory) as connection:
        rows = connection.execute("SELECT key, payload, ery, taken_by FROM forms").fetchall()
    assert rows == [("k'1", {"ery": 4, "note": "a'b"}, 4, "one")]
    assert read("laboratory", "form", "k'1").value == {"ery": 4, "note": "a'b"}


def test_what_the_database_refuses_waits_for_an_operator(laboratory: str) -> None:
    row = write("laboratory", "form", "k", {"ery": "no number"}, idempotency_key="one")
    assert deliver_waiting("laboratory") == 0
    row.refresh_from_db()
    assert (row.state, row.problem) == ("refused", "refused")
    assert "no number" not in row.detail


def test_two_systems_have_pools_of_their_own(laboratory: str, settings: Settings) -> None:
    (table,) = settings.PORTAL_OUTSIDE_SYSTEMS.values()
    settings.PORTAL_OUTSIDE_SYSTEMS = {"one": table, "two": dict(table)}
    engines: list[Any] = [system_of(code).client._engine for code in ("one", "two")]
    assert engines[0].pool is not engines[1].pool
