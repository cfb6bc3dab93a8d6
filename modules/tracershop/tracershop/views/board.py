"""The day board, and what production decides there."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from portal.access.decision import can, require
from tracershop.models.reach import ACCEPT, ORDER_LATE, RELEASE, SEE_ALL, VIALS
from tracershop.selectors.board import board_for
from tracershop.selectors.topics import day_topic
from tracershop.services.production import (
    Decision,
    accept_orders,
    reject_orders,
    unreject_orders,
)
from tracershop.views.parameters import day_of, ids_of


@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """All orders of all customers of a day; htmx fetches the same without the frame."""
    require(request.user, SEE_ALL)
    day = day_of(request)
    context = {
        "board": board_for(request.user, day),
        "day": day,
        "today": timezone.localdate(),
        "now": timezone.now(),
        "topic": day_topic(day),
        "before": day - timedelta(days=7),
        "after": day + timedelta(days=7),
        "may_accept": can(request.user, ACCEPT),
        "may_release": can(request.user, RELEASE),
        "may_settle": can(request.user, VIALS),
        "may_plan": can(request.user, ACCEPT) and can(request.user, VIALS),
        "may_add": can(request.user, ACCEPT) and can(request.user, ORDER_LATE),
    }
    template = "tracershop/board/_board.html" if request.htmx else "tracershop/board/board.html"
    return render(request, template, context)


@require_POST
def accept(request: HttpRequest) -> HttpResponse:
    decision = accept_orders(actor=request.user, order_ids=ids_of(request.POST.getlist("order")))
    _say(request, decision, _("accepted"))
    return _back(request)


@require_POST
def reject(request: HttpRequest) -> HttpResponse:
    decision = reject_orders(
        actor=request.user,
        order_ids=ids_of(request.POST.getlist("order")),
        reason=request.POST.get("reason", ""),
    )
    _say(request, decision, _("rejected"))
    return _back(request)


@require_POST
def unreject(request: HttpRequest) -> HttpResponse:
    decision = unreject_orders(actor=request.user, order_ids=ids_of(request.POST.getlist("order")))
    _say(request, decision, _("open again"))
    return _back(request)


def _say(request: HttpRequest, decision: Decision, done: str) -> None:
    if decision.changed:
        numbers = ", ".join(str(order.pk) for order in decision.changed)
        text = ngettext("Order %(n)s: %(done)s.", "Orders %(n)s: %(done)s.", len(decision.changed))
        messages.success(request, text % {"n": numbers, "done": done})
    if decision.unchanged:
        numbers = ", ".join(str(order.pk) for order in decision.unchanged)
        messages.info(request, _("So already: %(n)s. Nothing was changed there.") % {"n": numbers})


def _back(request: HttpRequest) -> HttpResponse:
    return redirect(f"{reverse('tracershop:board')}?day={day_of(request):%Y-%m-%d}")
