"""A module in miniature that takes received things, for tests of the inbox.

Tests in this process use the fixture `inbox_dummy` (test_inbox_*.py); processes that they start
get it by `INBOX_DUMMY`, an environment that names settings with this module in them.

A message says in ZTS what its processing does (see `take`). What was processed stands in the audit
trail, as action `inbox_dummy.taken`: once for each time that processing was committed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from django.db import connection

from portal.audit.services import record
from portal.inbox.errors import NotUnderstood
from portal.inbox.models import InboundMessage
from portal.inbox.services.storing import read_raw
from portal.records.errors import Refused
from portal.registry import InboxHandler, PortalModule

KIND = "ZTS^Z01"
FILES = "dummy-files"
INBOX_DUMMY = {"DJANGO_SETTINGS_MODULE": "tests.support.inbox_settings"}
PATIENT = "010190-1234"
"""Stands in PID of every message made here, and must turn up nowhere."""


class InboxDummy(PortalModule):
    name = "tests.support.inbox_dummy"
    label = "inbox_dummy"
    verbose_name = "Inbox dummy"
    inbox_handlers = (
        InboxHandler("hl7", (KIND,), f"{name}.check", f"{name}.take"),
        InboxHandler(FILES, (), f"{name}.check", f"{name}.take"),
    )


def message(
    control_id: str, act: str = "ok", *, kind: str = KIND, app: str = "RIS", sent: str = "20261121"
) -> bytes:
    """An HL7 message of the kind that is taken, with a patient in it."""
    segments = [
        f"MSH|^~\\&|{app}|RH|PORTAL|RH|{sent}||{kind}|{control_id}|P|2.3.1",
        f"PID|1||{PATIENT}||Hansen^Jens",
        f"ZTS|{act}",
    ]
    return "".join(f"{segment}\r" for segment in segments).encode("latin-1")


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
    record("inbox_dummy.taken", received)
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


def hanging_in(pk: int) -> Path:
    """The file that says that processing of the message has begun for the first time."""
    return Path(os.environ["PORTAL_STATE_DIR"]) / f"inbox-dummy-hangs-in-{pk}"


def _hang_at_first(pk: int) -> None:
    if not hanging_in(pk).exists():
        hanging_in(pk).touch()
        time.sleep(120)  # the test kills this process meanwhile


def _act(raw: bytes) -> str:
    for line in raw.decode("latin-1").split("\r"):
        if line.startswith("ZTS|"):
            return line.split("|")[1]
    return ""
