"""Two units become one: nothing is lost, doubled or gained by it (PT-010)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from tracershop.models import Customer

from portal.access.decision import can, forget_held
from portal.access.models import DirectoryGroup, PeopleGroup, Profile, RoleGrant
from portal.accounts.models import AccountRequest, User
from portal.audit.models import AuditEntry
from portal.organisation import selectors
from portal.organisation.models import Membership, Unit
from portal.organisation.references import references
from portal.organisation.services import merge_units, move_unit, reopen_unit
from portal.records.errors import Refused
from portal.records.services import soft_delete
from tests.portal.test_organisation_tree import WHY, assert_whole, keeper, now
from tests.support.factories import give, make_role, make_unit, make_user
from tests.support.threads import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-010")]


@pytest.fixture
def region() -> Unit:
    return make_unit("region")


@pytest.fixture
def old(region: Unit) -> Unit:
    """The unit that is merged; with one below it."""
    old = make_unit("old", region)
    make_unit("bed", old)
    return old


@pytest.fixture
def new(region: Unit) -> Unit:
    return make_unit("new", region)


@pytest.fixture
def admin(region: Unit) -> User:
    user = make_user("Ada Admin")
    give(user, "access.portal_administrator", region)
    return user


def test_what_belonged_to_the_unit_belongs_to_the_other_with_history(
    admin: User, old: Unit, new: Unit
) -> None:
    person = make_user("Per Person")
    role = make_role("t.reader", "audit.browse_logs")
    profile = Profile.objects.create(user=person, name="Nurse", unit=old)
    rows = [
        Membership.objects.create(user=person, unit=old, title="Nurse"),
        give(person, "t.reader", old),
        give(person, "t.reader", old, profile=profile),
        PeopleGroup.objects.create(name="Night", unit=old),
        DirectoryGroup.objects.create(name="g", role=role, unit=old),
        profile,
        Customer.objects.create(name="Old shop", unit=old),
    ]
    told = selectors.merging(old, new)
    merge_units(actor=admin, unit=old, target=new, reason=WHY)
    for row in rows:
        row.refresh_from_db()
        assert row.unit == new, row
        assert [each.unit_id for each in row.history.all()] == [new.pk, old.pk]
        assert row.history.first().history_change_reason == WHY
    bed, merged = Unit.objects.get(code="bed"), now(old)
    assert bed.parent == new
    assert (merged.merged_into, merged.closed_on) == (new, timezone.localdate())
    assert merged not in Unit.objects.open()
    entries = AuditEntry.objects.filter(action="organisation.units_merged")
    assert {entry.object_id for entry in entries} == {str(old.pk), str(new.pk)}
    assert entries[0].data["moved"]["access.rolegrant"] == 2
    assert any("1" in line for line in told)
    forget_held(person)
    assert can(person, "audit.browse_logs")
    assert_whole()


def test_every_foreign_key_to_a_unit_is_known() -> None:
    """Also of modules; those that are not there would stay behind with the closed unit."""
    found = {(each.model._meta.label_lower, each.field) for each in references()}
    assert found >= {
        ("organisation.membership", "unit"),
        ("access.rolegrant", "unit"),
        ("access.profile", "unit"),
        ("access.peoplegroup", "unit"),
        ("access.directorygroup", "unit"),
        ("accounts.accountrequest", "unit"),
        ("tracershop.customer", "unit"),
    }
    assert not [label for label, _field in found if "historical" in label]
    assert not [label for label, _field in found if label == "organisation.unit"]


def test_of_two_of_a_kind_the_one_that_lasts_is_kept(admin: User, old: Unit, new: Unit) -> None:
    both, moved = make_user("Bo Both"), make_user("Mia Moved")
    role = make_role("t.reader", "audit.browse_logs")
    past = timezone.localdate() - timedelta(days=1)
    for person, ends_on in ((both, None), (moved, past)):
        for unit, until in ((old, None), (new, ends_on)):
            Membership.objects.create(user=person, unit=unit, ends_on=until, title=unit.code)
            give(person, "t.reader", unit, ends_on=until)
    for unit in (old, new):
        DirectoryGroup.objects.create(name="g", role=role, unit=unit)
        PeopleGroup.objects.create(name="Night", unit=unit)
    merge_units(actor=admin, unit=old, target=new, reason=WHY)
    titles = dict(Membership.objects.values_list("user__name", "title"))
    assert titles == {"Bo Both": "new", "Mia Moved": "old"}
    grants = RoleGrant.objects.filter(role=role)
    assert [(each.unit, each.ends_on) for each in grants] == [(new, None)] * 2
    assert DirectoryGroup.objects.count() == 1
    names = PeopleGroup.objects.filter(unit=new).values_list("name", flat=True)
    assert set(names) == {"Night", "Night (Old)"}


def test_what_stands_in_the_way_is_named_and_nothing_is_changed(
    admin: User, old: Unit, new: Unit
) -> None:
    person = make_user("Per Person")
    for unit in (old, new):
        AccountRequest.objects.create(
            unit=unit, person=person, requester=admin, module="tracershop", name="Per Person"
        )
    membership = Membership.objects.create(user=person, unit=old)
    with pytest.raises(Refused) as refused:
        merge_units(actor=admin, unit=old, target=new, reason=WHY)
    assert refused.value.code == "taken"
    assert len(refused.value.details) == 1
    assert "Per Person" in refused.value.details[0]
    membership.refresh_from_db()
    assert membership.unit == old
    assert now(old).is_open
    assert Unit.objects.get(code="bed").parent == old


def test_nobody_gains_a_role_by_merging_their_units(old: Unit, new: Unit) -> None:
    user = keeper("Kim Keeper", old.parent)
    make_role("t.reader", "audit.browse_logs")
    for unit in (old, new):
        grant = give(user, "t.reader", unit)
        with pytest.raises(Refused) as refused:
            merge_units(actor=user, unit=old, target=new, reason=WHY)
        assert refused.value.code == "self_grant"
        soft_delete(grant)
    merge_units(actor=user, unit=old, target=new, reason=WHY)


def test_merging_takes_a_say_over_both_and_above(old: Unit, new: Unit) -> None:
    for units in ((old,), (new,), (old, new)):
        user = keeper(f"Kim {len(units)} {units[0].code}", *units)
        with pytest.raises(PermissionDenied):
            merge_units(actor=user, unit=old, target=new, reason=WHY)
    assert now(old).is_open


def test_into_itself_or_below_is_refused_and_what_was_merged_stays_closed(
    admin: User, old: Unit, new: Unit
) -> None:
    for target in (old, Unit.objects.get(code="bed")):
        with pytest.raises(Refused) as refused:
            merge_units(actor=admin, unit=old, target=target, reason=WHY)
        assert refused.value.code == "under_itself"
    merge_units(actor=admin, unit=old, target=new, reason=WHY)
    with pytest.raises(Refused) as refused:
        reopen_unit(actor=admin, unit=now(old), reason=WHY)
    assert refused.value.code == "merged"


@pytest.mark.django_db(transaction=True)
def test_a_unit_merged_and_moved_at_once_does_one_after_the_other() -> None:
    region = make_unit("region")
    admin = make_user("Ada Admin")
    give(admin, "access.portal_administrator", region)
    old, new, other = (make_unit(code, region) for code in ("old", "new", "other"))
    Membership.objects.create(user=admin, unit=old)

    def actor() -> User:
        return User.objects.get(pk=admin.pk)

    results = at_once(
        lambda: merge_units(actor=actor(), unit=old, target=new, reason=WHY),
        lambda: move_unit(actor=actor(), unit=new, target=other, reason=WHY),
        lambda: move_unit(actor=actor(), unit=old, target=other, reason=WHY),
    )
    codes = [getattr(each, "code", each) for each in results if isinstance(each, Exception)]
    assert codes in ([], ["closed"])
    assert Membership.objects.get().unit == new
    assert now(new).parent == other
    assert_whole()
