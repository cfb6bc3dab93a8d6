"""Accepting, rejecting, taking a rejection back (TS-041)."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import Order
from tracershop.services.production import accept_orders, reject_orders, unreject_orders

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.records.errors import Refused
from tests.support.factories import give, make_user
from tests.tracershop.factories import make_order, shop_world
from tests.tracershop.releasing import accepted, at_once, make_vial


@pytest.fixture
def world(db):
    return shop_world()


@pytest.fixture
def pushed(monkeypatch):
    """(topic, what) of every live message that was sent."""
    sent = []
    monkeypatch.setattr(
        "portal.live.services._send", lambda topic, message: sent.append((topic, message["what"]))
    )
    return sent


def status(*orders: Order) -> list[str]:
    return [Order.objects.get(pk=order.pk).status for order in orders]


@pytest.mark.requirement("TS-041")
def test_accepting_commits_every_order_of_the_selection_and_is_audited(world):
    first, second = make_order(world), make_order(world, injections=2)
    decision = accept_orders(actor=world.producer, order_ids=[second.pk, first.pk])
    assert decision.changed == [first, second]
    assert decision.unchanged == []
    assert status(first, second) == ["accepted", "accepted"]
    entry = AuditEntry.objects.filter(action="tracershop.order_accept").first()
    assert entry.actor_id == world.producer.pk
    assert entry.data == {"status": ["ordered", "accepted"]}


@pytest.mark.requirement("TS-041")
def test_accepting_again_changes_nothing_and_says_so(world):
    order = make_order(world)
    accept_orders(actor=world.producer, order_ids=[order.pk])
    version = Order.objects.get(pk=order.pk).version
    audited = AuditEntry.objects.count()
    decision = accept_orders(actor=world.uncertified, order_ids=[order.pk])
    assert (decision.changed, decision.unchanged) == ([], [order])
    assert Order.objects.get(pk=order.pk).version == version
    assert AuditEntry.objects.count() == audited


@pytest.mark.requirement("TS-041")
def test_one_order_that_cannot_be_accepted_leaves_the_others_as_they_were(world):
    good = make_order(world)
    for impossible in ("rejected", "released"):
        bad = make_order(world, status=impossible)
        with pytest.raises(Refused) as refused:
            accept_orders(actor=world.producer, order_ids=[good.pk, bad.pk])
        assert refused.value.code == "wrong_status"
        assert str(bad.pk) in str(refused.value)
    assert status(good) == ["ordered"]


@pytest.mark.requirement("TS-041")
def test_rejecting_needs_a_reason_which_the_customer_reads(world):
    order = make_order(world)
    with pytest.raises(Refused) as refused:
        reject_orders(actor=world.producer, order_ids=[order.pk], reason="  ")
    assert refused.value.code == "reason_needed"
    reject_orders(actor=world.producer, order_ids=[order.pk], reason="Synthesis failed ")
    order.refresh_from_db()
    assert (order.status, order.status_reason) == ("rejected", "Synthesis failed")
    told = Notification.objects.get(user=world.secretary)
    assert str(order.pk) in told.text
    assert "Synthesis failed" in told.text
    assert AuditEntry.objects.get(action="tracershop.order_reject").reason == "Synthesis failed "


@pytest.mark.requirement("TS-041", "TS-120")
def test_rejecting_an_accepted_order_frees_its_vials_and_tells_every_open_page(
    world, pushed, django_capture_on_commit_callbacks
):
    order = accepted(world)
    vial = make_vial(world, order=order)
    with django_capture_on_commit_callbacks(execute=True):
        reject_orders(actor=world.producer, order_ids=[order.pk], reason="Synthesis failed")
    vial.refresh_from_db()
    assert vial.order is None
    assert {
        ("tracershop/day/2026-11-23", "rejected"),
        (f"tracershop/customer/{world.customer_a.pk}", "rejected"),
        ("tracershop/vials", "freed"),
    } <= set(pushed)


@pytest.mark.requirement("TS-041")
def test_a_rejection_taken_back_is_an_order_again_without_the_reason(world):
    order = make_order(world)
    reject_orders(actor=world.producer, order_ids=[order.pk], reason="Synthesis failed")
    for changed in (True, False):
        decision = unreject_orders(actor=world.producer, order_ids=[order.pk])
        assert bool(decision.changed) is changed
    order.refresh_from_db()
    assert (order.status, order.status_reason) == ("ordered", "")


@pytest.mark.requirement("TS-006", "TS-041")
@pytest.mark.parametrize("act", [accept_orders, unreject_orders])
def test_the_shop_decides_nothing_and_learns_nothing_of_another_customers_order(world, act):
    order = make_order(world)
    with pytest.raises(PermissionDenied):
        act(actor=world.secretary, order_ids=[order.pk])
    for stranger in (world.other_secretary, world.external, make_user("Nobody")):
        with pytest.raises(Refused) as refused:
            act(actor=stranger, order_ids=[order.pk])
        with pytest.raises(Refused) as missing:
            act(actor=stranger, order_ids=[order.pk + 999])
        assert refused.value.code == "gone"
        assert str(refused.value) == str(missing.value)
    assert status(order) == ["ordered"]


@pytest.mark.requirement("TS-041")
def test_production_of_one_unit_decides_nothing_for_another(world):
    local_producer = make_user("Producer of B")
    give(local_producer, "tracershop.production_user", world.customer_b.unit)
    of_a, of_b = make_order(world), make_order(world, slot=world.slot_b)
    with pytest.raises(Refused) as refused:
        accept_orders(actor=local_producer, order_ids=[of_a.pk, of_b.pk])
    assert refused.value.code == "gone"
    accept_orders(actor=local_producer, order_ids=[of_b.pk])
    assert status(of_a, of_b) == ["ordered", "accepted"]


def test_an_empty_selection_and_a_deleted_order_are_refused(world):
    from portal.records.services import soft_delete

    order = make_order(world)
    soft_delete(order)
    for order_ids in ([], [order.pk]):
        with pytest.raises(Refused) as refused:
            accept_orders(actor=world.producer, order_ids=order_ids)
        assert refused.value.code == "gone"


@pytest.mark.requirement("TS-041")
def test_two_people_accepting_at_the_same_moment_accept_once(transactional_db):
    world = shop_world()
    orders = [make_order(world), make_order(world, injections=1)]
    keys = [order.pk for order in orders]
    results = at_once(
        lambda: accept_orders(actor=world.producer, order_ids=keys),
        lambda: accept_orders(actor=world.uncertified, order_ids=reversed(keys)),
    )
    assert sorted((len(each.changed), len(each.unchanged)) for each in results) == [(0, 2), (2, 0)]
    assert AuditEntry.objects.filter(action="tracershop.order_accept").count() == 2
