"""The release certificate: a sealed PDF of what was signed (TS-086)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from portal.documents.models import IssuedDocument
from portal.documents.paper import document_language
from portal.documents.services import current, issue
from portal.records.services import locked, writes
from portal.signing.services import printed
from tracershop.models import Release
from tracershop.rules.decay import activity_at
from tracershop.selectors.topics import announce_order
from tracershop.words import release_warning

KIND = "tracershop.release_certificate"
TEMPLATE = Path(__file__).parent.parent / "documents" / "release_certificate.typ"


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
def issue_release_certificate(*, actor: Any, release_id: int) -> IssuedDocument:
    """Issue the certificate of a release; doing it again gives the one that was issued.

    It is made from the signed content, not from the rows as they are now: what the paper says is
    what was signed.
    """
    release = locked(
        Release.all_objects.select_related("order__customer", "released_by", "signature__key"),
        release_id,
    )
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
    ordered_for_at = _time(order["moved_from_at"]) if order.get("moved_from_at") else None
    return {
        "labels": _labels(),
        "use": "human" if order["intended_use"] == "human" else "preclinical",
        "order": {
            "number": str(order["number"]),
            "customer": order["customer"],
            "endpoint": order["endpoint"],
            "deliver_at": _moment(deliver_at),
            "ordered_for": _moment(ordered_for_at) if ordered_for_at else None,
            "due_activity_mbq": _due(order, deliver_at, ordered_for_at),
            "ghost": bool(order.get("ghost")),
            "tracer": order["tracer"],
            "isotope": order["isotope"],
            "half_life": f"{_number(order['half_life_s'], 1)} s",
            "ordered_activity_mbq": _number(order["activity_mbq"], 0),
            "injections": None if order["injections"] is None else str(order["injections"]),
            "delivered_activity_mbq": _number(signed["delivered_mbq"], 0),
        },
        "vials": [_vial(vial, order, deliver_at) for vial in vials]
        or [_lot(lot) for lot in signed["lots"]],
        "warnings": [
            {"text": release_warning(code), "reason": _("confirmed by the releaser")}
            for code in signed["confirmed"]
        ],
        "signature": printed(release.signature),
    }


def _due(
    order: dict[str, Any], deliver_at: datetime, ordered_for_at: datetime | None
) -> str | None:
    """What a moved order has to hold at its delivery, so that it is what was ordered later."""
    if ordered_for_at is None or order["activity_mbq"] is None:
        return None
    due_mbq = activity_at(order["activity_mbq"], order["half_life_s"], ordered_for_at, deliver_at)
    return _number(due_mbq, 0)


def _vial(vial: dict[str, Any], order: dict[str, Any], deliver_at: datetime) -> dict[str, Any]:
    filled_at = _time(vial["filled_at"])
    at_delivery = activity_at(vial["activity_mbq"], order["half_life_s"], filled_at, deliver_at)
    return {
        "lot": vial["lot"],
        "position": vial["position"],
        "filled_at": _moment(filled_at),
        "activity_at_fill_mbq": _number(vial["activity_mbq"], 1),
        "volume_ml": _number(vial["volume_ml"], 2),
        "activity_at_delivery_mbq": _number(at_delivery, 1),
        "expires_at": _moment(_time(vial["expires_at"])) if vial["expires_at"] else None,
    }


def _lot(lot: str) -> dict[str, Any]:
    """What is known of a lot that was released without counting its vials."""
    unknown = ("position", "filled_at", "activity_at_fill_mbq", "volume_ml",
               "activity_at_delivery_mbq", "expires_at")  # fmt: skip
    return {"lot": lot, **dict.fromkeys(unknown)}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment(value: datetime) -> str:
    return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")


def _number(value: float | None, digits: int) -> str | None:
    if value is None:
        return None
    return number_format(value, decimal_pos=digits, use_l10n=True, force_grouping=True)


def _labels() -> dict[str, str]:
    return {
        "use": _("Intended use"),
        "use_human": _("HUMAN USE"),
        "use_human_note": _("Released for use in humans"),
        "use_preclinical": _("PRECLINICAL USE"),
        "use_preclinical_note": _("NOT FOR HUMANS"),
        "order": _("Order"),
        "order_number": _("Order number"),
        "customer": _("Customer"),
        "endpoint": _("Endpoint"),
        "deliver_at": _("Delivery"),
        "ordered_for": _("Ordered for"),
        "due_activity": _("That is at delivery (MBq)"),
        "ghost": _("Ghost order: added by production, without a shop's order"),
        "tracer": _("Tracer"),
        "isotope": _("Isotope"),
        "half_life": _("Half-life"),
        "ordered_activity": _("Ordered (MBq)"),
        "ordered_injections": _("Ordered injections"),
        "delivered_activity": _("Delivered (MBq)"),
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
