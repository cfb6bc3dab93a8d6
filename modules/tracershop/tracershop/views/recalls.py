"""Recalls: begun, followed and closed by production; answered by customers (TS-087)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.access.decision import can, require, visible
from portal.audit.services import Access, log_access
from portal.records.errors import Refused
from portal.signing.services import Signer, signatures_of, verify_many
from portal.signing.web import asks_for_passkey, passkey_options, signer_of, ways_to_sign
from tracershop.models import Batch, Recall, RecallNotice
from tracershop.models.reach import PLACE, RECALL, SEE_ALL
from tracershop.rules.batches import may_follow
from tracershop.rules.release import BatchStatus
from tracershop.selectors import topics
from tracershop.selectors.batch_page import events_of
from tracershop.selectors.recalls import notices_for, recalls_for, trace, vials_of_orders
from tracershop.services import recalls as services
from tracershop.views.parameters import required, required_key


@require_GET
def recalls(request: HttpRequest) -> HttpResponse:
    """Every recall, open ones first."""
    require(request.user, SEE_ALL)
    context = {"recalls": recalls_for(request.user), "topic": topics.BATCHES}
    name = "_recalls.html" if request.htmx else "recalls.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/recalls/{name}", context)


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Whom it would concern, why, what they are to do, and the signature."""
    require(request.user, RECALL)
    batches = visible(request.user, Batch.objects.all(), RECALL).select_related("tracer")
    batch = get_object_or_404(batches, pk=pk)
    if request.method != "POST":
        return _start_page(request, batch)

    def act(signer: Signer) -> Recall:
        return services.start_recall(
            actor=request.user,
            batch_id=pk,
            reason=request.POST.get("reason", ""),
            instructions=request.POST.get("instructions", ""),
            signer=signer,
        )

    if asks_for_passkey(request):
        return passkey_options(request, act)
    try:
        recall = act(signer_of(request))
    except Refused as refusal:
        return _start_page(request, batch, refusal)
    messages.success(
        request, _("Batch %(lot)s is recalled. Call the customers now.") % {"lot": batch.lot}
    )
    return redirect("tracershop:recall", recall.pk)


def _start_page(request: HttpRequest, batch: Batch, refusal: Refused | None = None) -> HttpResponse:
    running = batch.recalls.filter(closed_at__isnull=True).first()
    known = batch.status_reason if batch.status == BatchStatus.REJECTED else ""
    context = {
        "batch": batch,
        "running": running,
        "possible": may_follow(BatchStatus(batch.status), BatchStatus.RECALLED),
        "trace": trace(batch.lot),
        "meaning": services.MEANING,
        "refusal": refusal,
        "reason": request.POST.get("reason", known),
        "instructions": request.POST.get("instructions", ""),
        "ways_to_sign": ways_to_sign(request),
    }
    status = 422 if refusal else 200
    return render(request, "tracershop/recalls/start.html", context, status=status)


@require_GET
def recall_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole recall: whom to call, who has answered what."""
    require(request.user, SEE_ALL)
    recall = get_object_or_404(recalls_for(request.user), pk=pk)
    log_access(Access.OPEN, recall)
    traced = trace(recall.batch.lot, recall)
    context = {
        "recall": recall,
        "batch": recall.batch,
        "trace": traced,
        "missing": [each for each in traced.customers if not each.is_acknowledged],
        "signatures": verify_many(signatures_of(recall)),
        "events": events_of(recall.batch),
        "may_act": can(request.user, RECALL) and recall.closed_at is None,
        "topic": topics.BATCHES,
    }
    name = "_recall.html" if request.htmx else "recall.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/recalls/{name}", context)


@require_POST
def call(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, RECALL)
    services.record_call(
        actor=request.user,
        recall_id=pk,
        customer_id=required_key(request, "customer", _("Customer")),
        reached=required(request, "reached", _("Whom you told")),
    )
    messages.success(request, _("The call is kept."))
    return redirect("tracershop:recall", pk)


@require_POST
def close(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, RECALL)
    services.close_recall(
        actor=request.user,
        recall_id=pk,
        conclusion=required(request, "conclusion", _("Conclusion")),
        reason=request.POST.get("reason", ""),
    )
    messages.success(request, _("The recall is closed."))
    return redirect("tracershop:recall", pk)


# --- the customer's side ---------------------------------------------------------------------


@require_GET
def notices(request: HttpRequest) -> HttpResponse:
    """Recalls that concern the person's customers, newest first."""
    require(request.user, PLACE)
    found: dict[int, list[RecallNotice]] = defaultdict(list)
    for each in notices_for(request.user):
        found[each.recall_id].append(each)
    rows = [
        {
            "recall": each[0].recall,
            "notices": each,
            "waiting": sum(notice.acknowledged_at is None for notice in each),
        }
        for each in found.values()
    ]
    return render(request, "tracershop/recalls/notices.html", {"rows": rows})


@require_http_methods(["GET", "POST"])
def notice(request: HttpRequest, pk: int) -> HttpResponse:
    """One recall as it concerns the person's customers; POST answers it. Another customer's does
    not exist."""
    own = list(notices_for(request.user).filter(recall=pk))
    if not own:
        raise Http404
    if request.method != "POST":
        log_access(Access.OPEN, own[0].recall)
        return _notice_page(request, own)
    answers = {
        each.pk: services.Answer(
            request.POST.get(f"use-{each.pk}", ""), request.POST.get(f"answer-{each.pk}", "")
        )
        for each in own
    }
    try:
        services.acknowledge_recall(actor=request.user, recall_id=pk, answers=answers)
    except Refused as refusal:
        return _notice_page(request, own, refusal)
    messages.success(request, _("Thank you: production sees your answer."))
    return redirect("tracershop:recall_notice", pk)


def _notice_page(
    request: HttpRequest, own: list[RecallNotice], refusal: Refused | None = None
) -> HttpResponse:
    recall = own[0].recall
    vials = vials_of_orders((each.order_id for each in own), recall.batch.lot)
    context = {
        "recall": recall,
        "rows": [_notice_row(request, each, vials[each.order_id]) for each in own],
        "uses": RecallNotice.Use.choices,
        "refusal": refusal,
        "is_open": recall.closed_at is None,
        "waiting": any(each.acknowledged_at is None for each in own),
        "topic": topics.customer_topic(own[0].customer_id),
    }
    name = "_notice.html" if request.htmx else "notice.html"  # type: ignore[attr-defined]
    status = 422 if refusal else 200
    return render(request, f"tracershop/recalls/{name}", context, status=status)


def _notice_row(request: HttpRequest, each: RecallNotice, vials: list[Any]) -> dict[str, Any]:
    return {
        "notice": each,
        "vials": vials,
        "use": request.POST.get(f"use-{each.pk}", each.use),
        "answer": request.POST.get(f"answer-{each.pk}", each.answer),
    }
