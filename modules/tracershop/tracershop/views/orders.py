"""One order: what it is, what happened to it, its documents."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from portal.access.decision import can, visible
from portal.audit.models import AuditEntry
from portal.audit.services import Access, log_access
from portal.documents.models import IssuedDocument
from portal.documents.services import is_superseded, response
from portal.signing.services import verify
from tracershop.models import Order, Release
from tracershop.models.reach import ACCEPT, PLACE, RELEASE
from tracershop.rules.orders import OrderStatus
from tracershop.selectors.board import vial_mbq_at
from tracershop.selectors.shipments import shipment_of
from tracershop.selectors.topics import customer_topic
from tracershop.services.certificates import KIND
from tracershop.words import release_warning


@require_GET
def order_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Another customer's order does not exist for the person (TS-006)."""
    order = _order(request, pk)
    release = _release_of(order)
    vials = list(order.vials.filter(deleted_at__isnull=True).select_related("tracer__isotope"))
    log_access(Access.OPEN, order)
    context = {
        "order": order,
        "release": release,
        "verdict": verify(release.signature) if release and release.signature else None,
        "confirmed": [release_warning(code) for code in release.confirmed] if release else [],
        "vials": [(vial, vial_mbq_at(vial, order.deliver_at)) for vial in vials],
        "documents": (documents := _certificates(order)),
        "in_force": any(not is_superseded(document) for document in documents),
        "corrected": order.releases.filter(corrected_at__isnull=False).order_by("-pk"),
        "notices": order.recall_notices.select_related("recall__batch"),
        "shipment": shipment_of(order),
        "events": _events(order),
        "topic": customer_topic(order.customer_id),
        "may_accept": can(request.user, ACCEPT, order),
        "may_move": order.slot_id is not None
        and order.status in (OrderStatus.ORDERED, OrderStatus.ACCEPTED)
        and can(request.user, ACCEPT, order),
        "may_release": can(request.user, RELEASE, order),
        "may_answer": can(request.user, PLACE, order),
    }
    template = "tracershop/orders/_detail.html" if request.htmx else "tracershop/orders/detail.html"
    return render(request, template, context)


@require_GET
def certificate(request: HttpRequest, pk: int) -> HttpResponse:
    """The newest release certificate of the order, or the one that is asked for by number."""
    documents = _certificates(_order(request, pk))
    if number := request.GET.get("number"):
        documents = [document for document in documents if document.number == number]
    if not documents:
        raise Http404
    return response(documents[0], user=request.user)


def _order(request: HttpRequest, pk: int) -> Order:
    orders = visible(request.user, Order.objects.all()).select_related(
        "customer__unit", "endpoint__customer", "tracer__isotope", "slot__run", "ordered_by"
    )
    return get_object_or_404(orders, pk=pk)


def _release_of(order: Order) -> Release | None:
    return (
        order.releases.filter(corrected_at__isnull=True, deleted_at__isnull=True)
        .select_related("released_by", "signature__signer", "signature__key")
        .first()
    )


def _certificates(order: Order) -> list[IssuedDocument]:
    keys = [str(pk) for pk in order.releases.values_list("pk", flat=True)]
    return list(
        IssuedDocument.objects.filter(
            kind=KIND, object_type="tracershop.release", object_id__in=keys
        )
        .select_related("supersession")
        .order_by("-issued_at", "-pk")
    )


def _events(order: Order) -> list[Any]:
    return list(
        AuditEntry.objects.filter(object_type="tracershop.order", object_id=str(order.pk)).order_by(
            "-pk"
        )[:100]
    )
