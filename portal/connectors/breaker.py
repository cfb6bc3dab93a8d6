"""Asking an outside system, or not: one circuit breaker a system, shared by every process.

pybreaker keeps its state in Redis. Each call makes a breaker of its own on that state, since one
that is shared by threads lets them through one at a time. Without Redis each process counts for
itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import redis
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from pybreaker import (
    STATE_CLOSED,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerStorage,
    CircuitMemoryStorage,
    CircuitRedisStorage,
)
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.connectors.configuration import Client, OutsideSystem, system_of
from portal.connectors.problems import Code, OutsideFailure, Problem

logger = logging.getLogger(__name__)

T = TypeVar("T")
_REDIS_LIMIT_S = 1.0
_SPACE = "portal:connectors"

_clients: dict[str, redis.Redis] = {}
_in_memory: dict[str, CircuitBreakerStorage] = {}


@dataclass(frozen=True)
class Condition:
    """How a system does, as far as is known. ``breaker``: closed, open or half-open."""

    breaker: str = STATE_CLOSED
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    problem: Problem | None = None
    """Why the last call failed; None where it succeeded, or there was none yet."""


def ask(code: str, act: Callable[[Client], T], *, recovered: Callable[[], Any] | None = None) -> T:
    """Let ``act`` ask the system; OutsideFailure when it does not answer, or is not to be asked.

    ``recovered`` is called after commit when this was the first success after failures.
    """
    system = system_of(code)
    store = _redis()
    storage = _storage(code, store)
    breaker = CircuitBreaker(
        fail_max=system.failures_to_open,
        reset_timeout=system.ask_again_after_s,
        exclude=[_is_answer],
        state_storage=storage,
        throw_new_error_on_trip=False,
    )
    if breaker.current_state != STATE_CLOSED and not _may_try(system, store):
        raise OutsideFailure(Code.OPEN, "another process is trying it")
    before = condition(code) if store else Condition()
    try:
        answer = breaker.call(act, system.client)
    except CircuitBreakerError:
        _give_back_try(code, store)
        raise OutsideFailure(Code.OPEN, "the circuit breaker is open") from None
    except OutsideFailure as failure:
        _give_back_try(code, store)
        _note(code, store, None if _is_answer(failure) else failure.problem)
        raise
    _give_back_try(code, store)
    _note(code, store, None)
    if before.problem and recovered:
        transaction.on_commit(recovered)
    return answer


def _is_answer(error: BaseException) -> bool:
    """It refused what was sent: so it works."""
    return isinstance(error, OutsideFailure) and error.problem.code == Code.REFUSED


# --- what is shared ----------------------------------------------------------------------------


def _redis() -> redis.Redis | None:
    """The portal's Redis, None while it is away."""
    url = settings.REDIS_URL
    if url not in _clients:
        _clients[url] = redis.Redis.from_url(
            url,
            socket_timeout=_REDIS_LIMIT_S,
            socket_connect_timeout=_REDIS_LIMIT_S,
            retry=Retry(NoBackoff(), 1),  # a connection from before Redis was restarted
        )
    try:
        _clients[url].ping()
    except redis.RedisError as error:
        logger.warning("circuit breakers: Redis is away (%s)", type(error).__name__)
        return None
    return _clients[url]


def _storage(code: str, store: redis.Redis | None) -> CircuitBreakerStorage:
    if store is None:
        return _in_memory.setdefault(code, CircuitMemoryStorage(STATE_CLOSED))
    return CircuitRedisStorage(STATE_CLOSED, store, namespace=f"{_SPACE}:{code}")


def _try_key(code: str) -> str:
    return f"{_SPACE}:{code}:trying"


def _may_try(system: OutsideSystem, store: redis.Redis | None) -> bool:
    """One process at a time finds out whether a failed system is back."""
    if store is None:
        return True
    limit_s = int(system.connect_timeout_s + 2 * system.read_timeout_s) + 1
    return bool(store.set(_try_key(system.code), 1, nx=True, ex=limit_s))


def _give_back_try(code: str, store: redis.Redis | None) -> None:
    if store is not None:
        _quietly(lambda: store.delete(_try_key(code)))


def _note(code: str, store: redis.Redis | None, problem: Problem | None) -> None:
    if store is None:
        return
    now = timezone.now().isoformat()
    if problem is None:
        noted = {"last_success_at": now, "problem": "", "detail": ""}
    else:
        noted = {"last_failure_at": now, "problem": problem.code.value, "detail": problem.detail}
    _quietly(lambda: store.hset(f"{_SPACE}:{code}:condition", mapping=noted))


def _quietly(act: Callable[[], Any]) -> None:
    try:
        act()
    except redis.RedisError as error:
        logger.warning("circuit breakers: Redis is away (%s)", type(error).__name__)


def condition(code: str) -> Condition:
    """How the system does, without asking it."""
    store = _redis()
    if store is None:
        return Condition(breaker=_storage(code, None).state)
    try:
        noted = {
            key.decode(): value.decode()
            for key, value in store.hgetall(f"{_SPACE}:{code}:condition").items()  # type: ignore[union-attr]
        }
        state = store.get(f"{_SPACE}:{code}:pybreaker:state")
    except redis.RedisError:
        return Condition()
    return Condition(
        breaker=state.decode() if isinstance(state, bytes) else STATE_CLOSED,
        last_success_at=_moment(noted.get("last_success_at")),
        last_failure_at=_moment(noted.get("last_failure_at")),
        problem=Problem(Code(noted["problem"]), noted["detail"]) if noted.get("problem") else None,
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
