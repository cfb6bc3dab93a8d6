"""What is to be written to an outside system, in the hospital of the table."""

from __future__ import annotations

from portal.connectors.models import QueuedWrite


def connectors_part(name: str) -> dict[str, QueuedWrite]:
    """A write that the other side refused: it waits for an operator."""
    return {
        "write": QueuedWrite.objects.create(
            system="registry",
            resource="form",
            key=name,
            payload={"a": 1},
            idempotency_key=name,
            state=QueuedWrite.State.REFUSED,
        )
    }
