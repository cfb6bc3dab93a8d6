"""Delivery note and transport document: what they say of a shipment, and their issue (TS-086)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.documents.models import IssuedDocument
from portal.documents.paper import document_language
from portal.documents.services import current, issue
from portal.records.errors import Refused
from portal.registry import registry
from tracershop.models import Order, Package
from tracershop.models.shipments import Package as PackageModel
from tracershop.rules.decay import activity_at
from tracershop.rules.transport import PackageKind, in_bq, proper_description
from tracershop.selectors.shipments import (
    DELIVERY_NOTE,
    TRANSPORT_DOCUMENT,
    Cargo,
    PackedOrder,
    activity_leaving,
)
from tracershop.services.certificates import KIND, issue_release_certificate
from tracershop.services.printing import DOCUMENTS, marked, moment, number, use_labels, use_of


def issue_delivery_note(*, actor: Any, cargo: Cargo) -> IssuedDocument:
    """What is handed over, with the certificates it was released by. The caller holds the lock."""
    for order in cargo.orders:
        _certificate(actor, order)
    with document_language():
        return issue(
            kind=DELIVERY_NOTE,
            obj=cargo.shipment,
            title=_("Delivery note"),
            number=f"DN-{cargo.shipment.pk}",
            data=delivery_note_data(cargo),
            template=DOCUMENTS / "delivery_note.typ",
            issued_by=_issuer(actor, cargo),
        )


def issue_transport_document(*, actor: Any, cargo: Cargo) -> IssuedDocument:
    """The document that travels with the packages (ADR 5.4.1). The caller holds the lock.

    Refused: ``no_consignor`` (the module's settings name none), ``no_form`` (a tracer's physical
    and chemical form is not set up).
    """
    if not registry.settings_for("tracershop").consignor_name:
        raise Refused(
            _("The consignor is not set up: consignor_name and consignor_address of the module."),
            code="no_consignor",
        )
    with document_language():
        return issue(
            kind=TRANSPORT_DOCUMENT,
            obj=cargo.shipment,
            title=_("Transport document for radioactive material"),
            number=f"TD-{cargo.shipment.pk}",
            data=transport_data(cargo),
            template=DOCUMENTS / "transport_document.typ",
            issued_by=_issuer(actor, cargo),
        )


def _issuer(actor: Any, cargo: Cargo) -> Any:
    return actor if isinstance(actor, User) else cargo.shipment.made_by


def _certificate(actor: Any, order: PackedOrder) -> str:
    """The number of the certificate in force; issued now where its task was not yet done."""
    release = order.in_force
    if release is None or release.signature_id is None:
        raise Refused(
            _("The release of order %(number)s is not signed.") % {"number": order.pk},
            code="not_signed",
        )
    found = current(release, KIND) or issue_release_certificate(actor=actor, release_id=release.pk)
    if found is None:  # corrected meanwhile
        raise Refused(
            _("Order %(number)s is not released any more.") % {"number": order.pk},
            code="not_released",
        )
    order.certificate_number = found.number
    return found.number


# --- delivery note ---------------------------------------------------------------------------


def delivery_note_data(cargo: Cargo) -> dict[str, Any]:
    """What the template is given, in the words and formats of the active language. Its orders have
    their ``certificate_number``."""
    shipment = cargo.shipment
    return {
        "document": marked(),
        "labels": {**use_labels(), **_note_labels()},
        "releases": cargo.releases,
        "use": use_of(cargo.orders[0].intended_use),
        "shipment": {
            "number": str(shipment.pk),
            "customer": shipment.customer.name,
            "address": shipment.customer.address,
            "endpoint": shipment.endpoint.name,
            "leaves_at": moment(shipment.ships_at),
            "carrier": shipment.carrier,
            "packages": str(len(cargo.packages)),
        },
        "orders": [_noted(order, cargo) for order in cargo.orders],
    }


def _noted(order: PackedOrder, cargo: Cargo) -> dict[str, Any]:
    half_life_s, release = order.tracer.isotope.half_life_s, order.in_force
    at_delivery = [
        activity_at(vial.activity_mbq, half_life_s, vial.filled_at, order.deliver_at)
        for vial in order.cargo
    ]
    if order.activity_mbq is None:
        ordered = _("%(n)s injections") % {"n": order.injections}
    else:
        ordered = f"{number(order.activity_mbq, 0)} MBq"
    return {
        "number": str(order.pk),
        "tracer": order.tracer.name,
        "isotope": order.tracer.isotope.symbol,
        "deliver_at": moment(order.deliver_at),
        "ordered": ordered,
        "ordered_for": moment(order.moved_from_at),
        "bare_isotope": order.kind == Order.Kind.ISOTOPE,
        "delivered_activity_mbq": f"{number(sum(at_delivery), 0)} MBq",
        "package": ", ".join(str(p.number) for p in cargo.packages if order.pk in p.orders),
        "certificate": order.certificate_number,
        "released_by": str(release.released_by) if release else None,
        "released_at": moment(release.released_at) if release else None,
        "vials": [
            {
                "number": str(vial.pk),
                "lot": vial.lot,
                "position": vial.position,
                "activity_mbq": number(activity_mbq, 1),
                "volume_ml": number(vial.volume_ml, 2),
                "expires_at": moment(vial.expires_at),
            }
            for vial, activity_mbq in zip(order.cargo, at_delivery, strict=True)
        ],
    }


def _note_labels() -> dict[str, str]:
    return {
        "shipment": _("Shipment"),
        "customer": _("Customer"),
        "endpoint": _("Endpoint"),
        "address": _("Address"),
        "leaves_at": _("Leaves"),
        "carrier": _("Carrier"),
        "packages": _("Packages"),
        "package": _("Package"),
        "order": _("Order"),
        "deliver_at": _("Delivery"),
        "isotope": _("Isotope"),
        "ordered": _("Ordered"),
        "delivered_activity": _("Delivered"),
        "certificate": _("Release certificate"),
        "released_by": _("Released by"),
        "released_at": _("Released"),
        "moved": _("Moved to an earlier delivery"),
        "ordered_for": _("ordered for"),
        "bare_isotope": _("Delivered as the bare isotope, not as a tracer"),
        "vial": _("Vial"),
        "lot": _("Lot"),
        "position": _("Position"),
        "activity_at_delivery": _("At delivery (MBq)"),
        "volume": _("Volume (ml)"),
        "expires_at": _("Use before"),
        "received": _("Received"),
        "received_note": _("Compare lots, vials and use with the labels before you sign."),
        "receiver": _("Name"),
        "received_at": _("Day and time"),
        "receiver_signature": _("Signature"),
    }


# --- transport document ----------------------------------------------------------------------


def transport_data(cargo: Cargo) -> dict[str, Any]:
    """What the template is given, in the words and formats of the active language. Refused
    (``no_form``) for a tracer whose physical and chemical form is not set up."""
    shipment = cargo.shipment
    settings = registry.settings_for("tracershop")
    unknown = sorted({o.tracer.name for o in cargo.orders if not o.tracer.chemical_form.strip()})
    if unknown:
        raise Refused(
            _("The physical and chemical form of %(tracers)s is not set up.")
            % {"tracers": ", ".join(unknown)},
            code="no_form",
        )
    return {
        "document": marked(),
        "labels": _transport_labels(),
        "releases": cargo.releases,
        "consignor": {
            "name": settings.consignor_name,
            "address": settings.consignor_address,
        },
        "consignee": {
            "name": f"{shipment.customer.name}, {shipment.endpoint.name}",
            "address": shipment.customer.address,
        },
        "emergency_phone": settings.emergency_phone or None,
        "shipment": {
            "number": str(shipment.pk),
            "leaves_at": moment(shipment.ships_at),
            "carrier": shipment.carrier,
        },
        "packages": [_packed(package, cargo) for package in cargo.packages],
    }


def _packed(package: Package, cargo: Cargo) -> dict[str, Any]:
    orders = cargo.of(package)
    activities = [activity_leaving(order, cargo.shipment.ships_at) for order in orders]
    index = package.transport_index
    white = package.category == PackageModel.Category.WHITE_I
    return {
        "number": str(package.number),
        "kind": str(package.get_kind_display()),
        "description": proper_description(PackageKind(package.kind)),
        "contents": [
            {
                "isotope": order.tracer.isotope.symbol,
                "form": order.tracer.chemical_form,
                "activity": _bq(activity_mbq),
            }
            for order, activity_mbq in zip(orders, activities, strict=True)
        ],
        "activity": _bq(sum(activities)),
        "category": package.category or None,
        # ADR 5.4.1.2.5.1 (e): of II-YELLOW and III-YELLOW only
        "transport_index": None if index is None or white else number(index, 1),
        "surface": _dose_rate(package.surface_msv_h),
        "at_1m": _dose_rate(package.at_1m_msv_h),
    }


def _bq(activity_mbq: float) -> str:
    amount, unit = in_bq(activity_mbq)
    return f"{number(amount, 2)} {unit}"


def _dose_rate(msv_h: float) -> str:
    written = f"{msv_h:.6f}".rstrip("0").rstrip(".")
    digits = len(written.partition(".")[2])
    return f"{number(msv_h, digits)} mSv/h"


def _transport_labels() -> dict[str, str]:
    return {
        "class": _("Class"),
        "consignor": _("Consignor"),
        "consignee": _("Consignee"),
        "shipment": _("Shipment"),
        "leaves_at": _("Leaves"),
        "carrier": _("Carrier"),
        "packages": _("Packages"),
        "package": _("Package"),
        "nuclide": _("Radionuclide"),
        "form": _("Physical and chemical form"),
        "activity": _("Activity when it leaves"),
        "total_activity": _("Total activity"),
        "category": _("Category"),
        "transport_index": _("Transport index"),
        "surface": _("At the surface"),
        "at_1m": _("At 1 m"),
        "instructions": _("Instructions to the carrier"),
        "instructions_text": _(
            "No supplementary requirements for loading, stowage, carriage, handling and unloading."
            " No restriction of mode or vehicle, no prescribed route. In an emergency keep at a"
            " distance, keep others away, and call."
        ),
        "emergency_phone": _("In an emergency call"),
        "declaration": _(
            "The contents of this consignment are described above by their proper shipping name,"
            " and are classified, packed, marked and labelled for carriage by road under ADR."
        ),
        "consignor_name": _("For the consignor"),
        "date": _("Day and time"),
        "consignor_signature": _("Signature"),
    }
