"""Who belongs on the next list, and by when (DR-056, DR-057, DR-073, DR-074)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product

import pytest
from digital_review.rules.planning import (
    Candidate,
    Last,
    Why,
    days_due,
    follow_up_is_due,
    in_time,
    reordered,
    why_on_list,
)
from hypothesis import given
from hypothesis import strategies as st

NEW = Candidate(ended=False, on_a_list=False, last=Last.NEVER, complete=True, forced=False)


@pytest.mark.requirement("DR-056", "DR-057", "DR-058")
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, Why.NEW),
        ({"complete": False}, None),
        ({"complete": False, "forced": True}, Why.FORCED),
        ({"last": Last.DISCUSSED}, Why.AGAIN),
        ({"last": Last.DISCUSSED, "complete": False}, Why.AGAIN),
        ({"last": Last.POSTPONED, "complete": False}, Why.NOT_REACHED),
    ],
)
def test_a_patient_belongs_on_the_next_list_for_one_of_these_reasons(changes, why) -> None:
    assert why_on_list(replace(NEW, **changes)) == why


@pytest.mark.requirement("DR-056")
def test_who_is_on_a_list_or_through_the_review_is_never_on_the_next() -> None:
    for last, complete, forced in product(Last, (True, False), (True, False)):
        case = Candidate(False, False, last, complete, forced)
        assert why_on_list(replace(case, on_a_list=True)) is None
        assert why_on_list(replace(case, ended=True)) is None


@pytest.mark.requirement("DR-073", "DR-074")
def test_the_last_day_is_in_time_and_the_next_is_not() -> None:
    meeting = date(2027, 3, 29)
    assert days_due(meeting, 28) == date(2027, 3, 1)
    assert in_time(meeting, date(2027, 3, 8), 21)
    assert not in_time(meeting, date(2027, 3, 9), 21)


@pytest.mark.requirement("DR-052")
def test_a_follow_up_is_asked_for_when_it_falls_due_by_the_meeting() -> None:
    meeting = date(2027, 3, 29)
    assert follow_up_is_due(meeting, meeting)
    assert not follow_up_is_due(date(2027, 3, 30), meeting)
    assert not follow_up_is_due(None, meeting)


@given(st.lists(st.integers(), unique=True, min_size=1), st.data(), st.integers(-3, 20))
def test_reordering_loses_nobody_and_keeps_the_order_of_the_others(order, data, to) -> None:
    moved = data.draw(st.sampled_from(order))
    after = reordered(order, moved, to)
    assert sorted(after) == sorted(order)
    assert [each for each in after if each != moved] == [each for each in order if each != moved]
    if 1 <= to <= len(order):
        assert after[to - 1] == moved
