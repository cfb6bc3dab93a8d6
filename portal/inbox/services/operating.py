"""What an operator does with a message in quarantine: replay, correct, settle (TS-021, TS-061)."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require
from portal.audit.services import record
from portal.inbox.handlers import HL7, check, find_handler, kind_of
from portal.inbox.hl7 import read_header
from portal.inbox.models import InboundMessage
from portal.inbox.selectors import operators
from portal.inbox.services.processing import TOPIC, kick
from portal.inbox.services.storing import store_message
from portal.live.services import publish
from portal.notifications.services import tasks_changed
from portal.records.errors import Refused
from portal.records.services import locked, writes

State = InboundMessage.State


@writes
def replay_message(*, actor: Any, message_id: int, reason: str) -> InboundMessage:
    """Let a message in quarantine be processed anew, as it is: what stood in its way is mended.

    Refused when it is not in quarantine, or its content was removed after its time.
    """
    message = _in_quarantine(actor, message_id, reason)
    if message.raw is None:
        raise Refused(_("The content was removed after its time."), code="content_gone")
    before = message.outcome
    message.state, message.attempts, message.outcome = State.RECEIVED, 0, ""
    message.processed_at = None
    message.save(update_fields=["state", "attempts", "outcome", "processed_at"])
    record("inbox.message_replayed", message, data={"outcome_before": before})
    _tell(message)
    transaction.on_commit(lambda: kick(message.channel))
    return message


@writes
def correct_message(*, actor: Any, message_id: int, raw: bytes, reason: str) -> InboundMessage:
    """Receive a corrected copy beside a message in quarantine; the original stays as it came.

    The copy goes through the handler's check like anything received: Refused when it still cannot
    be understood. The original is settled thereby.
    """
    message = _in_quarantine(actor, message_id, reason)
    kind, keep = _checked(message, raw)
    digest = hashlib.sha256(raw).hexdigest()
    corrected_id, _new = store_message(
        channel=message.channel,
        kind=kind,
        source=message.source,
        identity=f"correction of {message.pk}: {digest}",
        raw=raw,
        keep=keep,
        corrects_id=message.pk,
    )
    message.state = State.SETTLED
    message.save(update_fields=["state"])
    corrected = InboundMessage.objects.get(pk=corrected_id)
    record("inbox.message_corrected", message, data={"corrected_by": corrected.pk})
    record("inbox.correction_received", corrected, data={"corrects": message.pk, "sha256": digest})
    _tell(message)
    transaction.on_commit(lambda: kick(message.channel))
    return corrected


@writes
def settle_message(*, actor: Any, message_id: int, reason: str) -> InboundMessage:
    """Take a message out of quarantine without processing it: it needs nothing more."""
    message = _in_quarantine(actor, message_id, reason)
    message.state = State.SETTLED
    message.save(update_fields=["state"])
    record("inbox.message_settled", message, data={"outcome": message.outcome})
    _tell(message)
    return message


def _in_quarantine(actor: Any, message_id: int, reason: str) -> InboundMessage:
    require(actor, "inbox.replay_messages")
    if not reason.strip():
        raise Refused(_("Give a reason: it stands in the audit trail."), code="reason_needed")
    message = locked(InboundMessage.objects.all(), message_id)
    if message.state != State.QUARANTINED:
        raise Refused(
            _("This message is not in quarantine (any more): it is %(state)s.")
            % {"state": message.get_state_display()},
            code="not_quarantined",
        )
    return message


def _checked(message: InboundMessage, raw: bytes) -> tuple[str, bytes]:
    """Kind of the corrected copy, and what may be kept of it."""
    try:
        kind = kind_of(read_header(raw)) if message.channel == HL7 else message.kind
        handler = find_handler(message.channel, kind)
        if handler is None:
            raise Refused(_("No installed module takes this kind of message."), code="no_handler")
        return kind, check(handler, raw)
    except ValueError as error:
        raise Refused(
            _("The corrected message cannot be understood either: %(reason)s") % {"reason": error},
            code="not_understood",
        ) from error


def _tell(message: InboundMessage) -> None:
    publish(TOPIC, "message", message.pk)
    tasks_changed(operators())
