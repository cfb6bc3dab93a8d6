"""Vials that a person adds or corrects by hand, with a reason (TS-063)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.audit.services import differences, record
from portal.records.errors import Refused
from portal.records.services import check_version, locked, writes
from tracershop.models import Customer, Order, Tracer, Vial
from tracershop.models.reach import VIALS
from tracershop.rules.decay import LARGEST_ACTIVITY_MBQ
from tracershop.rules.lots import LotError, LotNumber, parse_lot
from tracershop.rules.orders import OrderStatus
from tracershop.rules.vials import VialFacts
from tracershop.selectors.topics import announce_order, announce_vial
from tracershop.services.dispenser import warnings_of
from tracershop.words import sentence

_LARGEST_ML = 100_000.0
_TYPED = ("lot", "filled_at", "activity_mbq", "volume_ml", "expires_at")


@dataclass(frozen=True)
class VialValues:
    """What a person says of a vial. The tracer is the one of the lot's prefix."""

    lot: str
    customer_id: int
    filled_at: datetime
    activity_mbq: float
    volume_ml: float
    expires_at: datetime | None = None
    position: str = ""


@writes
def add_vial(*, actor: Any, values: VialValues, reason: str, now: datetime | None = None) -> Vial:
    """Enter a vial that no file told of; it counts as typed, and says who typed it.

    Refused: no reason, a lot that no tracer has, a customer that does not exist, amounts that
    cannot be, times in the future or the wrong way round, a vial that is there already.
    """
    require(actor, VIALS)
    checked = _checked(actor, values, reason, now or timezone.now())
    vial = Vial(customer_label=checked["customer"].name[:200], source=None)
    _take(vial, actor, checked)
    _save(vial)
    record("tracershop.vial_added", vial, data=_told(vial), reason=reason.strip())
    announce_vial(vial, "added")
    return vial


@writes
def edit_vial(
    *,
    actor: Any,
    vial_id: int,
    expected_version: int,
    values: VialValues,
    reason: str,
    now: datetime | None = None,
) -> Vial:
    """Correct a vial; old and new data stand in the audit trail. Without a change nothing happens.

    Refused besides: a held vial (it is settled, which says whose it is), one that a released order
    was given, and another tracer or customer while it is to serve an order.
    """
    vial = locked(visible(actor, Vial.objects.all(), VIALS).select_related("tracer", "customer"),
                  vial_id)  # fmt: skip
    checked = _checked(actor, values, reason, now or timezone.now())
    compared = {name: checked[name] for name in (*_TYPED, "customer", "position")}
    check_version(vial, expected_version, compared)
    if vial.is_held:
        raise Refused(_("The vial is held: settle it first."), code="held")
    order = Order.all_objects.filter(pk=vial.order_id).first()
    if order is not None and order.status == OrderStatus.RELEASED:
        raise Refused(
            _("The vial serves order %(number)s, which is released: correct the release first.")
            % {"number": order.pk},
            code="released",
        )
    others = (vial.tracer, vial.customer) != (checked["tracer"], checked["customer"])
    if order is not None and others:
        raise Refused(
            _("The vial serves order %(number)s: free it before its tracer or customer changes.")
            % {"number": order.pk},
            code="in_use",
        )
    old = _told(vial)
    old_filled_at = vial.filled_at
    if all(getattr(vial, name) == value for name, value in compared.items()):
        return vial
    _take(vial, actor, checked)
    _save(vial)
    data = differences(old, _told(vial))
    record("tracershop.vial_edited", vial, data=data, reason=reason.strip())
    announce_vial(vial, "edited")
    if timezone.localtime(old_filled_at).date() != timezone.localtime(vial.filled_at).date():
        announce_vial(Vial(pk=vial.pk, filled_at=old_filled_at), "edited")
    if order is not None:
        announce_order(order, "vial")
    return vial


def _checked(actor: Any, values: VialValues, reason: str, now: datetime) -> dict[str, Any]:
    """The values as they are kept, with the tracer and customer they mean; Refused otherwise."""
    if not reason.strip():
        raise Refused(_("A vial entered or changed by hand needs a reason."), code="reason_needed")
    lot, tracer = _lot(values.lot)
    customer = visible(actor, Customer.objects.all()).filter(pk=values.customer_id).first()
    if customer is None:
        raise Refused(_("Choose a customer."), code="gone")
    _check_amount(values.activity_mbq, LARGEST_ACTIVITY_MBQ, _("The activity"))
    _check_amount(values.volume_ml, _LARGEST_ML, _("The volume"))
    if values.filled_at > now:
        raise Refused(_("The vial cannot have been filled in the future."), code="future")
    if values.expires_at is not None and values.expires_at <= values.filled_at:
        raise Refused(_("The vial must expire after it was filled."), code="expiry")
    given = asdict(values) | {
        "lot": str(lot),
        "tracer": tracer,
        "customer": customer,
        "activity_mbq": round(float(values.activity_mbq), 6),
        "volume_ml": round(float(values.volume_ml), 6),
        "position": values.position.strip()[:40],
    }
    del given["customer_id"]
    facts = VialFacts(
        lot=lot,
        filled_at=values.filled_at,
        use_before=values.expires_at,
        activity_mbq=given["activity_mbq"],
        volume_ml=given["volume_ml"],
        typed_fields=_TYPED,
    )
    return given | {"warnings": warnings_of(facts, tracer, now)}


def _lot(text: str) -> tuple[LotNumber, Tracer]:
    try:
        lot = parse_lot(text)
    except LotError as error:
        raise Refused(sentence(error.reason), code="lot") from None
    tracer = Tracer.objects.filter(lot_prefix__iexact=lot.prefix).first()
    if tracer is None:
        raise Refused(_("No tracer has the lot prefix %(p)s.") % {"p": lot.prefix}, code="prefix")
    return lot, tracer


def _check_amount(value: float, limit: float, name: Any) -> None:
    if not (math.isfinite(value) and 5e-7 < value <= limit):
        raise Refused(
            _("%(name)s must be above 0 and at most %(limit)s.")
            % {"name": name, "limit": f"{limit:g}"},
            code="amount",
        )


def _take(vial: Vial, actor: Any, checked: dict[str, Any]) -> None:
    for name, value in checked.items():
        setattr(vial, name, value)
    vial.value_status = Vial.ValueStatus.KEYBOARD
    vial.entered_by = actor


def _save(vial: Vial) -> None:
    """Save; the same vial twice, by whatever name of its customer, would count twice."""
    same = Vial.objects.filter(
        lot=vial.lot,
        filled_at=vial.filled_at,
        activity_mbq=vial.activity_mbq,
        volume_ml=vial.volume_ml,
    ).exclude(pk=vial.pk)
    twin = Refused(
        _("This very vial is there already: same lot, customer, time, activity and volume."),
        code="twin",
    )
    if same.filter(customer=vial.customer).exists():
        raise twin
    try:
        with transaction.atomic():
            vial.save()
    except IntegrityError:  # another customer's by the same name in the file, or this very moment
        raise twin from None


def _told(vial: Vial) -> dict[str, Any]:
    names = ("lot", "filled_at", "activity_mbq", "volume_ml", "expires_at", "position")
    told = {name: getattr(vial, name) for name in (*names, "value_status", "warnings")}
    return told | {"tracer": str(vial.tracer or ""), "customer": str(vial.customer or "")}
