"""What the pages about people and sessions show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Model, OuterRef, Prefetch, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.decision import can, held_by, visible
from portal.access.models import Role
from portal.access.policies import ByUnit
from portal.access.selectors import roles
from portal.accounts.models import AccountRequest, RequestedRole, User
from portal.accounts.reach import MANAGE, OWN, PEOPLE, SESSIONS
from portal.accounts.rules import OPEN, Part, RequestAct, RequestState, why_not_act
from portal.audit.models import AuditEntry
from portal.notifications.my_tasks import MyTask
from portal.organisation.models import Membership, Unit
from portal.registry import registry


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
    "accounts.local_administrator_created": _("Local administrator made"),
    "accounts.staff_created": _("First log-in"),
    "accounts.staff_changed": _("Changed in the directory"),
    "accounts.external_suspended": _("Suspended"),
    "accounts.staff_suspended": _("Suspended"),
    "accounts.external_reactivated": _("Reactivated"),
    "accounts.staff_reactivated": _("Reactivated"),
    "accounts.external_extended": _("Extended"),
    "accounts.external_opened": _("Opened by an approved request"),
    "accounts.inactivity_warned": _("Warned: not used for long"),
    "accounts.second_factor_reset": _("Log-in reset"),
    "accounts.second_factor_enrolled": _("Second factor enrolled"),
    "accounts.reset_requested": _("Link for a password asked for"),
    "accounts.password_set": _("Password chosen"),
    "accounts.sessions_ended": _("Log-ins ended by an administrator"),
    "accounts.provider_logout": _("Logged out by the login service"),
    "accounts.request_made": _("Asked for"),
    "accounts.request_applied": _("Owner applied"),
    "accounts.request_created": _("Set up"),
    "accounts.request_approved": _("Owner approved"),
    "accounts.request_refused": _("Refused"),
    "accounts.request_withdrawn": _("Withdrawn"),
}


@dataclass(frozen=True)
class Event:
    """One thing that happened to an account or a request."""

    at: datetime
    what: Any
    who: str
    reason: str


def events_of(record: Model, limit: int = 30) -> list[Event]:
    """What was done to and with an account or a request, newest first."""
    entries = AuditEntry.objects.filter(
        object_type=record._meta.label_lower,  # noqa: SLF001
        object_id=str(record.pk),
        action__in=WORDS,
    )
    return [
        Event(entry.at, WORDS[entry.action], entry.actor_name or entry.service, entry.reason)
        for entry in entries[:limit]
    ]


def manageable_units(actor: Any) -> QuerySet[Unit]:
    """Open units at which the actor may make external accounts, in the tree's order."""
    return _units(actor, MANAGE)


def owned_units(actor: Any) -> QuerySet[Unit]:
    """Open units at which the actor applies for accounts, in the tree's order."""
    return _units(actor, OWN)


def _units(actor: Any, privilege: str) -> QuerySet[Unit]:
    reach = ByUnit("").q(held_by(actor), privilege)
    if reach is None:
        return Unit.objects.none()
    return Unit.objects.filter(reach, closed_on__isnull=True).order_by("path")


# --- people of the house -----------------------------------------------------------------------


def people(actor: Any, *, search: str = "", state: str = "") -> QuerySet[User]:
    """Everybody whom the actor may suspend or log out, staff and external."""
    privilege = PEOPLE if can(actor, PEOPLE) else SESSIONS
    found = visible(actor, User.objects.all(), privilege)
    if search:
        found = found.filter(
            Q(name__icontains=search) | Q(username__icontains=search) | Q(email__icontains=search)
        )
    if state == "active":
        found = found.filter(is_active=True)
    if state == "suspended":
        found = found.filter(suspended_at__isnull=False)
    return found.order_by("name", "pk")


# --- requests for accounts ---------------------------------------------------------------------


