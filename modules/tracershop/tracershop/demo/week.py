"""The demo's week: yesterday's releases, today's work in the middle, orders for the days to come.

Everything goes through the services, as the people whose work it is; only the hour at which they
would have done it is given, so that deadlines and expiry are what they would have been. The worker
issues the certificates of what is released here, as it always does.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from django.utils import timezone

from portal.records.context import ServiceActor
from portal.signing.services import unlock
from tracershop.demo.dispensing import (
    dispense,
    dispense_oddities,
    dispense_spares,
    lot_of,
    run_of,
    were_dispensed,
)
from tracershop.demo.quality import let_through, prepare_batch, reject_lot
from tracershop.demo.radiology import book, order_from_bookings
from tracershop.demo.shipping import ship_released
from tracershop.demo.shop import (
    FDG,
    FLUORIDE,
    NORTH_1,
    NORTH_2,
    PSMA,
    SOUTH_1,
    STABLE,
    WATER,
    Shop,
)
from tracershop.demo.staff import pin_of
from tracershop.models import Booking, CatalogueEntry, Order, QualityTest
from tracershop.rules.moments import local_moment
from tracershop.selectors.schedule import Calendar, SlotOnDay, site_zone, visible_slots
from tracershop.services.ordering import place_activity_order, place_injection_order
from tracershop.services.production import accept_orders, reject_orders
from tracershop.services.release import ReleaseRequest, release_orders
from tracershop.services.vials import allocate_vials

LOADER = ServiceActor("demo")
DAYS_AHEAD = 6
_RADIOCHEMIST = "demo-radiochemist"
_ORDERER = {NORTH_1: "demo-secretary", NORTH_2: "demo-secretary", STABLE: "demo-external"}
# of which a little less than ordered was delivered, confirmed by the releaser
_SHORT_DELIVERY = time(16)
_BEFORE_DEADLINE = timedelta(hours=2)

# endpoint, tracer, deliver time, MBq; an order is placed where the day has such a slot
_FULL_DAY = (
    (NORTH_1, FDG, time(8, 15), 2400),
    (NORTH_1, FDG, time(10, 45), 1400),
    (NORTH_1, FDG, time(13, 30), 1800),
    (NORTH_1, FDG, time(16), 900),
    (NORTH_1, FDG, time(20), 450),
    (NORTH_2, FDG, time(8, 15), 2100),
    (NORTH_2, FDG, time(13, 30), 1500),
    (NORTH_2, PSMA, time(10, 15), 450),
    (SOUTH_1, FDG, time(9), 3200),
    (SOUTH_1, FDG, time(12, 30), 1900),
    (SOUTH_1, PSMA, time(14, 15), 320),
    (STABLE, FDG, time(13), 600),
    (NORTH_1, FLUORIDE, time(9, 30), 750),
)
_NEAR_DAY = _FULL_DAY[:5] + _FULL_DAY[7:9] + _FULL_DAY[11:]
_LATER_DAY = _FULL_DAY[:2] + _FULL_DAY[8:9] + _FULL_DAY[11:]


def fill_week(shop: Shop) -> None:
    """Orders from yesterday to six days ahead, bookings, today's vials: what is missing of them."""
    now = timezone.now()
    today = timezone.localdate()
    calendar = Calendar(today - timedelta(days=1), today + timedelta(days=DAYS_AHEAD))
    open_days = [
        day
        for offset in range(-1, DAYS_AHEAD + 1)
        if (day := today + timedelta(days=offset)) not in calendar.closed
    ]
    missing = [day for day in open_days if not Order.all_objects.filter(deliver_on=day).exists()]
    for day in _days_booked(calendar, open_days, today):
        book(shop, day)
    placed = {day: _place_orders(shop, calendar, day, now) for day in missing}
    if today in missing:
        placed[today] += order_from_bookings(shop, today, calendar)
        _order_late(shop, calendar, today, now)
    for day, orders in placed.items():
        if day < today:
            _work_off(shop, orders)
        elif day == today:
            _work_on(shop, orders, now)
        else:
            _look_ahead(shop, orders)
    if today in open_days and not were_dispensed(today):
        dispense_spares(shop, today, now)
        dispense_oddities(shop, today, now)


def _days_booked(calendar: Calendar, open_days: list[date], today: date) -> list[date]:
    """Today, tomorrow, and the first day that can be ordered for until midnight."""
    tomorrow = today + timedelta(days=1)
    midnight = local_moment(time(0), tomorrow, site_zone())
    orderable = [day for day in open_days if calendar.window("activity", day, midnight) is None]
    wanted = {today, tomorrow, *orderable[:1]} & set(open_days)
    return [day for day in sorted(wanted) if not _has_bookings(day)]


def _has_bookings(day: date) -> bool:
    return Booking.all_objects.filter(starts_at__date=day).exists()


# --- ordering --------------------------------------------------------------------------------


