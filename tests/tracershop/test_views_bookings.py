"""The bookings page: the preview, ticking, confirming, and what cannot be ordered for."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models import Booking, Order, RoomMapping
from tracershop.selectors.topics import may_see_bookings

from tests.support.accounts import sign_in
from tests.tracershop.factories import (
    MONDAY,
    local,
    make_booking,
    map_fdg,
    shop_world,
    stop_clock,
)

pytestmark = pytest.mark.django_db

PAGE = "/tracershop/bookings/"
DAY = {"day": f"{MONDAY:%Y-%m-%d}"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    map_fdg(world)
    stop_clock(monkeypatch)
    return world


@pytest.fixture
def secretary(client, world):
    sign_in(client, world.secretary)
    return client


def shown(response):
    return response.content.decode()


def ticked(page):
    """Keys of the boxes that are ticked on the page."""
    boxes = re.findall(r'<input type="checkbox"[^>]*name="booking"[^>]*>', page)
    return [int(re.search(r'value="(\d+)"', box)[1]) for box in boxes if " checked" in box]


def fingerprint(page):
    return re.search(r'name="fingerprint" value="(\w*)"', page)[1]


def confirm(client, page, **values):
    sent = {**DAY, "booking": ticked(page), "fingerprint": fingerprint(page), **values}
    return client.post(reverse("tracershop:bookings_order"), sent)


@pytest.mark.requirement("TS-024")
def test_the_preview_shows_amounts_and_each_bookings_part_all_ticked(secretary, world):
    first = make_booking("DK1", local(MONDAY, 8))
    second = make_booking("DK2", local(MONDAY, 10, 30))

    page = shown(secretary.get(PAGE, DAY))

    assert ticked(page) == [first.pk, second.pk]
    assert "FDG · Nordby PET · 08:15" in page
    assert "FDG · Nordby PET · 11:30" in page
    assert "<strong>399 MBq</strong>" in page  # 300·2^(45/109.77), rounded up
    assert "398.6 MBq" in page
    assert "DK1" in page
    assert "Order 2 bookings" in page
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-024")
def test_unticking_recalculates_what_would_be_ordered(secretary, world):
    keys = [make_booking(f"DK{n}", local(MONDAY, 8)).pk for n in range(2)]
    query = {**DAY, "known": keys, "booking": keys[:1]}

    part = shown(secretary.get(PAGE, query, headers=HTMX))

    assert "<html" not in part
    assert ticked(part) == keys[:1]
    assert "<strong>399 MBq</strong>" in part
    assert "Order 1 booking" in part
    assert fingerprint(part) != fingerprint(shown(secretary.get(PAGE, DAY)))


@pytest.mark.requirement("TS-024")
def test_confirming_orders_and_the_bookings_are_listed_with_their_order(secretary, world):
    booking = make_booking("DK1", local(MONDAY, 9))
    page = shown(secretary.get(PAGE, DAY))

    answer = confirm(secretary, page)

    assert answer.status_code == 302
    order = Order.objects.get()
    booking.refresh_from_db()
    assert booking.order == order
    page = shown(secretary.get(answer["Location"]))
    assert "1 order is placed." in page
    assert "Every booking of this day is ordered" in page
    assert reverse("tracershop:order", args=[order.pk]) in page


@pytest.mark.requirement("TS-024")
def test_only_the_ticked_ones_are_ordered(secretary, world):
    ordered, left = (make_booking(f"DK{n}", local(MONDAY, 9)) for n in range(2))
    keys = [ordered.pk, left.pk]
    page = shown(secretary.get(PAGE, {**DAY, "known": keys, "booking": ordered.pk}))

    confirm(secretary, page)

    assert Booking.objects.get(pk=ordered.pk).order is not None
    assert Booking.objects.get(pk=left.pk).order is None


@pytest.mark.requirement("TS-024")
def test_a_preview_that_is_out_of_date_is_shown_anew_and_nothing_is_ordered(secretary, world):
    make_booking("DK1", local(MONDAY, 9))
    page = shown(secretary.get(PAGE, DAY))
    booking = Booking.objects.get()
    booking.starts_at = local(MONDAY, 10)
    booking.save()

    answer = confirm(secretary, page)

    assert answer.status_code == 422
    assert "The bookings changed since you looked" in shown(answer)
    assert not Order.objects.exists()
    assert confirm(secretary, shown(answer)).status_code == 302
    assert Order.objects.count() == 1


@pytest.mark.requirement("TS-024")
def test_pressing_twice_orders_once(secretary, world):
    make_booking("DK1", local(MONDAY, 9))
    page = shown(secretary.get(PAGE, DAY))

    assert confirm(secretary, page).status_code == 302
    assert confirm(secretary, page).status_code == 422
    assert Order.objects.count() == 1


@pytest.mark.requirement("TS-024")
def test_confirming_nothing_orders_nothing(secretary, world):
    booking = make_booking("DK1", local(MONDAY, 9))
    page = shown(secretary.get(PAGE, {**DAY, "known": booking.pk}))
    assert ticked(page) == []

    answer = confirm(secretary, page, known=booking.pk)

    assert answer.status_code == 422
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-024")
def test_what_cannot_be_placed_stands_on_top_with_the_reason(secretary, world):
    make_booking("TOO-EARLY", local(MONDAY, 6))
    make_booking("DK1", local(MONDAY, 9))

    page = shown(secretary.get(PAGE, DAY))

    reason = page.index("The first delivery, 23 Nov 2026 08:15, is after the injection.")
    assert "TOO-EARLY" in page[:reason]
    assert reason < page.index("FDG · Nordby PET · 08:15")
    assert len(ticked(page)) == 1


@pytest.mark.requirement("TS-023", "TS-024")
def test_unmapped_bookings_lead_those_who_may_to_the_mappings(client, world):
    make_booking("DK1", local(MONDAY, 9), procedure_code="NAF", procedure_text="NaF bone")
    make_booking("SECRET", local(MONDAY, 9), room="B-9")
    sign_in(client, world.superuser)

    page = shown(client.get(PAGE, DAY))

    assert "NaF bone" in page
    assert "1 room is not mapped to an endpoint" in page
    assert "SECRET" not in page
    assert page.count(f'href="{reverse("tracershop:mappings")}"') >= 2

    sign_in(client, world.secretary)
    page = shown(client.get(PAGE, DAY))
    assert "NaF bone" in page
    assert "A shop superuser says which tracer" in page
    assert reverse("tracershop:mappings") not in page
    assert "not mapped to an endpoint" not in page


@pytest.mark.requirement("TS-006")
def test_bookings_of_another_customer_are_neither_seen_nor_ordered(client, world):
    booking = make_booking("DK1", local(MONDAY, 9))
    sign_in(client, world.secretary)
    page = shown(client.get(PAGE, DAY))
    sign_in(client, world.other_secretary)

    assert "DK1" not in shown(client.get(PAGE, {**DAY, "booking": booking.pk}))
    answer = confirm(client, page)

    assert answer.status_code == 422
    assert "DK1" not in shown(answer)
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-100")
@pytest.mark.parametrize("who", ["external", "producer"])
def test_ordering_from_bookings_is_for_internal_shop_users(client, world, who):
    sign_in(client, getattr(world, who))

    assert client.get(PAGE).status_code == 403
    assert client.post(reverse("tracershop:bookings_order"), DAY).status_code == 403


def test_a_day_without_bookings_says_what_to_do(secretary):
    page = shown(secretary.get(PAGE, DAY))

    assert "No booking waits on this day" in page
    assert "Order by hand" in page


@pytest.mark.parametrize("query", ["booking=x", "known=1,y", "day=soon"])
def test_an_address_with_nonsense_in_it_does_not_exist(secretary, query):
    assert secretary.get(f"{PAGE}?{query}").status_code == 404


@pytest.mark.requirement("TS-120")
def test_the_page_listens_to_bookings(secretary, world):
    page = shown(secretary.get(PAGE, DAY))

    assert 'data-live-topic="tracershop/bookings"' in page
    assert may_see_bookings(world.secretary)
    assert not may_see_bookings(world.external)


@pytest.mark.requirement("TS-024")
def test_the_number_of_queries_does_not_grow_with_the_bookings(secretary, world):
    RoomMapping.objects.create(room="PET-2", endpoint=world.endpoint_a)
    kinds = ({}, {"procedure_code": "NAF"}, {"room": "PET-2"})

    def book(count):
        for number in range(count):
            at = local(MONDAY, 5) + timedelta(minutes=7 * number)
            make_booking(f"{count}-{number}", at, **kinds[number % 3])

    book(9)
    query = {**DAY, "known": [Booking.objects.first().pk]}
    secretary.get(PAGE, query)
    with CaptureQueriesContext(connection) as few:
        secretary.get(PAGE, query)
    book(90)

    with CaptureQueriesContext(connection) as many:
        secretary.get(PAGE, query)

    assert len(many) == len(few)
