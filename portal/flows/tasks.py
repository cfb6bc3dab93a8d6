"""Timers of flows: what ran out takes its transition; what could not be done is told."""

from __future__ import annotations

import json
import logging

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

from portal.flows.services import cases

logger = logging.getLogger(__name__)

_FAILED = "flows:timers-failed"
_KEPT_S = 24 * 60 * 60


@shared_task
def run_timers() -> None:
    """Every timer that ran out, a case at a time. Run twice it does nothing the second time.

    What fails with one case is logged, and stands on the operators' page until a run without it.
    """
    done, failed = cases.run_timers()
    if failed:
        logger.error("timers of %d cases could not be run: %s", len(failed), ", ".join(failed[:5]))
    noted = {"at": timezone.now().isoformat(timespec="minutes"), "failed": failed}
    cache.set(_FAILED, json.dumps(noted), _KEPT_S)
    if done:
        logger.info("timers took %d transitions", done)


def check_timers() -> None:
    """Health check: the last run of the timers reached every case."""
    noted = json.loads(cache.get(_FAILED) or "{}")
    if failed := noted.get("failed"):
        raise RuntimeError(
            f"timers of {len(failed)} cases could not be run at {noted['at']}, first: {failed[0]}"
        )
