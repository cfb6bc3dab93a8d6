"""What follows from times and values alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.connectors.rules import LONGEST_PAUSE, Difference, differences, is_fresh, pause_after

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_pauses_between_attempts_grow_to_ten_minutes() -> None:
    pauses = [pause_after(attempts) for attempts in range(12)]
    assert pauses[0] == pauses[1] == timedelta(seconds=5)
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE == timedelta(minutes=10)
    assert pause_after(10_000) == LONGEST_PAUSE


def test_an_answer_is_fresh_until_its_age_and_never_when_it_is_of_the_future() -> None:
    hour = timedelta(hours=1)
    assert is_fresh(NOW - hour, NOW, hour)
    assert not is_fresh(NOW - hour - timedelta(seconds=1), NOW, hour)
    assert not is_fresh(NOW + timedelta(seconds=1), NOW, hour)
    assert not is_fresh(NOW - timedelta(seconds=1), NOW, timedelta(0))


@pytest.mark.requirement("DR-118")
def test_each_field_that_differs_is_named_with_both_values() -> None:
    ours = {"A18": 1, "A19": "no", "rows": [{"x": 1.5}], "done": True}
    assert differences(ours, {**ours, "A18": 1.0, "theirs": 7}) == []
    assert differences(ours, {**ours, "A18": "1.00"}) == []
    assert differences(ours, {**ours, "A19": "yes", "done": 1}) == [
        Difference("A19", "no", "yes"),
        Difference("done", True, 1),
    ]
    assert differences(ours, {**ours, "rows": [{"x": 1.5}, {"x": 2}]}) == [
        Difference("rows", [{"x": 1.5}], [{"x": 1.5}, {"x": 2}])
    ]


def test_what_is_not_there_at_all_is_missing() -> None:
    assert differences({"a": None}, {}) == [Difference("a", None, None, missing=True)]
    assert differences({"a": None}, {"a": None}) == []
    for nothing in (None, [], "text"):
        assert [each.missing for each in differences({"a": 1, "b": 2}, nothing)] == [True, True]
