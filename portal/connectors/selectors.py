"""What operators see of outside systems and of what is written to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet
from django.urls import reverse
from django.utils.translation import ngettext

from portal.access.decision import can
from portal.audit.models import AuditEntry
from portal.connectors.breaker import Condition, condition
from portal.connectors.configuration import OutsideSystem, declared
from portal.connectors.models import CachedAnswer, QueuedWrite
from portal.notifications.my_tasks import MyTask

SEE = "connectors.see_systems"
HANDLE = "connectors.handle_writes"
State = QueuedWrite.State


@dataclass(frozen=True)
class SystemFacts:
    """One outside system as operators see it. ``system`` None: its table is wrong, see ``fault``;
    or it is not declared any more, and something still waits for it."""

    code: str
    system: OutsideSystem | None
    fault: str
    condition: Condition
    waiting: int
    refused: int
    oldest_waiting_at: datetime | None
    answers: int
    newest_answer_at: datetime | None
    last_delivered_at: datetime | None

    @property
    def state(self) -> str:
        """wrong, unknown, ok or away."""
        if self.system is None:
            return "wrong"
        if self.condition.problem is not None:
            return "away"
        return "ok" if self.last_success_at else "unknown"

    @property
    def last_success_at(self) -> datetime | None:
        """As far as is known: Redis may have forgotten, what is kept has not."""
        known = (
            self.condition.last_success_at,
            self.newest_answer_at,
            self.last_delivered_at,
        )
        return max((at for at in known if at is not None), default=None)


def may_listen(user: Any) -> bool:
    """Live topic ``connectors``: for those who may see the systems."""
    return can(user, SEE)


def systems(user: Any) -> list[SystemFacts]:
    """Every system that is declared or still has something waiting, in a fixed order."""
    if not can(user, SEE):
        return []
    known = declared()
    queues = {
        row["system"]: row
        for row in QueuedWrite.objects.order_by()
        .values("system")
        .annotate(
            waiting=Count("pk", filter=Q(state=State.WAITING)),
            refused=Count("pk", filter=Q(state=State.REFUSED)),
            oldest=Min("queued_at", filter=Q(state=State.WAITING)),
            delivered=Max("settled_at", filter=Q(state=State.DELIVERED)),
        )
    }
    kept = {
        row["system"]: row
        for row in CachedAnswer.objects.order_by()
        .values("system")
        .annotate(answers=Count("pk"), newest=Max("as_of"))
    }
    left = {code for code, row in queues.items() if row["waiting"] or row["refused"]}
    codes = [
        *known.systems,
        *known.quarantined,
        *sorted(left - {*known.systems, *known.quarantined}),
    ]
    return [_facts(code, queues.get(code, {}), kept.get(code, {})) for code in codes]


def _facts(code: str, queue: dict[str, Any], kept: dict[str, Any]) -> SystemFacts:
    known = declared()
    return SystemFacts(
        code=code,
        system=known.systems.get(code),
        fault=known.quarantined.get(code, ""),
        condition=condition(code),
        waiting=queue.get("waiting", 0),
        refused=queue.get("refused", 0),
        oldest_waiting_at=queue.get("oldest"),
        answers=kept.get("answers", 0),
        newest_answer_at=kept.get("newest"),
        last_delivered_at=queue.get("delivered"),
    )


def system_codes() -> list[str]:
    """Systems that something was ever written to, or that are declared."""
    known = declared()
    written = QueuedWrite.objects.order_by("system").values_list("system", flat=True).distinct()
    return sorted({*known.systems, *known.quarantined, *written})


def writes(user: Any, *, system: str = "", state: str = "") -> QuerySet[QueuedWrite]:
    """The queue, newest first, without what is to be written."""
    if not can(user, SEE):
        return QueuedWrite.objects.none()
    found = QueuedWrite.objects.defer("payload").order_by("-pk")
    if system:
        found = found.filter(system=system)
    return found.filter(state=state) if state else found


def depths() -> dict[tuple[str, str], tuple[int, datetime | None]]:
    """How many writes are open, and since when the oldest, by system and state. One query."""
    rows = (
        QueuedWrite.objects.filter(state__in=QueuedWrite.OPEN)
        .order_by()
        .values_list("system", "state")
        .annotate(Count("pk"), Min("queued_at"))
    )
    found: dict[tuple[str, str], tuple[int, datetime | None]] = {
        (code, state): (0, None)
        for code in (*declared().systems, *declared().quarantined)
        for state in QueuedWrite.OPEN
    }
    return found | {(system, state): (count, oldest) for system, state, count, oldest in rows}


def waiting_behind(row: QueuedWrite) -> int:
    """How many later writes of the same key wait for this one."""
    if row.state not in QueuedWrite.OPEN:
        return 0
    return QueuedWrite.objects.filter(
        system=row.system,
        resource=row.resource,
        key=row.key,
        place__gt=row.place,
        state__in=QueuedWrite.OPEN,
    ).count()


def happenings(row: QueuedWrite) -> QuerySet[AuditEntry]:
    """What was done with a write, newest first."""
    return AuditEntry.objects.filter(
        object_type=QueuedWrite._meta.label_lower,  # noqa: SLF001
        object_id=str(row.pk),
    ).order_by("-pk")


def was_written(system: str, resource: str, key: str) -> bool:
    """Whether something was written under the key that is there, or waits to be."""
    return QueuedWrite.objects.filter(
        system=system,
        resource=resource,
        key=key,
        state__in=(State.DELIVERED, *QueuedWrite.OPEN),
    ).exists()


def tasks_for(user: Any) -> list[MyTask]:
    """*My tasks*: what was refused, for those who may see it."""
    count = writes(user, state=State.REFUSED).count()
    if not count:
        return []
    title = ngettext(
        "%(count)s write was refused by an outside system",
        "%(count)s writes were refused by an outside system",
        count,
    )
    url = f"{reverse('connectors:writes')}?state={State.REFUSED.value}"
    return [MyTask(title % {"count": count}, url, icon="link", count=count, urgent=True)]
