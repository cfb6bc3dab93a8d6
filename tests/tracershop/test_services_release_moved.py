"""Releasing orders that production moved or added: what is confirmed, signed and printed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from tracershop.models import Batch, Order, Release
from tracershop.services.certificates import certificate_data, issue_release_certificate
from tracershop.services.moving import move_order, restore_order
from tracershop.services.release import release_orders

from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.signing.services import State, verify
from tests.tracershop.factories import MONDAY, NOW, local, shop_world
from tests.tracershop.releasing import LOT, RELEASE_AT, accepted, make_vial, signer, wanted

LESS = "less_activity"


@pytest.fixture
def world(db, server_keys):
    return shop_world()


def moved(world, **values) -> Order:
    order = accepted(world, slot=world.slot_a_late, **values)
    return move_order(actor=world.producer, order_id=order.pk, slot_id=world.slot_a.pk, now=NOW)


def release(world, *requests, now=RELEASE_AT) -> None:
    release_orders(actor=world.producer, requests=requests, signer=signer(world.producer), now=now)


def unconfirmed(world, *requests, now=RELEASE_AT) -> list[str]:
    with pytest.raises(Refused) as refused:
        release(world, *requests, now=now)
    assert refused.value.code == "unconfirmed"
    assert not Release.objects.exists()
    return [str(detail) for detail in refused.value.details]


@pytest.mark.requirement("TS-042", "TS-081")
def test_a_moved_order_wants_at_its_delivery_what_becomes_the_order_later(world):
    order, vial = moved(world), make_vial(world)  # 1417 MBq at 08:15, 3425 are due
    (told,) = unconfirmed(world, wanted(order, vial))
    assert "3,425" in told.replace("\u202f", ",")
    release(world, wanted(order, vial, confirmed=[LESS]))
    assert Release.objects.get().confirmed == [LESS]


@pytest.mark.requirement("TS-042", "TS-081")
def test_enough_for_when_it_was_ordered_needs_no_confirmation(world):
    order, vial = moved(world, activity_mbq=400.0), make_vial(world)  # 1370 are due
    release(world, wanted(order, vial))
    assert Release.objects.get().confirmed == []


@pytest.mark.requirement("TS-081")
def test_every_warning_that_applies_has_to_be_confirmed_by_name(world):
    """Another day than today, a lot of another day, less than is due: all three at once."""
    order = moved(world)
    vial = make_vial(world, lot="FDG-261122-1", filled_at=local(MONDAY - timedelta(days=1), 23, 50))
    early = local(MONDAY - timedelta(days=1), 23, 55)
    assert len(unconfirmed(world, wanted(order, vial), now=early)) == 3
    assert len(unconfirmed(world, wanted(order, vial, confirmed=[LESS]), now=early)) == 2
    every = ["other_day", "lot_of_other_day", LESS]
    release(world, wanted(order, vial, confirmed=every), now=early)
    assert set(Release.objects.get().confirmed) == set(every)


@pytest.mark.requirement("TS-042", "TS-043", "TS-086")
def test_what_was_moved_or_added_is_signed_and_printed(world):
    order = moved(world, activity_mbq=400.0, ghost=True)
    release(world, wanted(order, make_vial(world)))
    row = Release.objects.get()
    signed = json.loads(row.signature.payload)["facts"]["order"]
    assert datetime.fromisoformat(signed["moved_from_at"]) == local(MONDAY, 11, 30)
    assert signed["ghost"] is True
    assert verify(row.signature).state is State.VALID
    printed = certificate_data(row)["order"]
    assert printed["ordered_for"] is not None
    assert printed["due_activity_mbq"].replace("\u202f", ",") == "1,370"
    assert printed["ghost"] is True
    document = issue_release_certificate(actor=ServiceActor("certificates"), release_id=row.pk)
    assert bytes(document.pdf).startswith(b"%PDF")


@pytest.mark.requirement("TS-042")
def test_a_released_order_is_neither_moved_nor_brought_back(world):
    order = moved(world, activity_mbq=400.0)
    release(world, wanted(order, make_vial(world)))
    with pytest.raises(Refused) as refused:
        restore_order(actor=world.producer, order_id=order.pk)
    assert refused.value.code == "wrong_status"
    assert verify(Release.objects.get().signature).state is State.VALID


@pytest.mark.requirement("TS-046", "TS-080")
def test_a_moved_orders_vials_of_a_rejected_batch_are_refused_like_any(world):
    order, vial = moved(world, activity_mbq=400.0), make_vial(world)
    Batch.objects.create(lot=LOT, tracer=world.fdg, status="rejected")
    with pytest.raises(Refused) as refused:
        release(world, wanted(order, vial))
    assert refused.value.code == "not_releasable"
