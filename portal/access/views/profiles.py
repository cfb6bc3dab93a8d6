"""Profiles: made by administrators, chosen by their owner in the header (PT-011)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.access import selectors
from portal.access.acts import ask
from portal.access.authority import ADMINISTER, GRANT
from portal.access.decision import can
from portal.access.forms import NewProfileForm, ProfileForm, ReasonForm
from portal.access.profiles import profiles_in_reach
from portal.access.services import profiles as services
from portal.access.standing import keep_way_back
from portal.records.errors import Refused

_FIELD_OF = {"outside_unit": "unit", "closed_unit": "unit", "name_taken": "name", "empty": "name"}


def _require_some_say(request: HttpRequest) -> None:
    if not (can(request.user, GRANT) or can(request.user, ADMINISTER)):
        raise PermissionDenied


@require_safe
def profiles(request: HttpRequest) -> HttpResponse:
    _require_some_say(request)
    person = request.GET.get("person", "").strip()
    found = profiles_in_reach(request.user, person)
    context = {
        "page": Paginator(found, 50).get_page(request.GET.get("page")),
        "person": person,
        "administers": can(request.user, ADMINISTER),
    }
    return render(request, "access/profiles.html", context)


def make(request: HttpRequest) -> HttpResponse:
    _require_some_say(request)
    form = NewProfileForm(
        request.POST or None,
        initial={"user": request.GET.get("person", "")},
        units=selectors.units_to_grant_at(request.user),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.make_profile(actor=request.user, **form.cleaned_data)
        except Refused as error:
            form.add_error(_FIELD_OF.get(error.code), str(error))
        else:
            words = {"person": made.user, "profile": made}
            messages.success(request, _("%(person)s has the profile %(profile)s.") % words)
            return redirect("access:profiles")
    return _form(request, form, _("Make a profile"))


def change(request: HttpRequest, pk: int) -> HttpResponse:
    _require_some_say(request)
    profile = get_object_or_404(profiles_in_reach(request.user), pk=pk)
    form = ProfileForm(
        request.POST or None,
        initial={"name": profile.name, "unit": profile.unit_id, "version": profile.version},
        units=selectors.units_to_grant_at(request.user),
    )
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        version = values.pop("version") or 0  # a form without a version was not ours
        try:
            services.change_profile(
                actor=request.user, profile_id=pk, expected_version=version, **values
            )
        except Refused as error:
            form.add_error(_FIELD_OF.get(error.code), str(error))
        else:
            messages.success(request, _("Profile %(profile)s is saved.") % {"profile": profile})
            return redirect("access:profiles")
    return _form(request, form, _("Profile of %(person)s") % {"person": profile.user})


def _form(request: HttpRequest, form: Any, title: str) -> HttpResponse:
    context = {"form": form, "title": title}
    return render(request, "access/profile.html", context, status=422 if form.errors else 200)


def end(request: HttpRequest, pk: int) -> HttpResponse:
    _require_some_say(request)
    profile = get_object_or_404(profiles_in_reach(request.user), pk=pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.end_profile(actor=request.user, profile_id=pk, **values),
        title=_("End the profile: %(profile)s of %(person)s")
        % {"profile": profile, "person": profile.user},
        words=_("The roles granted in it end with it."),
        back=reverse("access:profiles"),
        danger=True,
    )


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Switch, and stay where one is; from what the profile has no say in, to the front page."""
    key = request.POST.get("profile", "")
    services.choose_profile(
        actor=request.user,
        session=request.session,
        profile_id=int(key) if key.isdecimal() and len(key) < 19 else 0,
    )
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        back = "/"
    keep_way_back(request.session, back)
    return redirect(back)
