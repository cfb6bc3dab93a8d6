"""What must work for the portal to work: each part asked by itself, its failure caught (OP-004)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from portal.operations.state import disk, last_backup_at, open_redis
from portal.registry import registry

logger = logging.getLogger(__name__)

BEAT_KEY = "operations:beat"
BEAT_SILENT_AFTER = timedelta(seconds=60)
WORKER_ANSWERS_WITHIN_S = 1.0
LEAST_FREE_BYTES = 1024**3


@dataclass(frozen=True)
class CheckResult:
    """One lamp: whether it is well, and if not, why. Without a ``critical`` one no page works,
    without a ``minor`` one all pages do.
    """

    name: str
    ok: bool
    reason: str = ""
    critical: bool = False
    minor: bool = False


def run_checks() -> list[CheckResult]:
    """Every check of the portal and of its modules, in a fixed order. Never raises."""
    return [
        _run("database", check_database, critical=True),
        _run("Redis", check_redis, critical=True),
        _run("worker", check_worker, critical=False),
        _run("beat", check_beat, critical=False),
        _run("disk", check_disk, critical=False),
        *([_run("backup", check_backup, critical=False)] if settings.PORTAL_BACKUP_STAMP else []),
        *(
            _run(
                declared.name,
                _imported_at_call(declared.check, *declared.arguments),
                critical=False,
                minor=declared.minor,
            )
            for declared in registry.health_checks()
        ),
    ]


def _imported_at_call(dotted: str, *arguments: str) -> Callable[[], None]:
    def check() -> None:
        import_string(dotted)(*arguments)

    return check


def _run(
    name: str, check: Callable[[], None], *, critical: bool, minor: bool = False
) -> CheckResult:
    try:
        check()
    except Exception as error:
        reason = str(error).strip() or repr(error)
        logger.warning("health: %s: %s", name, reason)
        return CheckResult(name, ok=False, reason=reason, critical=critical, minor=minor)
    return CheckResult(name, ok=True, critical=critical, minor=minor)


def is_ready(results: list[CheckResult]) -> bool:
    return all(result.ok for result in results if result.critical)


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_redis() -> None:
    with open_redis() as client:
        client.ping()


def note_beat(now: datetime) -> None:
    """A worker was sent this by beat: both are alive."""
    cache.set(BEAT_KEY, now.isoformat(), timeout=None)


def last_beat_at() -> datetime | None:
    noted = cache.get(BEAT_KEY)
    return datetime.fromisoformat(noted) if noted else None


def check_beat() -> None:
    """The heartbeat is sent by beat and written by a worker."""
    at = last_beat_at()
    if at is None:
        raise RuntimeError("no heartbeat yet: beat has sent nothing that a worker has run")
    if timezone.now() - at > BEAT_SILENT_AFTER:
        raise RuntimeError(f"the last heartbeat came at {timezone.localtime(at):%Y-%m-%d %H:%M:%S}")


def check_worker() -> None:
    """A worker wrote the heartbeat just now; where it did not, one must answer a ping."""
    at = last_beat_at()
    if at is not None and timezone.now() - at <= BEAT_SILENT_AFTER:
        return
    from celery import current_app

    # a connection of its own: a pooled one from before Redis was restarted would fail once
    try:
        with current_app.connection_for_write() as broker:
            answers = current_app.control.broadcast(
                "ping", reply=True, limit=1, timeout=WORKER_ANSWERS_WITHIN_S, connection=broker
            )
    except (OSError, redis.RedisError, OperationalError) as error:
        raise RuntimeError(f"no worker answers: the broker is away ({error})") from None
    if not answers:
        raise RuntimeError("no worker answers")


def check_disk() -> None:
    """Room for files, logs and the anchors of the audit trail."""
    free = disk().free
    if free < LEAST_FREE_BYTES:
        raise RuntimeError(f"{free / 1024**2:.0f} MiB are left where files are kept")


def check_backup() -> None:
    """The last backup is not older than ``PORTAL_BACKUP_MAX_AGE`` (OP-003)."""
    at = last_backup_at()
    if at is None:
        raise RuntimeError("no backup has left its stamp yet")
    age = timezone.now() - at
    if age < timedelta(minutes=-5):  # clocks of two hosts differ a little
        raise RuntimeError(f"the backup's stamp is of the future: {at:%Y-%m-%d %H:%M %Z}")
    if age > settings.PORTAL_BACKUP_MAX_AGE:
        raise RuntimeError(
            f"the last backup was finished at {timezone.localtime(at):%Y-%m-%d %H:%M},"
            f" {age.total_seconds() / 3600:.0f} h ago"
        )
