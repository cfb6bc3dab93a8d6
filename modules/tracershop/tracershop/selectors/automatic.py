"""Which bookings of fully automatic mappings are due to be ordered (TS-026)."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, QuerySet

from portal.access.decision import can
from tracershop.models import Booking, Customer, ProcedureMapping, Representation
from tracershop.models.reach import ORDER_BOOKINGS, PLACE, SEE_OWN
from tracershop.rules.moments import local_day, minutes_after
from tracershop.selectors.booking_plan import mappings_of
from tracershop.selectors.booking_waiting import WAITING
from tracershop.selectors.schedule import Calendar, site_zone

LEAD = timedelta(minutes=30)
"""How long before the deadline. Late enough that almost every booking and change has come; early
enough that whoever reads the mail can still order by hand what could not be placed."""


def automatic_bookings() -> QuerySet[Booking]:
    """Waiting bookings of automatic mappings that nobody, and no run, has dealt with yet."""
    automatic = ProcedureMapping.objects.filter(
        automatic=True,
        endpoint=OuterRef("endpoint"),
        procedure_code=OuterRef("procedure_code"),
    )
    return Booking.objects.filter(WAITING, Exists(automatic), automatic_at__isnull=True)


def due_days(now: datetime) -> list[tuple[int, date]]:
    """(customer, day) whose automatic bookings are to be ordered now.

    From ``LEAD`` before the first deadline of the day's bookings; also after it, so that what came
    too late, or while no worker ran, is at least told. A day's kinds of orders may have different
    deadlines: they are ordered together, before the first of them.
    """
    zone = site_zone()
    bookings = list(automatic_bookings().filter(starts_at__gt=now))
    mappings = mappings_of(bookings)
    planned = [
        (booking, mapping, _injection_day(booking, mapping, zone))
        for booking in bookings
        if (mapping := mappings.get(booking.pk))
    ]
    if not planned:
        return []
    days = [day for *_rest, day in planned]
    calendar = Calendar(min(days), max(days))
    due: dict[tuple[int, date], bool] = defaultdict(bool)
    for booking, mapping, day in planned:
        closes_at = calendar.deadline(mapping.tracer.kind, day)
        key = (mapping.endpoint.customer_id, local_day(booking.starts_at, zone, "starts_at"))
        due[key] |= closes_at is None or now >= closes_at - LEAD
    return sorted(key for key, is_due in due.items() if is_due)


def _injection_day(booking: Booking, mapping: ProcedureMapping, zone: Any) -> date:
    return local_day(
        minutes_after(booking.starts_at, mapping.delay_min, "starts_at"), zone, "injection"
    )


def may_order_for(user: Any, customer: Customer) -> bool:
    """May the person order from the customer's bookings? An external shop user never may."""
    return can(user, PLACE, customer) and can(user, ORDER_BOOKINGS, customer)


def people_to_tell(customer: Customer) -> list[Any]:
    """Who represents the customer and may see its orders."""
    keys = Representation.objects.filter(customer=customer).values("user")
    people = get_user_model().objects.filter(pk__in=keys, is_active=True).order_by("pk")
    return [person for person in people if can(person, SEE_OWN, customer)]
