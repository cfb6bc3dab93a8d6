"""Fully automatic mappings: bookings are ordered at the deadline without a click (TS-026)."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.access.decision import visible
from portal.audit.services import record
from portal.live.services import publish
from portal.notifications.outbox import address, queue_mail
from portal.notifications.services import notify
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import check_version, locked, writes
from tracershop.models import Booking, Customer, Order, ProcedureMapping
from tracershop.models.reach import MAP
from tracershop.rules.bookings import Unplaced
from tracershop.rules.moments import local_moment
from tracershop.selectors.automatic import (
    automatic_bookings,
    due_days,
    may_order_for,
    people_to_tell,
)
from tracershop.selectors.booking_plan import mappings_of, plan_day
from tracershop.selectors.schedule import site_zone
from tracershop.selectors.topics import BOOKINGS
from tracershop.services.bookings import order_bookings
from tracershop.words import told

logger = logging.getLogger(__name__)

AUTOMATIC = ServiceActor("automatic ordering")


@writes
def switch_automatic(
    *,
    actor: Any,
    mapping_id: int,
    automatic: bool,
    reason: str,
    expected_version: int | None = None,
) -> ProcedureMapping:
    """Let a mapping's bookings be ordered by themselves, in the actor's name, or no longer.

    Refused: without a reason, or who may not order for the customer themselves.
    """
    rows = visible(actor, ProcedureMapping.objects.all(), MAP)
    mapping = locked(rows.select_related("endpoint__customer__unit"), mapping_id)
    check_version(mapping, expected_version, {"automatic": automatic})
    if not reason.strip():
        raise Refused(_("Switching it needs a reason."), code="reason_needed")
    if automatic and not may_order_for(actor, mapping.endpoint.customer):
        raise Refused(
            _("Only who may order for %(customer)s can have it ordered in their name.")
            % {"customer": mapping.endpoint.customer},
            code="may_not_order",
        )
    old, mapping.automatic = mapping.automatic, automatic
    mapping.automatic_by = actor if automatic else None
    mapping.save()
    record("tracershop.mapping_automatic", mapping, data={"automatic": [old, automatic]})
    publish(BOOKINGS, "mapped")
    return mapping


@dataclass(frozen=True)
class LeftOut:
    """A booking that was not ordered; which one it is, the bookings page tells.

    Either the plan has no place for it (``finding``), or an order was refused (``refusal``), or the
    person in whose name it is ordered may no longer order.
    """

    mapping: ProcedureMapping
    finding: Unplaced | None = None
    refusal: Any = ""

    def reason(self) -> str:
        """In the language that is active."""
        if self.finding is not None:
            return told(self.finding)
        return str(self.refusal) or _(
            "%(name)s, in whose name it is ordered, may no longer order for you."
        ) % {"name": self.mapping.automatic_by}


@dataclass
class AutomaticResult:
    """What was ordered for a customer's day, and what was not."""

    customer: Customer
    day: date
    orders: list[Order] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def order_due_bookings(now: datetime | None = None) -> list[AutomaticResult]:
    """Order what is due, each customer's day in a transaction of its own.

    A day that fails does not take the others with it; it is tried again the next time.
    """
    now = now or timezone.now()
    results = []
    for customer_id, day in due_days(now):
        try:
            result = order_day_automatically(
                actor=AUTOMATIC, customer_id=customer_id, day=day, now=now
            )
        except Exception:
            logger.exception("automatic ordering for customer %s on %s failed", customer_id, day)
        else:
            results += [result] if result else []
    return results


@writes
def order_day_automatically(
    *, actor: Any, customer_id: int, day: date, now: datetime
) -> AutomaticResult | None:
    """Order for a customer's automatic bookings of a day, all or nothing, and mail the result.

    Their locks make two workers take turns: each booking is looked at once. None when nothing is
    left to look at. What cannot be placed does not hold up what can; it is told.
    """
    bookings = _locked_bookings(customer_id, day, now)
    mappings = mappings_of(bookings)
    bookings = [each for each in bookings if each.pk in mappings and mappings[each.pk].automatic]
    if not bookings:
        return None
    customer = Customer.objects.select_related("unit").get(pk=customer_id)
    result = AutomaticResult(customer, day)
    try:
        with transaction.atomic():
            for person, theirs in _by_person(bookings, mappings):
                _order(result, person, theirs, mappings, now)
    except Refused as refusal:  # what the orders themselves refuse: then nothing is ordered
        result.orders = []
        result.left_out = [LeftOut(mappings[each.pk], refusal=refusal.message) for each in bookings]
    for booking in Booking.objects.filter(pk__in=[each.pk for each in bookings]).order_by("pk"):
        booking.automatic_at = now
        booking.save()
    record(
        "tracershop.bookings_ordered_automatically",
        customer,
        data={
            "day": day,
            "orders": [order.pk for order in result.orders],
            "left_out": len(result.left_out),
        },
    )
    _tell(result)
    publish(BOOKINGS, "ordered")
    return result


