"""Bookings of the radiology system: what would be ordered for them, and ordering it (TS-024)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from portal.access.decision import can, require
from portal.records.errors import Refused
from tracershop.models.reach import MAP, ORDER_BOOKINGS
from tracershop.selectors.booking_page import booking_page
from tracershop.selectors.topics import BOOKINGS
from tracershop.services.bookings import order_bookings
from tracershop.views.parameters import day_of, ids_of

_MOST_BOOKINGS = 500


@require_GET
def bookings(request: HttpRequest) -> HttpResponse:
    """The preview of a day; htmx asks for it again with each tick, and when a booking changes."""
    require(request.user, ORDER_BOOKINGS)
    ticked, known = ids_of(request.GET.getlist("booking")), ids_of(request.GET.getlist("known"))
    return _page(request, ticked, known)


@require_POST
def order(request: HttpRequest) -> HttpResponse:
    """Order for the ticked bookings, as the preview said; if that is no longer so, show what is."""
    require(request.user, ORDER_BOOKINGS)
    day = day_of(request)
    ticked = ids_of(request.POST.getlist("booking"))
    if len(ticked) > _MOST_BOOKINGS:
        raise Http404
    try:
        done = order_bookings(
            actor=request.user,
            day=day,
            booking_ids=ticked,
            fingerprint=request.POST.get("fingerprint", ""),
        )
    except Refused as refusal:
        known = ids_of(request.POST.getlist("known"))
        return _page(request, ticked, known, refusal=refusal)
    text = ngettext("%(n)s order is placed.", "%(n)s orders are placed.", len(done.orders))
    messages.success(request, text % {"n": len(done.orders)})
    return redirect(f"{reverse('tracershop:bookings')}?day={day:%Y-%m-%d}")


def _page(
    request: HttpRequest, ticked: list[int], known: list[int], *, refusal: Refused | None = None
) -> HttpResponse:
    day = day_of(request)
    context: dict[str, Any] = {
        "page": booking_page(request.user, day, timezone.now(), ticked=ticked, known=known),
        "day": day,
        "today": timezone.localdate(),
        "topic": BOOKINGS,
        "may_map": can(request.user, MAP),
        "week_before": day - timedelta(days=7),
        "week_after": day + timedelta(days=7),
        "refusal": refusal,
    }
    name = "_bookings.html" if request.htmx else "bookings.html"  # type: ignore[attr-defined]
    status = 422 if refusal else 200
    return render(request, f"tracershop/bookings/{name}", context, status=status)
