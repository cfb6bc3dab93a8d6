"""Applying a plan of vials: all of it or nothing (TS-045)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import Batch, Order, Vial
from tracershop.services.planning import AppliedPlan, VialChoice, apply_plan
from tracershop.services.vials import allocate_vials

from portal.audit.models import AuditEntry
from portal.records.errors import Refused
from tests.tracershop.factories import MONDAY, local, make_order, shop_world
from tests.tracershop.releasing import LOT, RELEASE_AT, accepted, at_once, make_vial

pytestmark = pytest.mark.requirement("TS-045")


@pytest.fixture
def world(db):
    return shop_world()


def choice(vial: Vial, order: Order | None, version: int | None = None) -> VialChoice:
    seen = vial.version if version is None else version
    return VialChoice(vial.pk, seen, order.pk if order else None)


def applied(world, *choices: VialChoice, **values) -> AppliedPlan:
    return apply_plan(**({"actor": world.producer, "choices": choices, "now": RELEASE_AT} | values))


def refusal(world, *choices: VialChoice, **values) -> Refused:
    with pytest.raises(Refused) as refused:
        applied(world, *choices, **values)
    return refused.value


def serving(order: Order) -> set[int]:
    return set(Vial.objects.filter(order=order).values_list("pk", flat=True))


def test_a_plan_is_applied_to_orders_not_yet_accepted_too_and_audited(world):
    first, second = accepted(world), make_order(world, slot=world.slot_a_late)
    one, two, three = (make_vial(world) for _ in range(3))
    outcome = applied(world, choice(one, first), choice(two, second), choice(three, second))
    assert (serving(first), serving(second)) == ({one.pk}, {two.pk, three.pk})
    assert (outcome.orders, outcome.vials) == ([first, second], 3)
    entries = AuditEntry.objects.filter(action="tracershop.vials_allocated").order_by("pk")
    assert [entry.data["vials"] for entry in entries] == [
        [[], [one.pk]],
        [[], [two.pk, three.pk]],
    ]


def test_pressed_twice_it_has_one_effect(world):
    order, vial = accepted(world), make_vial(world)
    plan = [choice(vial, order)]
    applied(world, *plan)
    assert applied(world, *plan) == AppliedPlan([], 0)
    assert AuditEntry.objects.filter(action="tracershop.vials_allocated").count() == 1


def test_vials_change_hands_and_are_freed_in_one_act(world):
    first, second = accepted(world), accepted(world, slot=world.slot_a_late)
    one, two = make_vial(world, order=first), make_vial(world, order=second)
    applied(world, choice(one, second), choice(two, None))
    assert (serving(first), serving(second)) == (set(), {one.pk})
    assert Vial.objects.get(pk=two.pk).order_id is None


def test_a_vial_that_changed_meanwhile_is_named_and_nothing_is_half_done(world):
    first, other = accepted(world), accepted(world, slot=world.slot_a_late)
    one, two = make_vial(world), make_vial(world, position="B7")
    allocate_vials(actor=world.producer, order_id=other.pk, vial_ids=[two.pk])
    refused = refusal(world, choice(one, first), choice(two, first))
    assert refused.code == "plan_changed"
    (detail,) = refused.details
    assert LOT in str(detail)
    assert "B7" in str(detail)
    assert str(other.pk) in str(detail)
    assert (serving(first), serving(other)) == (set(), {two.pk})


def test_what_already_is_as_wished_is_not_refused_for_its_age(world):
    order = accepted(world)
    one, two = make_vial(world), make_vial(world)
    allocate_vials(actor=world.producer, order_id=order.pk, vial_ids=[one.pk])
    applied(world, choice(one, order), choice(two, order))  # one: seen free, is there already
    assert serving(order) == {one.pk, two.pk}


@pytest.mark.parametrize("status", ["quarantine", "rejected", "recalled"])
def test_a_vial_of_a_batch_that_is_not_free_is_refused(world, status):
    Batch.objects.create(lot=LOT, tracer=world.fdg, status=status)
    order, vial = accepted(world), make_vial(world)
    refused = refusal(world, choice(vial, order))
    assert refused.code == "plan_unfit"
    assert serving(order) == set()


def test_a_vial_expired_or_filled_later_or_of_others_is_refused_and_all_are_told(world):
    order = accepted(world)
    vials = [
        make_vial(world, expires_at=order.deliver_at),
        make_vial(world, expires_at=RELEASE_AT),
        make_vial(world, filled_at=local(MONDAY, 8, 30)),
        make_vial(world, customer=world.customer_b),
        make_vial(world, tracer=world.water),
    ]
    good = make_vial(world)
    refused = refusal(world, *(choice(vial, order) for vial in [*vials, good]))
    assert refused.code == "plan_unfit"
    assert len(refused.details) == len(vials)
    assert serving(order) == set()


@pytest.mark.parametrize("status", ["released", "rejected"])
def test_a_released_or_rejected_order_keeps_what_it_has(world, status):
    order = accepted(world, status=status)
    mine, free = make_vial(world, order=order), make_vial(world)
    assert refusal(world, choice(free, order)).code == "plan_unfit"
    assert refusal(world, choice(mine, None)).code == "plan_unfit"
    assert serving(order) == {mine.pk}


def test_bad_input_is_refused(world):
    order, vial = accepted(world), make_vial(world)
    assert refusal(world, choice(vial, order), choice(vial, None)).code == "plan_unfit"
    assert refusal(world, VialChoice(10**9, 1, order.pk)).code == "gone"
    assert refusal(world, VialChoice(vial.pk, vial.version, 10**9)).code == "gone"
    assert applied(world) == AppliedPlan([], 0)


def test_who_may_not_accept_plans_nothing(world):
    order, vial = accepted(world), make_vial(world)
    with pytest.raises(PermissionDenied):
        applied(world, choice(vial, order), actor=world.secretary)
    assert serving(order) == set()


def test_a_vial_expiring_at_noon_may_serve_the_morning(world):
    order = accepted(world)
    vial = make_vial(world, expires_at=order.deliver_at + timedelta(seconds=1))
    applied(world, choice(vial, order))
    assert serving(order) == {vial.pk}


@pytest.mark.django_db(transaction=True)
def test_two_plans_at_once_give_each_vial_to_one_order():
    world = shop_world()
    orders = [accepted(world), accepted(world, slot=world.slot_a_late)]
    vials = [make_vial(world) for _ in range(4)]
    results = at_once(
        lambda: applied(world, *[choice(vial, orders[0]) for vial in vials]),
        lambda: applied(world, *[choice(vial, orders[1]) for vial in reversed(vials)]),
    )
    refused = [each for each in results if isinstance(each, Refused)]
    assert [each.code for each in refused] == ["plan_changed"]
    assert len(refused[0].details) == 4
    assert sorted(len(serving(order)) for order in orders) == [0, 4]
