"""One's own log-ins, and the language of one's pages."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from portal.accounts.services.sessions import (
    choose_language,
    end_other_sessions,
    end_own_session,
    open_sessions,
)
from portal.accounts.views.login import next_address


@require_safe
def own(request: HttpRequest) -> HttpResponse:
    context = {
        "sessions": open_sessions(request.user),  # type: ignore[arg-type]
        "current_key": request.session.session_key,
    }
    return render(request, "accounts/sessions.html", context)


@require_POST
def end_one(request: HttpRequest, pk: int) -> HttpResponse:
    if end_own_session(actor=request.user, session_id=pk):  # type: ignore[arg-type]
        messages.success(request, _("The log-in is ended."))
    return redirect("accounts:sessions")


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    ended = end_other_sessions(
        actor=request.user,  # type: ignore[arg-type]
        keep=request.session.session_key or "",
    )
    messages.success(
        request,
        ngettext("%(n)d log-in is ended.", "%(n)d log-ins are ended.", ended) % {"n": ended},
    )
    return redirect("accounts:sessions")


@require_POST
def end_all(request: HttpRequest) -> HttpResponse:
    """Log out everywhere, here too."""
    end_other_sessions(actor=request.user, keep=request.session.session_key or "")  # type: ignore[arg-type]
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@login_not_required
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Speak this language from now on: by cookie, and for a known person on every device."""
    response = redirect(next_address(request))
    wanted = request.POST.get("language", "")
    if wanted in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            wanted,
            max_age=365 * 24 * 3600,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
        if request.user.is_authenticated:
            choose_language(actor=request.user, language=wanted)  # type: ignore[arg-type]
    return response
