"""Django says by signals alone that somebody logged in, out, or failed to."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from portal.accounts.rules import SessionEnd
from portal.accounts.services.emergency import tell_of_emergency_login
from portal.accounts.services.sessions import client_address, end_session_of, start_session
from portal.audit.services import Access, log_access
from portal.records.context import acting

_DJANGOS_OWN = "update_last_login"


def connect() -> None:
    # Django's receiver would save the record, a version and a history row for each log-in. Ours
    # takes its identity, so that Django's is not connected when its app becomes ready after us.
    user_logged_in.disconnect(dispatch_uid=_DJANGOS_OWN)
    user_logged_in.connect(_logged_in, dispatch_uid=_DJANGOS_OWN)
    user_logged_out.connect(_logged_out, dispatch_uid="portal-logged-out")
    user_login_failed.connect(_login_failed, dispatch_uid="portal-login-failed")


def _logged_in(request: HttpRequest, user: Any, **_: Any) -> None:
    if user.is_external and getattr(user, "otp_device", None) is None:
        # whichever page took the password (Wagtail has one of its own): it is one factor of two
        request.session.flush()
        request.user = AnonymousUser()
        raise PermissionDenied("second factor")
    start_session(request, user)
    if user.emergency:
        tell_of_emergency_login(user)


def _logged_out(request: HttpRequest, user: Any, **_: Any) -> None:
    if user is not None:
        end_session_of(request, SessionEnd.SIGNED_OUT)


def _login_failed(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    who = credentials.get("username") or "regional ID"
    why = getattr(request, "login_refusal", None) or "not accepted"
    address = client_address(request) if request else ""
    with acting(actor=None, address=address):
        log_access(Access.REFUSED, f"login of {who}"[:200], data={"why": str(why)})
