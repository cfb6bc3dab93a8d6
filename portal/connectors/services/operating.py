"""What an operator does with a write that was refused: correct, send again, drop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require
from portal.access.selectors import people_with
from portal.audit.services import record
from portal.connectors.interfaces.json_values import size_of
from portal.connectors.models import QueuedWrite
from portal.connectors.selectors import HANDLE, SEE
from portal.connectors.services.reading import live_topic
from portal.connectors.services.workers import kick
from portal.connectors.services.writing import TOPIC
from portal.live.services import publish
from portal.notifications.services import tasks_changed
from portal.records.errors import Refused
from portal.records.services import locked, writes

State = QueuedWrite.State


@writes
def send_again(*, actor: Any, write_id: int, reason: str) -> QueuedWrite:
    """Try a refused or waiting write now, as it is: what stood in its way is mended."""
    row = _open(actor, write_id)
    record("connectors.write_sent_again", row, data={"before": row.state, "detail": row.detail})
    row.state, row.next_attempt_at = State.WAITING, timezone.now()
    row.save(update_fields=["state", "next_attempt_at"])
    _tell(row)
    return row


@writes
def correct_write(
    *, actor: Any, write_id: int, payload: Mapping[str, Any], reason: str
) -> QueuedWrite:
    """Queue a corrected copy in the place of a refused write, which stays as it was.

    The copy has an idempotency key of its own: the other side refused the original, so it has not
    taken it. Refused where that is not so: what merely waits may have arrived unnoticed.
    """
    row = _open(actor, write_id)
    if row.state != State.REFUSED:
        raise Refused(_("Only what was refused can be corrected."), code="not_refused")
    try:
        size_of(payload)
    except ValueError:
        raise Refused(_("It holds characters that cannot be kept."), code="no_text") from None
    number = row.idempotency_key.count("+") + 1
    corrected = QueuedWrite.objects.create(
        system=row.system,
        resource=row.resource,
        key=row.key,
        payload=dict(payload),
        idempotency_key=f"{row.idempotency_key[:190]}+{number}",
        place=row.place,
        corrects=row,
        queued_at=row.queued_at,
    )
    row.state, row.settled_at = State.CORRECTED, timezone.now()
    row.save(update_fields=["state", "settled_at"])
    record("connectors.write_corrected", row, data={"corrected_by": corrected.pk})
    record("connectors.correction_queued", corrected, data={"corrects": row.pk})
    _tell(corrected)
    return corrected


@writes
def drop_write(*, actor: Any, write_id: int, reason: str) -> QueuedWrite:
    """Never write it: the other side keeps what it has, and reading shows that again."""
    row = _open(actor, write_id)
    row.state, row.settled_at = State.DROPPED, timezone.now()
    row.save(update_fields=["state", "settled_at"])
    record("connectors.write_dropped", row, data={"detail": row.detail})
    _tell(row)
    return row


def _open(actor: Any, write_id: int) -> QueuedWrite:
    require(actor, HANDLE)
    row = locked(QueuedWrite.objects.all(), write_id)
    if row.state not in QueuedWrite.OPEN:
        raise Refused(_("This is settled already."), code="settled")
    return row


def _tell(row: QueuedWrite) -> None:
    publish(TOPIC, "writes")
    publish(live_topic(row.system, row.resource, row.key), "value")
    tasks_changed(people_with(SEE))
    transaction.on_commit(lambda: kick(row.system, at_once=True))
