"""What the roles are made of; administrators compose more (PT-012)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access import selectors, services
from portal.access.decision import can, held_by, require
from portal.access.forms import RoleForm
from portal.access.models import Role
from portal.records.errors import Refused, StaleRecord
from portal.records.merging import merge_screen
from portal.registry import registry


@require_safe
def roles(request: HttpRequest) -> HttpResponse:
    if not (can(request.user, selectors.GRANT) or can(request.user, selectors.ADMINISTER)):
        raise PermissionDenied
    labels = {privilege.code: privilege.label for privilege in registry.privileges()}
    context = {
        "rows": [
            # a privilege of a module that is gone keeps its code
            (role, [labels.get(code, code) for code in role.privileges])
            for role in selectors.roles()
        ],
        "administers": can(request.user, selectors.ADMINISTER),
    }
    return render(request, "access/roles.html", context)


def compose(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Make a role, or change one that administrators made."""
    require(request.user, selectors.ADMINISTER)
    role = None if pk is None else get_object_or_404(Role.objects.filter(predefined=False), pk=pk)
    present = set(role.privileges) if role else set()
    form = RoleForm(
        request.POST or None,
        initial=_initial(role),
        codes=held_by(request.user).privileges() | present,
    )
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        version = values.pop("version")
        try:
            made = services.compose_role(
                actor=request.user,
                role_id=pk,
                # a form without a version was not ours: it is older than everything
                expected_version=None if pk is None else version or 0,
                **values,
            )
        except StaleRecord as stale:
            return merge_screen(request, form, stale, back=reverse("access:roles"))
        except Refused as error:
            form.add_error("privileges" if error.code == "above_own" else None, str(error))
        else:
            messages.success(request, _("Role %(role)s is saved.") % {"role": made})
            return redirect("access:roles")
    context = {"form": form, "role": role}
    return render(request, "access/role.html", context, status=422 if form.errors else 200)


def _initial(role: Role | None) -> dict[str, Any]:
    if role is None:
        return {}
    return {"name": role.name, "privileges": role.privileges, "version": role.version}
