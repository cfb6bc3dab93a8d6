"""Files as the dispensers write them, for the demo and the tests.

Times are written on the clock of the vial's own zone, which must be the one they are read in.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from decimal import Decimal

from tracershop.interfaces.dispensed import DispensedVial, ValueStatus
from tracershop.interfaces.dispenser_table import COLUMNS
from tracershop.interfaces.dispenser_val import KEYS
from tracershop.interfaces.reading import decode_text, read_customer

_STATUS_WORDS = {
    ValueStatus.INSTRUMENT: "Instrument",
    ValueStatus.KEYBOARD: "Keyboard",
    ValueStatus.KEYBOARD_REENTERED: "KeyboardReentered",
}


def write_val(vial: DispensedVial) -> bytes:
    """A `VAL*` file. It has no place for `value_status`, for seconds of the expiry, nor for
    fractions of a second. ValueError for a vial whose text it cannot carry unmistakably."""
    values = {
        "customer": _customer(vial),
        "part": vial.part,
        "charge": vial.lot,
        "depotpos": vial.position,
        "filldate": f"{vial.filled_at:%d.%m.%y}",
        "filltime": f"{vial.filled_at:%H:%M:%S}",
        "activity": f"{_plain(vial.activity_mbq)} MBq;",
        "volume": f"{_plain(vial.volume_ml)} ml",
        "gros": _grams(vial.gross_g),
        "tare": _grams(vial.tare_g),
        "net": _grams(vial.net_g),
        "product": vial.product,
        "use_before": f"{vial.expires_at:%d/%m/%y %H:%M}" if vial.expires_at else "",
        "dispenser": vial.dispenser,
    }
    text = "".join(f"{key + ':':<12}{values[key]}\r\n" for key in KEYS)
    raw = text.encode("iso-8859-1")  # UnicodeEncodeError is a ValueError
    if decode_text(raw) != text:
        raise ValueError("this text would be taken for another encoding")
    return raw


def write_csv(
    vials: Iterable[DispensedVial], *, delimiter: str = ",", encoding: str = "utf-8-sig"
) -> bytes:
    """A table of one row for each vial. It has no place for product, expiry, dispenser, position
    and weights. ValueError for a vial without `value_status`, which every row must have."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, delimiter=delimiter)
    writer.writeheader()
    for vial in vials:
        if vial.value_status is None:
            raise ValueError("a row of a table must say how its value came to be known")
        writer.writerow(
            {
                "BatchReference": vial.lot,
                "Customer": _customer(vial),
                "CustomerAddress": "",
                "DateTimeStamp": f"{vial.filled_at:%d-%m-%Y %H:%M:%S}",
                "DispensedDose": _plain(vial.activity_mbq),
                "DoseName": vial.part,
                "Name": "Activity",
                "RadVolumeDispensed": _plain(vial.volume_ml),
                "Status": _STATUS_WORDS[vial.value_status],
                "Value": _plain(vial.activity_mbq),
                "ValueType": "Double",
                "ValueUnits": "MBq",
                "VariableName": "DispensedDose",
            }
        )
    return table.getvalue().encode(encoding)


def _customer(vial: DispensedVial) -> str:
    written = vial.customer_name
    if vial.customer_id is not None:
        written = f"{vial.customer_id}-{vial.customer_name}"
    if read_customer(written, "customer") != (vial.customer_id, vial.customer_name):
        raise ValueError("this customer would be read as another")
    return written


def _plain(number: float) -> str:
    return f"{Decimal(str(number)):f}"


def _grams(weight_g: float | None) -> str:
    return "" if weight_g is None else f"{_plain(weight_g)} g"
