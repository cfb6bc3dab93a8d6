from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.deadlines import (
    Deadline,
    DeadlineKind,
    OrderingObstacle,
    OrderingObstacleCode,
    check_ordering_window,
    deadline_at,
    is_closed,
    is_working_day,
)

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
DAILY_13 = Deadline(DeadlineKind.DAILY, time(13, 0))
WEEKLY_THURSDAY_13 = Deadline(DeadlineKind.WEEKLY, time(13, 0), weekday=3)
WEDNESDAY = date(2018, 3, 21)

days = st.dates(date(2018, 1, 1), date(2030, 12, 31))
closed = st.sets(st.dates(date(2018, 1, 1), date(2030, 12, 31)), max_size=40)
deadlines = st.builds(Deadline, st.just(DeadlineKind.DAILY), st.times()) | st.builds(
    Deadline, st.just(DeadlineKind.WEEKLY), st.times(), st.integers(0, 6)
)


def local(year, month, day, hour, minute=0, second=0):
    return datetime(year, month, day, hour, minute, second, tzinfo=COPENHAGEN)


@pytest.mark.requirement("TS-004")
@pytest.mark.parametrize(
    ("deadline", "delivery_day", "closed_days", "expected"),
    [
        (DAILY_13, WEDNESDAY, set(), local(2018, 3, 20, 13)),
        (WEEKLY_THURSDAY_13, WEDNESDAY, set(), local(2018, 3, 15, 13)),
        # Monday: the Friday before; and the Thursday before when that Friday is closed
        (DAILY_13, date(2018, 3, 19), set(), local(2018, 3, 16, 13)),
        (DAILY_13, date(2018, 3, 19), {date(2018, 3, 16)}, local(2018, 3, 15, 13)),
        # Saturday and Sunday: the Friday
        (DAILY_13, date(2018, 3, 24), set(), local(2018, 3, 23, 13)),
        (DAILY_13, date(2018, 3, 25), set(), local(2018, 3, 23, 13)),
        # Easter 2018: Thursday 29 March to Monday 2 April closed
        (
            DAILY_13,
            date(2018, 4, 3),
            {date(2018, 3, 29), date(2018, 3, 30), date(2018, 4, 1), date(2018, 4, 2)},
            local(2018, 3, 28, 13),
        ),
        # strictly before: for a Thursday the Thursday a week earlier, for a Friday the day before
        (WEEKLY_THURSDAY_13, date(2018, 3, 22), set(), local(2018, 3, 15, 13)),
        (WEEKLY_THURSDAY_13, date(2018, 3, 23), set(), local(2018, 3, 22, 13)),
        # a weekly deadline stays on its day, closed or not
        (WEEKLY_THURSDAY_13, WEDNESDAY, {date(2018, 3, 15)}, local(2018, 3, 15, 13)),
    ],
)
def test_the_deadline_of_a_delivery_day(deadline, delivery_day, closed_days, expected):
    assert deadline_at(deadline, delivery_day, closed_days, COPENHAGEN) == expected


def test_a_deadline_in_the_hour_left_out_in_spring_moves_forward():
    deadline = Deadline(DeadlineKind.WEEKLY, time(2, 30), weekday=6)
    moment = deadline_at(deadline, date(2026, 3, 30), set(), COPENHAGEN)
    assert moment.astimezone(UTC) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@given(deadlines, days, closed)
def test_a_deadline_always_falls_before_the_delivery_day(deadline, delivery_day, closed_days):
    moment = deadline_at(deadline, delivery_day, closed_days, COPENHAGEN)
    assert moment.date() < delivery_day


@given(days, closed)
def test_a_daily_deadline_is_the_last_working_day_before(delivery_day, closed_days):
    day = deadline_at(DAILY_13, delivery_day, closed_days, COPENHAGEN).date()
    assert is_working_day(day, closed_days)
    between = [day + timedelta(days=n) for n in range(1, (delivery_day - day).days)]
    assert not any(is_working_day(each, closed_days) for each in between)


