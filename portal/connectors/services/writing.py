"""Writing to outside systems: kept here with what it belongs to, delivered once, in order.

*Exactly once*: a write is sent again until the other side says that it has it, always with the same
idempotency key; by that key the other side knows what it took already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from portal.audit.services import record
from portal.connectors.breaker import ask
from portal.connectors.configuration import Resource, is_declared, system_of, takes
from portal.connectors.interfaces.json_values import size_of
from portal.connectors.models import QueuedWrite
from portal.connectors.problems import Code, OutsideFailure
from portal.connectors.rules import pause_after
from portal.connectors.services.reading import check_key, keep, live_topic
from portal.connectors.services.workers import kick
from portal.live.services import publish

State = QueuedWrite.State
TOPIC = "connectors"
LOCK_CLASS = 7305  # of advisory locks; warnings have 7304
_BATCH = 100


@transaction.atomic
def write(
    system: str, resource: str, key: str, payload: Mapping[str, Any], *, idempotency_key: str
) -> QueuedWrite:
    """Queue a write within the caller's transaction; a worker delivers it after commit.

    The same ``idempotency_key`` again with the same payload changes nothing. ValueError: another
    payload under that key, a payload that is no JSON, a system that is not declared, a resource
    that is not written to. A system that is declared wrongly gets it when that is mended.
    """
    check_key(key)
    if not 0 < len(idempotency_key) <= 200 or not idempotency_key.isprintable():
        raise ValueError("an idempotency key has 1 to 200 printable characters")
    _check_writable(system, resource)
    plain = json.loads(json.dumps(dict(payload), cls=DjangoJSONEncoder))
    size_of(plain)
    _in_order(system, resource, key)
    row, is_new = QueuedWrite.objects.get_or_create(
        system=system,
        idempotency_key=idempotency_key,
        defaults={"resource": resource, "key": key, "payload": plain},
    )
    if not is_new:
        if (row.resource, row.key) != (resource, key) or row.payload not in (None, plain):
            raise ValueError("this idempotency key was used for something else")
        return row
    record("connectors.write_queued", row)
    publish(live_topic(system, resource, key), "value")
    publish(TOPIC, "writes")
    transaction.on_commit(lambda: kick(system))
    return row


def _in_order(system: str, resource: str, key: str) -> None:
    """Writers of one key wait for each other's commit: their places are in its order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))",
            [LOCK_CLASS, f"{system}/{resource}/{key}"],
        )


def _check_writable(system: str, resource: str) -> None:
    if not is_declared(system):
        raise ValueError(f"there is no outside system {system!r}")
    if not takes(system, resource):
        raise ValueError(f"{system} {resource} is not for writing")


def systems_with_waiting() -> list[str]:
    """Codes of the systems to which something waits to be written."""
    waiting = QueuedWrite.objects.filter(state=State.WAITING).order_by("system")
    return list(waiting.values_list("system", flat=True).distinct())


def deliver_waiting(system: str, *, at_once: bool = False) -> int:
    """Send what is due, each in a transaction of its own; returns how many were delivered.

    Ends with the first one to which the system does not answer: the others wait as well.
    """
    delivered = 0
    tried: set[int] = set()
    while due := list(_due(system, at_once=at_once).exclude(pk__in=tried)[:_BATCH]):
        for row in due:
            tried.add(row.pk)
            problem = deliver(row.pk)
            if problem is None:
                delivered += 1
            elif problem not in {Code.REFUSED, Code.FAILED}:
                return delivered
    return delivered


def _due(system: str, *, at_once: bool) -> QuerySet[QueuedWrite]:
    """The first open write of each key, where that one waits: what comes after it must wait."""
    earlier = QueuedWrite.objects.filter(
        system=OuterRef("system"),
        resource=OuterRef("resource"),
        key=OuterRef("key"),
        place__lt=OuterRef("place"),
        state__in=QueuedWrite.OPEN,
    )
    when = Q() if at_once else Q(next_attempt_at__lte=timezone.now())
    return (
        QueuedWrite.objects.filter(when, ~Exists(earlier), system=system, state=State.WAITING)
        .order_by("place")
        .only("pk")
    )


def deliver(pk: int) -> Code | None:
    """Try one waiting write; returns why it was not delivered, None when it was.

    The row is locked while it is sent, and what became of it is committed with the lock: a process
    that dies in between leaves it waiting, and it is sent again under the same idempotency key.
    """
    with transaction.atomic():
        row = (
            QueuedWrite.objects.select_for_update(no_key=True, skip_locked=True)
            .filter(pk=pk, state=State.WAITING)
            .first()
        )
        if row is None:
            return Code.OPEN  # another has it in hand
        row.attempts += 1
        row.tried_at = timezone.now()
        problem = None
        try:
            _send(row)
        except OutsideFailure as failure:
            problem = failure.problem.code
            _not_delivered(row, failure)
        else:
            row.state, row.settled_at = State.DELIVERED, timezone.now()
            row.problem = row.detail = ""
        row.save()
        if problem is None:
            _delivered(row)
        publish(TOPIC, "writes")
    return problem


def _send(row: QueuedWrite) -> None:
    def act(client: Any) -> None:
        what = _resource_of(row)
        client.write(what, row.key, row.payload, row.idempotency_key)

    ask(row.system, act, recovered=lambda: kick(row.system, at_once=True))


def _resource_of(row: QueuedWrite) -> Resource:
    what = system_of(row.system).resource(row.resource)
    if not what.write:
        raise OutsideFailure(Code.CONFIGURATION, f"{row.resource} is not written to any more")
    return what


def _not_delivered(row: QueuedWrite, failure: OutsideFailure) -> None:
    row.problem, row.detail = failure.problem.code.value, failure.problem.detail
    if failure.problem.code == Code.REFUSED:
        row.state = State.REFUSED
        record("connectors.write_refused", row, data={"detail": row.detail})
        return
    if failure.problem.code == Code.OPEN:
        row.attempts -= 1  # nothing was sent
    row.next_attempt_at = timezone.now() + pause_after(row.attempts)


def _delivered(row: QueuedWrite) -> None:
    """What was written is what is there, until the other side is asked, soon."""
    record("connectors.write_delivered", row, data={"attempts": row.attempts})
    if _resource_of(row).read:
        keep(
            row.system,
            row.resource,
            row.key,
            row.payload,
            found=True,
            as_of=row.settled_at or timezone.now(),
            stale=True,
        )
    publish(live_topic(row.system, row.resource, row.key), "value")
