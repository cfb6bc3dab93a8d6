"""Tables of the newer dispenser: many vials, and a bad row costs itself only."""

from __future__ import annotations

import contextlib
import io
import zipfile
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from openpyxl import Workbook
from tracershop.interfaces.dispensed import BadRow, DispensedVial, TableResult, ValueStatus
from tracershop.interfaces.dispenser_files import is_dispenser_file, read_dispenser_file
from tracershop.interfaces.dispenser_table import COLUMNS, parse_table
from tracershop.interfaces.dispenser_writer import write_csv
from tracershop.interfaces.errors import FormatError, Reason
from tracershop.interfaces.table_rows import Limits

from tests.tracershop.dispenser_samples import CPH, amounts, settled, shorts, val, words
from tests.tracershop.dispenser_samples import VIAL as VAL_VIAL

HEADER = (
    "BatchReference,Customer,CustomerAddress,DateTimeStamp,DispensedDose,DoseName,Name,"
    "RadVolumeDispensed,Status,Value,ValueType,ValueUnits,VariableName"
)
ROW = {
    "BatchReference": "FDG-261121-1",
    "Customer": "Køge",
    "CustomerAddress": "Lykkebækvej 1\r\n4600 Køge",
    "DateTimeStamp": "21-11-2026 08:45:05",
    "DispensedDose": "13233.5",
    "DoseName": "Vial 1",
    "Name": "Activity",
    "RadVolumeDispensed": "14.82",
    "Status": "Instrument",
    "Value": "13233.5",
    "ValueType": "Double",
    "ValueUnits": "MBq",
    "VariableName": "DispensedDose",
}
VIAL = DispensedVial(
    lot="FDG-261121-1",
    customer_id=None,
    customer_name="Køge",
    filled_at=datetime(2026, 11, 21, 8, 45, 5, tzinfo=CPH),
    activity_mbq=13233.5,
    volume_ml=14.82,
    part="Vial 1",
    value_status=ValueStatus.INSTRUMENT,
)


def row(**changes):
    return ROW | changes


def line(fields, delimiter=","):
    return delimiter.join('"' + str(value).replace('"', '""') + '"' for value in fields.values())


def table(*rows, delimiter=",", encoding="utf-8", end="\r\n", header=HEADER):
    lines = [header.replace(",", delimiter)]
    lines += [fields if isinstance(fields, str) else line(fields, delimiter) for fields in rows]
    return "".join(text + end for text in lines).encode(encoding)


def sheet(*rows, header=HEADER):
    book = Workbook()
    book.active.append(header.split(",") if header else [])
    for fields in rows:
        book.active.append(list(fields.values()))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def parse(raw, filename="dump.csv", **kwargs):
    return parse_table(raw, filename, CPH, **kwargs)


def refusal(raw, filename="dump.csv", **kwargs):
    with pytest.raises(FormatError) as refused:
        parse(raw, filename, **kwargs)
    return refused.value.where, refused.value.reason


def test_the_header_is_that_of_the_requirement():
    assert ",".join(COLUMNS) == HEADER


@pytest.mark.requirement("TS-060")
def test_a_row_with_line_breaks_in_a_quoted_field_is_a_vial():
    assert parse(table(row())) == TableResult([VIAL], [], [(2,)])


@pytest.mark.requirement("TS-060")
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_usual_way_to_write_a_table_is_understood(delimiter, encoding, end):
    raw = table(row(), row(BatchReference="FDG-261121-2"), delimiter=delimiter,
                encoding=encoding, end=end)  # fmt: skip
    assert parse(raw).vials == [VIAL, replace(VIAL, lot="FDG-261121-2")]


@pytest.mark.requirement("TS-060")
@pytest.mark.parametrize(
    ("dose", "unit", "activity_mbq"),
    [
        ("13233.5", "MBq", 13233.5),
        ("13233,5", "MBQ", 13233.5),
        ("13,2335", "GBq", 13233.5),
        ("13.2335", " gbq ", 13233.5),
        ("450500", "kBq", 450.5),
        ("450,5", "KBQ", 0.4505),
        ("500 MBq", "ml", 500.0),
        ("1.5 GBq", "MBq", 1500.0),
    ],
)
def test_the_dose_is_read_with_comma_or_point_in_its_unit(dose, unit, activity_mbq):
    (vial,) = parse(table(row(DispensedDose=dose, ValueUnits=unit))).vials
    assert vial.activity_mbq == activity_mbq


