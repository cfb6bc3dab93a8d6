"""pytest plugin: real PostgreSQL and Redis for a run, ready before Django reads its settings.

The first process of a run starts one PostgreSQL in a temporary folder; with xdist that is the
controller, and its workers inherit `DATABASE_URL`. Each process that runs tests has its own
database on it, its own Redis and its own state folder, so that a test may kill its Redis or flush
its tables without a neighbour noticing. Everything is stopped and removed when the run ends.

`DATABASE_URL` and `REDIS_URL` in the environment point at real servers instead: the database user
must be allowed to create databases and to set `session_replication_role` (a superuser).
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from portal.demo import embedded
from portal.demo.processes import RunningService

ROOT = Path(__file__).resolve().parents[2]
RUN_FOLDER = "PORTAL_TEST_RUN_DIR"
SERVER_URL = "PORTAL_TEST_SERVER_URL"


@dataclass
class Services:
    """What this process uses, and what it must stop at the end."""

    worker: str
    run_folder: Path
    server_url: str
    database_url: str
    template_url: str
    redis: RunningService | None
    postgres: RunningService | None
    owns_run: bool
    oidc_socket: socket.socket
    started: list[RunningService] = field(default_factory=list)


SERVICES = pytest.StashKey[Services]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    # A wrapper: it must come before pytest-django, which loads the settings in this same hook.
    asked = early_config.known_args_namespace
    if not (asked.help or asked.version):
        services = _start()
        early_config.stash[SERVICES] = services
        early_config.add_cleanup(lambda: _stop(services))
    return (yield)


def _start() -> Services:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    owns_run = worker == "main"
    started: list[RunningService] = []
    try:
        if owns_run:
            run_folder = Path(tempfile.mkdtemp(prefix="portal-tests-"))
            os.environ[RUN_FOLDER] = str(run_folder)
        else:
            run_folder = Path(os.environ[RUN_FOLDER])
        postgres = _postgres_of_the_run(run_folder, started) if owns_run else None
        redis = _redis_of_this_process(run_folder / worker, started)
    except BaseException:
        for service in started:
            service.kill()
        raise
    server_url = os.environ[SERVER_URL]
    stem = f"test_{_database_of(server_url)}"
    services = Services(
        worker=worker,
        run_folder=run_folder,
        server_url=server_url,
        database_url=embedded.with_database(server_url, f"{stem}_{worker}"),
        template_url=embedded.with_database(server_url, f"{stem}_template"),
        redis=redis,
        postgres=postgres,
        owns_run=owns_run,
        oidc_socket=socket.socket(),
        started=started,
    )
    # Taken now, since the settings name the provider; it listens when a test wants it, and until
    # then refuses at once: nothing that asks whether it is there has to wait.
    services.oidc_socket.bind(("127.0.0.1", 0))
    state = run_folder / worker / "state"
    state.mkdir(parents=True, exist_ok=True)
    # Children that tests start (a Celery worker, a listener) read the same environment.
    os.environ.update(
        DATABASE_URL=services.database_url,
        PORTAL_STATE_DIR=str(state),
        PORTAL_REDIS_PREFIX=f"test-{worker}",
        OIDC_ISSUER=f"http://127.0.0.1:{services.oidc_socket.getsockname()[1]}",
    )
    for name in ("PORTAL_KEYS_DIR", "PORTAL_ANCHOR_FILE", "PORTAL_LOG_DIR"):
        os.environ.pop(name, None)
    return services


def _postgres_of_the_run(run_folder: Path, started: list[RunningService]) -> RunningService | None:
    if "DATABASE_URL" in os.environ:
        os.environ[SERVER_URL] = os.environ["DATABASE_URL"]
        return None
    postgres = embedded.start_postgres(run_folder / "postgres", durable=False)
    started.append(postgres)
    os.environ[SERVER_URL] = embedded.with_database(postgres.url, "portal")
    return postgres


def _redis_of_this_process(folder: Path, started: list[RunningService]) -> RunningService | None:
    real = "PORTAL_TEST_REAL_REDIS"
    if "PYTEST_XDIST_WORKER" not in os.environ and "REDIS_URL" in os.environ:
        os.environ[real] = os.environ["REDIS_URL"]
    if real in os.environ:
        number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        os.environ["REDIS_URL"] = embedded.with_database(os.environ[real], str(number + 1))
        return None
    redis = embedded.start_redis(folder / "redis", durable=False)
    started.append(redis)
    os.environ["REDIS_URL"] = redis.url
    return redis


def _stop(services: Services) -> None:
    services.oidc_socket.close()
    if services.owns_run and services.postgres is None:
        drop_database(services.server_url, _database_of(services.template_url))
    for service in reversed(services.started):
        service.stop()
    if services.owns_run:
        shutil.rmtree(services.run_folder, ignore_errors=True)


def _database_of(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


def maintenance(server_url: str) -> psycopg.Connection:
    """A connection to the server's own database, for creating and dropping others."""
    return psycopg.connect(embedded.with_database(server_url, "postgres"), autocommit=True)


def drop_database(server_url: str, name: str) -> None:
    """Drop a test database if it is there, whoever is still connected to it."""
    with maintenance(server_url) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def clone_database(services: Services) -> None:
    """Give this process a database that is a copy of the run's template."""
    name = _database_of(services.database_url)
    drop_database(services.server_url, name)
    with maintenance(services.server_url) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(_database_of(services.template_url))
            )
        )
