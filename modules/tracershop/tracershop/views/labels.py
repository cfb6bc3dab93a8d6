"""Labels of vials, the scanner's page, and the record of a batch."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.access.decision import can, require, visible
from portal.audit.services import Access, log_access
from portal.documents.services import current, response
from tracershop.forms.shipments import ScanForm
from tracershop.models import Batch, Order, Vial
from tracershop.models.reach import SEE_ALL, SEE_OWN
from tracershop.rules.labels import read_vial_code
from tracershop.services.batch_records import KIND as BATCH_RECORD
from tracershop.services.batch_records import issue_batch_record
from tracershop.services.labels import LABEL, LABELS, issue_labels, issue_vial_label


@require_http_methods(["GET", "POST"])
def vial_label(request: HttpRequest, pk: int) -> HttpResponse:
    """POST prints: issues the label of what the vial is now. GET gives the one in force."""
    vial = get_object_or_404(visible(request.user, Vial.objects.all()), pk=pk)
    if request.method == "POST":
        return response(issue_vial_label(actor=request.user, vial_id=pk), user=request.user)
    document = current(vial, LABEL)
    if document is None:
        raise Http404
    return response(document, user=request.user)


@require_http_methods(["GET", "POST"])
def order_labels(request: HttpRequest, pk: int) -> HttpResponse:
    """The labels of all of an order's vials, as :func:`vial_label`."""
    order = get_object_or_404(visible(request.user, Order.objects.all()), pk=pk)
    if request.method == "POST":
        return response(issue_labels(actor=request.user, order_id=pk), user=request.user)
    document = current(order, LABELS)
    if document is None:
        raise Http404
    return response(document, user=request.user)


@require_GET
def scan(request: HttpRequest) -> HttpResponse:
    """Where a label's code leads: to the order that its vial serves, else to the vials of its day.

    A vial that the person may not see is not known, and no more is said of it.
    """
    if not (can(request.user, SEE_ALL) or can(request.user, SEE_OWN)):
        require(request.user, SEE_ALL)
    if "code" not in request.GET:
        return render(request, "tracershop/vials/scan.html", {"form": ScanForm()})
    form = ScanForm(request.GET)
    vial = _scanned(request) if form.is_valid() else None
    if vial is None:
        if not form.errors:
            form.add_error("code", _("No vial that you may see has this label."))
        return render(request, "tracershop/vials/scan.html", {"form": form}, status=422)
    log_access(Access.OPEN, vial)
    if vial.order_id is not None:
        return redirect(f"{reverse('tracershop:order', args=[vial.order_id])}#vial-{vial.pk}")
    day = timezone.localtime(vial.filled_at).date()
    return redirect(f"{reverse('tracershop:vials')}?day={day:%Y-%m-%d}#vial-{vial.pk}")


def _scanned(request: HttpRequest) -> Vial | None:
    code = read_vial_code(request.GET["code"])
    if code is None:
        return None
    return visible(request.user, Vial.objects.all()).filter(pk=code.vial, lot=code.lot).first()


@require_POST
def make_batch_record(request: HttpRequest, pk: int) -> HttpResponse:
    """Issue the record of what is known of the batch now."""
    return response(issue_batch_record(actor=request.user, batch_id=pk), user=request.user)


@require_GET
def batch_record(request: HttpRequest, pk: int) -> HttpResponse:
    """The record of the batch that is in force."""
    require(request.user, SEE_ALL)
    document = current(get_object_or_404(Batch, pk=pk), BATCH_RECORD)
    if document is None:
        raise Http404
    return response(document, user=request.user)
