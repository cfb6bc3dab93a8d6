"""VAL files: one vial each, read exactly or refused with the line and the reason."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tracershop.interfaces.dispensed import DispensedVial, ValueStatus
from tracershop.interfaces.dispenser_val import parse_val
from tracershop.interfaces.dispenser_writer import write_val
from tracershop.interfaces.errors import FormatError, Reason

from tests.tracershop.dispenser_samples import CPH, LINES, VIAL, val, vials


def refusal(raw):
    with pytest.raises(FormatError) as refused:
        parse_val(raw, CPH)
    return refused.value.where, refused.value.reason


@pytest.mark.requirement("TS-060")
def test_every_line_of_a_val_file_is_read():
    assert parse_val(val(), CPH) == VIAL


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "   \r\n\r\n"])
def test_any_end_of_line_is_understood(end):
    assert parse_val(val(end), CPH) == VIAL


@pytest.mark.requirement("TS-060")
@pytest.mark.parametrize(
    ("activity", "activity_mbq"),
    [
        ("13233 MBq;", 13233.0),
        ("13233,5 MBq;", 13233.5),
        ("13233.5 mbq", 13233.5),
        ("13233.5MBq ;", 13233.5),
        ("13.2335 GBq;", 13233.5),
        ("13233500 kBq;", None),
        ("450,5 kBq;", 0.4505),
        ("1.234 MBq;", 1.234),
        ("0 MBq;", 0.0),
    ],
)
def test_the_activity_is_read_with_comma_or_point_and_its_unit(activity, activity_mbq):
    if activity_mbq is None:
        assert refusal(val(activity=activity))[1] is Reason.NUMBER_TOO_LARGE
    else:
        assert parse_val(val(activity=activity), CPH).activity_mbq == activity_mbq


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("activity", "1.234,5 MBq;", Reason.UNREADABLE_NUMBER),
        ("activity", "1,234.5 MBq;", Reason.UNREADABLE_NUMBER),
        ("activity", "1.234.567 MBq;", Reason.UNREADABLE_NUMBER),
        ("activity", "-5 MBq;", Reason.UNREADABLE_NUMBER),
        ("activity", "1e5 MBq;", Reason.UNKNOWN_UNIT),
        ("activity", "nan MBq;", Reason.UNREADABLE_NUMBER),
        ("activity", "13233.5", Reason.UNKNOWN_UNIT),
        ("activity", "13233.5 mCi;", Reason.UNKNOWN_UNIT),
        ("activity", "١٢٣ MBq;", None),
        ("activity", "9" * 5000 + " MBq;", Reason.NUMBER_TOO_LARGE),
        ("activity", "", Reason.MISSING),
        ("volume", "14.82", Reason.UNKNOWN_UNIT),
        ("volume", "14.82 l", Reason.UNKNOWN_UNIT),
        ("volume", "ml", Reason.UNREADABLE_NUMBER),
        ("net", "14.82 kg", Reason.UNKNOWN_UNIT),
        ("filldate", "21.11.2026", Reason.UNREADABLE_TIME),
        ("filldate", "31.02.26", Reason.UNREADABLE_TIME),
        ("filldate", "11/21/26", Reason.UNREADABLE_TIME),
        ("filldate", "21.11.86", Reason.UNREADABLE_TIME),
        ("filltime", "08:45", Reason.MISSING),
        ("use_before", "21/11/26 18:4", Reason.UNREADABLE_TIME),
        ("charge", "", Reason.MISSING),
        ("charge", "L" * 65, Reason.TOO_LONG),
        ("customer", "", Reason.MISSING),
        ("customer", "4-" + "x" * 300, Reason.TOO_LONG),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_its_line(key, value, reason):
    if reason is None:  # digits of another script are not numbers here
        raw = val(encoding="utf-8", **{key: value})
        assert refusal(raw)[1] is Reason.UNREADABLE_NUMBER
        return
    if key == "filltime":
        assert refusal(val(filltime=value)) == ("line 5, filldate", Reason.UNREADABLE_TIME)
        return
    line = list(LINES).index(key) + 1
    assert refusal(val(**{key: value})) == (f"line {line}, {key}", reason)


@pytest.mark.parametrize(
    "key",
    ["customer", "charge", "filldate", "filltime", "activity", "volume", "product", "use_before"],
)
def test_a_needed_line_that_is_not_there_is_named(key):
    assert refusal(val(without=(key,))) == (key, Reason.MISSING)


@pytest.mark.parametrize("key", list(LINES))
def test_a_line_that_comes_twice_is_refused(key):
    raw = val() + f"{key}: 1\r\n".encode()
    assert refusal(raw) == (f"line 15, {key}", Reason.TWICE)


def test_what_need_not_be_there_is_left_open():
    without = ("part", "depotpos", "gros", "tare", "net", "dispenser")
    vial = parse_val(val(without=without, use_before="", product=""), CPH)
    assert vial == replace(
        VIAL, part="", position="", gross_g=None, tare_g=None, net_g=None, dispenser="",
        expires_at=None, product="",
    )  # fmt: skip


def test_keys_of_no_interest_are_left_aside_and_lines_without_key_refused():
    assert parse_val(val(syntesis="7") + b"\r\n", CPH) == VIAL
    assert refusal(val() + b"today is a good day\r\n") == ("line 15", Reason.UNREADABLE)


@pytest.mark.requirement("TS-061")
def test_a_file_cut_short_anywhere_is_never_taken_for_another_vial():
    whole = val().rstrip()
    for length in range(len(whole)):
        try:
            vial = parse_val(whole[:length], CPH)
        except FormatError:
            continue
        # Only the name of the dispenser, which comes last, may be missing or cut.
        assert replace(vial, dispenser="UK465") == VIAL


@pytest.mark.requirement("TS-062")
@pytest.mark.parametrize(
    ("customer", "expected"),
    [
        ("4-Rigshospitalet", (4, "Rigshospitalet")),
        ("16 - PET 7 9 10", (16, "PET 7 9 10")),
        ("4", (4, "")),
        ("4-", (4, "")),
        ("Rigshospitalet", (None, "Rigshospitalet")),
        ("Herlev-Gentofte", (None, "Herlev-Gentofte")),
        ("9999999999-X", (None, "9999999999-X")),
    ],
)
def test_the_customer_is_a_number_and_a_name(customer, expected):
    vial = parse_val(val(customer=customer), CPH)
    assert (vial.customer_id, vial.customer_name) == expected


@pytest.mark.requirement("TS-061")
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.EMPTY),
        (b" \r\n ", Reason.EMPTY),
        (b"\xef\xbb\xbf", Reason.EMPTY),
        (val(encoding="utf-16"), Reason.NOT_TEXT),
        (val(encoding="utf-16-le"), Reason.NOT_TEXT),
        (val(encoding="utf-32"), Reason.NOT_TEXT),
        (val() + b"\x00" * 512, Reason.NOT_TEXT),
        (b"\xef\xbb\xbf" + val(), Reason.NOT_TEXT),
        (val()[:-5] + b"\x81\r\n", Reason.NOT_TEXT),
        (b"x" * 70_000, Reason.TOO_LARGE),
    ],
)
def test_a_file_that_is_not_the_text_it_should_be_is_refused(raw, reason):
    assert refusal(raw) == ("file", reason)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "iso-8859-1"])
def test_danish_letters_are_right_in_every_encoding_that_can_be_recognised(encoding):
    assert parse_val(val(encoding=encoding), CPH) == VIAL


@pytest.mark.requirement("TS-060")
def test_times_are_on_the_clock_of_the_site_in_summer_and_winter():
    winter = parse_val(val(), CPH)
    assert winter.filled_at.astimezone(UTC) == datetime(2026, 11, 21, 7, 45, 5, tzinfo=UTC)
    summer = parse_val(val(filldate="21.07.26"), CPH)
    assert summer.filled_at.astimezone(UTC) == datetime(2026, 7, 21, 6, 45, 5, tzinfo=UTC)


def test_an_hour_that_comes_twice_or_not_at_all_is_for_a_person_to_settle():
    twice = val(filldate="25.10.26", filltime="02:30:00")
    assert refusal(twice) == ("line 5, filldate", Reason.TIME_COMES_TWICE)
    never = val(filldate="29.03.26", filltime="02:30:00")
    assert refusal(never) == ("line 5, filldate", Reason.NO_SUCH_TIME)
    for day, hour in [("25.10.26", "01:59:59"), ("25.10.26", "03:00:00"), ("29.03.26", "03:00:00")]:
        assert parse_val(val(filldate=day, filltime=hour), CPH).filled_at


@pytest.mark.requirement("TS-061")
def test_two_reports_of_one_vial_have_one_identity():
    again = replace(
        VIAL, dispenser="", customer_name="KØGE", filled_at=VIAL.filled_at.astimezone(UTC)
    )
    assert again.identity == VIAL.identity
    for other in (
        replace(VIAL, lot="FDG-261121-2"),
        replace(VIAL, customer_id=18),
        replace(VIAL, customer_id=None),
        replace(VIAL, filled_at=VIAL.filled_at.replace(second=6)),
        replace(VIAL, activity_mbq=13233.6),
        replace(VIAL, volume_ml=14.83),
    ):
        assert other.identity != VIAL.identity


# --- round trip -------------------------------------------------------------------------------


@pytest.mark.requirement("TS-060")
@given(vials)
def test_what_is_written_is_read_back(vial):
    try:
        raw = write_val(vial)
    except ValueError:
        assume(False)  # a name like `7-X` without number, or letters that would be valid UTF-8
    assert parse_val(raw, CPH) == vial


def test_the_writer_refuses_what_would_be_read_as_something_else():
    for vial in (
        replace(VIAL, customer_id=None, customer_name="7-Eleven"),
        replace(VIAL, customer_name=" Køge"),
        replace(VIAL, customer_name="Łódź"),
        replace(VIAL, customer_name="KÃ¸ge"),
    ):
        with pytest.raises(ValueError):
            write_val(vial)
    assert parse_val(write_val(replace(VIAL, value_status=ValueStatus.KEYBOARD)), CPH) == VIAL


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_give_a_vial_or_the_one_error(noise, at):
    for raw in (noise, val()[:at] + noise + val()[at:]):
        with contextlib.suppress(FormatError):
            assert isinstance(parse_val(raw, CPH), DispensedVial)
