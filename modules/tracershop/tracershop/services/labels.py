"""Labels of vials, with a code that a scanner reads (TS-086)."""

from __future__ import annotations

from typing import Any

import segno
from django.utils.translation import gettext as _

from portal.access.decision import require, visible
from portal.audit.services import Access, log_access
from portal.documents.models import IssuedDocument
from portal.documents.paper import document_language
from portal.documents.services import issue
from portal.records.errors import Refused
from portal.records.services import writes
from tracershop.models import Order, Vial
from tracershop.models.reach import ACCEPT
from tracershop.rules.decay import activity_at
from tracershop.rules.labels import vial_code
from tracershop.rules.orders import OrderStatus
from tracershop.services.printing import DOCUMENTS, marked, moment, number, use_labels, use_of
from tracershop.services.production import locked_orders

LABEL = "tracershop.vial_label"
LABELS = "tracershop.vial_labels"
TEMPLATE = DOCUMENTS / "vial_label.typ"


@writes
def issue_vial_label(*, actor: Any, vial_id: int) -> IssuedDocument:
    """The label of one vial. Of the same vial with the same facts it is the same label again;
    where something changed it is the next version, and the former stays.

    Refused: ``no_order`` (whose it is, and for what use, says the order that it serves).
    """
    vial = visible(actor, Vial.objects.all()).filter(pk=vial_id).first()
    if vial is None:
        raise Refused(_("This vial does not exist (any more)."), code="gone")
    if vial.order_id is None:
        raise Refused(_("The vial serves no order yet: allocate it first."), code="no_order")
    order = _order(actor, vial.order_id)
    vials = [each for each in _vials(order) if each.pk == vial.pk]
    if not vials:
        raise Refused(_("The vial serves another order just now."), code="no_order")
    return _issue(LABEL, vial, f"VL-{vial.pk}", _("Vial label"), order, vials)


@writes
def issue_labels(*, actor: Any, order_id: int) -> IssuedDocument:
    """The labels of all vials of an order, one a page, as :func:`issue_vial_label` has them."""
    order = _order(actor, order_id)
    vials = _vials(order)
    if not vials:
        raise Refused(_("No vial serves the order yet: allocate them first."), code="no_order")
    return _issue(LABELS, order, f"VL-O{order.pk}", _("Vial labels"), order, vials)


def _order(actor: Any, order_id: int) -> Order:
    """Locked, so that its vials stay what they are while the label is made."""
    (order,) = locked_orders(actor, [order_id])
    require(actor, ACCEPT, order)
    if order.status not in (OrderStatus.ACCEPTED, OrderStatus.RELEASED):
        raise Refused(
            _("Order %(number)s is %(status)s: its vials get no label.")
            % {"number": order.pk, "status": order.get_status_display()},
            code="wrong_status",
        )
    return order


def _vials(order: Order) -> list[Vial]:
    return list(Vial.objects.filter(order=order).order_by("lot", "pk"))


def _issue(
    kind: str, obj: Order | Vial, paper: str, title: str, order: Order, vials: list[Vial]
) -> IssuedDocument:
    with document_language():
        document = issue(
            kind=kind,
            obj=obj,
            title=title,
            number=paper,
            data=label_data(order, vials),
            template=TEMPLATE,
        )
    log_access(Access.PRINT, document)
    return document


def label_data(order: Order, vials: list[Vial]) -> dict[str, Any]:
    """What the template is given. The calibration time of a label is the delivery: it is then that
    people read it, and for then that the activity was ordered."""
    return {
        "document": marked(),
        "labels": {
            **use_labels(),
            "not_for_humans": _("NOT FOR HUMANS"),
            "lot": _("Lot"),
            "vial": _("Vial"),
            "calibrated_at": _("at"),
            "expires_at": _("Use before"),
        },
        "vials": [_label(order, vial) for vial in vials],
    }


def _label(order: Order, vial: Vial) -> dict[str, Any]:
    half_life_s = order.tracer.isotope.half_life_s
    at_delivery = activity_at(vial.activity_mbq, half_life_s, vial.filled_at, order.deliver_at)
    code = vial_code(vial.pk, vial.lot)
    return {
        "tracer": order.tracer.name,
        "isotope": order.tracer.isotope.symbol,
        "lot": vial.lot,
        "number": str(vial.pk),
        "activity": number(at_delivery, 0),
        "activity_at": moment(order.deliver_at),
        "volume": number(vial.volume_ml, 2),
        "expires_at": moment(vial.expires_at),
        "customer": order.customer.name,
        "endpoint": order.endpoint.name,
        "use": use_of(order.intended_use),
        "code": code,
        "modules": qr_rows(code),
    }


def qr_rows(text: str) -> list[str]:
    """The QR code of a text, a row a string, ``#`` where it is dark. Without its quiet zone: the
    label leaves that free. A whole QR code, for not every hand scanner reads a Micro QR code."""
    code = segno.make_qr(text, error="m", boost_error=True)
    return ["".join("#" if dark else "." for dark in row) for row in code.matrix]
