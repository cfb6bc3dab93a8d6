"""Between the password and the code a person is nobody: only their session knows who began.

What is kept there is void after ten minutes, after another password, and when the account closes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import login
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.accounts.models import User
from portal.accounts.rules import HALF_LOGIN_LIFE, why_not_admitted

_KEY = "half_login"
_BACKEND = "portal.accounts.backends.ExternalAccountBackend"


@dataclass(frozen=True)
class HalfLogin:
    user: User
    next_url: str


def begin(request: HttpRequest, user: User, next_url: str) -> None:
    """The password was right."""
    request.session.flush()
    request.session[_KEY] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "at": time.time(),
        "next": next_url,
    }


def current(request: HttpRequest) -> HalfLogin | None:
    """Who is half logged in; None when nobody is (any more)."""
    kept = request.session.get(_KEY)
    if kept is None or time.time() - kept["at"] > HALF_LOGIN_LIFE.total_seconds():
        return None
    user = User.objects.filter(pk=kept["user"], kind=User.Kind.EXTERNAL).first()
    if user is None or why_not_admitted(user, timezone.localdate()):
        return None
    if not constant_time_compare(kept["hash"], user.get_session_auth_hash()):
        return None
    return HalfLogin(user, kept["next"])


def is_locked_out(request: HttpRequest, user: User) -> bool:
    """Wrong codes count like wrong passwords; axes' middleware then shows its page."""
    credentials = {"username": user.username}
    if AxesProxyHandler.is_allowed(request, credentials):
        return False
    request.axes_locked_out = True  # type: ignore[attr-defined]
    request.axes_credentials = credentials  # type: ignore[attr-defined]
    return True


def fail(request: HttpRequest, user: User) -> None:
    request.login_refusal = "second factor"  # type: ignore[attr-defined]
    user_login_failed.send(
        sender=__name__, credentials={"username": user.username}, request=request
    )


def finish(request: HttpRequest, user: User, device: TOTPDevice) -> None:
    """Both factors were right: now, and only now, the person is logged in."""
    del request.session[_KEY]
    user.otp_device = device  # django-otp keeps it in the session
    login(request, user, backend=_BACKEND)
