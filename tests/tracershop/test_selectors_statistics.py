"""Delivered activity and injections per customer, tracer and month (TS-123)."""

from __future__ import annotations

from datetime import date, timedelta
from io import BytesIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook
from tracershop.models import Order, Release
from tracershop.selectors.statistics import charts, delivered, totals

from portal.audit.models import AccessEntry
from portal.records.services import soft_delete
from tests.support.accounts import sign_in
from tests.tracershop.factories import MONDAY, NOW, local, make_order, shop_world, stop_clock

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("TS-123")]
URL = "/tracershop/statistics/"
GROUP = "\u202f"
"""What parts the thousands."""
OCTOBER = date(2026, 10, 26)


@pytest.fixture
def world():
    return shop_world()


def release(world, *, mbq=1000.0, corrected=False, **values):
    order = make_order(world, **({"status": Order.Status.RELEASED} | values))
    return Release.objects.create(
        order=order,
        released_by=world.producer,
        lots=["FDG-261123-1"],
        delivered_mbq=mbq,
        corrected_at=NOW if corrected else None,
    )


def figures(rows):
    return [
        (row.month, row.customer, row.tracer, row.orders, row.delivered_mbq, row.injections)
        for row in rows
    ]


def test_released_orders_are_summed_per_month_customer_and_tracer(world):
    release(world, mbq=1000.5)
    release(world, mbq=500.0)
    release(world, mbq=300.0, slot=world.slot_b)
    release(world, mbq=200.0, day=OCTOBER)
    release(world, mbq=None, injections=3)

    rows = delivered(world.producer)

    november, october = date(2026, 11, 1), date(2026, 10, 1)
    assert figures(rows) == [
        (october, "Nordby Hospital", "FDG", 1, 200.0, 0),
        (november, "Nordby Hospital", "FDG", 2, 1500.5, 0),
        (november, "Nordby Hospital", "Water", 1, 0.0, 3),
        (november, "Søndersø Sygehus", "FDG", 1, 300.0, 0),
    ]
    total = totals(rows)
    assert (total.orders, total.delivered_mbq, total.injections) == (5, 2000.5, 3)


def test_what_is_not_released_and_what_was_corrected_does_not_count(world):
    release(world, corrected=True, status=Order.Status.ACCEPTED)
    make_order(world, status=Order.Status.ACCEPTED)
    soft_delete(release(world).order)
    again = make_order(world, status=Order.Status.RELEASED)
    for corrected_at, mbq in ((NOW, 10.0), (None, 20.0)):  # corrected, and released anew
        Release.objects.create(
            order=again,
            released_by=world.producer,
            lots=[],
            delivered_mbq=mbq,
            corrected_at=corrected_at,
        )

    assert [row.delivered_mbq for row in delivered(world.producer)] == [20.0]


def test_where_no_vial_was_named_it_is_what_was_ordered(world):
    release(world, mbq=None, activity_mbq=750.0)

    assert [row.delivered_mbq for row in delivered(world.producer)] == [750.0]


def test_a_delivery_just_after_midnight_is_of_the_month_on_the_sites_calendar(world):
    """00:30 on 1 November in Copenhagen is still October in UTC."""
    day = date(2026, 11, 1)
    release(world, injections=1, mbq=None, day=day, deliver_at=local(day, 0, 30))

    assert [row.month for row in delivered(world.producer)] == [day]


def test_the_filters_narrow(world):
    release(world)
    release(world, slot=world.slot_b)
    release(world, day=OCTOBER)
    release(world, injections=2, mbq=None)

    def count(**filters):
        return sum(row.orders for row in delivered(world.producer, **filters))

    assert count(first=MONDAY) == 3
    assert count(last=MONDAY - timedelta(days=1)) == 1
    assert count(customer=world.customer_b) == 1
    assert count(tracer=world.water) == 1


