"""Slots, deadlines and closed days as the rules want them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from portal.access.decision import visible
from tracershop.models import CatalogueEntry, ClosedDay, DeliverySlot, OrderDeadline
from tracershop.rules.deadlines import (
    Deadline,
    DeadlineKind,
    OrderingObstacle,
    check_ordering_window,
    deadline_at,
)
from tracershop.rules.slots import WeeklySlot, deliver_at
from tracershop.rules.weeks import WeekParity

# deadlines look back at most a week and the closed days before it
_LOOK_BACK = timedelta(days=60)


def site_zone() -> ZoneInfo:
    """The zone in which slots and deadlines are meant."""
    return ZoneInfo(settings.TIME_ZONE)


def closed_days(first: date, last: date) -> dict[date, str]:
    """Closed days and why, far enough back for the deadlines of deliveries from ``first``."""
    return dict(
        ClosedDay.objects.filter(day__range=(first - _LOOK_BACK, last)).values_list("day", "name")
    )


def deadlines() -> dict[str, Deadline]:
    """The deadline of each kind of order."""
    return {
        row.order_kind: Deadline(DeadlineKind(row.kind), row.at, row.weekday)
        for row in OrderDeadline.objects.all()
    }


def as_weekly(slot: DeliverySlot) -> WeeklySlot:
    return WeeklySlot(
        key=slot.pk,
        weekday=slot.weekday,
        deliver_time=slot.deliver_time,
        parity=WeekParity(slot.parity),
        expires_on=slot.expires_on,
    )


@dataclass(frozen=True)
class SlotOnDay:
    """A weekly slot on one date: when it delivers, its deadline, and what forbids ordering."""

    slot: DeliverySlot
    entry: CatalogueEntry | None
    deliver_at: datetime
    deadline_at: datetime | None
    obstacle: OrderingObstacle | None

    @property
    def orderable(self) -> bool:
        return self.obstacle is None and self.entry is not None and self.deadline_at is not None

    @property
    def tracer(self) -> Any:
        return self.slot.run.tracer


class Calendar:
    """Closed days and deadlines, read once, for judging any number of slots of a period."""

    def __init__(self, first: date, last: date) -> None:
        self.closed = closed_days(first, last)
        self.deadlines = deadlines()
        self.zone = site_zone()

    def window(self, kind: str, day: date, now: datetime) -> OrderingObstacle | None:
        """What forbids ordering for ``day``. A kind without a deadline cannot be ordered: refused
        by the caller, who sees :meth:`deadline` is None."""
        return check_ordering_window(
            delivery_day=day,
            deadline=self.deadlines[kind],
            closed_days=self.closed,
            now=now,
            zone=self.zone,
        )

    def deadline(self, kind: str, day: date) -> datetime | None:
        rule = self.deadlines.get(kind)
        return deadline_at(rule, day, self.closed, self.zone) if rule else None

    def is_late(self, kind: str, day: date, now: datetime) -> bool:
        """Whether the deadline for ``day`` has passed, closed or not; so too where none is set."""
        closes_at = self.deadline(kind, day)
        return closes_at is None or now >= closes_at

    def on(
        self,
        day: date,
        slots: Iterable[DeliverySlot],
        entries: dict[tuple[int, int], CatalogueEntry],
        now: datetime,
    ) -> list[SlotOnDay]:
        """The slots of ``day``, earliest first; closed days and passed deadlines are told."""
        found = []
        for slot in slots:
            if not as_weekly(slot).occurs_on(day):
                continue
            kind = slot.run.tracer.kind
            found.append(
                SlotOnDay(
                    slot=slot,
                    entry=entries.get((slot.endpoint_id, slot.run.tracer_id)),
                    deliver_at=deliver_at(slot.deliver_time, day, self.zone),
                    deadline_at=self.deadline(kind, day),
                    obstacle=self.window(kind, day, now) if kind in self.deadlines else None,
                )
            )
        return sorted(found, key=lambda each: (each.deliver_at, each.slot.pk))


def visible_slots(user: Any) -> Any:
    return visible(
        user, DeliverySlot.objects.select_related("endpoint__customer", "run__tracer__isotope")
    )


def catalogue_of(user: Any) -> dict[tuple[int, int], CatalogueEntry]:
    """What each visible endpoint may order, by (endpoint, tracer)."""
    rows = visible(
        user, CatalogueEntry.objects.select_related("endpoint__customer", "tracer__isotope")
    )
    return {(row.endpoint_id, row.tracer_id): row for row in rows}
