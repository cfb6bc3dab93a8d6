"""Which days of a year are proposed as closed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.holidays import YEARS, proposed_days

pytestmark = pytest.mark.requirement("TS-002")


def easter(year: int) -> date:
    """Gauss' rule as Meeus gives it, worked out apart from the library."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def test_the_days_of_2026():
    days = {each.day: each for each in proposed_days(2026)}
    public = {day for day, each in days.items() if each.public}
    assert public == {
        date(2026, 1, 1), date(2026, 4, 2), date(2026, 4, 3), date(2026, 4, 5), date(2026, 4, 6),
        date(2026, 5, 14), date(2026, 5, 24), date(2026, 5, 25), date(2026, 12, 25),
        date(2026, 12, 26),
    }  # fmt: skip
    assert set(days) - public == {date(2026, 6, 5), date(2026, 12, 24), date(2026, 12, 31)}
    assert days[date(2026, 6, 5)].name == "Grundlovsdag"


def test_the_great_prayer_day_is_none_since_2024():
    assert len([each for each in proposed_days(2023) if each.public]) == 11
    assert len([each for each in proposed_days(2024) if each.public]) == 10


@given(st.sampled_from(YEARS))
def test_every_year_has_its_easter_days_once_and_in_order_with_three_to_decide(year):
    proposal = proposed_days(year)
    days = [each.day for each in proposal]
    assert days == sorted(set(days))
    assert all(day.year == year for day in days)
    public = {each.day for each in proposal if each.public}
    offsets = {-3, -2, 0, 1, 39, 49, 50} | ({26} if year < 2024 else set())
    fixed = {date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)}
    assert public == fixed | {easter(year) + timedelta(days=n) for n in offsets}
    undecided = {each.day for each in proposal if not each.public}
    assert undecided == {date(year, 6, 5), date(year, 12, 24), date(year, 12, 31)} - public


def test_names_are_in_the_language_of_the_site():
    assert proposed_days(2026, language="da")[0].name == "Nytårsdag"
    assert proposed_days(2026, language="en-gb")[0].name == "New Year's Day"
