"""Taking the patient out of a message before it is kept (TS-022).

What is not named here goes: of every segment only its name stays, of the segments that say
something about a booking only the fields and components a booking is made of, and the order
numbers by which a person finds the order in the sender's system. So a segment or field that
nobody thought of (NTE, ZPI, OBR-13 clinical information, TQ text) takes nothing with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from portal.inbox.hl7 import UnreadableHeader, read_header
from tracershop.interfaces.errors import FormatError, Reason

# Segment → field → how many of its components stay, from the first.
KEPT: Mapping[bytes, Mapping[int, int]] = {
    b"ORC": {1: 1, 2: 2, 3: 2, 5: 1, 7: 4, 20: 1},
    b"OBR": {1: 1, 2: 2, 3: 2, 4: 2, 20: 1, 21: 1},
    b"SCH": {1: 2, 2: 2, 11: 4, 25: 1, 26: 2, 27: 2},
    b"TQ1": {1: 1, 7: 1},
    b"RGS": {1: 1, 2: 1},
    b"AIS": {1: 1, 2: 1, 3: 2, 4: 1},
    b"AIL": {1: 1, 2: 1, 3: 2},
}
_KEPT_OF_MSH = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 18})


def without_patient(raw: bytes) -> bytes:
    """The message without anything about the patient; bookings parse from it just the same.

    Segment ends become CR. Doing it twice changes nothing more. FormatError when there is no MSH
    that can be read: what cannot be told apart cannot be made free of identity, so not kept.
    """
    try:
        separators = read_header(raw).separators.encode("latin-1")
    except UnreadableHeader as unreadable:
        raise FormatError(unreadable.where, Reason.NO_HEADER) from None
    field_sep = separators[:1]
    first, *others = _segments(raw)
    kept = [_header_segment(first, field_sep)]
    named = re.compile(rb"[A-Z][A-Z0-9]{2}" + re.escape(field_sep))
    # A line that does not begin as a segment does (a broken-up note, say) goes altogether.
    kept += [_segment(other, separators) for other in others if named.match(other)]
    return b"\r".join(kept) + b"\r"


def _segments(raw: bytes) -> list[bytes]:
    # A message with CR in it ends its segments so, and a line feed elsewhere is part of a text:
    # were it an end, the second line of a patient's note could pose as an order.
    raw = raw.removeprefix(b"\xef\xbb\xbf").strip(b"\r\n \t")
    lines = raw.split(b"\r" if b"\r" in raw else b"\n")
    return [line for line in (line.strip(b"\n \t") for line in lines) if line]


def _header_segment(segment: bytes, field_sep: bytes) -> bytes:
    fields = segment.split(field_sep)  # MSH-1 is the separator itself: index 1 is MSH-2
    return field_sep.join(
        value if number + 1 in _KEPT_OF_MSH or number == 0 else b""
        for number, value in enumerate(fields)
    ).rstrip(field_sep)


def _segment(segment: bytes, separators: bytes) -> bytes:
    field_sep, component_sep, repetition_sep = (separators[i : i + 1] for i in range(3))
    name, *fields = segment.split(field_sep)
    kept = KEPT.get(name, {})
    values = []
    for number, value in enumerate(fields, start=1):
        components = value.split(repetition_sep)[0].split(component_sep)
        values.append(component_sep.join(components[: kept.get(number, 0)]).strip())
    return name + field_sep + field_sep.join(values).rstrip(field_sep)