def _locked_bookings(customer_id: int, day: date, now: datetime) -> list[Booking]:
    zone = site_zone()
    return list(
        automatic_bookings()
        .select_for_update(no_key=True, of=("self",))
        .filter(
            endpoint__customer=customer_id,
            starts_at__gt=now,
            starts_at__gte=local_moment(time(0), day, zone),
            starts_at__lt=local_moment(time(0), day + timedelta(days=1), zone),
        )
        .order_by("pk")
    )


def _by_person(
    bookings: Sequence[Booking], mappings: dict[int, ProcedureMapping]
) -> list[tuple[Any, list[Booking]]]:
    """Those in whose name they are ordered, with their bookings."""
    groups: dict[Any, list[Booking]] = defaultdict(list)
    for booking in bookings:
        groups[mappings[booking.pk].automatic_by].append(booking)
    return sorted(groups.items(), key=lambda group: group[0].pk)


def _order(
    result: AutomaticResult,
    person: Any,
    bookings: list[Booking],
    mappings: dict[int, ProcedureMapping],
    now: datetime,
) -> None:
    if not may_order_for(person, result.customer):
        result.left_out += [LeftOut(mappings[each.pk]) for each in bookings]
        return
    plan = plan_day(person, result.day, only=[each.pk for each in bookings], now=now)
    keys = [key for line in plan.plan.lines for key in line.booking_keys]
    keys += [line.booking_key for line in plan.plan.injections]
    result.left_out += [
        LeftOut(mappings[int(str(each.facts["booking_key"]))], each) for each in plan.plan.unplaced
    ]
    if keys:
        done = order_bookings(
            actor=person,
            day=result.day,
            booking_ids=keys,
            fingerprint=plan.fingerprint,
            automatic=True,
            now=now,
        )
        result.orders += done.orders


# --- telling people ------------------------------------------------------------------------------


def _tell(result: AutomaticResult) -> None:
    """By mail and on screen, in each one's language: amounts and reasons, nothing of a patient."""
    page = f"{reverse('tracershop:bookings')}?day={result.day:%Y-%m-%d}"
    level = "warning" if result.left_out else "info"
    for person in people_to_tell(result.customer):
        with translation.override(person.language or settings.LANGUAGE_CODE):
            subject = _("%(customer)s, %(day)s: ordered from bookings automatically") % {
                "customer": result.customer,
                "day": date_format(result.day, "SHORT_DATE_FORMAT"),
            }
            notify(person, f"{subject}. {_summary(result)}", url=page, level=level)
            if person.email:
                queue_mail(person.email, subject, _mail(result))


def _summary(result: AutomaticResult) -> str:
    placed, left = len(result.orders), len(result.left_out)
    texts = [ngettext("%(n)s order.", "%(n)s orders.", placed) % {"n": placed}]
    if left:
        text = ngettext("%(n)s booking not ordered.", "%(n)s bookings not ordered.", left)
        texts.append(text % {"n": left})
    return " ".join(texts)


def _mail(result: AutomaticResult) -> str:
    lines = [_summary(result), ""]
    if result.orders:
        lines += [_("Ordered:"), *(f"- {_in_words(order)}" for order in result.orders), ""]
    if result.left_out:
        lines += [_("Not ordered:"), *_left_out_lines(result), ""]
        lines += [_("What is still possible can be ordered by hand, before the deadline."), ""]
    lines.append(address("tracershop:bookings") + f"?day={result.day:%Y-%m-%d}")
    return "\n".join(lines)


def _left_out_lines(result: AutomaticResult) -> list[str]:
    """The same reason for the same tracer once, with how many bookings it is about."""
    text = _("- %(n)s × %(tracer)s, %(endpoint)s: %(reason)s")
    counted = Counter(
        (str(each.mapping.tracer), str(each.mapping.endpoint), each.reason())
        for each in result.left_out
    )
    return [
        text % {"n": n, "tracer": tracer, "endpoint": endpoint, "reason": reason}
        for (tracer, endpoint, reason), n in sorted(counted.items())
    ]


def _in_words(order: Order) -> str:
    at = date_format(timezone.localtime(order.deliver_at), "SHORT_DATETIME_FORMAT")
    if order.activity_mbq:
        whole_mbq = round(order.activity_mbq)
        amount = f"{number_format(whole_mbq, use_l10n=True, force_grouping=True)} MBq"
    else:
        text = ngettext("%(n)s injection", "%(n)s injections", order.injections or 0)
        amount = text % {"n": order.injections}
    return f"{order.pk}: {order.tracer}, {order.endpoint}, {at}: {amount}"
