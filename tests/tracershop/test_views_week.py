"""The shop's week and copying the week before: what is on the pages, and what never is."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models import ClosedDay, DeliverySlot, Order
from tracershop.selectors.week import shop_week

from tests.support.accounts import sign_in
from tests.support.factories import make_user
from tests.tracershop.factories import MONDAY, NOW, local, make_order, shop_world, stop_clock

pytestmark = pytest.mark.django_db

WEEK = timedelta(weeks=1)
BEFORE = MONDAY - WEEK
DAY = {"day": f"{MONDAY:%Y-%m-%d}"}
HTMX = {"HX-Request": "true"}
PAGE, COPY = "/tracershop/shop/week/", "/tracershop/shop/week/copy/"
SEALS = re.compile(r'name="order" value="([\d.]+)"')
TICKED = re.compile(r'name="order" value="([\d.]+)" checked')


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    stop_clock(monkeypatch)
    return world


@pytest.fixture
def secretary(client, world):
    sign_in(client, world.secretary)
    return client


def shown(response):
    return response.content.decode()


def day_of_week(page, day):
    """The part of the page that is the day's column."""
    parts = page.split('id="day-')
    return next(part for part in parts if part.startswith(f"{day:%Y-%m-%d}"))


def copy_url(customer, monday=MONDAY):
    return f"{COPY}?day={monday:%Y-%m-%d}&customer={customer.pk}"


# --- the week ------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-008")
def test_each_day_has_its_deliveries_orders_and_status_in_words(secretary, world):
    make_order(world)
    make_order(world, day=MONDAY + timedelta(days=1), slot=world.slots_a[1], status="released")
    make_order(world, injections=3)

    page = shown(secretary.get(PAGE, DAY))

    monday = day_of_week(page, MONDAY)
    assert "08:15" in monday
    assert "1\u202f000 MBq" in monday
    assert "10:00 · 3 injections" in monday
    assert "2 · Ordered" in monday
    assert 'data-countdown-to="2026-11-20T13:00:00+01:00"' in monday
    url = f"{reverse('tracershop:order_activity')}?slot={world.slot_a_late.pk}&{_query(MONDAY)}"
    assert url.replace("&", "&amp;") in monday
    tuesday = day_of_week(page, MONDAY + timedelta(days=1))
    assert "1 · Released" in tuesday
    assert "No delivery" not in tuesday
    # on Saturday nothing but injections can be ordered
    assert "Injections" in day_of_week(page, MONDAY + timedelta(days=5))


def _query(day):
    return f"day={day:%Y-%m-%d}&from=week"


@pytest.mark.requirement("TS-008", "TS-002")
def test_a_closed_day_says_why_and_offers_nothing(secretary, world):
    ClosedDay.objects.create(day=MONDAY, name="Maintenance")

    monday = day_of_week(shown(secretary.get(PAGE, DAY)), MONDAY)

    assert "Maintenance" in monday
    assert "Order…" not in monday


@pytest.mark.requirement("TS-008", "TS-004")
def test_after_the_deadline_the_slot_says_so_and_has_no_button(client, world, monkeypatch):
    stop_clock(monkeypatch, local(MONDAY - timedelta(days=3), 13))
    sign_in(client, world.secretary)

    page = shown(client.get(PAGE, DAY))

    assert "too late" in day_of_week(page, MONDAY)
    assert "Order…" not in day_of_week(page, MONDAY)
    assert "Order…" in day_of_week(page, MONDAY + timedelta(days=1))


@pytest.mark.requirement("TS-008", "TS-002")
def test_the_week_of_the_new_year_has_its_seven_days_and_slots_by_parity(world):
    world.slot_a.parity = DeliverySlot.Parity.EVEN
    world.slot_a.save()
    now = local(date(2026, 12, 1), 8)

    def monday_slots(day):
        week = shop_week(world.secretary, world.customer_a, day, now)
        slots = [delivery.offer.slot for delivery in week.days[0].deliveries]
        return week.monday, {each.slot.pk for each in slots if each}

    late = world.slot_a_late.pk
    assert monday_slots(date(2027, 1, 1)) == (date(2026, 12, 28), {late})  # week 53
    assert monday_slots(date(2027, 1, 4)) == (date(2027, 1, 4), {late})  # week 1
    assert monday_slots(date(2027, 1, 17))[1] == {late, world.slot_a.pk}  # week 2


