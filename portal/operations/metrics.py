"""What Prometheus is told (OP-004). What each number means: docs/operations.md.

Counters and histograms are kept by each process and added up when somebody asks. Several processes
of a host (web workers, Celery workers, the ASGI server) share a folder for that,
``PORTAL_METRICS_DIR``; without one each process tells only of itself. What has to be asked of the
database or Redis is asked at the scrape, by whichever process answers it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from time import perf_counter
from typing import Any

from celery.signals import task_postrun, task_prerun
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from portal.connectors.breaker import condition
from portal.connectors.configuration import declared
from portal.connectors.selectors import depths
from portal.operations import state
from portal.operations.configuration import (
    modules_with_clinical_settings,
    non_clinical_reason,
)
from portal.operations.health import last_beat_at
from portal.registry import registry

logger = logging.getLogger(__name__)

UNMATCHED = "unmatched"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TASK_SECONDS = (0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)
_QUERIES = (1, 2, 5, 10, 20, 50, 100)

own = CollectorRegistry()
"""This process' counters."""

requests = Counter(
    "portal_requests", "Answered requests", ("method", "route", "status"), registry=own
)
request_seconds = Histogram(
    "portal_request_seconds", "Time to answer", ("route",), buckets=_SECONDS, registry=own
)
request_queries = Histogram(
    "portal_request_queries", "Database queries", ("route",), buckets=_QUERIES, registry=own
)
tasks = Counter("portal_tasks", "Finished background tasks", ("task", "outcome"), registry=own)
task_seconds = Histogram(
    "portal_task_seconds", "Time of a task", ("task",), buckets=_TASK_SECONDS, registry=own
)


# --- requests ------------------------------------------------------------------------------------


