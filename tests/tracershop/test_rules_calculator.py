from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.calculator import (
    CalculatorError,
    CalculatorErrorCode,
    InjectionRow,
    activity_needed,
)

F18_S = 6586.2
DELIVERY = datetime(2026, 11, 23, 8, 15, tzinfo=ZoneInfo("Europe/Copenhagen"))


def row(minutes_after_delivery, activity_mbq):
    return InjectionRow(DELIVERY + timedelta(minutes=minutes_after_delivery), activity_mbq)


any_row = st.builds(row, st.integers(0, 600), st.floats(1, 1000))


@pytest.mark.requirement("TS-007")
def test_one_injection_an_hour_after_delivery():
    assert activity_needed([row(60, 300)], DELIVERY, 6584) == 439


@pytest.mark.requirement("TS-007")
def test_the_sum_of_the_rows_is_rounded_up_once():
    # 100.4 + 100.4 are 201 and not 2 × 101
    assert activity_needed([row(0, 100.4), row(0, 100.4)], DELIVERY, F18_S) == 201


@pytest.mark.requirement("TS-007")
def test_an_injection_at_the_moment_of_delivery_needs_what_it_is():
    assert activity_needed([row(0, 250)], DELIVERY, F18_S) == 250


def test_injection_and_delivery_may_be_given_in_different_zones():
    rows = [InjectionRow(datetime(2026, 11, 23, 8, 15, tzinfo=UTC), 500)]  # an hour after delivery
    assert activity_needed(rows, DELIVERY, 3600) == 1000


@pytest.mark.requirement("TS-007")
def test_an_injection_before_the_delivery_is_refused_and_its_row_named():
    with pytest.raises(CalculatorError) as refused:
        activity_needed([row(30, 300), row(-1, 200), row(-5, 100)], DELIVERY, F18_S)
    assert refused.value.code == CalculatorErrorCode.BEFORE_DELIVERY
    assert refused.value.row_number == 2
    assert refused.value.facts == {
        "injected_at": DELIVERY - timedelta(minutes=1),
        "deliver_at": DELIVERY,
        "activity_mbq": 200,
    }


@pytest.mark.requirement("TS-007")
@pytest.mark.parametrize("activity_mbq", [0, -1, float("nan"), float("inf")])
def test_an_activity_that_is_not_above_zero_is_refused_and_its_row_named(activity_mbq):
    with pytest.raises(CalculatorError) as refused:
        activity_needed([row(30, 300), row(30, 300), row(30, activity_mbq)], DELIVERY, F18_S)
    assert refused.value.code == CalculatorErrorCode.ACTIVITY_NOT_POSITIVE
    assert refused.value.row_number == 3


def test_more_than_can_be_produced_is_refused_and_its_row_named():
    with pytest.raises(CalculatorError) as refused:
        activity_needed([row(24 * 60, 100)], DELIVERY, 122.24)
    assert refused.value.code == CalculatorErrorCode.TOO_MUCH
    assert refused.value.row_number == 1


def test_no_rows_are_no_calculation():
    with pytest.raises(CalculatorError) as refused:
        activity_needed([], DELIVERY, F18_S)
    assert refused.value.code == CalculatorErrorCode.NO_ROWS
    assert refused.value.row_number is None


def test_a_naive_injection_time_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^injected_at"):
        activity_needed([InjectionRow(datetime(2026, 11, 23, 9, 0), 300)], DELIVERY, F18_S)


@given(st.lists(any_row, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert activity_needed(shuffled, DELIVERY, F18_S) == activity_needed(rows, DELIVERY, F18_S)


@given(st.lists(any_row, min_size=1, max_size=8), any_row)
def test_another_injection_needs_more_and_never_less_than_itself(rows, another):
    alone = activity_needed(rows, DELIVERY, F18_S)
    with_another = activity_needed([*rows, another], DELIVERY, F18_S)
    assert with_another > alone - 1 + another.activity_mbq * (1 - 1e-6)
    assert alone >= sum(each.activity_mbq for each in rows) * (1 - 1e-9)