@pytest.mark.requirement("TS-008")
def test_an_order_in_a_slot_that_ended_is_still_shown(secretary, world):
    make_order(world)
    world.slot_a.expires_on = MONDAY - timedelta(days=1)
    world.slot_a.save()

    monday = day_of_week(shown(secretary.get(PAGE, DAY)), MONDAY)

    assert "1\u202f000 MBq" in monday
    assert "No longer in the week’s plan" in monday


@pytest.mark.requirement("TS-008")
def test_the_number_of_queries_does_not_grow_with_the_orders(secretary, world):
    counts = []
    for number in (1, 15):
        for each in range(number):
            slot = world.slots_a[each % 5]
            make_order(world, slot=slot, day=MONDAY + timedelta(days=slot.weekday))
        secretary.get(PAGE, DAY)
        with CaptureQueriesContext(connection) as queries:
            secretary.get(PAGE, DAY)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.requirement("TS-008", "TS-120")
def test_the_week_is_fetched_alone_for_a_live_change(secretary, world):
    page = shown(secretary.get(PAGE, DAY, headers=HTMX))

    assert "<html" not in page
    assert 'class="shop-week"' in page


@pytest.mark.requirement("TS-006", "TS-008")
def test_nothing_of_another_customer_is_in_the_week(secretary, world):
    make_order(world, slot=world.slot_b, activity_mbq=4321.0)

    page = shown(secretary.get(PAGE, DAY))

    assert "4\u202f321" not in page
    assert "Søndersø" not in page
    asked = secretary.get(PAGE, DAY | {"customer": world.customer_b.pk})
    assert asked.status_code == 404


@pytest.mark.requirement("TS-008")
def test_who_represents_nobody_is_told_what_to_do(client, world):
    from tests.support.factories import give

    clerk = make_user("Frede Lund")
    give(clerk, "tracershop.shop_internal", world.customer_a.unit)
    sign_in(client, clerk)

    for url in (PAGE, COPY, "/tracershop/standing/"):
        assert "You do not represent any customer yet" in shown(client.get(url))


@pytest.mark.requirement("TS-008")
def test_what_is_ordered_from_the_week_goes_back_to_the_week(secretary, world):
    url = f"{reverse('tracershop:order_activity')}?slot={world.slot_a.pk}&{_query(MONDAY)}"

    answer = secretary.post(url, {"act": "order", "activity_mbq": "300", "intended_use": "human"})

    assert answer.status_code == 302
    assert answer.url == f"{PAGE}?day=2026-11-23&customer={world.customer_a.pk}"
    assert Order.objects.get().activity_mbq == 300


@pytest.mark.requirement("TS-008")
def test_the_month_leads_by_links_to_days_weeks_and_other_months(secretary, world):
    make_order(world)
    ClosedDay.objects.create(day=MONDAY + timedelta(days=1), name="Maintenance")

    page = shown(secretary.get("/tracershop/shop/", DAY))

    assert "<span>23</span><span" in page
    assert "November, Monday" in page
    assert "order, Ordered" in page
    assert "Closed: Maintenance" in page
    assert f'{PAGE}?day=2026-11-23&amp;customer={world.customer_a.pk}" aria-label="Week 48"' in page
    assert 'rel="prev" href="?day=2026-10-31"' in page
    assert 'rel="next" href="?day=2026-12-02"' in page
    assert "data-arrow-keys" in page


# --- copying -------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-008")
def test_the_preview_shows_what_goes_ticked_and_why_the_rest_does_not(secretary, world):
    order = make_order(world, day=BEFORE)
    water = make_order(world, day=BEFORE, injections=2)
    tuesday = make_order(world, day=BEFORE + timedelta(days=1), slot=world.slots_a[1])
    ClosedDay.objects.create(day=MONDAY + timedelta(days=1), name="Maintenance")

    page = shown(secretary.get(copy_url(world.customer_a)))

    keys = [seal.split(".")[0] for seal in TICKED.findall(page)]
    assert keys == [str(order.pk), str(water.pk)]
    staying = page.rpartition("These are not copied")[2]
    assert f"/tracershop/orders/{tuesday.pk}/" in staying
    assert "24 Nov 2026 is a closed day." in staying
    assert Order.objects.filter(deliver_on__gte=MONDAY).count() == 0


