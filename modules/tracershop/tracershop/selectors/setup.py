"""What the set-up pages read: what stands on a record, what is doubtful, what is missing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from portal.access.decision import visible
from tracershop.models import (
    CatalogueEntry,
    ClosedDay,
    Contact,
    Customer,
    DeliverySlot,
    Endpoint,
    Isotope,
    Order,
    OrderDeadline,
    ProductionRun,
    QualityTest,
    Representation,
    Tracer,
)
from tracershop.models.reach import SETUP
from tracershop.rules.holidays import ProposedDay, proposed_days
from tracershop.rules.orders import OrderStatus
from tracershop.rules.setup import (
    SetupDoubt,
    SetupDoubtCode,
    WeeklyRun,
    minutes_after,
    slot_doubts,
)
from tracershop.rules.slots import WeeklySlot
from tracershop.rules.weeks import WeekParity

_BY_SLOT = (Tracer.Kind.ACTIVITY, Tracer.Kind.ISOTOPE)


def orders_to_come(*where: Q, **values: Any) -> QuerySet[Order]:
    """Orders of today and later that are neither deleted nor rejected."""
    ahead = Order.objects.filter(*where, deliver_on__gte=timezone.localdate(), **values)
    return ahead.exclude(status=OrderStatus.REJECTED.value)


def orders_in(slot: DeliverySlot) -> QuerySet[Order]:
    """Orders to come that are delivered in the slot, or were ordered for it."""
    return orders_to_come(Q(slot=slot) | Q(moved_from_slot=slot))


# --- doubts ---------------------------------------------------------------------------------------


def doubts_of_slot(slot: DeliverySlot, old: DeliverySlot | None) -> list[SetupDoubt]:
    """What in a slot is probably not meant, before it is saved."""
    code, tracer = SetupDoubtCode, slot.run.tracer
    others = DeliverySlot.objects.filter(endpoint=slot.endpoint, run__tracer=tracer)
    found = slot_doubts(
        _weekly(slot),
        WeeklyRun(slot.run.weekday, slot.run.ends_at),
        shelf_life_min=tracer.shelf_life_min,
        others=[_weekly(other) for other in others],
        today=timezone.localdate(),
    )
    if not CatalogueEntry.objects.filter(endpoint=slot.endpoint, tracer=tracer).exists():
        facts = {"tracer": str(tracer), "endpoint": str(slot.endpoint)}
        found.append(SetupDoubt(code.NOT_IN_CATALOGUE, facts))
    if not tracer.by_slot:
        found.append(SetupDoubt(code.BY_INJECTIONS, {"tracer": str(tracer)}))
    if old is not None and _when(old) != _when(slot) and (count := orders_in(old).count()):
        found.append(SetupDoubt(code.ORDERS_STAY, {"count": count}))
    return found


def _weekly(slot: DeliverySlot) -> WeeklySlot:
    return WeeklySlot(
        key=slot.pk or 0,
        weekday=slot.weekday,
        deliver_time=slot.deliver_time,
        parity=WeekParity(slot.parity),
        expires_on=slot.expires_on,
    )


def _when(slot: DeliverySlot) -> tuple[Any, ...]:
    return slot.weekday, slot.deliver_time, slot.parity, slot.expires_on


def doubts_of_run(run: ProductionRun, old: ProductionRun | None) -> list[SetupDoubt]:
    """Slots that another time of the run would leave without their tracer."""
    if old is None:
        return []
    weekly = WeeklyRun(run.weekday, run.ends_at)
    count = sum(
        minutes_after(weekly, slot.weekday, slot.deliver_time) > run.tracer.shelf_life_min
        for slot in DeliverySlot.objects.filter(run=run)
    )
    return [SetupDoubt(SetupDoubtCode.SLOTS_OUT_OF_REACH, {"count": count})] if count else []


def doubts_of_isotope(isotope: Isotope, old: Isotope | None) -> list[SetupDoubt]:
    """Orders whose decay is calculated otherwise from now on; what was signed is not."""
    if old is None or old.half_life_s == isotope.half_life_s:
        return []
    count = orders_to_come(tracer__isotope=isotope).count()
    return [SetupDoubt(SetupDoubtCode.HALF_LIFE_IN_USE, {"count": count})] if count else []


def doubts_of_closed_day(closed: ClosedDay, old: ClosedDay | None) -> list[SetupDoubt]:
    """Orders that are placed for the day already."""
    if old is not None and old.day == closed.day:
        return []
    count = orders_to_come(deliver_on=closed.day).count()
    facts = {"day": closed.day, "count": count}
    return [SetupDoubt(SetupDoubtCode.ORDERS_ON_CLOSED_DAY, facts)] if count else []


# --- pages ----------------------------------------------------------------------------------------


@dataclass
class EndpointSetup:
    """An endpoint with what may be ordered there, and when it is delivered."""

    endpoint: Endpoint
    catalogue: list[CatalogueEntry] = field(default_factory=list)
    slots: list[DeliverySlot] = field(default_factory=list)


@dataclass(frozen=True)
class CustomerSetup:
    customer: Customer
    contacts: list[Contact]
    endpoints: list[EndpointSetup]
    representations: list[Representation]


def customer_setup(user: Any, pk: int) -> CustomerSetup | None:
    """Everything that is set up for a customer in the person's reach; a fixed number of queries."""
    customers = visible(user, Customer.objects.select_related("unit"), SETUP)
    customer = customers.filter(pk=pk).first()
    if customer is None:
        return None
    endpoints = {
        row.pk: EndpointSetup(row)
        for row in Endpoint.objects.filter(customer=customer)
        .select_related("customer")
        .order_by("name")
    }
    entries = CatalogueEntry.objects.filter(endpoint__in=endpoints)
    for entry in entries.select_related("tracer").order_by("tracer__name"):
        endpoints[entry.endpoint_id].catalogue.append(entry)
    slots = DeliverySlot.objects.filter(endpoint__in=endpoints).select_related("run__tracer")
    for slot in slots.order_by("run__tracer__name", "weekday", "deliver_time", "pk"):
        endpoints[slot.endpoint_id].slots.append(slot)
    represented = Representation.objects.filter(customer=customer).select_related("user")
    return CustomerSetup(
        customer=customer,
        contacts=list(Contact.objects.filter(customer=customer)),
        endpoints=list(endpoints.values()),
        representations=list(represented.order_by("user__name", "pk")),
    )


