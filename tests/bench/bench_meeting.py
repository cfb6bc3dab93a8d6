"""The secretary of a meeting types → the last of 20 people in its room has the text (DR-150).

Real web process, real websockets, one person each, who fetches the fragment over HTTP as the page
does when told that something changed; the page's own waiting (at most 250 ms for the keystrokes,
250 ms for several changes at once) is left out. Beside it what one fetch takes by itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import httpx
from digital_review.models import AgendaItem
from digital_review.selectors.meeting_topics import minutes_topic
from digital_review.services.meetings import invite
from digital_review.services.room import show_patient, start_meeting, write_minutes
from django.db import connection
from django.test import Client
from django.urls import reverse
from websockets.asyncio.client import ClientConnection, connect

from tests.bench.measures import Measure
from tests.digital_review.factories import review_world
from tests.digital_review.meetings import another, items, plan_today
from tests.support import processes
from tests.support.services import RUN_FOLDER

PEOPLE = 20
KEYSTROKES = 30
WARM_UP = 3
LONGEST_S = 60.0
SENTENCE = "Hypocellular marrow with patchy erythropoiesis, no blasts, no fibrosis; seen again. "


def run() -> dict[str, Any]:
    """Median and 95th percentile in milliseconds."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it names every request
    room = _room()
    cookies = [_session(room, number) for number in range(PEOPLE)]
    connection.close()
    with tempfile.TemporaryDirectory() as logs:
        os.environ[RUN_FOLDER] = logs
        with processes.site_process() as site:
            shared_ms, alone_ms = asyncio.run(_measure(site.url, room, cookies))
    what = f"a keystroke of the secretary → the last of {PEOPLE} in the meeting has the text"
    return {
        "measures": [
            Measure(
                name=f"{what}, {name}",
                number=figure(shared_ms),
                unit="ms",
                target="≤ 1000",
                compared_with=f"one fetch, with nobody else there: {figure(alone_ms):.1f} ms",
            )
            for name, figure in (("median", statistics.median), ("95th percentile", _p95))
        ]
    }


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _room() -> SimpleNamespace:
    world = review_world()
    meeting = plan_today(world)
    people = world.people
    start_meeting(actor=people["chairman"], meeting_id=meeting.pk)
    [item] = items(meeting)
    show_patient(actor=people["chairman"], meeting_id=meeting.pk, item_id=item.pk)
    shown = AgendaItem.objects.select_related("form").get(pk=item.pk)
    return SimpleNamespace(world=world, meeting=meeting, item=shown, secretary=people["secretary"])


def _session(room: SimpleNamespace, number: int) -> str:
    person = another(room.world, "specialist", f"Watcher {number}")
    invite(
        actor=room.world.people["manager"], meeting_id=room.meeting.pk,
        person_id=person.pk, part="specialist",
    )  # fmt: skip
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client.cookies["sessionid"].value


async def _measure(
    site: str, room: SimpleNamespace, cookies: list[str]
) -> tuple[list[float], list[float]]:
    shared_ms, alone_ms = [], []
    topic = minutes_topic(room.item.form_id)
    address = f"{site}{reverse('digital_review:room_written', args=[room.item.pk])}"
    async with AsyncExitStack() as stack:
        watchers = []
        for cookie in cookies:
            client = httpx.AsyncClient(
                cookies={"sessionid": cookie},
                headers={"HX-Request": "true"},
                timeout=LONGEST_S,
                trust_env=False,
            )
            socket = await stack.enter_async_context(
                connect(
                    f"{site.replace('http', 'ws')}/ws/live/",
                    additional_headers={"Cookie": f"sessionid={cookie}"},
                    origin=site,  # type: ignore[arg-type]
                    proxy=None,
                )
            )
            await _subscribe(socket, topic)
            watchers.append((socket, await stack.enter_async_context(client)))
        for number in range(KEYSTROKES + WARM_UP):
            text = f"{number}: {SENTENCE[: 10 + number]}"
            taken = await _until_the_last(watchers, room, address, number, text)
            if number >= WARM_UP:
                shared_ms.append(taken)
                alone_ms.append(await _alone(watchers, address))
    return shared_ms, alone_ms


async def _subscribe(socket: ClientConnection, topic: str) -> None:
    await socket.send(json.dumps({"type": "subscribe", "topics": [topic]}))
    while json.loads(await socket.recv())["type"] != "subscribed":
        pass


async def _until_the_last(
    watchers: list[Any], room: SimpleNamespace, address: str, number: int, text: str
) -> float:
    """Milliseconds from the beginning of keeping the text until everybody has it."""
    began_at = time.perf_counter()
    seeing = [
        asyncio.create_task(_sees(socket, client, address, text)) for socket, client in watchers
    ]
    await asyncio.to_thread(_type, room, number, text)
    await asyncio.wait_for(asyncio.gather(*seeing), LONGEST_S)
    return (time.perf_counter() - began_at) * 1000


def _type(room: SimpleNamespace, number: int, text: str) -> None:
    write_minutes(
        actor=room.secretary,
        item_id=room.item.pk,
        typed={"conclusion": text},
        opened_version=room.item.form.version,
        sequence=number + 1,
    )


async def _sees(
    socket: ClientConnection, client: httpx.AsyncClient, address: str, text: str
) -> None:
    while True:
        if '"change"' not in str(await socket.recv()):
            continue
        answer = await client.get(address)
        answer.raise_for_status()
        if text.rstrip() in answer.text:
            return


async def _alone(watchers: list[Any], address: str) -> float:
    """Milliseconds in which one of them has the fragment, while nobody else asks."""
    began_at = time.perf_counter()
    (await watchers[0][1].get(address)).raise_for_status()
    return (time.perf_counter() - began_at) * 1000
