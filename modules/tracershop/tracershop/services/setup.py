"""What holds for Tracershop's set-up: each kind of record, and days closed many at once.

Adding, changing and ending is the portal's (:mod:`portal.operations.setup`). A change never alters
orders that are placed: they keep the time, the amount and the overhead that they were placed with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require
from portal.audit.services import record
from portal.live.services import publish
from portal.operations.setup.services import Doubt, SetupRules, Use
from portal.records.errors import Refused
from portal.records.services import create_many, writes
from tracershop.models import (
    Batch,
    CatalogueEntry,
    Certification,
    ClosedDay,
    Contact,
    Customer,
    DeliverySlot,
    Endpoint,
    Isotope,
    Order,
    OrderDeadline,
    ProcedureMapping,
    ProductionRun,
    QualityTest,
    Representation,
    RoomMapping,
    StandingOrder,
    Tracer,
    Vial,
)
from tracershop.models.reach import SETUP
from tracershop.rules.setup import SetupDoubt, needs_source
from tracershop.selectors import setup as selectors
from tracershop.selectors.setup import orders_in, orders_to_come
from tracershop.selectors.topics import announce_setup, customer_topic
from tracershop.words import told

_SLOTS, _ORDERS, _STANDING = _("Delivery slots"), _("Orders to come"), _("Standing orders")
_ENTRIES, _PROCEDURES = _("Catalogue entries"), _("Mapped procedures")
LONGEST_NAME = 100


def _in_words(find: Callable[[Any, Any], Iterable[SetupDoubt]]) -> Callable[[Any, Any], list]:
    return lambda new, old: [Doubt(each.code.value, told(each)) for each in find(new, old)]


def _of_all(row: Any) -> None:
    announce_setup()


def _of_endpoint(row: Any) -> None:
    announce_setup(row.endpoint.customer_id)


# --- customers ------------------------------------------------------------------------------------

CUSTOMERS = SetupRules(
    Customer,
    SETUP,
    taken=_("Another customer has this name or this number in the dispenser already."),
    uses=(
        Use(_("Endpoints"), lambda row: Endpoint.objects.filter(customer=row)),
        Use(_("People who represent it"), lambda row: Representation.objects.filter(customer=row)),
        Use(_STANDING, lambda row: StandingOrder.objects.filter(customer=row)),
        Use(_ORDERS, lambda row: orders_to_come(customer=row)),
    ),
    changed=lambda row: announce_setup(row.pk),
)
CONTACTS = SetupRules(
    Contact,
    SETUP,
    fixed=("customer",),
    changed=lambda row: publish(customer_topic(row.customer_id), "contacts"),
)
ENDPOINTS = SetupRules(
    Endpoint,
    SETUP,
    taken=_("The customer has an endpoint of this name already."),
    fixed=("customer",),
    uses=(
        Use(_SLOTS, lambda row: DeliverySlot.objects.filter(endpoint=row)),
        Use(_ENTRIES, lambda row: CatalogueEntry.objects.filter(endpoint=row)),
        Use(_("Mapped rooms"), lambda row: RoomMapping.objects.filter(endpoint=row)),
        Use(_PROCEDURES, lambda row: ProcedureMapping.objects.filter(endpoint=row)),
        Use(_STANDING, lambda row: StandingOrder.objects.filter(endpoint=row)),
        Use(_ORDERS, lambda row: orders_to_come(endpoint=row)),
    ),
    changed=lambda row: announce_setup(row.customer_id),
)


def _check_entry(new: CatalogueEntry, old: CatalogueEntry | None) -> None:
    if new.tracer.kind == Tracer.Kind.INJECTION and not new.max_injections:
        text = _("%(tracer)s is ordered by injections: give the greatest number, 1 or more.")
        raise Refused(text % {"tracer": new.tracer}, code="no_injections")


def _there(row: CatalogueEntry) -> dict[str, Any]:
    return {"endpoint": row.endpoint_id, "tracer": row.tracer_id}


CATALOGUE = SetupRules(
    CatalogueEntry,
    SETUP,
    taken=_("The tracer is in the catalogue of this endpoint already."),
    fixed=("endpoint", "tracer"),
    forbids=_check_entry,
    uses=(
        Use(
            _SLOTS,
            lambda row: DeliverySlot.objects.filter(
                endpoint=row.endpoint_id, run__tracer=row.tracer_id
            ),
        ),
        Use(_PROCEDURES, lambda row: ProcedureMapping.objects.filter(**_there(row))),
        Use(_STANDING, lambda row: StandingOrder.objects.filter(**_there(row))),
        Use(_ORDERS, lambda row: orders_to_come(**_there(row))),
    ),
    changed=_of_endpoint,
)

# --- tracers --------------------------------------------------------------------------------------


def _check_isotope(new: Isotope, old: Isotope | None) -> None:
    if needs_source(new.symbol, new.half_life_s, new.source):
        raise Refused(
            _("This half-life is not the table's: say which source it comes from."), code="source"
        )


def _check_tracer(new: Tracer, old: Tracer | None) -> None:
    if new.max_vial_mbq <= new.min_vial_mbq or new.max_vial_ml <= new.min_vial_ml:
        raise Refused(
            _("The greatest plausible value of a vial must be above the least."), code="limits"
        )
    if old is not None and (new.kind, new.isotope_id) != (old.kind, old.isotope_id):
        made = (Order.all_objects, Batch.all_objects, Vial.all_objects)
        if any(rows.filter(tracer=old).exists() for rows in made):
            raise Refused(
                _("It was ordered or made already: set up a new tracer instead."), code="in_use"
            )


def _check_limits(new: QualityTest, old: QualityTest | None) -> None:
    lower, upper = new.lower_limit, new.upper_limit
    if lower is not None and upper is not None and upper < lower:
        raise Refused(_("The upper limit is below the lower one."), code="limits")


ISOTOPES = SetupRules(
    Isotope,
    SETUP,
    taken=_("The isotope is set up already, or stands among the removed ones."),
    fixed=("symbol",),
    forbids=_check_isotope,
    doubts=_in_words(selectors.doubts_of_isotope),
    uses=(Use(_("Tracers"), lambda row: Tracer.objects.filter(isotope=row)),),
    changed=_of_all,
)
TRACERS = SetupRules(
    Tracer,
    SETUP,
    taken=_("A tracer has this name or lot prefix already, perhaps a removed one."),
    forbids=_check_tracer,
    uses=(
        Use(_ENTRIES, lambda row: CatalogueEntry.objects.filter(tracer=row)),
        Use(_("Runs"), lambda row: ProductionRun.objects.filter(tracer=row)),
        Use(_PROCEDURES, lambda row: ProcedureMapping.objects.filter(tracer=row)),
        Use(
            _("Certifications in force"),
            lambda row: Certification.objects.filter(
                tracer=row, expires_on__gte=timezone.localdate()
            ),
        ),
        Use(_STANDING, lambda row: StandingOrder.objects.filter(tracer=row)),
        Use(_ORDERS, lambda row: orders_to_come(tracer=row)),
    ),
    changed=_of_all,
)
QUALITY_TESTS = SetupRules(
    QualityTest,
    SETUP,
    taken=_("The tracer has a test of this name already."),
    fixed=("tracer",),
    forbids=_check_limits,
)

# --- the week -------------------------------------------------------------------------------------


def _check_slot(new: DeliverySlot, old: DeliverySlot | None) -> None:
    if old is not None and new.run.tracer_id != old.run.tracer_id:
        raise Refused(
            _("Another tracer needs a slot of its own: end this one and add that."), code="fixed"
        )


def _check_deadline(new: OrderDeadline, old: OrderDeadline | None) -> None:
    if (new.kind == OrderDeadline.Kind.WEEKLY) != (new.weekday is not None):
        raise Refused(
            _("A weekly deadline has a weekday, one on the last working day has none."),
            code="weekday",
        )


RUNS = SetupRules(
    ProductionRun,
    SETUP,
    taken=_("The tracer has a run at this time already."),
    fixed=("tracer",),
    doubts=_in_words(selectors.doubts_of_run),
    uses=(Use(_SLOTS, lambda row: DeliverySlot.objects.filter(run=row)),),
    changed=_of_all,
)
SLOTS = SetupRules(
    DeliverySlot,
    SETUP,
    taken=_("The endpoint has this slot already."),
    fixed=("endpoint",),
    forbids=_check_slot,
    doubts=_in_words(selectors.doubts_of_slot),
    uses=(
        Use(_STANDING, lambda row: StandingOrder.objects.filter(slot=row)),
        Use(_ORDERS, orders_in),
    ),
    changed=_of_endpoint,
)
DEADLINES = SetupRules(
    OrderDeadline,
    SETUP,
    taken=_("This kind of order has a deadline already: change that one."),
    fixed=("order_kind",),
    forbids=_check_deadline,
    changed=_of_all,
    may_end=False,
)
CLOSED_DAYS = SetupRules(
    ClosedDay,
    SETUP,
    taken=_("This day is closed already."),
    doubts=_in_words(selectors.doubts_of_closed_day),
    changed=_of_all,
)
KINDS = (
    CUSTOMERS, CONTACTS, ENDPOINTS, CATALOGUE, ISOTOPES, TRACERS, QUALITY_TESTS, RUNS, SLOTS,
    DEADLINES, CLOSED_DAYS,
)  # fmt: skip


def is_back(row: Any) -> None:
    """After a set-up record was restored: open pages are told."""
    next(kind for kind in KINDS if kind.model is type(row)).announce("added", row)


@writes
def close_days(*, actor: Any, days: Collection[tuple[date, str]], reason: str) -> list[ClosedDay]:
    """Mark several days as closed, all or none; orders that are placed for them stay.

    Refused: ``none`` where no day is given, ``taken`` where one is closed already, and
    ``reason_needed``.
    """
    require(actor, SETUP)
    if not reason.strip():
        raise Refused(_("Say why: it goes into the audit trail."), code="reason_needed")
    if not days:
        raise Refused(_("Choose at least one day."), code="none")
    rows = [ClosedDay(day=day, name=name.strip()[:LONGEST_NAME]) for day, name in sorted(days)]
    try:
        with transaction.atomic():
            closed = create_many(ClosedDay, rows)
    except IntegrityError:
        raise Refused(
            _("One of the days was closed meanwhile. Look at the list again."), code="taken"
        ) from None
    for row in closed:
        record(CLOSED_DAYS.act("added"), row, data={"day": [None, row.day]})
    CLOSED_DAYS.announce("added", closed[0])
    return closed
