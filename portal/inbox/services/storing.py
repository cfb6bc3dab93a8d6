"""Keeping what was received, before anybody is told that it was (TS-021, TS-022)."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import psycopg
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.audit.services import record
from portal.inbox.errors import ContentGone, IdentityReused
from portal.inbox.handlers import HL7
from portal.inbox.models import InboundMessage
from portal.serverkeys import load_inbox

State = InboundMessage.State

PERSONAL_CHANNELS = (HL7,)
"""Channels whose content is about people and is removed after a time. Files are archived."""
MAX_IDENTITY = 200
_MAX_SIZE_BYTES = 2**31 - 1  # what the column holds; only the note of an oversize frame gets there

# One statement, so one round trip and one commit, and the database decides what is the same thing
# again: two senders, or a resend that overtakes its first, cannot both be new.
_INSERT = """
    INSERT INTO inbox_inboundmessage (channel, kind, source, identity, raw, sha256, size_bytes,
        received_at, state, attempts, outcome, processed_at, corrects_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0, %s, %s, %s)
    ON CONFLICT (channel, identity) DO NOTHING
    RETURNING id
"""


def store_message(
    *,
    channel: str,
    kind: str,
    source: str,
    identity: str,
    raw: bytes,
    keep: bytes,
    refused: str = "",
    size_bytes: int | None = None,
    corrects_id: int | None = None,
) -> tuple[int, bool]:
    """Keep what was received; returns its number and whether it is new.

    ``raw`` is what came: only its SHA-256 and size are kept. ``keep`` is what a handler's check
    left of it: that is kept, encrypted. The same identity and content again changes nothing.
    IdentityReused: the identity is known with other content. ValueError: the identity is too long.

    ``refused``: why it cannot be understood; it then goes to quarantine at once. ``size_bytes``:
    how much came, where ``raw`` is only the beginning. Outside a transaction the row is committed
    when this returns.
    """
    if len(identity) > MAX_IDENTITY:
        raise ValueError(f"an identity has at most {MAX_IDENTITY} characters")
    now = timezone.now()
    sha256 = hashlib.sha256(raw).hexdigest()
    values = (
        channel,
        _plain(kind, 50),
        _plain(source, 200),
        identity,
        load_inbox().encrypt(keep),
        sha256,
        min(len(raw) if size_bytes is None else size_bytes, _MAX_SIZE_BYTES),
        now,
        State.QUARANTINED.value if refused else State.RECEIVED.value,
        refused,
        now if refused else None,
        corrects_id,
    )
    if pk := _insert(values):
        return pk, True
    known = InboundMessage.objects.only("sha256").get(channel=channel, identity=identity)
    if known.sha256 != sha256:
        raise IdentityReused(known.pk)
    return known.pk, False


def _insert(values: tuple[Any, ...]) -> int | None:
    """The new row's number, or None where the identity is known.

    Past Django's cursor: the statement is prepared once in a connection's life. Senders wait for
    this one, and Django would have the server parse and plan it anew each time.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        driver = connection.connection
        if driver.prepare_threshold is None:  # Django's own cursors do not look at it
            driver.prepare_threshold = 0
        with psycopg.Cursor(driver) as cursor:
            row = cursor.execute(_INSERT, values, prepare=True).fetchone()
    return row[0] if row else None


def _plain(text: str, length: int) -> str:
    """A file name may hold bytes that are no text; the database takes only text."""
    return text.encode("utf-8", "replace").decode()[:length]


def read_raw(message: InboundMessage) -> bytes:
    """What was kept of the message. ContentGone when that was removed or cannot be decrypted."""
    if message.raw is None:
        raise ContentGone(_("The content was removed after its time."))
    try:
        return load_inbox().decrypt(bytes(message.raw))
    except InvalidToken:
        raise ContentGone(
            _("No key in the server's inbox.keys opens the content: restore the former key.")
        ) from None


@transaction.atomic
def purge_content(now: datetime) -> int:
    """Remove the content of personal messages after PORTAL_INBOX_KEEP_DAYS; returns how many.

    The rows stay, and so does the content of what still waits: it has had no effect yet.
    """
    before = now - timedelta(days=settings.PORTAL_INBOX_KEEP_DAYS)
    count = (
        InboundMessage.objects.filter(
            channel__in=PERSONAL_CHANNELS, raw__isnull=False, received_at__lt=before
        )
        .exclude(state=State.RECEIVED)
        .update(raw=None)
    )
    if count:
        record("inbox.content_purged", data={"messages": count, "received_before": before})
    return count
