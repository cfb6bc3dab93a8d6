"""The logs as files. What a spreadsheet would take for a formula is text (PT-024)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from io import BytesIO, StringIO
from typing import Any

from django.utils import timezone
from openpyxl import Workbook

from portal.audit.models import Entry

COLUMNS = (
    "id", "at", "actor_id", "actor_name", "acting_as", "service", "action", "object_type",
    "object_id", "object_repr", "patient", "reason", "data", "request_id", "address",
)  # fmt: skip
LARGEST_SHEET = 100_000
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")


def safe_text(value: Any) -> str:
    """Text that no spreadsheet takes for a formula (OWASP: CSV injection), and that prints."""
    text = "" if value is None else str(value)
    begins_like_a_formula = text.startswith(_FORMULA)
    text = "".join(char if char >= " " or char in "\t\n" else " " for char in text)
    if begins_like_a_formula or text.lstrip(" ").startswith(_FORMULA):
        text = "'" + text
    return text


def row(entry: Entry) -> list[Any]:
    """The entry's columns; numbers as numbers, times in the site's zone with their offset."""
    cells: list[Any] = []
    for name in COLUMNS:
        value = getattr(entry, name)
        if name == "at":
            value = timezone.localtime(value).isoformat(timespec="milliseconds")
        elif name == "data":
            value = json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
        cells.append(value if isinstance(value, int) else safe_text(value))
    return cells


def as_csv(entries: Iterable[Entry]) -> Iterator[str]:
    """Lines of a CSV file (UTF-8 with its mark, so that Excel reads the letters)."""
    buffer = StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow(row(entry))
        if buffer.tell() > 64 * 1024:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def as_excel(entries: Iterable[Entry], title: str) -> bytes:
    """An Excel workbook with one sheet."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    sheet.freeze_panes = "A2"
    sheet.append(list(COLUMNS))
    for entry in entries:
        sheet.append(row(entry))
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()
