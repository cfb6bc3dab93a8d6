"""Vials: settled when their file left something open, allocated to orders."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.audit.services import differences, record
from portal.records.errors import Refused
from portal.records.services import locked, writes
from tracershop.models import Batch, Customer, Order, Tracer, Vial
from tracershop.models.reach import ACCEPT, VIALS
from tracershop.rules.orders import OrderStatus
from tracershop.rules.release import CONDEMNED
from tracershop.selectors import topics
from tracershop.selectors.topics import announce_vial
from tracershop.services.lots import hold_verdicts
from tracershop.services.production import locked_orders


@writes
def settle_vial(*, actor: Any, vial_id: int, tracer_id: int, customer_id: int, reason: str) -> Vial:
    """Say what a held vial is and whose (TS-062); the file's own words stay beside it."""
    vial = locked(visible(actor, Vial.objects.all(), VIALS), vial_id)
    if not vial.is_held:
        raise Refused(_("The vial is settled already."), code="settled")
    tracer = Tracer.objects.filter(pk=tracer_id).first()
    customer = visible(actor, Customer.objects.all()).filter(pk=customer_id).first()
    if tracer is None or customer is None:
        raise Refused(_("Choose a tracer and a customer."), code="gone")
    if not reason.strip():
        raise Refused(_("Settling a vial needs a reason."), code="reason_needed")
    _refuse_twin(vial, customer)
    old = {"tracer": str(vial.tracer or ""), "customer": str(vial.customer or "")}
    vial.tracer, vial.customer = tracer, customer
    vial.save()
    new = {"tracer": str(tracer), "customer": str(customer)}
    record("tracershop.vial_settled", vial, data=differences(old, new))
    announce_vial(vial, "settled")
    return vial


def _refuse_twin(vial: Vial, customer: Customer) -> None:
    """Two files may have told of one vial by names that nobody knew: it must not count twice."""
    twins = Vial.objects.filter(
        customer=customer,
        lot=vial.lot,
        filled_at=vial.filled_at,
        activity_mbq=vial.activity_mbq,
        volume_ml=vial.volume_ml,
    )
    if twins.exclude(pk=vial.pk).exists():
        raise Refused(
            _("This customer has this very vial already: same lot, time, activity and volume."),
            code="twin",
        )


@writes
def allocate_vials(*, actor: Any, order_id: int, vial_ids: Collection[int]) -> Order:
    """Make these the vials that are to serve the order; others that did are free again."""
    lots = set(Vial.objects.filter(pk__in=vial_ids).values_list("lot", flat=True))
    hold_verdicts(lots)
    condemned = set(
        Batch.objects.filter(lot__in=lots, status__in=CONDEMNED).values_list("lot", flat=True)
    )
    (order,) = locked_orders(actor, [order_id])
    require(actor, ACCEPT, order)
    if order.status == OrderStatus.RELEASED:
        raise Refused(_("A released order keeps its vials."), code="released")
    if order.status == OrderStatus.REJECTED:
        raise Refused(_("The order is rejected."), code="rejected")
    before = set(vials_of(order).values_list("pk", flat=True))
    for vial in lock_vials(actor, before | set(vial_ids)):
        if vial.pk not in vial_ids:
            free_vial(vial)
        elif vial.pk not in before:
            _check_fits(vial, order)
            if vial.lot in condemned:
                raise Refused(
                    _("The batch %(lot)s was rejected or recalled.") % {"lot": vial.lot},
                    code="condemned",
                )
            vial.order = order
            vial.save()
            announce_vial(vial, "allocated")
    if before == set(vial_ids):
        return order
    record(
        "tracershop.vials_allocated",
        order,
        data={"vials": [sorted(before), sorted(set(vial_ids))]},
    )
    topics.announce_order(order, "allocated")
    return order


def _check_fits(vial: Vial, order: Order) -> None:
    if vial.order_id not in (None, order.pk):
        raise Refused(
            _("Vial %(lot)s serves order %(number)s already.")
            % {"lot": vial.lot, "number": vial.order_id},
            code="vial_in_use",
        )
    if vial.tracer_id != order.tracer_id or vial.customer_id != order.customer_id:
        raise Refused(
            _("Vial %(lot)s is of another tracer or customer than the order.") % {"lot": vial.lot},
            code="vial_does_not_fit",
        )


def vials_of(order: Order) -> Any:
    """The vials that are to serve the order, or did."""
    return Vial.objects.filter(order=order)


def free_vial(vial: Vial) -> None:
    """A locked vial serves no order any more."""
    vial.order = None
    vial.save()
    announce_vial(vial, "freed")


def lock_vials(actor: Any, vial_ids: Collection[int]) -> list[Vial]:
    """The vials, locked in the order of their keys. Refused(code="gone") when one is missing."""
    wanted = sorted(set(vial_ids))
    vials = list(
        visible(actor, Vial.objects.filter(pk__in=wanted), VIALS)
        .select_for_update(no_key=True, of=("self",))
        .select_related("tracer__isotope", "customer")
        .order_by("pk")
    )
    if len(vials) < len(wanted):
        raise Refused(_("A vial of the selection does not exist (any more)."), code="gone")
    return vials
