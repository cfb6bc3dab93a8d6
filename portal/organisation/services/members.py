"""Who belongs to which unit, from when until when."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import can
from portal.audit.services import differences, record
from portal.organisation.apps import CHANGE
from portal.organisation.locking import lock_open_unit
from portal.organisation.models import Membership, Unit
from portal.organisation.reach import require_at
from portal.organisation.services.closing import end_membership
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import change_many, check_version, locked, soft_delete, writes


@writes
def add_member(
    *,
    actor: Any,
    user: Any,
    unit: Unit,
    reason: str,
    title: str = "",
    starts_on: date | None = None,
    ends_on: date | None = None,
) -> Membership:
    """Say that a person belongs to a unit.

    An external account is managed where it belongs: only who has a say at one of its units adds
    another. Raises PermissionDenied; Refused: ``member_already``, ``dates``, ``outside_unit``,
    ``closed``, ``gone``.
    """
    unit = lock_open_unit(unit)
    require_at(actor, unit)
    _check_dates(starts_on, ends_on)
    _check_external(actor, user)
    old = Membership.objects.filter(user=user, unit=unit).first()
    if old is not None:
        if not _is_over(old):
            raise Refused(_("The person belongs to this unit already."), code="member_already")
        soft_delete(old)  # its dates stay in the history
    member = Membership.objects.create(
        user=user, unit=unit, title=title.strip(), starts_on=starts_on, ends_on=ends_on
    )
    record("organisation.member_added", member, data=_facts(member))
    return member


@writes
def change_member(
    *,
    actor: Any,
    member_id: int,
    title: str,
    starts_on: date | None,
    ends_on: date | None,
    reason: str,
    expected_version: int | None = None,
) -> Membership:
    """Change a membership's title and dates.

    Raises PermissionDenied; Refused: ``dates``, ``closed``, ``gone``; StaleRecord.
    """
    member = locked(Membership.objects.select_related("unit"), member_id)
    require_at(actor, member.unit)
    if not member.unit.is_open:
        raise Refused(_("The unit is closed; its people are history."), code="closed")
    values = {"title": title.strip(), "starts_on": starts_on, "ends_on": ends_on}
    check_version(member, expected_version, values)
    _check_dates(starts_on, ends_on)
    changed = differences({name: getattr(member, name) for name in values}, values)
    if changed:
        change_many([member], **values)
        record("organisation.member_changed", member, data=changed)
    return member


@writes
def end_member(*, actor: Any, member_id: int, ends_on: date, reason: str) -> Membership:
    """End a membership with ``ends_on`` as its last day; one that lies ahead of it never was.

    Raises PermissionDenied; Refused with code ``gone``.
    """
    member = locked(Membership.objects.select_related("unit"), member_id)
    require_at(actor, member.unit)
    end_membership(member, ends_on)
    record("organisation.member_ended", member, data=_facts(member))
    return member


def _is_over(member: Membership) -> bool:
    return member.ends_on is not None and member.ends_on < timezone.localdate()


def _check_dates(starts_on: date | None, ends_on: date | None) -> None:
    if starts_on and ends_on and ends_on < starts_on:
        raise Refused(_("The membership would end before it begins."), code="dates")


def _check_external(actor: Any, user: Any) -> None:
    if isinstance(actor, ServiceActor) or not user.is_external:
        return
    theirs = Membership.objects.filter(user=user).select_related("unit")
    if not any(can(actor, CHANGE, member.unit) for member in theirs):
        raise Refused(
            _("This external account belongs to units where you have no say."), code="outside_unit"
        )


def _facts(member: Membership) -> dict[str, Any]:
    return {
        "person": str(member.user),
        "unit": member.unit.code,
        "title": member.title,
        "starts_on": member.starts_on,
        "ends_on": member.ends_on,
    }
