"""A unit is closed: what rests on it ends, what was stays readable (PT-010)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from portal.access.decision import can, forget_held
from portal.access.models import DirectoryGroup, GroupMember, PeopleGroup, Profile, RoleGrant
from portal.access.selectors import units_to_grant_at
from portal.access.services import grant_role, sync_directory_roles
from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.organisation import selectors
from portal.organisation.apps import CHANGE
from portal.organisation.models import Membership, Unit
from portal.organisation.services import add_member, close_unit, create_unit, reopen_unit
from portal.records.errors import Refused, StaleRecord
from tests.portal.test_organisation_tree import WHY, assert_whole, keeper, now
from tests.support.factories import give, make_role, make_unit, make_user
from tests.support.threads import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-010")]
READ = "audit.browse_logs"


@pytest.fixture
def region() -> Unit:
    return make_unit("region")


@pytest.fixture
def ward(region: Unit) -> Unit:
    return make_unit("ward", region)


@pytest.fixture
def admin(region: Unit) -> User:
    user = make_user("Ada Admin")
    give(user, "access.portal_administrator", region)
    return user


def close(actor: User, unit: Unit, **values: object) -> Unit:
    values = {"closed_on": timezone.localdate(), "reason": WHY} | values
    return close_unit(actor=actor, unit=unit, **values)


def test_roles_people_profiles_groups_and_mappings_end_with_the_unit(
    admin: User, region: Unit, ward: Unit
) -> None:
    role = make_role("t.reader", READ)
    person, other = make_user("Per Person"), make_user("Otto Other")
    today = timezone.localdate()
    give(person, "t.reader", ward)
    profile = Profile.objects.create(user=person, name="Nurse", unit=ward)
    in_profile = give(person, "t.reader", region, profile=profile)
    group = PeopleGroup.objects.create(name="Night", unit=ward)
    GroupMember.objects.create(group=group, user=other)
    RoleGrant.objects.create(role=role, unit=region, group=group)
    DirectoryGroup.objects.create(name="g", role=role, unit=ward)
    stays = Membership.objects.create(user=person, unit=ward)
    never = Membership.objects.create(
        user=other, unit=ward, starts_on=today + timedelta(days=1), title="from tomorrow"
    )
    told = "\n".join(selectors.closing(ward))
    close(admin, ward)
    for each in (person, other):
        forget_held(each)
        assert not can(each, READ)
    in_profile.refresh_from_db()
    assert in_profile.is_deleted
    assert not RoleGrant.objects.exclude(user=admin).exists()
    assert not Profile.objects.exists()
    assert not PeopleGroup.objects.exists()
    assert not GroupMember.objects.exists()
    assert not DirectoryGroup.objects.exists()
    stays.refresh_from_db()
    never.refresh_from_db()
    assert (stays.ends_on, never.is_deleted) == (today, True)
    ended = AuditEntry.objects.get(action="organisation.unit_closed").data["ended"]
    assert ended["access.rolegrant"] == 3
    assert AuditEntry.objects.filter(action="access.role_ended").count() == 3
    assert told.count("Ward") >= 5
    sync_directory_roles(person, ["g"])
    assert not can(person, READ)


def test_a_closed_unit_is_no_choice_but_stays_readable(
    admin: User, region: Unit, ward: Unit
) -> None:
    close(admin, ward)
    ward = now(ward)
    assert ward not in units_to_grant_at(admin)
    assert ward not in selectors.open_units(admin)
    assert ward not in selectors.units(admin)
    assert ward in selectors.units(admin, closed=True)
    assert [event.reason for event in selectors.life(ward)] == [WHY, ""]
    person = make_user("Per Person")
    for act in (
        lambda: grant_role(
            actor=admin, user=person, role=make_role("t.r", READ), unit=ward, reason=WHY
        ),
        lambda: add_member(actor=admin, user=person, unit=ward, reason=WHY),
        lambda: create_unit(actor=admin, parent=ward, name="X", code="x", kind="ward"),
        lambda: close(admin, ward),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code in {"closed", "closed_unit"}


def test_open_units_below_are_named_or_closed_together(admin: User, ward: Unit) -> None:
    bed = make_unit("bed", ward)
    shut = make_unit("shut", ward, closed_on="2020-01-01")
    with pytest.raises(Refused) as refused:
        close(admin, ward)
    assert (refused.value.code, refused.value.details) == ("open_below", ["Bed"])
    close(admin, ward, with_below=True)
    assert now(bed).closed_on == timezone.localdate()
    assert str(now(shut).closed_on) == "2020-01-01"
    assert AuditEntry.objects.filter(action="organisation.unit_closed").count() == 2
    with pytest.raises(Refused) as refused:
        reopen_unit(actor=admin, unit=bed, reason=WHY)
    assert refused.value.code == "closed"


def test_reopening_gives_nothing_back(admin: User, ward: Unit) -> None:
    person = make_user("Per Person")
    make_role("t.reader", READ)
    give(person, "t.reader", ward)
    close(admin, ward)
    reopen_unit(actor=admin, unit=ward, reason="too early")
    assert now(ward) in Unit.objects.open()
    forget_held(person)
    assert not can(person, READ)
    with pytest.raises(Refused) as refused:
        reopen_unit(actor=admin, unit=ward, reason=WHY)
    assert refused.value.code == "open"


def test_only_in_time_by_who_may_and_never_the_top(admin: User, region: Unit, ward: Unit) -> None:
    for unit, day, code in (
        (region, timezone.localdate(), "root"),
        (ward, timezone.localdate() + timedelta(days=1), "future"),
    ):
        with pytest.raises(Refused) as refused:
            close(admin, unit, closed_on=day)
        assert refused.value.code == code
    with pytest.raises(PermissionDenied):
        close(keeper("Kim Keeper", make_unit("else", region)), ward)
    with pytest.raises(PermissionDenied):
        reopen_unit(actor=make_user("Nobody"), unit=ward, reason=WHY)
    version = ward.version
    Unit.objects.get(pk=ward.pk).save()
    with pytest.raises(StaleRecord):
        close(admin, ward, expected_version=version)
    assert now(ward).is_open


@pytest.mark.django_db(transaction=True)
def test_a_role_granted_while_the_unit_closes_holds_nothing() -> None:
    region = make_unit("region")
    admin = make_user("Ada Admin")
    give(admin, "access.portal_administrator", region)
    ward, person = make_unit("ward", region), make_user("Per Person")
    role = make_role("t.keeper", CHANGE)

    def grant() -> None:
        actor = User.objects.get(pk=admin.pk)
        grant_role(actor=actor, user=person, role=role, unit=ward, reason=WHY)

    at_once(grant, lambda: close(User.objects.get(pk=admin.pk), ward))
    assert not now(ward).is_open
    forget_held(person)
    assert not can(person, CHANGE)
    assert_whole()
