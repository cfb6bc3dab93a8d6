"""The whole portal in its own processes, on a database of its own that holds the demo's data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from portal.demo import embedded, identity_provider
from portal.demo.processes import RunningService
from portal.operations.demo import DemoPerson, all_people, as_rows
from tests.support import processes
from tests.support.services import ROOT, Services, clone_database, drop_database

SETTINGS = "tests.support.e2e_settings"
LOADING_LIMIT_S = 180


@dataclass
class Stack:
    """What runs, and how a test reaches it."""

    env: dict[str, str]
    people: Sequence[DemoPerson]
    site: RunningService
    hl7_port: int
    mail: processes.MailServer

    @property
    def dispenser_folder(self) -> Path:
        return Path(self.env["PORTAL_STATE_DIR"]) / "dispenser"

    @property
    def keys_folder(self) -> Path:
        return Path(self.env["PORTAL_STATE_DIR"]) / "keys"

    def manage(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the portal, as an operator would; its exit status is the caller's."""
        return subprocess.run(
            _manage(*command),
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def rows(self, query: str, values: Iterable[Any] = ()) -> list[Any]:
        """Read the database past the portal: what is so, whatever the pages say."""
        with psycopg.connect(self.env["DATABASE_URL"], row_factory=namedtuple_row) as connection:
            return connection.execute(query, list(values)).fetchall()

    @contextmanager
    def triggers_disabled(self) -> Generator[psycopg.Connection, None, None]:
        """A database administrator's connection: nothing is refused, no trigger fires."""
        with psycopg.connect(self.env["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            yield connection


@contextmanager
def running_stack(services: Services) -> Generator[Stack, None, None]:
    """Start everything, load the demo's data once, and leave nothing behind.

    Database, Redis and folder are its own: no other test's worker takes its tasks.
    """
    name = f"test_e2e_{services.worker}"
    url = embedded.with_database(services.server_url, name)
    # its own each time: under xdist a worker may leave these tests and come back to them
    parent = services.run_folder / services.worker
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="e2e-", dir=parent))
    state = folder / "state"
    people = all_people()
    with ExitStack() as stack:
        stack.callback(drop_database, services.server_url, name)
        clone_database(replace(services, database_url=url))
        redis = embedded.start_redis(folder / "redis", durable=False)
        stack.callback(redis.stop)
        mail = stack.enter_context(processes.mail_server())
        issuer = stack.enter_context(
            identity_provider.running_in_thread(identity_provider.people_from(as_rows(people)))
        )
        (state / "dispenser").mkdir(parents=True)
        shutil.copytree(services.run_folder / "keys", state / "keys")
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "PYTHONPATH": str(ROOT),
            "PORTAL_STATE_DIR": str(state),
            "DATABASE_URL": url,
            "REDIS_URL": redis.url,
            "OIDC_ISSUER": issuer,
            "EMAIL_HOST": processes.HOST,
            "EMAIL_PORT": str(mail.port),
        }
        loading = subprocess.Popen(
            _manage("load_demo"),
            env=env,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        stack.callback(loading.kill)
        site = stack.enter_context(processes.site_process(env=env))
        env["PORTAL_BASE_URL"] = site.url
        listener = stack.enter_context(processes.hl7_listener(env=env))
        said, _ = loading.communicate(timeout=LOADING_LIMIT_S)
        if loading.returncode != 0:
            raise RuntimeError(f"load_demo ended with {loading.returncode}:\n{said}")
        # after the data: beat's first round is not to meet half of them
        worker = stack.enter_context(processes.celery_worker(concurrency=2, beat=True, env=env))
        for service in (site, listener, worker):
            stack.callback(service.kill)  # what they hold is thrown away: no need for good-byes
        yield Stack(env, people, site, int(listener.url.rpartition(":")[2]), mail)


def _manage(*command: str) -> list[str]:
    return [sys.executable, "-W", "ignore::DeprecationWarning", str(ROOT / "manage.py"), *command]
