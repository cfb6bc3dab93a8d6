"""The shop's pages: what a shop user sees and does there, and what they never see."""

from __future__ import annotations

import pytest

from tests.support.accounts import sign_in
from tests.tracershop.factories import make_order, shop_world, stop_clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    stop_clock(monkeypatch)
    return world


def test_x(client, world):
    sign_in(client, world.secretary)
    make_order(world)
    for url in ["/tracershop/shop/?day=2026-11-23", f"/tracershop/shop/order/?slot={world.slot_a.pk}&day=2026-11-23", "/tracershop/orders/", "/tracershop/bookings/"]:
        r = client.get(url)
        assert r.status_code == 200, url
    sign_in(client, world.superuser)
    for url in ["/tracershop/mappings/", "/tracershop/representatives/","/tracershop/mappings/room/?room=ABC", f"/tracershop/mappings/procedure/?endpoint={world.endpoint_a.pk}"]:
        r = client.get(url)
        assert r.status_code == 200, url
