from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.bookings import (
    BookedProcedure,
    BookingKind,
    InjectionLine,
    OpenSlot,
    Unplaced,
    UnplacedReason,
    plan_bookings,
)
from tracershop.rules.deadlines import (
    Deadline,
    DeadlineKind,
    OrderingObstacle,
    OrderingObstacleCode,
)

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
F18_S = 6586.2
DAY = date(2026, 11, 25)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=COPENHAGEN)
DAILY_13 = Deadline(DeadlineKind.DAILY, time(13, 0))
PASSED = OrderingObstacle(
    OrderingObstacleCode.DEADLINE_PASSED,
    {"delivery_day": DAY, "deadline_at": datetime(2026, 11, 20, 13, tzinfo=COPENHAGEN)},
)


def at(hour, minute=0, day=DAY):
    return datetime.combine(day, time(hour, minute), tzinfo=COPENHAGEN)


def booking(key, starts_at, **changes):
    plain = BookedProcedure(
        key=key,
        starts_at=starts_at,
        tracer="FDG",
        endpoint="RH-PET",
        delay_min=0,
        units=300,
        kind=BookingKind.ACTIVITY,
        half_life_s=F18_S,
    )
    return replace(plain, **changes)


def slot(key, deliver_at, obstacle=None, tracer="FDG", endpoint="RH-PET"):
    return OpenSlot(key, endpoint, tracer, deliver_at, obstacle)


def plan(bookings, slots, closed_days=frozenset(), now=NOW):
    return plan_bookings(
        bookings,
        slots,
        closed_days=closed_days,
        injection_deadline=DAILY_13,
        now=now,
        zone=COPENHAGEN,
    )


def only_unplaced(result):
    assert (result.lines, result.injections) == ((), ())
    (unplaced,) = result.unplaced
    return unplaced


MORNING, NOON = slot(1, at(8, 15)), slot(2, at(12, 0))


@pytest.mark.requirement("TS-024")
def test_a_booking_goes_to_the_latest_slot_before_its_injection():
    result = plan([booking(7, at(11, 0), delay_min=90)], [NOON, MORNING])  # injected at 12:30
    (line,) = result.lines
    assert line.slot == NOON
    assert line.booking_keys == (7,)
    assert line.contributions[0].injected_at == at(12, 30)
    assert line.exact_mbq == pytest.approx(300 * 2 ** (1800 / F18_S))
    assert line.ordered_mbq == 363
    assert (result.injections, result.unplaced) == ((), ())


@pytest.mark.requirement("TS-024")
def test_a_slot_at_the_moment_of_the_injection_serves_it_without_decay():
    (line,) = plan([booking(7, at(12, 0))], [MORNING, NOON]).lines
    assert (line.slot, line.ordered_mbq) == (NOON, 300)


@pytest.mark.requirement("TS-024")
def test_the_bookings_of_a_slot_are_summed_and_rounded_up_once():
    half_life = timedelta(seconds=F18_S)
    bookings = [
        booking(1, at(8, 15), units=100.4),
        booking(2, (at(8, 15) + half_life), units=100.2),  # 200.4 at the slot
        booking(3, at(12, 0), units=50),
    ]
    first, second = plan(bookings, [MORNING, NOON]).lines
    assert (first.slot, first.booking_keys, first.ordered_mbq) == (MORNING, (1, 2), 301)
    assert first.exact_mbq == pytest.approx(300.8)
    assert [each.activity_mbq for each in first.contributions] == pytest.approx([100.4, 200.4])
    assert (second.slot, second.booking_keys, second.ordered_mbq) == (NOON, (3,), 50)


@pytest.mark.requirement("TS-024")
def test_only_slots_of_the_same_endpoint_and_tracer_count():
    others = [
        slot(3, at(12, 15), endpoint="BBH-PET"),
        slot(4, at(12, 20), tracer="PSMA"),
    ]
    (line,) = plan([booking(7, at(12, 30))], [*others, MORNING]).lines
    assert line.slot == MORNING
    assert only_unplaced(plan([booking(7, at(12, 30))], others)).code == UnplacedReason.NO_SLOT


@pytest.mark.requirement("TS-024")
def test_a_slot_of_the_day_before_does_not_serve_a_booking():
    evening_before = slot(1, at(23, 59, day=DAY - timedelta(days=1)))
    unplaced = only_unplaced(plan([booking(7, at(0, 5))], [evening_before]))
    assert unplaced == Unplaced(
        UnplacedReason.NO_SLOT,
        {
            "booking_key": 7,
            "endpoint": "RH-PET",
            "tracer": "FDG",
            "units": 300,
            "injected_at": at(0, 5),
            "day": DAY,
        },
    )


