"""One websocket a page. Messages are validated, authorised, processed – in that order (TS-120)."""

from __future__ import annotations

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone

from portal.access.standing import take_standing
from portal.live.services import group_name
from portal.live.topics import may_listen

MAX_TOPICS = 50
MAX_TOPIC_LENGTH = 200
NOT_LOGGED_IN = 4401


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Pushes only say *what changed*; membership is checked at subscription and at each push."""

    async def connect(self) -> None:
        self.topics: set[str] = set()
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(code=NOT_LOGGED_IN)
            return
        await self.accept()
        await self.send_json({"type": "welcome", "release": settings.PORTAL_RELEASE})

    async def disconnect(self, code: int) -> None:
        for topic in self.topics:
            await self.channel_layer.group_discard(group_name(topic), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: Any = None, **_: Any) -> None:
        try:
            content = await self.decode_json(text_data or "")
        except (ValueError, RecursionError):  # the latter: nested a thousand deep
            await self.send_json({"type": "error", "reason": "not JSON"})
            return
        await self.receive_json(content)

    async def receive_json(self, content: Any, **_: Any) -> None:
        topics = _valid_topics(content)
        if topics is None:
            await self.send_json({"type": "error", "reason": "not a subscription"})
            return
        for topic in topics:
            if len(self.topics) >= MAX_TOPICS or not await self._may_listen(topic):
                await self.send_json({"type": "refused", "topic": topic})
                continue
            self.topics.add(topic)
            await self.channel_layer.group_add(group_name(topic), self.channel_name)
            await self.send_json({"type": "subscribed", "topic": topic})

    async def change(self, message: dict[str, Any]) -> None:
        """A push from :func:`portal.live.services.publish`."""
        if message["topic"] not in self.topics:
            return
        if await self._may_listen(message["topic"]):
            await self.send_json(message)
        else:
            self.topics.discard(message["topic"])
            await self.send_json({"type": "refused", "topic": message["topic"]})

    @database_sync_to_async
    def _may_listen(self, topic: str) -> bool:
        """With the person, their roles and their session as they are now, not as at connecting."""
        user = get_user_model().objects.filter(pk=self.scope["user"].pk).first()
        if user is None:
            return False
        now = timezone.now()
        key = self.scope["session"].session_key
        session = Session.objects.filter(session_key=key, expire_date__gt=now).first()
        if session is None:
            return False
        take_standing(user, session.get_decoded(), now)
        return may_listen(user, topic)


def _valid_topics(content: Any) -> list[str] | None:
    if not isinstance(content, dict) or content.get("type") != "subscribe":
        return None
    topics = content.get("topics")
    if not isinstance(topics, list) or len(topics) > MAX_TOPICS:
        return None
    if not all(isinstance(topic, str) and 0 < len(topic) <= MAX_TOPIC_LENGTH for topic in topics):
        return None
    return topics
