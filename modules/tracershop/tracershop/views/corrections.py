"""Correcting a released order (TS-084): why, and the signature."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.access.decision import require, visible
from portal.records.errors import Refused
from portal.signing.services import Signer
from portal.signing.web import asks_for_passkey, passkey_options, signer_of, ways_to_sign
from tracershop.models import Batch, Order, Release
from tracershop.models.reach import RELEASE
from tracershop.rules.orders import OrderStatus
from tracershop.rules.release import BatchStatus
from tracershop.services.corrections import MEANING, correct_release


@require_http_methods(["GET", "POST"])
def correct(request: HttpRequest, pk: int) -> HttpResponse:
    """What the release was, what its correction will do; POST does it."""
    orders = visible(request.user, Order.objects.all(), RELEASE).select_related(
        "customer__unit", "endpoint", "tracer"
    )
    order = get_object_or_404(orders, pk=pk)
    require(request.user, RELEASE, order)
    if request.method != "POST":
        return _page(request, order)

    def act(signer: Signer) -> Release:
        return correct_release(
            actor=request.user,
            order_id=pk,
            reason=request.POST.get("reason", ""),
            signer=signer,
        )

    if asks_for_passkey(request):
        return passkey_options(request, act)
    try:
        act(signer_of(request))
    except Refused as refusal:
        return _page(request, get_object_or_404(orders, pk=pk), refusal)
    messages.success(
        request, _("The release of order %(n)s is corrected; it is accepted again.") % {"n": pk}
    )
    return redirect("tracershop:order", pk)


def _page(request: HttpRequest, order: Order, refusal: Refused | None = None) -> HttpResponse:
    release = order.releases.filter(corrected_at__isnull=True).select_related("released_by").first()
    lots = release.lots if release else []
    context = {
        "order": order,
        "release": release if order.status == OrderStatus.RELEASED else None,
        "recalled": list(Batch.objects.filter(lot__in=lots, status=BatchStatus.RECALLED)),
        "meaning": MEANING,
        "refusal": refusal,
        "reason": request.POST.get("reason", ""),
        "ways_to_sign": ways_to_sign(request),
    }
    return render(
        request, "tracershop/corrections/correct.html", context, status=422 if refusal else 200
    )
