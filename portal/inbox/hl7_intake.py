"""One HL7 message: kept, then acknowledged (TS-020, TS-021). The listener owns the socket.

| answer | when                                                                            |
|--------|---------------------------------------------------------------------------------|
| AA     | it is committed, now or when it came before                                     |
| AE     | it cannot be understood (kept in quarantine if it has a header), or not be kept |
| AR     | no installed module takes its type                                              |

No answer and no log line quotes the message.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection
from django.utils.translation import gettext as _

from portal.inbox.errors import ContentGone, IdentityReused
from portal.inbox.handlers import HL7, check, find_handler, kind_of
from portal.inbox.hl7 import AckCode, Header, UnreadableHeader, ack, read_header
from portal.inbox.mllp import Oversize
from portal.inbox.models import InboundMessage
from portal.inbox.services.storing import read_raw, store_message

logger = logging.getLogger(__name__)

SEND_AGAIN = "not stored, send it again"
NO_HEADER = "the header cannot be read"
NOT_TAKEN = "this type of message is not taken"
_LONGEST_IDENTITY = 170  # leaves room for what tells a refused message from the one it stands for


@dataclass(frozen=True)
class Answer:
    """The acknowledgement, and whether there is now something new to process or to look at."""

    code: AckCode
    ack: bytes
    is_news: bool


def take(received: bytes | Oversize) -> Answer:
    """Keep one message and say what to answer. Never raises: what is not committed gets no AA."""
    raw = received.head if isinstance(received, Oversize) else received
    try:
        header = read_header(raw)
    except UnreadableHeader as error:
        logger.warning("AE: %s (%d bytes)", error, len(raw))
        return _answer(None, AckCode.ERROR, NO_HEADER)
    try:
        if isinstance(received, Oversize):
            return _refuse_oversize(header, received)
        return _take(header, raw)
    except Exception as error:
        logger.error("AE, not stored: %s", type(error).__name__)  # noqa: TRY400 may quote it
        if isinstance(error, DatabaseError):
            connection.close()  # the next message finds a new one
        return _answer(header, AckCode.ERROR, SEND_AGAIN)


def _take(header: Header, raw: bytes) -> Answer:
    kind = kind_of(header)
    handler = find_handler(HL7, kind)
    if handler is None:
        logger.warning("AR: %s, %d bytes", _loggable(kind), len(raw))
        return _answer(header, AckCode.REJECTED, NOT_TAKEN)
    try:
        keep = check(handler, raw)
    except ValueError as error:
        # What the handler may have left of it; else nothing but who sent it, and what it calls it.
        keep = getattr(error, "keep", b"") or bare_header(header)
        return _refuse(header, raw, str(error), keep=keep)
    except DatabaseError:
        raise
    except Exception as error:
        number = secrets.token_hex(6)
        logger.error("check failed: %s, error number %s", type(error).__name__, number)  # noqa: TRY400
        reason = _("Reading it failed: %(error)s, error number %(number)s.")
        values = {"error": type(error).__name__, "number": number}
        return _refuse(header, raw, reason % values, keep=bare_header(header))
    try:
        pk, new = _store(header, raw, keep=keep, identity=identity_of(header))
    except IdentityReused as error:
        if _is_resend(error.message_id, keep):
            logger.info("AA: message %d again", error.message_id)
            return _answer(header, AckCode.ACCEPTED, "")
        return _refuse(header, raw, _("The control id was used before, with other content."), keep)
    logger.info("AA: message %d%s, %s, %d bytes", pk, "" if new else " again", kind, len(raw))
    return _answer(header, AckCode.ACCEPTED, "", is_news=new)


def _refuse(
    header: Header, raw: bytes, reason: str, keep: bytes, size_bytes: int | None = None
) -> Answer:
    """Keep what cannot be taken in quarantine, beside any message of its control id: its sender
    may mend it and send it again under the same one."""
    identity = f"{identity_of(header)} #{hashlib.sha256(raw).hexdigest()[:20]}"
    pk, new = _store(
        header, raw, keep=keep, identity=identity, refused=reason, size_bytes=size_bytes
    )
    logger.warning("AE: message %d is in quarantine, %d bytes", pk, size_bytes or len(raw))
    return _answer(
        header, AckCode.ERROR, f"not understood, kept in quarantine as {pk}", is_news=new
    )


def _refuse_oversize(header: Header, received: Oversize) -> Answer:
    if find_handler(HL7, kind_of(header)) is None:
        return _answer(header, AckCode.REJECTED, NOT_TAKEN)
    reason = _("It is longer than is taken; only its header was kept.")
    return _refuse(header, received.head, reason, bare_header(header), size_bytes=received.size)


def _store(
    header: Header,
    raw: bytes,
    *,
    keep: bytes,
    identity: str,
    refused: str = "",
    size_bytes: int | None = None,
) -> tuple[int, bool]:
    """Store it, once more on a new connection when the database was gone since the last one."""
    for may_retry in (connection.connection is not None, False):
        try:
            return store_message(
                channel=HL7,
                kind=kind_of(header),
                source=f"{header.sending_application}|{header.sending_facility}",
                identity=identity,
                raw=raw,
                keep=keep,
                refused=refused,
                size_bytes=size_bytes,
            )
        except (OperationalError, InterfaceError):
            if not may_retry:
                raise
            connection.close()
    raise AssertionError("unreachable")


def identity_of(header: Header) -> str:
    """What makes two messages the same one: MSH-3, MSH-4 and MSH-10."""
    parts = (header.sending_application, header.sending_facility, header.control_id)
    readable = "|".join(parts)
    if len(readable) <= _LONGEST_IDENTITY and readable.count("|") == len(parts) - 1:
        return readable
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def bare_header(header: Header) -> bytes:
    """An MSH with nothing in it but who sent what: all that is kept of a message that nobody can
    read. Its other fields go too; where segments run together, they hold the patient's."""
    field_sep, component_sep = tuple(header.separators[:2])
    fields = [
        f"MSH{field_sep}{header.separators[1:]}",
        header.sending_application,
        header.sending_facility,
        header.receiving_application,
        header.receiving_facility,
        "",
        "",
        component_sep.join(filter(None, (header.message_type, header.trigger))),
        header.control_id,
        header.processing_id,
    ]
    return f"{field_sep.join(fields)}\r".encode("latin-1", "replace")


def _is_resend(pk: int, keep: bytes) -> bool:
    """Whether what is kept differs in nothing but MSH-7: senders stamp a resend with a new time."""
    try:
        kept = read_raw(InboundMessage.objects.only("raw").get(pk=pk))
    except ContentGone:
        return False
    return _without_sending_time(kept) == _without_sending_time(keep)


def _without_sending_time(message: bytes) -> bytes:
    header, _end, rest = message.partition(b"\r")
    field_sep = header[3:4]
    fields = header.split(field_sep) if field_sep else [header]
    fields[6:7] = [b""]
    return field_sep.join(fields) + b"\r" + rest


def _loggable(kind: str) -> str:
    """A type of message as the standard writes it; anything else there may be a name."""
    return kind if re.fullmatch(r"[A-Z]{3}\^[A-Z]\d\d", kind) else "of an odd type"


def _answer(header: Header | None, code: AckCode, text: str, *, is_news: bool = False) -> Answer:
    return Answer(code, ack(header, code, text, datetime.now(UTC)), is_news)
