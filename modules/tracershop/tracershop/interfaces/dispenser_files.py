"""A file of the watched folder, read by whoever wrote it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from tracershop.interfaces.dispensed import TableResult
from tracershop.interfaces.dispenser_table import DEFAULT_LIMITS, parse_table
from tracershop.interfaces.dispenser_val import parse_val
from tracershop.interfaces.errors import FormatError, Reason
from tracershop.interfaces.table_rows import ZIP_MAGIC, Limits


def is_dispenser_file(filename: str) -> bool:
    """Whether a file of this name is one to read: `VAL*`, `*.csv`, `*.xlsx`, in any case."""
    name = _name(filename)
    return name.startswith("val") or name.endswith((".csv", ".xlsx"))


def read_dispenser_file(
    raw: bytes, filename: str, zone: ZoneInfo, *, limits: Limits = DEFAULT_LIMITS
) -> TableResult:
    """The vials of the file, whose times are in `zone`; the format by its name and content.

    A workbook is one whatever it is called, and a `VAL*` file may end in anything. FormatError
    when the file as a whole cannot be read; bad rows of a table are in the result.
    """
    if not raw:
        raise FormatError("file", Reason.EMPTY)
    if not is_dispenser_file(filename):
        raise FormatError("file name", Reason.UNKNOWN_FORMAT)
    if raw.startswith(ZIP_MAGIC) or _name(filename).endswith((".csv", ".xlsx")):
        return parse_table(raw, filename, zone, limits=limits)
    return TableResult([parse_val(raw, zone)], [], [(1,)])


def _name(filename: str) -> str:
    return filename.replace("\\", "/").rpartition("/")[2].casefold()
