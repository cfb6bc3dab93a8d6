"""The only code that writes received messages: keep, process, and what operators do by hand."""

from portal.inbox.services.alerting import alert_operators
from portal.inbox.services.operating import correct_message, replay_message, settle_message
from portal.inbox.services.processing import kick, process_message, process_waiting
from portal.inbox.services.storing import purge_content, read_raw, store_message

__all__ = [
    "alert_operators",
    "correct_message",
    "kick",
    "process_message",
    "process_waiting",
    "purge_content",
    "read_raw",
    "replay_message",
    "settle_message",
    "store_message",
]
