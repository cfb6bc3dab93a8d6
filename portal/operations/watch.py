"""Looking at the signed configuration for as long as a process runs (OP-005)."""

from __future__ import annotations

import logging
import threading

from django.conf import settings
from django.db import connections

from portal.operations.configuration import LOOKED_EVERY_S, note_configurations
from portal.records.context import ServiceActor

logger = logging.getLogger(__name__)

WATCH = ServiceActor("configuration watch")


def look_once() -> None:
    """One look from here; what hinders it is logged and no reason to end."""
    try:
        note_configurations(actor=WATCH)
    except Exception:
        logger.exception("the configuration could not be looked at")
    finally:
        connections.close_all()


def look_when_worker_starts(**_: object) -> None:
    """The first look of a worker; later ones are a periodic task."""
    if settings.PORTAL_WATCH_CONFIGURATION:
        look_once()


def watch_in_background() -> threading.Event | None:
    """Look now, and every minute, in a thread of its own; the event ends it.

    Called where a web process starts: pages show what this process itself was configured with. A
    process that is forked after this call has no such thread: do not preload.
    """
    if not settings.PORTAL_WATCH_CONFIGURATION:
        return None
    ended = threading.Event()

    def run() -> None:
        look_once()
        while not ended.wait(LOOKED_EVERY_S):
            look_once()

    threading.Thread(target=run, name="configuration-watch", daemon=True).start()
    return ended
