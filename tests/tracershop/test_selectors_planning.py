"""The production plan of a day, and what the planner proposes."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tracershop.models import Batch, DeliverySlot, Order, ProductionRun, Vial
from tracershop.rules.production_plan import Shortage, Yields
from tracershop.selectors.board import board_for
from tracershop.selectors.planner import planner_for
from tracershop.selectors.planning import production_plan
from tracershop.services.moving import move_order

from portal.records.services import create_many
from tests.tracershop.factories import (
    FDG_HALF_LIFE_S,
    MONDAY,
    NOW,
    local,
    make_order,
    shop_world,
)
from tests.tracershop.releasing import LOT, RELEASE_AT, accepted, make_vial


@pytest.fixture
def world(db):
    return shop_world()


def grown(minutes: float) -> float:
    """So many times more, so many minutes earlier."""
    return 2 ** (minutes * 60 / FDG_HALF_LIFE_S)


def run_of(world, day=MONDAY):
    (fdg,) = [plan for plan in production_plan(world.producer, day) if plan.tracer == world.fdg]
    (run,) = fdg.runs
    return run


def batch(world, days_before: int, mbq: float, **values) -> Batch:
    day = MONDAY - timedelta(days=days_before)
    fields = {"tracer": world.fdg, "calibrated_at": local(day, 6, 30), "activity_mbq": mbq}
    return Batch.objects.create(lot=f"FDG-{day:%y%m%d}-1", **(fields | values))


# --- the production plan ---------------------------------------------------------------------


@pytest.mark.requirement("TS-044")
def test_a_run_needs_what_its_orders_have_to_hold_carried_back_to_its_end(world):
    make_order(world)  # 08:15
    make_order(world, slot=world.slot_b, activity_mbq=400.0)  # 09:30
    make_order(world, status=Order.Status.REJECTED)
    run = run_of(world)
    assert run.eos_at == local(MONDAY, 6, 30)
    assert run.needed_mbq == pytest.approx(1250 * grown(105) + 500 * grown(180))
    assert len(run.orders) == 2


@pytest.mark.requirement("TS-042", "TS-044")
def test_a_moved_order_counts_where_it_was_moved_to(world):
    order = make_order(world, slot=world.slot_a_late)
    before = run_of(world).needed_mbq
    move_order(actor=world.producer, order_id=order.pk, slot_id=world.slot_a.pk, now=NOW)
    run = run_of(world)
    assert run.demands[0].deliver_at == local(MONDAY, 8, 15)
    assert run.needed_mbq == pytest.approx(before), "it left earlier and stronger"


@pytest.mark.requirement("TS-044")
def test_injections_are_counted_beside_the_activity(world):
    make_order(world, injections=2)
    make_order(world, injections=3)
    (water,) = [p for p in production_plan(world.producer, MONDAY) if p.tracer == world.water]
    assert (water.injection_orders, water.injections, water.runs) == (2, 5, [])


@pytest.mark.requirement("TS-044")
def test_recent_batches_are_compared_at_their_own_end_of_synthesis(world):
    make_order(world)
    batch(world, 3, 3000.0)
    batch(world, 4, 2000.0)
    # calibrated an hour later
    batch(world, 5, 2500.0 / grown(60), calibrated_at=local(MONDAY - timedelta(days=5), 7, 30))
    run = run_of(world)
    assert run.yields == Yields(3, pytest.approx(2500), 2000, 3000)
    assert run.shortage == Shortage.POSSIBLE
    make_order(world)
    assert run_of(world).shortage == Shortage.LIKELY


@pytest.mark.requirement("TS-044")
def test_what_was_made_today_goes_before_what_used_to_be(world):
    make_order(world)
    batch(world, 3, 9000.0)
    assert run_of(world).shortage == Shortage.NONE
    batch(world, 0, 2000.0, run=world.slot_a.run)
    run = run_of(world)
    assert (run.made_mbq, run.planned_mbq, run.shortage) == (2000, 2000, Shortage.LIKELY)
    assert run.missing_mbq == pytest.approx(1250 * grown(105) - 2000)
    assert run.yields.count == 1


@pytest.mark.requirement("TS-044")
def test_batches_of_a_run_at_another_hour_count_where_there_are_no_others(world):
    make_order(world)
    noon = ProductionRun.objects.create(tracer=world.fdg, weekday=4, ends_at=time(12))
    batch(world, 3, 500.0, run=noon, calibrated_at=local(MONDAY - timedelta(days=3), 12))
    assert run_of(world).yields == Yields(1, 500, 500, 500)
    batch(world, 4, 3000.0)
    assert run_of(world).yields == Yields(1, 3000, 3000, 3000)


@pytest.mark.requirement("TS-044")
def test_a_run_of_the_evening_before_is_on_the_days_plan(world):
    sunday = ProductionRun.objects.create(tracer=world.fdg, weekday=6, ends_at=time(23, 30))
    slot = DeliverySlot.objects.create(
        endpoint=world.endpoint_a, run=sunday, weekday=0, deliver_time=time(0, 45)
    )
    make_order(world, slot=slot)
    (fdg,) = production_plan(world.producer, MONDAY)
    assert [run.eos_at for run in fdg.runs] == [
        local(MONDAY - timedelta(days=1), 23, 30),
        local(MONDAY, 6, 30),
    ]
    assert fdg.runs[0].needed_mbq == pytest.approx(1250 * grown(75))


@pytest.mark.requirement("TS-044")
def test_a_delivery_before_the_run_ends_is_pointed_out(world):
    world.slot_a.deliver_time = time(6)
    world.slot_a.save()
    make_order(world)
    assert run_of(world).too_early == 1


# --- the planner -----------------------------------------------------------------------------


def planned(world, **values):
    return planner_for(world.producer, MONDAY, values.pop("now", RELEASE_AT), **values)


def fdg_of(planner):
    (section,) = [each for each in planner.tracers if each.tracer.name == "FDG"]
    return section


@pytest.mark.requirement("TS-045")
def test_each_order_gets_vials_that_cover_it_at_its_delivery_with_overhead(world):
    order = accepted(world)
    weak, enough = make_vial(world, activity_mbq=1300.0), make_vial(world)
    (row,) = fdg_of(planned(world)).orders
    assert row.vials == [enough]
    assert row.needed_mbq == 1250
    assert row.covered
    assert row.given_mbq == pytest.approx(2400 / grown(85), rel=1e-3)
    assert row.surplus_mbq == pytest.approx(row.given_mbq - 1250)
    chosen = {each.vial.pk: each.chosen for each in fdg_of(planned(world)).vials}
    assert chosen == {weak.pk: None, enough.pk: order.pk}


@pytest.mark.requirement("TS-045")
def test_where_the_overhead_cannot_be_had_what_was_ordered_is_still_covered(world):
    accepted(world)
    vial = make_vial(world, activity_mbq=2000.0)  # 1170 at the delivery
    (row,) = fdg_of(planned(world)).orders
    assert row.vials == [vial]
    assert not row.covered
    assert row.without_overhead


@pytest.mark.requirement("TS-042", "TS-045")
def test_a_moved_order_is_planned_for_what_it_needs_where_it_is(world):
    order = accepted(world, slot=world.slot_a_late)
    move_order(actor=world.producer, order_id=order.pk, slot_id=world.slot_a.pk, now=NOW)
    make_vial(world)  # enough for 1250 MBq at 08:15, not for what is 1250 at 11:30
    (row,) = fdg_of(planned(world)).orders
    assert row.needed_mbq == pytest.approx(1250 * grown(195))
    assert (row.vials, row.covered) == ([], False)
    assert "less than is needed" in row.why


@pytest.mark.requirement("TS-045")
def test_what_an_order_has_already_stays_and_only_the_rest_is_added(world):
    order = accepted(world)
    own = make_vial(world, activity_mbq=1500.0, order=order)
    small, large = make_vial(world, activity_mbq=800.0), make_vial(world, activity_mbq=4000.0)
    (row,) = fdg_of(planned(world)).orders
    assert set(row.vials) == {own, small}
    assert large not in row.vials


@pytest.mark.requirement("TS-045", "TS-046")
@pytest.mark.parametrize("status", ["quarantine", "rejected", "recalled"])
def test_a_vial_of_a_batch_that_is_not_free_is_not_proposed_and_it_is_said_why(world, status):
    accepted(world)
    make_vial(world)
    Batch.objects.create(lot=LOT, tracer=world.fdg, status=status)
    section = fdg_of(planned(world))
    assert section.orders[0].vials == []
    assert "quarantine" in section.orders[0].why
    assert section.vials[0].obstacle == "blocked"
    Batch.objects.update_or_create(lot=LOT, defaults={"status": "conditionally_released"})
    assert fdg_of(planned(world)).orders[0].covered


@pytest.mark.requirement("TS-045")
def test_neither_an_expired_vial_nor_one_of_others_nor_a_held_one_is_proposed(world):
    accepted(world)
    make_vial(world, expires_at=local(MONDAY, 8))
    make_vial(world, expires_at=RELEASE_AT)
    make_vial(world, customer=world.customer_b)
    make_vial(world, tracer=None, customer=None)
    (row,) = fdg_of(planned(world)).orders
    assert row.vials == []
    assert "expire" in row.why


@pytest.mark.requirement("TS-045")
def test_an_order_of_injections_takes_one_vial(world):
    order = accepted(world, injections=2, deliver_at=local(MONDAY, 8))
    vials = [
        make_vial(world, tracer=world.water, lot="H2O-261123-1", activity_mbq=mbq)
        for mbq in (900.0, 500.0)
    ]
    (section,) = planned(world).tracers
    assert section.orders[0].vials == [vials[1]]
    assert section.orders[0].covered
    assert [each.chosen for each in section.vials if each.chosen] == [order.pk]


@pytest.mark.requirement("TS-045")
def test_what_a_person_chose_is_added_up_and_nonsense_is_left_out(world):
    order = accepted(world)
    first, second = make_vial(world, activity_mbq=1300.0), make_vial(world, activity_mbq=1400.0)
    wishes = {first.pk: order.pk, second.pk: 10**6, 10**7: order.pk}
    (row,) = fdg_of(planned(world, wishes=wishes)).orders
    assert row.vials == [first]
    assert not row.covered
    assert row.missing_mbq == pytest.approx(1250 - row.given_mbq)


@pytest.mark.requirement("TS-045")
def test_released_and_rejected_orders_are_not_planned(world):
    accepted(world, status=Order.Status.RELEASED)
    accepted(world, status=Order.Status.REJECTED)
    make_vial(world)
    assert planned(world).tracers == []


@pytest.mark.requirement("TS-006", "TS-045")
def test_a_shop_plans_nothing(world):
    accepted(world)
    assert planner_for(world.secretary, MONDAY, RELEASE_AT).order_count == 0
    assert production_plan(world.secretary, MONDAY + timedelta(days=5)) == []


# --- how many queries -------------------------------------------------------------------------


def fill(world, orders: int, vials: int) -> None:
    slots = (world.slot_a, world.slot_a_late, world.slot_b)
    have = Order.objects.count()
    create_many(
        Order,
        [
            Order(
                kind="activity",
                customer=slot.endpoint.customer,
                endpoint=slot.endpoint,
                tracer=world.fdg,
                slot=slot,
                deliver_on=MONDAY,
                deliver_at=local(MONDAY, slot.deliver_time.hour, slot.deliver_time.minute),
                activity_mbq=100.0 + n,
                overhead_factor=1.25,
                ordered_by=world.secretary,
                ghost=n % 7 == 0,
                moved_from_slot=world.slot_a_late if n % 3 == 0 else None,
                moved_from_at=local(MONDAY, 11, 30) if n % 3 == 0 else None,
            )
            for n in range(have, have + orders)
            for slot in [slots[n % 3]]
        ],
    )
    create_many(
        Vial,
        [
            Vial(
                lot=LOT,
                tracer=world.fdg,
                customer=(world.customer_a, world.customer_b)[n % 2],
                filled_at=local(MONDAY, 6, 45),
                activity_mbq=300.0 + n + have,
                volume_ml=3,
            )
            for n in range(vials)
        ],
    )


@pytest.mark.requirement("TS-040", "TS-044", "TS-045")
def test_board_plan_and_planner_take_as_many_queries_for_many_orders_as_for_few(world):
    batch(world, 3, 9000.0)
    acts = (
        lambda: board_for(world.producer, MONDAY),
        lambda: [run.needed_mbq for p in production_plan(world.producer, MONDAY) for run in p.runs],
        lambda: planned(world),
    )
    counts = []
    for size in (3, 40):
        fill(world, size, size)
        for act in acts:
            act()  # what the person holds is read once
            with CaptureQueriesContext(connection) as captured:
                act()
            counts.append(len(captured))
    assert counts[:3] == counts[3:]
