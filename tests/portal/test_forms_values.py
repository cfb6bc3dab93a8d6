"""Answers: typed by people, kept as JSON, without losing a digit."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.forms.rules.dates import PartialDate
from portal.forms.rules.items import misfits
from portal.forms.rules.values import (
    BadValue,
    Habits,
    Missing,
    Reference,
    from_json,
    to_json,
    typed,
)
from tests.support.definitions import form, item

TODAY = date(2026, 11, 22)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
KINDS = form(
    *(
        item(code, kind, **more)
        for code, kind, more in [
            ("text", "text", {"longest": 5, "pattern": "[a-z]*"}),
            ("long", "long text", {}),
            ("int", "integer", {"missing_codes": ["nd"]}),
            ("dec", "decimal", {"decimals": 2, "limits": {"least": "0", "most": "20"}}),
            ("day", "date", {"limits": {"most": "today"}}),
            ("about", "partial date", {}),
            ("clock", "time", {"expected": {"least": "08:00", "most": "20:00"}}),
            ("at", "datetime", {"limits": {"most": "today"}}),
            ("truth", "boolean", {}),
            ("one", "single choice", {"code_list": "yn"}),
            ("many", "multiple choice", {"code_list": "cell"}),
            ("scan", "file", {}),
        ]
    )
)


def read(code: str, text: str, *, day_first: bool = True) -> Any:
    return typed(KINDS, KINDS.spots[code].item, text, Habits(day_first, AMSTERDAM))


@pytest.mark.requirement("DR-090", "CD-205")
@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("dec", "4,5", Decimal("4.5")),
        ("dec", " 4.50 ", Decimal("4.50")),
        ("dec", "1 234,5", Decimal("1234.5")),
        ("dec", "−3", Decimal(-3)),
        ("dec", ",5", Decimal("0.5")),
        ("int", "12", Decimal(12)),
        ("int", "12,0", Decimal(12)),
        ("day", "31-01-2026", date(2026, 1, 31)),
        ("day", "1.2.2026", date(2026, 2, 1)),
        ("day", "2026-01-31", date(2026, 1, 31)),
        ("about", "2026", PartialDate(2026)),
        ("about", "2026-03", PartialDate(2026, 3)),
        ("about", "03-2026", PartialDate(2026, 3)),
        ("about", "31-03-2026", PartialDate(2026, 3, 31)),
        ("clock", "930", time(9, 30)),
        ("clock", "09.30", time(9, 30)),
        ("at", "31-01-2026 9:30", datetime(2026, 1, 31, 9, 30, tzinfo=AMSTERDAM)),
        ("at", "2026-01-31T09:30", datetime(2026, 1, 31, 9, 30, tzinfo=AMSTERDAM)),
        ("truth", "true", True),
        ("one", "yes", "yes"),
        ("many", "mega\nery\nmega", ("ery", "mega")),
        ("text", "  abc ", "abc"),
        ("text", "   ", None),
    ],
)
def test_what_a_person_typed_is_understood(code: str, text: str, expected: Any) -> None:
    assert read(code, text) == expected


@pytest.mark.parametrize(
    ("code", "text", "why"),
    [
        ("dec", "1.200", "ambiguous"),
        ("dec", "1,200", "ambiguous"),
        ("int", "-1.200", "ambiguous"),
        ("dec", "four", "no_number"),
        ("dec", "1e9", "no_number"),
        ("dec", "٣", "no_number"),
        ("dec", "1" * 31, "no_number"),
        ("int", "1.5", "not_whole"),
        ("day", "31-01-26", "no_date"),
        ("day", "31-02-2026", "no_date"),
        ("day", "01-31-2026", "no_date"),
        ("about", "13-2026", "no_date"),
        ("clock", "24:00", "no_time"),
        ("at", "31-01-2026", "no_datetime"),
        ("at", "31-01-2026 99", "no_time"),
        ("truth", "ja", "wrong_kind"),
        ("one", "oui", "not_in_list"),
        ("many", "ery\nlympho", "not_in_list"),
        ("scan", "x.pdf", "wrong_kind"),
    ],
)
def test_what_is_no_value_or_two_values_is_refused_with_a_reason(
    code: str, text: str, why: str
) -> None:
    with pytest.raises(BadValue) as caught:
        read(code, text)
    assert caught.value.code == why


def test_an_american_writes_the_month_first() -> None:
    assert read("day", "01-31-2026", day_first=False) == date(2026, 1, 31)


def test_an_ambiguous_number_comes_with_both_ways_to_write_it() -> None:
    with pytest.raises(BadValue) as caught:
        read("dec", "1,200")
    assert caught.value.facts["thousands"] == "1200"
    assert caught.value.facts["decimals"] == "1,2"


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(min_size=1),
    "int": st.integers(-(10**9), 10**9).map(Decimal) | st.just(Missing("nd")),
    "dec": st.decimals(allow_nan=False, allow_infinity=False, places=4, max_value=10**9,
                       min_value=-(10**9)),
    "day": st.dates(),
    "about": st.builds(PartialDate, st.integers(1, 9999), st.none() | st.integers(1, 12)),
    "clock": st.times(),
    "at": st.datetimes(timezones=st.just(UTC)),
    "truth": st.booleans(),
    "one": st.sampled_from(["yes", "no"]),
    "many": st.sampled_from([("ery",), ("ery", "mega")]),
    "scan": st.builds(Reference, st.text(), st.text()),
}  # fmt: skip


@given(st.data())
def test_a_value_in_json_and_back_is_the_same_to_the_last_digit(data: st.DataObject) -> None:
    code = data.draw(st.sampled_from(sorted(VALUES)))
    value = data.draw(VALUES[code])
    again = from_json(KINDS, KINDS.spots[code].item, json.loads(json.dumps(to_json(value))))
    assert again == value
    assert str(again) == str(value)


@given(
    st.sampled_from(sorted(KINDS.spots)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["missing", "key", "name"]), inner, max_size=3)
        ),
        max_leaves=4,
    ),
)
def test_json_that_is_no_value_is_refused_and_nothing_else_happens(code: str, data: Any) -> None:
    wanted = KINDS.spots[code].item
    try:
        value = from_json(KINDS, wanted, data)
    except BadValue:
        return
    assert from_json(KINDS, wanted, to_json(value)) == value


@given(st.sampled_from(sorted(KINDS.spots)), st.text(max_size=20))
def test_no_typing_raises_anything_but_bad_value(code: str, text: str) -> None:
    try:
        value = read(code, text)
    except BadValue:
        return
    if value is not None:
        list(misfits(KINDS, KINDS.spots[code].item, value, TODAY))


@pytest.mark.requirement("DR-090", "CD-208")
@pytest.mark.parametrize(
    ("code", "value", "found"),
    [
        ("dec", Decimal("20.1"), ["too_high"]),
        ("dec", Decimal("-0.01"), ["too_low"]),
        ("dec", Decimal(0), []),
        ("dec", Decimal("1.234"), ["too_many_decimals"]),
        ("dec", Decimal("1.2300"), []),
        ("int", Decimal("1.5"), ["not_whole"]),
        ("int", Missing("nd"), []),
        ("int", Missing("unk"), ["not_in_list"]),
        ("text", "abcdef", ["too_long"]),
        ("text", "ABC", ["pattern"]),
        ("day", TODAY, []),
        ("day", date(2026, 11, 23), ["too_high"]),
        ("at", datetime(2026, 11, 23, tzinfo=UTC), ["too_high"]),
        ("clock", time(7, 59), ["too_low"]),
        ("one", "oui", ["not_in_list"]),
        ("many", ("ery", "x"), ["not_in_list"]),
    ],
)
def test_a_value_outside_what_its_item_allows_is_named(
    code: str, value: Any, found: list[str]
) -> None:
    assert [each.code for each in misfits(KINDS, KINDS.spots[code].item, value, TODAY)] == found


def test_outside_the_expected_range_is_only_a_question() -> None:
    (found,) = misfits(KINDS, KINDS.spots["clock"].item, time(21), TODAY)
    assert found.soft
