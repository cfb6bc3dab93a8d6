"""The way in and out: two ways side by side, the second factor, refusals in plain words."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from portal.accounts import half_login
from portal.accounts.forms import CodeForm, PasswordForm
from portal.accounts.rules import NotAdmitted, SessionEnd
from portal.accounts.services.second_factor import (
    begin_enrolment,
    check_second_factor,
    confirm_enrolment,
    has_second_factor,
)
from portal.accounts.services.sessions import ENDED_BECAUSE

ENDED = {
    SessionEnd.IDLE: _("You were logged out because the portal was not used for a while."),
    SessionEnd.ABSOLUTE: _("You were logged out: a log-in lasts a working day at most."),
    SessionEnd.ENDED: _(
        "This log-in was ended from another device, by an administrator or by the login service, or"
        " is not known any more."
    ),
    SessionEnd.CLOSED: _("You were logged out because your account is closed."),
    SessionEnd.SECOND_FACTOR: _("Log in with your second factor, please."),
}
REFUSALS = {
    "state": _("The answer does not belong to a log-in begun in this browser. Begin anew."),
    "denied": _("The login service did not log you in, or you cancelled there."),
    "provider": _("The login service does not answer. It may be down; try again in some minutes."),
    "token": _("The login service sent an answer that the portal cannot trust."),
    "time": _(
        "The login service's answer is over already, or not valid yet: one of the clocks is wrong."
    ),
    "claims": _(
        "The login service did not say who you are: your number, regional ID or name is missing."
    ),
    "clash": _("Your regional ID belongs to another account in the portal."),
    NotAdmitted.CLOSED: _("Your account in the portal is closed."),
    NotAdmitted.SUSPENDED: _("Your account is suspended. Whoever manages it can open it again."),
    NotAdmitted.EXPIRED: _("Your account has expired. Whoever manages it can extend it."),
}
REFUSED_BECAUSE = "login_refused_because"
STAFF_LOGIN = {"oidc": "accounts:regional_id", "cas": "accounts:cas"}
_TRY_AGAIN = (None, "state", "denied", "provider", "token", "time")


def next_address(request: HttpRequest) -> str:
    """Where the person wanted to go, if that is here; else the front page."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    # a bare word would be taken for the name of a page
    if "/" in wanted and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return wanted
    return resolve_url(settings.LOGIN_REDIRECT_URL)


@login_not_required
@never_cache
@sensitive_post_parameters("password")
def log_in(request: HttpRequest) -> HttpResponse:
    next_url = next_address(request)
    if request.user.is_authenticated:
        return redirect(next_url)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user: Any = authenticate(request, **form.cleaned_data)
        if user is not None:
            half_login.begin(request, user, next_url)
            return redirect("accounts:code" if has_second_factor(user) else "accounts:enrol")
        why = getattr(request, "login_refusal", None)
        form.add_error(
            None,
            REFUSALS.get(why, _("Mail address or password is not right.")),  # type: ignore[arg-type]
        )
    query = urlencode({"next": next_url})
    context = {
        "form": form,
        "next_url": next_url,
        "staff_url": f"{reverse(STAFF_LOGIN[settings.PORTAL_LOGIN])}?{query}",
        "by_cas": settings.PORTAL_LOGIN == "cas",
        "ended": ENDED.get(request.session.pop(ENDED_BECAUSE, None)),
    }
    return render(request, "accounts/login.html", context, status=422 if form.errors else 200)


@login_not_required
@never_cache
@sensitive_post_parameters("code")
def code(request: HttpRequest) -> HttpResponse:
    """The second step for one who has enrolled."""
    half = half_login.current(request)
    if half is None:
        return redirect("accounts:login")
    if not has_second_factor(half.user):
        return redirect("accounts:enrol")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and not _locked(request, half):
        device = check_second_factor(half.user, form.cleaned_data["code"])
        if device is not None:
            half_login.finish(request, half.user, device)
            return redirect(half.next_url)
        _wrong(request, half, form)
    return render(request, "accounts/code.html", {"form": form}, status=422 if form.errors else 200)


@login_not_required
@never_cache
@sensitive_post_parameters("code")
def enrol(request: HttpRequest) -> HttpResponse:
    """The second step of the first log-in: scan the key, type its first code."""
    half = half_login.current(request)
    if half is None:
        return redirect("accounts:login")
    if has_second_factor(half.user):
        return redirect("accounts:code")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and not _locked(request, half):
        device = confirm_enrolment(actor=half.user, code=form.cleaned_data["code"])
        if device is not None:
            half_login.finish(request, half.user, device)
            return redirect(half.next_url)
        _wrong(request, half, form)
    context = {"form": form, "enrolment": begin_enrolment(half.user)}
    return render(request, "accounts/enrol.html", context, status=422 if form.errors else 200)


def _locked(request: HttpRequest, half: half_login.HalfLogin) -> bool:
    return half_login.is_locked_out(request, half.user)


def _wrong(request: HttpRequest, half: half_login.HalfLogin, form: CodeForm) -> None:
    half_login.fail(request, half.user)
    form.add_error("code", _("This is not the code of now. Wait for the next one, then try again."))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@login_not_required
@never_cache
def refused(request: HttpRequest) -> HttpResponse:
    """Why the log-in by regional ID did not work, and what to do."""
    why = request.session.get(REFUSED_BECAUSE)
    message = REFUSALS.get(why, _("You could not be logged in."))  # type: ignore[arg-type]
    return render(
        request,
        "accounts/refused.html",
        {"message": message, "try_again": why in _TRY_AGAIN, "service_down": why == "provider"},
        status=403,
    )
