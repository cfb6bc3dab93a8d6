"""The shop's day: what a shop user sees there, and what they never see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models import (
    ClosedDay,
    Customer,
    Representation,
)
from tracershop.selectors.shop import shop_day
from tracershop.selectors.topics import may_see_customer
from tracershop.services.release import release_orders

from tests.support.accounts import sign_in
from tests.support.factories import give, make_user
from tests.tracershop.factories import (
    MONDAY,
    NOW,
    local,
    make_order,
    shop_world,
    stop_clock,
)
from tests.tracershop.releasing import accepted, make_vial, signer, wanted

pytestmark = pytest.mark.django_db

DAY = {"day": f"{MONDAY:%Y-%m-%d}"}
SHOP = "/tracershop/shop/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    stop_clock(monkeypatch)
    return world


@pytest.fixture
def secretary(client, world):
    sign_in(client, world.secretary)
    return client


def order_url(slot, day=MONDAY):
    return f"{reverse('tracershop:order_activity')}?slot={slot.pk}&day={day:%Y-%m-%d}"


def inject_url(world, endpoint=None):
    endpoint = endpoint or world.endpoint_a
    query = f"endpoint={endpoint.pk}&tracer={world.water.pk}&day={MONDAY:%Y-%m-%d}"
    return f"{reverse('tracershop:order_injections')}?{query}"


def shown(response):
    return response.content.decode()


def released(world, monkeypatch, **values):
    """An order released on its day from one vial, with a signature."""
    order = accepted(world, **values)
    vial = make_vial(world)
    at = local(MONDAY, 7, 30)
    stop_clock(monkeypatch, at)
    release_orders(
        actor=world.producer, requests=[wanted(order, vial)], signer=signer(world.producer), now=at
    )
    stop_clock(monkeypatch)
    return order


# --- the day -------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-008", "TS-004")
def test_the_day_shows_each_delivery_with_its_deadline_and_what_is_ordered(secretary, world):
    make_order(world, comment="two children")
    make_order(world, injections=3)

    page = shown(secretary.get(SHOP, DAY))

    assert "08:15" in page
    assert "11:30" in page
    assert 'data-countdown-to="2026-11-20T13:00:00+01:00"' in page
    assert 'data-countdown-to="2026-11-20T12:00:00+01:00"' in page
    assert "1\u202f000 MBq" in page
    assert "3 injections" in page
    assert "two children" in page
    assert order_url(world.slot_a).replace("&", "&amp;") in page


@pytest.mark.requirement("TS-008")
def test_the_calendar_says_each_days_status_in_words(secretary, world):
    make_order(world)
    make_order(world, status="accepted")
    make_order(world, day=MONDAY + timedelta(days=1), slot=world.slots_a[1], status="released")
    ClosedDay.objects.create(day=MONDAY + timedelta(days=3), name="Maintenance")

    shop = shop_day(world.secretary, world.customer_a, MONDAY, NOW)

    cells = {cell.day: cell for cell in shop.week}
    assert (cells[MONDAY].count, cells[MONDAY].status) == (2, "ordered")
    assert cells[MONDAY + timedelta(days=1)].status == "released"
    assert cells[MONDAY + timedelta(days=3)].closed == "Maintenance"
    assert [week[0].day.weekday() for week in shop.month] == [0] * len(shop.month)
    page = shown(secretary.get(SHOP, DAY))
    assert "2 · Ordered" in page
    assert "Closed: Maintenance" in page


@pytest.mark.requirement("TS-002", "TS-004")
def test_a_closed_day_says_why_and_offers_no_order(secretary, world):
    ClosedDay.objects.create(day=MONDAY, name="Maintenance of the cyclotron")

    page = shown(secretary.get(SHOP, DAY))

    assert "Maintenance of the cyclotron: nothing can be ordered for this day." in page
    assert "Order…" not in page


@pytest.mark.requirement("TS-004")
def test_after_the_deadline_the_reason_stands_there_instead_of_the_button(
    client, world, monkeypatch
):
    order = make_order(world)
    stop_clock(monkeypatch, local(MONDAY - timedelta(days=3), 13))
    sign_in(client, world.secretary)

    page = shown(client.get(SHOP, DAY))

    assert "The deadline was 20 Nov 2026 13:00." in page
    assert "Call production to order late." in page
    assert "Order…" not in page
    assert reverse("tracershop:order_edit", args=[order.pk]) not in page


def test_a_day_without_deliveries_leads_to_the_next_one(secretary, world):
    for entry in world.endpoint_a.catalogue.filter(tracer=world.water):
        entry.deleted_at = NOW
        entry.save()
    sunday = MONDAY - timedelta(days=1)

    page = shown(secretary.get(SHOP, {"day": f"{sunday:%Y-%m-%d}"}))

    assert "No delivery on this day" in page
    assert "Next: Monday 23 Nov 2026" in page


@pytest.mark.requirement("TS-006")
def test_an_order_in_a_slot_that_ended_is_still_shown(secretary, world):
    order = make_order(world)
    world.slot_a.expires_on = MONDAY - timedelta(days=1)
    world.slot_a.save()

    page = shown(secretary.get(SHOP, DAY))

    assert f'id="order-{order.pk}"' in page


@pytest.mark.requirement("TS-083", "TS-006")
def test_a_released_order_shows_batch_vials_releaser_and_signature(secretary, world, monkeypatch):
    order = released(world, monkeypatch)

    page = shown(secretary.get(SHOP, DAY))

    assert f'id="order-{order.pk}"' in page
    assert "FDG-261123-1" in page
    assert "Karen Brandt" in page
    assert "23 Nov 2026 07:30" in page
    assert "Valid" in page
    assert "Human use" in page


@pytest.mark.requirement("TS-083")
def test_preclinical_use_is_said_plainly(secretary, world):
    make_order(world, intended_use="animal")

    page = shown(secretary.get(SHOP, DAY))

    assert "Preclinical: animal" in page


def test_a_rejected_order_shows_the_reason(secretary, world):
    make_order(world, status="rejected", status_reason="The cyclotron is down")

    assert "Rejected: The cyclotron is down" in shown(secretary.get(SHOP, DAY))


@pytest.mark.requirement("TS-006")
def test_the_number_of_queries_does_not_grow_with_the_orders(secretary, world, monkeypatch):
    released(world, monkeypatch)
    make_order(world)
    secretary.get(SHOP, DAY)
    with CaptureQueriesContext(connection) as few:
        secretary.get(SHOP, DAY)
    for number in range(12):
        released(world, monkeypatch, comment=str(number))
        make_order(world)
        make_order(world, day=MONDAY + timedelta(days=number % 5), slot=world.slots_a[number % 5])

    with CaptureQueriesContext(connection) as many:
        secretary.get(SHOP, DAY)

    assert len(many) == len(few)


@pytest.mark.requirement("TS-120")
def test_the_day_is_fetched_alone_for_a_live_change(secretary, world):
    page = shown(secretary.get(SHOP, DAY))
    assert f'data-live-topic="tracershop/customer/{world.customer_a.pk}"' in page

    part = shown(secretary.get(SHOP, DAY, headers=HTMX))

    assert "<html" not in part
    assert part.strip() in page


# --- whose day ---------------------------------------------------------------------------------


@pytest.mark.requirement("TS-101")
def test_who_represents_nobody_is_told_what_to_do(client, world):
    newcomer = make_user("Tove Juhl")
    give(newcomer, "tracershop.shop_internal", world.region)
    sign_in(client, newcomer)

    page = shown(client.get(SHOP))

    assert "You do not represent any customer yet" in page
    assert "lets you represent it" in page


@pytest.mark.requirement("TS-100")
def test_who_has_no_role_in_tracershop_has_no_shop(client, world):
    sign_in(client, make_user("Frede Lund"))

    for name in ("shop", "orders", "orders_excel", "bookings", "mappings", "representatives"):
        assert client.get(reverse(f"tracershop:{name}")).status_code == 403


def test_of_several_customers_the_one_looked_at_last_is_remembered(secretary, world):
    second = Customer.objects.create(name="Aarby Klinik", unit=world.customer_a.unit)
    Representation.objects.create(user=world.secretary, customer=second)
    heading = "<h1>{}</h1>".format

    assert heading("Aarby Klinik") in shown(secretary.get(SHOP, DAY))
    chosen = {**DAY, "customer": world.customer_a.pk}
    assert heading("Nordby Hospital") in shown(secretary.get(SHOP, chosen))
    assert heading("Nordby Hospital") in shown(secretary.get(SHOP, DAY))


def test_a_remembered_customer_that_one_no_longer_represents_is_forgotten(secretary, world):
    second = Customer.objects.create(name="Aarby Klinik", unit=world.customer_a.unit)
    representation = Representation.objects.create(user=world.secretary, customer=second)
    secretary.get(SHOP, {**DAY, "customer": second.pk})
    representation.deleted_at = NOW
    representation.save()

    assert "Aarby Klinik" not in shown(secretary.get(SHOP, DAY))


@pytest.mark.requirement("TS-006")
def test_nothing_of_another_customer_is_on_the_page(secretary, world):
    make_order(world, slot=world.slot_b, comment="for the other hospital")
    make_order(world, endpoint=world.endpoint_b, injections=2)

    page = shown(secretary.get(SHOP, DAY))

    assert "Søndersø" not in page
    assert "for the other hospital" not in page
    assert "09:30" not in page.replace('placeholder="09:30"', "")


@pytest.mark.requirement("TS-006")
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_customers_addresses_do_not_exist(secretary, world, method):
    other = make_order(world, slot=world.slot_b, ordered_by=world.other_secretary)
    addresses = [
        f"{SHOP}?customer={world.customer_b.pk}",
        order_url(world.slot_b),
        inject_url(world, world.endpoint_b),
        reverse("tracershop:order_edit", args=[other.pk]),
        reverse("tracershop:order_delete", args=[other.pk]),
        reverse("tracershop:order", args=[other.pk]),
        reverse("tracershop:certificate", args=[other.pk]),
    ]
    nowhere = [
        f"{SHOP}?customer=999999",
        f"{reverse('tracershop:order_activity')}?slot=999999&day={MONDAY}",
        f"{reverse('tracershop:order_injections')}?endpoint=999999&tracer=1&day={MONDAY}",
        reverse("tracershop:order_edit", args=[999999]),
        reverse("tracershop:order_delete", args=[999999]),
        reverse("tracershop:order", args=[999999]),
        reverse("tracershop:certificate", args=[999999]),
    ]
    send = getattr(secretary, method)
    for theirs, none in zip(addresses, nowhere, strict=True):
        answer, empty = send(theirs), send(none)
        assert (answer.status_code, theirs) == (empty.status_code, theirs)
        assert answer.status_code in (404, 405)
        assert "Søndersø" not in shown(answer)
    other.refresh_from_db()
    assert (other.version, other.deleted_at) == (1, None)


@pytest.mark.requirement("TS-006", "TS-120")
def test_the_live_topic_of_another_customer_is_not_listened_to(world):
    assert may_see_customer(world.secretary, str(world.customer_a.pk))
    assert not may_see_customer(world.secretary, str(world.customer_b.pk))
    assert may_see_customer(world.producer, str(world.customer_b.pk))


@pytest.mark.requirement("TS-002")
def test_an_address_with_nonsense_in_it_does_not_exist(secretary):
    for query in ("day=tomorrow", "customer=x", "day=9999-99-99"):
        assert secretary.get(f"{SHOP}?{query}").status_code == 404
    for query in ("", "slot=x", f"slot=99999999999999999999&day={MONDAY}"):
        assert secretary.get(f"{reverse('tracershop:order_activity')}?{query}").status_code == 404


@pytest.mark.parametrize(
    ("day", "status"), [("0001-01-01", 404), ("9999-12-31", 404), ("2000-01-01", 200)]
)
def test_the_first_and_the_last_day_of_all_time_are_no_crash(secretary, day, status):
    assert secretary.get(SHOP, {"day": day}).status_code == status
