"""A module in miniature that takes received things, for tests of the inbox.

Tests in this process `install` it; processes that they start get it by `INBOX_DUMMY`, an
environment that names settings with this module in them.

A message says in ZTS what happens to it (see `inbox_dummy_handlers.py`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from portal.registry import InboxHandler, PortalModule, registry

KIND = "ZTS^Z01"
FILES = "dummy-files"
TAKEN = "inbox_dummy.taken"
"""What the audit trail says, once for each time that the processing of a message was committed."""
INBOX_DUMMY = {"DJANGO_SETTINGS_MODULE": "tests.support.inbox_settings"}
PATIENT = "010190-1234"
"""Stands in PID of every message made here, and must turn up nowhere."""


class InboxDummy(PortalModule):
    name = "tests.support.inbox_dummy"
    label = "inbox_dummy"
    verbose_name = "Inbox dummy"
    inbox_handlers = (
        InboxHandler("hl7", (KIND,), f"{name}_handlers.check", f"{name}_handlers.take"),
        InboxHandler(FILES, (), f"{name}_handlers.check", f"{name}_handlers.take"),
    )


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the module among the installed ones, for one test."""
    module = InboxDummy(InboxDummy.name, sys.modules[__name__])
    monkeypatch.setitem(registry._modules, module.label, module)


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


def hanging_in(pk: int) -> Path:
    """The file that says that processing of the message has begun for the first time."""
    return Path(os.environ["PORTAL_STATE_DIR"]) / f"inbox-dummy-hangs-in-{pk}"
