"""The release certificate: a sealed PDF of what was signed (TS-086)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from portal.documents.models import IssuedDocument
from portal.documents.paper import document_language
from portal.documents.services import current, issue
from portal.records.services import locked, writes
from portal.signing.services import printed
from tracershop.models import Release
from tracershop.rules.decay import activity_at
from tracershop.selectors.topics import announce_order
from tracershop.services.printing import DOCUMENTS, marked, moment, number, use_labels, use_of
from tracershop.words import release_warning

KIND = "tracershop.release_certificate"
TEMPLATE = DOCUMENTS / "release_certificate.typ"


def queue_certificate(release: Release) -> None:
    """Have the certificate made by a worker, once the release is committed.

    A broker that is away loses nothing: :func:`releases_without_certificate` is looked at again and
    again.
    """
    transaction.on_commit(
        lambda: current_app.send_task("tracershop.tasks.issue_certificate", [release.pk]),
        robust=True,
    )


@writes
def issue_release_certificate(*, actor: Any, release_id: int) -> IssuedDocument | None:
    """Issue the certificate of a release; doing it again gives the one that was issued.

    None for a release that was corrected meanwhile: it certifies nothing any more (TS-084).

    It is made from the signed content, not from the rows as they are now: what the paper says is
    what was signed.
    """
    release = locked(
        Release.all_objects.select_related("order__customer", "released_by", "signature__key"),
        release_id,
    )
    if release.corrected_at is not None:
        return None
    if issued := current(release, KIND):
        return issued
    with document_language():
        document = issue(
            kind=KIND,
            obj=release,
            title=_("Release certificate"),
            number=f"RC-{release.order_id}-{release.pk}",
            data=certificate_data(release),
            template=TEMPLATE,
            issued_by=release.released_by,
        )
    announce_order(release.order, "certificate")
    return document


def releases_without_certificate(*, before: datetime) -> list[int]:
    """Keys of the releases in force since before a time that have no certificate: their task was
    lost with the broker, or given up."""
    documents = IssuedDocument.objects.filter(
        kind=KIND,
        object_type=Release._meta.label_lower,  # noqa: SLF001
        object_id=OuterRef("key"),
    )
    waiting = Release.objects.filter(
        released_at__lt=before, corrected_at__isnull=True, signature__isnull=False
    ).annotate(key=Cast("pk", CharField()))
    return list(waiting.exclude(Exists(documents)).order_by("pk").values_list("pk", flat=True))


def certificate_data(release: Release) -> dict[str, Any]:
    """What the template is given, in the words and formats of the active language.

    ValueError for a release that is not signed: there is nothing to certify.
    """
    if release.signature is None:
        raise ValueError(f"release {release.pk} is not signed")
    signed = json.loads(release.signature.payload)["facts"]
    order, vials = signed["order"], signed["vials"]
    deliver_at = _time(order["deliver_at"])
    return {
        "document": marked(),
        "labels": _labels(),
        "use": use_of(order["intended_use"]),
        "order": {
            "number": str(order["number"]),
            "customer": order["customer"],
            "endpoint": order["endpoint"],
            "deliver_at": moment(deliver_at),
            **_moved(order, deliver_at),
            "ghost": bool(order.get("ghost")),
            "tracer": order["tracer"],
            "isotope": order["isotope"],
            "half_life": f"{number(order['half_life_s'], 1)} s",
            "ordered_activity_mbq": number(order["activity_mbq"], 0),
            "injections": None if order["injections"] is None else str(order["injections"]),
            "delivered_activity_mbq": number(signed["delivered_mbq"], 0),
            "bare_isotope": order.get("kind") == "isotope",
        },
        "vials": [_vial(vial, order, deliver_at) for vial in vials]
        or [_lot(lot) for lot in signed["lots"]],
        "warnings": [
            {"text": release_warning(code), "reason": _("confirmed by the releaser")}
            for code in signed["confirmed"]
        ],
        "signature": printed(release.signature),
    }


def _moved(order: dict[str, Any], deliver_at: datetime) -> dict[str, str | None]:
    """Of an order that production moved to an earlier delivery (TS-042): what it was ordered for,
    and what is due at the delivery for that."""
    if not order.get("moved_from_at"):
        return {}
    ordered_for = _time(order["moved_from_at"])
    due_mbq = activity_at(order["activity_mbq"], order["half_life_s"], ordered_for, deliver_at)
    return {"ordered_for": moment(ordered_for), "due_activity_mbq": number(due_mbq, 0)}


def _vial(vial: dict[str, Any], order: dict[str, Any], deliver_at: datetime) -> dict[str, Any]:
    filled_at = _time(vial["filled_at"])
    at_delivery = activity_at(vial["activity_mbq"], order["half_life_s"], filled_at, deliver_at)
    return {
        "lot": vial["lot"],
        "position": vial["position"],
        "filled_at": moment(filled_at),
        "activity_at_fill_mbq": number(vial["activity_mbq"], 1),
        "volume_ml": number(vial["volume_ml"], 2),
        "activity_at_delivery_mbq": number(at_delivery, 1),
        "expires_at": moment(_time(vial["expires_at"])) if vial["expires_at"] else None,
    }


def _lot(lot: str) -> dict[str, Any]:
    """What is known of a lot that was released without counting its vials."""
    unknown = ("position", "filled_at", "activity_at_fill_mbq", "volume_ml",
               "activity_at_delivery_mbq", "expires_at")  # fmt: skip
    return {"lot": lot, **dict.fromkeys(unknown)}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _labels() -> dict[str, str]:
    return {
        **use_labels(),
        "order": _("Order"),
        "order_number": _("Order number"),
        "customer": _("Customer"),
        "endpoint": _("Endpoint"),
        "deliver_at": _("Delivery"),
        "ghost": _("Ghost order: added by production, without a shop's order"),
        "tracer": _("Tracer"),
        "isotope": _("Isotope"),
        "half_life": _("Half-life"),
        "ordered_activity": _("Ordered"),
        "ordered_injections": _("Ordered injections"),
        "bare_isotope": _("Delivered as the bare isotope, not as a tracer"),
        "moved": _("Moved to an earlier delivery"),
        "ordered_for": _("Ordered for"),
        "due_activity": _("Which is, at delivery"),
        "delivered_activity": _("Delivered"),
        "vials": _("Vials"),
        "lot": _("Lot"),
        "position": _("Position"),
        "filled_at": _("Filled"),
        "activity_at_fill": _("At fill (MBq)"),
        "volume": _("Volume (ml)"),
        "activity_at_delivery": _("At delivery (MBq)"),
        "expires_at": _("Use before"),
        "total": _("Total"),
        "warnings": _("Confirmed warnings"),
        "no_warnings": _("None"),
        "reason": _("Reason"),
        "release": _("Release"),
    }
