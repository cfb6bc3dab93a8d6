"""Out to the identity provider and back. The library does the protocol, we do the refusals."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from portal.accounts.backends import provider_settings
from portal.accounts.views.login import REFUSED_BECAUSE


@method_decorator([login_not_required, never_cache], name="dispatch")
class Start(OIDCAuthenticationRequestView):
    get_settings = staticmethod(provider_settings)


@method_decorator([login_not_required, never_cache], name="dispatch")
class Callback(OIDCAuthenticationCallbackView):
    get_settings = staticmethod(provider_settings)

    def get(self, request: HttpRequest) -> HttpResponse:
        # before anything else, errors included: nobody can log another in or out with a link
        if request.GET.get("state", "") not in request.session.get("oidc_states", {}):
            return self._refuse("denied" if "error" in request.GET else "state")
        if "error" not in request.GET and "code" not in request.GET:
            return self._refuse("token")
        return super().get(request)

    def login_failure(self) -> HttpResponse:
        if "error" in self.request.GET:
            return self._refuse("denied")
        return self._refuse(getattr(self.request, "login_refusal", "token"))

    def _refuse(self, why: str) -> HttpResponse:
        self.request.session[REFUSED_BECAUSE] = why
        return redirect(self.failure_url)
