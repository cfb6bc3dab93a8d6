"""What the dummy module does with a message: what the message says in ZTS."""

from __future__ import annotations

import time

from django.db import connection

from portal.audit.models import AuditEntry
from portal.audit.services import record
from portal.inbox.errors import NotUnderstood
from portal.inbox.models import InboundMessage
from portal.inbox.services.storing import read_raw
from portal.records.errors import Refused
from tests.support.inbox_dummy import PATIENT, TAKEN, hanging_in


def check(raw: bytes) -> bytes:
    """The message without PID; a ValueError that says so for one that says `unreadable`."""
    keep = b"\r".join(line for line in raw.split(b"\r") if not line.startswith(b"PID"))
    act = _act(raw)
    if act == "unreadable":
        raise ValueError("ZTS-1: the value cannot be read")
    if act == "correctable":
        raise NotUnderstood("ZTS-1: correct it", keep=keep)
    if act == "bug":
        raise KeyError(PATIENT)
    return keep


def take(received: InboundMessage) -> str:
    """Process a message: note it in the audit trail, then do what it says."""
    record(TAKEN, received)
    match _act(read_raw(received)).split(" "):
        case ["refuse"]:
            raise ValueError("ZTS-1: there is no such room")
        case ["forbid"]:
            raise Refused("This day is closed.")
        case ["fail"]:
            raise RuntimeError(f"no word of this in a log: {PATIENT}")
        case ["database-error"]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1/0")
        case ["cut-connection"]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        case ["hang-once"]:
            _hang_at_first(received.pk)
    return f"taken in by the dummy as {received.identity}"


def times_taken(pk: int) -> int:
    """How often the processing of the message was committed."""
    return AuditEntry.objects.filter(action=TAKEN, object_id=str(pk)).count()


def _hang_at_first(pk: int) -> None:
    if not hanging_in(pk).exists():
        hanging_in(pk).touch()
        time.sleep(120)  # the test kills this process meanwhile


def _act(raw: bytes) -> str:
    for line in raw.decode("latin-1").split("\r"):
        if line.startswith("ZTS|"):
            return line.split("|")[1]
    return ""
