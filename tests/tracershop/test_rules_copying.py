"""Copying the week before: what goes, what does not, and that nothing is ordered twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.copying import (
    CopyObstacleCode,
    PastOrder,
    PresentOrder,
    copied_to,
    copy_week,
    delivery_of,
    delivery_of_copy,
)
from tracershop.rules.deadlines import Deadline, DeadlineKind
from tracershop.rules.slots import WeeklySlot
from tracershop.rules.weeks import WeekParity

ZONE = ZoneInfo("Europe/Copenhagen")
MONDAY = date(2026, 11, 16)  # of the week before
NOW = datetime(2026, 11, 20, 8, tzinfo=ZONE)  # the Friday; Monday's deadline is at 13:00
DAILY = Deadline(DeadlineKind.DAILY, time(13))
SLOT = WeeklySlot(7, 0, time(8, 15))


def at_slot(key=1, *, day=MONDAY, slot=SLOT, **values):
    at = datetime.combine(day, slot.deliver_time, tzinfo=ZONE)
    fields = {"slot_key": slot.key, "slot": slot, "injections": None}
    return past(key, day, at, **(fields | values))


def injections(key=1, *, at=datetime(2026, 11, 16, 10, tzinfo=ZONE), **values):
    fields = {"slot_key": None, "slot": None, "injections": 2}
    return past(key, at.date(), at, **(fields | values))


def past(key, day, at, **values):
    fields = {
        "endpoint": 1,
        "tracer": 1,
        "use": "human",
        "max_injections": 4,
        "deadline": DAILY,
    }
    return PastOrder(key=key, day=day, ordered_for_at=at, **(fields | values))


def copied(*orders, present=(), closed=(), now=NOW):
    return copy_week(orders, present, closed_days=closed, now=now, zone=ZONE)


def codes(*orders, **values):
    return [copy.obstacle and copy.obstacle.code for copy in copied(*orders, **values)]


def there(order):
    return PresentOrder(delivery_of_copy(order, ZONE), by_standing=order.standing)


@pytest.mark.requirement("TS-008")
def test_an_order_goes_to_the_same_slot_a_week_later_at_the_time_it_has_now():
    later = replace(SLOT, deliver_time=time(8, 45))
    (copy,) = copied(at_slot(slot=SLOT))
    assert (copy.day, copy.obstacle) == (date(2026, 11, 23), None)
    assert copy.deliver_at == datetime(2026, 11, 23, 8, 15, tzinfo=ZONE)
    (moved,) = copied(replace(at_slot(), slot=later))
    assert moved.deliver_at == datetime(2026, 11, 23, 8, 45, tzinfo=ZONE)


@pytest.mark.requirement("TS-008")
@pytest.mark.parametrize(
    ("order", "code"),
    [
        (at_slot(standing=True), CopyObstacleCode.STANDING),
        (at_slot(rejected=True), CopyObstacleCode.REJECTED),
        (at_slot(ghost=True), CopyObstacleCode.GHOST),
        (at_slot(max_injections=None), CopyObstacleCode.NOT_IN_CATALOGUE),
        (at_slot(slot=SLOT, deadline=None), CopyObstacleCode.NO_DEADLINE),
        (replace(at_slot(), slot=None), CopyObstacleCode.NO_SLOT),
        (
            replace(at_slot(), slot=replace(SLOT, expires_on=date(2026, 11, 22))),
            CopyObstacleCode.NO_SLOT,
        ),
        (replace(at_slot(), slot=replace(SLOT, weekday=1)), CopyObstacleCode.NO_SLOT),
        (injections(injections=5), CopyObstacleCode.TOO_MANY_INJECTIONS),
    ],
)
def test_what_does_not_go_says_why(order, code):
    assert codes(order) == [code]


@pytest.mark.requirement("TS-008", "TS-004")
def test_closed_days_and_deadlines_are_those_of_the_new_week():
    assert codes(at_slot(), closed={date(2026, 11, 23)}) == [CopyObstacleCode.CLOSED_DAY]
    deadline = datetime(2026, 11, 20, 13, tzinfo=ZONE)
    assert codes(at_slot(), now=deadline - timedelta(microseconds=1)) == [None]
    assert codes(at_slot(), now=deadline) == [CopyObstacleCode.DEADLINE_PASSED]


@pytest.mark.requirement("TS-008", "TS-002")
def test_a_slot_of_odd_weeks_is_copied_from_week_53_to_week_1_but_an_even_one_is_not():
    now = datetime(2026, 12, 20, 8, tzinfo=ZONE)
    odd = WeeklySlot(7, 0, time(8, 15), WeekParity.ODD)
    even = WeeklySlot(8, 0, time(8, 15), WeekParity.EVEN)
    week_52, week_53 = date(2026, 12, 21), date(2026, 12, 28)
    assert codes(at_slot(day=week_53, slot=odd), now=now) == [None]
    assert codes(at_slot(day=week_52, slot=even), now=now) == [CopyObstacleCode.NO_SLOT]


@pytest.mark.requirement("TS-008")
def test_two_orders_in_a_slot_of_which_one_is_ordered_already_leave_one_to_go():
    first, second = at_slot(1), at_slot(2)
    assert codes(first, second, present=[there(first)]) == [CopyObstacleCode.ALREADY_ORDERED, None]
    animal = at_slot(3, use="animal")
    assert codes(first, animal, present=[there(first)]) == [CopyObstacleCode.ALREADY_ORDERED, None]


@pytest.mark.requirement("TS-008")
def test_a_standing_orders_own_order_does_not_stand_for_the_one_ordered_beside_it():
    by_hand, standing = at_slot(1), at_slot(2, standing=True)
    assert codes(by_hand, standing, present=[there(standing)]) == [None, CopyObstacleCode.STANDING]


@pytest.mark.requirement("TS-008")
def test_a_rejected_order_does_not_hide_that_its_replacement_is_ordered_already():
    rejected, replacement = at_slot(1, rejected=True), at_slot(2)
    assert codes(rejected, replacement, present=[there(replacement)]) == [
        CopyObstacleCode.REJECTED,
        CopyObstacleCode.ALREADY_ORDERED,
    ]


@pytest.mark.requirement("TS-008")
@pytest.mark.parametrize("clock", [time(0), time(23, 59), time(0, 1)])
def test_injections_around_midnight_stay_on_their_weekday(clock):
    order = injections(at=datetime.combine(date(2026, 11, 18), clock, tzinfo=ZONE))
    (copy,) = copied(order)
    assert copy.deliver_at.astimezone(ZONE).date() == copy.day == date(2026, 11, 25)
    assert copy.deliver_at.astimezone(ZONE).time() == clock


@pytest.mark.requirement("TS-008")
def test_a_time_that_the_new_night_leaves_out_moves_forward_and_is_not_ordered_twice():
    order = injections(at=datetime(2026, 3, 22, 2, 30, tzinfo=ZONE))
    assert copied_to(order, ZONE) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 there
    now = datetime(2026, 3, 20, 8, tzinfo=ZONE)
    placed = PresentOrder(delivery_of(1, 1, "human", None, copied_to(order, ZONE)))
    assert codes(order, now=now) == [None]
    assert codes(order, now=now, present=[placed]) == [CopyObstacleCode.ALREADY_ORDERED]


@pytest.mark.requirement("TS-008")
@pytest.mark.parametrize("fold", [0, 1])
def test_of_a_night_with_two_half_past_two_each_goes_to_the_one_of_the_next_week(fold):
    order = injections(at=datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZONE))
    assert copied_to(order, ZONE) == datetime(2026, 11, 1, 1, 30, tzinfo=UTC)


slots = st.sampled_from(
    [
        WeeklySlot(number, weekday, at, parity)
        for number, (weekday, at, parity) in enumerate(
            (weekday, at, parity)
            for weekday in (0, 5, 6)
            for at in (time(2, 30), time(8, 15), time(0))
            for parity in WeekParity
        )
    ]
)


@st.composite
def weeks_of_orders(draw):
    monday = date(2026, 1, 5) + timedelta(weeks=draw(st.integers(0, 70)))
    orders = []
    for key in range(draw(st.integers(0, 6))):
        flags = {
            name: draw(st.booleans()) and draw(st.booleans())
            for name in ("rejected", "ghost", "standing")
        }
        use = draw(st.sampled_from(["human", "animal"]))
        if draw(st.booleans()):
            slot = draw(slots)
            day = monday + timedelta(days=slot.weekday)
            orders.append(at_slot(key, day=day, slot=slot, use=use, **flags))
        else:
            at = datetime.combine(
                monday + timedelta(days=draw(st.integers(0, 6))),
                draw(st.sampled_from([time(2, 30), time(10), time(0)])),
                tzinfo=ZONE,
            ).replace(fold=draw(st.integers(0, 1)))
            orders.append(injections(key, at=at, use=use, **flags))
    closed = {monday + timedelta(days=n) for n in draw(st.sets(st.integers(7, 13), max_size=2))}
    now = datetime.combine(monday, time(8), tzinfo=ZONE) + timedelta(days=draw(st.integers(0, 12)))
    return orders, closed, now


@pytest.mark.requirement("TS-008")
@given(weeks_of_orders())
def test_copying_once_more_finds_nothing_that_goes(week):
    orders, closed, now = week
    first = copied(*orders, closed=closed, now=now)
    by_key = {order.key: order for order in orders}
    went = [copy for copy in first if copy.obstacle is None]
    placed = [
        PresentOrder(
            delivery_of(order.endpoint, order.tracer, order.use, order.slot_key, copy.deliver_at)
        )
        for copy in went
        for order in [by_key[copy.key]]
    ]
    again = copied(*orders, present=placed, closed=closed, now=now)
    assert [copy.key for copy in again if copy.obstacle is None] == []
    assert [copy.key for copy in first] == [order.key for order in orders]


@pytest.mark.requirement("TS-008", "TS-002")
@given(weeks_of_orders())
def test_what_goes_delivers_that_day_before_its_deadline_and_not_on_a_closed_day(week):
    orders, closed, now = week
    by_key = {order.key: order for order in orders}
    for copy in copied(*orders, closed=closed, now=now):
        if copy.obstacle is not None:
            continue
        order = by_key[copy.key]
        assert copy.day == order.day + timedelta(days=7)
        assert copy.day not in closed
        assert copy.deliver_at > now
        assert copy.deliver_at.astimezone(ZONE).date() == copy.day
        assert order.slot is None or order.slot.occurs_on(copy.day)
        assert {order.rejected, order.ghost, order.standing} == {False}


@pytest.mark.requirement("TS-008")
@given(weeks_of_orders())
def test_as_many_go_as_are_not_there_whichever_comes_first(week):
    orders, closed, now = week
    present = [there(order) for order in orders[::2]]
    one_way = copied(*orders, present=present, closed=closed, now=now)
    other_way = copied(*reversed(orders), present=present, closed=closed, now=now)
    going = [sum(copy.obstacle is None for copy in copies) for copies in (one_way, other_way)]
    assert going[0] == going[1]
