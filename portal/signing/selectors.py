"""Signing keys as pages list them."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from portal.access.decision import visible
from portal.signing.models import SigningKey, SigningKeyQuerySet
from portal.signing.reach import REVOKE


def keys_of(person: Any) -> list[SigningKey]:
    """What the person signs with, passkeys newest first; also those that are locked."""
    return list(SigningKey.objects.filter(user_id=person.pk).in_use().order_by("method", "-pk"))


def keys_in_reach(actor: Any, *, search: str = "", state: str = "") -> SigningKeyQuerySet:
    """Keys that the actor may revoke; ``search`` is a part of a name, regional ID or mail.

    ``state``: ``used`` for those in use, ``revoked``, or both.
    """
    keys = visible(actor, SigningKey.objects.all(), REVOKE)
    if search:
        keys = keys.filter(
            Q(user__name__icontains=search)
            | Q(user__username__icontains=search)
            | Q(user__email__icontains=search)
        )
    if state in ("used", "revoked"):
        keys = keys.filter(revoked_at__isnull=state == "used")
    return keys.select_related("user").order_by("user__name", "user_id", "-pk")  # type: ignore[return-value]
