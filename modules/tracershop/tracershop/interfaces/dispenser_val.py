"""`VAL*` files: one vial as text, `key:` padded to 12 columns and a value on each line (TS-060 a).

| key | value | of the vial |
|---|---|---|
| customer | `<dispenser's number>-<name>` | customer_id, customer_name |
| charge | lot number | lot |
| filldate, filltime | `dd.mm.yy`, `HH:MM:SS` | filled_at |
| activity | `N[.N] MBq;` (kBq and GBq are understood) | activity_mbq |
| volume | `N[.N] ml` | volume_ml |
| product, use_before | isotope; `dd/mm/yy HH:MM` | product, expires_at |
| part, depotpos, dispenser | as they stand | part, position, dispenser |
| gros, tare, net | `N[.N] g` | gross_g, tare_g, net_g |

Customer to volume must be filled; `product` and `use_before` must be there, perhaps empty: a file
cut short must not pass for a vial without expiry. Other keys (`syntesis`) are left aside. The
format names ISO-8859-1; UTF-8 is recognised and read as such.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from tracershop.interfaces.dispensed import DispensedVial
from tracershop.interfaces.errors import FormatError, Reason
from tracershop.interfaces.reading import (
    bounded,
    decode_text,
    mbq_in,
    read_amount,
    read_customer,
    read_number,
    read_short,
    read_time,
    split_unit,
)

MAX_BYTES = 64 * 1024
KEYS = ("customer", "part", "charge", "depotpos", "filldate", "filltime", "activity", "volume",
        "gros", "tare", "net", "product", "use_before", "dispenser")  # fmt: skip
_FILLED = ("customer", "charge", "filldate", "filltime", "activity", "volume")
_PRESENT = ("product", "use_before")


def parse_val(raw: bytes, zone: ZoneInfo) -> DispensedVial:
    """The vial of a `VAL*` file, whose times are in `zone`. FormatError names the line and key."""
    if len(raw) > MAX_BYTES:
        raise FormatError("file", Reason.TOO_LARGE)
    lines = _lines(decode_text(raw))
    customer_id, customer_name = read_customer(*lines["customer"])
    return DispensedVial(
        lot=read_short(*lines["charge"]),
        customer_id=customer_id,
        customer_name=customer_name,
        filled_at=_filled_at(lines, zone),
        activity_mbq=_activity_mbq(*lines["activity"]),
        volume_ml=read_amount(lines["volume"][0], "ml", lines["volume"][1]),
        product=read_short(*lines["product"]),
        expires_at=_expires_at(*lines["use_before"], zone),
        dispenser=read_short(*lines["dispenser"]),
        part=read_short(*lines["part"]),
        position=read_short(*lines["depotpos"]),
        gross_g=_weight_g(*lines["gros"]),
        tare_g=_weight_g(*lines["tare"]),
        net_g=_weight_g(*lines["net"]),
    )


_Line = tuple[str, str]  # the value, and where it stands


def _lines(text: str) -> dict[str, _Line]:
    """Every key of `KEYS`; one that is not there and need not be has an empty value."""
    lines: dict[str, _Line] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        written = re.match(r"\s*(\w+)\s*:(.*)", line)
        if not written:
            raise FormatError(f"line {number}", Reason.UNREADABLE)
        key = written[1].casefold()
        where = f"line {number}, {key}"
        if key not in KEYS:
            continue
        if key in lines:
            raise FormatError(where, Reason.TWICE)
        lines[key] = written[2].strip(), where
    last = next(reversed(lines), "")
    if text.rstrip(" \t").endswith(":") and last in _PRESENT:
        raise FormatError(lines[last][1], Reason.MISSING)  # cut short just before the value
    for key in KEYS:
        if key not in lines and key in _FILLED + _PRESENT:
            raise FormatError(key, Reason.MISSING)
        value, where = lines.setdefault(key, ("", key))
        if not value and key in _FILLED:
            raise FormatError(where, Reason.MISSING)
    return lines


def _filled_at(lines: dict[str, _Line], zone: ZoneInfo) -> datetime:
    day, where = lines["filldate"]
    pattern = r"\d\d\.\d\d\.\d\d \d\d:\d\d:\d\d"
    form = "%d.%m.%y %H:%M:%S"
    return read_time(f"{day} {lines['filltime'][0]}", pattern, form, where, zone)


def _expires_at(value: str, where: str, zone: ZoneInfo) -> datetime | None:
    if not value:
        return None
    return read_time(value, r"\d\d/\d\d/\d\d \d\d:\d\d", "%d/%m/%y %H:%M", where, zone)


def _activity_mbq(value: str, where: str) -> float:
    number, unit = split_unit(value.removesuffix(";").rstrip())
    amount = read_number(number, where)
    factor = mbq_in(unit)
    if factor is None:
        raise FormatError(where, Reason.UNKNOWN_UNIT)
    return float(bounded(amount * factor, where))


def _weight_g(value: str, where: str) -> float | None:
    return read_amount(value, "g", where) if value else None
