"""Correcting a released order (TS-084): *Accepted* again, what was issued is superseded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require
from portal.audit.services import record
from portal.documents.services import supersede_documents
from portal.notifications.services import notify
from portal.records.errors import Refused
from portal.records.services import locked, writes
from portal.signing.services import Signer, made_by_act, reads, sign, supersede
from tracershop.models import Batch, Order, Release
from tracershop.models.reach import RELEASE
from tracershop.rules.moments import local_day
from tracershop.rules.orders import OrderAct, OrderStatus, TransitionRefused, transition
from tracershop.rules.release import BatchStatus, certification_obstacle
from tracershop.selectors.representation import representatives_of
from tracershop.selectors.schedule import site_zone
from tracershop.selectors.topics import announce_order
from tracershop.services.certifications import certifications_of, hold_certifications
from tracershop.services.lots import hold_verdicts
from tracershop.services.production import locked_orders
from tracershop.services.shipments import withdraw_papers
from tracershop.services.vials import free_vial, lock_vials, vials_of
from tracershop.words import told

MEANING = "Release corrected"
"""The meaning of a correction's signature, as it is signed (in English, whatever the screen's)."""


@writes
def correct_release(
    *, actor: Any, order_id: int, reason: str, signer: Signer, now: datetime | None = None
) -> Release:
    """Take a release back: a certified person, with a reason and a signature.

    The order is *Accepted* again and its vials are free, but for those of a recalled batch, which
    stay where they went. Release, signature and certificate stay and say that they are superseded.
    A release that was corrected already is given back as it is: pressed twice, or by two people at
    once, makes one correction.
    """
    now = now or timezone.now()
    former = _newest(order_id)
    hold_verdicts(former.lots if former else [])
    (order,) = locked_orders(actor, [order_id])
    require(actor, RELEASE, order)
    release = _newest(order_id)
    if release is not None and release.corrected_at is not None:
        return release
    if release is None or former is None or former.pk != release.pk:
        raise Refused(_("The order is not released."), code="not_released")
    if not reason.strip():
        raise Refused(_("Correcting a released order needs a reason."), code="reason_needed")
    _require_certified(actor, order, now)
    return _correct(actor, order, release.pk, reason.strip(), signer, now)


def _newest(order_id: int) -> Release | None:
    return Release.objects.filter(order=order_id).order_by("-pk").first()


def _require_certified(actor: Any, order: Order, now: datetime) -> None:
    hold_certifications(actor)
    missing = certification_obstacle(
        certifications_of(actor), order.tracer_id, local_day(now, site_zone(), "now")
    )
    if missing is not None:
        raise Refused(
            _("The release was not corrected."), code="not_certified", details=[told(missing)]
        )


def _correct(
    actor: Any, order: Order, release_id: int, reason: str, signer: Signer, now: datetime
) -> Release:
    release = locked(Release.objects.select_related("signature", "released_by"), release_id)
    old = _facts(order, release)
    try:
        order.status = transition(OrderStatus(order.status), OrderAct.CORRECT).new_status
    except TransitionRefused:
        raise Refused(_("The order is not released."), code="not_released") from None
    order.save()
    _free(actor, order)
    release.corrected_at, release.correction_reason = now, reason
    release.save()
    if release.signature is not None:
        supersede(release.signature, reason)
    superseded = supersede_documents(release, reason)
    withdraw_papers(order, reason)
    signature = sign(
        actor=actor, signable="tracershop.correction", obj=release, meaning=MEANING, key=signer
    )
    record(
        "tracershop.release_corrected",
        order,
        data={
            "old": old,
            "new": {"status": order.status, "vials": _vial_keys(order)},
            "documents": [document.number for document in superseded],
            "signature": signature.pk,
        },
    )
    _tell(order, reason)
    announce_order(order, "corrected")
    return release


def _facts(order: Order, release: Release) -> dict[str, Any]:
    """What the audit trail keeps of the release as it was."""
    return {
        "status": order.status,
        "vials": _vial_keys(order),
        "lots": release.lots,
        "delivered_mbq": release.delivered_mbq,
        "confirmed": release.confirmed,
        "released_by": str(release.released_by),
        "released_at": release.released_at,
        "signature": release.signature_id,
    }


def _vial_keys(order: Order) -> list[int]:
    return sorted(vials_of(order).values_list("pk", flat=True))


def _free(actor: Any, order: Order) -> None:
    vials = lock_vials(actor, _vial_keys(order))
    recalled = set(
        Batch.objects.filter(
            lot__in={vial.lot for vial in vials}, status=BatchStatus.RECALLED
        ).values_list("lot", flat=True)
    )
    for vial in vials:
        if vial.lot not in recalled:
            free_vial(vial)


def _tell(order: Order, reason: str) -> None:
    text = _("The release of order %(number)s was corrected: %(reason)s") % {
        "number": order.pk,
        "reason": reason,
    }
    for person in {order.ordered_by, *representatives_of([order.customer_id])}:
        notify(person, str(text), url=f"/tracershop/orders/{order.pk}/", level="warning")


@reads("order")
@made_by_act("corrected_at")
def signed_facts(release: Release) -> dict[str, Any]:
    """What a correction's signature is over: which release is taken back, and why. Times are UTC;
    activity MBq."""
    return {
        "release": release.pk,
        "released_by": release.released_by_id,
        "released_at": release.released_at,
        "order": release.order_id,
        "customer_number": release.order.customer_id,
        "customer": release.seen.get("customer", ""),
        "tracer": release.seen.get("tracer", ""),
        "lots": release.lots,
        "delivered_mbq": release.delivered_mbq,
        "reason": release.correction_reason,
        "corrected_at": release.corrected_at,
    }
