"""Bookings that change after they were ordered for (TS-025): noted, applied, put aside.

Locks go in one order everywhere: bookings by key, then orders by key, then changes by key. So two
messages about one order, a message and an act, an act and the deletion of the order wait for each
other and never in a circle, and each computes from what the one before it committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.access.decision import can, require, visible
from portal.access.selectors import people_with
from portal.audit.services import Access, differences, log_access, record
from portal.live.services import publish
from portal.notifications.services import notify, tasks_changed
from portal.records.errors import Refused
from portal.records.services import locked, soft_delete, writes
from tracershop.models import Booking, BookingChange, CatalogueEntry, Order
from tracershop.models.reach import ORDER_BOOKINGS, ORDER_LATE, SEE_ALL, SEE_OWN
from tracershop.rules.booking_changes import Recomputed
from tracershop.selectors.booking_changes import (
    fingerprint,
    hindrance,
    is_as_ordered,
    may_put_aside,
    recomputed_orders,
)
from tracershop.selectors.schedule import Calendar
from tracershop.selectors.topics import BOOKINGS, announce_order
from tracershop.services.order_checks import LARGEST_ORDER_MBQ
from tracershop.services.production import free_vials

PAGE = "/tracershop/booking-changes/"
REASON = gettext_lazy("booking moved")
"""Stands in the audit trail where production applies a change late."""


@dataclass(frozen=True)
class Former:
    """A booking as it was before it changed."""

    starts_at: datetime
    procedure_code: str
    endpoint_id: int | None
    status: str

    @classmethod
    def of(cls, booking: Booking) -> Former:
        return cls(booking.starts_at, booking.procedure_code, booking.endpoint_id, booking.status)


def note_booking_changes(formers: Mapping[int, Former], now: datetime | None = None) -> None:
    """After bookings changed: what that means for the orders that were placed for them.

    Within the caller's transaction, which holds the bookings' locks. ``formers`` by the booking's
    key. A booking that is again as it was ordered closes its open change.
    """
    bookings = {
        booking.pk: booking
        for booking in Booking.objects.filter(pk__in=formers, order__isnull=False).order_by("pk")
        if Former.of(booking) != formers[booking.pk]
    }
    orders = list(
        Order.objects.select_for_update(no_key=True, of=("self",))
        .filter(pk__in={booking.order_id for booking in bookings.values()})
        .exclude(status=Order.Status.REJECTED)
        .select_related("customer__unit", "endpoint", "tracer__isotope", "ordered_by")
        .order_by("pk")
    )
    recomputed = recomputed_orders(orders, now or timezone.now())
    for order in orders:
        _note(
            order,
            [booking for booking in bookings.values() if booking.order_id == order.pk],
            recomputed[order.pk],
            formers,
        )


def _note(
    order: Order,
    bookings: list[Booking],
    recomputed: Recomputed,
    formers: Mapping[int, Former],
) -> None:
    open_changes = {
        change.booking_id: change
        for change in BookingChange.objects.select_for_update(no_key=True)
        # one order's, and what a booking left open at an order that it was tied to before
        .filter(settled_at__isnull=True, booking__in=[booking.pk for booking in bookings])
        .order_by("pk")
    }
    made = []
    for booking in bookings:
        overtaken = open_changes.get(booking.pk)
        if overtaken is not None:
            _settle(overtaken, BookingChange.Outcome.OVERTAKEN)
        if is_as_ordered(booking, order, recomputed.parts.get(booking.pk)):
            continue
        made.append(_change(order, booking, formers[booking.pk], overtaken, recomputed))
    _propose(order, recomputed, [change.pk for change in made])
    if not made:
        announce_order(order, "booking_changed")
        return
    record(
        "tracershop.order_booking_changed",
        order,
        data={"what": sorted({change.what for change in made}), "needed": _needed(recomputed)},
    )
    announce_order(order, "booking_changed")
    _tell(order, recomputed, made)


def _change(
    order: Order,
    booking: Booking,
    former: Former,
    overtaken: BookingChange | None,
    recomputed: Recomputed,
) -> BookingChange:
    leaving = recomputed.leaving.get(booking.pk)
    same_order = overtaken is not None and overtaken.order_id == order.pk
    return BookingChange.objects.create(
        booking=booking,
        order=order,
        what=_what(booking, former),
        # what the order was placed for, however often it has moved since
        old_starts_at=overtaken.old_starts_at if overtaken and same_order else former.starts_at,
        new_starts_at=booking.starts_at,
        proposed_mbq=recomputed.ordered_mbq,
        proposed_injections=recomputed.injections,
        obstacle=leaving.code if leaving else "",
    )


def _what(booking: Booking, former: Former) -> str:
    if booking.status == Booking.Status.CANCELLED:
        return BookingChange.What.CANCELLED
    same = (booking.procedure_code, booking.endpoint_id) == (
        former.procedure_code,
        former.endpoint_id,
    )
    return BookingChange.What.MOVED if same else BookingChange.What.CHANGED


def _propose(order: Order, recomputed: Recomputed, made: list[int]) -> None:
    """The order's other open changes speak of the same order: they propose the same amount."""
    others = BookingChange.objects.select_for_update(no_key=True).filter(
        order=order, settled_at__isnull=True
    )
    for change in others.exclude(pk__in=made).order_by("pk"):
        change.proposed_mbq = recomputed.ordered_mbq
        change.proposed_injections = recomputed.injections
        change.save()