@pytest.mark.requirement("TS-060")
@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("Instrument", ValueStatus.INSTRUMENT),
        ("Keyboard", ValueStatus.KEYBOARD),
        ("KeyboardReentered", ValueStatus.KEYBOARD_REENTERED),
        ("keyboard re-entered", ValueStatus.KEYBOARD_REENTERED),
    ],
)
def test_whether_a_person_typed_the_value_is_kept(written, status):
    assert parse(table(row(Status=written))).vials[0].value_status is status


@pytest.mark.requirement("TS-061")
@pytest.mark.parametrize(
    ("changes", "where", "reason"),
    [
        ({"BatchReference": ""}, "row 4, BatchReference", Reason.MISSING),
        ({"BatchReference": "L" * 65}, "row 4, BatchReference", Reason.TOO_LONG),
        ({"Customer": " "}, "row 4, Customer", Reason.MISSING),
        ({"DateTimeStamp": "2026-11-21 08:45:05"}, "row 4, DateTimeStamp", Reason.UNREADABLE_TIME),
        ({"DateTimeStamp": "21-11-2026 08:45"}, "row 4, DateTimeStamp", Reason.UNREADABLE_TIME),
        ({"DateTimeStamp": "31-11-2026 08:45:05"}, "row 4, DateTimeStamp", Reason.UNREADABLE_TIME),
        ({"DateTimeStamp": "25-10-2026 02:15:00"}, "row 4, DateTimeStamp", Reason.TIME_COMES_TWICE),
        ({"DateTimeStamp": ""}, "row 4, DateTimeStamp", Reason.MISSING),
        ({"DispensedDose": "1.234,5"}, "row 4, DispensedDose", Reason.UNREADABLE_NUMBER),
        ({"DispensedDose": "1,234.5"}, "row 4, DispensedDose", Reason.UNREADABLE_NUMBER),
        ({"DispensedDose": "-1"}, "row 4, DispensedDose", Reason.UNREADABLE_NUMBER),
        ({"DispensedDose": "500 mCi"}, "row 4, DispensedDose", Reason.UNKNOWN_UNIT),
        ({"DispensedDose": "99999999"}, "row 4, DispensedDose", Reason.NUMBER_TOO_LARGE),
        ({"DispensedDose": "999999", "ValueUnits": "GBq"}, "row 4, DispensedDose",
         Reason.NUMBER_TOO_LARGE),
        ({"DispensedDose": ""}, "row 4, DispensedDose", Reason.MISSING),
        ({"RadVolumeDispensed": "lots"}, "row 4, RadVolumeDispensed", Reason.UNREADABLE_NUMBER),
        ({"RadVolumeDispensed": "1 l"}, "row 4, RadVolumeDispensed", Reason.UNKNOWN_UNIT),
        ({"ValueUnits": "mCi", "BatchReference": "X"}, "row 4, ValueUnits", Reason.UNKNOWN_UNIT),
        ({"ValueUnits": "", "BatchReference": "X"}, "row 4, ValueUnits", Reason.UNKNOWN_UNIT),
        ({"Status": "Guess"}, "row 4, Status", Reason.UNREADABLE),
        ({"Status": ""}, "row 4, Status", Reason.MISSING),
    ],
)  # fmt: skip
def test_a_bad_row_costs_itself_and_not_its_neighbours(changes, where, reason):
    result = parse(table(row(), row(**changes), row(BatchReference="FDG-261121-2")))
    assert [vial.lot for vial in result.vials] == ["FDG-261121-1", "FDG-261121-2"]
    assert result.bad_rows == [BadRow((4,), where, reason)]


@pytest.mark.requirement("TS-061")
def test_an_unquoted_decimal_comma_makes_its_row_too_long_and_no_other():
    bare = ",".join([*list(row(CustomerAddress="Vej 1", DispensedDose="13233,5").values())])
    result = parse(table(row(), bare, row(BatchReference="FDG-261121-2")))
    assert result.bad_rows == [BadRow((4,), "row 4", Reason.COLUMN_COUNT)]
    assert len(result.vials) == 2


