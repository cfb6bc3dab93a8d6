"""Settling what a file left open, giving vials to orders, verdicts on batches."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import Order, Vial
from tracershop.services.vials import allocate_vials, settle_vial

from portal.audit.models import AuditEntry
from portal.records.errors import Refused
from portal.records.services import soft_delete
from tests.tracershop.factories import make_order, shop_world
from tests.tracershop.releasing import accepted, at_once, make_vial


@pytest.fixture
def world(db):
    return shop_world()


def held(world, **values) -> Vial:
    return make_vial(
        world, **({"tracer": None, "customer": None, "customer_label": "99-Klinik"} | values)
    )


def code_of(act, **arguments) -> str:
    with pytest.raises(Refused) as refused:
        act(**arguments)
    return refused.value.code


def serving(order: Order) -> set[int]:
    return set(Vial.objects.filter(order=order).values_list("pk", flat=True))


# --- settling --------------------------------------------------------------------------------


@pytest.mark.requirement("TS-062", "TS-121")
def test_a_person_settles_a_held_vial_with_a_reason_and_the_files_words_stay(world):
    vial = held(world)
    settle_vial(
        actor=world.producer,
        vial_id=vial.pk,
        tracer_id=world.fdg.pk,
        customer_id=world.customer_a.pk,
        reason="Rang the clinic",
    )
    vial.refresh_from_db()
    assert not vial.is_held
    assert (vial.tracer, vial.customer) == (world.fdg, world.customer_a)
    assert vial.customer_label == "99-Klinik"
    entry = AuditEntry.objects.get(action="tracershop.vial_settled")
    assert entry.data == {"tracer": ["", "FDG"], "customer": ["", "Nordby Hospital"]}
    assert entry.reason == "Rang the clinic"


@pytest.mark.requirement("TS-062")
def test_what_cannot_be_settled_stays_held(world):
    vial = held(world)
    given = {
        "actor": world.producer,
        "vial_id": vial.pk,
        "tracer_id": world.fdg.pk,
        "customer_id": world.customer_a.pk,
        "reason": "because",
    }
    assert code_of(settle_vial, **(given | {"reason": " "})) == "reason_needed"
    assert code_of(settle_vial, **(given | {"tracer_id": 10**6})) == "gone"
    assert code_of(settle_vial, **(given | {"customer_id": 10**6})) == "gone"
    assert code_of(settle_vial, **(given | {"actor": world.secretary})) == "gone"
    assert Vial.objects.get(pk=vial.pk).is_held
    settle_vial(**given)
    assert code_of(settle_vial, **given) == "settled"


@pytest.mark.requirement("TS-061")
def test_a_vial_that_two_files_told_of_by_unknown_names_is_settled_once(world):
    first = held(world)
    twin = held(world, customer_label="Klinik Nord")
    twin.filled_at = first.filled_at
    twin.save()
    for vial, expected in ((first, None), (twin, "twin")):
        given = {
            "actor": world.producer,
            "vial_id": vial.pk,
            "tracer_id": world.fdg.pk,
            "customer_id": world.customer_a.pk,
            "reason": "Rang the clinic",
        }
        if expected is None:
            settle_vial(**given)
        else:
            assert code_of(settle_vial, **given) == expected


# --- allocating ------------------------------------------------------------------------------


@pytest.mark.requirement("TS-045", "TS-121")
def test_allocating_gives_the_order_these_vials_and_frees_the_ones_before(world):
    order = accepted(world)
    first, second, third = (make_vial(world) for _ in range(3))
    allocate_vials(actor=world.producer, order_id=order.pk, vial_ids=[first.pk, second.pk])
    assert serving(order) == {first.pk, second.pk}
    allocate_vials(actor=world.producer, order_id=order.pk, vial_ids=[second.pk, third.pk])
    assert serving(order) == {second.pk, third.pk}
    entry = AuditEntry.objects.filter(action="tracershop.vials_allocated").first()
    assert entry.data == {"vials": [[first.pk, second.pk], [second.pk, third.pk]]}


def test_allocating_the_same_vials_again_changes_and_records_nothing(world):
    order, vial = accepted(world), make_vial(world)
    allocate_vials(actor=world.producer, order_id=order.pk, vial_ids=[vial.pk])
    version = Vial.objects.get(pk=vial.pk).version
    allocate_vials(actor=world.producer, order_id=order.pk, vial_ids=[vial.pk])
    assert Vial.objects.get(pk=vial.pk).version == version
    assert AuditEntry.objects.filter(action="tracershop.vials_allocated").count() == 1


@pytest.mark.requirement("TS-045")
def test_a_vial_serves_one_order_of_its_tracer_and_customer(world):
    order = accepted(world)
    psma = held(world, tracer=world.water, customer=world.customer_a)
    of_b = make_vial(world, customer=world.customer_b)
    taken = make_vial(world, order=accepted(world))
    fitting = make_vial(world)
    for vial, code in (
        (psma, "vial_does_not_fit"),
        (of_b, "vial_does_not_fit"),
        (held(world), "vial_does_not_fit"),
        (taken, "vial_in_use"),
    ):
        given = {"order_id": order.pk, "vial_ids": [fitting.pk, vial.pk]}
        assert code_of(allocate_vials, actor=world.producer, **given) == code
    assert serving(order) == set()


def test_released_and_rejected_orders_get_no_vials(world):
    vial = make_vial(world)
    for status in ("released", "rejected"):
        order = make_order(world, status=status)
        given = {"order_id": order.pk, "vial_ids": [vial.pk]}
        assert code_of(allocate_vials, actor=world.producer, **given) == status


def test_a_vial_that_is_gone_is_refused_and_one_deleted_while_it_served_is_no_hindrance(world):
    order, vial, other = accepted(world), make_vial(world), make_vial(world)
    given = {"actor": world.producer, "order_id": order.pk}
    assert code_of(allocate_vials, **given, vial_ids=[10**6]) == "gone"
    allocate_vials(**given, vial_ids=[vial.pk])
    vial.refresh_from_db()
    soft_delete(vial)
    allocate_vials(**given, vial_ids=[other.pk])
    assert serving(order) == {other.pk}


def test_the_shop_allocates_nothing(world):
    order, vial = accepted(world), make_vial(world)
    with pytest.raises(PermissionDenied):
        allocate_vials(actor=world.secretary, order_id=order.pk, vial_ids=[vial.pk])


@pytest.mark.requirement("TS-045")
def test_two_people_giving_one_vial_to_two_orders_at_the_same_moment_give_it_to_one(
    transactional_db,
):
    world = shop_world()
    orders, vial = [accepted(world), accepted(world)], make_vial(world)
    results = at_once(
        *(
            lambda order=order, person=person: allocate_vials(
                actor=person, order_id=order.pk, vial_ids=[vial.pk]
            )
            for order, person in zip(orders, (world.producer, world.uncertified), strict=True)
        )
    )
    refused = [each for each in results if isinstance(each, Refused)]
    assert [each.code for each in refused] == ["vial_in_use"]
    assert sorted(len(serving(order)) for order in orders) == [0, 1]
