"""Placing what standing orders order (TS-008): each day once, whatever happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal.access.decision import can
from portal.access.selectors import people_with
from portal.audit.services import record
from portal.notifications.services import notify
from portal.records.errors import Refused
from portal.records.services import locked, writes
from tracershop.models import Order, StandingOrder
from tracershop.models.reach import ORDER_LATE, PLACE
from tracershop.rules.moments import local_moment
from tracershop.rules.standing import standing_days
from tracershop.rules.weeks import WeekParity
from tracershop.selectors.schedule import site_zone
from tracershop.services.ordering import place_activity_order, place_injection_order

NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True)
class Missed:
    """A day on which nothing was ordered: why, as a stable code and in words."""

    day: date
    code: str
    why: str


@dataclass(frozen=True)
class Placement:
    """What one look at a standing order did."""

    standing: StandingOrder
    placed: list[Order] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)


def due_standing_orders(now: datetime) -> list[int]:
    """Keys of the standing orders with a day that nobody has looked at yet."""
    rows = StandingOrder.objects.filter(
        Q(ends_on__isnull=True) | Q(placed_until__isnull=True) | Q(ends_on__gt=F("placed_until"))
    ).select_related("slot")
    return [row.pk for row in rows.order_by("pk") if _days(row, now)]


@writes
def place_standing_order(
    *, actor: Any, standing_order_id: int, now: datetime | None = None
) -> Placement:
    """Place the orders of the coming days that are not placed yet, and tell of those that cannot.

    One transaction: killed in the middle, nothing of it happened, and the next run does it all.
    Two at once: the second waits, and finds nothing left to do.
    """
    standing = locked(
        StandingOrder.objects.select_related(
            "customer__unit", "endpoint__customer", "tracer", "slot__run__tracer"
        ),
        standing_order_id,
    )
    with translation.override(standing.ordered_by.language or settings.LANGUAGE_CODE):
        placement = place_days(standing, now or timezone.now())
    if placement.missed:
        _tell(placement)
    return placement


def place_days(standing: StandingOrder, now: datetime) -> Placement:
    """Look at each day once. The caller holds the row's lock and tells what was missed."""
    placement = Placement(standing)
    days = _days(standing, now)
    if not days:
        return placement
    # as they are today: what the caller's request knows of their roles may be of a while ago
    owner = get_user_model().objects.get(pk=standing.ordered_by_id)
    may_order = can(owner, PLACE, standing.customer)
    for day in days:
        if not may_order:
            placement.missed.append(Missed(day, NOT_ALLOWED, _not_allowed(owner)))
            continue
        try:
            order = _place(standing, owner, day, now)
        except Refused as refusal:
            placement.missed.append(Missed(day, refusal.code, str(refusal.message)))
        else:
            if order is not None:
                placement.placed.append(order)
    standing.placed_until = days[-1]
    standing.save()
    for missed in placement.missed:
        data = {"day": missed.day, "why": missed.code}
        record("tracershop.standing_order_missed", standing, data=data)
    return placement


def _days(standing: StandingOrder, now: datetime) -> list[date]:
    slot = standing.slot
    return standing_days(
        weekday=standing.weekday,
        parity=WeekParity(slot.parity) if slot else WeekParity.EVERY,
        starts_on=standing.starts_on,
        ends_on=standing.ends_on,
        placed_until=standing.placed_until,
        today=now.astimezone(site_zone()).date(),
    )


def _place(standing: StandingOrder, owner: Any, day: date, now: datetime) -> Order | None:
    """The day's order; None where it was placed before, and perhaps taken back since."""
    if Order.all_objects.filter(standing_order=standing, deliver_on=day).exists():
        return None
    common: dict[str, Any] = {
        "actor": owner,
        "intended_use": standing.intended_use,
        "comment": standing.comment,
        "standing_order": standing,
        "now": now,
    }
    if standing.slot is not None:
        _refuse_twice(standing, Q(deliver_on=day) & _at_slot(standing))
        return place_activity_order(
            slot_id=standing.slot.pk, day=day, activity_mbq=standing.activity_mbq or 0, **common
        )
    assert standing.inject_at is not None  # noqa: S101 as the table demands
    inject_at = local_moment(standing.inject_at, day, site_zone())
    _refuse_twice(standing, Q(deliver_at=inject_at))
    return place_injection_order(
        endpoint_id=standing.endpoint_id,
        tracer_id=standing.tracer_id,
        inject_at=inject_at,
        injections=standing.injections or 0,
        **common,
    )


def _at_slot(standing: StandingOrder) -> Q:
    """Ordered at the slot, also if production moved the order to an earlier one since."""
    unmoved = Q(slot=standing.slot, moved_from_slot__isnull=True)
    return unmoved | Q(moved_from_slot=standing.slot)


def _refuse_twice(standing: StandingOrder, same: Q) -> None:
    """Ordered by hand already, or left by a standing order that ended: not once more."""
    found = Order.objects.filter(
        same,
        endpoint_id=standing.endpoint_id,
        tracer_id=standing.tracer_id,
        intended_use=standing.intended_use,
        ghost=False,
    ).first()
    if found is not None:
        raise Refused(
            _("Order %(number)s is for the same delivery already.") % {"number": found.pk},
            code="already_ordered",
        )


def _not_allowed(owner: Any) -> str:
    return _("%(name)s may no longer order for the customer.") % {"name": owner}


def _tell(placement: Placement) -> None:
    """The owner; and production, when the owner may not order any more."""
    standing = placement.standing
    people = {standing.ordered_by}
    if any(missed.code == NOT_ALLOWED for missed in placement.missed):
        holders = people_with(ORDER_LATE)
        people |= {each for each in holders if can(each, ORDER_LATE, standing.customer)}
    url = f"{reverse('tracershop:standing')}?customer={standing.customer_id}"
    for person in sorted(people, key=lambda each: each.pk):
        with translation.override(person.language or settings.LANGUAGE_CODE):
            what = _("The standing order %(what)s was not placed for %(days)s.") % {
                "what": standing,
                "days": ", ".join(
                    date_format(missed.day, "SHORT_DATE_FORMAT") for missed in placement.missed
                ),
            }
            whys = dict.fromkeys(
                _not_allowed(standing.ordered_by) if missed.code == NOT_ALLOWED else missed.why
                for missed in placement.missed
            )
            notify(person, " ".join([what, *whys]), url=url, level="warning")
