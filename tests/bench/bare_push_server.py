"""What the portal's live updates are measured against: a Redis publish, passed on as it is.

An ASGI application in the same web server: every websocket gets what is published on one Redis
channel. Nobody is asked who they are, nothing is checked.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from redis.asyncio import Redis

CHANNEL = "bare-push"
Message = MutableMapping[str, Any]

_listeners: set[Callable[[Message], Awaitable[None]]] = set()


async def application(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Websockets at any address; told "ready" once what is published reaches them."""
    if scope["type"] == "lifespan":
        await _live_as_long_as_the_server(receive, send)
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        _listeners.add(send)
        await send({"type": "websocket.send", "text": "ready"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        _listeners.discard(send)


async def _live_as_long_as_the_server(
    receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    await receive()
    redis = Redis.from_url(os.environ["REDIS_URL"])
    channel = redis.pubsub()
    await channel.subscribe(CHANNEL)
    passing_on = asyncio.create_task(_pass_on(channel))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    passing_on.cancel()
    await redis.aclose()
    await send({"type": "lifespan.shutdown.complete"})


async def _pass_on(channel: Any) -> None:
    async for message in channel.listen():
        if message["type"] == "message":
            text = {"type": "websocket.send", "text": message["data"].decode()}
            await asyncio.gather(*(send(text) for send in list(_listeners)))