@given(days, st.integers(0, 6), closed)
def test_a_weekly_deadline_is_its_weekday_within_the_week_before(
    delivery_day, weekday, closed_days
):
    deadline = Deadline(DeadlineKind.WEEKLY, time(13, 0), weekday)
    day = deadline_at(deadline, delivery_day, closed_days, COPENHAGEN).date()
    assert day.weekday() == weekday
    assert 1 <= (delivery_day - day).days <= 7


def test_a_calendar_closed_for_a_whole_year_is_reported_and_not_searched_for_ever():
    closed_days = {WEDNESDAY - timedelta(days=n) for n in range(1, 400)}
    with pytest.raises(ValueError, match=r"^closed_days"):
        deadline_at(DAILY_13, WEDNESDAY, closed_days, COPENHAGEN)


def test_a_deadline_that_is_not_one_cannot_be_made():
    with pytest.raises(ValueError, match=r"^weekday"):
        Deadline(DeadlineKind.WEEKLY, time(13, 0))
    with pytest.raises(ValueError, match=r"^weekday"):
        Deadline(DeadlineKind.WEEKLY, time(13, 0), weekday=7)
    with pytest.raises(ValueError, match=r"^weekday"):
        Deadline(DeadlineKind.DAILY, time(13, 0), weekday=3)


def test_closed_and_working_days():
    assert is_closed(WEDNESDAY, {WEDNESDAY})
    assert not is_closed(WEDNESDAY, set())
    assert is_working_day(WEDNESDAY, set())
    assert not is_working_day(WEDNESDAY, {WEDNESDAY})
    assert not is_working_day(date(2018, 3, 24), set())


def window(delivery_day, now, closed_days=frozenset(), deadline=DAILY_13):
    return check_ordering_window(
        delivery_day=delivery_day,
        deadline=deadline,
        closed_days=closed_days,
        now=now,
        zone=COPENHAGEN,
    )


@pytest.mark.requirement("TS-002")
@pytest.mark.requirement("TS-004")
def test_an_order_is_in_time_until_the_deadline_and_not_at_it():
    assert window(WEDNESDAY, local(2018, 3, 20, 12, 59, 59)) is None
    too_late = OrderingObstacle(
        OrderingObstacleCode.DEADLINE_PASSED,
        {"delivery_day": WEDNESDAY, "deadline_at": local(2018, 3, 20, 13)},
    )
    assert window(WEDNESDAY, local(2018, 3, 20, 13)) == too_late
    assert window(WEDNESDAY, local(2019, 1, 1, 0)) == too_late


@pytest.mark.requirement("TS-004")
def test_a_closed_day_cannot_be_ordered_for():
    obstacle = window(WEDNESDAY, local(2018, 3, 1, 8), closed_days={WEDNESDAY})
    assert obstacle == OrderingObstacle(
        OrderingObstacleCode.CLOSED_DAY, {"delivery_day": WEDNESDAY}
    )


def test_the_clock_of_another_zone_means_the_same_moment():
    assert window(WEDNESDAY, datetime(2018, 3, 20, 11, 59, tzinfo=UTC)) is None
    assert window(WEDNESDAY, datetime(2018, 3, 20, 12, 0, tzinfo=UTC)) is not None


def test_a_naive_now_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^now"):
        window(WEDNESDAY, datetime(2018, 3, 20, 12, 0))


@given(deadlines, days, closed, st.datetimes(datetime(2018, 1, 1), datetime(2031, 1, 1)))
def test_a_day_that_has_begun_can_never_be_ordered_for(deadline, delivery_day, closed_days, clock):
    now = clock.replace(tzinfo=COPENHAGEN)
    obstacle = window(delivery_day, now, closed_days, deadline)
    if delivery_day in closed_days or now.date() >= delivery_day:
        assert obstacle is not None
    if obstacle is None:
        assert now < deadline_at(deadline, delivery_day, closed_days, COPENHAGEN)
