"""Logout tokens of OpenID Connect Back-Channel Logout 1.0, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LONGEST_AGE = timedelta(minutes=5)
"""How long after it was issued a token is still taken; so long its number is remembered."""
_TYPES = {None, "JWT", "logout+jwt", "application/logout+jwt"}
_LONGEST_TEXT = 255


class LogoutTokenError(Exception):
    """The token is not one by which our provider ends a session here; the text says why."""


@dataclass(frozen=True)
class LogoutToken:
    """Who is to be logged out: a person, one session, or one session of a person."""

    token_id: str
    subject: str = ""
    session_id: str = ""


def read_logout_token(
    token: str,
    key: Any,
    *,
    algorithm: str,
    issuer: str,
    client_id: str,
    now: datetime,
    leeway: timedelta,
) -> LogoutToken:
    """Check a token (section 2.6) that is said to be signed with the provider's ``key``.

    ``leeway`` is how far the provider's clock may be off. That a token is used once is for the
    caller to see to, by ``token_id``. Raises LogoutTokenError.
    """
    try:
        if jwt.get_unverified_header(token).get("typ") not in _TYPES:
            raise LogoutTokenError("the token is of another type")
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=client_id,
            issuer=issuer,
            options={
                "require": ["iss", "aud", "iat", "exp", "jti", "events"],
                # the times are checked below, by the caller's clock
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWTError as error:
        raise LogoutTokenError(str(error)) from None
    _check_times(claims, now, leeway)
    events = claims["events"]
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping):
        raise LogoutTokenError("events: no back-channel logout")
    if "nonce" in claims:
        raise LogoutTokenError("nonce: an ID token is no logout token")
    found = LogoutToken(
        token_id=_text(claims, "jti"),
        subject=_text(claims, "sub") if "sub" in claims else "",
        session_id=_text(claims, "sid") if "sid" in claims else "",
    )
    if not (found.subject or found.session_id):
        raise LogoutTokenError("neither sub nor sid")
    return found


def _check_times(claims: Mapping[str, Any], now: datetime, leeway: timedelta) -> None:
    issued_at, ends_at = _moment(claims, "iat"), _moment(claims, "exp")
    if ends_at + leeway <= now:
        raise LogoutTokenError("exp: the token is over")
    if issued_at - leeway > now:
        raise LogoutTokenError("iat: the token is of the future")
    if issued_at + LONGEST_AGE + leeway <= now:
        raise LogoutTokenError("iat: the token is too old")


def _moment(claims: Mapping[str, Any], claim: str) -> datetime:
    value = claims[claim]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise LogoutTokenError(f"{claim}: not a time")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise LogoutTokenError(f"{claim}: not a time") from None


def _text(claims: Mapping[str, Any], claim: str) -> str:
    value = claims[claim]
    if not isinstance(value, str) or not value or len(value) > _LONGEST_TEXT or "\0" in value:
        raise LogoutTokenError(f"{claim}: not a text of 1 to {_LONGEST_TEXT} letters")
    return value