@pytest.mark.requirement("TS-006")
def test_shop_users_see_the_customers_that_they_represent_and_production_all(world):
    release(world)
    release(world, slot=world.slot_b)

    for person in (world.secretary, world.superuser):
        assert {row.customer for row in delivered(person)} == {"Nordby Hospital"}
    for person in (world.other_secretary, world.external):
        assert {row.customer for row in delivered(person)} == {"Søndersø Sygehus"}
    assert len(delivered(world.producer)) == 2
    assert delivered(world.secretary, customer=world.customer_b) == []


def test_charts_have_a_column_for_each_month_also_an_empty_one(world):
    release(world, day=MONDAY - timedelta(days=70))
    release(world)
    release(world, injections=2, mbq=None)

    activity, injections = charts(delivered(world.producer), by_customer=False)

    assert [label.text for label in activity.labels] == ["Sep 26", "Oct 26", "Nov 26"]
    assert [bar.words for bar in activity.bars] == [
        f"Sep 26, FDG: 1{GROUP}000 MBq",
        f"Nov 26, FDG: 1{GROUP}000 MBq",
    ]
    assert [bar.words for bar in injections.bars] == ["Nov 26, Water: 2 injections"]
    (by_customer, _more) = charts(delivered(world.producer), by_customer=True)
    assert by_customer.legend == [(1, "Nordby Hospital")]
    assert charts([], by_customer=True) == []


# --- the page ------------------------------------------------------------------------------------


@pytest.fixture
def page_world(world, monkeypatch):
    stop_clock(monkeypatch)
    return world


def shown(response):
    return response.content.decode()


def test_the_page_shows_chart_table_and_total_of_the_last_twelve_months(client, page_world):
    release(page_world, mbq=12345.0)
    release(page_world, day=date(2025, 11, 24))
    release(page_world, mbq=5.0, day=date(2025, 12, 1))
    sign_in(client, page_world.producer)

    page = shown(client.get(URL))

    assert '<svg class="chart__drawing" role="img"' in page
    assert f"12{GROUP}345" in page
    assert f"12{GROUP}350" in page  # with December's five
    assert "November 2025" not in page
    assert "November 2025" in shown(client.get(URL, {"first": "2025-11-01"}))
    assert 'value="2025-12-01"' in page


@pytest.mark.requirement("TS-006")
def test_a_customer_of_others_in_the_address_is_left_out(client, page_world):
    release(page_world, slot=page_world.slot_b)
    sign_in(client, page_world.secretary)

    page = shown(client.get(URL, {"customer": page_world.customer_b.pk}))

    assert "Søndersø" not in page
    assert "Nothing was delivered in this period" in page


@pytest.mark.parametrize(
    "query", [{"first": "soon"}, {"first": "2026-02-01", "last": "2026-01-01"}]
)
def test_a_period_that_cannot_be_is_left_out_and_said(client, page_world, query):
    release(page_world)
    sign_in(client, page_world.producer)

    page = shown(client.get(URL, query))

    assert "Part of the filter was left out" in page
    assert "Nordby Hospital" in page


def test_the_excel_file_has_the_table_and_is_logged_as_an_export(client, page_world):
    release(page_world, mbq=1000.5)
    release(page_world, injections=3, mbq=None)
    sign_in(client, page_world.secretary)

    answer = client.get(reverse("tracershop:statistics_excel"))

    rows = list(load_workbook(BytesIO(answer.content)).active.values)
    assert rows[1:] == [
        ("2026-11", "Nordby Hospital", "FDG", 1, 1000.5, 0),
        ("2026-11", "Nordby Hospital", "Water", 1, 0, 3),
    ]
    assert rows[0][4] == "Delivered (MBq)"
    assert AccessEntry.objects.filter(action="export").count() == 1


def test_the_number_of_queries_does_not_grow_with_the_orders(client, page_world):
    sign_in(client, page_world.producer)
    release(page_world)
    client.get(URL)
    with CaptureQueriesContext(connection) as few:
        client.get(URL)
    for number in range(8):
        release(page_world, slot=page_world.slot_b, day=MONDAY - timedelta(days=30 * number))

    with CaptureQueriesContext(connection) as many:
        client.get(URL)

    assert len(many) == len(few)
