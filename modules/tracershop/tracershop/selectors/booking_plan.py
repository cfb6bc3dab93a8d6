"""Which booking would go to which slot, how much, and what cannot be placed (TS-024)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from portal.access.decision import visible
from tracershop.models import Booking, ProcedureMapping
from tracershop.models.reach import ORDER_BOOKINGS
from tracershop.rules.bookings import (
    BookedProcedure,
    BookingKind,
    BookingPlan,
    OpenSlot,
    plan_bookings,
)
from tracershop.rules.deadlines import Deadline, DeadlineKind
from tracershop.rules.moments import local_moment
from tracershop.selectors.booking_waiting import is_ordered
from tracershop.selectors.schedule import Calendar, SlotOnDay, catalogue_of, visible_slots

# injection orders without a deadline set up are refused when placed; the plan still needs one
_NO_DEADLINE = Deadline(DeadlineKind.DAILY, time(0, 0))


@dataclass
class DayPlan:
    """The bookings of a day and what would be ordered for them."""

    day: date
    bookings: dict[int, Booking]
    mappings: dict[int, ProcedureMapping]
    """By booking; a booking without one is in ``unmapped``."""
    plan: BookingPlan
    slots: dict[int, SlotOnDay]
    unmapped: list[Booking] = field(default_factory=list)
    ordered: list[Booking] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Of what would be ordered: a confirmation must be of the plan that was looked at."""
        lines = [
            [
                self.slots[line.slot.key].slot.pk,
                line.slot.deliver_at.isoformat(),
                line.ordered_mbq,
                line.booking_keys,
            ]
            for line in self.plan.lines
        ]
        injections = [
            [
                line.booking_key,
                line.endpoint,
                line.tracer,
                line.injected_at.isoformat(),
                line.injections,
            ]
            for line in self.plan.injections
        ]
        return hashlib.sha256(json.dumps([lines, injections]).encode()).hexdigest()[:16]


def bookings_of_day(user: Any, day: date) -> Any:
    """Active bookings whose examination starts on the day, earliest first."""
    zone = timezone.get_default_timezone()
    first = local_moment(time(0, 0), day, zone)
    last = local_moment(time(0, 0), day + timedelta(days=1), zone)
    return (
        visible(user, Booking.objects.all(), ORDER_BOOKINGS)
        .filter(starts_at__gte=first, starts_at__lt=last, status=Booking.Status.BOOKED)
        .select_related("endpoint__customer", "order")
        .order_by("starts_at", "pk")
    )


def plan_day(
    user: Any,
    day: date,
    *,
    only: Iterable[int] | None = None,
    now: datetime | None = None,
    assume: ProcedureMapping | None = None,
) -> DayPlan:
    """The plan for the day's bookings that are not ordered yet; ``only`` for some of them.

    ``assume`` is a mapping that is not saved, taken as if it were: what it would order.
    """
    now = now or timezone.now()
    bookings = list(bookings_of_day(user, day))
    open_bookings = [each for each in bookings if not is_ordered(each)]
    if only is not None:
        wanted = set(only)
        open_bookings = [each for each in open_bookings if each.pk in wanted]
    mappings = mappings_of(open_bookings, assume)
    mapped = [each for each in open_bookings if each.pk in mappings]
    calendar = Calendar(day - timedelta(days=1), day + timedelta(days=1))
    slots = _slots(user, day, calendar, now)
    plan = plan_bookings(
        [booked_procedure(booking, mappings[booking.pk]) for booking in mapped],
        [_open_slot(key, slot) for key, slot in slots.items()],
        closed_days=calendar.closed,
        injection_deadline=calendar.deadlines.get("injection", _NO_DEADLINE),
        now=now,
        zone=calendar.zone,
    )
    return DayPlan(
        day=day,
        bookings={booking.pk: booking for booking in open_bookings},
        mappings=mappings,
        plan=plan,
        slots=slots,
        unmapped=[each for each in open_bookings if each.pk not in mappings],
        ordered=[each for each in bookings if is_ordered(each)],
    )


def mappings_of(
    bookings: Iterable[Booking], assume: ProcedureMapping | None = None
) -> dict[int, ProcedureMapping]:
    """What each booking's procedure means at its endpoint, by booking; of those that are mapped."""
    bookings = list(bookings)
    rows = ProcedureMapping.objects.filter(
        endpoint__in={each.endpoint_id for each in bookings if each.endpoint_id},
        procedure_code__in={each.procedure_code for each in bookings},
    ).select_related("tracer__isotope", "endpoint__customer", "automatic_by")
    by_key = {(row.endpoint_id, row.procedure_code): row for row in rows}
    if assume is not None:
        by_key[assume.endpoint_id, assume.procedure_code] = assume
    return {
        each.pk: mapping
        for each in bookings
        if (mapping := by_key.get((each.endpoint_id, each.procedure_code)))
    }


def booked_procedure(booking: Booking, mapping: ProcedureMapping) -> BookedProcedure:
    """The booking as the rules want it."""
    return BookedProcedure(
        key=booking.pk,
        starts_at=booking.starts_at,
        tracer=mapping.tracer_id,
        endpoint=mapping.endpoint_id,
        delay_min=mapping.delay_min,
        units=mapping.units,
        kind=BookingKind.ACTIVITY if mapping.tracer.by_slot else BookingKind.INJECTION,
        half_life_s=mapping.tracer.isotope.half_life_s,
    )


def _slots(user: Any, day: date, calendar: Calendar, now: datetime) -> dict[int, SlotOnDay]:
    """Slots of the day and its neighbours (a delay may cross midnight), by a key of their own."""
    entries = catalogue_of(user)
    weekly = list(visible_slots(user))
    found = [
        slot
        for offset in (-1, 0, 1)
        for slot in calendar.on(day + timedelta(days=offset), weekly, entries, now)
        if slot.entry is not None
    ]
    return dict(enumerate(found, start=1))


def _open_slot(key: int, slot: SlotOnDay) -> OpenSlot:
    return OpenSlot(
        key=key,
        endpoint=slot.slot.endpoint_id,
        tracer=slot.slot.run.tracer_id,
        deliver_at=slot.deliver_at,
        obstacle=slot.obstacle,
    )
