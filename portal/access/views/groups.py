"""Groups of people who are granted roles together (PT-013)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access import selectors, services
from portal.access.acts import ask
from portal.access.decision import can
from portal.access.forms import ReasonForm
from portal.access.grant_forms import GroupForm, MemberForm
from portal.access.models import GroupMember, PeopleGroup, RoleGrant
from portal.access.views.grants import require_some_say
from portal.records.errors import Refused

_FIELD_OF = {
    "empty": "name",
    "name_taken": "name",
    "outside_unit": "unit",
    "closed_unit": "unit",
}


@require_safe
def groups(request: HttpRequest) -> HttpResponse:
    require_some_say(request)
    text = request.GET.get("text", "").strip()
    context = {
        "page": Paginator(selectors.groups(request.user, text=text), 50).get_page(
            request.GET.get("page")
        ),
        "text": text,
        "administers": can(request.user, selectors.ADMINISTER),
    }
    return render(request, "access/groups.html", context)


@require_safe
def group(request: HttpRequest, pk: int) -> HttpResponse:
    """Who is in it, and what they hold through it."""
    require_some_say(request)
    found = _find(request, pk)
    members = GroupMember.objects.filter(group=found).select_related("user")
    held = RoleGrant.objects.filter(group=found).select_related("role", "unit", "granted_by")
    mine = set(selectors.grants(request.user).filter(group=found).values_list("pk", flat=True))
    context = {
        "group": found,
        "members": members.order_by("user__name", "pk"),
        "grants": [
            (each, each.pk in mine) for each in held.order_by("unit__path", "role__name", "pk")
        ],
        "is_in_it": members.filter(user=request.user).exists(),
    }
    return render(request, "access/group.html", context)


def make(request: HttpRequest) -> HttpResponse:
    require_some_say(request)
    form = GroupForm(request.POST or None, units=selectors.units_to_keep_groups_at(request.user))
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_group(actor=request.user, **form.cleaned_data)
        except Refused as error:
            _add_refusal(form, error)
        else:
            messages.success(request, _("Made: %(group)s") % {"group": made})
            return redirect("access:group", made.pk)
    context = {"form": form}
    return render(request, "access/group_form.html", context, status=422 if form.errors else 200)


def rename(request: HttpRequest, pk: int) -> HttpResponse:
    require_some_say(request)
    found = _find(request, pk)
    form = GroupForm(request.POST or None, initial={"name": found.name, "version": found.version})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        version = values.pop("version")
        try:
            services.rename_group(
                actor=request.user,
                group_id=found.pk,
                # a form without a version was not ours: it is older than everything
                expected_version=version or 0,
                **values,
            )
        except Refused as error:
            _add_refusal(form, error)
        else:
            return redirect("access:group", found.pk)
    context = {"form": form, "group": found}
    return render(request, "access/group_form.html", context, status=422 if form.errors else 200)


def end(request: HttpRequest, pk: int) -> HttpResponse:
    require_some_say(request)
    found = _find(request, pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.end_group(actor=request.user, group_id=found.pk, **values),
        title=_("End the group: %(group)s") % {"group": found},
        words=_("Everybody leaves it, and what they held through it alone ends now."),
        back=reverse("access:groups"),
        danger=True,
    )


def add(request: HttpRequest, pk: int) -> HttpResponse:
    require_some_say(request)
    found = _find(request, pk)
    return ask(
        request,
        MemberForm(request.POST or None),
        lambda **values: services.add_member(actor=request.user, group_id=found.pk, **values),
        title=_("Add to the group: %(group)s") % {"group": found},
        words=_("The person holds every role of the group from now on."),
        back=reverse("access:group", args=[found.pk]),
    )


def remove(request: HttpRequest, pk: int) -> HttpResponse:
    require_some_say(request)
    kept = selectors.groups(request.user).values("pk")
    member = get_object_or_404(
        GroupMember.objects.filter(group__in=kept).select_related("user", "group"), pk=pk
    )
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.remove_member(actor=request.user, member_id=pk, **values),
        title=_("Take out of the group: %(person)s") % {"person": member.user},
        words=_("What the person held through this group alone ends now."),
        back=reverse("access:group", args=[member.group_id]),
        danger=True,
    )


def _find(request: HttpRequest, pk: int) -> PeopleGroup:
    return get_object_or_404(selectors.groups(request.user), pk=pk)


def _add_refusal(form: Any, error: Refused) -> None:
    field = _FIELD_OF.get(error.code)
    form.add_error(field if field in form.fields else None, str(error))
