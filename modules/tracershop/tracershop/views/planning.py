"""The production plan of a day, and the vial planner."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from portal.access.decision import can, require
from portal.records.errors import Refused
from tracershop.models import Vial
from tracershop.models.reach import ACCEPT, SEE_ALL, VIALS
from tracershop.selectors.planner import planner_for
from tracershop.selectors.planning import production_plan
from tracershop.selectors.topics import day_topic
from tracershop.services.planning import VialChoice, apply_plan
from tracershop.views.parameters import day_of, key_of


@require_GET
def plan(request: HttpRequest) -> HttpResponse:
    """What each run of the day has to make, beside what recent batches gave."""
    require(request.user, SEE_ALL)
    day = day_of(request)
    context = {
        "plans": production_plan(request.user, day),
        "day": day,
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1),
        "topic": day_topic(day),
    }
    template = "_plan.html" if request.htmx else "plan.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/planner/{template}", context)


@require_http_methods(["GET", "POST"])
def planner(request: HttpRequest) -> HttpResponse:
    """GET proposes, POST looks at what was chosen, or applies it."""
    require(request.user, SEE_ALL)
    if request.method != "POST":
        return _page(request, None)
    require(request.user, ACCEPT)
    choices = _choices(request)
    if request.POST.get("act") != "apply":
        return _page(request, choices)
    try:
        applied = apply_plan(actor=request.user, choices=choices)
    except Refused as refusal:
        return _page(request, choices, refusal)
    if applied.vials:
        text = ngettext("%(n)s vial is allocated anew.", "%(n)s vials are allocated anew.",
                        applied.vials)  # fmt: skip
        messages.success(request, text % {"n": applied.vials})
    else:
        messages.info(request, _("The vials serve these orders already. Nothing was changed."))
    return redirect(f"{reverse('tracershop:board')}?day={day_of(request):%Y-%m-%d}")


def _page(
    request: HttpRequest, choices: list[VialChoice] | None, refusal: Refused | None = None
) -> HttpResponse:
    day = day_of(request)
    wishes = None
    if choices is not None:
        wishes = {choice.vial_id: choice.order_id for choice in choices}
    if choices and refusal is not None and refusal.code == "plan_changed":
        wishes = {**(wishes or {}), **_as_it_is(choices)}
    context = {
        "planner": planner_for(request.user, day, timezone.now(), wishes),
        "day": day,
        "refusal": refusal,
        "proposed": wishes is None,
        "may_apply": can(request.user, ACCEPT) and can(request.user, VIALS),
    }
    status = 422 if refusal else 200
    return render(request, "tracershop/planner/planner.html", context, status=status)


def _as_it_is(choices: list[VialChoice]) -> dict[int, int | None]:
    """Of the vials that changed meanwhile, what they serve now: pressing again overrides nobody."""
    versions = {choice.vial_id: choice.version for choice in choices}
    rows = Vial.objects.filter(pk__in=versions).values_list("pk", "version", "order_id")
    return {pk: order_id for pk, version, order_id in rows if versions[pk] != version}


def _choices(request: HttpRequest) -> list[VialChoice]:
    """Fields ``vial-<key>``: the order, or nothing; ``version-<key>``: as old as it was shown."""
    choices = []
    for name, value in request.POST.items():
        word, _dash, digits = name.partition("-")
        if word != "vial":
            continue
        vial_id, version = key_of(digits), key_of(str(request.POST.get(f"version-{digits}", "")))
        order_id = key_of(str(value)) if value else None
        if vial_id is None or version is None or (value and order_id is None):
            raise Http404
        choices.append(VialChoice(vial_id, version, order_id))
    return choices
