"""Making, renaming and moving units."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.utils.translation import gettext_lazy as _
from treebeard.exceptions import PathOverflow

from portal.audit.services import differences, record
from portal.organisation.locking import lock_open_unit, lock_tree
from portal.organisation.models import Unit
from portal.organisation.reach import check_own_reach, require_at
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import change_many, check_version, writes


@writes
def create_unit(
    *, actor: Any, parent: Unit | None, name: str, code: str, kind: str, reason: str = ""
) -> Unit:
    """A new unit below ``parent``; a new root (None) is for services alone.

    Raises PermissionDenied; Refused: ``code_taken``, ``closed``, ``gone``, ``too_deep``.
    """
    lock_tree()
    _check_code(code)
    values = {"name": name.strip(), "code": code, "kind": kind}
    if parent is None:
        if not isinstance(actor, ServiceActor):
            raise PermissionDenied
        unit = Unit.add_root(instance=Unit(**values))
    else:
        parent = lock_open_unit(parent)
        require_at(actor, parent)
        try:
            unit = parent.add_child(instance=Unit(**values))
        except PathOverflow:
            raise _too_deep() from None
    record("organisation.unit_created", unit, data={**values, "parent": _code(parent)})
    return unit


@writes
def change_unit(
    *,
    actor: Any,
    unit: Unit,
    name: str,
    code: str,
    kind: str,
    reason: str,
    expected_version: int | None = None,
) -> Unit:
    """Rename a unit, or change its code or kind.

    Raises PermissionDenied; Refused: ``code_taken``, ``closed``, ``gone``; StaleRecord.
    """
    lock_tree()
    unit = lock_open_unit(unit)
    require_at(actor, unit)
    values = {"name": name.strip(), "code": code, "kind": kind}
    check_version(unit, expected_version, values)
    _check_code(code, besides=unit)
    changed = differences({field: getattr(unit, field) for field in values}, values)
    if changed:
        change_many([unit], **values)
        record("organisation.unit_changed", unit, data=changed)
    return unit


@writes
def move_unit(
    *, actor: Any, unit: Unit, target: Unit, reason: str, expected_version: int | None = None
) -> Unit:
    """Move a unit, with all below it, to belong to ``target``.

    What is granted at the moved units stays; what is granted above holds as the new place says.
    Raises PermissionDenied; Refused: ``root``, ``under_itself``, ``there_already``, ``closed``,
    ``gone``, ``too_deep``, ``self_grant``; StaleRecord.
    """
    lock_tree()
    unit, target = lock_both(unit, target)
    check_version(unit, expected_version, {"parent": target})
    old = check_may_leave(actor, unit, target)
    if old == target:
        raise Refused(_("The unit belongs there already."), code="there_already")
    check_own_reach(actor, unit, target)
    put_under(unit, target)
    record("organisation.unit_moved", unit, data={"parent": [_code(old), _code(target)]})
    return unit


def check_may_leave(actor: Any, unit: Unit, target: Unit) -> Unit:
    """What the unit belongs to now, if the actor may take it from there to ``target``.

    Above the unit too: who has a say there loses it.
    """
    require_at(actor, unit, target)
    if unit.parent is None:
        raise Refused(_("The top of the tree stays where it is."), code="root")
    require_at(actor, unit.parent)
    if unit.covers(target):
        raise Refused(_("A unit cannot belong to itself."), code="under_itself")
    return unit.parent


def put_under(unit: Unit, target: Unit) -> None:
    """Move within the caller's transaction and lock; every unit of the branch gets its history.

    Their versions change too: whoever has read one before cannot write its old path back.
    """
    branch = Unit.all_objects.filter(path__startswith=unit.path)
    levels = (branch.aggregate(deepest=Max("depth"))["deepest"] or unit.depth) - unit.depth + 1
    if (target.depth + levels) * Unit.steplen > Unit._meta.get_field("path").max_length:  # noqa: SLF001
        raise _too_deep()
    try:
        unit.move(Unit.objects.get(pk=target.pk), "last-child")
    except PathOverflow:
        raise _too_deep() from None
    change_many([unit], parent=target)
    change_many(Unit.all_objects.filter(path__startswith=unit.path).exclude(pk=unit.pk))


def lock_both(unit: Unit, target: Unit) -> tuple[Unit, Unit]:
    """Locked in the order of their keys, as everybody locks them."""
    found = {each.pk: each for each in sorted((unit, target), key=lambda each: each.pk)}
    held = {pk: lock_open_unit(each) for pk, each in found.items()}
    return held[unit.pk], held[target.pk]


def _check_code(code: str, *, besides: Unit | None = None) -> None:
    taken = Unit.all_objects.filter(code=code)
    if (taken.exclude(pk=besides.pk) if besides else taken).exists():
        raise Refused(_("Another unit has this code, or had it."), code="code_taken")


def _too_deep() -> Refused:
    return Refused(_("The tree has no room there."), code="too_deep")


def _code(unit: Unit | None) -> str:
    return unit.code if unit else ""
