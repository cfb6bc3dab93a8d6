"""The page of orders whose bookings changed: what it shows, and the click that settles one."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models import BookingChange, Order, RoomMapping

from tests.support.accounts import sign_in
from tests.tracershop.factories import (
    MONDAY,
    local,
    make_booking,
    map_fdg,
    shop_world,
    stop_clock,
)
from tests.tracershop.test_services_booking_changes import cancel, order_all, say

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("TS-025")]
PAGE = "/tracershop/booking-changes/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    map_fdg(world)
    stop_clock(monkeypatch)
    return world


def shown(response):
    return response.content.decode()


def changed_order(world, accession="A"):
    for number in range(2):
        make_booking(f"{accession}{number}", local(MONDAY, 8))
    (order,) = order_all(world)
    cancel(f"{accession}1")
    return order


def seen(page):
    return re.search(r'name="seen" value="(\w+)"', page)[1]


def test_old_and_new_amount_stand_beside_each_other_and_one_click_applies(client, world):
    order = changed_order(world)
    sign_in(client, world.secretary)
    page = shown(client.get(PAGE))
    assert "798 MBq</del>" in page
    assert "399 MBq</ins>" in page
    assert "Change it to 399 MBq" in page
    assert "Cancelled: the order does not need it any more." in page

    url = reverse("tracershop:apply_booking_changes", args=[order.pk])
    answer = client.post(url, {"seen": seen(page)})

    assert answer.status_code == 302
    order.refresh_from_db()
    assert order.activity_mbq == 399
    assert "Every order fits its bookings" in shown(client.get(PAGE))


def test_figures_that_are_out_of_date_are_shown_anew_and_nothing_is_changed(client, world):
    order = changed_order(world)
    sign_in(client, world.secretary)
    page = shown(client.get(PAGE))
    say("A0", local(MONDAY, 8, 30))

    url = reverse("tracershop:apply_booking_changes", args=[order.pk])
    answer = client.post(url, {"seen": seen(page)})

    assert answer.status_code == 422
    assert "The bookings changed since you looked" in shown(answer)
    order.refresh_from_db()
    assert order.activity_mbq == 798
    client.post(url, {"seen": seen(shown(answer))})
    order.refresh_from_db()
    assert order.activity_mbq == 482  # 300·2^(75/109.77)


def test_a_change_is_put_aside_with_a_reason(client, world):
    order = changed_order(world)
    sign_in(client, world.producer)
    url = reverse("tracershop:put_aside_booking_changes", args=[order.pk])
    assert "keeps its amount" in shown(client.get(url, headers=HTMX))
    assert client.post(url, {"reason": ""}).status_code == 422

    assert client.post(url, {"reason": "another patient"}).status_code == 302

    assert BookingChange.objects.get().outcome == "put_aside"


def test_an_order_that_nobody_needs_any_more_is_taken_back(client, world):
    make_booking("A0", local(MONDAY, 8))
    (order,) = order_all(world)
    cancel("A0")
    sign_in(client, world.secretary)
    page = shown(client.get(PAGE))
    assert "Take the order back" in page

    url = reverse("tracershop:apply_booking_changes", args=[order.pk])
    page = shown(client.post(url, {"seen": seen(page)}, follow=True))

    assert f"Order {order.pk} is taken back" in page
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-005")
def test_who_cannot_apply_is_told_why_and_has_no_button(client, world):
    order = changed_order(world)
    order.status = Order.Status.ACCEPTED
    order.save()

    sign_in(client, world.secretary)
    page = shown(client.get(PAGE))
    assert "only production changes it now" in page
    assert "Change it to" not in page
    sign_in(client, world.producer)
    assert "Change it to 399 MBq" in shown(client.get(PAGE))


@pytest.mark.requirement("TS-006")
def test_another_customer_sees_nothing_and_settles_nothing(client, world):
    order = changed_order(world)
    sign_in(client, world.other_secretary)

    page = shown(client.get(PAGE))

    assert "A1" not in page
    assert "Every order fits its bookings" in page
    for name in ("apply_booking_changes", "put_aside_booking_changes"):
        url = reverse(f"tracershop:{name}", args=[order.pk])
        assert client.post(url, {"seen": "x", "reason": "x"}).status_code in (404, 422)
    assert BookingChange.objects.get().settled_at is None


@pytest.mark.requirement("TS-006")
def test_where_a_booking_went_is_not_told_when_it_is_another_customers_now(client, world):
    RoomMapping.objects.create(room="B-SECRET", endpoint=world.endpoint_b)
    changed_order(world)
    say("A0", local(MONDAY, 9, 37), room="B-SECRET", procedure_text="Their examination")
    sign_in(client, world.secretary)

    page = shown(client.get(PAGE))

    assert "order it there" in page
    for told in ("B-SECRET", "09:37", "Their examination", "Søndersø"):
        assert told not in page
    sign_in(client, world.other_secretary)
    bookings = shown(client.get("/tracershop/bookings/", {"day": f"{MONDAY:%Y-%m-%d}"}))
    assert "still ordered where it was" in bookings
    assert f"/orders/{Order.objects.get().pk}/" not in bookings


@pytest.mark.requirement("TS-100")
def test_external_people_have_no_such_page(client, world):
    sign_in(client, world.external)

    assert client.get(PAGE).status_code == 403


def test_the_bookings_page_leads_here(client, world):
    changed_order(world)
    sign_in(client, world.secretary)

    page = shown(client.get("/tracershop/bookings/", {"day": f"{MONDAY:%Y-%m-%d}"}))

    assert "Bookings of 1 order changed after it was placed" in page
    assert f'href="{PAGE}"' in page


@pytest.mark.requirement("TS-120")
def test_the_page_listens_and_its_fragment_is_the_list_alone(client, world):
    sign_in(client, world.secretary)

    assert 'data-live-topic="tracershop/bookings"' in shown(client.get(PAGE))
    assert "<html" not in shown(client.get(PAGE, headers=HTMX))


@pytest.mark.parametrize("who", ["secretary", "producer"])
def test_the_number_of_queries_does_not_grow_with_the_orders(client, world, who):
    sign_in(client, getattr(world, who))

    def more(name):
        changed_order(world, name)

    more("A")
    client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    for name in "BCD":
        more(name)

    with CaptureQueriesContext(connection) as many:
        page = shown(client.get(PAGE))

    assert page.count('name="seen"') == 4
    assert len(many) == len(few)
