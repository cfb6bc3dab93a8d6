"""The ways in: staff by OpenID Connect or CAS, others by a password and a second factor."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import jwt
import requests
from cas import CASClientV3
from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from portal.access.services import sync_directory_roles
from portal.accounts.interfaces.cas import AttributeNames, CasError, read_ticket_answer
from portal.accounts.interfaces.claims import (
    ClaimsError,
    StaffClaims,
    check_id_token,
    read_claims,
)
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
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
            why, detail = "time", error
        except (SuspiciousOperation, jwt.PyJWTError) as error:
            why, detail = "token", error
        except (ClaimsError, Refused) as error:
            why, detail = error.code, error
        raise _refusal(request, why, detail)

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        answer = super().get_token(payload)
        if not isinstance(answer, dict):
            raise SuspiciousOperation("the token answer is no object")
        return answer

    def verify_token(self, token: str, **options: Any) -> dict[str, Any]:
        try:
            return super().verify_token(token, **options)
        except (KeyError, TypeError, AttributeError) as error:
            # a key set that is none, or lacks the key id that settings demand
            raise SuspiciousOperation(f"not a token or a key set: {error!r}") from None

    def _verify_jws(self, payload: str, key: Any) -> dict[str, Any]:
        """As the library's, but the provider's clock may be a little off."""
        if jwt.get_unverified_header(payload).get("alg") != self.OIDC_RP_SIGN_ALGO:
            raise SuspiciousOperation("the token is signed by another algorithm")
        return jwt.decode(
            payload,
            key,
            algorithms=[self.OIDC_RP_SIGN_ALGO],
            leeway=settings.OIDC_CLOCK_SKEW_S,
            options={"verify_aud": False},  # check_id_token does
        )

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        check_id_token(payload, issuer=settings.OIDC_OP_ISSUER, client_id=self.OIDC_RP_CLIENT_ID)
        claims = read_claims(
            payload,
            self.get_userinfo(access_token, id_token, payload),
            regional_id_claim=settings.OIDC_CLAIM_REGIONAL_ID,
            groups_claim=settings.OIDC_CLAIM_GROUPS,
        )
        self.request.login_session = _session_name(payload)
        return _take_in(claims)


class CasBackend(AdmittedPeople, BaseBackend):
    """A CAS server vouches for the person (ADR 0009); chosen in settings instead of OIDC."""

    def authenticate(self, request: HttpRequest, *, ticket: str, service: str) -> User | None:
        """Have the ticket, given for ``service``, validated and take the person in.

        Whatever goes wrong refuses the log-in, with its reason in ``request.login_refusal``.
        """
        try:
            answer = cas_client(service).get_verification_response(ticket)
            user = _take_in(read_ticket_answer(answer, AttributeNames(**settings.CAS_ATTRIBUTES)))
        except requests.RequestException as error:
            why, detail = "provider", error
        except (CasError, Refused) as error:
            why, detail = error.code, error
        else:
            request.login_session = ticket  # type: ignore[attr-defined]
            return user
        raise _refusal(request, why, detail)


def cas_client(service: str) -> CASClientV3:
    """The library's client, which by itself waits for ever and takes any status for an answer."""
    session = requests.Session()
    session.request = partial(session.request, timeout=settings.OIDC_TIMEOUT)  # type: ignore[method-assign]
    session.hooks["response"].append(lambda answer, **_: answer.raise_for_status())
    return CASClientV3(service_url=service, server_url=settings.CAS_SERVER_URL, session=session)


def _take_in(claims: StaffClaims) -> User:
    with transaction.atomic():
        user = receive_staff(claims)
        sync_directory_roles(user, claims.groups)
    return user


def _session_name(payload: dict[str, Any]) -> str:
    """The provider's name for the session, by which it can end it (Back-Channel Logout 2.1)."""
    name = payload.get("sid", "")
    return name if isinstance(name, str) and "\0" not in name else ""


def _refusal(request: HttpRequest, why: str, detail: Any) -> PermissionDenied:
    logger.warning("login by regional ID refused (%s): %s", why, detail)
    request.login_refusal = why  # type: ignore[attr-defined]
    return PermissionDenied(why)


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
