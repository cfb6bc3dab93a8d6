"""Granting, changing and ending roles (PT-013): never to oneself, never more than one holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from portal.access.authority import (
    administers,
    check_may_grant,
    check_say,
    has_say,
    needs_approval,
)
from portal.access.decision import forget_held
from portal.access.granted import (
    grant_facts,
    members_of,
    named_in,
    named_keys,
    other_single_role,
    reached_people,
)
from portal.access.models import NamedPeople, PeopleGroup, Profile, Role, RoleGrant
from portal.audit.services import differences, record
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import FieldDifference, Refused, StaleRecord
from portal.records.services import check_version, create_many, locked, soft_delete, writes

_Scope = RoleGrant.DataScope


@writes
def grant_role(
    *,
    actor: Any,
    role: Role,
    unit: Unit,
    reason: str,
    user: Any = None,
    group: PeopleGroup | None = None,
    profile: Profile | None = None,
    below: bool = True,
    starts_on: date | None = None,
    ends_on: date | None = None,
    data_scope: str = _Scope.OWN,
    people: Collection[Any] = (),
    people_groups: Collection[PeopleGroup] = (),
    by_request: bool = False,
) -> RoleGrant:
    """Grant a role to a person, or to a group of people, at a unit; to one ``profile`` or to all.

    ``people`` and ``people_groups`` say whose rows the data scope *people* reaches. A role that
    needs approval is granted ``by_request`` that was approved, or by who administers access there.
    Refused with the codes of :func:`~portal.access.authority.check_may_grant`, and ``receiver``,
    ``closed_unit``, ``needs_approval``, ``self_grant``, ``profile``, ``dates``, ``scope``,
    ``already_held``, or ``single_role`` for a second *single* role of a module.
    """
    if (user is None) == (group is None):
        raise Refused(_("A role is granted to one person or to one group."), code="receiver")
    receivers = _locked_receivers(actor, user, group)
    unit = Unit.objects.get(pk=unit.pk)
    if unit.closed_on is not None:
        raise Refused(_("This unit is closed."), code="closed_unit")
    named = named_keys(people, people_groups)
    check_may_grant(actor, role, unit, below=below, data_scope=data_scope, people=named)
    check_approval(actor, role, unit, below=below, by_request=by_request)
    check_not_oneself(actor, receivers)
    if profile is not None and (profile.is_deleted or profile.user_id != getattr(user, "pk", None)):
        raise Refused(_("This is no profile of the person."), code="profile")
    _check_dates(starts_on, ends_on)
    _check_scope(data_scope, people, people_groups)
    held = RoleGrant.objects.filter(user=user, group=group, profile=profile, role=role, unit=unit)
    if held.exists():
        raise Refused(_("The person holds this role at this unit already."), code="already_held")
    check_single_role(receivers, role)
    grant = RoleGrant.objects.create(
        user=user,
        group=group,
        profile=profile,
        role=role,
        unit=unit,
        below=below,
        starts_on=starts_on,
        ends_on=ends_on,
        data_scope=data_scope,
        granted_by=None if isinstance(actor, ServiceActor) else actor,
    )
    _name_people(grant, people, people_groups)
    record("access.role_granted", grant, data=grant_facts(grant))
    if user is not None:
        forget_held(user)
    return grant


@writes
def change_grant(
    *,
    actor: Any,
    grant_id: int,
    expected_version: int,
    below: bool,
    starts_on: date | None,
    ends_on: date | None,
    data_scope: str,
    reason: str,
    people: Collection[Any] = (),
    people_groups: Collection[PeopleGroup] = (),
) -> RoleGrant:
    """Change how far and how long a granted role reaches; nobody changes their own.

    Refused as :func:`grant_role`; StaleRecord, saying what differs, when somebody else changed it
    since ``expected_version``.
    """
    group = RoleGrant.objects.filter(pk=grant_id).values_list("group", flat=True).first()
    if group is not None:
        locked(PeopleGroup.objects.all(), group)  # nobody joins it meanwhile, not even the actor
    grant = locked(RoleGrant.objects.select_related("role", "unit", "user", "group"), grant_id)
    check_say_over(actor, grant)
    _check_version(
        grant,
        expected_version,
        {"below": below, "starts_on": starts_on, "ends_on": ends_on, "data_scope": data_scope},
        people=[*people, *people_groups],
    )
    named = named_keys(people, people_groups)
    check_may_grant(actor, grant.role, grant.unit, below=below, data_scope=data_scope, people=named)
    check_approval(actor, grant.role, grant.unit, below=below)
    check_not_oneself(actor, _receivers(grant.user, grant.group))
    _check_dates(starts_on, ends_on)
    _check_scope(data_scope, people, people_groups)
    before = grant_facts(grant)
    grant.below, grant.starts_on, grant.ends_on = below, starts_on, ends_on
    grant.data_scope = data_scope
    grant.save()
    _name_people(grant, people, people_groups)
    record("access.role_changed", grant, data=differences(before, grant_facts(grant)))
    if grant.user:
        forget_held(grant.user)
    return grant


@writes
def end_grant(*, actor: Any, grant_id: int, reason: str) -> RoleGrant:
    """End a granted role; the row stays, inactive. It takes the same say as granting it."""
    grant = locked(RoleGrant.objects.select_related("role", "unit", "user", "group"), grant_id)
    check_say_over(actor, grant)
    return take_away(grant)


def take_away(grant: RoleGrant) -> RoleGrant:
    """End a (locked) grant within the caller's transaction; the caller has judged who may."""
    soft_delete(grant)
    record("access.role_ended", grant, data=grant_facts(grant))
    if grant.user:
        forget_held(grant.user)
    return grant


