"""Our own copy against what an outside system has under the same key (DR-118)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from portal.connectors.rules import Difference, differences
from portal.connectors.services.reading import read


def compare(
    system: str,
    resource: str,
    key: str,
    ours: Mapping[str, Any],
    *,
    max_age: timedelta | None = None,
) -> list[Difference] | None:
    """The fields that differ there; [] where none does, None where it is not known.

    What was written here and waits to be delivered is no difference: nothing is known of the other
    side then. The answer is of the time at which the system was last asked, see ``read``.
    """
    reading = read(system, resource, key, max_age=max_age)
    if not reading.is_known or reading.undelivered:
        return None
    return differences(ours, reading.value)
