"""Releasing with a passkey: what the device signs, and what it does not sign for."""

from __future__ import annotations

import base64
import json

import pytest
from django.urls import reverse
from tracershop.models import Order, Release, Vial
from tracershop.services.release import release_orders

from portal.audit.models import AuditEntry
from portal.records.errors import Refused
from portal.signing.models import Signature
from portal.signing.services import State, verify_many
from tests.support.authenticators import SoftAuthenticator
from tests.support.passkeys import accept, ask, give_passkey
from tests.tracershop.factories import World, shop_world
from tests.tracershop.releasing import RELEASE_AT, accepted, make_vial, signer, wanted


@pytest.fixture
def world(db):
    return shop_world()


@pytest.fixture
def phone(world):
    device = SoftAuthenticator()
    give_passkey(world.producer, device)
    return device


def releasing(world: World, *requests):
    return lambda signer: release_orders(
        actor=world.producer, requests=requests, signer=signer, now=RELEASE_AT
    )


@pytest.mark.requirement("PT-030", "TS-080", "TS-081")
def test_one_touch_releases_all_orders_that_were_shown_each_with_its_own_signature(world, phone):
    orders = [accepted(world) for _ in range(2)]
    act = releasing(world, *(wanted(order, make_vial(world)) for order in orders))
    before = AuditEntry.objects.count()
    options = ask(world.producer, act)
    # asked, and nothing done yet
    assert (Release.objects.count(), Signature.objects.count()) == (0, 0)
    assert (AuditEntry.objects.count(), Vial.objects.filter(order=None).count()) == (before, 2)
    outcome = act(accept(world.producer, phone.get(options)))
    assert outcome.released == orders
    signatures = list(Signature.objects.all())
    assert [verdict.state for verdict in verify_many(signatures)] == [State.VALID] * 2
    assert {signature.method for signature in signatures} == {"passkey"}


@pytest.mark.requirement("PT-030")
def test_the_device_signs_all_but_the_releases_own_number_and_time(world, phone):
    act = releasing(world, wanted(accepted(world), make_vial(world)))
    act(accept(world.producer, phone.get(ask(world.producer, act))))
    kept = json.loads(base64.b64decode(Signature.objects.get().proof))
    (document,) = kept["intent"]["documents"]
    assert document["left_out"] == ["object.id", "facts.release", "facts.released_at"]


@pytest.mark.requirement("PT-030", "TS-082")
def test_what_is_not_as_it_was_shown_is_not_released(world, phone):
    order, vial = accepted(world), make_vial(world)
    act = releasing(world, wanted(order, vial))
    proof = accept(world.producer, phone.get(ask(world.producer, act)))
    vial.activity_mbq += 1
    vial.save()
    with pytest.raises(Refused) as refused:
        act(proof)
    assert refused.value.code == "changed_meanwhile"
    assert (Release.objects.count(), Signature.objects.count()) == (0, 0)
    order.refresh_from_db()
    assert order.status == Order.Status.ACCEPTED


@pytest.mark.requirement("PT-030", "TS-082")
def test_an_order_that_somebody_released_meanwhile_is_left_as_it_is(world, phone):
    orders = [accepted(world) for _ in range(2)]
    requests = [wanted(order, make_vial(world)) for order in orders]
    act = releasing(world, *requests)
    proof = accept(world.producer, phone.get(ask(world.producer, act)))
    release_orders(
        actor=world.producer,
        requests=requests[:1],
        signer=signer(world.producer),
        now=RELEASE_AT,
    )
    outcome = act(proof)
    assert (outcome.released, outcome.unchanged) == ([orders[1]], [orders[0]])
    assert set(Signature.objects.values_list("method", flat=True)) == {"pin", "passkey"}


@pytest.mark.requirement("PT-030", "TS-081")
def test_the_page_asks_for_the_passkey_only_when_nothing_stands_against_it(client, world, phone):
    client.force_login(world.producer, backend="portal.accounts.backends.RegionalIdBackend")
    order = accepted(world)
    sent = {"order": order.pk, "act": "release", "passkey_asked": "1"}  # and no vial
    address = reverse("tracershop:release")
    answer = client.post(address, sent, headers={"host": "localhost"})
    assert answer.status_code == 422
    assert answer.json()["message"] == "Nothing was released."
    assert any(f"Order {order.pk}" in detail for detail in answer.json()["details"])
    page = client.get(address, {"order": order.pk}, headers={"host": "localhost"}).content.decode()
    assert "data-sign-ways" in page
    assert "data-signs" in page
    by_number = client.post(address, sent, headers={"host": "127.0.0.1"})
    assert (by_number.status_code, "by a number" in by_number.json()["message"]) == (422, True)
