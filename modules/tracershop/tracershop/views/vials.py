"""Vials of a day, with the state of their batches; held ones to settle."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal.access.decision import can, require, visible
from portal.inbox.models import InboundMessage
from tracershop.models import Batch, Customer, Tracer, Vial
from tracershop.models.reach import SEE_ALL, VIALS
from tracershop.selectors import topics
from tracershop.services.vials import settle_vial
from tracershop.views.parameters import day_of, required, required_key


@require_GET
def vials(request: HttpRequest) -> HttpResponse:
    require(request.user, SEE_ALL)
    day = day_of(request)
    first = timezone.make_aware(datetime.combine(day, time(0, 0)))
    seen = visible(request.user, Vial.objects.all(), SEE_ALL).select_related(
        "tracer__isotope", "customer", "order", "source", "entered_by"
    )
    of_day = list(
        seen.filter(filled_at__gte=first, filled_at__lt=first + timedelta(days=1)).order_by(
            "lot", "filled_at"
        )
    )
    context = {
        "vials": of_day,
        "held": list(
            seen.filter(Q(tracer__isnull=True) | Q(customer__isnull=True)).order_by("filled_at")
        ),
        "batches": {row.lot: row for row in Batch.objects.filter(lot__in={v.lot for v in of_day})},
        "files": InboundMessage.objects.filter(channel="dispenser").defer("raw")[:8],
        "tracers": Tracer.objects.order_by("name"),
        "customers": visible(request.user, Customer.objects.order_by("name")),
        "may_settle": can(request.user, VIALS),
        "day": day,
        "today": timezone.localdate(),
        "topic": topics.VIALS,
    }
    template = "tracershop/vials/_vials.html" if request.htmx else "tracershop/vials/vials.html"
    return render(request, template, context)


@require_POST
def settle(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, VIALS)
    settle_vial(
        actor=request.user,
        vial_id=pk,
        tracer_id=required_key(request, "tracer", _("Tracer")),
        customer_id=required_key(request, "customer", _("Customer")),
        reason=required(request, "reason", _("Reason")),
    )
    messages.success(request, _("The vial is settled."))
    return redirect("tracershop:vials")
