"""What leaves: shipments of a day, packing one, its papers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.access.acts import ask
from portal.access.decision import can, require
from portal.access.forms import ReasonForm
from portal.audit.services import Access, log_access
from portal.documents.services import response
from portal.records.errors import Refused
from tracershop.forms.shipments import PackingForm, when
from tracershop.models import Shipment
from tracershop.models.reach import ACCEPT, SEE_ALL, SEE_OWN
from tracershop.selectors import shipments as selectors
from tracershop.selectors.topics import customer_topic, day_topic
from tracershop.services import shipments as services
from tracershop.views.parameters import day_of, ids_of

_BEFORE_DELIVERY = timedelta(minutes=30)


@require_GET
def shipments(request: HttpRequest) -> HttpResponse:
    """What leaves next (for production), and the shipments of the day that the person may see."""
    if not (can(request.user, SEE_ALL) or can(request.user, SEE_OWN)):
        require(request.user, SEE_ALL)
    day = day_of(request)
    packs = can(request.user, ACCEPT)
    context = {
        "departures": selectors.departures(request.user, day) if packs else [],
        "shipments": selectors.shipments_of(request.user, day),
        "may_pack": packs,
        "day": day,
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1),
        # a customer's page is told by its customer's topic: see the page of one shipment
        "topic": day_topic(day) if can(request.user, SEE_ALL) else "",
    }
    name = "_shipments.html" if request.htmx else "shipments.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/shipments/{name}", context)


@require_GET
def shipment(request: HttpRequest, pk: int) -> HttpResponse:
    """One shipment: what is in it, its packages, its papers. Another customer's does not exist."""
    found = selectors.find_shipment(request.user, pk)
    cargo = selectors.cargo_of(found)
    papers = selectors.papers_of([found])[found.pk]
    in_force = [paper for paper in papers if not hasattr(paper, "supersession")]
    log_access(Access.OPEN, found)
    context = {
        "shipment": found,
        "cargo": cargo,
        "papers": papers,
        "in_force": in_force,
        "stale": any(paper.data.get("releases") != cargo.releases for paper in in_force),
        "words": {kind: word for word, kind in selectors.PAPER_KINDS.items()},
        "may_pack": can(request.user, ACCEPT, found),
        "topic": customer_topic(found.customer_id),
    }
    name = "_shipment.html" if request.htmx else "shipment.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/shipments/{name}", context)


@require_http_methods(["GET", "POST"])
def make(request: HttpRequest) -> HttpResponse:
    """Pack released orders, and issue their papers in the same act."""
    require(request.user, ACCEPT)
    ids = ids_of((request.POST if request.method == "POST" else request.GET).getlist("order"))
    orders = selectors.orders_to_ship(request.user, ids)
    if not ids or len(orders) < len(set(ids)):
        raise Http404
    form = PackingForm(
        request.POST if request.method == "POST" else None,
        orders=orders,
        initial=when(_proposed(orders)),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.make_shipment(
                actor=request.user,
                packages=form.specs,
                ships_at=form.ships_at,
                carrier=form.cleaned_data["carrier"],
            )
        except Refused as refusal:
            form.add_error(None, [str(refusal), *map(str, refusal.details)])
        else:
            messages.success(request, _("Shipment %(n)s is made.") % {"n": made.pk})
            return _with_papers(request, made)
    return _packing(request, form, orders, None)


@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Pack a shipment anew; its papers are issued anew in the same act."""
    found = selectors.find_shipment(request.user, pk)
    require(request.user, ACCEPT, found)
    cargo = selectors.cargo_of(found)
    form = PackingForm(
        request.POST if request.method == "POST" else None,
        orders=cargo.orders,
        packages=cargo.packages,
        initial={
            **when(found.ships_at),
            "carrier": found.carrier,
            "version": found.version,
        },
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.change_shipment(
                actor=request.user,
                shipment_id=pk,
                expected_version=form.cleaned_data["version"],
                packages=form.specs,
                ships_at=form.ships_at,
                carrier=form.cleaned_data["carrier"],
                reason=form.cleaned_data["reason"],
            )
        except Refused as refusal:
            form.add_error(None, [str(refusal), *map(str, refusal.details)])
        else:
            messages.success(request, _("Shipment %(n)s is packed anew.") % {"n": pk})
            return _with_papers(request, found)
    return _packing(request, form, cargo.orders, found)


@require_POST
def papers(request: HttpRequest, pk: int) -> HttpResponse:
    """Issue the papers of what the shipment is now."""
    return _with_papers(request, selectors.find_shipment(request.user, pk))


@require_http_methods(["GET", "POST"])
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """It does not leave."""
    found = selectors.find_shipment(request.user, pk)
    require(request.user, ACCEPT, found)

    def act(reason: str) -> None:
        services.discard_shipment(actor=request.user, shipment_id=pk, reason=reason)

    day = timezone.localtime(found.ships_at).date()
    return ask(
        request,
        ReasonForm(request.POST or None),
        act,
        title=_("Discard shipment %(n)s") % {"n": pk},
        words=_("It does not leave: its papers are out of force, its orders can be packed again."),
        back=f"{reverse('tracershop:shipments')}?day={day:%Y-%m-%d}",
        danger=True,
    )


@require_GET
def paper(request: HttpRequest, pk: int, word: str) -> HttpResponse:
    """A paper of the shipment: the one in force, or the one that is asked for by number."""
    found = selectors.find_shipment(request.user, pk)
    kind = selectors.PAPER_KINDS.get(word)
    issued = [each for each in selectors.papers_of([found])[found.pk] if each.kind == kind]
    if number := request.GET.get("number"):
        issued = [each for each in issued if each.number == number]
    if not issued:
        raise Http404
    return response(issued[0], user=request.user)


def _with_papers(request: HttpRequest, found: Shipment) -> HttpResponse:
    """The shipment stays made where its papers cannot be issued: it says why."""
    require(request.user, ACCEPT, found)
    try:
        services.issue_papers(actor=request.user, shipment_id=found.pk)
    except Refused as refusal:
        messages.error(request, " ".join([str(refusal), *map(str, refusal.details)]))
    else:
        messages.success(request, _("Delivery note and transport document are issued."))
    return redirect("tracershop:shipment", pk=found.pk)


def _proposed(orders: list[selectors.PackedOrder]) -> datetime:
    """Now, on the day itself; else half an hour before the delivery. Never before it was filled."""
    now = timezone.now()
    latest = min(order.deliver_at for order in orders) - _BEFORE_DELIVERY
    today = timezone.localdate(latest) == timezone.localdate(now)
    filled = [vial.filled_at for order in orders for vial in order.cargo]
    # the form's clock shows no seconds: the next whole minute
    return max([now if today else latest, *filled]) + timedelta(seconds=59)


def _packing(
    request: HttpRequest,
    form: PackingForm,
    orders: list[selectors.PackedOrder],
    found: Shipment | None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "orders": orders,
        "shipment": found,
        "endpoint": orders[0].endpoint,
        "day": orders[0].deliver_on,
    }
    status = 422 if form.errors else 200
    return render(request, "tracershop/shipments/pack.html", context, status=status)
