"""The two ways in: staff by OpenID Connect, external people by a password and a second factor."""

from __future__ import annotations

import logging
from typing import Any

import jwt
import requests
from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from portal.access.services import sync_directory_roles
from portal.accounts.interfaces.claims import ClaimsError, check_id_token, read_claims
from portal.accounts.models import User
from portal.accounts.rules import why_not_admitted
from portal.accounts.services.staff import receive_staff
from portal.records.errors import Refused

logger = logging.getLogger(__name__)

CALLBACK_URL_NAME = "accounts:regional_id_callback"


def provider_settings(name: str, *default: Any) -> Any:
    """The library's settings, but for the address at which the provider's answer is taken."""
    if name == "OIDC_AUTHENTICATION_CALLBACK_URL":
        return CALLBACK_URL_NAME
    return getattr(settings, name, *default)


class AdmittedPeople:
    """Nobody is somebody whose account is closed, suspended or expired, whatever their session."""

    def get_user(self, user_id: int) -> User | None:
        user = User.objects.filter(pk=user_id).first()
        if user is None or why_not_admitted(user, timezone.localdate()):
            return None
        return user


class RegionalIdBackend(AdmittedPeople, OIDCAuthenticationBackend):
    """The provider vouches for the person; their groups are their roles (PT-001)."""

    get_settings = staticmethod(provider_settings)

    def authenticate(self, request: HttpRequest, *, nonce: str, code_verifier: str) -> User | None:
        """Trade the code for tokens and take the person in.

        Whatever goes wrong refuses the log-in, with its reason in ``request.login_refusal``.
        """
        try:
            return super().authenticate(request, nonce=nonce, code_verifier=code_verifier)
        except requests.RequestException as error:
            why, detail = "provider", error
        except (SuspiciousOperation, jwt.PyJWTError) as error:
            why, detail = "token", error
        except (ClaimsError, Refused) as error:
            why, detail = error.code, error
        logger.warning("login by regional ID refused (%s): %s", why, detail)
        request.login_refusal = why  # type: ignore[attr-defined]
        raise PermissionDenied(why)

    def verify_token(self, token: str, **options: Any) -> dict[str, Any]:
        try:
            return super().verify_token(token, **options)
        except KeyError as error:  # a token or a key set without the key id that settings demand
            raise SuspiciousOperation(f"{error} is missing in the token or the key set") from None

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        check_id_token(payload, issuer=settings.OIDC_OP_ISSUER, client_id=self.OIDC_RP_CLIENT_ID)
        claims = read_claims(
            payload,
            self.get_userinfo(access_token, id_token, payload),
            regional_id_claim=settings.OIDC_CLAIM_REGIONAL_ID,
            groups_claim=settings.OIDC_CLAIM_GROUPS,
        )
        with transaction.atomic():
            user = receive_staff(claims)
            sync_directory_roles(user, claims.groups)
        return user


class ExternalAccountBackend(AdmittedPeople, BaseBackend):
    """The password of an external account: the first of its two factors (PT-002)."""

    def authenticate(self, request: HttpRequest, username: str, password: str) -> User | None:
        user = User.objects.filter(username=username, kind=User.Kind.EXTERNAL).first()
        if user is None:
            User().set_password(password)  # as slow as a wrong password: nobody learns who exists
            return None
        if not user.check_password(password):
            return None
        if why := why_not_admitted(user, timezone.localdate()):
            request.login_refusal = why.value  # type: ignore[attr-defined]
            raise PermissionDenied(why.value)
        return user
