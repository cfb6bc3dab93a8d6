"""Reading what dispensers write: text, numbers, times and customers."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tracershop.interfaces.errors import FormatError, Reason
from tracershop.rules.moments import local_moment

MAX_SHORT = 64  # characters of a lot, part, position, product, dispenser
MAX_NAME = 255
MAX_NUMBER = 10_000_000  # more than any activity (MBq), volume (ml) or weight (g) of a vial
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def decode_text(raw: bytes) -> str:
    """The text of a file: UTF-8 (with or without a mark) when it can be that, else Windows-1252,
    which has the printable characters of ISO-8859-1 in the same places.

    FormatError for UTF-16, for bytes that are no text, and for nothing. Text of another encoding
    with letters outside ASCII is, in practice, never valid UTF-8 by accident.
    """
    if raw.startswith(_WIDE_BOMS) or re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", raw):
        raise FormatError("file", Reason.NOT_TEXT)
    # Bytes that begin with the mark of UTF-8 and are not UTF-8 are not taken for anything else.
    for codec in ("utf-8-sig",) if raw.startswith(codecs.BOM_UTF8) else ("utf-8", "cp1252"):
        with suppress(UnicodeDecodeError):
            text = raw.decode(codec)
            if not text.strip():
                raise FormatError("file", Reason.EMPTY)
            return text
    raise FormatError("file", Reason.NOT_TEXT)


def read_short(text: str, where: str, max_length: int = MAX_SHORT) -> str:
    """`text` on one line, its blanks made single. FormatError when too long or not printable."""
    one_line = " ".join(text.split())
    if len(one_line) > max_length:
        raise FormatError(where, Reason.TOO_LONG)
    if not one_line.isprintable():
        raise FormatError(where, Reason.UNREADABLE)
    return one_line


def read_number(text: str, where: str) -> Decimal:
    """A number of zero or more, with decimal comma or point.

    A single comma or point is always the decimal sign, also before three digits: dispensers write
    no thousands separators. A number with both, or with two of one, could be meant in two ways
    and is refused.
    """
    if not re.fullmatch(r"\d+([.,]\d+)?", text, re.ASCII):
        raise FormatError(where, Reason.UNREADABLE_NUMBER)
    return bounded(Decimal(text.replace(",", ".")), where)


def bounded(number: Decimal, where: str) -> Decimal:
    """`number` when a vial can have so much of anything."""
    if not number.is_finite() or number < 0:
        raise FormatError(where, Reason.UNREADABLE_NUMBER)
    if number > MAX_NUMBER:
        raise FormatError(where, Reason.NUMBER_TOO_LARGE)
    return number


def split_unit(text: str) -> tuple[str, str]:
    """(number, unit) of `14.82 ml` or `14.82ml`; the unit is empty when there is none."""
    number = re.match(r"[\d.,]*", text, re.ASCII)
    end = number.end() if number else 0
    return text[:end], text[end:].strip()


def read_amount(text: str, unit: str, where: str) -> float:
    """A number with its unit: `14.82 ml`, `13,5 g`."""
    number, found_unit = split_unit(text)
    amount = read_number(number, where)
    if found_unit.casefold() != unit:
        raise FormatError(where, Reason.UNKNOWN_UNIT)
    return float(amount)


_MBQ_IN = {"kbq": Decimal("0.001"), "mbq": Decimal(1), "gbq": Decimal(1000)}


def mbq_in(unit: str) -> Decimal | None:
    """How many MBq the unit of activity is; None when it is none."""
    return _MBQ_IN.get(unit.strip().casefold())


def read_time(text: str, pattern: str, form: str, where: str, zone: ZoneInfo) -> datetime:
    """The moment at which the dispenser's clock, which runs in `zone`, showed `text`.

    `pattern` is what the text must look like exactly, `form` how to read it. In the hour that
    comes twice in autumn, and the one that spring leaves out, FormatError: an hour is nearly half
    the activity of a short-lived nuclide, so a person must say which it was.
    """
    if not re.fullmatch(pattern, text, re.ASCII):
        raise FormatError(where, Reason.UNREADABLE_TIME)
    try:
        clock = datetime.strptime(text, form)  # noqa: DTZ007 - the zone comes below
    except ValueError:
        raise FormatError(where, Reason.UNREADABLE_TIME) from None
    return moment_in(clock, where, zone)


def moment_in(clock: datetime, where: str, zone: ZoneInfo) -> datetime:
    """As `read_time`, of a time already read."""
    if not 2000 <= clock.year <= 2099:
        raise FormatError(where, Reason.UNREADABLE_TIME)
    moment = local_moment(clock.time(), clock.date(), zone)
    if moment.replace(tzinfo=None) != clock:
        raise FormatError(where, Reason.NO_SUCH_TIME)
    if moment.replace(fold=1).astimezone(UTC) != moment.astimezone(UTC):
        raise FormatError(where, Reason.TIME_COMES_TWICE)
    return moment


def read_customer(text: str, where: str) -> tuple[int | None, str]:
    """(number, name) of `4-Rigshospitalet`, of `4` alone (name empty), of a name (number None)."""
    one_line = read_short(text, where, MAX_NAME)
    if not one_line:
        raise FormatError(where, Reason.MISSING)
    if numbered := re.fullmatch(r"(\d{1,9})(?: ?- ?(.*))?", one_line, re.ASCII):
        return int(numbered[1]), numbered[2] or ""
    return None, one_line
