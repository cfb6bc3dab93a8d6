"""Bookings out of HL7 v2: orders (ORM^O01) and appointments (SIU^S12 to S15). TS-020.

| of the booking | ORM^O01          | SIU, the first of these that is there                     |
|----------------|------------------|-----------------------------------------------------------|
| act            | ORC-1            | S12, S13, S14 create or update; S15 cancels               |
| accession      | ORC-20, OBR-20   | ORC-20, OBR-20, SCH-26.1, SCH-27.1, SCH-2.1               |
| start          | ORC-7.4          | ORC-7.4, SCH-11.4, TQ1-7 (from 2.7 on), AIS-4             |
| procedure      | OBR-4.1, OBR-4.2 | OBR-4.1, OBR-4.2; AIS-3.1, AIS-3.2                        |
| room           | OBR-21           | OBR-21, AIL-3.2 (room), AIL-3.1 (point of care)           |

ORC and OBR are not part of SIU in the standard, but senders add them so that an appointment has
the same content as the order; then they come first, and both messages speak of one booking.
ORC-5 `ExamStarted` means no change, whatever ORC-1 says. Of a repeated field the first counts.
A time without an offset is a time of the site.

Of an appointment moreover: a resource whose action code (RGS-2, AIS-2, AIL-2; table 0206) is `D` is
not one of it any more, so a rescheduled message may name the old room beside the new one. What
SCH-25 (table 0278) calls started or complete has begun; what it calls cancelled or deleted is
cancelled, although the message is an S14. Several services or rooms that differ, none of them
deleted, are refused: which one needs the tracer would be a guess, and an operator can say it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from zoneinfo import ZoneInfo

from portal.inbox.hl7 import UnreadableHeader, read_header
from tracershop.interfaces.errors import FormatError, Reason
from tracershop.interfaces.hl7_privacy import without_patient
from tracershop.interfaces.hl7_segments import Place, Segment, code_at, first_filled, read_segments
from tracershop.rules.moments import local_moment

__all__ = ["TAKEN", "BookingAct", "BookingMessage", "parse_order_message", "without_patient"]


class BookingAct(StrEnum):
    """What the message asks for. NO_CHANGE: the examination has begun, nothing is to be done."""

    UPSERT = "upsert"
    CANCEL = "cancel"
    NO_CHANGE = "no_change"


@dataclass(frozen=True)
class BookingMessage:
    """What one order group says of one booking. Only an UPSERT says more than the accession
    number; NO_CHANGE may come without even that."""

    act: BookingAct
    accession: str
    starts_at: datetime | None = None
    procedure_code: str = ""
    procedure_text: str = ""
    room: str = ""


_ORDER_ACTS = {
    "XO": BookingAct.UPSERT,
    "NW": BookingAct.UPSERT,
    "CA": BookingAct.CANCEL,
    "DC": BookingAct.CANCEL,
}
_APPOINTMENT_ACTS = {
    "S12": BookingAct.UPSERT,  # new
    "S13": BookingAct.UPSERT,  # rescheduled
    "S14": BookingAct.UPSERT,  # modified
    "S15": BookingAct.CANCEL,
}
# What SCH-25 says beside the trigger; other states (booked, pending …) say nothing more.
_STATES = {
    "started": BookingAct.NO_CHANGE,
    "complete": BookingAct.NO_CHANGE,
    "cancelled": BookingAct.CANCEL,
    "dc": BookingAct.CANCEL,
    "deleted": BookingAct.CANCEL,
}
_DELETE = "D"
TAKEN = frozenset({("ORM", "O01"), *(("SIU", trigger) for trigger in _APPOINTMENT_ACTS)})
"""(message type, trigger) of every message that is taken; the listener answers AR to others."""


def parse_order_message(raw: bytes, site_zone: ZoneInfo) -> list[BookingMessage]:
    """The bookings of one message, in its order; `starts_at` is in `site_zone`.

    All or nothing: FormatError when any group cannot be understood. Two groups that would give
    one accession number two different bookings contradict each other and are refused.
    """
    try:
        header = read_header(raw)
    except UnreadableHeader as unreadable:
        raise FormatError(unreadable.where, Reason.NO_HEADER) from None
    if (header.message_type, header.trigger) not in TAKEN:
        raise FormatError("MSH-9", Reason.TYPE_NOT_TAKEN)
    segments = read_segments(raw, header)
    if header.message_type == "ORM":
        bookings = list(_orders(segments, site_zone))
    else:
        bookings = list(_appointments(segments, _APPOINTMENT_ACTS[header.trigger], site_zone))
    _refuse_contradictions(bookings)
    return bookings


def _groups(segments: Iterable[Segment]) -> Iterator[tuple[Segment, Segment]]:
    """(ORC, OBR) of each order: every OBR with the ORC before it, an ORC without OBR alone."""
    orc = Segment(None, "ORC")
    alone = False
    for segment in segments:
        if segment.name == "ORC":
            if alone:
                yield orc, Segment(None, "OBR")
            orc, alone = segment, True
        elif segment.name == "OBR":
            yield orc, segment
            alone = False
    if alone:
        yield orc, Segment(None, "OBR")


@dataclass(frozen=True)
class _Places:
    """Where each value of a booking may stand, the best place first."""

    accession: list[Place]
    start: list[Place]
    procedure: list[Place]
    room: list[Place]


def _orders(segments: list[Segment], zone: ZoneInfo) -> Iterator[BookingMessage]:
    groups = list(_groups(segments))
    if not groups:
        raise FormatError("ORC", Reason.MISSING)
    for orc, obr in groups:
        if _has_started(orc):
            act = BookingAct.NO_CHANGE
        elif not (control := orc.code(1).upper()):
            raise FormatError(f"{orc.place}-1", Reason.MISSING)
        elif control in _ORDER_ACTS:
            act = _ORDER_ACTS[control]
        else:
            raise FormatError(f"{orc.place}-1", Reason.UNKNOWN_ORDER_CONTROL)
        places = _Places(
            accession=[(orc, 20, 1), (obr, 20, 1)],
            start=[(orc, 7, 4)],
            procedure=[(obr, 4, 1)],
            room=[(obr, 21, 1)],
        )
        yield _booking(act, places, zone)


def _appointments(
    segments: list[Segment], act_of_trigger: BookingAct, zone: ZoneInfo
) -> Iterator[BookingMessage]:
    sch = next((segment for segment in segments if segment.name == "SCH"), None)
    if sch is None:
        raise FormatError("SCH", Reason.MISSING)
    resources = list(_not_deleted(segments))
    ais = _the_one("AIS", resources, [(3, 1), (4, 1)])
    ail = _the_one("AIL", resources, [(3, 1), (3, 2)])
    timing = _the_one("TQ1", segments, [(7, 1)])
    state = _STATES.get(sch.code(25).casefold())
    groups = list(_groups(segments)) or [(Segment(None, "ORC"), Segment(None, "OBR"))]
    for orc, obr in groups:
        act = BookingAct.NO_CHANGE if _has_started(orc) else state or act_of_trigger
        places = _Places(
            accession=[(orc, 20, 1), (obr, 20, 1), (sch, 26, 1), (sch, 27, 1), (sch, 2, 1)],
            start=[(orc, 7, 4), (sch, 11, 4), (timing, 7, 1), (ais, 4, 1)],
            procedure=[(obr, 4, 1), (ais, 3, 1)],
            room=[(obr, 21, 1), (ail, 3, 2), (ail, 3, 1)],
        )
        yield _booking(act, places, zone)


def _not_deleted(segments: list[Segment]) -> Iterator[Segment]:
    """The resources that the appointment has now, without those that the message takes off it."""
    group_deleted = False
    for segment in segments:
        deleted = segment.name in ("RGS", "AIS", "AIL") and segment.code(2).upper() == _DELETE
        if segment.name == "RGS":
            group_deleted = deleted
        elif not (deleted or group_deleted):
            yield segment


def _the_one(name: str, segments: list[Segment], values: list[tuple[int, int]]) -> Segment:
    """The segment of this name. Several that say the same are one; several that differ count as
    none, for which one is meant would be a guess."""
    found = [segment for segment in segments if segment.name == name]
    if len({tuple(segment.code(*value) for value in values) for segment in found}) == 1:
        return found[0]
    return Segment(None, f"{name}[1-{len(found)}]" if found else name)


def _booking(act: BookingAct, places: _Places, zone: ZoneInfo) -> BookingMessage:
    if act is BookingAct.NO_CHANGE:
        accession = next(filter(None, (s.code(f, c) for s, f, c in places.accession)), "")
        return BookingMessage(act, accession)
    accession = code_at(places.accession)
    if act is BookingAct.CANCEL:
        return BookingMessage(act, accession)
    segment, field, component = first_filled(places.procedure)
    return BookingMessage(
        act=act,
        accession=accession,
        starts_at=_start(places.start, zone),
        procedure_code=segment.code(field, component),
        procedure_text=segment.text(field, component + 1),
        room=code_at(places.room),
    )


def _has_started(orc: Segment) -> bool:
    return orc.code(5).casefold() == "examstarted"


# YYYYMMDDHHMM[SS[.S[S[S[S]]]]][+/-ZZZZ]; a date alone is no start. The years are those in which
# any zone can be reckoned with, and in which a booking can lie.
_TIMESTAMP = re.compile(r"(20\d{10})(\d{2}(?:\.\d{1,6})?)?(?:([+-])(\d{2})([0-5]\d))?", re.ASCII)


def _start(places: list[Place], zone: ZoneInfo) -> datetime:
    """When the examination begins. The hour that comes twice in autumn is taken as the first."""
    segment, field, component = first_filled(places)
    where = f"{segment.place}-{field}.{component}"
    if not (found := _TIMESTAMP.fullmatch(segment.code(field, component))):
        raise FormatError(where, Reason.UNREADABLE_TIME)
    minutes, seconds, sign, offset_h, offset_min = found.groups()
    try:
        clock = datetime.strptime(minutes, "%Y%m%d%H%M")  # noqa: DTZ007 - the zone comes below
        clock = clock.replace(second=int((seconds or "0")[:2]))
        if sign is None:
            return local_moment(clock.time(), clock.date(), zone)
        offset = timedelta(hours=int(offset_h), minutes=int(offset_min))
        return clock.replace(tzinfo=timezone(-offset if sign == "-" else offset)).astimezone(zone)
    except ValueError:
        raise FormatError(where, Reason.UNREADABLE_TIME) from None


def _refuse_contradictions(bookings: list[BookingMessage]) -> None:
    wanted: dict[str, BookingMessage] = {}
    for booking in bookings:
        if booking.act is BookingAct.CANCEL:  # cancelled and then created anew is no contradiction
            wanted.pop(booking.accession, None)
        elif booking.act is not BookingAct.UPSERT:
            continue
        elif wanted.setdefault(booking.accession, booking) != booking:
            raise FormatError("OBR", Reason.CONTRADICTION)