@dataclass(frozen=True)
class DayToClose:
    """A proposed day; ``closed`` when it is marked already, ``orders`` that are placed for it."""

    proposed: ProposedDay
    closed: bool
    orders: int


def days_to_close(year: int, language: str, today: date) -> list[DayToClose]:
    """The proposal for what is left of a year, beside what is marked already."""
    days = [each for each in proposed_days(year, language=language) if each.day >= today]
    marked = set(ClosedDay.objects.filter(day__year=year).values_list("day", flat=True))
    counted = orders_to_come(deliver_on__year=year).values("deliver_on").annotate(n=Count("pk"))
    orders = {row["deliver_on"]: row["n"] for row in counted.order_by()}
    return [DayToClose(each, each.day in marked, orders.get(each.day, 0)) for each in days]


# --- what is missing ------------------------------------------------------------------------------


@dataclass
class Gaps:
    """What keeps customers from ordering, or production from recalling."""

    without_deadline: list[str] = field(default_factory=list)
    """Kinds of order that have a tracer and no deadline."""
    without_contact: list[Customer] = field(default_factory=list)
    without_endpoint: list[Customer] = field(default_factory=list)
    without_slot: list[CatalogueEntry] = field(default_factory=list)
    not_in_catalogue: list[DeliverySlot] = field(default_factory=list)
    without_quality_test: list[Tracer] = field(default_factory=list)
    years_without_closed_days: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(vars(self).values())


def gaps(user: Any, today: date) -> Gaps:
    """What the set-up lacks, in the person's reach; a fixed number of queries."""
    customers = visible(user, Customer.objects.order_by("name"), SETUP)
    entries = visible(user, CatalogueEntry.objects.all(), SETUP)
    slots = visible(user, DeliverySlot.objects.all(), SETUP)
    slots = slots.exclude(expires_on__lt=today).select_related("endpoint", "run__tracer")
    same_place = {"endpoint": OuterRef("endpoint"), "run__tracer": OuterRef("tracer")}
    entry_there = {"endpoint": OuterRef("endpoint"), "tracer": OuterRef("run__tracer")}
    kinds = set(entries.values_list("tracer__kind", flat=True))
    kinds -= set(OrderDeadline.objects.values_list("order_kind", flat=True))
    closed_years = {day.year for day in ClosedDay.objects.values_list("day", flat=True)}
    return Gaps(
        without_deadline=sorted(str(Tracer.Kind(kind).label) for kind in kinds),
        without_contact=list(customers.exclude(_has(Contact, "customer"))),
        without_endpoint=list(customers.exclude(_has(Endpoint, "customer"))),
        without_slot=list(
            entries.filter(tracer__kind__in=_BY_SLOT)
            .exclude(Exists(DeliverySlot.objects.filter(**same_place)))
            .select_related("endpoint", "tracer")
            .order_by("endpoint__name", "tracer__name")
        ),
        not_in_catalogue=list(
            slots.exclude(Exists(CatalogueEntry.objects.filter(**entry_there))).order_by("pk")
        ),
        without_quality_test=list(
            Tracer.objects.exclude(_has(QualityTest, "tracer")).order_by("name")
        ),
        years_without_closed_days=sorted(_planned_years(today) - closed_years),
    )


def _has(model: Any, owner: str) -> Exists:
    return Exists(model.objects.filter(**{owner: OuterRef("pk")}))


def _planned_years(today: date) -> set[int]:
    """This year, and from October on the next one too."""
    return {today.year, today.year + 1} if today.month >= 10 else {today.year}


def sizes(user: Any, models: dict[str, Any]) -> dict[str, int]:
    """How many records of each kind the person keeps; a query for each."""
    counted: dict[str, int] = defaultdict(int)
    for name, model in models.items():
        counted[name] = visible(user, model.objects.all(), SETUP).count()
    return dict(counted)
