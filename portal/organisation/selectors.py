"""What the pages of the tree show, and what an act on it would bring about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.access.decision import can, visible
from portal.access.models import PeopleGroup, Profile, RoleGrant
from portal.organisation.apps import CHANGE
from portal.organisation.models import Membership, Unit
from portal.organisation.references import references
from portal.organisation.services.closing import ending_with, open_branch


def units(actor: Any, *, closed: bool = False, text: str = "") -> QuerySet[Unit]:
    """Units that the actor may change, in the tree's order, each with ``people`` and ``roles``."""
    found = visible(actor, Unit.objects.all(), CHANGE)
    if not closed:
        found = found.filter(closed_on__isnull=True)
    if text:
        found = found.filter(Q(name__icontains=text) | Q(code__icontains=text))
    return found.annotate(
        people=_count(_today(Membership.objects)),
        roles=_count(RoleGrant.objects.in_force(timezone.localdate())),
    ).order_by("path")


def _today(memberships: Any) -> Any:
    today = timezone.localdate()
    return memberships.filter(
        Q(starts_on__isnull=True) | Q(starts_on__lte=today),
        Q(ends_on__isnull=True) | Q(ends_on__gte=today),
    )


def _count(rows: Any) -> Any:
    of_unit = rows.filter(unit=OuterRef("pk")).order_by().values("unit")
    return Coalesce(Subquery(of_unit.annotate(many=Count("pk")).values("many")), 0)


def open_units(actor: Any) -> QuerySet[Unit]:
    """Where something new may begin, for choices."""
    return visible(actor, Unit.objects.open(), CHANGE).order_by("path")


def members(unit: Unit) -> QuerySet[Membership]:
    """Everybody who belongs or belonged to the unit, by name."""
    return (
        Membership.objects.filter(unit=unit).select_related("user").order_by("user__name", "user")
    )


@dataclass(frozen=True)
class Event:
    """A line of the unit's life."""

    what: str
    icon: str
    at: Any
    who: str
    service: str
    reason: str


def life(unit: Unit) -> list[Event]:
    """What became of the unit, newest first. Changes of its path alone are its branch's moves."""
    rows = list(unit.history.select_related("history_user").order_by("history_id"))
    names = dict(
        Unit.all_objects.filter(
            pk__in={key for row in rows for key in (row.parent_id, row.merged_into_id) if key}
        ).values_list("pk", "name")
    )
    events = []
    for older, newer in zip([None, *rows], rows, strict=False):
        for what, icon in _steps(older, newer, names):
            events.append(
                Event(
                    what,
                    icon,
                    newer.history_date,
                    str(newer.history_user or ""),
                    newer.history_service,
                    newer.history_change_reason or "",
                )
            )
    return events[::-1]


def _steps(older: Any | None, newer: Any, names: dict[int, str]) -> Iterator[tuple[str, str]]:
    if older is None:
        yield _("Made"), "plus"
        return
    if older.name != newer.name:
        words = {"old": older.name, "new": newer.name}
        yield _("Renamed from %(old)s to %(new)s") % words, "pencil"
    if older.code != newer.code:
        codes = {"old": older.code, "new": newer.code}
        yield _("Its code changed from %(old)s to %(new)s") % codes, "pencil"
    if older.kind != newer.kind:
        kinds = {"old": older.get_kind_display(), "new": newer.get_kind_display()}
        yield _("Its kind changed from %(old)s to %(new)s") % kinds, "pencil"
    # a unit made before parents were kept says nothing about its first one
    if older.parent_id != newer.parent_id and older.parent_id:
        places = {"old": names[older.parent_id], "new": names.get(newer.parent_id, "–")}
        yield _("Moved from %(old)s to %(new)s") % places, "organisation"
    if newer.merged_into_id and not older.merged_into_id:
        yield _("Merged into %(unit)s") % {"unit": names[newer.merged_into_id]}, "link"
    elif newer.closed_on and not older.closed_on:
        yield _("Closed"), "lock"
    if older.closed_on and not newer.closed_on:
        yield _("Opened again"), "refresh"


# what would happen ---------------------------------------------------------------------------


