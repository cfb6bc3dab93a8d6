"""The demo's shop: customers, endpoints, tracers, runs, slots, deadlines, rights and mappings.

Set-up that has no service yet is written directly; rights and mappings go through services, by the
people whose work that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from portal.organisation.models import Unit
from portal.records.services import create_many
from tracershop.models import (
    CatalogueEntry,
    ClosedDay,
    Customer,
    DeliverySlot,
    Endpoint,
    Isotope,
    OrderDeadline,
    ProductionRun,
    Tracer,
)
from tracershop.rules.isotopes import ISOTOPES
from tracershop.services.certifications import certify
from tracershop.services.mappings import map_procedure, map_room
from tracershop.services.representation import let_represent

FDG, PSMA, WATER = "[18F]FDG", "[68Ga]PSMA-11", "[15O]Vand"
FLUORIDE = "[18F]Fluorid"  # ordered as the bare isotope
NORTH, SOUTH = "Nuklearmedicin Nordhavn", "Nuklearmedicin Køge Bugt"
COMPANY = "Sundbyøster Dyreforsøg ApS"
NORTH_1, NORTH_2 = "Nordhavn PET/CT 1", "Nordhavn PET/CT 2"
SOUTH_1, SOUTH_2 = "Køge Bugt PET/CT", "Køge Bugt PET/MR"
STABLE = "Dyrestald, Sundbyøster"

# endpoint, tracer, overhead factor, greatest number of injections
_CATALOGUE = (
    (NORTH_1, FDG, 1.25, 0),
    (NORTH_1, WATER, 1.0, 6),
    (NORTH_1, FLUORIDE, 1.2, 0),
    (NORTH_2, FDG, 1.25, 0),
    (NORTH_2, PSMA, 1.2, 0),
    (NORTH_2, WATER, 1.0, 4),
    (SOUTH_1, FDG, 1.35, 0),
    (SOUTH_1, PSMA, 1.3, 0),
    (SOUTH_2, FDG, 1.35, 0),
    (STABLE, FDG, 1.1, 0),
    (STABLE, FLUORIDE, 1.1, 0),
)
_WEEK, _WORKDAYS = range(7), range(5)
# tracer, weekdays, ends of synthesis
_RUNS = (
    (FDG, _WEEK, (time(6, 30), time(11, 30), time(17, 30))),
    (PSMA, _WORKDAYS, (time(9, 15), time(12, 45))),
    (FLUORIDE, _WORKDAYS, (time(7, 15),)),
)
EVERY, EVEN, ODD = DeliverySlot.Parity.EVERY, DeliverySlot.Parity.EVEN, DeliverySlot.Parity.ODD
# endpoint, tracer, weekdays, deliver times, weeks
_SLOTS: tuple[tuple[str, str, Any, tuple[time, ...], str], ...] = (
    (NORTH_1, FDG, _WEEK, (time(8, 15), time(10, 45), time(13, 30), time(16), time(20)), EVERY),
    (NORTH_2, FDG, _WORKDAYS, (time(8, 15), time(13, 30)), EVERY),
    (NORTH_2, PSMA, _WORKDAYS, (time(10, 15), time(13, 45)), EVERY),
    (SOUTH_1, FDG, _WORKDAYS, (time(9), time(12, 30)), EVERY),
    (SOUTH_1, PSMA, _WORKDAYS, (time(14, 15),), EVERY),
    (SOUTH_2, FDG, (1, 3), (time(9, 30),), EVEN),
    (SOUTH_2, FDG, (0, 2), (time(12, 45),), ODD),
    (STABLE, FDG, (1, 3), (time(13),), EVERY),
    (NORTH_1, FLUORIDE, _WORKDAYS, (time(9, 30),), EVERY),
    (STABLE, FLUORIDE, (1, 3), (time(11),), EVERY),
)
# room, endpoint
ROOMS = (("PET1", NORTH_1), ("PET2", NORTH_2), ("KPET1", SOUTH_1))
# procedure, endpoint, tracer, MBq or injections, minutes from the booked start to the injection
_PROCEDURES = (
    ("FDG-HELKROP", NORTH_1, FDG, 300, 15),
    ("FDG-HJERNE", NORTH_1, FDG, 200, 15),
    ("VAND-HJERTE", NORTH_1, WATER, 2, 20),
    ("FDG-HELKROP", NORTH_2, FDG, 300, 15),
    ("PSMA-HELKROP", NORTH_2, PSMA, 150, 10),
    ("FDG-HELKROP", SOUTH_1, FDG, 280, 20),
    ("PSMA-HELKROP", SOUTH_1, PSMA, 150, 15),
)
# person, customer
_REPRESENTS = (
    ("demo-secretary", NORTH),
    ("demo-superuser", NORTH),
    ("demo-superuser", SOUTH),
    ("demo-secretary-south", SOUTH),
    ("demo-external", COMPANY),
)
_HOLIDAYS = ((1, 1, "Nytårsdag"), (6, 5, "Grundlovsdag"), (12, 24, "Juleaftensdag"),
             (12, 25, "1. juledag"), (12, 26, "2. juledag"))  # fmt: skip


@dataclass(frozen=True)
class Shop:
    """The shop by its names."""

    people: dict[str, Any]
    tracers: dict[str, Tracer]
    customers: dict[str, Customer]
    endpoints: dict[str, Endpoint]


def find_shop(people: dict[str, Any]) -> Shop | None:
    """The shop if it was made already, as it is now."""
    tracers = {tracer.lot_prefix: tracer for tracer in Tracer.all_objects.all()}
    if "FDG" not in tracers:
        return None
    return Shop(
        people=people,
        tracers={
            FDG: tracers["FDG"],
            PSMA: tracers["PSMA"],
            WATER: tracers["H2O"],
            FLUORIDE: tracers["NAF"],
        },
        customers={row.name: row for row in Customer.all_objects.all()},
        endpoints={row.name: row for row in Endpoint.all_objects.select_related("customer__unit")},
    )


@transaction.atomic
def make_shop(people: dict[str, Any], units: dict[str, Unit]) -> Shop:
    """Everything that an order needs, all or nothing."""
    _make_tracers()
    _make_customers(units)
    shop = find_shop(people)
    assert shop is not None  # noqa: S101 its tracers were made above
    _make_catalogue(shop)
    _make_schedule(shop)
    _give_rights(shop)
    _make_mappings(shop)
    return shop


def _make_tracers() -> None:
    isotopes = {
        isotope.symbol: Isotope.all_objects.filter(symbol=isotope.symbol).first()
        or Isotope.objects.create(
            symbol=isotope.symbol, half_life_s=isotope.half_life_s, source=isotope.source
        )
        for isotope in ISOTOPES.values()
    }
    activity, injection = Tracer.Kind.ACTIVITY, Tracer.Kind.INJECTION
    for name, symbol, kind, prefix, largest_mbq, form in (
        (FDG, "F-18", activity, "FDG", 100_000, "væske, fludeoxyglucose i saltvand"),
        (PSMA, "Ga-68", activity, "PSMA", 5_000, "væske, gallium-PSMA-11 i saltvand"),
        (WATER, "O-15", injection, "H2O", 20_000, "væske, vand til injektion"),
        (FLUORIDE, "F-18", Tracer.Kind.ISOTOPE, "NAF", 50_000, "væske, natriumfluorid i saltvand"),
    ):
        Tracer.objects.create(
            name=name,
            isotope=isotopes[symbol],
            kind=kind,
            lot_prefix=prefix,
            min_vial_mbq=10,
            max_vial_mbq=largest_mbq,
            max_vial_ml=30,
            chemical_form=form,
        )


def _make_customers(units: dict[str, Unit]) -> None:
    for name, unit, number, external, address, endpoints in (
        (NORTH, "nuk-a", 4, False, "Kajgade 12, 2150 Nordhavn", (NORTH_1, NORTH_2)),
        (SOUTH, "nuk-b", 7, False, "Lyngbakken 3, 4600 Køge", (SOUTH_1, SOUTH_2)),
        (COMPANY, "company-x", 12, True, "Kornblomstvej 8, 2300 København S", (STABLE,)),
    ):
        customer = Customer.objects.create(
            name=name, unit=units[unit], dispenser_id=number, external=external, address=address
        )
        for endpoint in endpoints:
            Endpoint.objects.create(customer=customer, name=endpoint)


def _make_catalogue(shop: Shop) -> None:
    create_many(
        CatalogueEntry,
        [
            CatalogueEntry(
                endpoint=shop.endpoints[endpoint],
                tracer=shop.tracers[tracer],
                overhead_factor=overhead,
                max_injections=injections,
            )
            for endpoint, tracer, overhead, injections in _CATALOGUE
        ],
    )


def _make_schedule(shop: Shop) -> None:
    runs = create_many(
        ProductionRun,
        [
            ProductionRun(tracer=shop.tracers[tracer], weekday=weekday, ends_at=ends_at)
            for tracer, weekdays, ends in _RUNS
            for weekday in weekdays
            for ends_at in ends
        ],
    )
    create_many(
        DeliverySlot,
        [
            DeliverySlot(
                endpoint=shop.endpoints[endpoint],
                run=_run_before(runs, shop.tracers[tracer], weekday, at),
                weekday=weekday,
                deliver_time=at,
                parity=parity,
            )
            for endpoint, tracer, weekdays, times, parity in _SLOTS
            for weekday in weekdays
            for at in times
        ],
    )
    OrderDeadline.objects.create(order_kind="activity", kind="daily", at=time(13))
    OrderDeadline.objects.create(order_kind="injection", kind="daily", at=time(16))
    OrderDeadline.objects.create(order_kind="isotope", kind="daily", at=time(12))
    day, name = _next_holiday(timezone.localdate() + timedelta(days=10))
    ClosedDay.objects.create(day=day, name=name)


def _run_before(runs: list[ProductionRun], tracer: Tracer, weekday: int, at: time) -> ProductionRun:
    """The tracer's last run that day before the delivery."""
    possible = [
        run
        for run in runs
        if run.tracer_id == tracer.pk and run.weekday == weekday and run.ends_at < at
    ]
    return max(possible, key=lambda run: run.ends_at)