def _settle(change: BookingChange, outcome: str, by: Any = None) -> None:
    change.settled_at = timezone.now()
    change.settled_by = by
    change.outcome = outcome
    change.save()


@writes
def apply_booking_changes(
    *, actor: Any, order_id: int, seen: str, now: datetime | None = None
) -> Order:
    """Give the order the amount that its bookings need now; take it back when that is nothing.

    Settles all its open changes. ``seen`` is the fingerprint of what the person looked at: where
    something changed since, it is refused. Bookings that leave the order wait to be ordered anew.
    """
    now = now or timezone.now()
    order, changes = _locked(actor, order_id)
    if problem := hindrance(actor, order, Calendar(order.deliver_on, order.deliver_on), now):
        raise Refused(problem, code="not_applicable")
    recomputed = recomputed_orders([order], now)[order.pk]
    if fingerprint(order, recomputed) != seen:
        raise Refused(
            _("The bookings changed since you looked; look at the figures again."), code="changed"
        )
    late_reason = _late_reason(actor, order, now)
    if recomputed.is_nothing:
        _take_back(order, late_reason)
    else:
        _edit(order, recomputed, late_reason, now)
    for booking in Booking.objects.filter(order=order).order_by("pk"):
        part = recomputed.parts.get(booking.pk)
        booking.ordered_mbq = part.activity_mbq if part else None
        booking.order = order if part else None
        booking.save()
    for change in changes:
        _settle(change, BookingChange.Outcome.APPLIED, actor)
    announce_order(order, "deleted" if recomputed.is_nothing else "edited")
    publish(BOOKINGS, "change_applied")
    _told_settled(actor, order)
    return order


def _late_reason(actor: Any, order: Order, now: datetime) -> str:
    """Why production changes what the customer no longer could; '' where that is not so."""
    late = Calendar(order.deliver_on, order.deliver_on).is_late(order.kind, order.deliver_on, now)
    return str(REASON) if late or order.status != Order.Status.ORDERED else ""


def _edit(order: Order, recomputed: Recomputed, late_reason: str, now: datetime) -> None:
    if recomputed.ordered_mbq is not None:
        if recomputed.ordered_mbq > LARGEST_ORDER_MBQ:
            raise Refused(_("That is more than can be ordered at once."), code="amount")
        new: dict[str, Any] = {"activity_mbq": float(recomputed.ordered_mbq)}
    else:
        _check_injections(order, recomputed, now)
        new = {"injections": recomputed.injections, "deliver_at": recomputed.injected_at}
    changes = differences({name: getattr(order, name) for name in new}, new)
    for name, value in new.items():
        setattr(order, name, value)
    order.late_reason = late_reason or order.late_reason
    order.save()
    record("tracershop.order_edited", order, data=changes, reason=late_reason or str(REASON))
    log_access(Access.CHANGE, order)


def _check_injections(order: Order, recomputed: Recomputed, now: datetime) -> None:
    entry = CatalogueEntry.objects.filter(endpoint=order.endpoint, tracer=order.tracer).first()
    if entry is not None and (recomputed.injections or 0) > entry.max_injections:
        raise Refused(
            _("At most %(limit)s injections can be ordered at once.")
            % {"limit": entry.max_injections},
            code="too_many_injections",
        )
    if recomputed.injected_at is not None and recomputed.injected_at <= now:
        raise Refused(_("The time of the injections has passed."), code="past")


def _take_back(order: Order, late_reason: str) -> None:
    free_vials(order)
    soft_delete(order)
    record("tracershop.order_deleted", order, reason=late_reason or str(REASON))
    log_access(Access.DELETE, order)


