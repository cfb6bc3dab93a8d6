"""A busy day of production: 500 orders, 300 vials, 50 customers (TS-040, TS-045).

The plan of its vials by the rule alone, as the planner's page, and applied; the day board at that
size against an empty day and a bare Wagtail page. All in one process, through every middleware; the
pages in turns. One tracer, so that only customers take the day apart.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tracershop.models import (
    CatalogueEntry,
    Customer,
    DeliverySlot,
    Endpoint,
    Order,
    ProductionRun,
    Vial,
)
from tracershop.selectors.planner import planner_for
from tracershop.services.planning import VialChoice, apply_plan

from portal.accounts.models import User
from tests.bench.measures import Measure
from tests.support.factories import make_user
from tests.tracershop.factories import MONDAY, World, local, shop_world

ORDERS, VIALS, CUSTOMERS = 500, 300, 50
FEW = 50
"""Orders of the smaller day; every kind of row is on it too."""
ROUNDS = 9
TARGET_S = 2
NOW = local(MONDAY, 7)


def run() -> dict[str, Any]:
    """Seconds of the plan, milliseconds and queries of the board."""
    world = shop_world()
    slots = _customers(world)
    empty = MONDAY + timedelta(days=7)
    _fill(world, slots, 0, FEW)
    few = _queries(world.producer, _board(MONDAY))
    _fill(world, slots, FEW, ORDERS)
    many = _queries(world.producer, _board(MONDAY))
    return {"measures": [*_plans(world), *_boards(world, empty, few, many)]}


# --- the plan ------------------------------------------------------------------------------------


def _plans(world: World) -> list[Measure]:
    size = f"{ORDERS} orders, {VIALS} vials, {CUSTOMERS} customers"
    plan_s, planner = _median_s(lambda: planner_for(world.producer, MONDAY, NOW), ROUNDS)
    page_s, _ = _median_s(lambda: _get(_client(world.producer), _planner()), 3)
    rows = [row for section in planner.tracers for row in section.vials]
    choices = [VialChoice(row.vial.pk, row.vial.version, row.chosen) for row in rows]

    def apply() -> None:
        with transaction.atomic():
            apply_plan(actor=world.producer, choices=choices, now=NOW)
            transaction.set_rollback(True)

    apply_s, _ = _median_s(apply, 3)
    covered = planner.order_count - planner.uncovered
    return [
        Measure(
            name=f"plan of {size}",
            number=plan_s,
            unit="s",
            target=f"≤ {TARGET_S}",
            compared_with=f"{covered} orders covered; read and planned, median of {ROUNDS}",
        ),
        Measure(name="planner's page of that day", number=page_s, unit="s"),
        Measure(
            name="that plan applied",
            number=apply_s,
            unit="s",
            compared_with=f"{sum(c.order_id is not None for c in choices)} vials allocated",
        ),
    ]


# --- the board -----------------------------------------------------------------------------------


def _boards(world: World, empty: Any, few: int, many: int) -> list[Measure]:
    pages = {
        "full": (_client(world.producer), _board(MONDAY)),
        "empty": (_client(world.producer), _board(empty)),
        "bare": (_client(make_user("Nobody")), "/"),
    }
    times: dict[str, list[float]] = {name: [] for name in pages}
    for number in range(ROUNDS + 2):
        for name in list(pages)[:: 1 if number % 2 else -1]:
            took_s, _ = _timed(lambda name=name: _get(*pages[name]))
            if number >= 2:  # templates and content types in memory
                times[name].append(took_s * 1000)
    full, nothing, bare = (statistics.median(times[name]) for name in pages)
    return [
        Measure(
            name=f"day board: queries more at {ORDERS} orders than at {FEW}",
            number=many - few,
            unit="queries",
            target="= 0",
            compared_with=f"{few} queries",
        ),
        Measure(
            name=f"day board at {ORDERS} orders, {VIALS} vials",
            number=full,
            unit="ms",
            compared_with=f"empty day: {nothing:.0f} ms, so {full / nothing:.1f} times;"
            f" bare page: {bare:.0f} ms, so {full / bare:.1f} times",
        ),
    ]


def _board(day: Any) -> str:
    return f"/tracershop/board/?day={day:%Y-%m-%d}"


def _planner() -> str:
    return f"/tracershop/planner/?day={MONDAY:%Y-%m-%d}"


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="portal.accounts.backends.RegionalIdBackend")
    return client


def _get(client: Client, url: str) -> None:
    response = client.get(url)
    if response.status_code != 200:
        raise AssertionError(f"{url} answered {response.status_code}")


def _queries(user: User, url: str) -> int:
    client = _client(user)
    _get(client, url)
    with CaptureQueriesContext(connection) as captured:
        _get(client, url)
    return len(captured)


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    began_at = time.perf_counter()
    result = act()
    return time.perf_counter() - began_at, result


def _median_s(act: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    results = [_timed(act) for _ in range(rounds)]
    return statistics.median(took for took, _ in results), results[-1][1]


# --- the day -------------------------------------------------------------------------------------


def _customers(world: World) -> list[DeliverySlot]:
    """Fifty customers with a delivery of FDG at each half hour from 08:00 to 12:30."""
    run = ProductionRun.objects.get(tracer=world.fdg, weekday=0)
    slots = []
    for number in range(CUSTOMERS):
        customer = Customer.objects.create(
            name=f"Customer {number}", unit=world.region, dispenser_id=1000 + number
        )
        endpoint = Endpoint.objects.create(customer=customer, name=f"PET {number}")
        CatalogueEntry.objects.create(endpoint=endpoint, tracer=world.fdg, overhead_factor=1.25)
        slots += [
            DeliverySlot.objects.create(
                endpoint=endpoint,
                run=run,
                weekday=0,
                deliver_time=local(MONDAY, 8 + part // 2, 30 * (part % 2)).time(),
            )
            for part in range(10)
        ]
    # the first fifty are one delivery of each customer
    return sorted(slots, key=lambda slot: (slot.deliver_time, slot.endpoint_id))


def _fill(world: World, slots: list[DeliverySlot], first: int, last: int) -> None:
    """Orders and vials of amounts that no two share; three vials for five orders."""
    Order.all_objects.bulk_create(
        Order(
            kind=Order.Kind.ACTIVITY,
            customer=slot.endpoint.customer,
            endpoint=slot.endpoint,
            tracer=world.fdg,
            slot=slot,
            deliver_on=MONDAY,
            deliver_at=local(MONDAY, slot.deliver_time.hour, slot.deliver_time.minute),
            activity_mbq=300.0 + (number * 37) % 900,
            overhead_factor=1.25,
            status=(Order.Status.ORDERED, Order.Status.ACCEPTED)[number % 2],
            ordered_by=world.secretary,
            ghost=number % 50 == 0,
        )
        for number, slot in enumerate(slots[first:last], start=first)
    )
    customers = list(Customer.objects.filter(dispenser_id__gte=1000).order_by("pk"))
    Vial.all_objects.bulk_create(
        Vial(
            lot="FDG-261123-1",
            tracer=world.fdg,
            customer=customers[number % CUSTOMERS],
            customer_label=f"{number}",
            filled_at=local(MONDAY, 6, 45),
            activity_mbq=1500.0 + (number * 97) % 3000,
            volume_ml=3,
            expires_at=local(MONDAY, 16, 45),
            position=str(number),
        )
        for number in range(first * VIALS // ORDERS, last * VIALS // ORDERS)
    )
