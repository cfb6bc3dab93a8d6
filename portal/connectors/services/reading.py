"""Reading from outside systems: a page never waits for one when something is kept (DR-142)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from portal.connectors.breaker import ask, condition
from portal.connectors.configuration import ABSENT, OutsideSystem, Resource, system_of
from portal.connectors.interfaces.json_values import size_of
from portal.connectors.models import LONGEST_KEY, CachedAnswer, QueuedWrite
from portal.connectors.problems import OutsideFailure, Problem
from portal.connectors.rules import is_fresh
from portal.connectors.services.room import make_room
from portal.connectors.services.workers import ask_in_background, kick
from portal.live.services import publish

USE_NOTED_EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class Reading:
    """What is known now.

    ``value`` None and ``as_of`` set: the other side has nothing under this key. ``as_of`` None:
    nothing is known, and ``problem`` says why. ``undelivered``: it is what was written here and is
    not at the other side yet (DR-188). ``topic``: live topic that tells when it differs.
    """

    value: Any
    as_of: datetime | None
    fresh: bool
    problem: Problem | None = None
    undelivered: bool = False
    topic: str = ""

    @property
    def is_known(self) -> bool:
        return self.as_of is not None


def live_topic(system: str, resource: str, key: str) -> str:
    """The topic of a value: whoever may see the value is told this name, nobody can guess it."""
    digest = salted_hmac("portal.connectors", f"{system}\0{resource}\0{key}", algorithm="sha256")
    return f"outside/{digest.hexdigest()[:32]}"


def may_listen(user: Any, digest: str) -> bool:
    """Live topic ``outside/…``: knowing its name is being allowed; a push says nothing more."""
    return bool(user.is_active)


def check_key(key: str) -> None:
    """ValueError for what can be no key at any system."""
    if not key or len(key) > LONGEST_KEY or not key.isprintable() or key in {".", ".."}:
        raise ValueError("a key has 1 to 200 printable characters")


def read(system: str, resource: str, key: str, *, max_age: timedelta | None = None) -> Reading:
    """The value under a key: what was written here, what is kept, or what the system answers now.

    Something is kept: it is answered at once; when it is older than ``max_age`` (else than the
    resource is kept fresh), a worker asks anew, and the live topic tells when it differs. Nothing
    is kept: the system is asked, once, within its time-outs. Never raises for what the other side
    does or the configuration lacks: ``problem`` says it.
    """
    check_key(key)
    topic = live_topic(system, resource, key)
    if (queued := newest_open_write(system, resource, key)) is not None:
        return Reading(queued.payload, queued.queued_at, True, undelivered=True, topic=topic)
    try:
        here = system_of(system)
        what = _readable(here, resource)
    except OutsideFailure as failure:
        return _kept_in_spite_of(failure.problem, system, resource, key)
    kept = _kept(system, resource, key)
    if kept is None:
        return refresh(system, resource, key)
    now = timezone.now()
    longest = timedelta(seconds=what.keep_fresh_s) if max_age is None else max_age
    if is_fresh(kept.as_of, now, longest) and not kept.stale:
        return Reading(kept.value, kept.as_of, True, topic=topic)
    ask_in_background(system, resource, key)
    return Reading(kept.value, kept.as_of, False, condition(system).problem, topic=topic)


def refresh(system: str, resource: str, key: str) -> Reading:
    """Ask the system now, whatever is kept, and keep the answer.

    What differs from the kept value is told to its live topic. Where the system does not answer,
    what is kept comes back with the problem.
    """
    check_key(key)
    if newest_open_write(system, resource, key) is not None:
        return read(system, resource, key)
    asked_at = timezone.now()
    try:
        here = system_of(system)
        what = _readable(here, resource)
        answer = ask(
            system,
            lambda client: client.read(what, key),
            recovered=lambda: kick(system, at_once=True),
        )
    except OutsideFailure as failure:
        return _kept_in_spite_of(failure.problem, system, resource, key)
    value, found = (None, False) if answer is ABSENT else (answer, True)
    keep(system, resource, key, value, found=found, as_of=asked_at)
    return Reading(value, asked_at, True, topic=live_topic(system, resource, key))


def _readable(system: OutsideSystem, resource: str) -> Resource:
    what = system.resource(resource)
    if not what.read:
        raise ValueError(f"{system.code} {resource} is not for reading")
    return what


def newest_open_write(system: str, resource: str, key: str) -> QueuedWrite | None:
    """The last thing written here that is not at the other side yet."""
    waiting = QueuedWrite.objects.filter(
        system=system, resource=resource, key=key, state__in=QueuedWrite.OPEN
    )
    return waiting.order_by("-place").first()


# --- what is kept ------------------------------------------------------------------------------


def _kept(system: str, resource: str, key: str) -> CachedAnswer | None:
    kept = CachedAnswer.objects.filter(system=system, resource=resource, key=key).first()
    if kept is not None and timezone.now() - kept.used_at > USE_NOTED_EVERY:
        CachedAnswer.objects.filter(pk=kept.pk).update(used_at=timezone.now())
    return kept


def _kept_in_spite_of(problem: Problem, system: str, resource: str, key: str) -> Reading:
    topic = live_topic(system, resource, key)
    kept = _kept(system, resource, key)
    if kept is None:
        return Reading(None, None, False, problem, topic=topic)
    return Reading(kept.value, kept.as_of, False, problem, topic=topic)


@transaction.atomic
def keep(
    system: str,
    resource: str,
    key: str,
    value: Any,
    *,
    found: bool,
    as_of: datetime,
    stale: bool = False,
) -> None:
    """Keep an answer, unless a later one is kept already; tell the topic when it differs."""
    values = {"value": value, "found": found, "as_of": as_of, "stale": stale}
    values |= {"size_bytes": size_of(value), "used_at": timezone.now()}
    kept, is_new = CachedAnswer.objects.select_for_update(no_key=True).get_or_create(
        system=system, resource=resource, key=key, defaults=values
    )
    if is_new:
        make_room()
        return
    if kept.as_of > as_of:
        return  # asked before what is kept: a slow answer that was overtaken
    differs = (kept.found, kept.value) != (found, value)
    for name, new in values.items():
        setattr(kept, name, new)
    kept.save()
    if differs:
        publish(live_topic(system, resource, key), "value")
