"""The rows of a `*.csv` or `*.xlsx` file, whatever they mean.

Text files: the delimiter (comma, semicolon, tab) is the one that divides the header. A quoted
field may hold line breaks. A quote that is never closed would swallow the rows after it, so a
record whose structure is wrong costs its first line only, and reading goes on at the next line.
"""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from openpyxl import load_workbook

from tracershop.interfaces.errors import FormatError, Reason
from tracershop.interfaces.reading import decode_text

Cell = str | int | float | datetime
ZIP_MAGIC = b"PK\x03\x04"
MAX_RECORD_LINES = 20  # lines of text that one record can span
MAX_CELL = 2000  # characters
_MAX_COLUMNS = 64


@dataclass(frozen=True)
class Limits:
    """What is refused whole as too large, before it is read."""

    max_bytes: int = 5 * 1024 * 1024
    max_unpacked_bytes: int = 50 * 1024 * 1024  # of all parts of a workbook together
    max_parts: int = 500
    max_rows: int = 20_000


@dataclass
class Rows:
    """`header` and the (number, cells) of each row under it, every one as long as the header;
    `bad_numbers` are those of rows with another number of columns. Blank rows are left out."""

    header: list[str]
    rows: list[tuple[int, list[Cell]]] = field(default_factory=list)
    bad_numbers: list[int] = field(default_factory=list)


def read_rows(raw: bytes, limits: Limits) -> Rows:
    """The first sheet of a workbook, or the text file. FormatError when the whole is unreadable."""
    if len(raw) > limits.max_bytes:
        raise FormatError("file", Reason.TOO_LARGE)
    if raw.startswith(ZIP_MAGIC):
        return _workbook_rows(raw, limits)
    return _text_rows(decode_text(raw), limits)


def _text_rows(text: str, limits: Limits) -> Rows:
    lines = io.StringIO(text, newline="").readlines()
    if len(lines) > limits.max_rows * MAX_RECORD_LINES:
        raise FormatError("file", Reason.TOO_LARGE)
    first = next(number for number, line in enumerate(lines) if line.strip())
    delimiter = max(",;\t", key=lines[first].count)
    header = _record([lines[first]], delimiter)
    if header is None:
        raise FormatError(f"row {first + 1}", Reason.NO_HEADER)
    result = Rows([name.strip() for name in header])
    at = first + 1
    while at < len(lines):
        for span in (_span(lines, at), 1):  # 1: a quote that is only a sign, as in `14" tube`
            record = _record(lines[at : at + span], delimiter)
            if record is not None and len(record) == len(header):
                if any(value.strip() for value in record):
                    result.rows.append((at + 1, list(record)))
                break
        else:
            if lines[at].strip(" \t\r\n" + delimiter):
                result.bad_numbers.append(at + 1)
        at += span
        if len(result.rows) + len(result.bad_numbers) > limits.max_rows:
            raise FormatError("file", Reason.TOO_LARGE)
    return result


def _span(lines: list[str], at: int) -> int:
    """How many lines the record at `at` takes: until its quotes close; 1 when they never do."""
    quotes = 0
    for number, line in enumerate(lines[at : at + MAX_RECORD_LINES], start=1):
        quotes += line.count('"')
        if quotes % 2 == 0:
            return number
    return 1


def _record(lines: list[str], delimiter: str) -> list[str] | None:
    try:
        records = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    if len(records) != 1 or any(len(value) > MAX_CELL for value in records[0]):
        return None
    return records[0]


def _workbook_rows(raw: bytes, limits: Limits) -> Rows:
    _refuse_bomb(raw, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are not read here
            workbook = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
            try:
                sheet = workbook.worksheets[0]
                sheet.reset_dimensions()  # what a file says of its own size may be wrong
                return _sheet_rows(sheet.iter_rows(max_col=_MAX_COLUMNS, values_only=True), limits)
            finally:
                workbook.close()
    except FormatError:
        raise
    except Exception:  # a damaged workbook makes openpyxl fail in any way at all
        raise FormatError("file", Reason.DAMAGED_WORKBOOK) from None


def _refuse_bomb(raw: bytes, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise FormatError("file", Reason.DAMAGED_WORKBOOK) from None
    # zipfile never gives more of a part than its directory says, so these sizes hold.
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > limits.max_parts or unpacked > limits.max_unpacked_bytes:
        raise FormatError("file", Reason.TOO_LARGE)


def _sheet_rows(rows: Iterable[tuple[object, ...]], limits: Limits) -> Rows:
    result: Rows | None = None
    for number, cells in _filled(rows, limits):
        if result is None:
            names = [str(cell).strip() for cell in cells]
            while names and not names[-1]:
                names.pop()
            result = Rows(names)
        elif any(cell != "" for cell in cells[len(result.header) :]):
            result.bad_numbers.append(number)
        else:
            result.rows.append((number, cells[: len(result.header)]))
    if result is None:
        raise FormatError("file", Reason.EMPTY)
    return result


def _filled(rows: Iterable[tuple[object, ...]], limits: Limits) -> Iterator[tuple[int, list[Cell]]]:
    for number, values in enumerate(rows, start=1):
        if number > limits.max_rows:
            raise FormatError(f"row {number}", Reason.TOO_LARGE)
        cells = [_cell(value) for value in values]
        if any(cell != "" for cell in cells):
            yield number, cells + [""] * (_MAX_COLUMNS - len(cells))


def _cell(value: object) -> Cell:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float | datetime):
        return value
    return "" if value is None else str(value)[: MAX_CELL + 1].strip()
