"""What the login service says of a person, as typed values; anything else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = {"subject": 255, "regional_id": 150, "name": 200, "email": 254}


class ClaimsError(Exception):
    """The token is not for us, or says too little. ``code`` chooses the page's words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class StaffClaims:
    """A member of staff as the directory knows them."""

    subject: str
    regional_id: str
    name: str
    email: str = ""
    groups: tuple[str, ...] = ()


def check_id_token(payload: Mapping[str, Any], *, issuer: str, client_id: str) -> None:
    """OpenID Connect Core 1.0, 3.1.3.7: the token is by our provider and for us, and it ends.

    Signature, nonce and the time itself are checked where the token is decoded. Raises ClaimsError.
    """
    if not issuer or payload.get("iss") != issuer:
        raise ClaimsError("token", f"issuer {payload.get('iss')!r} is not {issuer!r}")
    audience = payload.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or client_id not in audiences:
        raise ClaimsError("token", f"audience {audience!r} is not {client_id!r}")
    authorised = payload.get("azp")
    if authorised is None and len(audiences) > 1:
        raise ClaimsError("token", "several audiences and no azp")
    if authorised is not None and authorised != client_id:
        raise ClaimsError("token", f"azp {authorised!r} is not {client_id!r}")
    if "exp" not in payload:
        raise ClaimsError("token", "the token has no end")


def read_claims(
    payload: Mapping[str, Any], userinfo: Any, *, regional_id_claim: str, groups_claim: str
) -> StaffClaims:
    """Join the ID token and the userinfo answer; the signed token wins where both speak.

    Providers differ in where they put names and groups: AD FS in the token, Entra ID in userinfo.
    Raises ClaimsError when they are of different people (Core 5.3.2) or something is missing.
    """
    if not isinstance(userinfo, Mapping):
        raise ClaimsError("claims", "userinfo is not an object")
    if userinfo.get("sub") != payload.get("sub"):
        raise ClaimsError("token", "userinfo is about another subject than the token")
    claims = {**userinfo, **payload}
    names = {
        "subject": "sub",
        "regional_id": regional_id_claim,
        "name": "name",
        "email": "email",
        "groups": groups_claim,
    }
    return staff_claims({field: claims.get(claim) for field, claim in names.items()})


def staff_claims(claims: Mapping[str, Any]) -> StaffClaims:
    """A person out of untyped values under our own names. Raises ClaimsError."""
    return StaffClaims(
        subject=_text(claims, "subject"),
        regional_id=_text(claims, "regional_id"),
        name=_text(claims, "name"),
        email=_text(claims, "email") if claims.get("email") else "",
        groups=_groups(claims.get("groups")),
    )


def _text(claims: Mapping[str, Any], field: str) -> str:
    value = claims.get(field)
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ClaimsError("claims", f"{field} is missing")
    if len(value.strip()) > LONGEST[field]:
        raise ClaimsError("claims", f"{field} is too long")
    return value.strip()


def _groups(value: Any) -> tuple[str, ...]:
    """No groups in the token are no groups; AD FS sends a single group as a plain text."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return ()
    return tuple(group for group in value if isinstance(group, str) and "\0" not in group)
