"""Say what changed; pages that show it fetch it anew through the ordinary authorised view."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)


def group_name(topic: str) -> str:
    """Channel layer group of a topic (names there are restricted; topics are not)."""
    return "live." + hashlib.sha256(topic.encode()).hexdigest()[:40]


def publish(topic: str, what: str, key: Any = None) -> None:
    """After commit, tell every page subscribed to ``topic`` that ``what`` (of ``key``) changed.

    Redis being away loses the push, never the change: pages poll when their socket is silent.
    """
    message = {"type": "change", "topic": topic, "what": what, "id": key}
    transaction.on_commit(lambda: _send(topic, message))


def _send(topic: str, message: dict[str, Any]) -> None:
    try:
        async_to_sync(get_channel_layer().group_send)(group_name(topic), message)
    except Exception as error:
        logger.warning("live push for %s lost: %s", topic, error)
