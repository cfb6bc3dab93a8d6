"""Making, changing and ending profiles, and standing in one of one's own (PT-011)."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.authority import ADMINISTER, GRANT, has_say
from portal.access.decision import forget_held, held_by, require
from portal.access.models import Profile, RoleGrant
from portal.access.profiles import profiles_of
from portal.access.services.grants import check_say_over, take_away
from portal.access.standing import keep_profile, take_standing
from portal.audit.services import Access, differences, log_access, record
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import check_version, locked, soft_delete, writes


@writes
def make_profile(*, actor: Any, user: Any, name: str, unit: Unit, reason: str) -> Profile:
    """A profile for a person; it holds nothing until a role is granted in it.

    Raises PermissionDenied; Refused: ``outside_unit``, ``closed_unit``, ``empty``, ``name_taken``.
    """
    _check_keeps(actor, unit)
    profile = Profile(user=user, unit=unit)
    _save_named(profile, name)
    record("access.profile_made", profile, data=_facts(profile))
    return profile


@writes
def change_profile(
    *, actor: Any, profile_id: int, name: str, unit: Unit, expected_version: int | None, reason: str
) -> Profile:
    """Rename a profile, or say of which unit it is. Raises as :func:`make_profile`; StaleRecord."""
    profile = locked(Profile.objects.select_related("user", "unit"), profile_id)
    _check_keeps(actor, profile.unit, closed_too=True)
    check_version(profile, expected_version, {"name": name.strip(), "unit": unit})
    if unit != profile.unit:
        _check_keeps(actor, unit)
    before = _facts(profile)
    profile.unit = unit
    _save_named(profile, name)
    record("access.profile_changed", profile, data=differences(before, _facts(profile)))
    return profile


@writes
def end_profile(*, actor: Any, profile_id: int, reason: str) -> Profile:
    """End a profile and what was granted in it; who stands in it stands in none from now on.

    It takes the say over each of these grants. Raises PermissionDenied; Refused: ``outside_unit``,
    ``gone``, and as ending a grant.
    """
    profile = locked(Profile.objects.select_related("user", "unit"), profile_id)
    _check_keeps(actor, profile.unit, closed_too=True)
    grants = RoleGrant.objects.filter(profile=profile)
    grants = grants.select_related("role", "unit", "user", "group").order_by("pk")
    for grant in grants.select_for_update(no_key=True, of=("self",)):
        check_say_over(actor, grant)
        take_away(grant)
    soft_delete(profile)
    record("access.profile_ended", profile, data=_facts(profile))
    forget_held(profile.user)
    return profile


@writes
def choose_profile(*, actor: Any, session: MutableMapping[str, Any], profile_id: int) -> Profile:
    """Stand in one of one's own profiles from now on, in this session; elsewhere all stays.

    Raises Refused: ``not_own`` for what is none of theirs (any more), ``acting_as`` while they act
    in another role.
    """
    if getattr(actor, "acting_as", ""):
        raise Refused(_("You are acting in another role. Stop that first."), code="acting_as")
    profile = profiles_of(actor).select_for_update(no_key=True).filter(pk=profile_id).first()
    if profile is None:
        raise Refused(_("This is none of your profiles (any more)."), code="not_own")
    _mark_used(profile)
    log_access(Access.CHANGE, profile, data={"stands_in": profile.name})
    keep_profile(session, profile.pk)
    take_standing(actor, session, timezone.now())
    forget_held(actor)
    return profile


def _mark_used(profile: Profile) -> None:
    # by no saving of the record: to use a profile is no new version of it
    QuerySet(Profile).filter(pk=profile.pk).update(last_used_at=timezone.now())


def stand_in_last(session: MutableMapping[str, Any], user: Any) -> None:
    """At log-in: in the profile used last, else the first by name; with none in none."""
    last = F("last_used_at").desc(nulls_last=True)
    profile = profiles_of(user).order_by(last, "name", "pk").first()
    keep_profile(session, profile.pk if profile else None)


def profile_named(user: Any, name: str, unit: Unit) -> Profile:
    """The person's profile of the name; made at ``unit`` where there is none. For the directory,
    within its transaction, which has locked the person."""
    found = profiles_of(user).filter(name=name).first()
    if found is None:
        found = Profile.objects.create(user=user, name=name, unit=unit)
        record("access.profile_made", found, data=_facts(found))
    return found


def _check_keeps(actor: Any, unit: Unit, *, closed_too: bool = False) -> None:
    if not isinstance(actor, ServiceActor) and not has_say(actor, unit):
        if not held_by(actor).of(ADMINISTER):
            require(actor, GRANT)
        raise Refused(_("You may not grant roles at this unit."), code="outside_unit")
    if not (unit.is_open or closed_too):
        raise Refused(_("This unit is closed."), code="closed_unit")


def _save_named(profile: Profile, name: str) -> None:
    profile.name = name.strip()
    if not profile.name:
        raise Refused(_("A profile has a name."), code="empty")
    try:
        with transaction.atomic():
            profile.save()
    except IntegrityError:
        raise Refused(_("The person has a profile of this name."), code="name_taken") from None


def _facts(profile: Profile) -> dict[str, Any]:
    return {"person": str(profile.user), "name": profile.name, "unit": profile.unit.code}
