"""The migrated template database, and how a test that really commits leaves no trace.

Migrating takes tens of seconds, so it is done once a run, and its result is kept in
`.cache/tests` under a hash of everything it depends on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command, sql
from django.db import connection
from django.test import TransactionTestCase
from psycopg.sql import SQL, Identifier

from portal.demo import embedded
from portal.registry import registry
from tests.support.services import ROOT, Services, drop_database, maintenance

CACHE = ROOT / ".cache" / "tests"
_KEPT_TEMPLATES = 3
_SHADOW = "pristine"
_BASE = "PORTAL_TEST_BASE_TEMPLATE"
"""Names another run's template on the same server: only what is new in this one is migrated."""
_ALSO_DECIDING = {"models.py", "apps.py", "triggers.py"}


def ensure_template(services: Services, *, cached: bool = True) -> None:
    """Build the run's template database; whichever process comes first does it for all.

    Raises whatever migrating raises; the next process then tries, and fails, for itself.
    """
    services.run_folder.joinpath("template.lock").touch()
    done = services.run_folder / "template.done"
    with services.run_folder.joinpath("template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return
        name = services.template_url.partition("?")[0].rpartition("/")[2]
        drop_database(services.server_url, name)
        base = os.environ.get(_BASE)
        if base:
            _copy_of(services, base, name)
        else:
            embedded.create_database(
                embedded.with_database(services.server_url, "postgres"), database=name
            )
        with _connected_to(name):
            _migrate(services.template_url, cached=cached and not base)
            _keep_pristine_rows()
        done.touch()


def _copy_of(services: Services, base: str, name: str) -> None:
    with maintenance(services.server_url) as server:
        server.execute(
            SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(base))
        )
    with _connected_to(name), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {_SHADOW} CASCADE")


def _migrate(url: str, *, cached: bool) -> None:
    dump = CACHE / f"template-{_fingerprint()}.sql"
    if cached and dump.exists():
        _postgres_program("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(dump), url)
        # what the code declares (privileges, roles) may have changed without a migration
        sql.emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
        return
    call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    if cached and dump.stem.endswith(_fingerprint()):  # no file changed meanwhile
        CACHE.mkdir(parents=True, exist_ok=True)
        whole = dump.with_suffix(f".{os.getpid()}")
        try:
            _postgres_program("pg_dump", "--no-owner", "-f", str(whole), url)
            whole.rename(dump)
        finally:
            whole.unlink(missing_ok=True)
        kept = sorted(CACHE.glob("template-*.sql"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-_KEPT_TEMPLATES]:
            old.unlink(missing_ok=True)


def _postgres_program(name: str, *arguments: str) -> None:
    program = embedded.postgres_programs() / name
    subprocess.run(
        [str(program), *arguments], check=True, capture_output=True, text=True, timeout=300
    )


def _fingerprint() -> str:
    """A hash of what the migrated database is made from: apps, migrations, models, locks."""
    made_for = [connection.pg_version // 10000, *settings.INSTALLED_APPS]
    digest = hashlib.sha256("\n".join(map(str, made_for)).encode())
    files = [
        ROOT / "requirements" / "development.txt",
        ROOT / "portal" / "registry.py",
        *ROOT.glob("portal/config/settings/*.py"),
        *(
            path
            for folder in ("portal", "modules", "tests/support")
            for path in ROOT.joinpath(folder).rglob("*")
            if path.suffix == ".sql"
            or (
                path.suffix == ".py"
                and ({"migrations", "models"} & set(path.parts) or path.name in _ALSO_DECIDING)
            )
        ),
    ]
    # a module that is installed from elsewhere
    for module in registry.installed_modules():
        files += [
            *Path(module.path).rglob("models/*.py"),
            *Path(module.path).rglob("migrations/*.py"),
        ]
    for path in sorted({path for path in files if path.is_file()}):
        name = os.path.relpath(path, ROOT)
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _connected_to(database: str) -> Generator[None, None, None]:
    """Let Django's own connection speak to another database of the same server for a while."""
    connection.close()
    own = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = database
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = own


# --- after a test that commits ---------------------------------------------------------------
# Django would TRUNCATE every table: the audit tables refuse that, and rows that migrations made
# (Wagtail's root page, the audit chain's first row) would be gone for the tests that follow.
# Instead the template keeps a copy of its rows in a schema of its own, and they are put back.


def _keep_pristine_rows() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {_SHADOW}")
        for table, _columns in _tables():
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM public.{table})")
            if cursor.fetchone()[0]:
                cursor.execute(f"CREATE TABLE {_SHADOW}.{table} AS TABLE public.{table}")
        # the owner of every database may look; nothing but the restore below ever does
        cursor.execute(f"CREATE TABLE {_SHADOW}.restore_rows (statement text)")
        for statement in _restore_statements():
            cursor.execute(f"INSERT INTO {_SHADOW}.restore_rows VALUES (%s)", [statement])


def _tables(schema: str = "public") -> list[tuple[str, str]]:
    """Every ordinary table with its columns that can be inserted into, both as quoted SQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT quote_ident(c.relname),
                   string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
            FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p')
              AND NOT c.relispartition
              AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
            GROUP BY c.relname ORDER BY c.relname
            """,
            [schema],
        )
        return cursor.fetchall()


def _restore_statements() -> list[str]:
    kept = {table for table, _columns in _tables(_SHADOW)}
    statements = []
    for table, columns in _tables():
        statements.append(f"DELETE FROM public.{table}")
        if table in kept:
            statements.append(
                f"INSERT INTO public.{table} ({columns}) OVERRIDING SYSTEM VALUE"
                f" SELECT {columns} FROM {_SHADOW}.{table}"
            )
    return statements


def restore_pristine_rows() -> None:
    """Bring every table back to the rows that the template had."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT string_agg(statement, ';') FROM {_SHADOW}.restore_rows")
        statements = cursor.fetchone()[0]
        # One transaction. As a replica: no trigger fires, no foreign key is looked at, so neither
        # the order of the tables nor their refusal of DELETE stands in the way.
        cursor.execute(
            "BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '30s';"
            f" {statements}; COMMIT"
        )


def _fixture_teardown(case: TransactionTestCase) -> None:
    if not connection.is_usable():  # the test cut it
        connection.close()
    restore_pristine_rows()


def restore_rows_instead_of_flush() -> None:
    """Make Django's transactional tests end with `restore_pristine_rows`."""
    TransactionTestCase._fixture_teardown = _fixture_teardown  # type: ignore[method-assign]
