"""What the signature components need beside what their page gives them."""

from __future__ import annotations

from typing import Any

from django import template

from portal.signing.services import State, has_pin

register = template.Library()

# the theme's words for a status (cotton/status.html)
_CHIPS = {State.KEY_REVOKED: "revoked", State.UNVERIFIABLE: "unknown"}


@register.simple_tag(takes_context=True)
def may_type_pin(context: dict[str, Any]) -> bool:
    """Whether the person on whose page this is has a signing PIN to type."""
    user = context.get("user")
    return bool(user and user.is_authenticated and has_pin(user))


@register.filter
def chip(state: State) -> str:
    """The status code whose chip shows this state."""
    return _CHIPS.get(state, state.value)
