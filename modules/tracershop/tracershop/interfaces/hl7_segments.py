"""The segments of an HL7 v2 message as values: decoded, unescaped, bounded, never the patient."""

from __future__ import annotations

import re

import hl7

from portal.inbox.hl7 import Header, codec_of
from tracershop.interfaces.errors import FormatError, Reason
from tracershop.interfaces.hl7_privacy import without_patient

MAX_CODE = 64
MAX_TEXT = 255
_HL7_NULL = '""'  # the sender says: this value is to be empty


class Segment:
    """One segment: decoded, unescaped and bounded values, and the names of their places."""

    def __init__(self, fields: hl7.Segment | None, place: str, codec: str = "ascii") -> None:
        """`fields` None: a segment that is not there, so that all its values are empty."""
        self._fields = fields
        self._codec = codec
        self.name = place[:3]
        self.place = place

    def code(self, field: int, component: int = 1) -> str:
        """A value that must be kept whole: refused when too long or not printable."""
        value = self._value(field, component)
        if len(value) > MAX_CODE:
            raise FormatError(f"{self.place}-{field}", Reason.TOO_LONG)
        if not value.isprintable():
            raise FormatError(f"{self.place}-{field}", Reason.UNREADABLE)
        return value

    def text(self, field: int, component: int = 1) -> str:
        """A value for people: on one line, and cut to what is kept."""
        printable = (c if c.isprintable() else " " for c in self._value(field, component))
        return " ".join("".join(printable).split())[:MAX_TEXT].rstrip()

    def _value(self, field: int, component: int) -> str:
        if self._fields is None or field >= len(self._fields):
            return ""
        # `&` in a component stays: senders forget to escape it in a text ("PET & CT").
        components = str(self._fields[field]).split(self._fields.separators[3])
        value = components[component - 1] if component <= len(components) else ""
        value = self._unescaped(value, self._fields).strip()
        return "" if value == _HL7_NULL else value

    def _unescaped(self, value: str, fields: hl7.Segment) -> str:
        """Escape sequences of HL7 v2.5, 2.7, replaced; an unknown one stays as it stands.

        Not python-hl7's own: that logs the value and multiplies blanks as often as it is told.
        """
        _, field_sep, repetition_sep, component_sep, subcomponent_sep = fields.separators
        plain = {"F": field_sep, "S": component_sep, "R": repetition_sep, "T": subcomponent_sep}
        plain |= {"E": fields.esc, "H": "", "N": "", ".br": " ", ".sp": " "}

        def replaced(sequence: re.Match[str]) -> str:
            body = sequence[1]
            if body[:1] == "X":
                try:
                    return bytes.fromhex(body[1:]).decode(self._codec)
                except ValueError:
                    return sequence[0]
            return plain.get(body, sequence[0])

        mark = re.escape(fields.esc)
        return re.sub(f"{mark}([^{mark}]*){mark}", replaced, value)


Place = tuple[Segment, int, int]
"""Segment, field, component."""


def first_filled(places: list[Place]) -> Place:
    """The first place with something in it; FormatError naming all of them when there is none."""
    for segment, field, component in places:
        if segment.code(field, component):
            return segment, field, component
    looked_at = (f"{segment.place}-{field}.{component}" for segment, field, component in places)
    raise FormatError(" or ".join(looked_at), Reason.MISSING)


def code_at(places: list[Place]) -> str:
    """The value of the first filled place."""
    segment, field, component = first_filled(places)
    return segment.code(field, component)


def read_segments(raw: bytes, header: Header) -> list[Segment]:
    """The segments of the one message in `raw`, of which `header` is what `read_header` gave."""
    codec = codec_of(header.charset)
    if codec is None:
        raise FormatError("MSH-18", Reason.UNKNOWN_CHARSET)
    # The patient goes first: nothing below, nor the parser's own log, ever sees who it is.
    stripped = without_patient(raw)
    if b"\0" in stripped:
        raise FormatError("message", Reason.UNREADABLE)
    try:
        text = stripped.decode(codec)
    except UnicodeDecodeError:
        raise FormatError("message", Reason.NOT_IN_CHARSET) from None
    counts: dict[str, int] = {}
    segments = []
    for fields in hl7.parse(text):
        name = str(fields[0])
        counts[name] = counts.get(name, 0) + 1
        segments.append(Segment(fields, f"{name}[{counts[name]}]", codec))
    if counts["MSH"] > 1:
        raise FormatError("MSH[2]", Reason.MANY_MESSAGES)
    return segments