@writes
def put_aside_booking_changes(*, actor: Any, order_id: int, reason: str) -> None:
    """Leave the order as it is, and say why. Bookings that left it wait to be ordered anew;
    a cancelled one stays its own, should it be booked again."""
    if not reason.strip():
        raise Refused(_("Putting a change aside needs a reason."), code="reason_needed")
    order, changes = _locked(actor, order_id)
    if not may_put_aside(actor, order):
        require(actor, ORDER_BOOKINGS, order)
    recomputed = recomputed_orders([order], timezone.now())[order.pk]
    for booking in Booking.objects.filter(
        pk__in=list(recomputed.leaving), status=Booking.Status.BOOKED
    ):
        booking.order = None
        booking.ordered_mbq = None
        booking.save()
    for change in changes:
        _settle(change, BookingChange.Outcome.PUT_ASIDE, actor)
    record("tracershop.booking_change_put_aside", order, data={"changes": len(changes)})
    announce_order(order, "booking_changed")
    publish(BOOKINGS, "change_put_aside")
    _told_settled(actor, order)


def _locked(actor: Any, order_id: int) -> tuple[Order, list[BookingChange]]:
    """The order with its open changes, locked after its bookings."""
    rows = visible(actor, Order.objects.all())
    if not rows.filter(pk=order_id).exists():
        raise Refused(_("This record does not exist (any more)."), code="gone")
    lock_bookings_of([order_id])
    order = locked(
        rows.select_related("customer__unit", "endpoint", "tracer__isotope", "ordered_by"), order_id
    )
    changes = list(
        BookingChange.objects.select_for_update(no_key=True)
        .filter(order=order, settled_at__isnull=True)
        .order_by("pk")
    )
    if not changes:
        raise Refused(_("These changes are settled already."), code="settled")
    if order.status == Order.Status.REJECTED:
        raise Refused(_("The order is rejected."), code="not_applicable")
    return order, changes


def lock_bookings_of(order_ids: Iterable[int]) -> None:
    """Lock the orders' bookings, before the orders themselves."""
    list(
        Booking.objects.select_for_update(no_key=True)
        .filter(order__in=list(order_ids))
        .order_by("pk")
        .values_list("pk", flat=True)
    )


# --- telling people ------------------------------------------------------------------------------


def _tell(order: Order, recomputed: Recomputed, made: list[BookingChange]) -> None:
    people = _concerned(order)
    for person in people:
        with translation.override(person.language or settings.LANGUAGE_CODE):
            text = _("%(what)s of order %(number)s (%(tracer)s, %(endpoint)s): %(old)s → %(new)s.")
            told = text % {
                "what": _what_words(made),
                "number": order.pk,
                "tracer": order.tracer,
                "endpoint": order.endpoint,
                "old": _amount(order.activity_mbq, order.injections, order.deliver_at),
                "new": _amount(
                    recomputed.ordered_mbq, recomputed.injections, recomputed.injected_at
                ),
            }
            notify(person, told, url=PAGE, level="warning")
    tasks_changed(people)


def _what_words(made: list[BookingChange]) -> str:
    if all(change.what == BookingChange.What.CANCELLED for change in made):
        text = ngettext("%(n)s cancelled booking", "%(n)s cancelled bookings", len(made))
    else:
        text = ngettext("%(n)s changed booking", "%(n)s changed bookings", len(made))
    return text % {"n": len(made)}


def _amount(
    activity_mbq: float | None, injections: int | None, injected_at: datetime | None
) -> str:
    if activity_mbq:
        return f"{number_format(round(activity_mbq), use_l10n=True, force_grouping=True)} MBq"
    if injections and injected_at:
        at = date_format(timezone.localtime(injected_at), "TIME_FORMAT")
        text = ngettext("%(n)s injection at %(at)s", "%(n)s injections at %(at)s", injections)
        return text % {"n": injections, "at": at}
    return _("nothing")


def _needed(recomputed: Recomputed) -> dict[str, Any]:
    return {
        "activity_mbq": recomputed.ordered_mbq,
        "injections": recomputed.injections,
        "injected_at": recomputed.injected_at,
    }


def _concerned(order: Order) -> list[Any]:
    """Who ordered it, while they may see it, and production."""
    people = {
        person.pk: person
        for person in people_with(ORDER_LATE).order_by("pk")
        if can(person, ORDER_LATE, order)
    }
    owner = order.ordered_by
    if can(owner, SEE_OWN, order) or can(owner, SEE_ALL, order):
        people[owner.pk] = owner
    return [people[key] for key in sorted(people)]


def _told_settled(actor: Any, order: Order) -> None:
    """Their tasks are fewer; the owner is told of what another did."""
    people = _concerned(order)
    tasks_changed(people)
    owner = order.ordered_by
    if owner == actor or owner not in people:
        return
    with translation.override(owner.language or settings.LANGUAGE_CODE):
        text = _("The changed bookings of order %(number)s are settled: it is %(amount)s.")
        amount = _amount(order.activity_mbq, order.injections, order.deliver_at)
        if order.deleted_at is not None:
            amount = _("taken back")
        notify(owner, text % {"number": order.pk, "amount": amount}, url=order_page(order))


def order_page(order: Order) -> str:
    return f"/tracershop/orders/{order.pk}/"
