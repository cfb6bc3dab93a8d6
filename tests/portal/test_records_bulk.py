"""Bulk writes keep history, versions and locks; restoring looks first (PT-020, PT-021)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from portal.access.models import DirectoryGroup, GroupMember, PeopleGroup, Role
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused, StaleRecord
from portal.records.services import change_many, create_many, restore, soft_delete
from tests.support.factories import make_unit, make_user
from tests.support.patients_app.models import Patient

pytestmark = pytest.mark.django_db


def roles(count: int) -> list[Role]:
    return create_many(
        Role,
        [
            Role(code=f"access.r{n}", name=f"R{n}", module="access", privileges=[])
            for n in range(count)
        ],
    )


# --- change_many -----------------------------------------------------------------------------


@pytest.mark.requirement("PT-020")
def test_a_thousand_records_take_as_many_queries_as_ten() -> None:
    def queries(found: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            change_many(found, name="Same")
        return len(captured)

    roles(1000)
    few = queries(Role.objects.filter(code__startswith="access.r", name__in=["R1", "R2", "R3"]))
    assert queries(Role.objects.filter(code__startswith="access.r")) == few
    assert few <= 6


@pytest.mark.requirement("PT-020")
def test_every_record_has_its_own_row_of_history_with_all_that_a_single_save_would_say() -> None:
    person = make_user("Signe Holm")
    one, two = roles(2)
    one.name = "R0 again"
    one.save()
    with acting(actor=ServiceActor("import", on_behalf_of=person), reason="tidy"):
        assert change_many([two, one], name="Same", module="inbox") == 2
    for record, version in ((one, 3), (two, 2)):
        newest = record.history.first()
        assert (newest.version, newest.name, newest.module) == (version, "Same", "inbox")
        assert (newest.history_type, newest.history_service) == ("~", "import")
        assert (newest.history_user, newest.history_change_reason) == (person, "tidy")
        kept = Role.objects.get(pk=record.pk)
        assert (kept.version, kept.name, record.version) == (version, "Same", version)
        assert kept.changed_at == newest.changed_at == record.changed_at
    one.name = "and on"
    one.save()  # the given objects are as fresh as after a save


@pytest.mark.requirement("PT-006", "PT-020")
def test_who_acted_in_another_role_is_in_the_history_of_bulk_writes_too() -> None:
    with acting(actor=make_user("Signe Holm"), acting_as="Shop user"):
        made = roles(1)
        change_many(made, name="Same")
    assert {row.history_service for row in made[0].history.all()} == {"acting as Shop user"}


@pytest.mark.requirement("PT-022")
def test_of_a_bulk_change_with_one_stale_record_nothing_is_done() -> None:
    made = roles(3)
    theirs = Role.objects.get(pk=made[1].pk)
    theirs.name = "Theirs"
    theirs.save()
    with pytest.raises(StaleRecord) as stale:
        change_many(made, name="Mine")
    assert stale.value.record == made[1]
    assert not Role.objects.filter(name="Mine").exists()
    assert [each.name for each in made] == ["R0", "R1", "R2"]
    assert not Role.history.filter(name="Mine").exists()


def test_a_bulk_change_of_nothing_and_of_two_kinds() -> None:
    assert change_many([], name="Same") == 0
    with pytest.raises(TypeError, match="one model"):
        change_many([*roles(1), make_unit("house")], name="Same")


def test_what_one_has_changed_and_not_saved_is_not_slipped_into_the_history() -> None:
    (made,) = roles(1)
    made.module = "never saved"
    change_many([made], name="Same")
    assert made.history.first().module == "access"


def test_a_bulk_change_that_the_database_refuses_does_nothing() -> None:
    made = roles(2)
    with pytest.raises(IntegrityError), transaction.atomic():
        change_many(made, code="access.same")
    assert Role.history.filter(code="access.same").count() == 0


@pytest.mark.requirement("PT-015", "PT-020")
def test_the_history_of_a_bulk_change_has_the_personal_data_that_one_may_not_see() -> None:
    unit = make_unit("ward")
    patient = Patient.objects.create(name="Anna Andersen", number="1", unit=unit)
    with acting(actor=make_user("Rita Reader")):
        change_many(Patient.objects.all(), number="2")
    with acting(actor=ServiceActor("look")):
        assert [row.name for row in patient.history.all()] == ["Anna Andersen", "Anna Andersen"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.requirement("PT-022")
def test_two_bulk_changes_at_once_wait_for_each_other_and_the_second_is_stale() -> None:
    made = roles(20)
    both_read = threading.Barrier(2, timeout=20)
    outcomes: list[str] = []

    def change(name: str, order: int) -> None:
        try:
            read = list(Role.objects.filter(code__startswith="access.r").order_by("pk"))[::order]
            both_read.wait()
            change_many(read, name=name)
            outcomes.append("done")
        except StaleRecord:
            outcomes.append("stale")
        finally:
            connection.close()

    threads = [threading.Thread(target=change, args=each) for each in (("A", 1), ("B", -1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["done", "stale"]
    names = set(Role.objects.filter(pk__in=[each.pk for each in made]).values_list("name"))
    assert len(names) == 1


# --- restore ---------------------------------------------------------------------------------


def mapping() -> DirectoryGroup:
    return DirectoryGroup.objects.create(name="testers", role=roles(1)[0], unit=make_unit("house"))


@pytest.mark.requirement("PT-021")
def test_what_is_not_removed_cannot_be_restored() -> None:
    with pytest.raises(Refused) as refused:
        restore(mapping())
    assert refused.value.code == "not_removed"


@pytest.mark.requirement("PT-021")
def test_a_record_whose_place_is_taken_does_not_come_back() -> None:
    gone = mapping()
    soft_delete(gone)
    DirectoryGroup.objects.create(name="testers", role=gone.role, unit=gone.unit)
    with pytest.raises(Refused) as refused:
        restore(gone)
    assert refused.value.code == "taken"
    assert gone.is_deleted
    assert DirectoryGroup.all_objects.get(pk=gone.pk).is_deleted
    assert gone.history.first().deleted_at is not None


@pytest.mark.requirement("PT-021")
def test_where_somebody_was_faster_the_database_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the save: only the unique index sees it."""
    gone = mapping()
    soft_delete(gone)
    DirectoryGroup.objects.create(name="testers", role=gone.role, unit=gone.unit)
    monkeypatch.setattr("portal.records.services._check_constraints", lambda _record: None)
    with pytest.raises(Refused) as refused:
        restore(gone)
    assert refused.value.code == "taken"


@pytest.mark.requirement("PT-021")
def test_what_belongs_to_something_removed_waits_for_it() -> None:
    group = PeopleGroup.objects.create(name="Night team", unit=make_unit("house"))
    member = GroupMember.objects.create(group=group, user=make_user("Signe Holm"))
    soft_delete(member), soft_delete(group)
    with pytest.raises(Refused, match="Night team") as refused:
        restore(GroupMember.all_objects.get(pk=member.pk))
    assert refused.value.code == "owner_removed"
    restore(group)
    restore(GroupMember.all_objects.get(pk=member.pk))
    assert GroupMember.objects.filter(pk=member.pk).exists()
