from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.decay import (
    LARGEST_ACTIVITY_MBQ,
    ActivityTooLargeError,
    activity_at,
    decay_factor,
    round_up_mbq,
)

F18_S = 6586.2
COPENHAGEN = ZoneInfo("Europe/Copenhagen")

half_lives = st.floats(60, 400_000)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
within_ten_half_lives = st.floats(-10, 10)


def test_half_is_left_after_one_half_life_and_double_was_there_one_before():
    assert decay_factor(F18_S, F18_S) == pytest.approx(0.5)
    assert decay_factor(F18_S, -F18_S) == pytest.approx(2)
    assert decay_factor(F18_S, 0) == pytest.approx(1)


@pytest.mark.requirement("TS-007")
def test_300_mbq_wanted_an_hour_after_delivery_are_438_mbq_at_delivery():
    injected_at = datetime(2026, 11, 23, 9, 0, tzinfo=COPENHAGEN)
    delivered_at = datetime(2026, 11, 23, 8, 0, tzinfo=COPENHAGEN)
    assert activity_at(300, 6584, injected_at, delivered_at) == pytest.approx(438.2465, abs=5e-5)


@pytest.mark.requirement("TS-040")
def test_a_vial_filled_at_08_45_05_is_decay_corrected_to_nine_o_clock():
    filled_at = datetime(2026, 11, 23, 8, 45, 5, tzinfo=COPENHAGEN)
    slot_at = datetime(2026, 11, 23, 9, 0, 0, tzinfo=COPENHAGEN)
    assert activity_at(13233, F18_S, filled_at, slot_at) == pytest.approx(12043.5, abs=0.05)


@pytest.mark.parametrize(
    ("evening", "morning", "hours"),
    [
        (datetime(2026, 3, 28, 22), datetime(2026, 3, 29, 6), 7),  # clocks go forward
        (datetime(2026, 10, 24, 22), datetime(2026, 10, 25, 6), 9),  # clocks go back
        (datetime(2026, 11, 22, 22), datetime(2026, 11, 23, 6), 8),
    ],
)
def test_the_night_on_which_the_clocks_change_has_its_real_length(evening, morning, hours):
    left = activity_at(
        1000, F18_S, evening.replace(tzinfo=COPENHAGEN), morning.replace(tzinfo=COPENHAGEN)
    )
    assert left == pytest.approx(1000 * 2 ** (-hours * 3600 / F18_S))


def test_the_second_half_past_two_of_an_autumn_night_is_an_hour_after_the_first():
    first = datetime(2026, 10, 25, 2, 30, tzinfo=COPENHAGEN)
    assert activity_at(1000, 3600, first, first.replace(fold=1)) == pytest.approx(500)


def test_zones_may_differ():
    here = datetime(2026, 11, 23, 9, 0, tzinfo=COPENHAGEN)
    there = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert activity_at(1000, 3600, here, there) == pytest.approx(500)


@pytest.mark.parametrize("name", ["measured_at", "wanted_at"])
def test_a_naive_datetime_is_refused_by_name(name):
    aware = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    times = {"measured_at": aware, "wanted_at": aware, name: datetime(2026, 11, 23, 8, 0)}
    with pytest.raises(ValueError, match=f"^{name} must be an aware datetime"):
        activity_at(1000, F18_S, **times)


@pytest.mark.parametrize("activity_mbq", [-1, float("nan"), float("inf")])
def test_an_impossible_activity_is_refused(activity_mbq):
    now = datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(ValueError, match=r"^activity_mbq"):
        activity_at(activity_mbq, F18_S, now, now)


@pytest.mark.parametrize("half_life_s", [0, -1, float("nan"), float("inf")])
def test_an_impossible_half_life_is_refused(half_life_s):
    with pytest.raises(ValueError, match=r"^half_life_s"):
        decay_factor(half_life_s, 60)


@pytest.mark.parametrize("elapsed_s", [float("nan"), float("inf"), float("-inf")])
def test_an_elapsed_time_that_is_no_number_is_refused(elapsed_s):
    with pytest.raises(ValueError, match=r"^elapsed_s"):
        decay_factor(F18_S, elapsed_s)


def test_a_month_of_oxygen_15_is_too_much_to_ask_for():
    wanted_at = datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(ActivityTooLargeError):
        activity_at(1, 122.24, wanted_at + timedelta(days=30), wanted_at)  # beyond any float
    with pytest.raises(ActivityTooLargeError):
        activity_at(1, 122.24, wanted_at + timedelta(hours=2), wanted_at)  # beyond any cyclotron


def test_nothing_is_left_of_what_has_decayed_for_ever():
    filled_at = datetime(2026, 1, 1, tzinfo=UTC)
    assert activity_at(1e5, 122.24, filled_at, filled_at + timedelta(days=300)) == pytest.approx(0)


@given(half_lives, within_ten_half_lives, within_ten_half_lives)
def test_decay_in_two_steps_is_decay_in_one(half_life_s, first, second):
    in_two = decay_factor(half_life_s, first * half_life_s) * decay_factor(
        half_life_s, second * half_life_s
    )
    in_one = decay_factor(half_life_s, (first + second) * half_life_s)
    assert in_two == pytest.approx(in_one, rel=1e-9)


@given(st.floats(1e-3, 1e5), half_lives, moments, within_ten_half_lives)
def test_there_and_back_again_is_where_it_began(activity_mbq, half_life_s, start_at, half_lives_on):
    then_at = start_at + timedelta(seconds=half_lives_on * half_life_s)
    there = activity_at(activity_mbq, half_life_s, start_at, then_at)
    assert activity_at(there, half_life_s, then_at, start_at) == pytest.approx(activity_mbq)


@given(half_lives, within_ten_half_lives, st.floats(1, 1e5))
def test_less_is_left_later(half_life_s, half_lives_on, longer_s):
    elapsed_s = half_lives_on * half_life_s
    assert decay_factor(half_life_s, elapsed_s + longer_s) < decay_factor(half_life_s, elapsed_s)


@pytest.mark.requirement("TS-007")
@pytest.mark.parametrize(
    ("exact_mbq", "whole_mbq"),
    [
        (0, 0),
        (1e-7, 1),
        (0.5, 1),
        (438.2465, 439),
        (1000, 1000),
        (1000.001, 1001),
        (1000 * (1 + 1e-12), 1000),
        (1000 * (1 - 1e-12), 1000),
        (0.1 + 0.2 + 0.7, 1),
        (11250.000000000002, 11250),
    ],
)
def test_activity_is_rounded_up_but_for_float_dust(exact_mbq, whole_mbq):
    assert round_up_mbq(exact_mbq) == whole_mbq


@given(st.floats(0, LARGEST_ACTIVITY_MBQ))
def test_rounding_up_never_loses_activity_and_adds_less_than_one(exact_mbq):
    whole_mbq = round_up_mbq(exact_mbq)
    assert isinstance(whole_mbq, int)
    assert exact_mbq * (1 - 1e-9) <= whole_mbq < exact_mbq + 1 + 1e-9


@given(st.integers(0, 10**9))
def test_whole_amounts_stay_as_they_are(whole_mbq):
    assert round_up_mbq(float(whole_mbq)) == whole_mbq


@pytest.mark.parametrize("exact_mbq", [-0.1, float("nan"), float("inf")])
def test_what_is_no_amount_cannot_be_rounded(exact_mbq):
    with pytest.raises(ValueError, match=r"^exact_mbq"):
        round_up_mbq(exact_mbq)
