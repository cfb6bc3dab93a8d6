from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.lots import LotError, LotErrorReason, LotNumber, parse_lot

FDG = LotNumber("FDG", date(2026, 11, 21), 1)
lots = st.builds(
    LotNumber,
    prefix=st.from_regex(r"[A-Z0-9]{1,6}(-[A-Z0-9]{1,6}){0,3}", fullmatch=True),
    filled_on=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    number=st.integers(1, 9999),
)


@pytest.mark.requirement("TS-062")
@pytest.mark.parametrize(
    "text", ["FDG-261121-1", " FDG-261121-1\n", "fdg-261121-1", "FDG-261121-01"]
)
def test_a_lot_number_is_read_with_space_around_it_and_in_small_letters(text):
    assert parse_lot(text) == FDG
    assert str(parse_lot(text)) == "FDG-261121-1"


def test_a_prefix_may_have_digits_and_inner_dashes():
    lot = parse_lot("F18-PSMA-1007-260105-12")
    assert lot == LotNumber("F18-PSMA-1007", date(2026, 1, 5), 12)
    assert parse_lot("test-111111-1").filled_on == date(2011, 11, 11)


@pytest.mark.requirement("TS-062")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", LotErrorReason.EMPTY),
        (" \t ", LotErrorReason.EMPTY),
        ("FDG", LotErrorReason.SHAPE),
        ("FDG-261121", LotErrorReason.SHAPE),
        ("-261121-1", LotErrorReason.SHAPE),
        ("FDG--261121-1", LotErrorReason.SHAPE),
        ("FDG_261121_1", LotErrorReason.SHAPE),
        ("FDG-26112-1", LotErrorReason.SHAPE),
        ("FDG-261121-1-", LotErrorReason.SHAPE),
        ("FDG-261121-12345", LotErrorReason.SHAPE),
        ("FDG -261121-1", LotErrorReason.SHAPE),
        ("FÆG-261121-1", LotErrorReason.SHAPE),
        ("FDG-٢٦١١٢١-1", LotErrorReason.SHAPE),
        ("FDG-261321-1", LotErrorReason.DATE),
        ("FDG-260229-1", LotErrorReason.DATE),
        ("FDG-261121-0", LotErrorReason.NUMBER),
        ("F" * 33 + "-261121-1", LotErrorReason.PREFIX),
    ],
)
def test_what_is_no_lot_number_is_refused_with_the_reason(text, reason):
    with pytest.raises(LotError) as refused:
        parse_lot(text)
    assert refused.value.reason == reason
    assert refused.value.text == text


@pytest.mark.parametrize(
    ("prefix", "filled_on", "number", "reason"),
    [
        ("fdg", date(2026, 11, 21), 1, LotErrorReason.PREFIX),
        ("FDG-", date(2026, 11, 21), 1, LotErrorReason.PREFIX),
        ("FDG", date(1999, 12, 31), 1, LotErrorReason.DATE),
        ("FDG", date(2100, 1, 1), 1, LotErrorReason.DATE),
        ("FDG", date(2026, 11, 21), 10000, LotErrorReason.NUMBER),
    ],
)
def test_a_lot_that_would_not_read_back_cannot_be_made(prefix, filled_on, number, reason):
    with pytest.raises(LotError) as refused:
        LotNumber(prefix, filled_on, number)
    assert refused.value.reason == reason


@given(lots)
def test_what_is_written_reads_back_as_the_same_lot(lot):
    assert parse_lot(str(lot)) == lot
    assert parse_lot(f"  {str(lot).lower()} ") == lot


@given(st.text(max_size=60))
def test_any_text_is_refused_as_no_lot_and_in_no_other_way(text):
    # Text that happens to be a lot is not found by chance: the next test makes it.
    with pytest.raises(LotError):
        parse_lot(text)


@given(st.from_regex(r"[A-Za-z]{1,4}-[0-9]{6}-[0-9]{1,5}", fullmatch=True))
def test_what_looks_like_a_lot_is_one_or_has_a_wrong_date_or_number(text):
    try:
        lot = parse_lot(text)
    except LotError as error:
        refused = error.reason
    else:
        refused = None
        assert parse_lot(str(lot)) == lot
    prefix, digits, number = text.split("-")
    month, day = int(digits[2:4]), int(digits[4:])
    if refused is None:
        assert (lot.prefix, lot.number) == (prefix.upper(), int(number))
        assert (lot.filled_on.month, lot.filled_on.day) == (month, day)
    elif refused == LotErrorReason.DATE:
        assert not 1 <= month <= 12 or not 1 <= day <= 28
    else:
        assert int(number) == 0 or len(number) == 5
