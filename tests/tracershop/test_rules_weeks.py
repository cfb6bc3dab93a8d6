from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.weeks import WeekParity, occurs_on

WEDNESDAY = 2
days = st.dates(date(2020, 1, 1), date(2035, 12, 31))
weekdays = st.integers(0, 6)


@pytest.mark.requirement("TS-002")
@pytest.mark.parametrize(
    ("parity", "day", "takes_place"),
    [
        (WeekParity.EVERY, date(2026, 11, 18), True),  # ISO week 47
        (WeekParity.ODD, date(2026, 11, 18), True),
        (WeekParity.EVEN, date(2026, 11, 18), False),
        (WeekParity.EVEN, date(2026, 11, 25), True),
        (WeekParity.ODD, date(2026, 11, 25), False),
        (WeekParity.EVERY, date(2026, 11, 19), False),  # a Thursday
        (WeekParity.ODD, date(2026, 12, 30), True),  # week 53 …
        (WeekParity.ODD, date(2027, 1, 6), True),  # … and then week 1: two odd weeks in a row
    ],
)
def test_a_weekly_event_keeps_its_weekday_and_iso_week_parity(parity, day, takes_place):
    assert occurs_on(WEDNESDAY, parity, day) is takes_place


def test_the_week_is_that_of_iso_and_not_of_the_calendar_year():
    new_year = date(2027, 1, 1)  # a Friday in week 53 of 2026
    assert occurs_on(4, WeekParity.ODD, new_year)
    assert not occurs_on(4, WeekParity.EVEN, new_year)


@pytest.mark.requirement("TS-002")
def test_the_first_and_the_last_day_are_part_of_the_event():
    first, last = date(2026, 11, 4), date(2026, 11, 18)
    taken = [
        day
        for day in (first - timedelta(weeks=1), first, last, last + timedelta(weeks=1))
        if occurs_on(WEDNESDAY, WeekParity.EVERY, day, first, last)
    ]
    assert taken == [first, last]


@given(weekdays, days)
def test_an_event_is_in_even_or_odd_weeks_and_never_both(weekday, day):
    even = occurs_on(weekday, WeekParity.EVEN, day)
    odd = occurs_on(weekday, WeekParity.ODD, day)
    assert not (even and odd)
    assert (even or odd) is occurs_on(weekday, WeekParity.EVERY, day)


@given(weekdays, days)
def test_an_event_of_every_week_comes_once_in_any_seven_days(weekday, day):
    week = [day + timedelta(days=n) for n in range(7)]
    assert sum(occurs_on(weekday, WeekParity.EVERY, each) for each in week) == 1


@pytest.mark.parametrize("weekday", [-1, 7])
def test_a_weekday_that_does_not_exist_is_refused(weekday):
    with pytest.raises(ValueError, match=r"^weekday"):
        occurs_on(weekday, WeekParity.EVERY, date(2026, 11, 18))