def _next_holiday(first: date) -> tuple[date, str]:
    days = [
        (date(year, month, day), name)
        for year in (first.year, first.year + 1)
        for month, day, name in _HOLIDAYS
    ]
    return min(pair for pair in days if pair[0] >= first)


def _give_rights(shop: Shop) -> None:
    people, today = shop.people, timezone.localdate()
    for person, customer in _REPRESENTS:
        let_represent(
            actor=people["demo-production-admin"],
            user=people[person],
            customer_id=shop.customers[customer].pk,
            reason="Bestiller for afdelingen",
        )
    everything = (FDG, PSMA, WATER, FLUORIDE)
    for person, by, tracers, days_left in (
        ("demo-radiochemist", "demo-production-admin", everything, 165),
        ("demo-radiochemist-fdg", "demo-production-admin", (FDG,), 12),
        ("demo-production-admin", "demo-site-admin", everything, 165),
    ):
        for tracer in tracers:
            certify(
                actor=people[by],
                user=people[person],
                tracer_id=shop.tracers[tracer].pk,
                valid_from=today - timedelta(days=200),
                expires_on=today + timedelta(days=days_left),
                reason="Oplæring og prøvefrigivelser bestået",
            )


def _make_mappings(shop: Shop) -> None:
    superuser = shop.people["demo-superuser"]
    for room, endpoint in ROOMS:
        map_room(actor=superuser, room=room, endpoint_id=shop.endpoints[endpoint].pk)
    for code, endpoint, tracer, units, delay_min in _PROCEDURES:
        map_procedure(
            actor=superuser,
            procedure_code=code,
            endpoint_id=shop.endpoints[endpoint].pk,
            tracer_id=shop.tracers[tracer].pk,
            units=units,
            delay_min=delay_min,
        )
