"""The days of a standing order: each once, up to two weeks ahead."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.standing import PLACED_AHEAD_DAYS, standing_days
from tracershop.rules.weeks import WeekParity

MONDAY = date(2026, 11, 23)  # ISO week 48


def days(**values):
    fields = {
        "weekday": 0,
        "parity": WeekParity.EVERY,
        "starts_on": MONDAY,
        "ends_on": None,
        "placed_until": None,
        "today": MONDAY - timedelta(days=3),
    }
    return standing_days(**(fields | values))


def weeks(*numbers):
    return [MONDAY + timedelta(weeks=number) for number in numbers]


@pytest.mark.requirement("TS-008")
def test_the_days_of_two_weeks_ahead_are_looked_at_and_the_fourteenth_is_among_them():
    assert days() == weeks(0, 1)
    assert days(today=MONDAY) == weeks(0, 1, 2)


@pytest.mark.requirement("TS-008")
def test_a_day_that_was_looked_at_is_not_looked_at_again():
    assert days(placed_until=MONDAY) == weeks(1)
    assert days(placed_until=MONDAY + timedelta(weeks=1)) == []


@pytest.mark.requirement("TS-008")
def test_it_begins_and_ends_with_the_days_it_names():
    assert days(starts_on=MONDAY + timedelta(days=1)) == weeks(1)
    assert days(ends_on=MONDAY) == weeks(0)
    assert days(ends_on=MONDAY - timedelta(days=1)) == []


@pytest.mark.requirement("TS-008")
def test_days_that_nobody_looked_at_in_time_are_told_of_not_forgotten():
    assert days(today=MONDAY + timedelta(weeks=3))[:3] == weeks(0, 1, 2)


@pytest.mark.requirement("TS-008")
def test_even_weeks_over_the_new_year_of_a_year_with_53_weeks():
    # 2026 has a week 53: between week 52 and week 2 lie two odd weeks
    found = days(
        parity=WeekParity.EVEN, starts_on=date(2026, 12, 21), today=date(2027, 1, 4), weekday=0
    )
    assert [day.isocalendar().week for day in found] == [52, 2]
    assert found == [date(2026, 12, 21), date(2027, 1, 11)]
    odd = days(parity=WeekParity.ODD, starts_on=date(2026, 12, 21), today=date(2027, 1, 4))
    assert [day.isocalendar().week for day in odd] == [53, 1, 3]


def test_a_weekday_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="weekday"):
        days(weekday=7)


some_days = st.dates(date(2024, 1, 1), date(2032, 12, 31))


@pytest.mark.requirement("TS-008")
@given(
    st.integers(0, 6),
    st.sampled_from(WeekParity),
    some_days,
    st.lists(st.integers(0, 40), min_size=1, max_size=12),
)
def test_however_often_it_runs_each_day_comes_once_and_in_order(weekday, parity, starts_on, steps):
    today, placed_until, seen = starts_on, None, []
    for step in steps:
        today += timedelta(days=step)
        found = standing_days(
            weekday=weekday,
            parity=parity,
            starts_on=starts_on,
            ends_on=None,
            placed_until=placed_until,
            today=today,
        )
        seen += found
        placed_until = found[-1] if found else placed_until
    at_once = standing_days(
        weekday=weekday,
        parity=parity,
        starts_on=starts_on,
        ends_on=None,
        placed_until=None,
        today=today,
    )
    assert seen == at_once
    assert seen == sorted(set(seen))
    assert all(day.weekday() == weekday for day in seen)
    assert all(starts_on <= day <= today + timedelta(days=PLACED_AHEAD_DAYS) for day in seen)
