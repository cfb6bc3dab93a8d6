"""Handing what was kept to the module that takes it: in order, once, nothing half done (TS-021)."""

from __future__ import annotations

import logging
import secrets
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from celery import current_app
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.inbox.handlers import find_handler
from portal.inbox.models import InboundMessage
from portal.live.services import publish
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused

logger = logging.getLogger(__name__)

State = InboundMessage.State

MAX_ATTEMPTS = 5
FIRST_RETRY = timedelta(seconds=5)
TOPIC = "inbox"
LOCK_CLASS = 7302  # of advisory locks; the audit chains have 7301
_BATCH = 100
_KICK_EXPIRES_S = 10  # the sweeper comes by more often than this


def kick(channel: str) -> None:
    """Ask a worker to process what waits. Without Redis it waits for the sweeper instead."""
    try:
        current_app.send_task(
            "portal.inbox.tasks.process_waiting", [channel], expires=_KICK_EXPIRES_S
        )
    except Exception as error:
        logger.warning("no worker could be asked to process %s: %s", channel, type(error).__name__)


def waiting_channels() -> list[str]:
    """The channels in which something waits to be processed."""
    waiting = InboundMessage.objects.filter(state=State.RECEIVED).order_by("channel")
    return list(waiting.values_list("channel", flat=True).distinct())


def process_waiting(channel: str, *, within_s: float = 60.0) -> int:
    """Process what waits in the channel in order of receipt; returns how many were tried.

    One process at a time does this for a channel, so that a cancellation never overtakes the
    booking it cancels; each message is a transaction of its own. Ends after ``within_s`` at the
    latest, the sweeper goes on.
    """
    ends_at = time.monotonic() + within_s
    tried = 0
    # Looked at again after the lock is given back: what came in between asked for a worker too,
    # found the lock taken and went away.
    while time.monotonic() < ends_at and _due(channel, timezone.now()).exists():
        with _alone(channel) as alone:
            count, go_on = _drain(channel, ends_at) if alone else (0, False)
        tried += count
        if not go_on:
            break
    if tried:
        publish(TOPIC, "messages")
    return tried


def _drain(channel: str, ends_at: float) -> tuple[int, bool]:
    """(how many were tried, whether to look for more)."""
    tried = 0
    while batch := list(_due(channel, timezone.now()).values_list("pk", flat=True)[:_BATCH]):
        for pk in batch:
            if time.monotonic() > ends_at:
                return tried, False
            state = process_message(pk)
            if state is None:  # an operator has it in hand: it, and what came after it, later
                return tried, False
            tried += 1
            if state == State.RECEIVED:
                break  # what its source sent after it must wait for it: ask anew what is due
    return tried, True


def _due(channel: str, now: datetime) -> QuerySet[InboundMessage]:
    """What waits and may be tried now, in order. A failed message holds up its own source only."""
    waiting = InboundMessage.objects.filter(channel=channel, state=State.RECEIVED)
    backing_off = reduce(
        or_,
        (
            Q(attempts=attempts, processed_at__gt=now - FIRST_RETRY * 2 ** (attempts - 1))
            for attempts in range(1, MAX_ATTEMPTS)
        ),
    )
    held_up = waiting.filter(backing_off).values("source")
    return waiting.exclude(source__in=held_up).order_by("pk")


@contextmanager
def _alone(channel: str) -> Iterator[bool]:
    """Hold the channel's lock, if nobody else does. The database frees it when we die."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [LOCK_CLASS, channel])
        alone = cursor.fetchone()[0]
    try:
        yield alone
    finally:
        if alone:
            with suppress(DatabaseError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [LOCK_CLASS, channel])


def process_message(pk: int) -> str | None:
    """Let the handler process a waiting message; returns the state that the message is in then.

    None: it does not wait (any more), or another has it. The handler's work and the message's new
    state are one transaction. ValueError and Refused of the handler send the message to
    quarantine; any other error lets it wait for another attempt, five in all. An error that ends
    the database connection propagates: nothing was done, and that is not the message's fault.
    """
    with transaction.atomic(), acting(request_id=f"inbox-{pk}", reason=""):
        message = (
            InboundMessage.objects.select_for_update(no_key=True, skip_locked=True)
            .filter(pk=pk, state=State.RECEIVED)
            .first()
        )
        if message is None:
            return None
        message.attempts += 1
        message.processed_at = timezone.now()
        try:
            with transaction.atomic(), acting(actor=ServiceActor(f"inbox {message.channel}")):
                message.outcome = _hand_over(message)
            message.state = State.DONE
        except (ValueError, Refused) as error:
            message.state, message.outcome = State.QUARANTINED, str(error)
        except Exception as error:
            if isinstance(error, DatabaseError) and not connection.is_usable():
                raise
            message.outcome = _note_failure(message, error)
            if message.attempts >= MAX_ATTEMPTS:
                message.state = State.QUARANTINED
        message.save(update_fields=["attempts", "processed_at", "state", "outcome"])
    if message.state == State.QUARANTINED:
        logger.warning("message %s went to quarantine", pk)
    return message.state


def _hand_over(message: InboundMessage) -> str:
    handler = find_handler(message.channel, message.kind)
    if handler is None:
        raise ValueError(_("No installed module takes this kind of message."))
    return str(import_string(handler.process)(message) or "")


def _note_failure(message: InboundMessage, error: Exception) -> str:
    """Log where it failed, without the error's text: that may quote the message."""
    number = secrets.token_hex(6)
    logger.error(
        "message %s failed at attempt %s: %s, error number %s\n%s",
        message.pk,
        message.attempts,
        type(error).__name__,
        number,
        "".join(traceback.format_tb(error.__traceback__)),
    )
    return _("Attempt %(attempt)s failed: %(error)s, error number %(number)s.") % {
        "attempt": message.attempts,
        "error": type(error).__name__,
        "number": number,
    }
