"""The vial planner against brute force, and what it never does (TS-045)."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracershop.rules.decay import activity_at
from tracershop.rules.vial_plan import (
    PlanOrder,
    PlanVial,
    Uncovered,
    VialPlan,
    fits,
    plan_vials,
    why_uncovered,
)

pytestmark = pytest.mark.requirement("TS-045")

HALF_LIFE_S = 6586.2
EIGHT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def vial(key: int, mbq: float, **values: object) -> PlanVial:
    fields = {
        "tracer": 1,
        "customer": None,
        "measured_at": EIGHT,
        "expires_at": EIGHT + timedelta(hours=8),
        "volume_ml": 5.0,
    }
    return PlanVial(key=key, activity_mbq=mbq, **(fields | values))  # type: ignore[arg-type]


def order(key: int, mbq: float | None, **values: object) -> PlanOrder:
    fields = {"tracer": 1, "customer": 1, "half_life_s": HALF_LIFE_S, "deliver_at": EIGHT}
    return PlanOrder(key=key, needed_mbq=mbq, **(fields | values))  # type: ignore[arg-type]


def delivered(vials: list[PlanVial], each: PlanOrder, keys: tuple[int, ...]) -> float:
    return sum(
        activity_at(v.activity_mbq, each.half_life_s, v.measured_at, each.deliver_at)
        for v in vials
        if v.key in keys
    )


def test_the_vial_that_wastes_least_is_taken() -> None:
    plan = plan_vials([vial(1, 5000), vial(2, 1100), vial(3, 900)], [order(7, 1000)])
    assert plan.vials_of == {7: (2,)}
    assert plan.uncovered == ()
    assert math.isclose(plan.surplus_mbq, 100)


def test_two_small_vials_are_better_than_one_that_wastes_more() -> None:
    plan = plan_vials([vial(1, 2000), vial(2, 600), vial(3, 500)], [order(7, 1000)])
    assert set(plan.vials_of[7]) == {2, 3}


def test_of_two_plans_that_waste_the_same_the_one_with_fewer_vials_is_taken() -> None:
    plan = plan_vials([vial(1, 1000), vial(2, 600), vial(3, 400)], [order(7, 1000)])
    assert plan.vials_of == {7: (1,)}


def test_covering_more_orders_comes_before_wasting_less() -> None:
    vials = [vial(1, 1000), vial(2, 3000)]
    plan = plan_vials(vials, [order(7, 1000), order(8, 900)])
    assert set(plan.vials_of) == {7, 8}


def test_an_order_that_cannot_be_covered_takes_no_vial() -> None:
    plan = plan_vials([vial(1, 500)], [order(7, 1000)])
    assert plan == VialPlan({}, (7,), 0.0)


def test_decay_until_delivery_decides() -> None:
    later = order(7, 1000, deliver_at=EIGHT + timedelta(seconds=HALF_LIFE_S))
    assert plan_vials([vial(1, 1999)], [later]).uncovered == (7,)
    assert plan_vials([vial(1, 2001)], [later]).vials_of == {7: (1,)}


@pytest.mark.parametrize(
    "values",
    [
        {"tracer": 2},
        {"customer": 2},
        {"expires_at": EIGHT},
        {"measured_at": EIGHT + timedelta(minutes=1)},
    ],
)
def test_a_vial_of_another_kind_or_too_old_or_not_filled_yet_is_never_taken(
    values: dict[str, object],
) -> None:
    assert plan_vials([vial(1, 5000, **values)], [order(7, 1000)]).vials_of == {}


def test_the_greatest_volume_is_kept() -> None:
    vials = [vial(1, 600, volume_ml=6), vial(2, 600, volume_ml=6), vial(3, 1500, volume_ml=8)]
    plan = plan_vials(vials, [order(7, 1000, max_volume_ml=10)])
    assert plan.vials_of == {7: (3,)}


def test_without_vials_every_order_is_uncovered() -> None:
    assert plan_vials([], [order(7, 1), order(8, 1)]).uncovered == (7, 8)


amounts = st.integers(min_value=100, max_value=3000)
vials_of_a_day = st.lists(
    st.builds(
        lambda mbq, tracer, customer, minutes, volume: (mbq, tracer, customer, minutes, volume),
        amounts,
        st.sampled_from([1, 1, 2]),
        st.sampled_from([None, 1, 2]),
        st.integers(-60, 120),
        st.sampled_from([2.0, 5.0]),
    ),
    max_size=5,
)
orders_of_a_day = st.lists(
    st.builds(
        lambda mbq, tracer, customer, minutes, limit: (mbq, tracer, customer, minutes, limit),
        amounts,
        st.sampled_from([1, 1, 2]),
        st.sampled_from([1, 2]),
        st.integers(0, 180),
        st.sampled_from([None, 6.0]),
    ),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(vials_of_a_day, orders_of_a_day)
def test_it_is_as_good_as_trying_everything(
    some_vials: list[tuple], some_orders: list[tuple]
) -> None:
    vials = [
        vial(
            key,
            mbq,
            tracer=tracer,
            customer=customer,
            measured_at=EIGHT + timedelta(minutes=minutes - 60),
            expires_at=EIGHT + timedelta(minutes=minutes + 60),
            volume_ml=volume,
        )
        for key, (mbq, tracer, customer, minutes, volume) in enumerate(some_vials, start=1)
    ]
    orders = [
        order(
            key,
            mbq,
            tracer=tracer,
            customer=customer,
            deliver_at=EIGHT + timedelta(minutes=minutes),
            max_volume_ml=limit,
        )
        for key, (mbq, tracer, customer, minutes, limit) in enumerate(some_orders, start=101)
    ]
    plan = plan_vials(vials, orders, gap=0)
    taken = [key for keys in plan.vials_of.values() for key in keys]
    assert len(taken) == len(set(taken)), "a vial serves one order"
    by_key = {each.key: each for each in orders}
    for key, keys in plan.vials_of.items():
        each = by_key[key]
        assert all(fits(v, each) for v in vials if v.key in keys)
        assert delivered(vials, each, keys) >= each.needed_mbq * (1 - 1e-6)
        if each.max_volume_ml is not None:
            assert sum(v.volume_ml for v in vials if v.key in keys) <= each.max_volume_ml
    best = _by_trying_everything(vials, orders)
    needed = sum(by_key[key].needed_mbq for key in plan.vials_of)
    assert (len(plan.vials_of), needed) == best[:2]
    assert plan.surplus_mbq == pytest.approx(best[2], abs=0.01)


def _by_trying_everything(
    vials: list[PlanVial], orders: list[PlanOrder]
) -> tuple[int, float, float]:
    """Most orders covered, the most that they need, and the least surplus with which."""
    best = (0, 0.0, 0.0)
    for choice in itertools.product([None, *orders], repeat=len(vials)):
        if any(each and not fits(v, each) for v, each in zip(vials, choice, strict=True)):
            continue
        covered, needed, surplus, fine = 0, 0.0, 0.0, True
        for each in orders:
            mine = [v for v, to in zip(vials, choice, strict=True) if to is each]
            if not mine:
                continue
            limit = each.max_volume_ml
            amount = delivered(vials, each, tuple(v.key for v in mine))
            fine &= amount >= each.needed_mbq
            fine &= limit is None or sum(v.volume_ml for v in mine) <= limit
            covered, needed = covered + 1, needed + each.needed_mbq
            surplus += amount - each.needed_mbq
        if fine and (covered, needed, -surplus) > (best[0], best[1], -best[2]):
            best = (covered, needed, surplus)
    return best


def test_a_busy_day_is_planned() -> None:
    orders = [order(key, 800 + 37 * key, customer=key % 4) for key in range(1, 41)]
    vials = [vial(1000 + n, 500 + (n * 193) % 2500, customer=n % 4) for n in range(120)]
    plan = plan_vials(vials, orders)
    taken = [key for keys in plan.vials_of.values() for key in keys]
    assert len(taken) == len(set(taken))
    assert len(plan.vials_of) + len(plan.uncovered) == 40


def test_an_order_of_injections_takes_one_vial_the_weakest() -> None:
    vials = [vial(1, 900), vial(2, 300), vial(3, 500)]
    plan = plan_vials(vials, [order(7, None)])
    assert plan.vials_of == {7: (2,)}
    assert plan.surplus_mbq == 0


def test_injections_do_not_take_the_vial_without_which_activity_is_not_covered() -> None:
    plan = plan_vials([vial(1, 900), vial(2, 1100)], [order(7, None), order(8, 1000)])
    assert plan.vials_of == {7: (1,), 8: (2,)}
    assert plan.surplus_mbq == pytest.approx(100)


def test_where_the_time_is_over_at_once_there_is_a_plan_all_the_same() -> None:
    """One customer, so that nothing separates: the proposal made by hand stands."""
    orders = [order(key, 500 + 7 * key) for key in range(1, 201)]
    vials = [vial(1000 + n, 600 + 11 * n) for n in range(150)]
    plan = plan_vials(vials, orders, time_limit_s=0)
    assert len(plan.vials_of) > 100
    for each in orders:
        if keys := plan.vials_of.get(each.key):
            assert delivered(vials, each, keys) >= each.needed_mbq


@pytest.mark.parametrize(
    ("some_vials", "expected"),
    [
        ([], Uncovered.NO_VIAL),
        ([vial(1, 5000, customer=2), vial(2, 5000, tracer=2)], Uncovered.NO_VIAL),
        ([vial(1, 5000, expires_at=EIGHT)], Uncovered.EXPIRED),
        ([vial(1, 5000, measured_at=EIGHT + timedelta(minutes=1))], Uncovered.FILLED_LATER),
        ([vial(1, 5000, volume_ml=20)], Uncovered.TOO_LARGE),
        ([vial(1, 500), vial(2, 400)], Uncovered.NOT_ENOUGH),
        ([vial(1, 500), vial(2, 600)], Uncovered.TAKEN),
    ],
)
def test_why_an_order_goes_without(some_vials: list[PlanVial], expected: Uncovered) -> None:
    assert why_uncovered(order(7, 1000, max_volume_ml=10), some_vials) == expected


def test_an_order_of_injections_goes_without_where_others_take_the_vial() -> None:
    assert why_uncovered(order(7, None), [vial(1, 1)]) == Uncovered.TAKEN


moments = st.integers(-90, 240).map(lambda minutes: EIGHT + timedelta(minutes=minutes))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(amounts, st.sampled_from([1, 2]), st.sampled_from([1, 2]), moments, moments),
        max_size=12,
    ),
    st.lists(
        st.tuples(st.none() | amounts, st.sampled_from([1, 2]), st.sampled_from([1, 2]), moments),
        max_size=8,
    ),
)
def test_never_a_vial_twice_an_expired_one_another_tracer_or_customer(
    some_vials: list[tuple], some_orders: list[tuple]
) -> None:
    vials = {
        key: vial(key, mbq, tracer=t, customer=c, measured_at=filled, expires_at=expires)
        for key, (mbq, t, c, filled, expires) in enumerate(some_vials, start=1)
    }
    orders = {
        key: order(key, mbq, tracer=t, customer=c, deliver_at=at)
        for key, (mbq, t, c, at) in enumerate(some_orders, start=101)
    }
    plan = plan_vials(list(vials.values()), list(orders.values()))
    taken = [key for keys in plan.vials_of.values() for key in keys]
    assert len(taken) == len(set(taken))
    assert {*plan.vials_of, *plan.uncovered} == set(orders)
    for order_key, keys in plan.vials_of.items():
        to = orders[order_key]
        for each in (vials[key] for key in keys):
            assert (each.tracer, each.customer) == (to.tracer, to.customer)
            assert each.measured_at <= to.deliver_at < each.expires_at
