from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from tracershop.rules.moments import as_utc, elapsed_s, local_day, minutes_after

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
EVENING, MORNING = (
    datetime(2026, 10, 24, 22, tzinfo=COPENHAGEN),
    datetime(2026, 10, 25, 6, tzinfo=COPENHAGEN),
)


def test_what_passes_between_two_moments_is_real_time_and_not_the_clocks():
    assert elapsed_s(EVENING, MORNING) == pytest.approx(9 * 3600)
    assert elapsed_s(MORNING, EVENING) == pytest.approx(-9 * 3600)


def test_minutes_after_a_moment_are_real_minutes():
    assert minutes_after(EVENING, 9 * 60, "start") == as_utc(MORNING, "morning")


def test_a_day_is_that_of_the_zone_asked_for():
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert local_day(late, COPENHAGEN, "late") == date(2026, 11, 23)
    assert local_day(late, UTC, "late") == date(2026, 11, 22)


def test_a_moment_without_a_zone_is_refused_by_the_name_given():
    with pytest.raises(ValueError, match=r"^filled_at must be an aware datetime"):
        as_utc(datetime(2026, 11, 22), "filled_at")
