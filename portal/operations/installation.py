"""What is installed here, and whether it is what was locked (OP-007): the facts of an IQ.

Every distribution that ``requirements/production.txt`` locks is looked up among the installed ones,
and every file of it is hashed and compared with the hash its wheel brought. Then the checks that
the portal makes at every start, and what it stands on.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import redis
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from packaging.requirements import Requirement

from portal import __version__
from portal.registry import registry

_LOCKED = re.compile(r"^([A-Za-z0-9][^\\\n]*?)\s*(?:\\\n((?:\s+--hash=.*\n)*))", re.MULTILINE)


@dataclass(frozen=True)
class Locked:
    """One line of a lock file: what must be installed here, and from how many known archives."""

    name: str
    version: str
    hashes: int


@dataclass(frozen=True)
class Installed:
    """A locked distribution as it is found: its version, and which of its files are not whole."""

    name: str
    locked: str
    installed: str
    """'' where it is not installed."""
    hashes: int
    files: int
    damaged: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.installed == self.locked and not self.damaged


@dataclass(frozen=True)
class StartCheck:
    """One thing that is looked at when the portal starts."""

    name: str
    ok: bool
    found: str


def read_lock(text: str) -> list[Locked]:
    """What a lock file of ``uv pip compile --generate-hashes`` demands on this machine.

    ValueError for a line without a fixed version or without a hash: it locks nothing.
    """
    found = []
    for match in _LOCKED.finditer(text):
        wanted = Requirement(match[1])
        hashes = (match[2] or "").count("--hash=sha256:")
        pins = [pin for pin in wanted.specifier if pin.operator == "=="]
        if len(pins) != 1 or not hashes:
            raise ValueError(f"{wanted} is not locked to one version with hashes")
        if wanted.marker is None or wanted.marker.evaluate():
            found.append(Locked(wanted.name, pins[0].version, hashes))
    if not found:
        raise ValueError("the lock file locks nothing")
    return found


def look_up(locked: Iterable[Locked]) -> Iterator[Installed]:
    """Each locked distribution as it is installed, its files hashed."""
    for each in locked:
        try:
            there = distribution(each.name)
        except PackageNotFoundError:
            yield Installed(each.name, each.version, "", each.hashes, 0)
            continue
        files, damaged = _files_of(there)
        yield Installed(each.name, each.version, there.version, each.hashes, files, damaged)


def _files_of(there: Distribution) -> tuple[int, tuple[str, ...]]:
    count, damaged = 0, []
    for path in there.files or []:
        if path.hash is None or path.hash.mode != "sha256":
            continue  # RECORD itself, and what Python compiled
        count += 1
        try:
            content = Path(str(path.locate())).read_bytes()
        except OSError:
            damaged.append(f"{path}: missing")
            continue
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if digest != path.hash.value:
            damaged.append(f"{path}: changed")
    return count, tuple(damaged)


# --- checks at start-up ---------------------------------------------------------------------------


def start_checks() -> list[StartCheck]:
    """What every start looks at; none of it needs the database."""
    messages = [each for each in checks.run_checks(databases=[]) if not each.is_silenced()]
    serious = [message for message in messages if message.is_serious()]
    pending = _pending_model_changes()
    quarantined = [f"{label}: {reason}" for label, reason in registry.quarantined.items()]
    return [
        StartCheck(
            "settings and declarations (system checks)",
            not serious,
            "; ".join(str(message) for message in messages) or "no issues",
        ),
        StartCheck(
            "every module is in use", not quarantined, "; ".join(quarantined) or "none quarantined"
        ),
        StartCheck(
            "models and migrations agree", not pending, ", ".join(pending) or "nothing pending"
        ),
    ]


def _pending_model_changes() -> list[str]:
    loader = MigrationLoader(None)
    detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    ours = {module.label for module in registry.modules()}
    return sorted(ours & set(detector.changes(graph=loader.graph)))


# --- all of it ------------------------------------------------------------------------------------


def facts(lock_file: Path) -> dict[str, Any]:
    """Everything an IQ states, as JSON's own types. OSError, ValueError: no lock can be read."""
    text = lock_file.read_text(encoding="utf-8")
    distributions = list(look_up(read_lock(text)))
    checked = start_checks()
    return {
        "portal": __version__,
        "release": settings.PORTAL_RELEASE,
        "commit": _commit(lock_file.parent),
        "environment": [
            ["Python", f"{platform.python_implementation()} {platform.python_version()}"],
            ["Operating system", f"{platform.system()} {platform.release()} {platform.machine()}"],
            ["Database", _database()],
            ["Redis", _redis()],
            ["Django", version("django")],
            ["Wagtail", version("wagtail")],
        ],
        "lock": {
            "file": lock_file.name,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        },
        "modules": [
            [module.label, module.version, module.portal_versions or "any"]
            for module in registry.installed_modules()
        ],
        "distributions": [{**asdict(each), "ok": each.ok} for each in distributions],
        "start_checks": [asdict(check) for check in checked],
        "ok": all(each.ok for each in distributions) and all(check.ok for check in checked),
    }


def _commit(folder: Path) -> str:
    """The source's commit, with ``+`` where files differ from it; '' where there is no git."""
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run(  # noqa: S603 no part of it is anybody's input
        [git, "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.stdout.strip() if done.returncode == 0 else ""


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            return f"PostgreSQL {cursor.fetchone()[0]}"
    except DatabaseError as error:
        return f"does not answer: {str(error).splitlines()[0]}"


def _redis() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2) as client:
            return f"Redis {client.info('server')['redis_version']}"
    except redis.RedisError as error:
        return f"does not answer: {error}"


def lock_of_this_installation() -> Path:
    """The lock file beside ``manage.py``; what a deployed installation was made from."""
    return Path(settings.ROOT) / "requirements" / "production.txt"
