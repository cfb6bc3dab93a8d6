"""The head of an HL7 v2 message, and its acknowledgement. Pure: no socket, no clock, no database.

Only the first segment is read, as bytes, so that a message can be stored and acknowledged
without parsing it. Values are kept as the sender wrote them (escape sequences included), one
character per byte, so that what is echoed is exactly what came.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

MAX_HEADER_BYTES = 4096
MAX_CONTROL_ID = 199  # the longest that any version of HL7 v2 allows for MSH-10
MAX_ACK_TEXT = 80  # MSA-3 in HL7 v2.3.1
STANDARD_SEPARATORS = "|^~\\&"
_KEPT_FROM_HEADER = (3, 4, 5, 6, 9, 10, 11, 12, 18)


class UnreadableHeader(ValueError):  # noqa: N818 - named for what it says, not for its kind
    """A message whose MSH cannot be read. `where` names the field, `reason` says what is wrong;
    neither quotes the message."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class AckCode(StrEnum):
    """MSA-1, HL7 table 0008, original mode."""

    ACCEPTED = "AA"
    ERROR = "AE"
    REJECTED = "AR"


@dataclass(frozen=True, kw_only=True)
class Header:
    """What MSH says, as the sender wrote it. `separators`: field, component, repetition, escape,
    subcomponent (and truncation, where the sender has one)."""

    sending_application: str
    message_type: str
    trigger: str
    control_id: str
    version: str
    charset: str
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    processing_id: str = ""
    separators: str = STANDARD_SEPARATORS


def read_header(raw: bytes) -> Header:
    """MSH of the message. UnreadableHeader when there is none, or none that can be answered."""
    segment = _first_segment(raw)
    separators = _separators(segment)
    field_sep, component_sep, repetition_sep = tuple(separators[:3])
    # With the separator itself counted as MSH-1, list index and field number are the same.
    fields = [segment[:3], field_sep, *segment[4:].split(field_sep)]
    fields += [""] * (max(_KEPT_FROM_HEADER) + 1 - len(fields))
    kind = [*fields[9].split(component_sep), ""]
    control_id = fields[10]
    if not kind[0].strip():
        raise UnreadableHeader("MSH-9", "the message type is missing")
    if not control_id.strip():
        raise UnreadableHeader("MSH-10", "the control id is missing")
    if len(control_id) > MAX_CONTROL_ID:
        raise UnreadableHeader("MSH-10", "the control id is too long")
    return Header(
        sending_application=fields[3],
        sending_facility=fields[4],
        receiving_application=fields[5],
        receiving_facility=fields[6],
        message_type=kind[0].strip().upper(),
        trigger=kind[1].strip().upper(),
        control_id=control_id,
        processing_id=fields[11].split(component_sep)[0].strip(),
        version=fields[12].split(component_sep)[0].strip(),
        charset=fields[18].split(repetition_sep)[0].strip(),
        separators=separators,
    )


def codec_of(charset: str) -> str | None:
    """The Python codec for what MSH-18 says (HL7 table 0211); None for one that is not taken.

    Nothing said means ISO 8859-1. `UNICODE` alone is read as UTF-8: the two-byte encodings
    cannot be told apart into segments before they are decoded, and no sender uses them.
    """
    name = charset.strip().upper()
    if latin := re.fullmatch(r"(?:ISO[ -]?)?8859[/-](\d{1,2})", name):
        try:
            return codecs.lookup(f"iso8859-{int(latin[1])}").name
        except LookupError:
            return None
    known = {"": "iso8859-1", "ASCII": "ascii", "UNICODE": "utf-8"}
    return known.get(name, "utf-8" if name in {"UNICODE UTF-8", "UTF-8", "UTF8"} else None)


def ack(header: Header | None, code: AckCode | str, text: str, now: datetime) -> bytes:
    """The acknowledgement of a message, unframed, in the separators of its sender.

    `header` None: the message could not be read; the answer then names no control id. `text` is
    for the sender's log: a fixed sentence, never a word of the message. `now` must be aware.
    """
    if now.utcoffset() is None:
        raise ValueError("now must be an aware datetime")
    code = AckCode(code)
    separators = header.separators if header else STANDARD_SEPARATORS
    field_sep, component_sep = tuple(separators[:2])
    kind = ["ACK", header.trigger, "ACK"] if header and header.trigger else ["ACK"]
    msh = [
        "MSH" + field_sep + separators[1:],
        header.receiving_application if header else "",
        header.receiving_facility if header else "",
        header.sending_application if header else "",
        header.sending_facility if header else "",
        f"{now:%Y%m%d%H%M%S%z}",
        "",
        component_sep.join(kind),
        f"{now.astimezone(UTC):%Y%m%d%H%M%S%f}",
        header.processing_id if header and header.processing_id else "P",
        header.version if header and header.version else "2.3.1",
    ]
    msa = ["MSA", code.value, header.control_id if header else "", _escaped(text, separators)]
    segments = [field_sep.join(msh), field_sep.join(msa)]
    return "".join(f"{segment}\r" for segment in segments).encode("latin-1", "replace")


def _first_segment(raw: bytes) -> str:
    start = raw[:MAX_HEADER_BYTES].removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n \t")
    if not start.startswith(b"MSH"):
        raise UnreadableHeader("MSH", "the message does not begin with MSH")
    segment = re.split(rb"[\r\n]", start, maxsplit=1)[0]
    if len(segment) == len(start) and len(raw) > MAX_HEADER_BYTES:
        raise UnreadableHeader("MSH", "the header is too long")
    if re.search(rb"[\x00-\x1f\x7f]", segment):
        raise UnreadableHeader("MSH", "the header holds control characters")
    return segment.decode("latin-1")


def _separators(segment: str) -> str:
    field_sep = segment[3:4]
    encoding_chars = segment[4:].split(field_sep, 1)[0] if field_sep else ""
    separators = field_sep + encoding_chars
    if not 5 <= len(separators) <= 6 or len(set(separators)) != len(separators):
        raise UnreadableHeader("MSH-2", "the separators cannot be used")
    if any(not "!" <= char <= "~" or char.isalnum() for char in separators):
        raise UnreadableHeader("MSH-2", "the separators cannot be used")
    return separators


def _escaped(text: str, separators: str) -> str:
    """`text` safe to stand in a field: one line of printable ASCII, separators escaped, cut."""
    letters = dict(zip(separators, "FSRET", strict=False))  # a truncation character has none
    escape = separators[3]
    plain = re.sub(r"[^ -~]+", " ", text)[:MAX_ACK_TEXT]
    return "".join(f"{escape}{letters[c]}{escape}" if c in letters else c for c in plain)
