from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.slots import WeeklySlot, deliver_at, slots_on
from tracershop.rules.weeks import WeekParity

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
MONDAY = date(2026, 11, 23)  # ISO week 48

slots_of_any_kind = st.builds(
    WeeklySlot,
    key=st.integers(1, 1000),
    weekday=st.integers(0, 6),
    deliver_time=st.times(),
    parity=st.sampled_from(WeekParity),
    expires_on=st.none() | st.dates(date(2026, 1, 1), date(2027, 12, 31)),
)


def test_a_slot_delivers_at_the_local_time_summer_and_winter():
    assert deliver_at(time(8, 15), date(2026, 7, 1), COPENHAGEN) == datetime(
        2026, 7, 1, 6, 15, tzinfo=UTC
    )
    assert deliver_at(time(8, 15), date(2026, 12, 1), COPENHAGEN) == datetime(
        2026, 12, 1, 7, 15, tzinfo=UTC
    )


def test_a_time_that_the_clocks_leave_out_moves_forward():
    moment = deliver_at(time(2, 30), date(2026, 3, 29), COPENHAGEN)
    assert moment.astimezone(UTC) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert (moment.hour, moment.minute) == (3, 30)


@pytest.mark.parametrize("fold", [0, 1])
def test_of_a_time_that_comes_twice_the_first_is_taken(fold):
    moment = deliver_at(time(2, 30, fold=fold), date(2026, 10, 25), COPENHAGEN)
    assert moment.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_slot_time_with_a_zone_of_its_own_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        deliver_at(time(8, 15, tzinfo=UTC), MONDAY, COPENHAGEN)


@given(st.times(), st.dates(date(2020, 1, 1), date(2035, 12, 31)))
def test_a_delivery_is_an_existing_moment_on_its_day_and_not_before_its_time(clock_time, day):
    moment = deliver_at(clock_time, day, COPENHAGEN)
    assert moment.astimezone(UTC).astimezone(COPENHAGEN).replace(fold=0) == moment.replace(fold=0)
    assert moment.date() == day
    late = moment.replace(tzinfo=None) - datetime.combine(day, clock_time.replace(fold=0))
    assert late in (timedelta(0), timedelta(hours=1))


@pytest.mark.requirement("TS-002")
def test_the_slots_of_a_day_come_in_the_order_of_their_times():
    noon = WeeklySlot(1, 0, time(12, 0))
    morning = WeeklySlot(2, 0, time(8, 15), WeekParity.EVEN)
    other_week = WeeklySlot(3, 0, time(9, 0), WeekParity.ODD)
    other_day = WeeklySlot(4, 1, time(7, 0))
    expired = WeeklySlot(5, 0, time(7, 30), expires_on=MONDAY - timedelta(days=1))
    last_time = WeeklySlot(6, 0, time(10, 0), expires_on=MONDAY)
    not_begun = WeeklySlot(7, 0, time(7, 45), first_day=MONDAY + timedelta(days=1))
    everything = [noon, morning, other_week, other_day, expired, last_time, not_begun]
    assert slots_on(everything, MONDAY, set()) == [morning, last_time, noon]


def test_slots_of_one_time_come_in_the_order_of_their_keys():
    first, second = WeeklySlot(1, 0, time(8, 15)), WeeklySlot(2, 0, time(8, 15))
    assert slots_on([second, first], MONDAY, set()) == [first, second]


@pytest.mark.requirement("TS-002")
def test_a_closed_day_has_no_slots():
    slot = WeeklySlot(1, 0, time(8, 15))
    assert slots_on([slot], MONDAY, {MONDAY}) == []
    assert slots_on([slot], MONDAY, {MONDAY + timedelta(weeks=1)}) == [slot]


@given(
    st.lists(slots_of_any_kind, unique_by=lambda slot: slot.key),
    st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    st.randoms(use_true_random=False),
)
def test_the_order_in_which_slots_are_given_does_not_matter(slots, day, random):
    shuffled = list(slots)
    random.shuffle(shuffled)
    assert slots_on(shuffled, day, set()) == slots_on(slots, day, set())
    assert all(slot.occurs_on(day) for slot in slots_on(slots, day, set()))
