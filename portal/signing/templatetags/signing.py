"""What the signature components need beside what their page gives them."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone

from portal.signing.models import SigningKey
from portal.signing.services import State
from portal.signing.web import Ways, ways_to_sign

register = template.Library()

# the theme's words for a status (cotton/status.html)
_CHIPS = {State.KEY_REVOKED: "revoked", State.UNVERIFIABLE: "unknown"}


@register.simple_tag(takes_context=True)
def sign_ways(context: dict[str, Any]) -> Ways | None:
    """How the person on whose page this is can sign."""
    request = context.get("request")
    return ways_to_sign(request) if request and request.user.is_authenticated else None


@register.filter
def is_locked(key: SigningKey) -> bool:
    """Whether wrong PINs have locked the key for now."""
    return key.locked_until is not None and key.locked_until > timezone.now()


@register.filter
def chip(state: State) -> str:
    """The status code whose chip shows this state."""
    return _CHIPS.get(state, state.value)
