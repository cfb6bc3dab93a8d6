"""The tree, one unit of it, and the forms that make and rename units (PT-010)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access.authority import ADMINISTER, GRANT
from portal.access.decision import can, require, visible
from portal.organisation import selectors, services
from portal.organisation.apps import CHANGE
from portal.organisation.forms import NewUnitForm, UnitForm
from portal.organisation.models import Unit
from portal.records.errors import Refused

PAGE_LENGTH = 200
_FIELD_OF = {"code_taken": "code", "closed": "parent", "too_deep": "parent"}


def one_unit(request: HttpRequest, pk: int) -> Unit:
    """The unit, if the person may change it; otherwise there is none."""
    require(request.user, CHANGE)
    found = Unit.objects.select_related("parent", "merged_into")
    return get_object_or_404(visible(request.user, found, CHANGE), pk=pk)


@require_safe
def units(request: HttpRequest) -> HttpResponse:
    require(request.user, CHANGE)
    text = request.GET.get("text", "").strip()
    closed = "closed" in request.GET
    found = selectors.units(request.user, closed=closed, text=text)
    context = {
        "page": Paginator(found, PAGE_LENGTH).get_page(request.GET.get("page")),
        "text": text,
        "closed": closed,
    }
    return render(request, "organisation/units.html", context)


@require_safe
def unit(request: HttpRequest, pk: int) -> HttpResponse:
    found = one_unit(request, pk)
    context = {
        "unit": found,
        "above": found.get_ancestors(),
        "below": selectors.units(request.user, closed=True).filter(parent=found),
        "members": selectors.members(found),
        "belongings": selectors.belongings(found),
        "life": selectors.life(found),
        "today": timezone.localdate(),
        "may_move": selectors.may_change(request.user, found.parent),
        "sees_grants": can(request.user, GRANT) or can(request.user, ADMINISTER),
    }
    return render(request, "organisation/unit.html", context)


def create(request: HttpRequest) -> HttpResponse:
    require(request.user, CHANGE)
    form = NewUnitForm(
        request.POST or None,
        initial={"parent": request.GET.get("below", "")},
        units=selectors.open_units(request.user),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_unit(actor=request.user, **form.cleaned_data)
        except Refused as error:
            form.add_error(_FIELD_OF.get(error.code), str(error))
        else:
            messages.success(request, _("Unit %(unit)s is made.") % {"unit": made})
            return redirect(made)
    return _form(request, form, _("Make a unit"), "")


def change(request: HttpRequest, pk: int) -> HttpResponse:
    found = one_unit(request, pk)
    initial = {"name": found.name, "code": found.code, "kind": found.kind}
    form = UnitForm(request.POST or None, initial={**initial, "version": found.version})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        version = values.pop("version") or 0  # a form without a version was not ours
        try:
            services.change_unit(actor=request.user, unit=found, expected_version=version, **values)
        except Refused as error:
            form.add_error("code" if error.code == "code_taken" else None, str(error))
        else:
            messages.success(request, _("Unit %(unit)s is saved.") % {"unit": values["name"]})
            return redirect(found)
    return _form(request, form, _("Change %(unit)s") % {"unit": found}, found)


def _form(request: HttpRequest, form: Any, title: str, found: Any) -> HttpResponse:
    context = {"form": form, "title": title, "unit": found}
    return render(request, "organisation/form.html", context, status=422 if form.errors else 200)
