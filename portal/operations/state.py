"""What the operators' page and the metrics tell: depths, ages and room, in a fixed few queries."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db.models import Count, Min
from django.utils import timezone

from portal.audit.models import Verification
from portal.inbox.models import InboundMessage
from portal.notifications.models import OutboxMail
from portal.signing.models import SignatureVerification

REDIS_ANSWERS_WITHIN_S = 2.0
_TASK_QUEUE = "celery"


@dataclass(frozen=True)
class Depth:
    """How many wait in one state, and since when the oldest does."""

    code: str
    label: Any
    count: int
    oldest_at: datetime | None = None


def inbox_depths() -> list[Depth]:
    """What waits to be processed, and what waits for a person. Two queries, each by its index."""
    states = InboundMessage.State
    return [
        _depth(InboundMessage.objects.filter(state=state), state, "received_at")
        for state in (states.RECEIVED, states.QUARANTINED)
    ]


def outbox_depths() -> list[Depth]:
    """Mail that waits, and mail that was given up. Two queries, each by its index."""
    states = OutboxMail.State
    return [
        _depth(OutboxMail.objects.filter(state=state), state, "created_at")
        for state in (states.WAITING, states.GIVEN_UP)
    ]


def _depth(rows: Any, state: Any, since: str) -> Depth:
    found = rows.aggregate(count=Count("pk"), oldest=Min(since))
    return Depth(state.value, state.label, found["count"], found["oldest"])


def last_verifications() -> dict[str, Verification]:
    """The newest verification of each chain of the audit trail. One query."""
    newest = Verification.objects.order_by("chain", "-at", "-pk").distinct("chain")
    return {verification.chain: verification for verification in newest}


def last_signature_verification() -> SignatureVerification | None:
    return SignatureVerification.objects.first()


# --- outside the database ------------------------------------------------------------------------


def last_backup_at() -> datetime | None:
    """When the last backup was finished, by the stamp that the backup leaves; None without one.

    The first line of the file is the time (ISO 8601 with its zone); of an empty file, its own time.
    ValueError for a line that is no such time.
    """
    path = Path(settings.PORTAL_BACKUP_STAMP)
    try:
        line = path.read_text(encoding="utf-8").partition("\n")[0].strip()
        written = path.stat().st_mtime
    except FileNotFoundError:
        return None
    if not line:
        return datetime.fromtimestamp(written, tz=timezone.get_default_timezone())
    at = datetime.fromisoformat(line)
    if at.utcoffset() is None:
        raise ValueError(f"the backup's stamp {line!r} has no zone")
    return at


def disk() -> Any:
    """Room where files are kept: ``total``, ``used``, ``free`` in bytes."""
    place = Path(settings.MEDIA_ROOT)
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place)


def open_redis() -> redis.Redis:
    """A connection of its own, that gives up soon; to be used in a ``with``."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=REDIS_ANSWERS_WITHIN_S,
        socket_timeout=REDIS_ANSWERS_WITHIN_S,
    )


def websocket_connections() -> int:
    """Open pages that listen, over all hosts: each has a channel of its own in Redis."""
    prefix = settings.CHANNEL_LAYERS["default"]["CONFIG"]["prefix"]  # type: ignore[index]
    with open_redis() as client:
        return len(client.pubsub_channels(f"{prefix}specific.*"))


def waiting_tasks() -> int:
    """Tasks that no worker has taken yet."""
    with open_redis() as client:
        return int(client.llen(_TASK_QUEUE))  # type: ignore[arg-type]
