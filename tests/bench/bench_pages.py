"""Day board and order list at 20 and 2,000 orders: queries, and time against a bare Wagtail page.

All in one process, through every middleware, in turns. The bare page is the home page of a person
without any role: the frame of every page, and no module's content.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tracershop.models import Order, Vial
from wagtail.models import Site

from portal.accounts.models import User
from tests.bench.measures import Measure
from tests.support.factories import make_user
from tests.tracershop.factories import MONDAY, World, local, shop_world

FEW, MANY = 20, 2_000
ROUNDS = 15


def run() -> dict[str, Any]:
    """Queries and medians in milliseconds of both pages at both sizes."""
    world = shop_world()
    bare = "/"
    if Site.objects.filter(is_default_site=True).first() is None:
        raise AssertionError("there is no Wagtail site to serve the bare page")
    pages = {
        "day board": (world.producer, f"/tracershop/board/?day={MONDAY:%Y-%m-%d}"),
        "order list, production": (world.producer, "/tracershop/orders/"),
        "order list, shop": (world.secretary, "/tracershop/orders/"),
        "bare": (make_user("Nobody"), bare),
    }
    queries: dict[tuple[str, int], int] = {}
    times: dict[tuple[str, int], float] = {}
    for size in (FEW, MANY):
        _fill(world, size)
        clients = {name: _client(user) for name, (user, _url) in pages.items()}
        urls = {name: url for name, (_user, url) in pages.items()}
        for name, client in clients.items():
            queries[name, size] = _queries(client, urls[name])
        for name, taken in _medians_ms(clients, urls).items():
            times[name, size] = taken
    return {
        "measures": [m for name in pages if name != "bare" for m in _rows(name, queries, times)]
    }


def _rows(
    name: str, queries: dict[tuple[str, int], int], times: dict[tuple[str, int], float]
) -> list[Measure]:
    rows = [
        Measure(
            name=f"{name}: queries more at {MANY:,} orders than at {FEW}",
            number=queries[name, MANY] - queries[name, FEW],
            unit="queries",
            target="= 0",
            compared_with=f"{queries[name, FEW]} queries; bare page {queries['bare', FEW]}",
        )
    ]
    for size in (FEW, MANY):
        bare_ms = times["bare", size]
        rows.append(
            Measure(
                name=f"{name} at {size:,} orders",
                number=times[name, size],
                unit="ms",
                compared_with=f"bare Wagtail page: {bare_ms:.1f} ms, so"
                f" {times[name, size] / bare_ms:.1f} times",
            )
        )
    return rows


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="portal.accounts.backends.RegionalIdBackend")
    return client


def _get(client: Client, url: str) -> None:
    response = client.get(url)
    if response.status_code != 200:
        raise AssertionError(f"{url} answered {response.status_code}")


def _queries(client: Client, url: str) -> int:
    _get(client, url)  # content types and templates in memory
    with CaptureQueriesContext(connection) as captured:
        _get(client, url)
    return len(captured)


def _medians_ms(clients: dict[str, Client], urls: dict[str, str]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in clients}
    for number in range(ROUNDS):
        for name in list(clients)[:: 1 if number % 2 else -1]:
            began_at = time.perf_counter()
            _get(clients[name], urls[name])
            times[name].append((time.perf_counter() - began_at) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def _fill(world: World, size: int) -> None:
    """Bring the day to so many orders, of every status, every fifth with two vials."""
    have = Order.objects.count()
    statuses = Order.Status.values
    slots = (world.slot_a, world.slot_a_late, world.slot_b)
    orders = Order.all_objects.bulk_create(
        Order(
            kind=Order.Kind.ACTIVITY,
            customer=slots[n % 3].endpoint.customer,
            endpoint=slots[n % 3].endpoint,
            tracer=world.fdg,
            slot=slots[n % 3],
            deliver_on=MONDAY,
            deliver_at=local(
                MONDAY, slots[n % 3].deliver_time.hour, slots[n % 3].deliver_time.minute
            ),
            activity_mbq=1000 + n,
            overhead_factor=1.25,
            status=statuses[n % 4],
            ordered_by=world.secretary,
        )
        for n in range(have, size)
    )
    Vial.all_objects.bulk_create(
        Vial(
            lot="FDG-261123-1",
            tracer=world.fdg,
            customer=order.customer,
            filled_at=local(MONDAY, 6, 45),
            activity_mbq=1000 + order.pk + part / 10,
            volume_ml=3,
            position=str(part),
            order=order if part else None,
        )
        for order in orders[::5]
        for part in range(3)
    )
