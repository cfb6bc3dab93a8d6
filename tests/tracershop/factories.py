"""A small world of Tracershop for tests: two customers, two tracers, and people of every role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from tracershop.models import (
    Booking,
    CatalogueEntry,
    Certification,
    Customer,
    DeliverySlot,
    Endpoint,
    Isotope,
    Order,
    OrderDeadline,
    ProcedureMapping,
    ProductionRun,
    Representation,
    RoomMapping,
    Tracer,
)

from portal.accounts.models import User
from portal.organisation.models import Unit
from tests.support.factories import give, make_unit, make_user

ZONE = ZoneInfo("Europe/Copenhagen")
MONDAY = date(2026, 11, 23)
"""The day that tests order for."""
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=ZONE)
"""The Friday before, 08:00: five hours before the deadline for Monday."""
FDG_HALF_LIFE_S = 6586.2


def local(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment by the site's clock."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)


@dataclass
class World:
    region: Unit
    customer_a: Customer
    customer_b: Customer
    endpoint_a: Endpoint
    endpoint_b: Endpoint
    fdg: Tracer
    """By activity; in both catalogues, with 25 % overhead."""
    water: Tracer
    """By injections; in both catalogues, at most 4."""
    slot_a: DeliverySlot
    """FDG to endpoint_a, Mondays 08:15; ``slots_a`` has it for Monday to Friday."""
    slots_a: list[DeliverySlot]
    slot_a_late: DeliverySlot
    """FDG to endpoint_a, Mondays 11:30."""
    slot_b: DeliverySlot
    """FDG to endpoint_b, Mondays 09:30."""
    secretary: User
    """Shop, internal; represents customer_a."""
    superuser: User
    """Shop superuser; represents customer_a."""
    other_secretary: User
    """Shop, internal; represents customer_b."""
    external: User
    """Shop, external; represents customer_b."""
    producer: User
    """Production user, certified for FDG."""
    uncertified: User
    """Production user without certification."""
    production_admin: User


def shop_world() -> World:
    """Everything that an order needs to exist; orders are made by tests (see ``make_order``)."""
    region = make_unit("region", name="Region Øst", kind=Unit.Kind.INSTITUTION)
    customer_a = _customer("Nordby Hospital", region, 1)
    customer_b = _customer("Søndersø Sygehus", region, 2)
    endpoint_a = Endpoint.objects.create(customer=customer_a, name="Nordby PET")
    endpoint_b = Endpoint.objects.create(customer=customer_b, name="Søndersø PET")
    fdg, water = _tracers()
    for endpoint in (endpoint_a, endpoint_b):
        CatalogueEntry.objects.create(endpoint=endpoint, tracer=fdg, overhead_factor=1.25)
        CatalogueEntry.objects.create(endpoint=endpoint, tracer=water, max_injections=4)
    slots = _slots(fdg, endpoint_a, endpoint_b)
    for kind, at in (("activity", time(13, 0)), ("injection", time(12, 0))):
        OrderDeadline.objects.create(order_kind=kind, kind=OrderDeadline.Kind.DAILY, at=at)
    people = _people(region, customer_a, customer_b)
    Certification.objects.create(
        user=people["producer"],
        tracer=fdg,
        valid_from=MONDAY - timedelta(days=200),
        expires_on=MONDAY + timedelta(days=200),
        granted_by=people["production_admin"],
    )
    return World(
        region=region,
        customer_a=customer_a,
        customer_b=customer_b,
        endpoint_a=endpoint_a,
        endpoint_b=endpoint_b,
        fdg=fdg,
        water=water,
        **slots,
        **people,
    )


def _customer(name: str, region: Unit, dispenser_id: int) -> Customer:
    code = f"hospital-{dispenser_id}"
    unit = make_unit(code, region, name=name, kind=Unit.Kind.HOSPITAL)
    return Customer.objects.create(name=name, unit=unit, dispenser_id=dispenser_id)


def _tracers() -> tuple[Tracer, Tracer]:
    f18 = Isotope.objects.create(symbol="F-18", half_life_s=FDG_HALF_LIFE_S, source="test")
    o15 = Isotope.objects.create(symbol="O-15", half_life_s=122.24, source="test")
    fdg = Tracer.objects.create(
        name="FDG", isotope=f18, kind=Tracer.Kind.ACTIVITY, lot_prefix="FDG", max_vial_mbq=50_000
    )
    water = Tracer.objects.create(
        name="Water", isotope=o15, kind=Tracer.Kind.INJECTION, lot_prefix="H2O", max_vial_mbq=5_000
    )
    return fdg, water


def _slots(fdg: Tracer, endpoint_a: Endpoint, endpoint_b: Endpoint) -> dict[str, Any]:
    runs = [
        ProductionRun.objects.create(tracer=fdg, weekday=day, ends_at=time(6, 30))
        for day in range(5)
    ]
    slots_a = [
        DeliverySlot.objects.create(
            endpoint=endpoint_a, run=run, weekday=run.weekday, deliver_time=time(8, 15)
        )
        for run in runs
    ]
    late, other = (
        DeliverySlot.objects.create(endpoint=endpoint, run=runs[0], weekday=0, deliver_time=at)
        for endpoint, at in ((endpoint_a, time(11, 30)), (endpoint_b, time(9, 30)))
    )
    return {"slot_a": slots_a[0], "slots_a": slots_a, "slot_a_late": late, "slot_b": other}


def _people(region: Unit, customer_a: Customer, customer_b: Customer) -> dict[str, User]:
    people = {
        "secretary": make_user("Mette Dalgaard"),
        "superuser": make_user("Lone Krogh"),
        "other_secretary": make_user("Bodil Iversen"),
        "external": make_user("Ole Fog", kind=User.Kind.EXTERNAL),
        "producer": make_user("Karen Brandt"),
        "uncertified": make_user("Jens Friis"),
        "production_admin": make_user("Asta Winther"),
    }
    for name, role, unit in (
        ("secretary", "shop_internal", customer_a.unit),
        ("superuser", "shop_superuser", customer_a.unit),
        ("other_secretary", "shop_internal", customer_b.unit),
        ("external", "shop_external", customer_b.unit),
        ("producer", "production_user", region),
        ("uncertified", "production_user", region),
        ("production_admin", "production_admin", region),
    ):
        give(people[name], f"tracershop.{role}", unit)
    for name, customer in (
        ("secretary", customer_a),
        ("superuser", customer_a),
        ("other_secretary", customer_b),
        ("external", customer_b),
    ):
        Representation.objects.create(user=people[name], customer=customer)
    return people


def make_order(world: World, **values: Any) -> Order:
    """An order at ``slot_a`` on MONDAY, of 1000 MBq, *Ordered* by the secretary; or as told.

    With ``injections`` it is an injection order of water to endpoint_a on MONDAY at 10:00.
    """
    slot = values.get("slot", world.slot_a)
    day = values.pop("day", MONDAY)
    fields: dict[str, Any] = {"ordered_by": world.secretary, "deliver_on": day}
    if "injections" in values:
        endpoint = values.get("endpoint", world.endpoint_a)
        fields |= {
            "kind": Order.Kind.INJECTION,
            "tracer": world.water,
            "deliver_at": local(day, 10),
        }
    else:
        endpoint = slot.endpoint
        at = slot.deliver_time
        fields |= {
            "kind": Order.Kind.ACTIVITY,
            "slot": slot,
            "tracer": slot.run.tracer,
            "deliver_at": local(day, at.hour, at.minute),
            "activity_mbq": 1000.0,
            "overhead_factor": 1.25,
        }
    fields |= {"endpoint": endpoint, "customer": endpoint.customer}
    return Order.objects.create(**(fields | values))


def map_fdg(world: World, *, room: str = "PET-1", code: str = "FDG-WB") -> ProcedureMapping:
    """Room → endpoint_a, and the procedure there → 300 MBq FDG, 60 minutes after the start."""
    RoomMapping.objects.create(room=room, endpoint=world.endpoint_a)
    return ProcedureMapping.objects.create(
        procedure_code=code,
        endpoint=world.endpoint_a,
        tracer=world.fdg,
        units=300.0,
        delay_min=60,
    )


def make_booking(accession: str, starts_at: datetime, **values: Any) -> Booking:
    """A booking in PET-1, tied to the endpoint that the room is mapped to now."""
    room = values.pop("room", "PET-1")
    mapping = RoomMapping.objects.filter(room=room).first()
    fields = {"procedure_code": "FDG-WB", "procedure_text": "FDG whole body"} | values
    return Booking.objects.create(
        accession=accession,
        starts_at=starts_at,
        room=room,
        endpoint=mapping.endpoint if mapping else None,
        **fields,
    )


def stop_clock(monkeypatch: Any, at: datetime = NOW) -> None:
    """From here on it is ``at`` for everything that asks ``timezone.now()``."""
    monkeypatch.setattr(timezone, "now", lambda: at.astimezone(ZoneInfo("UTC")))