@pytest.mark.requirement("TS-024")
def test_the_day_is_that_of_the_injection_on_the_clocks_of_the_site():
    # 23:30 UTC on the 24th is half past midnight on the 25th at the site
    late = booking(7, datetime(2026, 11, 24, 23, 0, tzinfo=UTC), delay_min=30)
    (line,) = plan([late], [slot(1, at(0, 15)), slot(2, at(23, 0, day=date(2026, 11, 24)))]).lines
    assert line.slot.key == 1


@pytest.mark.requirement("TS-024")
def test_a_booking_before_the_first_slot_is_left_with_that_reason():
    unplaced = only_unplaced(plan([booking(7, at(8, 0))], [NOON, MORNING]))
    assert unplaced.code == UnplacedReason.ALL_SLOTS_LATER
    assert unplaced.facts["first_deliver_at"] == at(8, 15)


@pytest.mark.requirement("TS-024")
def test_a_slot_past_its_deadline_is_not_passed_over_for_an_earlier_one():
    too_late = slot(2, at(12, 0), obstacle=PASSED)
    assert not too_late.orderable
    assert MORNING.orderable
    unplaced = only_unplaced(plan([booking(7, at(12, 30))], [MORNING, too_late]))
    assert unplaced.code == UnplacedReason.DEADLINE_PASSED
    assert unplaced.facts["deliver_at"] == at(12, 0)
    assert unplaced.facts["deadline_at"] == PASSED.facts["deadline_at"]


@pytest.mark.requirement("TS-024")
@pytest.mark.parametrize("kind", BookingKind)
def test_nothing_is_placed_on_a_closed_day(kind):
    closed = booking(7, at(12, 30), kind=kind, units=1)
    assert only_unplaced(plan([closed], [MORNING], {DAY})).code == UnplacedReason.CLOSED_DAY


def test_a_slot_that_says_itself_that_its_day_is_closed_is_believed():
    closed = OrderingObstacle(OrderingObstacleCode.CLOSED_DAY, {"delivery_day": DAY})
    unplaced = only_unplaced(plan([booking(7, at(12, 30))], [slot(1, at(8, 15), closed)]))
    assert unplaced.code == UnplacedReason.CLOSED_DAY


@pytest.mark.requirement("TS-024")
def test_injection_tracers_give_one_injection_order_for_each_booking():
    water = {"tracer": "WATER", "kind": BookingKind.INJECTION, "half_life_s": 122.24}
    bookings = [
        booking(2, at(10, 0), units=2, delay_min=15, **water),
        booking(1, at(9, 0), units=1, **water),
    ]
    result = plan(bookings, [])
    assert result.injections == (
        InjectionLine(1, "WATER", "RH-PET", at(9, 0), 1),
        InjectionLine(2, "WATER", "RH-PET", at(10, 15), 2),
    )
    assert (result.lines, result.unplaced) == ((), ())


@pytest.mark.requirement("TS-024")
def test_an_injection_past_the_deadline_is_left_with_that_reason():
    late = booking(7, at(9, 0), kind=BookingKind.INJECTION, units=1)
    deadline = at(13, 0, day=date(2026, 11, 24))
    assert plan([late], [], now=deadline - timedelta(seconds=1)).unplaced == ()
    unplaced = only_unplaced(plan([late], [], now=deadline))
    assert unplaced.code == UnplacedReason.DEADLINE_PASSED
    assert unplaced.facts["deadline_at"] == deadline


@pytest.mark.parametrize(
    ("kind", "units"),
    [
        (BookingKind.ACTIVITY, 0),
        (BookingKind.ACTIVITY, -5),
        (BookingKind.ACTIVITY, float("nan")),
        (BookingKind.INJECTION, 0),
        (BookingKind.INJECTION, 1.5),
        (BookingKind.INJECTION, float("inf")),
    ],
)
def test_an_amount_that_cannot_be_ordered_is_left_with_that_reason(kind, units):
    unplaced = only_unplaced(plan([booking(7, at(12, 30), kind=kind, units=units)], [MORNING]))
    assert unplaced.code == UnplacedReason.UNITS_INVALID


def test_more_than_can_be_produced_is_left_with_that_reason():
    oxygen = booking(7, at(20, 0), half_life_s=122.24)
    unplaced = only_unplaced(plan([oxygen], [MORNING]))
    assert unplaced.code == UnplacedReason.TOO_MUCH
    assert unplaced.facts["deliver_at"] == at(8, 15)


@pytest.mark.requirement("TS-024")
def test_the_same_booking_twice_in_one_plan_is_refused():
    with pytest.raises(ValueError, match=r"^bookings given twice"):
        plan([booking(7, at(12, 30)), booking(7, at(12, 30))], [MORNING])


def test_of_two_slots_at_one_moment_the_lower_key_is_taken_in_whatever_order():
    twins = [slot(5, at(12, 0)), slot(4, at(12, 0))]
    for given_slots in (twins, twins[::-1]):
        (line,) = plan([booking(7, at(12, 30))], given_slots).lines
        assert line.slot.key == 4