def account_requests(actor: Any) -> QuerySet[AccountRequest]:
    """Requests that the actor made, that are about them, or that lie in their reach."""
    in_reach = visible(actor, AccountRequest.objects.all()).values("pk")
    return AccountRequest.objects.filter(
        Q(pk__in=in_reach) | Q(requester=actor) | Q(person=actor)
    ).select_related("unit", "requester", "person", "owner", "administrator")


def requests_to_do(actor: Any) -> QuerySet[AccountRequest]:
    """Open requests in which it is the actor's turn: what :func:`open_acts` says, in SQL."""
    owned = visible(actor, AccountRequest.objects.all(), OWN).values("pk")
    managed = visible(actor, AccountRequest.objects.all(), MANAGE).values("pk")
    return account_requests(actor).filter(
        Q(state=RequestState.REQUESTED.value, pk__in=owned)
        | Q(state=RequestState.APPLIED.value, pk__in=managed) & ~Q(owner=actor)
        | Q(state=RequestState.CREATED.value, pk__in=owned) & ~Q(administrator=actor),
        Q(person__isnull=True) | ~Q(person=actor),
    )


def filtered_requests(actor: Any, show: str) -> QuerySet[AccountRequest]:
    """``show``: ``todo`` (the actor's turn), ``open``, ``mine`` (made by or about them), all."""
    found = requests_to_do(actor) if show == "todo" else account_requests(actor)
    if show == "open":
        found = found.filter(state__in=[state.value for state in OPEN])
    if show == "mine":
        found = found.filter(Q(requester=actor) | Q(person=actor))
    return found.order_by("-pk")


def parts_of(actor: Any, request: AccountRequest) -> frozenset[Part]:
    """In what capacities the actor may act on the request."""
    privileges = {Part.OWNER: OWN, Part.ADMINISTRATOR: MANAGE}
    return frozenset(part for part, code in privileges.items() if can(actor, code, request))


def open_acts(actor: Any, request: AccountRequest) -> list[RequestAct]:
    """What the actor may do with the request now."""
    parts = parts_of(actor, request)
    return [
        act
        for act in RequestAct
        if why_not_act(act, request.facts, actor=actor.pk, parts=parts) is None
    ]


def requestable_modules() -> list[tuple[str, Any]]:
    """Label and name of what an account can be asked for: whatever has roles, modules first."""
    modules = sorted(registry.modules(), key=lambda module: module.is_portal)
    return [(module.label, module.verbose_name) for module in modules if module.roles]


def requestable_roles(module: str) -> QuerySet[Role]:
    """The module's own roles, and those that administrators composed."""
    return roles().filter(Q(module=module) | Q(predefined=False))


def asked_roles(request: AccountRequest) -> list[tuple[Role, list[Any]]]:
    """Each role that was applied for, with what it lets a person do."""
    labels = {privilege.code: privilege.label for privilege in registry.privileges()}
    asked = RequestedRole.objects.filter(request=request).select_related("role")
    return [
        (each.role, [labels.get(code, code) for code in each.role.privileges])
        for each in asked.order_by("role__name", "pk")
    ]


_TASKS = {
    RequestState.REQUESTED: _("Apply for accounts, or refuse: %(n)d"),
    RequestState.APPLIED: _("Set up accounts: %(n)d"),
    RequestState.CREATED: _("Check and approve accounts: %(n)d"),
}


def open_tasks(user: Any) -> Iterator[MyTask]:
    """What waits for the person on the way of others to an account (PT-045)."""
    if not (can(user, OWN) or can(user, MANAGE)):
        return
    waiting = requests_to_do(user).values_list("state").annotate(n=Count("pk")).order_by()
    counts = dict(waiting)
    for state, title in _TASKS.items():
        count = counts.get(state.value, 0)
        if count:
            yield MyTask(
                title=title % {"n": count},
                url=f"{reverse('accounts:requests')}?show=todo",
                icon="user",
                count=count,
            )
