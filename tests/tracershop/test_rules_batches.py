"""The life of a batch: which verdict may follow which, and what each needs (TS-046)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.batches import (
    RELEASING,
    VERDICTS,
    WAYS,
    Stage,
    TestOutcome,
    may_follow,
    proposed_expiry,
    verdict_obstacles,
    verdict_warnings,
    within_limits,
)
from tracershop.rules.release import BatchStatus

pytestmark = pytest.mark.requirement("TS-046")

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=9)

statuses = st.sampled_from(list(BatchStatus))
outcomes = st.lists(
    st.builds(
        TestOutcome,
        name=st.sampled_from(["pH", "purity", "sterility"]),
        stage=st.sampled_from(list(Stage)),
        passed=st.sampled_from([None, True, False]),
        listed=st.booleans(),
    ),
    max_size=5,
)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


def obstacles(status, verdict, tests=(), expires_at=LATER, now=NOW):
    found = verdict_obstacles(
        status=status, verdict=verdict, tests=tests, expires_at=expires_at, now=now
    )
    return [str(each.code) for each in found]


# --- the ways --------------------------------------------------------------------------------


def reachable(status):
    """Every status that a batch can come to have from this one, by however many verdicts."""
    found, waiting = set(), [status]
    while waiting:
        for after in WAYS[waiting.pop()]:
            if after not in found:
                found.add(after)
                waiting.append(after)
    return found


@given(statuses)
def test_nothing_ever_comes_back_to_where_it_was(status):
    assert status not in reachable(status)


def test_no_way_leads_from_a_rejected_or_recalled_batch_to_a_released_one():
    assert reachable(BatchStatus.REJECTED) == {BatchStatus.RECALLED}
    assert reachable(BatchStatus.RECALLED) == set()


def test_every_batch_that_could_have_been_used_can_be_rejected_and_recalled():
    for status in (BatchStatus.QUARANTINE, *RELEASING):
        assert may_follow(status, BatchStatus.REJECTED)
    for status in set(BatchStatus) - {BatchStatus.RECALLED}:
        assert may_follow(status, BatchStatus.RECALLED)


@given(statuses, statuses, outcomes)
def test_a_verdict_without_obstacles_is_one_that_may_follow(status, verdict, tests):
    if not obstacles(status, verdict, tests):
        assert may_follow(status, verdict)
        assert verdict in VERDICTS


@given(st.lists(statuses, max_size=8), outcomes)
def test_whatever_is_tried_a_rejected_batch_is_never_released_again(tried, tests):
    status, was_rejected = BatchStatus.QUARANTINE, False
    for verdict in tried:
        if not obstacles(status, verdict, tests):
            status = verdict
        was_rejected = was_rejected or status == BatchStatus.REJECTED
        assert not (was_rejected and status in RELEASING)


# --- what a release needs --------------------------------------------------------------------


@given(statuses, st.sampled_from(sorted(RELEASING)), outcomes)
def test_a_failed_test_of_whatever_stage_forbids_a_release(status, verdict, tests):
    bad = [*tests, TestOutcome("endotoxins", Stage.FULL, passed=False, listed=False)]
    assert "test_failed" in obstacles(status, verdict, bad)


@given(outcomes)
def test_a_full_release_needs_at_least_what_a_conditional_one_does(tests):
    conditional = obstacles(BatchStatus.QUARANTINE, BatchStatus.CONDITIONALLY_RELEASED, tests)
    full = obstacles(BatchStatus.QUARANTINE, BatchStatus.RELEASED, tests)
    assert set(conditional) <= set(full)


def test_a_conditional_release_waits_for_its_own_tests_and_names_the_others():
    ph, sterility = TestOutcome("pH", Stage.CONDITIONAL), TestOutcome("sterility", Stage.FULL)
    conditional = BatchStatus.CONDITIONALLY_RELEASED
    assert obstacles(BatchStatus.QUARANTINE, conditional, [ph, sterility]) == ["test_missing"]
    tests = [TestOutcome("pH", Stage.CONDITIONAL, passed=True), sterility]
    assert obstacles(BatchStatus.QUARANTINE, conditional, tests) == []
    (warning,) = verdict_warnings(verdict=conditional, tests=tests)
    assert (warning.code, warning.facts["tests"]) == ("tests_pending", ("sterility",))
    assert obstacles(conditional, BatchStatus.RELEASED, tests) == ["test_missing"]
    done = [tests[0], TestOutcome("sterility", Stage.FULL, passed=True)]
    assert obstacles(conditional, BatchStatus.RELEASED, done) == []
    assert verdict_warnings(verdict=BatchStatus.RELEASED, tests=done) == []


def test_a_test_that_is_no_longer_listed_is_not_missed():
    gone = TestOutcome("colour", Stage.CONDITIONAL, listed=False)
    assert obstacles(BatchStatus.QUARANTINE, BatchStatus.RELEASED, [gone]) == []
    (warning,) = verdict_warnings(verdict=BatchStatus.RELEASED, tests=[gone])
    assert warning.code == "no_tests"


@given(st.sampled_from(sorted(RELEASING)), st.timedeltas(min_value=timedelta(0)))
def test_an_expired_batch_is_not_released(verdict, since):
    expires_at = NOW - min(since, timedelta(days=3000))
    found = obstacles(BatchStatus.QUARANTINE, verdict, expires_at=expires_at)
    assert found == ["batch_expired"]


def test_a_batch_without_expiry_is_not_released():
    found = obstacles(BatchStatus.QUARANTINE, BatchStatus.RELEASED, expires_at=None)
    assert found == ["no_expiry"]


@given(outcomes, st.sampled_from([BatchStatus.QUARANTINE, *sorted(RELEASING)]))
def test_a_rejection_needs_no_result_and_no_expiry(tests, status):
    assert obstacles(status, BatchStatus.REJECTED, tests, expires_at=None) == []
    assert verdict_warnings(verdict=BatchStatus.REJECTED, tests=tests) == []


# --- limits and expiry -----------------------------------------------------------------------


@given(finite, st.tuples(finite, finite).map(sorted), st.booleans(), st.booleans())
def test_a_value_passes_exactly_when_the_limits_would_not_move_it(value, ends, has_low, has_high):
    low, high = (end if has else None for end, has in zip(ends, (has_low, has_high), strict=True))
    moved = value if low is None else max(value, low)
    moved = moved if high is None else min(moved, high)
    assert within_limits(value, low, high) == (moved == value)


@given(finite)
def test_the_limits_themselves_pass(limit):
    assert within_limits(limit, limit, limit)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_result(value):
    with pytest.raises(ValueError, match="value"):
        within_limits(value, 1, 2)


def test_the_expiry_is_the_shelf_life_after_the_calibration_also_in_a_night_of_25_hours():
    copenhagen = ZoneInfo("Europe/Copenhagen")
    saturday = datetime(2026, 10, 24, 20, 0, tzinfo=copenhagen)
    assert proposed_expiry(saturday, 600) - saturday.astimezone(UTC) == timedelta(hours=10)
    assert proposed_expiry(saturday, 600).astimezone(copenhagen).hour == 5
    with pytest.raises(ValueError, match="calibrated_at"):
        proposed_expiry(datetime(2026, 10, 24, 20, 0), 600)
