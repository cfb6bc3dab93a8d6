"""Who holds which role at which unit."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access import selectors, services
from portal.access.acts import ask
from portal.access.decision import can
from portal.access.forms import GrantForm, ReasonForm
from portal.records.errors import Refused

_FIELD_OF = {
    "self_grant": "user",
    "already_held": "role",
    "single_role": "role",
    "above_own": "role",
    "outside_unit": "unit",
    "dates": "ends_on",
}


def _require_some_say(request: HttpRequest) -> None:
    if not (can(request.user, selectors.GRANT) or can(request.user, selectors.ADMINISTER)):
        raise PermissionDenied


def _chosen(queryset: Any, key: str) -> Any:
    return queryset.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None


@require_safe
def grants(request: HttpRequest) -> HttpResponse:
    _require_some_say(request)
    units = selectors.units_to_grant_at(request.user)
    roles = selectors.roles()
    person = request.GET.get("person", "").strip()
    unit = _chosen(units, request.GET.get("unit", ""))
    role = _chosen(roles, request.GET.get("role", ""))
    found = selectors.grants(request.user, person=person, role=role, unit=unit)
    context = {
        "page": Paginator(found, 50).get_page(request.GET.get("page")),
        "person": person,
        "unit": unit,
        "role": role,
        "units": units,
        "roles": roles,
        "today": timezone.localdate(),
        "administers": can(request.user, selectors.ADMINISTER),
    }
    return render(request, "access/grants.html", context)


def grant(request: HttpRequest) -> HttpResponse:
    _require_some_say(request)
    form = GrantForm(
        request.POST or None,
        initial={"user": request.GET.get("person", "")},
        roles=selectors.roles_to_grant(request.user),
        units=selectors.units_to_grant_at(request.user),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.grant_role(actor=request.user, **form.cleaned_data)
        except Refused as error:
            form.add_error(_FIELD_OF.get(error.code), str(error))
        else:
            messages.success(request, _("Granted: %(grant)s") % {"grant": made})
            return redirect("access:grants")
    return render(request, "access/grant.html", {"form": form}, status=422 if form.errors else 200)


def end(request: HttpRequest, pk: int) -> HttpResponse:
    _require_some_say(request)
    found = get_object_or_404(selectors.grants(request.user), pk=pk)
    words = _("The role ends now. What the person did with it stays in the audit trail.")
    if found.source == found.Source.DIRECTORY:
        words = _("The directory gave this role, and gives it again at the next log-in.")
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.end_grant(actor=request.user, grant_id=found.pk, **values),
        title=_("End the role: %(grant)s") % {"grant": found},
        words=words,
        back=reverse("access:grants"),
        danger=True,
    )
