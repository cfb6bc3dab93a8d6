"""Finding out that a system is back, without anybody waiting for it (DR-133)."""

from __future__ import annotations

from contextlib import suppress

from portal.connectors.breaker import ask, condition
from portal.connectors.configuration import declared
from portal.connectors.problems import OutsideFailure
from portal.connectors.services.workers import kick


def probe(system: str) -> None:
    """Ask whether it works; OutsideFailure where it does not."""
    ask(
        system,
        lambda client: client.probe(),
        recovered=lambda: kick(system, at_once=True),
    )


def probe_those_away() -> list[str]:
    """Ask each system whose last call failed, and each that was never asked; which answered."""
    answered = []
    for code in declared().systems:
        known = condition(code)
        if known.problem is None and known.last_success_at is not None:
            continue
        with suppress(OutsideFailure):
            probe(code)
            answered.append(code)
    return answered