def moving(unit: Unit, target: Unit) -> list[str]:
    """What comes of moving the unit to ``target``, in sentences."""
    lines = [_branch_moves(unit)]
    lines += _reach_changes(unit, target)
    lines.append(_("Roles, people and groups of the moved units stay as they are."))
    return lines


def _branch_moves(unit: Unit) -> str:
    below = Unit.objects.filter(path__startswith=unit.path).exclude(pk=unit.pk).count()
    if not below:
        return _("%(unit)s moves; nothing is below it.") % {"unit": unit}
    return ngettext(
        "%(unit)s moves, with %(count)s unit below it.",
        "%(unit)s moves, with %(count)s units below it.",
        below,
    ) % {"unit": unit, "count": below}


def _reach_changes(unit: Unit, target: Unit) -> list[str]:
    """Whose roles begin or cease to reach the unit from above."""
    old, new = _above(unit), _above(target) | {target.pk}
    lines = []
    for where, text in (
        (old - new, _("No longer reaches it: %(role)s at %(unit)s (%(count)s)")),
        (new - old, _("Reaches it from now on: %(role)s at %(unit)s (%(count)s)")),
    ):
        held = RoleGrant.objects.in_force(timezone.localdate()).filter(unit__in=where, below=True)
        rows = held.order_by("unit__path", "role__name").values_list("role__name", "unit__name")
        for role, name, count in rows.annotate(many=Count("pk")):
            lines.append(text % {"role": role, "unit": name, "count": count})
    return lines


def _above(unit: Unit) -> set[int]:
    return {each.pk for each in unit.get_ancestors()}


def merging(unit: Unit, target: Unit) -> list[str]:
    """What comes of merging the unit into ``target``, in sentences."""
    lines = []
    below = Unit.objects.filter(parent=unit).count()
    if below:
        lines.append(
            _("What is directly below moves to %(target)s: %(count)s")
            % {"target": target, "count": below}
        )
    lines += [
        _("Goes over to %(target)s: %(what)s, %(count)s")
        % {"target": target, "what": what, "count": count}
        for what, count in _counts(unit)
    ]
    lines.append(
        _("What %(target)s has already is not doubled: what is at %(unit)s ends.")
        % {"target": target, "unit": unit}
    )
    lines.append(_("%(unit)s is closed for good. Its history stays.") % {"unit": unit})
    return lines


def closing(unit: Unit) -> list[str]:
    """What comes of closing the unit and those below it, in sentences."""
    branch = open_branch(unit)
    lines = []
    if len(branch) > 1:
        names = ", ".join(each.name for each in branch[1:])
        lines.append(_("Still open below it: %(units)s") % {"units": names})
    for each in branch:
        for model, rows in ending_with(each).items():
            if count := rows.count():
                what = model._meta.verbose_name_plural  # noqa: SLF001
                lines.append(_ends(each, what, count))
        if count := members(each).count():
            what = Membership._meta.verbose_name_plural  # noqa: SLF001
            lines.append(_ends(each, what, count))
        ended = {*ending_with(each), Membership}
        lines += [
            _("Stays with %(unit)s: %(what)s, %(count)s")
            % {"unit": each, "what": what, "count": count}
            for what, count in _counts(each, besides=ended)
        ]
    lines.append(_("The unit leaves every list to choose from. Its history stays readable."))
    return lines


def _ends(unit: Unit, what: Any, count: int) -> str:
    return _("Ends at %(unit)s: %(what)s, %(count)s") % {
        "unit": unit,
        "what": what,
        "count": count,
    }


def _counts(unit: Unit, besides: set[Any] | None = None) -> list[tuple[Any, int]]:
    """How many rows of which kind name the unit."""
    return [
        (reference.model._meta.verbose_name_plural, count)  # noqa: SLF001
        for reference in references()
        if reference.model not in (besides or ()) and (count := reference.rows(unit).count())
    ]


def belongings(unit: Unit) -> dict[str, int]:
    """How many roles, profiles and groups are kept at the unit."""
    today = timezone.localdate()
    return {
        "roles": RoleGrant.objects.in_force(today).filter(unit=unit).count(),
        "profiles": Profile.objects.filter(unit=unit).count(),
        "groups": PeopleGroup.objects.filter(unit=unit).count(),
    }


def may_change(actor: Any, unit: Unit | None) -> bool:
    return unit is not None and can(actor, CHANGE, unit)
