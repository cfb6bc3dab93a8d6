"""A person is decided about in the profile, or the other role, that their session names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.access.decision import can, forget_held
from portal.access.models import Profile, Role
from portal.access.standing import (
    ACTING_LASTS,
    Standing,
    keep_profile,
    keep_role,
    leave_role,
    standing_in,
    take_standing,
)
from portal.accounts.models import User
from portal.audit.services import record
from portal.organisation.models import Unit
from portal.records.context import acting
from tests.support.factories import give, make_unit, make_user

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def test_a_role_that_was_taken_is_left_after_a_time() -> None:
    session: dict[str, object] = {}
    keep_profile(session, 7)
    keep_role(session, role_id=1, unit_id=2, words="Nurse – Ward", since=NOW)
    assert standing_in(session, NOW) == Standing(7, 1, 2, "Nurse – Ward")
    assert standing_in(session, NOW + ACTING_LASTS) == Standing(7)
    leave_role(session)
    assert standing_in(session, NOW) == Standing(7)
    assert standing_in({}, NOW) == Standing()


@pytest.fixture
def person(db: None) -> User:
    return make_user("Paula Person")


@pytest.fixture
def ward(db: None) -> Unit:
    for code in ("base", "doctor", "researcher"):
        Role.objects.create(code=f"t.{code}", name=code, module="t", privileges=[f"t.{code}"])
    return make_unit("ward")


def privileges_in(person: User, session: dict[str, object]) -> set[str]:
    forget_held(person)
    take_standing(person, session, NOW)
    return {code for code in ("t.base", "t.doctor", "t.researcher") if can(person, code)}


@pytest.mark.requirement("PT-011")
def test_the_roles_of_a_profile_hold_while_it_is_active(person: User, ward: Unit) -> None:
    doctor = Profile.objects.create(user=person, name="Doctor", unit=ward)
    researcher = Profile.objects.create(user=person, name="Researcher", unit=ward)
    give(person, "t.base", ward)
    give(person, "t.doctor", ward, profile=doctor)
    give(person, "t.researcher", ward, profile=researcher)
    session: dict[str, object] = {}
    assert privileges_in(person, session) == {"t.base"}
    keep_profile(session, doctor.pk)
    assert privileges_in(person, session) == {"t.base", "t.doctor"}
    keep_profile(session, researcher.pk)
    assert privileges_in(person, session) == {"t.base", "t.researcher"}


@pytest.mark.requirement("PT-011")
def test_anothers_profile_gives_nothing(person: User, ward: Unit) -> None:
    other = make_user("Otto Other")
    theirs = Profile.objects.create(user=other, name="Doctor", unit=ward)
    give(other, "t.doctor", ward, profile=theirs)
    session: dict[str, object] = {}
    keep_profile(session, theirs.pk)
    assert privileges_in(person, session) == set()


@pytest.mark.requirement("PT-011")
def test_without_a_session_it_is_the_profile_used_last(person: User, ward: Unit) -> None:
    for name, days in (("Doctor", 3), ("Researcher", 1)):
        profile = Profile.objects.create(
            user=person, name=name, unit=ward, last_used_at=NOW - timedelta(days=days)
        )
        give(person, f"t.{name.lower()}", ward, profile=profile)
    assert can(person, "t.researcher")
    assert not can(person, "t.doctor")


@pytest.mark.requirement("PT-006")
def test_acting_in_another_role_one_holds_that_alone(person: User, ward: Unit) -> None:
    give(person, "t.base", ward)
    give(person, "access.site_administrator", ward)
    session: dict[str, object] = {}
    role = Role.objects.get(code="t.doctor")
    keep_role(session, role_id=role.pk, unit_id=ward.pk, words="doctor – Ward", since=NOW)
    assert privileges_in(person, session) == {"t.doctor"}
    leave_role(session)
    assert privileges_in(person, session) == {"t.base"}


@pytest.mark.requirement("PT-006")
def test_audit_and_history_name_both_identities(person: User, ward: Unit) -> None:
    with acting(actor=person, acting_as="doctor – Ward"):
        entry = record("test.act", ward)
        ward.name = "Ward 2"
        ward.save()
    assert (entry.actor_name, entry.acting_as) == ("Paula Person", "doctor – Ward")
    row = ward.history.first()
    assert (row.history_user, row.history_service) == (person, "acting as doctor – Ward")
