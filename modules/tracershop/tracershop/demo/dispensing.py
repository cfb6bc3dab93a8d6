"""What the demo's dispenser fills: vials for orders, spare ones, and two that need a person."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from portal.records.context import ServiceActor
from tracershop.demo.shop import FDG, NORTH, Shop
from tracershop.interfaces.dispensed import DispensedVial, ValueStatus
from tracershop.models import Customer, Order, ProductionRun, Tracer, Vial
from tracershop.rules.decay import activity_at
from tracershop.rules.lots import LotNumber
from tracershop.rules.moments import local_moment
from tracershop.selectors.schedule import site_zone
from tracershop.services.dispenser import Taken, take_vial

DISPENSER = ServiceActor("dispenser import")
_AFTER_RUN = timedelta(minutes=15)
_SHELF_LIFE = timedelta(hours=10)
_NOBODYS_NUMBER, _NOBODYS_NAME = 99, "Klinik Hareskov"
_ISOTOPE_WORDS = {"FDG": "18F", "PSMA": "68Ga", "H2O": "15O", "NAF": "18F"}


def run_of(order: Order) -> datetime:
    """The end of the synthesis that feeds the order; half an hour before, for injections."""
    if order.slot is None:
        return order.deliver_at - timedelta(minutes=45)
    return local_moment(order.slot.run.ends_at, order.deliver_on, site_zone())


def lot_of(order: Order) -> LotNumber:
    """The lot of its run: the first, second, … of the tracer on that day."""
    number = 1
    if order.slot is not None:
        run = order.slot.run
        number += ProductionRun.objects.filter(
            tracer=run.tracer, weekday=run.weekday, ends_at__lt=run.ends_at
        ).count()
    return LotNumber(order.tracer.lot_prefix, order.deliver_on, number)


def dispense(order: Order, now: datetime, *, share: float) -> list[Vial]:
    """The vials of an order, one or (where it is large) two; they hold ``share`` of it."""
    assert order.activity_mbq is not None  # noqa: S101 only orders of activity come here
    parts = 2 if order.activity_mbq >= 2000 else 1
    return [
        fill(order, order.activity_mbq * share / parts, now, part=part)
        for part in range(1, parts + 1)
    ]


def fill(order: Order, mbq: float, now: datetime, *, part: int) -> Vial:
    """A vial that has ``mbq`` at the order's delivery, filled after its run, but not after now."""
    filled_at = _filled_at(order, now) + timedelta(seconds=37 * part)
    half_life_s = order.tracer.isotope.half_life_s
    return _take(
        tracer=order.tracer,
        customer=order.customer,
        lot=lot_of(order),
        filled_at=filled_at,
        activity_mbq=activity_at(mbq, half_life_s, order.deliver_at, filled_at),
        expires_at=max(filled_at + _SHELF_LIFE, order.deliver_at + timedelta(hours=2)),
        part=part,
    )


def _filled_at(order: Order, now: datetime) -> datetime:
    midnight = local_moment(time(0), order.deliver_on, site_zone())
    filled_at = min(run_of(order) + _AFTER_RUN, now - timedelta(minutes=10))
    return max(filled_at, midnight).replace(microsecond=0)


def _take(
    *,
    tracer: Tracer,
    customer: Customer | None,
    lot: LotNumber,
    filled_at: datetime,
    activity_mbq: float,
    part: int,
    expires_at: datetime | None = None,
    status: ValueStatus = ValueStatus.INSTRUMENT,
) -> Vial:
    taken = take_vial(
        actor=DISPENSER,
        vial=DispensedVial(
            lot=str(lot),
            customer_id=customer.dispenser_id if customer else _NOBODYS_NUMBER,
            customer_name=customer.name if customer else _NOBODYS_NAME,
            filled_at=filled_at,
            activity_mbq=round(activity_mbq, 1),
            volume_ml=round(1.5 + activity_mbq / 9000 + part / 10, 2),
            product=_ISOTOPE_WORDS[tracer.lot_prefix],
            expires_at=expires_at or filled_at + _SHELF_LIFE,
            dispenser="DK-465",
            part=str(part),
            position=str(part),
            value_status=status,
        ),
        source=None,
        taken=Taken(),
        now=filled_at + timedelta(minutes=1),
    )
    if taken is None:
        raise RuntimeError(f"the demo's vial of {lot} is there already")
    return taken


def dispense_spares(shop: Shop, today: date, now: datetime) -> None:
    """A free vial for each delivery of FDG that is still to come today, the next two at most for
    each endpoint; for the last one when all are over."""
    orders = list(
        Order.objects.filter(deliver_on=today, tracer=shop.tracers[FDG], vials__isnull=True)
        .exclude(status__in=(Order.Status.RELEASED, Order.Status.REJECTED))
        .select_related("tracer__isotope", "customer", "slot__run__tracer")
        .order_by("deliver_at", "pk")
    )
    upcoming = [order for order in orders if order.deliver_at > now] or orders[-1:]
    seen: dict[Any, int] = {}
    for order in upcoming:
        seen[order.endpoint_id] = seen.get(order.endpoint_id, 0) + 1
        if seen[order.endpoint_id] <= 2:
            fill(order, (order.activity_mbq or 0) * 1.1, now, part=2 + order.pk % 7)


def were_dispensed(day: date) -> bool:
    """Whether the day has its spare and odd vials: what the file called the customer stays."""
    label = f"{_NOBODYS_NUMBER}-{_NOBODYS_NAME}"
    return Vial.all_objects.filter(filled_at__date=day, customer_label=label).exists()


def dispense_oddities(shop: Shop, today: date, now: datetime) -> None:
    """One vial of a customer that nobody knows: held. One with warnings: typed, yesterday's lot."""
    fdg, midnight = shop.tracers[FDG], local_moment(time(0), today, site_zone())
    filled_at = max(now - timedelta(minutes=30), midnight).replace(microsecond=0)
    prefix = fdg.lot_prefix
    _take(
        tracer=fdg,
        customer=None,
        lot=LotNumber(prefix, today, 1),
        filled_at=filled_at,
        activity_mbq=1850,
        part=8,
    )
    _take(
        tracer=fdg,
        customer=shop.customers[NORTH],
        lot=LotNumber(prefix, today - timedelta(days=1), 3),
        filled_at=filled_at + timedelta(seconds=90),
        activity_mbq=1240,
        part=9,
        status=ValueStatus.KEYBOARD,
    )


def next_vials(shop: Shop, now: datetime) -> list[DispensedVial]:
    """Two vials as the dispenser would write them now, for files to try the import with."""
    customer, today = shop.customers[NORTH], timezone.localdate()
    filled_at = timezone.localtime(now - timedelta(minutes=2)).replace(microsecond=0)
    return [
        DispensedVial(
            lot=str(LotNumber(shop.tracers[FDG].lot_prefix, today, 4)),
            customer_id=customer.dispenser_id,
            customer_name=customer.name,
            filled_at=filled_at + timedelta(seconds=20 * part),
            activity_mbq=4200.5 + part,
            volume_ml=3.2,
            product="18F",
            expires_at=(filled_at + _SHELF_LIFE).replace(second=0),
            dispenser="DK-465",
            part=str(part),
            position=str(part),
            value_status=ValueStatus.INSTRUMENT,
        )
        for part in (1, 2)
    ]
