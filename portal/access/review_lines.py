"""The lines of an access review: what is held, since when, by whom granted, when last used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import CharField, F, Func, Max, Q, QuerySet, Value
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from portal.access.authority import is_root
from portal.access.models import (
    AccessReview,
    GroupMember,
    ObjectException,
    ReviewLine,
    RoleGrant,
)
from portal.audit.models import AccessEntry, AuditEntry
from portal.registry import registry

LOGS_BACK_TO = timedelta(days=2 * 365)
"""How far back the logs are asked for the last use."""


def lines_of_unit(review: AccessReview, today: date) -> list[ReviewLine]:
    """A line for everything that is held at the review's unit and below, today or from later on.

    Roles, exceptions and places in groups: a query each, and two for the use that was made of them.
    """
    path = review.unit.path
    grants = list(_grants_at(path, today))
    exceptions = list(_exceptions_at(path))
    members = list(_members_at(path))
    added_by = _added_by(members)
    used = _Use({*_people_of(grants), *(e.user_id for e in exceptions), *_people_of(members)})
    return [
        *(_grant_line(review, grant, used) for grant in grants),
        *(_member_line(review, member, used, added_by) for member in members),
        *(_exception_line(review, exception, used) for exception in exceptions),
    ]


def _grants_at(path: str, today: date) -> QuerySet[RoleGrant]:
    return (
        RoleGrant.objects.filter(unit__path__startswith=path, role__deleted_at__isnull=True)
        .filter(Q(group__isnull=True) | Q(group__deleted_at__isnull=True))
        .exclude(ends_on__lt=today)
        .select_related("user", "group", "role", "unit", "profile", "granted_by")
        .prefetch_related("group__members")
        .order_by("unit__path", "user__name", "role__name", "pk")
    )


def _members_at(path: str) -> QuerySet[GroupMember]:
    return (
        GroupMember.objects.filter(
            group__unit__path__startswith=path, group__deleted_at__isnull=True
        )
        .select_related("user", "group__unit")
        .order_by("group__unit__path", "group__name", "user__name", "pk")
    )


def _exceptions_at(path: str) -> QuerySet[ObjectException]:
    """For what belongs to no unit they are reviewed at the top."""
    here = Q(unit__path__startswith=path)
    if is_root(path):
        here |= Q(unit__isnull=True)
    return (
        ObjectException.objects.filter(here)
        .select_related("user", "unit", "granted_by")
        .order_by("unit__path", "user__name", "pk")
    )


def _added_by(members: Collection[GroupMember]) -> dict[int, str]:
    """Who put the person into the group: the history says."""
    history = GroupMember.history.filter(id__in=[each.pk for each in members], history_type="+")
    rows = history.values_list("id", "history_user__name", "history_service")
    return {pk: name or service for pk, name, service in rows}


def _people_of(held: Iterable[Any]) -> Iterator[int]:
    for each in held:
        if each.user_id:
            yield each.user_id
        elif each.group_id:
            yield from _in_group(each)


def _in_group(grant: RoleGrant) -> list[int]:
    members = grant.group.members.all() if grant.group else ()
    return [member.user_id for member in members if member.deleted_at is None]


def _grant_line(review: AccessReview, grant: RoleGrant, used: _Use) -> ReviewLine:
    people = [grant.user_id] if grant.user_id else _in_group(grant)
    by = _("the directory") if grant.source == RoleGrant.Source.DIRECTORY else grant.granted_by
    return ReviewLine(
        review=review,
        grant=grant,
        person=grant.user,
        group=grant.group,
        unit=grant.unit,
        place=str(grant.unit),
        holder=str(grant.user or _("group %(group)s") % {"group": grant.group}),
        held=_("role %(role)s") % {"role": grant.role},
        details=", ".join(details_of(grant)),
        since=grant.starts_on or timezone.localdate(grant.created_at),
        granted_by=str(by or ""),
        last_act_at=used.newest(people, modules_used(grant.role.privileges)),
        last_seen_at=used.seen(people),
    )


def _member_line(
    review: AccessReview, member: GroupMember, used: _Use, added_by: dict[int, str]
) -> ReviewLine:
    return ReviewLine(
        review=review,
        member=member,
        person=member.user,
        unit=member.group.unit,
        place=str(member.group.unit),
        holder=str(member.user),
        held=_("place in group %(group)s") % {"group": member.group},
        since=timezone.localdate(member.created_at),
        granted_by=added_by.get(member.pk, ""),
        last_seen_at=used.seen([member.user_id]),
    )


def _exception_line(review: AccessReview, exception: ObjectException, used: _Use) -> ReviewLine:
    return ReviewLine(
        review=review,
        exception=exception,
        person=exception.user,
        unit=exception.unit or review.unit,
        place=str(exception.unit or ""),
        holder=str(exception.user),
        held=_("exception: %(privilege)s – %(object)s")
        % {"privilege": privilege_label(exception.privilege), "object": exception.object_repr},
        since=timezone.localdate(exception.created_at),
        granted_by=str(exception.granted_by or ""),
        last_act_at=used.newest([exception.user_id], modules_used([exception.privilege])),
        last_seen_at=used.seen([exception.user_id]),
    )


def details_of(grant: RoleGrant) -> list[str]:
    """How a grant holds, where it is not the usual way: profile, end, reach."""
    words = []
    if grant.profile_id:
        words.append(_("in profile %(profile)s") % {"profile": grant.profile})
    if not grant.below:
        words.append(_("not below"))
    if grant.data_scope != RoleGrant.DataScope.OWN:
        words.append(str(grant.get_data_scope_display()))
    if grant.ends_on:
        day = date_format(grant.ends_on, "SHORT_DATE_FORMAT")
        words.append(pgettext("last day", "until %(day)s") % {"day": day})
    return words


def privilege_label(code: str) -> str:
    """The privilege's name; its code where its module is gone."""
    return str(next((p.label for p in registry.privileges() if p.code == code), code))


def modules_used(privileges: Iterable[str]) -> set[str]:
    return {code.split(".")[0] for code in privileges}


class _Use:
    """When people last did something with a module's records, as the logs say, and were last here.

    Nobody writes down each privilege that is used; what is written down is every significant act
    and every access to a record, each with the module that the record is of.
    """

    def __init__(self, people: Collection[int]) -> None:
        since = timezone.now() - LOGS_BACK_TO
        self._acts: dict[tuple[int, str], datetime] = {}
        for model, of in ((AccessEntry, "object_type"), (AuditEntry, "action")):
            self._read(
                model._default_manager.filter(actor_id__in=people, at__gte=since, acting_as="")  # noqa: SLF001
                .order_by()
                .annotate(
                    module=Func(
                        F(of),
                        Value("."),
                        Value(1),
                        function="split_part",
                        output_field=CharField(),
                    )
                )
                .values_list("actor_id", "module")
                .annotate(newest=Max("at"))
            )
        users = get_user_model()._default_manager.filter(pk__in=people)  # noqa: SLF001
        self._seen = dict(users.values_list("pk", "last_seen_at"))

    def _read(self, rows: Iterable[tuple[int, str, datetime]]) -> None:
        for person, module, at in rows:
            known = self._acts.get((person, module))
            self._acts[person, module] = max(at, known) if known else at

    def newest(self, people: Iterable[int], modules: Collection[str]) -> datetime | None:
        found = [self._acts.get((person, module)) for person in people for module in modules]
        return max((at for at in found if at), default=None)

    def seen(self, people: Iterable[int]) -> datetime | None:
        return max((at for p in people if (at := self._seen.get(p))), default=None)
