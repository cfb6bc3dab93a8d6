"""Vials proposed for orders: never twice, never another's, never an expired one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.decay import activity_at
from tracershop.rules.proposal import FreeVial, Need, propose_vials

MORNING = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
F18_S = 6586.2

pytestmark = pytest.mark.requirement("TS-080")


def vial(key: int, activity_mbq: float, **values: object) -> FreeVial:
    given_values = {
        "tracer": 1,
        "customer": 1,
        "filled_at": MORNING,
        "half_life_s": F18_S,
        "use_before": MORNING + timedelta(hours=10),
        **values,
    }
    return FreeVial(key=key, activity_mbq=activity_mbq, **given_values)  # type: ignore[arg-type]


def need(key: int, needed_mbq: float | None, **values: object) -> Need:
    given_values = {"tracer": 1, "customer": 1, "deliver_at": MORNING, **values}
    return Need(key=key, needed_mbq=needed_mbq, **given_values)  # type: ignore[arg-type]


def test_the_smallest_vial_that_covers_the_order_is_proposed() -> None:
    vials = [vial(1, 9000), vial(2, 2500), vial(3, 2000)]
    assert propose_vials([need(7, 2200)], vials) == {7: [2]}


def test_where_no_vial_covers_alone_the_largest_ones_are_put_together() -> None:
    vials = [vial(1, 1000), vial(2, 1500), vial(3, 200)]
    assert propose_vials([need(7, 2400)], vials) == {7: [1, 2]}


def test_what_cannot_be_covered_gets_all_there_is() -> None:
    assert propose_vials([need(7, 9999)], [vial(1, 1000), vial(2, 10)]) == {7: [1, 2]}


def test_an_injection_order_is_proposed_one_vial() -> None:
    assert propose_vials([need(7, None)], [vial(1, 1000), vial(2, 400)]) == {7: [2]}


def test_a_vial_that_expires_by_the_delivery_is_not_proposed() -> None:
    assert propose_vials([need(7, 10)], [vial(1, 1000, use_before=MORNING)]) == {7: []}


def test_a_vial_filled_ages_after_the_delivery_counts_as_nothing() -> None:
    late = vial(1, 1000, filled_at=MORNING + timedelta(days=90), use_before=None)
    assert propose_vials([need(7, 10)], [late]) == {7: [1]}


vials_strategy = st.lists(
    st.builds(
        FreeVial,
        key=st.integers(1, 10**6),
        tracer=st.integers(1, 2),
        customer=st.integers(1, 2),
        filled_at=st.integers(-300, 300).map(lambda m: MORNING + timedelta(minutes=m)),
        activity_mbq=st.floats(1, 1e5),
        half_life_s=st.just(F18_S),
        use_before=st.none() | st.integers(-60, 600).map(lambda m: MORNING + timedelta(minutes=m)),
    ),
    unique_by=lambda each: each.key,
    max_size=12,
)
needs_strategy = st.lists(
    st.builds(
        Need,
        key=st.integers(1, 10**6),
        tracer=st.integers(1, 2),
        customer=st.integers(1, 2),
        deliver_at=st.integers(0, 300).map(lambda m: MORNING + timedelta(minutes=m)),
        needed_mbq=st.none() | st.floats(1, 1e5),
    ),
    unique_by=lambda each: each.key,
    max_size=6,
)


@given(needs=needs_strategy, vials=vials_strategy)
def test_no_vial_is_proposed_twice_to_another_tracer_or_customer_or_when_expired(
    needs: list[Need], vials: list[FreeVial]
) -> None:
    proposal = propose_vials(needs, vials)
    by_key = {each.key: each for each in vials}
    used = [key for keys in proposal.values() for key in keys]
    assert len(used) == len(set(used))
    for each in needs:
        for key in proposal[each.key]:
            chosen = by_key[key]
            assert (chosen.tracer, chosen.customer) == (each.tracer, each.customer)
            assert chosen.use_before is None or chosen.use_before > each.deliver_at


@given(needed=st.floats(1, 1e4), strengths=st.lists(st.floats(1, 1e4), min_size=1, max_size=8))
def test_an_order_is_covered_whenever_the_free_vials_together_can(
    needed: float, strengths: list[float]
) -> None:
    vials = [vial(number, mbq) for number, mbq in enumerate(strengths, start=1)]
    chosen = propose_vials([need(1, needed)], vials)[1]
    together = sum(
        activity_at(each.activity_mbq, F18_S, each.filled_at, MORNING)
        for each in vials
        if each.key in chosen
    )
    if sum(strengths) >= needed + 1e-6:
        assert together >= needed - 1e-6
