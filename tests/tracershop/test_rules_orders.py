from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.decay import round_up_mbq
from tracershop.rules.orders import (
    TRANSITIONS,
    OrderAct,
    OrderStatus,
    Outcome,
    TransitionRefused,
    lowest_status,
    may_edit,
    moved_total_mbq,
    total_mbq,
    transition,
)

F18_S = 6586.2
SLOT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)

ORDERED, ACCEPTED, RELEASED, REJECTED = (
    OrderStatus.ORDERED,
    OrderStatus.ACCEPTED,
    OrderStatus.RELEASED,
    OrderStatus.REJECTED,
)

# Every act on every status: the new status where it changes, "same" where it repeats itself,
# None where it is refused.
TABLE = {
    OrderAct.ACCEPT: {ORDERED: ACCEPTED, ACCEPTED: "same", RELEASED: None, REJECTED: None},
    OrderAct.REJECT: {ORDERED: REJECTED, ACCEPTED: REJECTED, RELEASED: None, REJECTED: "same"},
    OrderAct.UNREJECT: {ORDERED: "same", ACCEPTED: None, RELEASED: None, REJECTED: ORDERED},
    OrderAct.RELEASE: {ORDERED: None, ACCEPTED: RELEASED, RELEASED: "same", REJECTED: None},
    OrderAct.CORRECT: {ORDERED: None, ACCEPTED: "same", RELEASED: ACCEPTED, REJECTED: None},
}
CASES = [(act, status, end) for act, row in TABLE.items() for status, end in row.items()]


@pytest.mark.requirement("TS-041")
@pytest.mark.parametrize(("act", "status", "end"), CASES)
def test_every_act_on_every_status(act, status, end):
    if end is None:
        with pytest.raises(TransitionRefused) as refused:
            transition(status, act)
        assert (refused.value.status, refused.value.act) == (status, act)
        assert refused.value.facts["status"] == status
        assert set(refused.value.facts["possible_from"]) == TRANSITIONS[act].sources
    elif end == "same":
        assert transition(status, act) == Outcome(status, changed=False)
    else:
        assert transition(status, act) == Outcome(end, changed=True)


@pytest.mark.requirement("TS-041")
@given(st.sampled_from(OrderAct), st.sampled_from(OrderStatus))
def test_an_act_done_twice_changes_an_order_once(act, status):
    try:
        first = transition(status, act)
    except TransitionRefused:
        return
    assert transition(first.new_status, act) == Outcome(first.new_status, changed=False)


def test_an_accept_that_comes_late_never_makes_an_order_appear_released():
    with pytest.raises(TransitionRefused):
        transition(RELEASED, OrderAct.ACCEPT)
    assert all(
        transition(status, OrderAct.ACCEPT).new_status == ACCEPTED for status in (ORDERED, ACCEPTED)
    )


@pytest.mark.requirement("TS-005")
def test_a_shop_user_edits_an_order_only_while_it_is_ordered():
    assert [status for status in OrderStatus if may_edit(status)] == [ORDERED]


@pytest.mark.requirement("TS-040")
@pytest.mark.parametrize(
    ("statuses", "lowest"),
    [
        ([], None),
        ([RELEASED], RELEASED),
        ([RELEASED, ACCEPTED], ACCEPTED),
        ([RELEASED, ACCEPTED, ORDERED], ORDERED),
        ([REJECTED, RELEASED], RELEASED),
        ([REJECTED, ORDERED, REJECTED], ORDERED),
        ([REJECTED, REJECTED], REJECTED),
    ],
)
def test_a_group_has_its_lowest_status_and_the_rejected_only_when_all_are(statuses, lowest):
    assert lowest_status(statuses) == lowest


@given(st.lists(st.sampled_from(OrderStatus), min_size=1))
def test_the_status_of_a_group_is_one_of_its_own_in_whatever_order(statuses):
    assert lowest_status(statuses) in statuses
    assert lowest_status(reversed(statuses)) == lowest_status(statuses)
    assert lowest_status([*statuses, ORDERED]) == ORDERED


def moved(ordered_mbq, overhead, earlier):
    return moved_total_mbq(
        ordered_mbq,
        overhead,
        half_life_s=F18_S,
        ordered_for_at=SLOT,
        delivered_at=SLOT - earlier,
    )


@pytest.mark.requirement("TS-042")
def test_an_order_moved_here_from_three_half_lives_later_counts_eightfold():
    here = total_mbq(1000, 1.25)
    from_later = moved(1000, 1.25, timedelta(seconds=3 * F18_S))
    assert round_up_mbq(here + from_later) == 11250


@pytest.mark.requirement("TS-042")
def test_an_order_that_was_not_moved_is_its_total():
    assert moved(1000, 1.25, timedelta(0)) == pytest.approx(total_mbq(1000, 1.25))


@pytest.mark.requirement("TS-042")
def test_an_order_cannot_move_to_a_later_slot():
    with pytest.raises(ValueError, match=r"^delivered_at"):
        moved(1000, 1.25, -timedelta(seconds=1))


@pytest.mark.requirement("TS-040")
def test_the_total_is_what_was_ordered_with_the_overhead():
    assert total_mbq(8200, 1.25) == pytest.approx(10250)
    assert total_mbq(8200, 1) == pytest.approx(8200)


@pytest.mark.parametrize("ordered_mbq", [0, -1, float("nan"), float("inf")])
def test_a_total_of_nothing_is_refused(ordered_mbq):
    with pytest.raises(ValueError, match=r"^ordered_mbq"):
        total_mbq(ordered_mbq, 1.25)


@pytest.mark.parametrize("overhead", [0, 0.99, -1.25, float("nan"), float("inf")])
def test_an_overhead_that_would_deliver_less_than_ordered_is_refused(overhead):
    with pytest.raises(ValueError, match=r"^overhead"):
        total_mbq(1000, overhead)


@given(st.floats(1, 1e5), st.floats(1, 3), st.integers(0, 40_000))
def test_what_was_moved_decays_to_what_is_needed_at_its_own_slot(ordered_mbq, overhead, earlier_s):
    at_moved = moved(ordered_mbq, overhead, timedelta(seconds=earlier_s))
    left_at_slot = at_moved * 2 ** (-earlier_s / F18_S)
    assert left_at_slot == pytest.approx(total_mbq(ordered_mbq, overhead))
