"""A list as an Excel workbook. Nothing that a person typed becomes a formula (OWASP)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from io import BytesIO
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from portal.audit.services import Access, log_access

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LONGEST_TEXT = 32_767  # what a cell of Excel holds
_WIDEST_COLUMN = 60


def workbook_response(
    filename: str,
    head: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    *,
    of: Any,
    patient: str = "",
    facts: dict[str, Any] | None = None,
) -> HttpResponse:
    """A download of one sheet: ``head`` in bold and kept in sight, below it ``rows``.

    The access log gets it as an export ``of`` a record or, in words, a list; ``facts`` says which
    part: filters, how many rows; ``patient`` whose file it is, where it is one patient's.

    Numbers stay numbers, dates stay dates, moments are given by the site's clock; everything else
    is text, also where it begins like a formula. The caller has narrowed the rows to what the
    person may see.
    """
    log_access(Access.EXPORT, of, patient=patient, data={"format": "xlsx", **(facts or {})})
    response = HttpResponse(workbook(head, rows), content_type=CONTENT_TYPE)
    response["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename=filename
    )
    return response


def workbook(head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> bytes:
    """The workbook's bytes."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.freeze_panes = "A2"
    # widths must be told before the first row is written
    for number, title in enumerate(head, start=1):
        width = min(max(len(str(title)) + 4, 14), _WIDEST_COLUMN)
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.append([_title(sheet, title) for title in head])
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _title(sheet: Any, text: Any) -> WriteOnlyCell:
    cell = _cell(sheet, str(text))
    cell.font = Font(bold=True)
    return cell


def _cell(sheet: Any, value: Any) -> WriteOnlyCell:
    if value is None or isinstance(value, (bool, int, float)):
        return WriteOnlyCell(sheet, value)
    if isinstance(value, datetime):  # Excel knows no zones
        cell = WriteOnlyCell(sheet, timezone.localtime(value).replace(tzinfo=None))
        cell.number_format = "yyyy-mm-dd hh:mm"
        return cell
    if isinstance(value, date):
        cell = WriteOnlyCell(sheet, value)
        cell.number_format = "yyyy-mm-dd"
        return cell
    text = ILLEGAL_CHARACTERS_RE.sub(" ", str(value))[:_LONGEST_TEXT]
    cell = WriteOnlyCell(sheet, text)
    if cell.data_type != "s":  # it looks like a formula or an error: it is a text
        cell.data_type = "s"
        cell.quotePrefix = True
    return cell
