"""The people of a review as its manager sees them: their roles, and whether they can log in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.decision import held_by, visible
from portal.access.models import Role, RoleGrant
from portal.access.policies import ByUnit
from portal.accounts.reach import MANAGE
from portal.organisation.models import Unit

MODULE = "digital_review"
OF_HOSPITAL = ("datamanager", "treating_doctor", "clinician")
"""Roles that are held at a hospital; the others are held at a review."""


@dataclass(frozen=True)
class Reach:
    """Where the manager manages people: the grants of this module at those units."""

    units: QuerySet[Unit]
    grants: QuerySet[RoleGrant]


def reach_of(actor: Any) -> Reach:
    """The units at which, and below which, the actor manages external accounts."""
    here = ByUnit("").q(held_by(actor), MANAGE)
    units = Unit.objects.none() if here is None else Unit.objects.filter(here)
    grants = RoleGrant.objects.in_force(timezone.localdate()).filter(
        role__module=MODULE, unit__in=units
    )
    return Reach(units, grants.select_related("role", "unit"))


def people_of(actor: Any, search: str = "") -> QuerySet[Any]:
    """Everybody with a role of Digital Review at the actor's units, deactivated people too.

    Each with ``own_grants`` (their roles there), ``enrolled``, ``is_managed`` (their account is in
    the actor's reach). A fixed number of queries.
    """
    users = get_user_model()
    reach = reach_of(actor)
    managed = visible(actor, users.objects.filter(kind="external"), MANAGE)
    found = users.objects.filter(pk__in=reach.grants.filter(user__isnull=False).values("user"))
    if search:
        found = found.filter(
            Q(name__icontains=search) | Q(username__icontains=search) | Q(email__icontains=search)
        )
    own = reach.grants.order_by("unit__path", "role__name")
    return (
        found.annotate(
            is_managed=Q(pk__in=managed.values("pk")),
            enrolled=Exists(TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)),
        )
        .prefetch_related(Prefetch("role_grants", own, to_attr="own_grants"))
        .order_by("name", "pk")
    )


def roles_to_give() -> QuerySet[Role]:
    """The roles of this module."""
    return Role.objects.filter(module=MODULE).order_by("name")


def units_of_people(actor: Any) -> QuerySet[Unit]:
    """The open units at which the actor adds people, in the tree's order."""
    return reach_of(actor).units.filter(closed_on__isnull=True).order_by("path")
