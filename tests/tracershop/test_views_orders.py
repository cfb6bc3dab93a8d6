"""The list of orders and its Excel file: filtered, sorted, and never another customer's."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from io import BytesIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook
from tracershop.models import Order, Release

from portal.audit.models import AccessEntry
from portal.documents.spreadsheet import workbook
from portal.records.services import create_many
from tests.support.accounts import sign_in
from tests.tracershop.factories import MONDAY, NOW, local, make_order, shop_world, stop_clock

pytestmark = pytest.mark.django_db

LIST = "/tracershop/orders/"
EXCEL = "/tracershop/orders/excel/"


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


def listed(response):
    """Numbers of the orders on the page, as they stand there."""
    return [int(number) for number in re.findall(r'<tr id="order-(\d+)"', shown(response))]


def sheet(response):
    """The rows of the Excel file, the head first."""
    book = load_workbook(BytesIO(response.content))
    return [list(row) for row in book.active.iter_rows(values_only=True)]


@pytest.mark.requirement("TS-006")
def test_a_shop_user_lists_the_orders_of_their_customers_only(client, world):
    own = make_order(world)
    other = make_order(world, slot=world.slot_b)

    sign_in(client, world.secretary)
    assert listed(client.get(LIST)) == [own.pk]
    assert "Søndersø" not in shown(client.get(LIST))
    sign_in(client, world.producer)
    assert set(listed(client.get(LIST))) == {own.pk, other.pk}


def test_the_list_is_filtered_by_days_customer_tracer_and_status(client, world):
    sign_in(client, world.producer)
    monday = make_order(world)
    tuesday = make_order(
        world, day=MONDAY + timedelta(days=1), slot=world.slots_a[1], status="accepted"
    )
    water = make_order(world, injections=2)
    other = make_order(world, slot=world.slot_b)

    def only(**query):
        return set(listed(client.get(LIST, query)))

    assert only() == {monday.pk, tuesday.pk, water.pk, other.pk}
    assert only(first=MONDAY + timedelta(days=1)) == {tuesday.pk}
    assert only(last=MONDAY) == {monday.pk, water.pk, other.pk}
    assert only(customer=world.customer_b.pk) == {other.pk}
    assert only(tracer=world.water.pk) == {water.pk}
    assert only(status="accepted") == {tuesday.pk}
    assert only(status="accepted", tracer=world.water.pk) == set()


@pytest.mark.requirement("TS-006")
def test_filtering_by_another_customer_tells_nothing(secretary, world):
    own = make_order(world)
    make_order(world, slot=world.slot_b)

    answer = secretary.get(LIST, {"customer": world.customer_b.pk})

    assert listed(answer) == [own.pk]
    assert "Part of the filter was left out" in shown(answer)
    assert "Søndersø" not in shown(answer)


def test_without_a_filter_the_last_month_and_all_that_comes_are_listed(secretary, world):
    old = make_order(world, day=MONDAY - timedelta(weeks=8))
    recent = make_order(world, day=MONDAY - timedelta(weeks=2))
    coming = make_order(world, day=MONDAY + timedelta(weeks=20))

    assert listed(secretary.get(LIST)) == [coming.pk, recent.pk]
    assert old.pk in listed(secretary.get(LIST, {"first": ""}))


@pytest.mark.parametrize(
    "sort",
    ["number", "delivery", "customer", "endpoint", "tracer", "activity", "use", "status"],
)
def test_every_head_sorts_both_ways(secretary, world, sort):
    orders = {make_order(world, activity_mbq=float(mbq)).pk for mbq in (700, 900, 800)}

    up = listed(secretary.get(LIST, {"sort": sort}))
    down = listed(secretary.get(LIST, {"sort": f"-{sort}"}))

    assert set(up) == orders
    assert down == up[::-1]


def test_sorting_by_activity_goes_by_the_number(secretary, world):
    by_mbq = {mbq: make_order(world, activity_mbq=mbq).pk for mbq in (90.0, 1000.0, 200.0)}

    page = secretary.get(LIST, {"sort": "activity"})

    assert listed(page) == [by_mbq[90.0], by_mbq[200.0], by_mbq[1000.0]]
    assert 'aria-sort="ascending"' in shown(page)


def test_a_sort_that_does_not_exist_is_the_usual_one(secretary, world):
    orders = [make_order(world).pk for _ in range(2)]

    assert listed(secretary.get(LIST, {"sort": "ordered_by__password"})) == orders[::-1]


def test_the_list_comes_in_pages_that_keep_the_filter(secretary, world):
    for _ in range(51):
        make_order(world)

    first = secretary.get(LIST, {"status": "ordered"})
    second = secretary.get(LIST, {"status": "ordered", "page": 2})

    assert len(listed(first)) == 50
    assert len(listed(second)) == 1
    assert "status=ordered&amp;page=2" in shown(first)


def test_further_columns_show_when_they_are_asked_for(secretary, world):
    make_order(world, comment="two children")

    assert "two children" not in shown(secretary.get(LIST))
    assert "two children" in shown(secretary.get(LIST, {"column": "comment"}))


def test_an_empty_list_says_what_to_do(secretary):
    assert "Widen the days, or clear the filter." in shown(secretary.get(LIST))


@pytest.mark.requirement("TS-006")
def test_the_number_of_queries_is_the_same_at_20_and_at_2000_orders(secretary, world):
    def order_many(number):
        made = create_many(
            Order,
            [
                Order(
                    kind="activity",
                    customer=world.customer_a,
                    endpoint=world.endpoint_a,
                    tracer=world.fdg,
                    slot=world.slot_a,
                    deliver_on=MONDAY,
                    deliver_at=local(MONDAY, 8, 15),
                    activity_mbq=500.0 + n,
                    ordered_by=world.secretary,
                    status="released",
                )
                for n in range(number)
            ],
        )
        create_many(
            Release,
            [Release(order=each, released_by=world.producer, lots=["FDG-1"]) for each in made],
        )

    order_many(20)
    counts = []
    for more in (0, 1980):
        order_many(more)
        for url in (LIST, EXCEL):
            secretary.get(url)
            with CaptureQueriesContext(connection) as seen:
                answer = secretary.get(url)
            counts.append((url, len(seen)))
    assert counts[:2] == counts[2:]
    assert len(sheet(answer)) == 2001


# --- Excel ---------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-006")
def test_the_excel_file_has_what_the_filter_leaves_of_ones_own(secretary, world):
    order = make_order(world, comment="two children")
    Release.objects.create(order=order, released_by=world.producer, lots=["FDG-261123-1"])
    make_order(world, status="accepted")
    make_order(world, slot=world.slot_b)

    answer = secretary.get(EXCEL, {"status": "ordered"})

    head, *rows = sheet(answer)
    assert head[:3] == ["Number", "Delivery", "Customer"]
    assert "Activity (MBq)" in head
    (row,) = (dict(zip(head, row, strict=True)) for row in rows)
    assert row["Number"] == order.pk
    assert row["Delivery"] == datetime(2026, 11, 23, 8, 15)
    assert row["Activity (MBq)"] == 1000
    assert row["Batch"] == "FDG-261123-1"
    assert row["Comment"] == "two children"
    assert "attachment" in answer["Content-Disposition"]
    assert "orders-2026-11-20.xlsx" in answer["Content-Disposition"]


@pytest.mark.requirement("PT-023", "PT-024")
def test_an_export_stands_in_the_access_log(secretary, world):
    make_order(world)

    secretary.get(EXCEL, {"status": "ordered"})

    entry = AccessEntry.objects.get(action="export")
    assert entry.actor_id == world.secretary.pk
    assert entry.data["orders"] == 1
    assert entry.data["filter"]["status"] == "ordered"


@pytest.mark.requirement("PT-024")
@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("x")', "\t=1"])
def test_what_somebody_typed_is_never_a_formula(secretary, world, text):
    make_order(world, comment=text)

    book = load_workbook(BytesIO(secretary.get(EXCEL).content))

    cells = [cell for row in book.active.iter_rows() for cell in row]
    assert [cell for cell in cells if cell.data_type == "f"] == []
    assert text in [cell.value for cell in cells]


def test_a_workbook_takes_numbers_days_moments_and_unprintable_text():
    made = workbook(
        ["What", "Value"],
        [["none", None], ["number", 1.5], ["day", MONDAY], ["moment", NOW], ["text", "a\x00b"]],
    )

    rows = list(load_workbook(BytesIO(made)).active.iter_rows(values_only=True))

    assert rows == [
        ("What", "Value"),
        ("none", None),
        ("number", 1.5),
        ("day", datetime(2026, 11, 23)),
        ("moment", datetime(2026, 11, 20, 8, 0)),
        ("text", "a b"),
    ]


def test_the_addresses_are_those_that_the_pages_link_to():
    assert (reverse("tracershop:orders"), reverse("tracershop:orders_excel")) == (LIST, EXCEL)
