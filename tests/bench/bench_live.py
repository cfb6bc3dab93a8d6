"""A change on the day board → the last of 100 people who have it open is told (TS-120).

Real web process, real websockets, one person each. Beside it, in turns, a bare Redis publish to as
many websockets of a bare application in the same kind of server.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from django.db import connection
from django.test import Client
from redis import Redis
from tracershop.selectors.topics import day_topic
from tracershop.services.production import accept_orders
from websockets.asyncio.client import ClientConnection, connect

from portal.records.context import ServiceActor
from tests.bench.bare_push_server import CHANNEL
from tests.bench.measures import Measure
from tests.support import processes
from tests.support.factories import give, make_user
from tests.support.services import RUN_FOLDER
from tests.tracershop.factories import MONDAY, World, make_order, shop_world

PEOPLE = 100
CHANGES = 40
LONGEST_S = 30.0


def run() -> dict[str, Any]:
    """Median and 95th percentile in milliseconds, ours and bare."""
    world = shop_world()
    cookies = [_session(world, number) for number in range(PEOPLE)]
    orders = [make_order(world).pk for _number in range(CHANGES)]
    connection.close()
    with tempfile.TemporaryDirectory() as logs:
        os.environ[RUN_FOLDER] = logs
        with (
            processes.site_process() as site,
            processes.asgi_process("tests.bench.bare_push_server:application") as bare,
        ):
            ours_ms, bare_ms = asyncio.run(_measure(site.url, bare.url, cookies, orders))
    return {"measures": [*_rows(ours_ms, bare_ms)]}


def _rows(ours_ms: list[float], bare_ms: list[float]) -> list[Measure]:
    what = f"an order is accepted → the last of {PEOPLE} people at the day board is told"
    return [
        Measure(
            name=f"{what}, {name}",
            number=figure(ours_ms),
            unit="ms",
            target="≤ 1000",
            compared_with=f"a bare Redis publish to {PEOPLE} websockets: {figure(bare_ms):.1f} ms,"
            f" so {figure(ours_ms) / figure(bare_ms):.1f} times",
        )
        for name, figure in (("median", statistics.median), ("95th percentile", _p95))
    ]


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _session(world: World, number: int) -> str:
    person = make_user(f"Watcher {number}")
    give(person, "tracershop.production_user", world.region)
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client.cookies["sessionid"].value


async def _measure(
    site: str, bare: str, cookies: list[str], orders: list[int]
) -> tuple[list[float], list[float]]:
    redis = Redis.from_url(os.environ["REDIS_URL"])
    ours_ms, bare_ms = [], []
    async with _people_at(site, cookies) as people, _sockets_at(bare) as sockets:
        for number, order in enumerate(orders):
            ours = await _until_the_last(people, lambda order=order: _accept(order))
            plain = await _until_the_last(sockets, lambda: redis.publish(CHANNEL, "changed"))
            if number >= 2:  # everything has been imported and connected
                ours_ms.append(ours)
                bare_ms.append(plain)
    return ours_ms, bare_ms


def _accept(order: int) -> None:
    accept_orders(actor=ServiceActor("benchmark"), order_ids=[order])


async def _until_the_last(sockets: list[ClientConnection], change: Callable[[], Any]) -> float:
    """Milliseconds from the beginning of the change until every socket has heard of it."""
    began_at = time.perf_counter()
    heard = [asyncio.create_task(_heard(socket)) for socket in sockets]
    await asyncio.to_thread(change)
    await asyncio.wait_for(asyncio.gather(*heard), LONGEST_S)
    return (time.perf_counter() - began_at) * 1000


async def _heard(socket: ClientConnection) -> None:
    while True:
        text = await socket.recv()
        if text == "changed" or '"change"' in str(text):
            return


@asynccontextmanager
async def _people_at(url: str, cookies: list[str]) -> AsyncGenerator[list[ClientConnection]]:
    """Everybody has the board's topic open."""
    topic = day_topic(MONDAY)

    async def subscribe(socket: ClientConnection) -> None:
        await socket.send(json.dumps({"type": "subscribe", "topics": [topic]}))
        while json.loads(await socket.recv())["type"] != "subscribed":
            pass

    async with _open(
        f"{url.replace('http', 'ws')}/ws/live/",
        [{"Cookie": f"sessionid={cookie}"} for cookie in cookies],
        url,
        subscribe,
    ) as sockets:
        yield sockets


@asynccontextmanager
async def _sockets_at(url: str) -> AsyncGenerator[list[ClientConnection]]:
    async def ready(socket: ClientConnection) -> None:
        await socket.recv()

    headers: list[dict[str, str]] = [{} for _number in range(PEOPLE)]
    async with _open(url.replace("http", "ws"), headers, url, ready) as sockets:
        yield sockets


@asynccontextmanager
async def _open(
    address: str,
    headers: list[dict[str, str]],
    origin: str,
    begin: Callable[[ClientConnection], Awaitable[None]],
) -> AsyncGenerator[list[ClientConnection]]:
    async with AsyncExitStack() as stack:
        sockets = []
        for each in headers:
            socket = await stack.enter_async_context(
                connect(address, additional_headers=each, origin=origin, proxy=None)  # type: ignore[arg-type]
            )
            await begin(socket)
            sockets.append(socket)
        yield sockets