@pytest.mark.requirement("TS-008")
def test_what_is_left_ticked_is_ordered_and_the_week_shows_it(secretary, world):
    make_order(world, day=BEFORE)
    make_order(world, day=BEFORE, injections=2)
    url = copy_url(world.customer_a)
    first = TICKED.findall(shown(secretary.get(url)))[0]

    answer = secretary.post(url, {"order": [first]}, follow=True)

    assert "1 order is placed." in shown(answer)
    assert [order.kind for order in Order.objects.filter(deliver_on=MONDAY)] == ["activity"]
    # the same confirmation once more orders nothing, and says so
    again = secretary.post(url, {"order": [first]})
    assert again.status_code == 422
    assert "It is ordered already." in shown(again)
    assert Order.objects.filter(deliver_on=MONDAY).count() == 1


@pytest.mark.requirement("TS-008", "TS-004")
def test_a_deadline_passed_since_the_preview_orders_nothing_and_keeps_the_other_ticks(
    client, world, monkeypatch
):
    stop_clock(monkeypatch, local(MONDAY - timedelta(days=3), 12, 55))
    sign_in(client, world.secretary)
    make_order(world, day=BEFORE)
    make_order(world, day=BEFORE + timedelta(days=1), slot=world.slots_a[1])
    make_order(world, day=BEFORE + timedelta(days=2), slot=world.slots_a[2])
    url = copy_url(world.customer_a)
    ticked = TICKED.findall(shown(client.get(url)))
    stop_clock(monkeypatch, local(MONDAY - timedelta(days=3), 13))

    answer = client.post(url, {"order": ticked[:2]})

    page = shown(answer)
    assert answer.status_code == 422
    assert "nothing was ordered" in page
    assert "The deadline was 20 Nov 2026 13:00." in page
    assert TICKED.findall(page) == ticked[1:2]
    assert len(SEALS.findall(page)) == 2
    assert not Order.objects.filter(deliver_on__gte=MONDAY).exists()


@pytest.mark.requirement("TS-008")
@pytest.mark.parametrize("sent", [[], ["nonsense"], ["1.1.1"], ["1.1.1"] * 501])
def test_nonsense_orders_nothing_and_is_no_crash(secretary, world, sent):
    make_order(world, day=BEFORE)

    answer = secretary.post(copy_url(world.customer_a), {"order": sent})

    assert answer.status_code in (404, 422)
    assert not Order.objects.filter(deliver_on__gte=MONDAY).exists()


@pytest.mark.requirement("TS-006", "TS-008")
def test_another_customers_week_cannot_be_copied(secretary, world):
    make_order(world, slot=world.slot_b, day=BEFORE)

    for answer in (
        secretary.get(copy_url(world.customer_b)),
        secretary.post(copy_url(world.customer_b), {"order": ["1.1.1"]}),
    ):
        assert answer.status_code == 404


@pytest.mark.requirement("TS-006", "TS-100")
def test_an_external_copies_for_their_customer_and_a_looker_for_none(client, world):
    from guardian.shortcuts import assign_perm

    make_order(world, slot=world.slot_b, day=BEFORE)
    url = copy_url(world.customer_b)
    sign_in(client, world.external)
    ticked = TICKED.findall(shown(client.get(url)))
    assert client.post(url, {"order": ticked}).status_code == 302
    assert Order.objects.get(deliver_on=MONDAY).ordered_by == world.external

    looker = make_user("Ditte Holm")
    assign_perm("tracershop.see_own_orders", looker, world.customer_b)
    sign_in(client, looker)
    week = client.get(PAGE, DAY | {"customer": world.customer_b.pk})
    assert "Copy last week" not in shown(week)
    assert client.get(url).status_code == 403


@pytest.mark.requirement("TS-008")
def test_an_empty_week_before_says_what_to_do(secretary, world):
    page = shown(secretary.get(copy_url(world.customer_a)))

    assert "Nothing was ordered in week 47" in page
    assert NOW.isocalendar().week == 47
