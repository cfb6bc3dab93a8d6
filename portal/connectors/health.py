"""Lamps of outside systems: what is known of each, without asking it (OP-004)."""

from __future__ import annotations

from portal.connectors.breaker import condition
from portal.connectors.configuration import declared, is_declared


def check_system(code: str) -> None:
    """RuntimeError while the system's last call failed, or its table is wrong."""
    if code in declared().quarantined:
        raise RuntimeError(f"its configuration is wrong: {declared().quarantined[code]}")
    if not is_declared(code):
        raise RuntimeError("it is not declared any more")
    known = condition(code)
    if known.problem is not None:
        raise RuntimeError(
            f"it does not answer ({known.problem.code}: {known.problem.detail});"
            " the portal works without it"
        )