@pytest.mark.requirement("TS-061")
@pytest.mark.parametrize(
    "broken",
    [
        'FDG-261121-9,"Riget,Vej 1,21-11-2026 08:45:05,1,V,A,1,Instrument,1,Double,MBq,D',
        '"FDG-261121-9',
        'FDG-261121-9,"Riget" x,Vej 1,21-11-2026 08:45:05,1,V,A,1,Instrument,1,Double,MBq,D',
        "FDG-261121-9,too short",
        '"""',
    ],
)
def test_a_broken_row_does_not_swallow_the_rows_after_it(broken):
    after = [row(BatchReference=f"FDG-261121-{n}") for n in range(2, 40)]
    result = parse(table(row(), broken, *after))
    assert len(result.vials) == 39
    assert result.bad_rows == [BadRow((4,), "row 4", Reason.COLUMN_COUNT)]


def test_a_quote_that_is_only_a_sign_is_part_of_its_field():
    bare = ",".join(row(CustomerAddress='14" tube').values())
    assert len(parse(table(bare, row(BatchReference="FDG-261121-2"))).vials) == 2


def test_blank_rows_are_passed_over():
    raw = table(row(), "", ",,,,,,,,,,,,", "  ", row(BatchReference="FDG-261121-2"), "")
    result = parse(raw)
    assert (len(result.vials), result.bad_rows) == (2, [])


def test_a_table_without_rows_has_no_vials():
    assert parse(table()) == TableResult([], [], [])


@pytest.mark.parametrize(
    ("header", "where", "reason"),
    [
        ("a,b,c", "header, BatchReference", Reason.NO_HEADER),
        (HEADER.replace("DispensedDose,", ""), "header, DispensedDose", Reason.NO_HEADER),
        (HEADER + ",Status", "header, Status", Reason.TWICE),
        ('BatchReference,"Customer', "row 1", Reason.NO_HEADER),
    ],
)
def test_a_bad_header_refuses_the_whole_file(header, where, reason):
    assert refusal(table(row(), header=header)) == (where, reason)


def test_columns_may_come_in_any_order_and_more_of_them():
    names = [*reversed(HEADER.upper().split(",")), "Extra"]
    fields = dict(reversed(ROW.items())) | {"Extra": "?"}
    assert parse(table(fields, header=",".join(names))).vials == [VIAL]


# --- rows of one vial -------------------------------------------------------------------------


@pytest.mark.requirement("TS-060", "TS-061")
def test_the_variables_of_a_vial_are_one_vial():
    result = parse(
        table(
            row(Value="22.1", ValueUnits="°C", VariableName="Temperature", Status="Keyboard"),
            row(),
            row(Value="14.82", ValueUnits="ml", VariableName="Volume"),
            row(DispensedDose="13233,50"),
            row(DispensedDose="13234"),
        )
    )
    assert result.vials == [VIAL, replace(VIAL, activity_mbq=13234.0)]
    assert result.bad_rows == []
    assert result.vial_rows == [(2, 4, 6, 8), (10,)]


def test_among_units_that_differ_the_one_of_the_dose_counts():
    rows = [row(Value="52.1", ValueUnits="GBq", VariableName="Batch"), row()]
    assert parse(table(*rows)).vials == [VIAL]
    unclear = [row(Value="52.1", ValueUnits="GBq"), row(Value="")]
    result = parse(table(*unclear))
    assert result.vials == []
    assert result.bad_rows == [BadRow((2, 4), "row 2, ValueUnits", Reason.CONTRADICTION)]


def test_of_several_statuses_the_most_manual_is_kept():
    for statuses, kept in [
        (["Instrument", "KeyboardReentered"], ValueStatus.KEYBOARD_REENTERED),
        (["Keyboard", "KeyboardReentered", "Instrument"], ValueStatus.KEYBOARD),
    ]:
        (vial,) = parse(table(*(row(Status=status) for status in statuses))).vials
        assert vial.value_status is kept


# --- workbooks --------------------------------------------------------------------------------


@pytest.mark.requirement("TS-060")
def test_a_workbook_is_read_as_text_or_as_typed_cells():
    typed = row(
        BatchReference="FDG-261121-2",
        Customer=4,
        DateTimeStamp=datetime(2026, 11, 21, 8, 45, 5),
        DispensedDose=13.2335,
        RadVolumeDispensed=14,
        ValueUnits="GBq",
    )
    result = parse(sheet(row(), typed), "dump.xlsx")
    assert result.bad_rows == []
    assert result.vials == [
        VIAL,
        replace(VIAL, lot="FDG-261121-2", customer_id=4, customer_name="", volume_ml=14.0),
    ]
    assert result.vial_rows == [(2,), (3,)]


