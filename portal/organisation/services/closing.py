"""Closing units for good, and opening one that was closed too early."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.models import DirectoryGroup, GroupMember, PeopleGroup, Profile, RoleGrant
from portal.access.services.grants import take_away
from portal.access.services.groups import take_out
from portal.audit.services import record
from portal.organisation.locking import lock_open_unit, lock_tree
from portal.organisation.models import Membership, Unit
from portal.organisation.reach import require_at
from portal.records.errors import Refused
from portal.records.services import change_many, check_version, locked, soft_delete, writes


@writes
def close_unit(
    *,
    actor: Any,
    unit: Unit,
    closed_on: date,
    reason: str,
    with_below: bool = False,
    expected_version: int | None = None,
) -> Unit:
    """Close a unit: its last day was ``closed_on``, today at the latest.

    Roles, profiles, groups and directory groups of it end now, memberships with its last day. What
    modules keep for the unit stays. With ``with_below`` the open units below close too. Raises
    PermissionDenied; Refused: ``root``, ``future``, ``open_below`` with their names, ``closed``,
    ``gone``; StaleRecord.
    """
    lock_tree()
    unit = lock_open_unit(unit)
    require_at(actor, unit)
    check_version(unit, expected_version, {"closed_on": closed_on})
    if unit.parent_id is None:
        raise Refused(_("The top of the tree stays open."), code="root")
    if closed_on > timezone.localdate():
        raise Refused(_("A unit is closed when its last day has come."), code="future")
    branch = open_branch(unit)
    if len(branch) > 1 and not with_below:
        raise Refused(
            _("Units below are still open. Close or move them first, or close all together."),
            code="open_below",
            details=[each.name for each in branch[1:]],
        )
    for each in branch:
        each = lock_open_unit(each)
        ended = _end_all(each, closed_on)
        change_many([each], closed_on=closed_on)
        record("organisation.unit_closed", each, data={"closed_on": closed_on, "ended": ended})
    return unit


@writes
def reopen_unit(
    *, actor: Any, unit: Unit, reason: str, expected_version: int | None = None
) -> Unit:
    """Open a closed unit again; roles, profiles, groups and memberships that ended stay ended.

    Raises PermissionDenied; Refused: ``open``, ``merged``, ``closed`` (above), ``gone``;
    StaleRecord.
    """
    lock_tree()
    unit = locked(Unit.objects.select_related("parent"), unit.pk)
    require_at(actor, unit)
    check_version(unit, expected_version, {"closed_on": None})
    if unit.is_open:
        raise Refused(_("The unit is open."), code="open")
    if unit.merged_into_id:
        raise Refused(_("A unit that was merged into another stays closed."), code="merged")
    if unit.parent is not None and not unit.parent.is_open:
        raise Refused(
            _("%(unit)s, to which it belongs, is closed.") % {"unit": unit.parent}, code="closed"
        )
    change_many([unit], closed_on=None)
    record("organisation.unit_reopened", unit)
    return unit


def open_branch(unit: Unit) -> list[Unit]:
    """The unit and the open ones below it, in the tree's order."""
    return list(Unit.objects.open().filter(path__startswith=unit.path))


def ending_with(unit: Unit) -> dict[type[Model], QuerySet[Any]]:
    """What ends when the unit is closed, memberships apart; grants first, as others rest on them.

    A profile or a group takes its grants at other units with it.
    """
    profiles = Profile.objects.filter(unit=unit)
    groups = PeopleGroup.objects.filter(unit=unit)
    grants = RoleGrant.objects.filter(Q(unit=unit) | Q(profile__in=profiles) | Q(group__in=groups))
    return {
        RoleGrant: grants.select_related("role", "unit", "user", "group").order_by("pk"),
        Profile: profiles.order_by("pk"),
        PeopleGroup: groups.order_by("pk"),
        DirectoryGroup: DirectoryGroup.objects.filter(unit=unit).order_by("pk"),
    }


def _end_all(unit: Unit, last_day: date) -> dict[str, int]:
    ended = {}
    for model, rows in ending_with(unit).items():
        found = list(rows.select_for_update(no_key=True, of=("self",)))
        for row in found:
            _end(row)
        ended[model._meta.label_lower] = len(found)  # noqa: SLF001
    members = list(Membership.objects.filter(unit=unit).select_for_update(no_key=True))
    for member in members:
        end_membership(member, last_day)
    return {**ended, Membership._meta.label_lower: len(members)}  # noqa: SLF001


def _end(row: Any) -> None:
    if isinstance(row, RoleGrant):
        take_away(row)
        return
    if isinstance(row, PeopleGroup):
        for member in GroupMember.objects.filter(group=row).select_related("group", "user"):
            take_out(member)
    soft_delete(row)


def end_membership(member: Membership, last_day: date) -> None:
    """Its last day is ``last_day``; one that had not begun by then never was."""
    if member.starts_on is not None and member.starts_on > last_day:
        soft_delete(member)
    elif member.ends_on is None or member.ends_on > last_day:
        change_many([member], ends_on=last_day)
