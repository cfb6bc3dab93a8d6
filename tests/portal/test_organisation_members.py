"""Who belongs to a unit, from when until when (PT-010, PT-011)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.organisation.models import Membership, Unit
from portal.organisation.services import add_member, change_member, close_unit, end_member
from portal.records.errors import Refused, StaleRecord
from tests.portal.test_organisation_tree import WHY, keeper
from tests.support.accounts import make_external
from tests.support.factories import make_unit, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-011")]


@pytest.fixture
def region() -> Unit:
    return make_unit("region")


@pytest.fixture
def ward(region: Unit) -> Unit:
    return make_unit("ward", region)


@pytest.fixture
def head(ward: Unit) -> User:
    return keeper("Hanne Head", ward)


def test_a_person_belongs_to_any_number_of_units(head: User, ward: Unit, region: Unit) -> None:
    person = make_user("Per Person")
    chief = keeper("Carl Chief", region)
    starts_on = date(2026, 1, 1)
    add_member(actor=head, user=person, unit=ward, title=" Nurse ", starts_on=starts_on, reason=WHY)
    add_member(actor=chief, user=person, unit=region, reason=WHY)
    found = Membership.objects.filter(user=person).values_list("unit__code", "title", "starts_on")
    assert set(found) == {("ward", "Nurse", starts_on), ("region", "", None)}
    assert AuditEntry.objects.filter(action="organisation.member_added").count() == 2
    with pytest.raises(Refused) as refused:
        add_member(actor=head, user=person, unit=ward, reason=WHY)
    assert refused.value.code == "member_already"


def test_who_left_comes_back_as_a_new_membership(head: User, ward: Unit) -> None:
    person, today = make_user("Per Person"), timezone.localdate()
    first = add_member(actor=head, user=person, unit=ward, reason=WHY)
    yesterday = today - timedelta(days=1)
    end_member(actor=head, member_id=first.pk, ends_on=yesterday, reason=WHY)
    second = add_member(actor=head, user=person, unit=ward, starts_on=today, reason=WHY)
    assert second.pk != first.pk
    first.refresh_from_db()
    assert (first.ends_on, first.is_deleted) == (yesterday, True)


def test_title_and_dates_are_changed_by_one_at_a_time(head: User, ward: Unit) -> None:
    member = add_member(actor=head, user=make_user("Per Person"), unit=ward, reason=WHY)
    version, none = member.version, {"starts_on": None, "ends_on": None, "reason": WHY}

    def change(title: str) -> Membership:
        return change_member(
            actor=head, member_id=member.pk, title=title, expected_version=version, **none
        )

    change("Nurse")
    with pytest.raises(StaleRecord):
        change("Doctor")
    with pytest.raises(Refused) as refused:
        change_member(
            actor=head, member_id=member.pk, title="", reason=WHY,
            starts_on=date(2026, 2, 1), ends_on=date(2026, 1, 1),
        )  # fmt: skip
    assert refused.value.code == "dates"
    member.refresh_from_db()
    assert (member.title, member.starts_on) == ("Nurse", None)


def test_people_of_a_closed_unit_are_history(region: Unit, ward: Unit) -> None:
    chief = keeper("Carl Chief", region)
    member = add_member(actor=chief, user=make_user("Per Person"), unit=ward, reason=WHY)
    close_unit(actor=chief, unit=ward, closed_on=timezone.localdate(), reason=WHY)
    with pytest.raises(Refused) as refused:
        change_member(
            actor=chief, member_id=member.pk, title="", starts_on=None, ends_on=None, reason=WHY
        )
    assert refused.value.code == "closed"


def test_of_other_units_nobody_says_who_belongs_there(head: User, region: Unit) -> None:
    other = make_unit("other", region)
    person = make_user("Per Person")
    with pytest.raises(PermissionDenied):
        add_member(actor=head, user=person, unit=other, reason=WHY)
    member = Membership.objects.create(user=person, unit=other)
    with pytest.raises(PermissionDenied):
        end_member(actor=head, member_id=member.pk, ends_on=timezone.localdate(), reason=WHY)
    with pytest.raises(PermissionDenied):
        change_member(
            actor=head, member_id=member.pk, title="x", starts_on=None, ends_on=None, reason=WHY
        )


def test_an_external_account_of_others_is_not_drawn_into_ones_own_reach(
    head: User, region: Unit, ward: Unit
) -> None:
    """Where it belongs, it is managed: its password, its second factor, its end."""
    company = make_unit("company", region)
    external = make_external("Eva Extern")
    Membership.objects.create(user=external, unit=company)
    with pytest.raises(Refused) as refused:
        add_member(actor=head, user=external, unit=ward, reason=WHY)
    assert refused.value.code == "outside_unit"
    assert external.memberships.count() == 1
    add_member(actor=keeper("Carl Chief", region), user=external, unit=ward, reason=WHY)
    assert external.memberships.count() == 2
