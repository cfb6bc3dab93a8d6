"""`*.csv` and `*.xlsx` of the newer dispenser: many vials, as rows of variables (TS-060 b).

Each row names a vial and carries one variable measured or typed for it. What is read:

| column | of the vial |
|---|---|
| BatchReference | lot |
| Customer | customer_name, or customer_id and name of `4-Rigshospitalet` |
| DateTimeStamp | filled_at: `dd-mm-YYYY HH:MM:SS` on the clock of the site, or a date cell |
| DispensedDose | activity, in its own unit (`500 MBq`) or else in that of ValueUnits |
| RadVolumeDispensed | volume in ml |
| DoseName | part |
| ValueUnits | kBq, MBq or GBq in any case: the unit of DispensedDose |
| Status | value_status of the rows that give the activity; the most manual of several |

CustomerAddress, Name, VariableName, ValueType and Value are not kept. Rows with the same lot,
customer, time, dose and volume are one vial (the identity of TS-061). Of such rows those with a
unit of activity give it; when they name different units, those whose Value is the dose itself. A
row whose unit is of something else (`ml`) is a further variable of a vial that has such a row,
and a bad row by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tracershop.interfaces.dispensed import BadRow, DispensedVial, TableResult, ValueStatus
from tracershop.interfaces.errors import FormatError, Reason
from tracershop.interfaces.reading import (
    bounded,
    mbq_in,
    moment_in,
    read_customer,
    read_number,
    read_short,
    read_time,
    split_unit,
)
from tracershop.interfaces.table_rows import ZIP_MAGIC, Cell, Limits, read_rows

COLUMNS = (
    "BatchReference",
    "Customer",
    "CustomerAddress",
    "DateTimeStamp",
    "DispensedDose",
    "DoseName",
    "Name",
    "RadVolumeDispensed",
    "Status",
    "Value",
    "ValueType",
    "ValueUnits",
    "VariableName",
)
_STATUSES = {status.replace("_", ""): status for status in ValueStatus}
_MOST_MANUAL_LAST = (
    ValueStatus.INSTRUMENT,
    ValueStatus.KEYBOARD_REENTERED,  # typed twice and compared
    ValueStatus.KEYBOARD,
)
DEFAULT_LIMITS = Limits()


def parse_table(
    raw: bytes, filename: str, zone: ZoneInfo, *, limits: Limits = DEFAULT_LIMITS
) -> TableResult:
    """The vials and the bad rows of a table. FormatError when the file or its header is bad."""
    if filename.casefold().endswith(".xlsx") and not raw.startswith(ZIP_MAGIC):
        raise FormatError("file", Reason.DAMAGED_WORKBOOK if raw else Reason.EMPTY)
    table = read_rows(raw, limits)
    columns = _columns(table.header)
    bad_rows = [BadRow((n,), f"row {n}", Reason.COLUMN_COUNT) for n in table.bad_numbers]
    vials: dict[tuple[object, ...], list[_Row]] = {}
    for number, cells in table.rows:
        try:
            row = _Row.read(_Cells(number, cells, columns), zone)
        except FormatError as error:
            bad_rows.append(BadRow((number,), error.where, error.reason))
        else:
            vials.setdefault(row.vial_key, []).append(row)
    result = TableResult([], bad_rows, [])
    for rows in vials.values():
        numbers = tuple(row.number for row in rows)
        try:
            result.vials.append(_vial(rows))
            result.vial_rows.append(numbers)
        except FormatError as error:
            bad_rows.append(BadRow(numbers, error.where, error.reason))
    bad_rows.sort(key=lambda bad: bad.row_numbers)
    return result


def _columns(header: list[str]) -> Mapping[str, int]:
    """Where each column stands; in any order and case, others beside them are left aside."""
    names = [name.casefold() for name in header]
    for column in COLUMNS:
        if names.count(column.casefold()) != 1:
            twice = column.casefold() in names
            raise FormatError(f"header, {column}", Reason.TWICE if twice else Reason.NO_HEADER)
    return {column: names.index(column.casefold()) for column in COLUMNS}


@dataclass(frozen=True)
class _Cells:
    """The cells of one row by the names of their columns."""

    number: int
    cells: list[Cell]
    columns: Mapping[str, int]

    def where(self, column: str) -> str:
        return f"row {self.number}, {column}"

    def cell(self, column: str) -> Cell:
        return self.cells[self.columns[column]]

    def text(self, column: str) -> str:
        cell = self.cell(column)
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)  # a sheet keeps `4` as 4.0
        return str(cell).strip()

    def filled(self, column: str) -> str:
        """The text, on one line; FormatError when there is none."""
        text = read_short(self.text(column), self.where(column))
        if not text:
            raise FormatError(self.where(column), Reason.MISSING)
        return text

    def number_and_unit(self, column: str) -> tuple[Decimal, str]:
        cell = self.cell(column)
        where = self.where(column)
        if isinstance(cell, int | float):
            return bounded(Decimal(str(cell)), where), ""
        number, unit = split_unit(self.filled(column))
        return read_number(number, where), unit

    def moment(self, column: str, zone: ZoneInfo) -> datetime:
        cell = self.cell(column)
        where = self.where(column)
        if isinstance(cell, datetime):
            # A sheet keeps times as fractions of a day: back to the second that was meant.
            second = (cell + timedelta(microseconds=500_000)).replace(microsecond=0)
            return moment_in(second.replace(tzinfo=None), where, zone)
        pattern = r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d"
        return read_time(self.filled(column), pattern, "%d-%m-%Y %H:%M:%S", where, zone)


@dataclass(frozen=True)
class _Row:
    """One row, read: a vial and what this row says of it."""

    number: int
    lot: str
    customer_id: int | None
    customer_name: str
    filled_at: datetime
    dose: Decimal  # in the unit that mbq_per_unit gives
    volume_ml: Decimal
    part: str
    own_unit: str  # the unit written beside the dose, if any
    mbq_per_unit: Decimal | None  # None: the unit of this row is not one of activity
    gives_dose: bool  # the variable of this row is the dose itself
    status: ValueStatus

    @classmethod
    def read(cls, cells: _Cells, zone: ZoneInfo) -> _Row:
        customer_id, customer_name = read_customer(cells.text("Customer"), cells.where("Customer"))
        dose, own_unit = cells.number_and_unit("DispensedDose")
        factor = mbq_in(own_unit or cells.text("ValueUnits"))
        if own_unit and factor is None:
            raise FormatError(cells.where("DispensedDose"), Reason.UNKNOWN_UNIT)
        volume_ml, volume_unit = cells.number_and_unit("RadVolumeDispensed")
        if volume_unit.casefold() not in {"", "ml"}:
            raise FormatError(cells.where("RadVolumeDispensed"), Reason.UNKNOWN_UNIT)
        status = _STATUSES.get("".join(filter(str.isalpha, cells.filled("Status").casefold())))
        if status is None:
            raise FormatError(cells.where("Status"), Reason.UNREADABLE)
        return cls(
            number=cells.number,
            lot=cells.filled("BatchReference"),
            customer_id=customer_id,
            customer_name=customer_name,
            filled_at=cells.moment("DateTimeStamp", zone),
            dose=dose,
            volume_ml=volume_ml,
            part=read_short(cells.text("DoseName"), cells.where("DoseName")),
            own_unit=own_unit.casefold(),
            mbq_per_unit=factor,
            gives_dose=_is_number(cells, "Value", dose),
            status=status,
        )

    @property
    def vial_key(self) -> tuple[object, ...]:
        customer = self.customer_id if self.customer_id is not None else self.customer_name
        filled_at = self.filled_at.astimezone(UTC)
        return (
            self.lot,
            str(customer).casefold(),
            filled_at,
            self.dose,
            self.own_unit,
            self.volume_ml,
        )


def _is_number(cells: _Cells, column: str, number: Decimal) -> bool:
    try:
        return cells.number_and_unit(column)[0] == number
    except FormatError:
        return False  # a variable may have any value: a text, a date, nothing


def _vial(rows: list[_Row]) -> DispensedVial:
    with_unit = [row for row in rows if row.mbq_per_unit is not None]
    if not with_unit:
        raise FormatError(f"row {rows[0].number}, ValueUnits", Reason.UNKNOWN_UNIT)
    if _differ(with_unit):
        with_unit = [row for row in with_unit if row.gives_dose]
        if not with_unit or _differ(with_unit):
            raise FormatError(f"row {rows[0].number}, ValueUnits", Reason.CONTRADICTION)
    row = with_unit[0]
    where = f"row {row.number}, DispensedDose"
    return DispensedVial(
        lot=row.lot,
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        filled_at=row.filled_at,
        activity_mbq=float(bounded(row.dose * (row.mbq_per_unit or 0), where)),
        volume_ml=float(row.volume_ml),
        part=row.part,
        value_status=max((row.status for row in with_unit), key=_MOST_MANUAL_LAST.index),
    )


def _differ(rows: Iterable[_Row]) -> bool:
    return len({row.mbq_per_unit for row in rows}) > 1
