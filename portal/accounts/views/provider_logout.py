"""OpenID Connect Back-Channel Logout 1.0: the provider says that somebody's session is over."""

from __future__ import annotations

import logging
from datetime import timedelta

import jwt
import requests
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portal.accounts.backends import RegionalIdBackend
from portal.accounts.interfaces.logout_token import (
    LogoutToken,
    LogoutTokenError,
    read_logout_token,
)
from portal.accounts.services.provider_logout import log_out_by_token
from portal.accounts.views.regional_id import only_with
from portal.records.errors import Refused

logger = logging.getLogger(__name__)
_NOT_KEPT = {"Cache-Control": "no-store"}  # section 2.8


@csrf_exempt  # the provider has no session here: its signature is what counts
@login_not_required
@only_with("oidc")
@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """200 when it is done, also where nobody was logged in; 400 and why when it is not."""
    try:
        log_out_by_token(_read(request.POST.get("logout_token", "")))
    except (LogoutTokenError, Refused) as error:
        logger.warning("back-channel logout refused: %s", error)
        answer = {"error": "invalid_request", "error_description": str(error)}
        return JsonResponse(answer, status=400, headers=_NOT_KEPT)
    return HttpResponse(status=200, headers=_NOT_KEPT)


def _read(token: str) -> LogoutToken:
    backend = RegionalIdBackend()
    return read_logout_token(
        token,
        _key_of(backend, token),
        algorithm=backend.OIDC_RP_SIGN_ALGO,
        issuer=settings.OIDC_OP_ISSUER,
        client_id=backend.OIDC_RP_CLIENT_ID,
        now=timezone.now(),
        leeway=timedelta(seconds=settings.OIDC_CLOCK_SKEW_S),
    )


def _key_of(backend: RegionalIdBackend, token: str) -> jwt.PyJWK:
    try:
        jwt.get_unverified_header(token)  # before anybody is asked for keys
        return backend.retrieve_matching_jwk(token)
    except requests.RequestException:
        raise LogoutTokenError("the provider's keys cannot be fetched now") from None
    except (jwt.PyJWTError, SuspiciousOperation, KeyError, TypeError, AttributeError):
        raise LogoutTokenError("no key of the provider fits the token") from None
