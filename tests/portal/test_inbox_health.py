"""Health of the listener and of the inbox, in words."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.inbox import health
from portal.inbox.models import InboundMessage
from portal.inbox.services import store_message
from portal.registry import registry

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("OP-004")]


def test_both_checks_are_declared() -> None:
    checks = {check.check for check in registry.health_checks()}
    assert {"portal.inbox.health.check_listener", "portal.inbox.health.check_inbox"} <= checks


def test_a_listener_that_reported_is_well_and_one_that_fell_silent_is_not() -> None:
    health.beat(connections=2)
    health.check_listener()
    cache.set(health.HEARTBEAT_KEY, {"at_s": time.time() - 31, "connections": 2}, timeout=None)
    with pytest.raises(RuntimeError, match="has not reported for 3"):
        health.check_listener()
    cache.delete(health.HEARTBEAT_KEY)
    with pytest.raises(RuntimeError, match="no HL7 listener has reported yet"):
        health.check_listener()


def test_without_redis_nothing_is_known_of_the_listener(services: Any) -> None:
    if services.redis is None:
        pytest.skip("the Redis of this run is not ours to stop")
    services.redis.kill()
    try:
        with pytest.raises(RuntimeError, match="Redis does not answer"):
            health.check_listener()
    finally:
        services.redis.start_again()


def test_a_message_that_waits_for_more_than_a_minute_is_reported() -> None:
    health.check_inbox()
    pk, _new = store_message(
        channel="hl7", kind="", source="", identity="1", raw=b"", keep=b"", refused=""
    )
    health.check_inbox()
    late = timezone.now() - timedelta(seconds=61)
    InboundMessage.objects.filter(pk=pk).update(received_at=late)
    with pytest.raises(RuntimeError, match=r"1 received messages wait, one for 6\d s"):
        health.check_inbox()
    InboundMessage.objects.filter(pk=pk).update(state="quarantined")
    health.check_inbox()


def test_the_listener_does_not_start_without_the_key_that_it_keeps_messages_with(
    settings: Any, tmp_path: Any
) -> None:
    settings.PORTAL_KEYS_DIR = str(tmp_path)
    with pytest.raises(CommandError, match=r"inbox\.keys"):
        call_command("hl7_listener", port=0)
