"""The pages of a recall: production's, and the customer's (TS-087)."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tracershop.models import Contact, Recall, RecallNotice

from tests.support.accounts import sign_in
from tests.support.signing import PIN, give_pin
from tests.tracershop.batching import make_batch, recall, release_from_lot
from tests.tracershop.factories import shop_world, stop_clock
from tests.tracershop.releasing import LOT, RELEASE_AT, accepted

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("TS-087")]


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    stop_clock(monkeypatch, RELEASE_AT)
    return world


@pytest.fixture
def producer(client, world):
    sign_in(client, world.producer)
    give_pin(world.producer)
    return client


@pytest.fixture
def batch(world):
    batch = make_batch(world, status="released")
    release_from_lot(world, accepted(world), accepted(world, slot=world.slot_b))
    return batch


def shown(response):
    return response.content.decode()


def test_a_recall_is_begun_followed_and_closed(producer, world, batch):
    Contact.objects.create(
        customer=world.customer_a, name="Eva Lund", function="head nurse", phone="+45 35451234"
    )
    address = f"/tracershop/batches/{batch.pk}/recall/"
    page = shown(producer.get(address))
    assert "It tells 2 customers of 2 released orders" in page
    fields = {"reason": "particles", "instructions": "Do not use it.", "pin": PIN}
    assert producer.post(address, fields | {"instructions": " "}).status_code == 422
    page = shown(producer.post(address, fields, follow=True))
    started = Recall.objects.get()
    assert "Call the customers now" in page
    assert 'href="tel:+45 35451234"' in page
    assert page.count("Not acknowledged") >= 2
    assert page.count("Not called yet") == 2
    assert "Batch recalled" in page  # what the signature means, and that it is valid
    assert "Valid" in page
    url = f"/tracershop/recalls/{started.pk}/"
    call = {"customer": world.customer_a.pk, "reached": "Eva Lund"}
    assert "Told: Eva Lund" in shown(producer.post(f"{url}call/", call, follow=True))
    refused = producer.post(f"{url}close/", {"conclusion": "over"})
    assert refused.status_code == 422
    assert "Nordby Hospital, order" in shown(refused)
    over = {"conclusion": "over", "reason": "told by telephone"}
    assert "The recall is closed" in shown(producer.post(f"{url}close/", over, follow=True))
    assert "Close the recall…" not in shown(producer.get(url))
    assert LOT in shown(producer.get("/tracershop/recalls/"))
    assert "was recalled before" in shown(producer.get(address))


def test_the_recall_page_takes_the_same_queries_for_many_orders(producer, world, batch):
    release_from_lot(world)
    started = recall(world, batch)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert producer.get(f"/tracershop/recalls/{started.pk}/").status_code == 200
        return len(captured)

    few = queries()
    notices = list(RecallNotice.objects.filter(recall=started))
    assert len(notices) == 3
    for each in notices:  # the page with fewer is not cheaper
        if each.customer == world.customer_a:
            each.deleted_at = RELEASE_AT
            each.save()
    assert queries() == few


def test_a_representative_answers_for_their_own_customer_and_sees_no_other(client, world, batch):
    started = recall(world, batch)
    url = f"/tracershop/recalls/{started.pk}/notice/"
    own = RecallNotice.objects.get(customer=world.customer_a)
    other = RecallNotice.objects.get(customer=world.customer_b)
    sign_in(client, world.secretary)
    page = shown(client.get(url))
    assert "Do not use it. Keep it." in page
    assert f"use-{own.pk}" in page
    assert f"use-{other.pk}" not in page
    assert "Søndersø" not in page
    assert client.post(url, {}).status_code == 422
    # an answer in another customer's name is not read
    answer = {f"use-{own.pk}": "partly", f"answer-{own.pk}": "one", f"use-{other.pk}": "used"}
    assert "Thank you" in shown(client.post(url, answer, follow=True))
    own.refresh_from_db()
    other.refresh_from_db()
    assert (own.use, own.acknowledged_by, other.use) == ("partly", world.secretary, "")
    assert "You have acknowledged" in shown(client.get(url))
    assert LOT in shown(client.get("/tracershop/recalls/notices/"))
    assert "is recalled" in shown(client.get(f"/tracershop/orders/{own.order_id}/"))
    for address in (f"/tracershop/recalls/{started.pk}/", "/tracershop/recalls/"):
        assert client.get(address).status_code in (403, 404)


def test_a_customer_that_received_nothing_of_it_finds_no_notice(client, world):
    started = recall(world, make_batch(world, status="released"))
    sign_in(client, world.secretary)
    assert client.get(f"/tracershop/recalls/{started.pk}/notice/").status_code == 404
    assert "Nothing that you received" in shown(client.get("/tracershop/recalls/notices/"))
