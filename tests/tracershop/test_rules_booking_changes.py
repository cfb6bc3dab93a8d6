"""An order anew for its bookings as they are now: the plan from scratch, and who leaves it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.booking_changes import (
    LeavingReason,
    OrderedFor,
    TiedBooking,
    recompute_order,
)
from tracershop.rules.bookings import BookedProcedure, BookingKind, OpenSlot, plan_bookings
from tracershop.rules.deadlines import Deadline, DeadlineKind

CPH = ZoneInfo("Europe/Copenhagen")
HALF_LIFE_S = 6586.2
DAY = date(2026, 11, 23)
NIGHT_OF_THE_CLOCKS = date(2026, 10, 25)
SLOT_AT = datetime(2026, 11, 23, 8, 15, tzinfo=CPH)
ORDER = OrderedFor(BookingKind.ACTIVITY, endpoint=1, tracer=7, at=SLOT_AT)
INJECTIONS = OrderedFor(
    BookingKind.INJECTION, endpoint=1, tracer=9, at=datetime(2026, 11, 23, 10, tzinfo=CPH)
)
DEADLINE = Deadline(DeadlineKind.DAILY, datetime(2026, 1, 1, 13).time())

pytestmark = pytest.mark.requirement("TS-025")


def procedure(key, starts_at, **values):
    fields = {
        "key": key,
        "starts_at": starts_at,
        "tracer": 7,
        "endpoint": 1,
        "delay_min": 60,
        "units": 300.0,
        "kind": BookingKind.ACTIVITY,
        "half_life_s": HALF_LIFE_S,
    }
    return BookedProcedure(**(fields | values))


def tied(key, starts_at, *, cancelled=False, **values):
    booked = procedure(key, starts_at, **values)
    return TiedBooking(key, cancelled, booked.endpoint, booked)


def at(hour, minute=0, day=DAY):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=CPH)


def recompute(*bookings, order=ORDER, other_slots=()):
    return recompute_order(order, bookings, other_slots=list(other_slots), zone=CPH)


def reasons(recomputed):
    return {key: leaving.code for key, leaving in recomputed.leaving.items()}


def test_the_amount_is_the_sum_at_the_slot_rounded_up_once():
    found = recompute(tied(1, at(8)), tied(2, at(9, 30)))

    exact = sum(300 * 2 ** (minutes * 60 / HALF_LIFE_S) for minutes in (45, 135))
    assert found.ordered_mbq == ceil(exact)
    assert sum(part.activity_mbq for part in found.parts.values()) == pytest.approx(exact)


def test_a_cancelled_booking_needs_nothing():
    found = recompute(tied(1, at(8)), tied(2, at(9), cancelled=True))

    assert reasons(found) == {2: LeavingReason.CANCELLED}
    assert found.ordered_mbq == ceil(300 * 2 ** (45 * 60 / HALF_LIFE_S))


def test_with_no_booking_left_it_is_nothing():
    found = recompute(tied(1, at(8), cancelled=True))

    assert (found.ordered_mbq, found.is_nothing) == (0, True)


@pytest.mark.parametrize(
    ("booking", "reason"),
    [
        (tied(1, at(7)), LeavingReason.BEFORE_DELIVERY),
        (tied(1, at(8) + timedelta(days=1)), LeavingReason.OTHER_DAY),
        (tied(1, at(8), endpoint=2), LeavingReason.OTHER_ENDPOINT),
        (tied(1, at(8), tracer=8), LeavingReason.OTHER_TRACER),
        (tied(1, at(8), kind=BookingKind.INJECTION), LeavingReason.OTHER_TRACER),
        (tied(1, at(8), units=-1.0), LeavingReason.UNITS_INVALID),
        (tied(1, at(8), half_life_s=60.0), LeavingReason.TOO_MUCH),
        (TiedBooking(1, False, 1, None), LeavingReason.NOT_MAPPED),
        (TiedBooking(1, False, None, None), LeavingReason.NOT_MAPPED),
        (TiedBooking(1, False, 2, None), LeavingReason.OTHER_ENDPOINT),
    ],
)
def test_what_no_plan_would_put_here_leaves_and_says_why(booking, reason):
    found = recompute(booking, tied(2, at(9)))

    assert reasons(found) == {1: reason}
    assert found.ordered_mbq == ceil(300 * 2 ** (105 * 60 / HALF_LIFE_S))


def test_a_nearer_slot_that_can_be_ordered_takes_the_booking():
    later = OpenSlot(1, 1, 7, at(11, 30))

    found = recompute(tied(1, at(11)), tied(2, at(9)), other_slots=[later])

    assert reasons(found) == {1: LeavingReason.NEARER_SLOT}
    assert found.leaving[1].facts["deliver_at"] == at(11, 30)
    assert reasons(recompute(tied(1, at(11)), tied(2, at(9)))) == {}


def test_of_two_slots_at_one_moment_the_orders_own_stays():
    twin = OpenSlot(1, 1, 7, SLOT_AT)

    assert reasons(recompute(tied(1, at(9)), other_slots=[twin])) == {}


def test_injections_are_counted_and_take_their_time_along():
    values = {"tracer": 9, "kind": BookingKind.INJECTION, "units": 2.0, "delay_min": 0}

    found = recompute(tied(1, at(11, 20), **values), order=INJECTIONS)

    assert (found.injections, found.injected_at) == (2, at(11, 20))
    another_day = recompute(tied(1, at(11) + timedelta(days=1), **values), order=INJECTIONS)
    assert reasons(another_day) == {1: LeavingReason.OTHER_DAY}
    assert another_day.is_nothing
    half = recompute(tied(1, at(11), **{**values, "units": 1.5}), order=INJECTIONS)
    assert reasons(half) == {1: LeavingReason.UNITS_INVALID}


def test_on_the_night_of_the_clocks_real_time_counts():
    """From 01:30 to 03:30 three hours pass."""
    order = OrderedFor(BookingKind.ACTIVITY, 1, 7, at(1, 30, NIGHT_OF_THE_CLOCKS))

    found = recompute(tied(1, at(3, 30, NIGHT_OF_THE_CLOCKS), delay_min=0), order=order)

    assert found.parts[1].activity_mbq == pytest.approx(300 * 2 ** (3 * 3600 / HALF_LIFE_S))


minutes = st.integers(-600, 900)
bookings = st.lists(
    st.tuples(minutes, st.sampled_from([100.0, 300.0, 411.5]), st.integers(-90, 90), st.booleans()),
    max_size=8,
)


@given(bookings, st.lists(st.integers(-300, 700), max_size=3, unique=True), st.randoms())
def test_it_is_the_plan_from_scratch_in_any_order(drawn, other_minutes, shuffler):
    rows = [
        tied(key, SLOT_AT + timedelta(minutes=start), cancelled=gone, units=units, delay_min=delay)
        for key, (start, units, delay, gone) in enumerate(drawn, start=1)
    ]
    own = OpenSlot(0, 1, 7, SLOT_AT)
    others = [
        OpenSlot(number, 1, 7, SLOT_AT + timedelta(minutes=minute))
        for number, minute in enumerate(other_minutes, start=1)
        if minute and (SLOT_AT + timedelta(minutes=minute)).date() == DAY
    ]
    plan = plan_bookings(
        [row.procedure for row in rows if not row.cancelled],
        [own, *others],
        closed_days=(),
        injection_deadline=DEADLINE,
        now=datetime(2026, 11, 1, tzinfo=UTC),
        zone=CPH,
    )
    line = next((line for line in plan.lines if line.slot.key == 0), None)
    shuffled = list(rows)
    shuffler.shuffle(shuffled)

    found = recompute(*shuffled, other_slots=others)

    assert found.ordered_mbq == (line.ordered_mbq if line else 0)
    assert set(found.parts) == set(line.booking_keys if line else ())
    assert set(found.parts) | set(found.leaving) == {row.key for row in rows}
    assert not set(found.parts) & set(found.leaving)