class Measure:
    """Middleware: counts each answer by the name of its route, never by its address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        queries = _QueryCount()
        began = perf_counter()
        with connection.execute_wrapper(queries):
            response = self.get_response(request)
        route = route_of(request)
        method = request.method if request.method in _METHODS else "other"
        requests.labels(method, route, response.status_code).inc()
        request_seconds.labels(route).observe(perf_counter() - began)
        request_queries.labels(route).observe(queries.count)
        return response


class _QueryCount:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.count += 1
        return execute(*arguments)


def route_of(request: HttpRequest) -> str:
    """The route's name: an address could hold a patient's number, and is one of endlessly many."""
    match = request.resolver_match
    if match is None:
        return UNMATCHED
    return match.view_name or match.route or UNMATCHED


# --- tasks ---------------------------------------------------------------------------------------

_BEGAN = "_portal_began"


@task_prerun.connect
def _begin_task(task: Any = None, **_: Any) -> None:
    setattr(task.request, _BEGAN, perf_counter())


@task_postrun.connect
def _end_task(task: Any = None, state: str | None = None, **_: Any) -> None:
    tasks.labels(task.name, (state or "unknown").lower()).inc()
    began = getattr(task.request, _BEGAN, None)
    if began is not None:
        task_seconds.labels(task.name).observe(perf_counter() - began)


# --- what is asked at the scrape -----------------------------------------------------------------


class StateCollector(Collector):
    """Gauges of the whole portal, the same from every host. A part that fails takes no other."""

    def collect(self) -> Iterator[Any]:
        failed = GaugeMetricFamily(
            "portal_scrape_failed", "Whether a part could not be asked (1)", labels=["part"]
        )
        for part in _PARTS:
            name = part.__name__.lstrip("_")
            try:
                yield from list(part())
            except Exception as error:
                logger.warning("metrics: %s: %s", name, error)
                failed.add_metric([name], 1)
            else:
                failed.add_metric([name], 0)
        yield failed


def _age_s(at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (timezone.now() - at).total_seconds())


def _gauge(name: str, what: str, label: str, values: Iterable[tuple[str, float | None]]) -> Any:
    family = GaugeMetricFamily(name, what, labels=[label] if label else [])
    for code, value in values:
        if value is not None:  # not known is said by leaving it out, never by 0
            family.add_metric([code] if label else [], value)
    return family


def _release() -> Iterator[Any]:
    family = InfoMetricFamily("portal_release", "What runs")
    family.add_metric([], {"release": settings.PORTAL_RELEASE})
    yield family
    modules = [(module.label, 0.0) for module in registry.installed_modules()]
    modules += [(label, 1.0) for label in registry.quarantined]
    yield _gauge("portal_module_quarantined", "Quarantined modules (1)", "module", modules)


def _inbox() -> Iterator[Any]:
    depths = state.inbox_depths()
    yield _gauge(
        "portal_inbox_messages", "Received, by state", "state", [(d.code, d.count) for d in depths]
    )
    yield _gauge(
        "portal_inbox_oldest_age_seconds", "Age of the oldest in each state", "state",
        [(d.code, _age_s(d.oldest_at)) for d in depths],
    )  # fmt: skip


def _outbox() -> Iterator[Any]:
    depths = state.outbox_depths()
    yield _gauge(
        "portal_outbox_mails", "Outgoing mail, by state", "state",
        [(d.code, d.count) for d in depths],
    )  # fmt: skip
    yield _gauge(
        "portal_outbox_oldest_age_seconds", "Age of the oldest in each state", "state",
        [(d.code, _age_s(d.oldest_at)) for d in depths],
    )  # fmt: skip


def _outside() -> Iterator[Any]:
    writes = GaugeMetricFamily(
        "portal_outside_writes", "Not delivered, by system and state", labels=["system", "state"]
    )
    ages = GaugeMetricFamily(
        "portal_outside_oldest_age_seconds", "Age of the oldest", labels=["system", "state"]
    )
    for labels, (count, oldest_at) in depths().items():
        writes.add_metric(list(labels), count)
        if oldest_at is not None:
            ages.add_metric(list(labels), _age_s(oldest_at) or 0.0)
    yield from (writes, ages)
    conditions = {code: condition(code) for code in declared().systems}
    yield _gauge(
        "portal_outside_away", "Systems whose last call failed (1)", "system",
        [(code, float(known.problem is not None)) for code, known in conditions.items()],
    )  # fmt: skip
    yield _gauge(
        "portal_outside_breaker_open", "Systems that are not asked for a while (1)", "system",
        [(code, float(known.breaker != "closed")) for code, known in conditions.items()],
    )  # fmt: skip


def _audit() -> Iterator[Any]:
    newest = state.last_verifications()
    yield _gauge(
        "portal_audit_verification_age_seconds", "Since each log was verified", "chain",
        [(chain, _age_s(found.at)) for chain, found in newest.items()],
    )  # fmt: skip
    yield _gauge(
        "portal_audit_faults", "Faults found then", "chain",
        [(chain, len(found.faults)) for chain, found in newest.items()],
    )  # fmt: skip


def _signatures() -> Iterator[Any]:
    last = state.last_signature_verification()
    age, faults = (_age_s(last.at), len(last.faults)) if last else (None, None)
    yield _gauge(
        "portal_signature_verification_age_seconds", "Since the signatures were verified", "",
        [("", age)],
    )  # fmt: skip
    yield _gauge("portal_signature_faults", "Faults found then", "", [("", faults)])


def _configuration() -> Iterator[Any]:
    now = timezone.now()
    yield _gauge(
        "portal_module_non_clinical", "Modules in non-clinical mode (1)", "module",
        [
            (module.label, float(bool(non_clinical_reason(module.label, now))))
            for module in modules_with_clinical_settings()
        ],
    )  # fmt: skip


def _backup() -> Iterator[Any]:
    if settings.PORTAL_BACKUP_STAMP:
        age = _age_s(state.last_backup_at())
        yield _gauge("portal_backup_age_seconds", "Since the last backup", "", [("", age)])


def _disk() -> Iterator[Any]:
    room = state.disk()
    yield _gauge(
        "portal_disk_bytes", "Room where files are kept", "kind",
        [("free", room.free), ("total", room.total)],
    )  # fmt: skip


def _live() -> Iterator[Any]:
    connections = state.websocket_connections()
    yield _gauge("portal_websocket_connections", "Open live connections", "", [("", connections)])


def _background() -> Iterator[Any]:
    yield _gauge("portal_tasks_waiting", "Tasks not taken yet", "", [("", state.waiting_tasks())])
    yield _gauge(
        "portal_beat_age_seconds", "Since the last heartbeat", "", [("", _age_s(last_beat_at()))]
    )


_PARTS = (
    _release, _inbox, _outbox, _outside, _audit, _signatures, _configuration, _backup, _disk, _live,
    _background,
)  # fmt: skip


def exposition() -> bytes:
    """Everything, as Prometheus reads it."""
    counters = own
    if settings.PORTAL_METRICS_DIR:
        counters = CollectorRegistry()
        MultiProcessCollector(counters, path=settings.PORTAL_METRICS_DIR)
    gauges = CollectorRegistry()
    gauges.register(StateCollector())
    return generate_latest(counters) + generate_latest(gauges)
