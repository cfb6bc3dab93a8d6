"""What in a week's slots is probably not meant, and where a half-life needs a source."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.isotopes import ISOTOPES
from tracershop.rules.setup import (
    MINUTES_A_WEEK,
    SetupDoubtCode,
    WeeklyRun,
    minutes_after,
    needs_source,
    overlaps,
    same_weeks,
    slot_doubts,
)
from tracershop.rules.slots import WeeklySlot
from tracershop.rules.weeks import WeekParity

TODAY = date(2026, 11, 22)
MONDAY_RUN = WeeklyRun(0, time(6, 30))
whole_minutes = st.builds(time, st.integers(0, 23), st.integers(0, 59))
slots = st.builds(
    WeeklySlot,
    key=st.integers(1, 5),
    weekday=st.integers(0, 1),
    deliver_time=st.sampled_from([time(8), time(9)]),
    parity=st.sampled_from(WeekParity),
)


def doubts(slot: WeeklySlot, run: WeeklyRun = MONDAY_RUN, others=()) -> list[str]:
    found = slot_doubts(slot, run, shelf_life_min=600, others=others, today=TODAY)
    return [each.code for each in found]


@pytest.mark.requirement("TS-002")
def test_a_slot_soon_after_its_run_raises_no_doubt():
    assert doubts(WeeklySlot(1, 0, time(8, 15))) == []
    assert doubts(WeeklySlot(1, 0, time(6, 30))) == []
    assert doubts(WeeklySlot(1, 0, time(16, 30))) == []


@pytest.mark.requirement("TS-002")
def test_a_slot_before_its_run_or_past_the_shelf_life_is_doubted():
    assert doubts(WeeklySlot(1, 0, time(6, 29))) == [SetupDoubtCode.BEFORE_SYNTHESIS]
    assert doubts(WeeklySlot(1, 0, time(16, 31))) == [SetupDoubtCode.PAST_SHELF_LIFE]
    assert doubts(WeeklySlot(1, 1, time(8))) == [SetupDoubtCode.PAST_SHELF_LIFE]
    # Sunday night's run serves Monday morning: the week goes round
    assert doubts(WeeklySlot(1, 0, time(1)), WeeklyRun(6, time(23))) == []


@pytest.mark.requirement("TS-002")
def test_a_last_day_that_is_over_is_doubted_and_today_is_not():
    yesterday = WeeklySlot(1, 0, time(8), expires_on=TODAY - timedelta(days=1))
    assert doubts(yesterday) == [SetupDoubtCode.OVER]
    assert doubts(WeeklySlot(1, 0, time(8), expires_on=TODAY)) == []


@given(st.integers(0, 6), whole_minutes, st.integers(0, 6), whole_minutes)
def test_from_a_run_to_a_time_and_on_to_the_run_is_a_week_or_nothing(day_1, at_1, day_2, at_2):
    there = minutes_after(WeeklyRun(day_1, at_1), day_2, at_2)
    back = minutes_after(WeeklyRun(day_2, at_2), day_1, at_1)
    assert 0 <= there < MINUTES_A_WEEK
    assert there + back == (0 if (day_1, at_1) == (day_2, at_2) else MINUTES_A_WEEK)


@given(slots, slots)
def test_two_slots_overlap_exactly_when_some_day_has_both_at_the_same_time(one, other):
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(366)]
    both = any(one.occurs_on(day) and other.occurs_on(day) for day in year)
    expected = both and one.deliver_time == other.deliver_time and one.key != other.key
    assert overlaps(one, [other]) == expected
    assert overlaps(one, [other]) == overlaps(other, [one])


@given(st.sampled_from(WeekParity), st.sampled_from(WeekParity))
def test_weeks_meet_either_way_round(one, other):
    assert same_weeks(one, other) == same_weeks(other, one)
    assert same_weeks(one, one)


@pytest.mark.parametrize("symbol", sorted(ISOTOPES))
def test_the_tables_own_value_needs_no_other_source_and_another_value_does(symbol):
    known = ISOTOPES[symbol]
    assert not needs_source(symbol, known.half_life_s, known.source)
    assert needs_source(symbol, known.half_life_s * 1.01, known.source)
    assert needs_source(symbol, known.half_life_s * 1.01, " ")
    assert not needs_source(symbol, known.half_life_s * 1.01, "DDEP 2014")


def test_an_isotope_that_the_table_does_not_have_needs_any_source():
    assert needs_source("Sc-44", 14292.0, "")
    assert not needs_source("Sc-44", 14292.0, "ENSDF")