def test_a_time_kept_as_a_fraction_of_a_day_is_the_second_that_was_meant():
    almost = datetime(2026, 11, 21, 8, 45, 4, 999_997)
    assert parse(sheet(row(DateTimeStamp=almost)), "dump.xlsx").vials == [VIAL]


@pytest.mark.requirement("TS-061")
def test_a_bad_row_of_a_sheet_costs_itself_only():
    rows = [row(), row(DispensedDose=-1), row(DateTimeStamp=45000.5), row() | {"more": "x"}]
    result = parse(sheet(*rows, row(BatchReference="FDG-261121-2")), "dump.xlsx")
    assert len(result.vials) == 2
    assert [(bad.row_numbers, bad.where, bad.reason) for bad in result.bad_rows] == [
        ((3,), "row 3, DispensedDose", Reason.UNREADABLE_NUMBER),
        ((4,), "row 4, DateTimeStamp", Reason.UNREADABLE_TIME),
        ((5,), "row 5", Reason.COLUMN_COUNT),
    ]


def _with_part(raw, name, content):
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(raw)) as old,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
    return changed.getvalue()


BOMB = """<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>&c;</t></is></c></row></sheetData></worksheet>"""


@pytest.mark.requirement("TS-061")
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"PK\x03\x04 nothing of the kind", Reason.DAMAGED_WORKBOOK),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, Reason.DAMAGED_WORKBOOK),
        (b"a,b,c", Reason.DAMAGED_WORKBOOK),
        (sheet(row())[:-200], Reason.DAMAGED_WORKBOOK),
        (_with_part(sheet(row()), "xl/workbook.xml", b"<x"), Reason.DAMAGED_WORKBOOK),
        (_with_part(sheet(row()), "xl/worksheets/sheet1.xml", BOMB), Reason.DAMAGED_WORKBOOK),
        (_with_part(sheet(row()), "xl/worksheets/sheet1.xml", b" " * 60_000_000), Reason.TOO_LARGE),
        (sheet(header=""), Reason.EMPTY),
    ],
    ids=[
        "empty",
        "not-zip",
        "old-or-encrypted",
        "text",
        "cut",
        "broken",
        "entities",
        "bomb",
        "bare",
    ],
)
def test_a_workbook_that_cannot_be_read_is_refused(raw, reason):
    assert refusal(raw, "dump.xlsx") == ("file", reason)


def test_a_whole_number_kept_as_a_fraction_is_still_the_number_of_the_customer():
    raw = sheet(row(Customer=4, CustomerAddress=True))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        name = "xl/worksheets/sheet1.xml"
        changed = archive.read(name).replace(b"<v>4</v>", b"<v>4.0</v>")
    assert b"<v>4.0</v>" in changed
    (vial,) = parse(_with_part(raw, name, changed), "dump.xlsx").vials
    assert (vial.customer_id, vial.customer_name) == (4, "")


def test_a_file_of_endless_lines_is_refused():
    raw = HEADER.encode() + b"\n" * 300
    assert refusal(raw, limits=Limits(max_rows=10)) == ("file", Reason.TOO_LARGE)


def test_what_is_larger_than_taken_is_refused_before_it_is_read():
    rows = [row(BatchReference=f"FDG-261121-{n}") for n in range(12)]
    limits = Limits(max_rows=10)
    assert refusal(table(*rows), limits=limits) == ("file", Reason.TOO_LARGE)
    assert refusal(sheet(*rows), "dump.xlsx", limits=limits) == ("row 11", Reason.TOO_LARGE)
    assert refusal(table(*rows), limits=Limits(max_bytes=100)) == ("file", Reason.TOO_LARGE)


def test_a_sheet_that_claims_rows_it_has_not_is_refused_quickly():
    far = b"""<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">
    <sheetData><row r="1"><c r="A1"><v>1</v></c></row>
    <row r="999999999"><c r="A999999999"><v>1</v></c></row></sheetData></worksheet>"""
    raw = _with_part(sheet(row()), "xl/worksheets/sheet1.xml", far)
    assert refusal(raw, "dump.xlsx") == ("row 20001", Reason.TOO_LARGE)


