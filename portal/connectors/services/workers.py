"""What workers are asked to do. Without Redis nobody can be asked: the sweeper comes by later."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from celery import current_app
from django.core.cache import cache
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

_EXPIRES_S = 30
_AWAY = (RedisError, OSError, OperationalError)


def kick(system: str, *, at_once: bool = False) -> None:
    """Deliver what waits for the system.

    ``at_once``: also what was to pause after failing, since the system is back.
    """
    _send("portal.connectors.tasks.deliver", system, at_once)


def ask_in_background(system: str, resource: str, key: str) -> None:
    """Ask for a value anew, once in 30 s however many pages want it."""
    digest = hashlib.sha256(f"{system}\0{resource}\0{key}".encode()).hexdigest()
    try:
        if not cache.add(f"connectors:asked:{digest}", 1, timeout=_EXPIRES_S):
            return
    except _AWAY as error:
        logger.warning("nothing is refreshed: %s", type(error).__name__)
        return
    _send("portal.connectors.tasks.refresh_answer", system, resource, key)


def _send(task: str, *arguments: Any) -> None:
    try:
        current_app.send_task(task, arguments, expires=_EXPIRES_S)
    except _AWAY as error:
        logger.warning("no worker could be asked for %s: %s", task, type(error).__name__)
