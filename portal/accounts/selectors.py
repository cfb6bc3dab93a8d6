"""What the pages about people and sessions show."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.decision import held_by, visible
from portal.access.policies import ByUnit
from portal.accounts.models import User
from portal.accounts.reach import MANAGE
from portal.organisation.models import Membership, Unit


def external_accounts(actor: Any, *, search: str = "", state: str = "") -> QuerySet[User]:
    """External accounts in the actor's reach, with their units and whether they have enrolled."""
    accounts = visible(actor, User.objects.filter(kind=User.Kind.EXTERNAL), MANAGE)
    if search:
        accounts = accounts.filter(Q(name__icontains=search) | Q(username__icontains=search))
    if state in ("active", "suspended"):
        accounts = accounts.filter(suspended_at__isnull=state == "active")
    return (
        accounts.annotate(
            enrolled=Exists(TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True))
        )
        .prefetch_related(
            Prefetch("memberships", Membership.objects.select_related("unit"), to_attr="belongs")
        )
        .order_by("name", "pk")
    )


def manageable_units(actor: Any) -> QuerySet[Unit]:
    """Open units at which the actor may make external accounts, in the tree's order."""
    reach = ByUnit("").q(held_by(actor), MANAGE)
    if reach is None:
        return Unit.objects.none()
    return Unit.objects.filter(reach, closed_on__isnull=True).order_by("path")