# --- which file is which ----------------------------------------------------------------------


@pytest.mark.requirement("TS-060")
@pytest.mark.parametrize(
    ("filename", "raw", "vial"),
    [
        ("VAL00017", val(), VAL_VIAL),
        ("VAL00017.txt", val(), VAL_VIAL),
        ("/mnt/dispenser/val17", val(), VAL_VIAL),
        ("\\\\server\\share\\VAL17", val(), VAL_VIAL),
        ("dump.csv", table(row()), VIAL),
        ("VALUES.CSV", table(row()), VIAL),
        ("dump.xlsx", sheet(row()), VIAL),
        ("dump.csv", sheet(row()), VIAL),
    ],
)
def test_a_file_is_read_by_its_name_and_content(filename, raw, vial):
    assert is_dispenser_file(filename)
    result = read_dispenser_file(raw, filename, CPH)
    assert (result.vials, result.bad_rows) == ([vial], [])
    assert len(result.vial_rows) == 1


@pytest.mark.parametrize(
    ("filename", "raw", "reason"),
    [
        ("readme.txt", val(), Reason.UNKNOWN_FORMAT),
        ("dump.csv.tmp", table(row()), Reason.UNKNOWN_FORMAT),
        ("VAL17", b"", Reason.EMPTY),
        ("VAL17", table(row()), Reason.UNREADABLE),
        ("dump.csv", val(), Reason.NO_HEADER),
        ("dump.csv", table(row(), encoding="utf-16"), Reason.NOT_TEXT),
    ],
)
def test_a_file_that_is_not_what_it_is_called_is_refused(filename, raw, reason):
    with pytest.raises(FormatError) as refused:
        read_dispenser_file(raw, filename, CPH)
    assert refused.value.reason is reason


@pytest.mark.requirement("TS-061")
def test_one_vial_in_both_kinds_of_file_has_one_identity():
    raw = write_csv([replace(VAL_VIAL, value_status=ValueStatus.INSTRUMENT)])
    (vial,) = parse(raw).vials
    assert vial.identity == VAL_VIAL.identity


# --- round trip -------------------------------------------------------------------------------

table_vials = st.builds(
    DispensedVial,
    lot=shorts.filter(bool),
    customer_id=st.none() | st.integers(0, 999_999_999),
    customer_name=words.filter(bool) | st.sampled_from(['a "b", c;d', "Łódź", "1;2,3"]),
    filled_at=settled,
    activity_mbq=amounts,
    volume_ml=amounts,
    part=words,
    value_status=st.sampled_from(ValueStatus),
)


@pytest.mark.requirement("TS-060")
@given(st.lists(table_vials, max_size=6, unique_by=lambda vial: vial.identity),
       st.sampled_from([",", ";", "\t"]))  # fmt: skip
def test_what_is_written_is_read_back(vials, delimiter):
    try:
        raw = write_csv(vials, delimiter=delimiter)
    except ValueError:
        assume(False)  # a customer such as `7-X` without number
    result = parse(raw)
    assert result == TableResult(vials, [], [(n,) for n in range(2, len(vials) + 2)])


def test_the_writer_refuses_a_vial_of_which_a_row_could_not_tell_enough():
    with pytest.raises(ValueError, match="how its value"):
        write_csv([replace(VIAL, value_status=None)])


@given(st.decimals(0, 9_999_999, allow_nan=False), st.sampled_from([".", ","]))
def test_any_number_is_read_exactly(number, sign):
    number = abs(number.quantize(Decimal("0.001")))
    (vial,) = parse(table(row(DispensedDose=f"{number:f}".replace(".", sign)))).vials
    assert vial.activity_mbq == float(number)


@given(st.text(max_size=200), st.integers(0, 300))
def test_any_text_among_the_rows_costs_no_more_than_the_one_error(noise, at):
    good = table(row(), row(BatchReference="FDG-261121-2")).decode()
    for raw in (noise, good[:at] + noise + good[at:]):
        with contextlib.suppress(FormatError):
            result = parse(raw.encode("utf-8", "replace"))
            assert len(result.vials) == len(result.vial_rows)
