"""Reading who holds what."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone

from portal.access.models import RoleGrant


def people_with(privilege: str) -> Any:
    """Active people who hold the privilege somewhere today: whom to tell."""
    grants = RoleGrant.objects.in_force(timezone.localdate()).filter(
        role__privileges__contains=[privilege]
    )
    return (
        get_user_model()
        .objects.filter(is_active=True)
        .filter(Q(role_grants__in=grants) | Q(groups__role_grants__in=grants))
        .distinct()
    )