def _place_orders(shop: Shop, calendar: Calendar, day: date, now: datetime) -> list[Order]:
    distance = abs((day - timezone.localdate()).days)
    wanted = {0: _FULL_DAY, 1: _NEAR_DAY}.get(distance, _LATER_DAY)
    ordered = [
        place_activity_order(
            actor=shop.people[_ORDERER.get(endpoint, "demo-secretary-south")],
            slot_id=slot.slot.pk,
            day=day,
            activity_mbq=mbq,
            intended_use=Order.Use.ANIMAL if endpoint == STABLE else Order.Use.HUMAN,
            comment="Mus, forsøg 4" if endpoint == STABLE else "",
            now=_ordered_at(slot.deadline_at, now),
        )
        for endpoint, tracer, at, mbq in wanted
        if (slot := _slot(shop, calendar, endpoint, tracer, day, at))
    ]
    if distance <= 1:
        ordered.append(
            place_injection_order(
                actor=shop.people["demo-secretary"],
                endpoint_id=shop.endpoints[NORTH_1].pk,
                tracer_id=shop.tracers[WATER].pk,
                inject_at=local_moment(time(11), day, site_zone()),
                injections=2,
                intended_use=Order.Use.HUMAN,
                now=_ordered_at(calendar.deadline("injection", day), now),
            )
        )
    return ordered


def _ordered_at(deadline_at: datetime | None, now: datetime) -> datetime:
    """Two hours before the deadline, or now where that is still ahead."""
    return min(now, deadline_at - _BEFORE_DEADLINE) if deadline_at else now


def _slot(
    shop: Shop, calendar: Calendar, endpoint: str, tracer: str, day: date, at: time
) -> SlotOnDay | None:
    weekly = visible_slots(LOADER).filter(
        endpoint=shop.endpoints[endpoint], run__tracer=shop.tracers[tracer], deliver_time=at
    )
    entries = {
        (entry.endpoint_id, entry.tracer_id): entry for entry in CatalogueEntry.objects.all()
    }
    found = calendar.on(day, weekly, entries, timezone.now())
    return next(iter(found), None)


def _order_late(shop: Shop, calendar: Calendar, today: date, now: datetime) -> None:
    """Production orders on a customer's behalf, for a patient of this morning."""
    slot = _slot(shop, calendar, NORTH_1, FDG, today, time(20))
    if slot is not None:
        place_activity_order(
            actor=shop.people[_RADIOCHEMIST],
            slot_id=slot.slot.pk,
            day=today,
            activity_mbq=300,
            late_reason="Akut patient, ringet ind af afdelingen",
            now=min(now, slot.deliver_at - timedelta(hours=4)),
        )


# --- production ------------------------------------------------------------------------------


def _work_off(shop: Shop, orders: list[Order]) -> None:
    """A day gone by: all but one order released, each from vials of its run."""
    radiochemist = shop.people[_RADIOCHEMIST]
    rejected = next(order for order in orders if order.deliver_at == _last(orders))
    released = [order for order in orders if order is not rejected]
    accept_orders(actor=radiochemist, order_ids=[order.pk for order in released])
    reject_orders(
        actor=radiochemist,
        order_ids=[rejected.pk],
        reason="Aftenens syntese gav for lidt aktivitet",
    )
    _release(shop, released)
    ship_released(radiochemist, released)
    if rejected.kind == Order.Kind.ACTIVITY:
        signer = unlock(radiochemist, pin_of(_RADIOCHEMIST))
        reject_lot(radiochemist, str(lot_of(rejected)), rejected.tracer_id, signer)


def _last(orders: list[Order]) -> datetime:
    return max(order.deliver_at for order in orders)


def _work_on(shop: Shop, orders: list[Order], now: datetime) -> None:
    """Today: released is what was due; the two deliveries that come next are accepted, and the
    first of them has its vials; later ones are as they were ordered."""
    radiochemist = shop.people[_RADIOCHEMIST]
    due = [order for order in orders if order.deliver_at <= now]
    with_vials = [order for order in orders if order.activity_mbq]
    moments = sorted({order.deliver_at for order in with_vials if order.deliver_at > now})
    if not moments:  # late in the evening: the last delivery still waits for its release
        moments = [_last(due)]
        due = [order for order in due if order.deliver_at < moments[0]]
    until = moments[:2][-1]
    upcoming = [order for order in orders if order not in due and order.deliver_at <= until]
    accept_orders(actor=radiochemist, order_ids=[order.pk for order in due + upcoming])
    if due:
        _release(shop, due)
    for order in upcoming:
        if order.deliver_at == moments[0] and order.activity_mbq:
            vials = dispense(order, now, share=1.02)
            allocate_vials(
                actor=radiochemist, order_id=order.pk, vial_ids=[vial.pk for vial in vials]
            )
            if QualityTest.objects.filter(tracer=order.tracer_id).exists():
                prepare_batch(radiochemist, order, whole=False)  # waits for its verdict


def _look_ahead(shop: Shop, orders: list[Order]) -> None:
    """Days to come: the first order is accepted, the rest waits for production."""
    if orders:
        accept_orders(actor=shop.people[_RADIOCHEMIST], order_ids=[orders[0].pk])


def _release(shop: Shop, orders: list[Order]) -> None:
    radiochemist = shop.people[_RADIOCHEMIST]
    signer = unlock(radiochemist, pin_of(_RADIOCHEMIST))
    for order in orders:
        lot = str(lot_of(order))
        short = timezone.localtime(order.deliver_at).time() == _SHORT_DELIVERY
        vials = []
        if order.activity_mbq:
            vials = dispense(order, timezone.now(), share=0.96 if short else 1.02)
        let_through(radiochemist, order, signer, whole=order.deliver_on < timezone.localdate())
        release_orders(
            actor=radiochemist,
            requests=[
                ReleaseRequest(
                    order.pk,
                    frozenset(vial.pk for vial in vials),
                    lot="" if vials else lot,
                    confirmed=frozenset({"less_activity", "conditional_batch"}),
                )
            ],
            signer=signer,
            now=run_of(order) + timedelta(minutes=40),
        )