def test_minutes_of_delay_are_real_minutes_on_the_night_the_clocks_go_back():
    night = date(2026, 10, 25)
    start = datetime(2026, 10, 25, 1, 30, tzinfo=COPENHAGEN)
    delivered = slot(1, at(1, 0, day=night))
    (line,) = plan(
        [booking(7, start, delay_min=120, half_life_s=3600)],
        [delivered],
        now=datetime(2026, 10, 20, tzinfo=UTC),
    ).lines
    injected_at = line.contributions[0].injected_at
    assert injected_at.astimezone(UTC) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert line.exact_mbq == pytest.approx(300 * 2**2.5)  # 01:00 to 02:30 the second time: 2½ hours


def test_on_that_night_the_second_half_past_two_comes_after_the_first():
    first = datetime(2026, 10, 25, 2, 30, tzinfo=COPENHAGEN)
    second = first.replace(fold=1)
    by_slot = plan([booking(7, second)], [slot(1, first), slot(2, second)]).lines
    assert [line.slot.key for line in by_slot] == [2]
    in_order = plan(
        [
            booking(1, second, kind=BookingKind.INJECTION, units=1),
            booking(2, first, kind=BookingKind.INJECTION, units=1),
        ],
        [],
        now=datetime(2026, 10, 20, tzinfo=UTC),
    ).injections
    assert [line.booking_key for line in in_order] == [2, 1]


def test_no_bookings_make_an_empty_plan():
    result = plan([], [MORNING])
    assert (result.lines, result.injections, result.unplaced) == ((), (), ())


def test_a_naive_start_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^starts_at"):
        plan([booking(7, datetime(2026, 11, 25, 9, 0))], [MORNING])


minutes_of_day = st.integers(0, 24 * 60 - 1)


@st.composite
def any_bookings(draw):
    keys = draw(st.lists(st.integers(1, 10_000), unique=True, max_size=12))
    return [
        booking(
            key,
            at(0) + timedelta(minutes=draw(minutes_of_day)),
            tracer=draw(st.sampled_from(["FDG", "PSMA"])),
            endpoint=draw(st.sampled_from(["RH-PET", "BBH-PET"])),
            delay_min=draw(st.integers(0, 120)),
            units=draw(st.integers(0, 500)),
            kind=draw(st.sampled_from(BookingKind)),
        )
        for key in keys
    ]


@st.composite
def any_slots(draw):
    return [
        slot(
            key,
            at(0) + timedelta(minutes=draw(minutes_of_day)),
            draw(st.sampled_from([None, None, PASSED])),
            draw(st.sampled_from(["FDG", "PSMA"])),
            draw(st.sampled_from(["RH-PET", "BBH-PET"])),
        )
        for key in range(1, draw(st.integers(0, 8)) + 1)
    ]


@pytest.mark.requirement("TS-024")
@given(any_bookings(), any_slots(), st.randoms(use_true_random=False))
def test_every_booking_is_placed_once_or_has_a_reason_in_whatever_order(bookings, slots, random):
    result = plan(bookings, slots)
    placed = [key for line in result.lines for key in line.booking_keys]
    placed += [line.booking_key for line in result.injections]
    placed += [unplaced.facts["booking_key"] for unplaced in result.unplaced]
    assert sorted(placed) == sorted(each.key for each in bookings)

    random.shuffle(bookings)
    random.shuffle(slots)
    assert plan(bookings, slots) == result


@pytest.mark.requirement("TS-024")
@given(any_bookings(), any_slots())
def test_no_better_slot_exists_and_what_is_ordered_covers_every_injection(bookings, slots):
    by_key = {each.key: each for each in bookings}
    for line in plan(bookings, slots).lines:
        assert line.slot.orderable
        needed = 0.0
        for contribution in line.contributions:
            mine = by_key[contribution.booking_key]
            injected_at = contribution.injected_at
            assert injected_at == mine.starts_at + timedelta(minutes=mine.delay_min)
            assert line.slot.deliver_at <= injected_at
            assert line.slot.deliver_at.date() == injected_at.date()
            assert (line.slot.endpoint, line.slot.tracer) == (mine.endpoint, mine.tracer)
            assert not any(
                line.slot.deliver_at < other.deliver_at <= injected_at
                for other in slots
                if (other.endpoint, other.tracer) == (mine.endpoint, mine.tracer)
            )
            waited_s = (injected_at - line.slot.deliver_at).total_seconds()
            needed += mine.units * 2 ** (waited_s / F18_S)
        assert line.exact_mbq == pytest.approx(needed)
        assert needed * (1 - 1e-9) <= line.ordered_mbq < needed + 1 + 1e-6
