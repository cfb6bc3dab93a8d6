"""Out to the identity provider and back. The library does the protocol, we do the refusals."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from portal.accounts.backends import provider_settings
from portal.accounts.health import check_login_service
from portal.accounts.services.sessions import bind_provider_session
from portal.accounts.views.login import REFUSED_BECAUSE

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponse]


def only_with(login: str) -> Callable[[View], View]:
    """The address is there where PORTAL_LOGIN chooses this way in."""

    def decorate(view: View) -> View:
        @wraps(view)
        def chosen(request: HttpRequest, *args: object, **options: object) -> HttpResponse:
            if login != settings.PORTAL_LOGIN:
                raise Http404
            return view(request, *args, **options)

        return chosen

    return decorate


def refuse(request: HttpRequest, why: str) -> HttpResponse:
    """To the page that says why and what to do."""
    request.session[REFUSED_BECAUSE] = why
    return redirect(settings.LOGIN_REDIRECT_URL_FAILURE)


def login_service_answers() -> bool:
    """Asked before anybody is sent there: a browser's own error page would tell them nothing."""
    try:
        check_login_service()
    except RuntimeError as error:
        logger.warning("login service: %s", error)
        return False
    return True


@method_decorator([login_not_required, never_cache, only_with("oidc")], name="dispatch")
class Start(OIDCAuthenticationRequestView):
    get_settings = staticmethod(provider_settings)

    def get(self, request: HttpRequest) -> HttpResponse:
        if not login_service_answers():
            return refuse(request, "provider")
        return super().get(request)


@method_decorator([login_not_required, never_cache, only_with("oidc")], name="dispatch")
class Callback(OIDCAuthenticationCallbackView):
    get_settings = staticmethod(provider_settings)

    def get(self, request: HttpRequest) -> HttpResponse:
        # before anything else, errors included: nobody can log another in or out with a link
        if request.GET.get("state", "") not in request.session.get("oidc_states", {}):
            return refuse(request, "denied" if "error" in request.GET else "state")
        if "error" not in request.GET and "code" not in request.GET:
            return refuse(request, "token")
        return super().get(request)

    def login_success(self) -> HttpResponse:
        answer = super().login_success()
        bind_provider_session(self.request, getattr(self.request, "login_session", ""))
        return answer

    def login_failure(self) -> HttpResponse:
        if "error" in self.request.GET:
            return refuse(self.request, "denied")
        return refuse(self.request, getattr(self.request, "login_refusal", "token"))
