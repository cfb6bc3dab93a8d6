"""The pages of standing orders: set up from an order or a slot, changed, ended."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models import ClosedDay, Order, StandingOrder
from tracershop.services.standing import repeat_activity

from portal.records.services import soft_delete
from tests.support.accounts import sign_in
from tests.tracershop.factories import MONDAY, NOW, local, make_order, shop_world, stop_clock

pytestmark = pytest.mark.django_db

WEEK = timedelta(weeks=1)
PAGE, ADD = "/tracershop/standing/", "/tracershop/standing/add/"
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


def shown(response):
    return response.content.decode()


def of_slot(slot, day=MONDAY):
    return f"{ADD}?slot={slot.pk}&day={day:%Y-%m-%d}"


def sent(**values):
    fields = {
        "activity_mbq": "1,5",
        "starts_on": f"{MONDAY:%Y-%m-%d}",
        "ends_on": "",
        "intended_use": "human",
        "comment": "",
    }
    return fields | values


def repeat(world, **values):
    fields = {
        "actor": world.secretary,
        "slot_id": world.slot_a.pk,
        "activity_mbq": 800.0,
        "starts_on": MONDAY,
        "now": NOW,
    }
    return repeat_activity(**(fields | values)).standing


@pytest.mark.requirement("TS-008")
def test_it_is_set_up_from_a_slot_and_says_what_it_placed_and_what_not(secretary, world):
    ClosedDay.objects.create(day=MONDAY + WEEK, name="Maintenance")
    day = shown(secretary.get("/tracershop/shop/", {"day": f"{MONDAY:%Y-%m-%d}"}))
    assert of_slot(world.slot_a).replace("&", "&amp;") in day

    page = shown(secretary.post(of_slot(world.slot_a), sent(), follow=True))

    order = Order.objects.get()
    assert (order.activity_mbq, order.deliver_on) == (1.5, MONDAY)
    assert f"Placed: {order.pk} (23 Nov 2026)." in page
    assert "Not ordered for 30 Nov 2026: 30 Nov 2026 is a closed day." in page
    assert "Monday <strong>08:15</strong>" in page
    assert f"/tracershop/orders/{order.pk}/" in page
    for url in (f"/tracershop/orders/{order.pk}/", "/tracershop/shop/?day=2026-11-23"):
        assert "From standing order" in shown(secretary.get(url))


@pytest.mark.requirement("TS-008")
def test_an_order_is_repeated_from_the_week_after_it_with_what_it_was(secretary, world):
    order = make_order(world, comment="mice", intended_use="animal", activity_mbq=750.0)
    url = f"{ADD}?order={order.pk}"

    form = secretary.get(url).context["form"]
    assert form.initial["starts_on"] == MONDAY + WEEK
    assert (form.initial["activity_mbq"], form.initial["comment"]) == (750.0, "mice")
    secretary.post(url, sent(starts_on="2026-11-30", intended_use="animal", comment="mice"))

    standing = StandingOrder.objects.get()
    assert (standing.slot, standing.starts_on) == (world.slot_a, MONDAY + WEEK)
    assert Order.objects.filter(standing_order=standing).count() == 1


@pytest.mark.requirement("TS-008")
def test_an_old_order_is_repeated_from_its_next_weekday_on(secretary, world):
    order = make_order(world, day=MONDAY - 5 * WEEK)

    form = secretary.get(f"{ADD}?order={order.pk}").context["form"]

    assert form.initial["starts_on"] == MONDAY


@pytest.mark.requirement("TS-008")
def test_injections_are_repeated_at_a_time_of_the_weekday(secretary, world):
    tracer = f"endpoint={world.endpoint_a.pk}&tracer={world.water.pk}"
    url = f"{ADD}?{tracer}&day={MONDAY + timedelta(days=2):%Y-%m-%d}"

    secretary.post(url, sent(clock="9:30", injections="2"))

    standing = StandingOrder.objects.get()
    assert (standing.weekday, standing.inject_at, standing.injections) == (2, time(9, 30), 2)
    assert Order.objects.first().deliver_at == local(MONDAY + timedelta(days=2), 9, 30)


@pytest.mark.requirement("TS-008")
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"activity_mbq": ""}, "This field is required."),
        ({"activity_mbq": "0"}, "The activity must be above 0 MBq."),
        ({"activity_mbq": "1.200"}, "can be read in two ways"),
        ({"ends_on": "2026-11-22"}, "The last day is before the first one."),
        ({"starts_on": "2026-11-01"}, "The first day has passed."),
        ({"starts_on": "yesterday"}, "Enter a valid date."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_set_up(secretary, world, values, told):
    answer = secretary.post(of_slot(world.slot_a), sent(**values))

    assert answer.status_code == 422
    assert told in shown(answer)
    assert not StandingOrder.objects.exists()


@pytest.mark.requirement("TS-008")
def test_a_changed_amount_holds_from_the_next_order_on(secretary, world):
    standing = repeat(world)
    url = reverse("tracershop:standing_edit", args=[standing.pk])
    page = secretary.get(url)
    assert "in your name" in shown(page)
    version = page.context["form"].initial["version"]

    secretary.post(url, sent(activity_mbq="900", version=str(version)))

    standing.refresh_from_db()
    assert standing.activity_mbq == 900
    assert set(Order.objects.values_list("activity_mbq", flat=True)) == {800.0}


@pytest.mark.requirement("TS-008", "PT-022")
def test_two_who_change_it_see_what_differs(secretary, world):
    standing = repeat(world)
    url = reverse("tracershop:standing_edit", args=[standing.pk])
    version = secretary.get(url).context["form"].initial["version"]
    secretary.post(url, sent(activity_mbq="900", version=str(version)))

    answer = secretary.post(url, sent(activity_mbq="700", version=str(version)))

    assert answer.status_code == 409
    standing.refresh_from_db()
    assert standing.activity_mbq == 900


@pytest.mark.requirement("TS-008")
def test_ending_says_what_is_placed_already_and_can_take_it_back(secretary, world):
    standing = repeat(world)
    url = reverse("tracershop:standing_end", args=[standing.pk])
    page = secretary.get(url, headers=HTMX)
    assert "Placed already" in shown(page)
    version = page.context["form"].initial["version"]
    fields = {"last_day": f"{MONDAY:%Y-%m-%d}", "version": version}

    page = shown(secretary.post(url, fields | {"delete_placed": "on"}, follow=True))

    assert [order.deliver_on for order in Order.objects.all()] == [MONDAY]
    assert f'id="standing-{standing.pk}"' in page  # until its last day
    standing.refresh_from_db()
    assert standing.ends_on == MONDAY


@pytest.mark.requirement("TS-008")
def test_the_list_says_when_the_owner_may_not_order_any_more(client, world):
    standing = repeat(world)
    soft_delete(world.secretary.represents.get())
    sign_in(client, world.superuser)

    page = shown(client.get(PAGE))

    assert f'id="standing-{standing.pk}"' in page
    assert "Not placed: its owner may not order any more" in page


@pytest.mark.requirement("TS-008")
def test_without_any_the_list_says_what_to_do(secretary, world):
    assert "There is no standing order" in shown(secretary.get(PAGE))


@pytest.mark.requirement("TS-008")
def test_the_list_takes_as_many_queries_for_many_as_for_one(secretary, world):
    counts = []
    for slots in (world.slots_a[:1], world.slots_a[1:]):
        for slot in slots:
            repeat(
                world,
                slot_id=slot.pk,
                actor=world.superuser if slot.weekday % 2 else world.secretary,
            )
        secretary.get(PAGE)
        with CaptureQueriesContext(connection) as queries:
            secretary.get(PAGE)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.requirement("TS-006", "TS-008")
def test_another_customers_standing_orders_and_their_addresses_do_not_exist(secretary, world):
    theirs = repeat(world, actor=world.other_secretary, slot_id=world.slot_b.pk)
    order = Order.objects.first()

    assert "Søndersø" not in shown(secretary.get(PAGE))
    for url in (
        f"{PAGE}?customer={world.customer_b.pk}",
        reverse("tracershop:standing_edit", args=[theirs.pk]),
        reverse("tracershop:standing_end", args=[theirs.pk]),
        of_slot(world.slot_b),
        f"{ADD}?order={order.pk}",
        f"{ADD}?endpoint={world.endpoint_b.pk}&tracer={world.water.pk}",
        f"{ADD}?slot=x",
        f"{ADD}",
        f"{ADD}?endpoint={world.endpoint_a.pk}&tracer={world.fdg.pk}",
    ):
        assert secretary.get(url).status_code == 404, url
        assert secretary.post(url, sent()).status_code in (404, 405), url


@pytest.mark.requirement("TS-008", "TS-004")
def test_production_sees_and_ends_but_sets_up_none(client, world):
    standing = repeat(world)
    sign_in(client, world.producer)

    page = shown(client.get(PAGE, {"customer": world.customer_a.pk}))
    assert "End…" in page
    assert "Change…" not in page
    assert client.get(of_slot(world.slot_a)).status_code == 403
    assert client.get(reverse("tracershop:standing_edit", args=[standing.pk])).status_code == 403
    end = reverse("tracershop:standing_end", args=[standing.pk])
    version = client.get(end).context["form"].initial["version"]
    client.post(end, {"last_day": "2026-11-23", "version": version})
    standing.refresh_from_db()
    assert standing.ends_on == MONDAY
