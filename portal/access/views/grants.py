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
from portal.access.forms import ReasonForm
from portal.access.grant_forms import ChangeGrantForm, GrantForm
from portal.access.models import RoleGrant
from portal.records.errors import Refused

FIELD_OF = {
    "self_grant": "user",
    "receiver": "user",
    "already_held": "role",
    "single_role": "role",
    "above_own": "role",
    "other_module": "role",
    "needs_approval": "role",
    "house_wide": "unit",
    "outside_unit": "unit",
    "closed_unit": "unit",
    "profile": "profile",
    "scope": "data_scope",
    "dates": "ends_on",
}


def require_some_say(request: HttpRequest) -> None:
    if not (can(request.user, selectors.GRANT) or can(request.user, selectors.ADMINISTER)):
        raise PermissionDenied


def add_refusal(form: Any, error: Refused) -> None:
    """Put it beside the field that it is about, if that field is asked."""
    field = FIELD_OF.get(error.code)
    form.add_error(field if field in form.fields else None, str(error))


def _chosen(queryset: Any, key: str) -> Any:
    return queryset.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None


@require_safe
def grants(request: HttpRequest) -> HttpResponse:
    require_some_say(request)
    units = selectors.units_to_grant_at(request.user)
    roles = selectors.roles_to_grant(request.user)
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
        "narrowed": bool(person or unit or role),
        "today": timezone.localdate(),
        "administers": can(request.user, selectors.ADMINISTER),
    }
    return render(request, "access/grants.html", context)


def grant(request: HttpRequest) -> HttpResponse:
    """Grant a role; asked by GET with what was chosen so far, it offers what goes with that."""
    require_some_say(request)
    asked = request.GET
    proposed: dict[str, Any] = {name: value for name, value in asked.items() if value != ""}
    proposed["people_groups"] = asked.getlist("people_groups")
    proposed.setdefault("user", asked.get("person", ""))
    proposed["below"] = "below" in asked or "unit" not in asked
    form = GrantForm(request.POST or None, initial=proposed, actor=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.grant_role(actor=request.user, **form.values())
        except Refused as error:
            add_refusal(form, error)
        else:
            messages.success(request, _("Granted: %(grant)s") % {"grant": made})
            return redirect("access:grants")
    return render(request, "access/grant.html", {"form": form}, status=422 if form.errors else 200)


def change(request: HttpRequest, pk: int) -> HttpResponse:
    """How far and how long it holds; the second of two savers is shown what differs."""
    require_some_say(request)
    found = get_object_or_404(selectors.grants(request.user), pk=pk)
    form = ChangeGrantForm(request.POST or None, actor=request.user, grant=found)
    if request.method == "POST" and form.is_valid():
        values = form.values()
        version = values.pop("version")
        try:
            services.change_grant(
                actor=request.user,
                grant_id=found.pk,
                # a form without a version was not ours: it is older than everything
                expected_version=version or 0,
                **values,
            )
        except Refused as error:
            add_refusal(form, error)
        else:
            messages.success(request, _("Changed: %(grant)s") % {"grant": found})
            return redirect("access:grants")
    context = {"form": form, "grant": found}
    return render(request, "access/grant_change.html", context, status=422 if form.errors else 200)


def end(request: HttpRequest, pk: int) -> HttpResponse:
    require_some_say(request)
    found = get_object_or_404(selectors.grants(request.user), pk=pk)
    words = _("The role ends now. What the person did with it stays in the audit trail.")
    if found.group_id:
        words = _("The role ends now, for everybody who is in the group.")
    if found.source == RoleGrant.Source.DIRECTORY:
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
