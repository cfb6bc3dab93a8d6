"""Which directory group gives which role where (PT-001)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access import selectors, services
from portal.access.acts import ask
from portal.access.decision import require
from portal.access.forms import MappingForm, ReasonForm
from portal.records.errors import Refused


@require_safe
def mappings(request: HttpRequest) -> HttpResponse:
    require(request.user, selectors.ADMINISTER)
    context = {"mappings": selectors.mappings(request.user), "administers": True}
    return render(request, "access/directory.html", context)


def add(request: HttpRequest) -> HttpResponse:
    require(request.user, selectors.ADMINISTER)
    form = MappingForm(
        request.POST or None,
        roles=selectors.roles_to_map(request.user),
        units=selectors.units_to_administer(request.user),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.map_directory_group(actor=request.user, **form.cleaned_data)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Added: %(mapping)s") % {"mapping": made})
            return redirect("access:directory")
    context = {"form": form}
    return render(request, "access/directory_new.html", context, status=422 if form.errors else 200)


def end(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, selectors.ADMINISTER)
    mapping = get_object_or_404(selectors.mappings(request.user), pk=pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.end_directory_mapping(
            actor=request.user, mapping_id=mapping.pk, **values
        ),
        title=_("End: %(mapping)s") % {"mapping": mapping},
        words=_("People of this group lose the role at their next log-in."),
        back=reverse("access:directory"),
        danger=True,
    )
