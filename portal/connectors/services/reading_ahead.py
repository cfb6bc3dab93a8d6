"""Having an answer ready before somebody waits for it."""

from __future__ import annotations

from portal.connectors.models import CachedAnswer
from portal.connectors.services.workers import ask_in_background


def prepare(system: str, resource: str, key: str) -> None:
    """Let a worker ask, unless something is kept: who reads it soon need not wait then."""
    kept = CachedAnswer.objects.filter(system=system, resource=resource, key=key)
    if not kept.exists():
        ask_in_background(system, resource, key)
