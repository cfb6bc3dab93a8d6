"""Out to a CAS server and back, where a site chose that instead of OpenID Connect (ADR 0009)."""

from __future__ import annotations

from django.contrib.auth import authenticate, login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import get_random_string
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from portal.accounts.backends import cas_client
from portal.accounts.interfaces.cas import CasError, read_logout_request
from portal.accounts.services.sessions import bind_provider_session, end_provider_sessions
from portal.accounts.views.login import next_address
from portal.accounts.views.regional_id import login_service_answers, only_with, refuse

_BEGUN = "cas_begun"
_MOST = 20
"""Log-ins begun in one browser and not come back; of more the oldest are void."""


def _service(request: HttpRequest, state: str) -> str:
    """The address that the ticket is given for. CAS has no ``state``: ours is part of it."""
    query = urlencode({"state": state})
    return request.build_absolute_uri(f"{reverse('accounts:cas_return')}?{query}")


@login_not_required
@never_cache
@only_with("cas")
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    if not login_service_answers():
        return refuse(request, "provider")
    state = get_random_string(32)
    begun = [*request.session.get(_BEGUN, {}).items(), (state, next_address(request))]
    request.session[_BEGUN] = dict(begun[-_MOST:])
    return redirect(cas_client(_service(request, state)).get_login_url())


@csrf_exempt  # the CAS server posts here when a session ends; what it names is known to it alone
@login_not_required
@never_cache
@only_with("cas")
@require_http_methods(["GET", "POST"])
def come_back(request: HttpRequest) -> HttpResponse:
    """The browser with a ticket, or the CAS server to end the session of one."""
    if request.method == "POST":
        return _log_out(request)
    state, ticket = request.GET.get("state", ""), request.GET.get("ticket", "")
    begun = request.session.get(_BEGUN, {})
    if state not in begun:
        return refuse(request, "state")
    next_url = begun.pop(state)
    request.session[_BEGUN] = begun
    if not ticket:
        return refuse(request, "denied")
    user = authenticate(request, ticket=ticket, service=_service(request, state))
    if user is None:
        return refuse(request, getattr(request, "login_refusal", "token"))
    login(request, user)
    bind_provider_session(request, ticket)
    return redirect(next_url)


def _log_out(request: HttpRequest) -> HttpResponse:
    """Single logout: whoever knows the ticket may end its session, and nothing else."""
    try:
        ticket = read_logout_request(request.POST.get("logoutRequest", "").encode())
    except CasError:
        return HttpResponse("no logout request", status=400, content_type="text/plain")
    end_provider_sessions(session=ticket)
    return HttpResponse("ok", content_type="text/plain")
