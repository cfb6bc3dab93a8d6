"""Which profiles there are: one's own, and those that one keeps for others (PT-011)."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, QuerySet

from portal.access.authority import ADMINISTER, GRANT
from portal.access.decision import held_by
from portal.access.models import Profile
from portal.access.policies import ByUnit


def profiles_of(person: Any) -> QuerySet[Profile]:
    """The person's profiles, by name."""
    return Profile.objects.filter(user=person).order_by("name", "pk")


def profiles_in_reach(actor: Any, text: str = "") -> QuerySet[Profile]:
    """Profiles at or below units where the actor grants roles; ``text`` narrows to a person."""
    held = held_by(actor)
    ways = [way for code in (GRANT, ADMINISTER) if (way := ByUnit("unit").q(held, code))]
    if not ways:
        return Profile.objects.none()
    found = Profile.objects.filter(reduce(or_, ways))
    if text:
        found = found.filter(
            Q(user__name__icontains=text)
            | Q(user__username__icontains=text)
            | Q(user__email__icontains=text)
        )
    return found.select_related("user", "unit").order_by("user__name", "user", "name")
