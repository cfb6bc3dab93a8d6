"""The release of one or several orders: what stands against it, what to confirm, the signature."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.access.decision import require
from portal.records.errors import Refused
from portal.signing.services import Signer
from portal.signing.web import asks_for_passkey, passkey_options, signer_of, ways_to_sign
from tracershop.models import Order, Vial
from tracershop.models.reach import RELEASE
from tracershop.rules.orders import OrderStatus
from tracershop.selectors.board import candidate_vials, orders_for_release, vial_mbq_at
from tracershop.selectors.planner import batch_statuses, propose_at_release, usable_vials
from tracershop.services.release import Judge, Outcome, ReleaseRequest, release_orders
from tracershop.services.vials import allocate_vials
from tracershop.views.parameters import ids_of


def release(request: HttpRequest) -> HttpResponse:
    """GET shows the orders with their vials, POST allocates, looks anew, or releases."""
    require(request.user, RELEASE)
    ids = ids_of((request.POST if request.method == "POST" else request.GET).getlist("order"))
    orders = orders_for_release(request.user, ids)
    if not ids or len(orders) < len(set(ids)):
        raise Http404
    if request.method != "POST":
        return _page(request, orders, _proposed(request.user, orders))
    requests = [_request(request, order) for order in orders]
    act = request.POST.get("act")
    if act == "release":
        return _release(request, orders, requests)
    if act == "allocate":
        for each in requests:
            allocate_vials(actor=request.user, order_id=each.order_id, vial_ids=each.vial_ids)
        messages.success(request, _("The vials are allocated."))
        return _to_board(orders)
    return _page(request, orders, requests)


def _release(
    request: HttpRequest, orders: list[Order], requests: list[ReleaseRequest]
) -> HttpResponse:
    def act(signer: Signer) -> Outcome:
        return release_orders(actor=request.user, requests=requests, signer=signer)

    if asks_for_passkey(request):
        return passkey_options(request, act)
    try:
        outcome = act(signer_of(request))
    except Refused as refusal:
        fresh = orders_for_release(request.user, [order.pk for order in orders])
        return _page(request, fresh, requests, refusal=refusal)
    for order in outcome.released:
        messages.success(request, _("Order %(n)s is released.") % {"n": order.pk})
    for order in outcome.unchanged:
        messages.info(request, _("Order %(n)s was released already.") % {"n": order.pk})
    return _to_board(orders)


def _to_board(orders: list[Order]) -> HttpResponse:
    return redirect(f"{reverse('tracershop:board')}?day={orders[0].deliver_on:%Y-%m-%d}")


def _request(request: HttpRequest, order: Order) -> ReleaseRequest:
    return ReleaseRequest(
        order_id=order.pk,
        vial_ids=frozenset(ids_of(request.POST.getlist(f"vial-{order.pk}"))),
        lot=request.POST.get(f"lot-{order.pk}", "").strip(),
        confirmed=frozenset(request.POST.getlist(f"confirm-{order.pk}")),
    )


def _proposed(user: Any, orders: list[Order]) -> list[ReleaseRequest]:
    """The vials that an order has, else those proposed for it."""
    vials = candidate_vials(user, orders)
    usable = usable_vials(vials, batch_statuses(vials), timezone.now())
    proposal = propose_at_release([order for order in orders if not order.active_vials], usable)
    return [
        ReleaseRequest(
            order.pk,
            frozenset(vial.pk for vial in order.active_vials)
            or frozenset(proposal.get(order.pk, ())),
        )
        for order in orders
    ]


def _page(
    request: HttpRequest,
    orders: list[Order],
    requests: list[ReleaseRequest],
    refusal: Refused | None = None,
) -> HttpResponse:
    free = candidate_vials(request.user, orders)
    by_order = {each.order_id: each for each in requests}
    lots = {vial.lot for vial in free} | {v.lot for o in orders for v in o.active_vials}
    judge = Judge(request.user, lots | {each.lot for each in requests}, timezone.now())
    rows = [_row(judge, order, free, by_order[order.pk]) for order in orders]
    context = {
        "rows": rows,
        "orders": orders,
        "refusal": refusal,
        "ways_to_sign": ways_to_sign(request),
        "may_sign": all(not row["judgement"].reasons for row in rows if not row["released"]),
        "all_released": all(row["released"] for row in rows),
        "day": orders[0].deliver_on,
    }
    status = 422 if refusal else 200
    return render(request, "tracershop/release/release.html", context, status=status)


def _row(judge: Judge, order: Order, free: list[Vial], asked: ReleaseRequest) -> dict[str, Any]:
    fitting = [
        vial
        for vial in free
        if vial.tracer_id == order.tracer_id and vial.customer_id == order.customer_id
    ]
    choice = [
        {
            "vial": vial,
            "chosen": vial.pk in asked.vial_ids,
            "at_delivery_mbq": vial_mbq_at(vial, order.deliver_at),
        }
        for vial in [*order.active_vials, *fitting]
    ]
    chosen = [each["vial"] for each in choice if each["chosen"]]
    return {
        "order": order,
        "released": order.status == OrderStatus.RELEASED,
        "choice": choice,
        "lot": asked.lot,
        "confirmed": asked.confirmed,
        "judgement": judge.judge(order, chosen, asked.lot),
    }
