"""Who belongs to a unit: added, changed, ended."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from portal.access.acts import ask
from portal.access.decision import require, visible
from portal.organisation import services
from portal.organisation.apps import CHANGE
from portal.organisation.forms import EndMemberForm, MemberDatesForm, MemberForm
from portal.organisation.models import Membership
from portal.organisation.views.units import one_unit
from portal.records.errors import Refused

_FIELD_OF = {"member_already": "user", "outside_unit": "user", "dates": "ends_on"}


def _one_member(request: HttpRequest, pk: int) -> Membership:
    require(request.user, CHANGE)
    found = Membership.objects.select_related("unit", "user")
    return get_object_or_404(visible(request.user, found, CHANGE), pk=pk)


def add(request: HttpRequest, pk: int) -> HttpResponse:
    unit = one_unit(request, pk)
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.add_member(actor=request.user, unit=unit, **form.cleaned_data)
        except Refused as error:
            form.add_error(_FIELD_OF.get(error.code), str(error))
        else:
            words = {"person": made.user, "unit": unit}
            messages.success(request, _("%(person)s belongs to %(unit)s.") % words)
            return redirect(unit)
    context = {"form": form, "title": _("Add a person to %(unit)s") % {"unit": unit}, "unit": unit}
    return render(request, "organisation/form.html", context, status=422 if form.errors else 200)


def change(request: HttpRequest, pk: int) -> HttpResponse:
    member = _one_member(request, pk)
    fields = ("title", "starts_on", "ends_on", "version")
    form = MemberDatesForm(
        request.POST or None, initial={name: getattr(member, name) for name in fields}
    )
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        version = values.pop("version") or 0  # a form without a version was not ours
        try:
            services.change_member(
                actor=request.user, member_id=member.pk, expected_version=version, **values
            )
        except Refused as error:
            form.add_error(_FIELD_OF.get(error.code), str(error))
        else:
            messages.success(request, _("%(member)s is saved.") % {"member": member})
            return redirect(member.unit)
    context = {"form": form, "title": str(member), "unit": member.unit}
    return render(request, "organisation/form.html", context, status=422 if form.errors else 200)


def end(request: HttpRequest, pk: int) -> HttpResponse:
    member = _one_member(request, pk)
    return ask(
        request,
        EndMemberForm(request.POST or None),
        lambda **values: services.end_member(actor=request.user, member_id=member.pk, **values),
        title=_("%(person)s leaves %(unit)s") % {"person": member.user, "unit": member.unit},
        words=_("Roles that were granted to the person stay; end them under Roles at units."),
        back=member.unit.get_absolute_url(),
        danger=True,
    )
