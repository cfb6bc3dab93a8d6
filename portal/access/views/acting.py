"""Acting in another role for support, and stopping it (PT-006)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.access import acting
from portal.access.decision import require
from portal.access.forms import ActingForm
from portal.access.standing import ACT_AS
from portal.records.errors import Refused

_FIELD_OF = {"outside_unit": "unit", "house_wide": "unit", "role_too_high": "role"}


def act_as(request: HttpRequest) -> HttpResponse:
    require(request.user, ACT_AS)
    form = ActingForm(
        request.POST or None,
        roles=acting.roles_to_act_in(),
        units=acting.units_to_act_at(request.user),
    )
    if request.method == "POST" and form.is_valid():
        try:
            acting.begin_acting(actor=request.user, session=request.session, **form.cleaned_data)
        except Refused as error:
            form.add_error(_FIELD_OF.get(error.code), str(error))
        else:
            return redirect("/")
    return render(request, "access/act_as.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
def stop(request: HttpRequest) -> HttpResponse:
    """Whoever acts may stop; the other role need not allow it."""
    acting.end_acting(actor=request.user, session=request.session)
    messages.success(request, _("You are in your own roles again."))
    return redirect("/")
