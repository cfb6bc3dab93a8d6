"""Is anything received, and is what was received being processed? (OP-004)"""

from __future__ import annotations

import time

from django.core.cache import cache
from django.db.models import Count, Min
from django.utils import timezone
from redis.exceptions import RedisError

from portal.inbox.models import InboundMessage

HEARTBEAT_KEY = "hl7-listener:heartbeat"
HEARTBEAT_LIMIT_S = 30
WAITING_LIMIT_S = 60


def beat(connections: int) -> None:
    """The listener says that it is alive, and how many senders are connected."""
    cache.set(HEARTBEAT_KEY, {"at_s": time.time(), "connections": connections}, timeout=None)


def check_listener() -> None:
    """RuntimeError unless an HL7 listener has reported within 30 seconds."""
    try:
        heartbeat = cache.get(HEARTBEAT_KEY)
    except RedisError as error:
        raise RuntimeError("Redis does not answer, so nothing is known of the listener") from error
    if heartbeat is None:
        raise RuntimeError("no HL7 listener has reported yet")
    silent_s = time.time() - heartbeat["at_s"]
    if silent_s > HEARTBEAT_LIMIT_S:
        raise RuntimeError(f"the HL7 listener has not reported for {silent_s:.0f} s")


def check_inbox() -> None:
    """RuntimeError when something received has waited for more than a minute."""
    waiting = InboundMessage.objects.filter(state=InboundMessage.State.RECEIVED).aggregate(
        count=Count("pk"), oldest=Min("received_at")
    )
    if waiting["oldest"] is None:
        return
    waited_s = (timezone.now() - waiting["oldest"]).total_seconds()
    if waited_s > WAITING_LIMIT_S:
        raise RuntimeError(f"{waiting['count']} received messages wait, one for {waited_s:.0f} s")
