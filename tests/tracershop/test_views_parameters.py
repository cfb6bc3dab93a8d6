"""What an address or a form may hold by mistake or malice: a clear answer, never a crash."""

from __future__ import annotations

import pytest
from tracershop.models import Order

from portal.notifications.models import Notification
from tests.support.accounts import sign_in
from tests.tracershop.factories import make_order, shop_world

pytestmark = pytest.mark.django_db

NO_KEYS = ["²", "-1", "1.5", "NaN", "9" * 19, "9" * 5000, "x" * 10_000]


@pytest.fixture
def world():
    return shop_world()


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_cannot_be_a_key_does_not_exist(client, world, key):
    sign_in(client, world.production_admin)
    answers = [
        client.get("/tracershop/release/", {"order": key}),
        client.get("/tracershop/shop/order/", {"slot": key}),
        client.get("/tracershop/shop/inject/", {"endpoint": key, "tracer": key}),
        client.post("/tracershop/board/accept/", {"order": key}),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_cannot_be_a_key_is_refused_where_a_form_names_it(client, world, key):
    sign_in(client, world.production_admin)
    form = {"tracer": key, "customer": key, "reason": "x"}
    answer = client.post("/tracershop/vials/1/settle/", form)
    assert answer.status_code == 422


@pytest.mark.requirement("TS-041")
def test_an_order_is_rejected_with_a_long_reason(client, world):
    order = make_order(world)
    sign_in(client, world.producer)
    reason = "Cyclotron down. " * 100
    answer = client.post("/tracershop/board/reject/", {"order": order.pk, "reason": reason})
    assert answer.status_code == 302
    assert Order.objects.get(pk=order.pk).status_reason == reason.strip()
    assert "Cyclotron down." in Notification.objects.get(user=world.secretary).text


def test_who_certifies_nobody_does_not_learn_which_certifications_exist(client, world):
    sign_in(client, world.secretary)
    assert client.post("/tracershop/certifications/987654/revoke/").status_code == 403
