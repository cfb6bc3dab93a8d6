"""External accounts as those who manage them see them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access.acts import ask
from portal.access.decision import can, require
from portal.access.forms import ReasonForm
from portal.accounts import forms
from portal.accounts.models import User
from portal.accounts.reach import MANAGE, SESSIONS
from portal.accounts.selectors import events_of, external_accounts, manageable_units
from portal.accounts.services import external as services
from portal.audit.services import Access, log_access
from portal.records.errors import Refused


@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    require(request.user, MANAGE)
    search, state = request.GET.get("search", "").strip(), request.GET.get("state", "")
    found = external_accounts(request.user, search=search, state=state)
    context = {
        "page": Paginator(found, 50).get_page(request.GET.get("page")),
        "search": search,
        "state": state,
        "today": timezone.localdate(),
        "by_request": settings.PORTAL_ACCOUNTS_BY_REQUEST,
    }
    return render(request, "accounts/external.html", context)


@require_safe
def account(request: HttpRequest, pk: int) -> HttpResponse:
    """One account: its facts, what happened to it, and what can be done."""
    require(request.user, MANAGE)
    found = get_object_or_404(external_accounts(request.user), pk=pk)
    log_access(Access.OPEN, found)
    context = {
        "account": found,
        "events": events_of(found),
        "today": timezone.localdate(),
        "may_see_sessions": can(request.user, SESSIONS),
        "may_grant": can(request.user, "access.grant_role")
        or can(request.user, "access.administer"),
    }
    return render(request, "accounts/external_account.html", context)


def create(request: HttpRequest) -> HttpResponse:
    require(request.user, MANAGE)
    form = forms.NewAccountForm(request.POST or None, units=manageable_units(request.user))
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_external_account(actor=request.user, **form.cleaned_data)
        except Refused as error:
            form.add_error({"taken": "email", "past": "expires_on"}.get(error.code), str(error))
        else:
            messages.success(
                request, _("%(name)s has an account; a link was mailed.") % {"name": made.name}
            )
            return redirect("accounts:external_account", pk=made.pk)
    return render(
        request, "accounts/external_new.html", {"form": form}, status=422 if form.errors else 200
    )


def suspend(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(
        request,
        pk,
        services.suspend_account,
        title=_("Suspend the account of %(name)s"),
        words=_("They are logged out at once and cannot log in until the account is reactivated."),
        danger=True,
    )


def reactivate(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(
        request,
        pk,
        services.reactivate_account,
        title=_("Reactivate the account of %(name)s"),
        words=_("They can log in again, with the roles they held."),
    )


def extend(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(
        request,
        pk,
        services.extend_account,
        title=_("Extend the account of %(name)s"),
        words=_("The account works until the end of the last day."),
        form_class=forms.ExtendForm,
    )


def reset(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(
        request,
        pk,
        services.reset_second_factor,
        title=_("Reset the log-in of %(name)s"),
        words=_(
            "Password and authenticator app stop working. A new link is mailed, with which they"
            " choose a password and enrol an app. First make sure who is asking."
        ),
        danger=True,
    )


def _act(
    request: HttpRequest,
    pk: int,
    service: Any,
    *,
    title: str,
    words: str,
    form_class: type[ReasonForm] = ReasonForm,
    danger: bool = False,
) -> HttpResponse:
    require(request.user, MANAGE)
    found: User = get_object_or_404(external_accounts(request.user), pk=pk)
    return ask(
        request,
        form_class(request.POST or None),
        lambda **values: service(actor=request.user, user_id=found.pk, **values),
        title=title % {"name": found.name},
        words=words,
        back=reverse("accounts:external_account", args=[found.pk]),
        danger=danger,
    )
