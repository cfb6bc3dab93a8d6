"""What a run has to make, and whether it will (TS-044)."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.decay import activity_at
from tracershop.rules.orders import moved_total_mbq, total_mbq
from tracershop.rules.production_plan import (
    Demand,
    Shortage,
    Yields,
    eos_before,
    eos_nearest,
    needed_at_eos_mbq,
    shortage,
    too_early,
    yields_of,
)

pytestmark = pytest.mark.requirement("TS-044")

ZONE = ZoneInfo("Europe/Copenhagen")
F18_S = 6586.2
MONDAY = date(2026, 11, 23)


def local(day: date, hour: int, minute: int = 0, fold: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE, fold=fold)


def test_what_is_needed_an_hour_after_synthesis_is_needed_stronger_at_its_end():
    slot, eos = local(MONDAY, 9), local(MONDAY, 8)
    assert needed_at_eos_mbq([Demand(300, slot)], 6584, eos) == pytest.approx(438.2465, abs=5e-5)


def test_ordered_and_moved_here_are_needed_together():
    slot = local(MONDAY, 8)
    later = slot + timedelta(seconds=3 * F18_S)
    demands = [
        Demand(total_mbq(1000, 1.25), slot),
        Demand(
            moved_total_mbq(1000, 1.25, half_life_s=F18_S, ordered_for_at=later, delivered_at=slot),
            slot,
        ),
    ]
    assert needed_at_eos_mbq(demands, F18_S, slot) == pytest.approx(11250)


def test_moving_an_order_changes_nothing_at_the_end_of_synthesis():
    """What it loses by leaving earlier it was given before."""
    eos, early, late = local(MONDAY, 6, 30), local(MONDAY, 8, 15), local(MONDAY, 11, 30)
    moved = moved_total_mbq(800, 1.2, half_life_s=F18_S, ordered_for_at=late, delivered_at=early)
    assert needed_at_eos_mbq([Demand(moved, early)], F18_S, eos) == pytest.approx(
        needed_at_eos_mbq([Demand(total_mbq(800, 1.2), late)], F18_S, eos)
    )


minutes = st.integers(min_value=0, max_value=600)
amounts = st.floats(min_value=0.1, max_value=50_000)


@given(st.lists(st.tuples(amounts, minutes), max_size=8), minutes, minutes)
def test_decay_composes_by_way_of_any_time_between(parts, first, second):
    eos = local(MONDAY, 4)
    between = eos + timedelta(minutes=first)
    demands = [Demand(mbq, between + timedelta(minutes=m)) for mbq, m in parts]
    by_way = activity_at(needed_at_eos_mbq(demands, F18_S, between), F18_S, between, eos)
    assert by_way == pytest.approx(needed_at_eos_mbq(demands, F18_S, eos))
    assert needed_at_eos_mbq(demands, F18_S, eos) >= math.fsum(mbq for mbq, _ in parts) * (1 - 1e-9)


def test_nothing_is_needed_for_nothing():
    assert needed_at_eos_mbq([], F18_S, local(MONDAY, 6)) == 0


def test_a_delivery_before_the_run_ends_is_found():
    early, late = Demand(1, local(MONDAY, 6)), Demand(1, local(MONDAY, 7))
    assert too_early([early, late], local(MONDAY, 6, 30)) == [early]
    assert too_early([late], late.deliver_at) == []


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        (0, "none"),
        (99, "none"),
        (100, "none"),
        (101, "possible"),
        (150, "possible"),
        (151, "likely"),
    ],
)
def test_the_shortage_follows_what_recent_batches_gave(needed, expected):
    yields = yields_of([100, 150, 220])
    assert yields == Yields(3, 150, 100, 220)
    assert shortage(needed, yields) == expected


def test_without_batches_nobody_knows():
    assert yields_of([]) is None
    assert shortage(1, None) == Shortage.UNKNOWN
    assert shortage(0, None) == Shortage.NONE


def test_a_run_of_the_evening_before_feeds_the_morning():
    deliver_at = local(MONDAY, 1, 15)
    assert eos_before(time(23, 30), 6, deliver_at, 0, ZONE) == local(MONDAY - timedelta(1), 23, 30)
    assert eos_before(time(0, 30), 0, deliver_at, 0, ZONE) == local(MONDAY, 0, 30)


def test_on_the_night_the_clocks_go_back_an_hour_more_decays():
    sunday = date(2026, 10, 25)
    eos = eos_before(time(1, 0), 6, local(sunday, 4), 6, ZONE)
    needed = needed_at_eos_mbq([Demand(100, local(sunday, 4))], F18_S, eos)
    assert needed == pytest.approx(100 * 2 ** (4 * 3600 / F18_S))


def test_the_end_of_synthesis_next_to_a_calibration_may_be_beyond_midnight():
    tuesday = MONDAY + timedelta(days=1)
    assert eos_nearest(time(23, 50), local(tuesday, 0, 10), ZONE) == local(MONDAY, 23, 50)
    assert eos_nearest(time(0, 10), local(MONDAY, 23, 50), ZONE) == local(tuesday, 0, 10)
    assert eos_nearest(time(6, 30), local(MONDAY, 7), ZONE) == local(MONDAY, 6, 30)