# --- what grants and memberships in groups have in common -----------------------------------------


def check_say_over(actor: Any, grant: RoleGrant) -> None:
    """Raise unless the actor could have made this grant (but for the rule of the whole house)."""
    check_say(
        actor,
        grant.role,
        grant.unit,
        below=grant.below,
        data_scope=grant.data_scope,
        people=reached_people(grant),
    )


def check_approval(
    actor: Any, role: Role, unit: Unit, *, below: bool, by_request: bool = False
) -> None:
    """Refuse (``needs_approval``) a role of the five steps to who does not administer access."""
    if needs_approval(role) and not (by_request or administers(actor, unit, below=below)):
        raise Refused(_("This role is given by an approved request alone."), code="needs_approval")


def check_not_oneself(actor: Any, receivers: Iterable[Any]) -> None:
    """Refuse (``self_grant``) what would reach the actor: directly, or through a group."""
    if actor in receivers:
        raise Refused(_("Nobody grants a role to themselves."), code="self_grant")


def check_single_role(people: Sequence[Any], role: Role) -> None:
    """Refuse (``single_role``) a second single role of a module to any of the people."""
    other = other_single_role(people, role)
    if other:
        raise Refused(
            _("%(person)s is %(role)s already; end that role first.")
            % {"person": other.user or other.group, "role": other.role},
            code="single_role",
        )


# --- parts ----------------------------------------------------------------------------------------


def _receivers(user: Any, group: PeopleGroup | None) -> list[Any]:
    return [user] if group is None else members_of(group)


def _locked_receivers(actor: Any, user: Any, group: PeopleGroup | None) -> list[Any]:
    """Who would hold the role. Locked, so that nobody gets two at once, or joins meanwhile."""
    if group is not None:
        group = locked(PeopleGroup.objects.select_related("unit"), group.pk)
        if not has_say(actor, group.unit):
            raise Refused(_("You do not keep this group."), code="outside_unit")
    receivers = _receivers(user, group)
    people = get_user_model().objects.filter(pk__in=[person.pk for person in receivers])
    list(people.select_for_update(no_key=True).order_by("pk"))
    return receivers


def _check_dates(starts_on: date | None, ends_on: date | None) -> None:
    if starts_on and ends_on and ends_on < starts_on:
        raise Refused(_("The role would end before it begins."), code="dates")


def _check_scope(data_scope: str, people: Collection[Any], groups: Collection[Any]) -> None:
    if (data_scope == _Scope.PEOPLE) != bool(people or groups):
        raise Refused(
            _("Name people or groups for the rows of named people, and only for them."),
            code="scope",
        )


def _name_people(
    grant: RoleGrant, people: Collection[Any], groups: Collection[PeopleGroup]
) -> None:
    """Make the named people these."""
    wanted = {*(("user", person.pk) for person in people), *(("group", g.pk) for g in groups)}
    for each in named_in(grant):
        key = ("user", each.user_id) if each.user_id else ("group", each.group_id)
        if key in wanted:
            wanted.remove(key)
        else:
            soft_delete(each)
    new = [NamedPeople(grant=grant, **{f"{kind}_id": pk}) for kind, pk in sorted(wanted)]
    create_many(NamedPeople, new)


def _check_version(
    grant: RoleGrant, expected_version: int, sent: dict[str, Any], *, people: Collection[Any]
) -> None:
    """As `check_version`, also for the named people, who are rows of their own."""
    try:
        check_version(grant, expected_version, sent)
    except StaleRecord as stale:
        theirs = sorted(str(each) for each in named_in(grant))
        yours = sorted(str(each) for each in people)
        if theirs != yours:
            line = FieldDifference(_("whose rows"), None, ", ".join(theirs), ", ".join(yours))
            stale.differences.append(line)
        raise
