"""A vial added or corrected by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.access.decision import require, visible
from portal.records.errors import Refused, StaleRecord
from portal.records.merging import merge_screen
from tracershop.forms.vials import VialForm
from tracershop.models import Customer, Vial
from tracershop.models.reach import VIALS
from tracershop.selectors.schedule import site_zone
from tracershop.services.manual_vials import add_vial, edit_vial
from tracershop.views.parameters import day_of


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """A vial that no file told of."""
    require(request.user, VIALS)
    day = day_of(request)
    form = VialForm(request.POST or None, **_options(request), initial={"filled_on": day})
    if request.method == "POST" and form.is_valid():
        try:
            vial = add_vial(
                actor=request.user, values=form.values, reason=form.cleaned_data["reason"]
            )
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            messages.success(request, _("Vial %(lot)s is added.") % {"lot": vial.lot})
            return redirect(_of_day(vial))
    return _page(request, form, _("Add a vial by hand"), f"{reverse('tracershop:vials')}?day={day}")


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct a vial."""
    require(request.user, VIALS)
    vial = visible(request.user, Vial.objects.all(), VIALS).filter(pk=pk).first()
    if vial is None:
        raise Http404
    form = VialForm(request.POST or None, vial=vial, **_options(request))
    back = _of_day(vial)
    if request.method == "POST" and form.is_valid():
        try:
            edited = edit_vial(
                actor=request.user,
                vial_id=pk,
                expected_version=form.cleaned_data["version"],
                values=form.values,
                reason=form.cleaned_data["reason"],
            )
        except StaleRecord as stale:
            return merge_screen(request, form, stale, back=back)
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            messages.success(request, _("Vial %(lot)s is changed.") % {"lot": edited.lot})
            return redirect(_of_day(edited))
    return _page(request, form, _("Correct vial %(lot)s") % {"lot": vial.lot}, back)


def _options(request: HttpRequest) -> dict[str, Any]:
    customers = visible(request.user, Customer.objects.order_by("name"))
    return {"customers": customers, "zone": site_zone()}


def _of_day(vial: Vial) -> str:
    return f"{reverse('tracershop:vials')}?day={timezone.localtime(vial.filled_at):%Y-%m-%d}"


def _page(request: HttpRequest, form: VialForm, heading: str, back: str) -> HttpResponse:
    context = {"form": form, "heading": heading, "back": back, "vial": form.vial}
    status = 422 if form.errors else 200
    return render(request, "tracershop/vials/edit.html", context, status=status)
