"""What the pages about people and sessions show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.decision import held_by, visible
from portal.access.policies import ByUnit
from portal.accounts.models import User
from portal.accounts.reach import MANAGE
from portal.audit.models import AuditEntry
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
        .select_related("managed_by")
        .prefetch_related(
            Prefetch("memberships", Membership.objects.select_related("unit"), to_attr="belongs")
        )
        .order_by("name", "pk")
    )


WORDS = {
    "accounts.external_created": _("Account made"),
    "accounts.external_suspended": _("Suspended"),
    "accounts.external_reactivated": _("Reactivated"),
    "accounts.external_extended": _("Extended"),
    "accounts.second_factor_reset": _("Log-in reset"),
    "accounts.second_factor_enrolled": _("Second factor enrolled"),
    "accounts.reset_requested": _("Link for a password asked for"),
    "accounts.password_set": _("Password chosen"),
}


@dataclass(frozen=True)
class Event:
    """One thing that happened to an account."""

    at: datetime
    what: Any
    who: str
    reason: str


def account_events(account: User, limit: int = 30) -> list[Event]:
    """What was done to and with an account, newest first."""
    entries = AuditEntry.objects.filter(
        object_type=User._meta.label_lower,  # noqa: SLF001
        object_id=str(account.pk),
        action__in=WORDS,
    )
    return [
        Event(entry.at, WORDS[entry.action], entry.actor_name or entry.service, entry.reason)
        for entry in entries[:limit]
    ]


def manageable_units(actor: Any) -> QuerySet[Unit]:
    """Open units at which the actor may make external accounts, in the tree's order."""
    reach = ByUnit("").q(held_by(actor), MANAGE)
    if reach is None:
        return Unit.objects.none()
    return Unit.objects.filter(reach, closed_on__isnull=True).order_by("path")
