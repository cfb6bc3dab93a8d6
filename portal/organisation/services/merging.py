"""Merging one unit into another: what belonged to it belongs to the other from then on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.models import DirectoryGroup, PeopleGroup, RoleGrant
from portal.audit.services import record
from portal.organisation.locking import lock_tree
from portal.organisation.models import Membership, Unit
from portal.organisation.reach import check_own_reach
from portal.organisation.references import Reference, references
from portal.organisation.services.tree import check_may_leave, lock_both, put_under
from portal.records.errors import Refused
from portal.records.services import change_many, check_version, soft_delete, writes


@writes
def merge_units(
    *, actor: Any, unit: Unit, target: Unit, reason: str, expected_version: int | None = None
) -> Unit:
    """Merge ``unit`` into ``target``, which is returned; ``unit`` is closed and stays readable.

    The units below move; whatever names the unit – memberships, grants, groups, profiles, rows of
    modules – names the target. What the target has already is ended at ``unit``. Raises
    PermissionDenied; Refused: ``root``, ``under_itself``, ``closed``, ``gone``, ``too_deep``,
    ``self_grant``, ``taken`` with what stands in the way; StaleRecord.
    """
    lock_tree()
    unit, target = lock_both(unit, target)
    check_version(unit, expected_version, {"merged_into": target})
    check_may_leave(actor, unit, target)
    check_own_reach(actor, unit, target, merged=True)
    for child in Unit.all_objects.filter(parent=unit).order_by("path"):
        put_under(Unit.all_objects.get(pk=child.pk), target)
    unit.refresh_from_db()
    moved = _repoint_all(unit, target)
    change_many([unit], closed_on=timezone.localdate(), merged_into=target)
    record("organisation.units_merged", unit, data={"into": target.code, "moved": moved})
    record("organisation.units_merged", target, data={"from": unit.code, "moved": moved})
    return target


def _repoint_all(unit: Unit, target: Unit) -> dict[str, int]:
    """How many rows of which kind now name the target. Raises Refused with all that cannot."""
    moved: Counter[str] = Counter()
    in_the_way: list[str] = []
    for reference in references():
        settle = _SETTLE.get(reference.model)
        for row in reference.rows(unit):
            if not reference.keeps_history:
                in_the_way.append(_named(reference, row))
            elif settle is None or settle(row, target):
                if _repoint(reference, row, target):
                    moved[reference.model._meta.label_lower] += 1  # noqa: SLF001
                else:
                    in_the_way.append(_named(reference, row))
    if in_the_way:
        raise Refused(
            _("%(target)s has the like already. Settle these first, then merge.")
            % {"target": target},
            code="taken",
            details=in_the_way,
        )
    return dict(moved)


def _repoint(reference: Reference, row: Any, target: Unit) -> bool:
    """False where a constraint of the database forbids it: the row stays as it was."""
    try:
        with transaction.atomic():
            change_many([row], **{reference.field: target})
    except IntegrityError:
        return False
    return True


def _named(reference: Reference, row: Any) -> str:
    return f"{reference.model._meta.verbose_name}: {row}"  # noqa: SLF001


# what the target may have already: True where the row is to be moved after all


def _settle_membership(row: Membership, target: Unit) -> bool:
    return _outlasts(row, Membership.objects.filter(user=row.user_id, unit=target).first())


def _settle_grant(row: RoleGrant, target: Unit) -> bool:
    there = RoleGrant.objects.filter(
        role=row.role_id, unit=target, user=row.user_id, group=row.group_id, profile=row.profile_id
    )
    return _outlasts(row, there.first())


def _outlasts(row: Any, other: Any | None) -> bool:
    """Of two of a kind the target's stays, unless it is over; the other is ended."""
    if other is None:
        return True
    over = other.ends_on is not None and other.ends_on < timezone.localdate()
    soft_delete(other if over else row)
    return over


def _settle_mapping(row: DirectoryGroup, target: Unit) -> bool:
    if not DirectoryGroup.objects.filter(name=row.name, role=row.role_id, unit=target).exists():
        return True
    soft_delete(row)
    return False


def _settle_group(row: PeopleGroup, target: Unit) -> bool:
    """Two groups of one name are two groups: ours takes its unit's name to tell them apart."""
    if PeopleGroup.objects.filter(name=row.name, unit=target).exists():
        longest = PeopleGroup._meta.get_field("name").max_length  # noqa: SLF001
        change_many([row], name=f"{row.name} ({row.unit.name})"[:longest])
    return True


_SETTLE: dict[type, Callable[[Any, Unit], bool]] = {
    Membership: _settle_membership,
    RoleGrant: _settle_grant,
    DirectoryGroup: _settle_mapping,
    PeopleGroup: _settle_group,
}
