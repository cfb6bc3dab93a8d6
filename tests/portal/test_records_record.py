"""Records: history, soft delete, optimistic lock – held by the code and by the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError
from tracershop.models import Booking

from portal.access.models import DirectoryGroup, Role
from portal.accounts.models import User
from portal.records.context import ServiceActor, acting, current_act
from portal.records.errors import Refused, StaleRecord
from portal.records.purging import purge
from portal.records.services import (
    change_many,
    check_version,
    create_many,
    locked,
    restore,
    soft_delete,
    writes,
)
from tests.support.factories import make_unit, make_user

pytestmark = pytest.mark.django_db


def role(code: str = "access.tester", **values: Any) -> Role:
    fields = {"name": "Tester", "module": "access", "privileges": [], **values}
    return Role.objects.create(code=code, **fields)


def refused_by_the_database(statement: str, *params: Any) -> str:
    """The database's own words on why it does not run the statement."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # TRUNCATE waits for no pending check
    with pytest.raises(ProgrammingError) as refused, transaction.atomic():
        connection.cursor().execute(statement, params)
    return str(refused.value)


# --- soft delete -----------------------------------------------------------------------------


@pytest.mark.requirement("PT-021")
def test_a_deleted_record_leaves_every_list_and_stays_in_the_database() -> None:
    gone = role()
    soft_delete(gone)
    assert not Role.objects.filter(pk=gone.pk).exists()
    assert Role.all_objects.get(pk=gone.pk).is_deleted
    restore(Role.all_objects.get(pk=gone.pk))
    assert not Role.objects.get(pk=gone.pk).is_deleted


@pytest.mark.requirement("PT-021")
@pytest.mark.parametrize("table", ["access_role", "access_historicalrole", "accounts_user"])
def test_the_database_refuses_to_delete(table: str) -> None:
    role(), make_user("Signe Holm")
    assert "DELETE is refused" in refused_by_the_database(f"DELETE FROM {table}")
    said = refused_by_the_database(f"TRUNCATE {table} CASCADE")
    assert "TRUNCATE is refused" in said


@pytest.mark.requirement("PT-021")
def test_neither_a_record_nor_a_queryset_can_be_deleted_in_python() -> None:
    kept = role()
    with pytest.raises(TypeError, match="soft_delete"):
        kept.delete()
    with pytest.raises(TypeError, match="soft_delete"):
        Role.objects.filter(pk=kept.pk).delete()
    assert Role.objects.filter(pk=kept.pk).exists()


def test_a_code_of_a_deleted_mapping_may_be_used_again() -> None:
    unit, held = make_unit("hospital"), role()
    first = DirectoryGroup.objects.create(name="testers", role=held, unit=unit)
    with pytest.raises(IntegrityError), transaction.atomic():
        DirectoryGroup.objects.create(name="testers", role=held, unit=unit)
    soft_delete(first)
    assert DirectoryGroup.objects.create(name="testers", role=held, unit=unit).pk != first.pk


# --- history ---------------------------------------------------------------------------------


@pytest.mark.requirement("PT-020")
def test_history_says_who_changed_what_from_what_to_what_and_why() -> None:
    person = make_user("Signe Holm")
    with acting(actor=person, reason="a better name"):
        changed = role()
        changed.name = "Trier"
        changed.save()
    newest, first = changed.history.all()
    assert (first.name, newest.name) == ("Tester", "Trier")
    assert newest.history_user == person
    assert newest.history_change_reason == "a better name"
    assert newest.history_type == "~"


@pytest.mark.requirement("PT-020")
def test_history_of_a_task_names_the_service_and_for_whom_it_acted() -> None:
    person = make_user("Signe Holm")
    with acting(actor=ServiceActor("night job", on_behalf_of=person)):
        made = role()
    row = made.history.get()
    assert (row.history_service, row.history_user) == ("night job", person)


@pytest.mark.requirement("PT-020")
def test_bulk_inserts_and_changes_write_history_with_person_service_and_reason() -> None:
    person = make_user("Signe Holm")
    with acting(actor=ServiceActor("import", on_behalf_of=person), reason="first load"):
        made = create_many(
            Role,
            [
                Role(code=f"access.r{n}", name=f"R{n}", module="access", privileges=[])
                for n in (1, 2)
            ],
        )
        assert change_many(Role.objects.filter(code__startswith="access.r"), name="Same") == 2
    for one in made:
        newest, first = one.history.all()
        assert [first.history_type, newest.history_type] == ["+", "~"]
        assert newest.name == "Same"
        for row in (newest, first):
            assert row.history_service == "import"
            assert row.history_user == person
            assert row.history_change_reason == "first load"
    assert set(Role.objects.filter(name="Same").values_list("version", flat=True)) == {2}


@pytest.mark.requirement("PT-020")
def test_a_queryset_update_which_would_write_no_history_is_refused() -> None:
    role()
    with pytest.raises(TypeError, match="change_many"):
        Role.objects.update(name="Nameless")
    with pytest.raises(TypeError, match="change_many"):
        Role.all_objects.filter(name="Tester").update(name="Nameless")


@pytest.mark.requirement("PT-020")
def test_the_database_refuses_to_rewrite_history() -> None:
    role()
    assert "UPDATE is refused" in refused_by_the_database(
        "UPDATE access_historicalrole SET name = 'Nobody'"
    )


def test_history_does_not_keep_passwords() -> None:
    make_user("Signe Holm")
    kept = {field.name for field in User.history.model._meta.get_fields()}
    assert not kept & {"password", "last_login", "last_seen_at"}


# --- optimistic lock -------------------------------------------------------------------------


@pytest.mark.requirement("PT-022")
def test_the_second_of_two_who_save_the_same_version_is_refused() -> None:
    made = role()
    mine, theirs = Role.objects.get(pk=made.pk), Role.objects.get(pk=made.pk)
    theirs.name = "Theirs"
    theirs.save()
    mine.name = "Mine"
    with pytest.raises(StaleRecord), transaction.atomic():
        mine.save()
    assert Role.objects.get(pk=made.pk).name == "Theirs"
    assert mine.version == made.version
    assert str(StaleRecord(mine)) == "Mine was changed by somebody else"


@pytest.mark.requirement("PT-022")
def test_the_second_saver_is_shown_what_differs_field_by_field() -> None:
    made = role(name="Old", module="access")
    opened = made.version
    made.name = "Theirs"
    made.save()
    with pytest.raises(StaleRecord) as stale:
        check_version(made, opened, {"name": "Mine", "module": "inbox", "code": made.code})
    shown = {
        str(difference.label): (difference.before, difference.theirs, difference.yours)
        for difference in stale.value.differences
    }
    assert shown == {"name": ("Old", "Theirs", "Mine"), "module": ("access", "access", "inbox")}


@pytest.mark.requirement("PT-022")
def test_the_same_version_and_acts_without_a_form_pass() -> None:
    made = role()
    check_version(made, made.version, {"name": "Mine"})
    check_version(made, None, {})


def test_a_save_that_failed_for_another_reason_can_be_tried_again() -> None:
    role("access.taken")
    mine = role("access.mine")
    mine.code = "access.taken"
    with pytest.raises(IntegrityError), transaction.atomic():
        mine.save()
    mine.code = "access.free"
    mine.save()
    assert Role.objects.get(pk=mine.pk).version == 2


def test_each_save_counts_one_version_also_when_only_some_fields_are_saved() -> None:
    made = role()
    made.name = "Two"
    made.save(update_fields={"name"})
    read = Role.objects.only("name").get(pk=made.pk)
    read.name = "Three"
    read.save()
    assert list(made.history.values_list("version", "name").order_by("version")) == [
        (1, "Tester"),
        (2, "Two"),
        (3, "Three"),
    ]


def test_a_row_that_is_not_in_reach_cannot_be_locked() -> None:
    with pytest.raises(Refused) as refused:
        locked(Role.objects.all(), 987654321)
    assert refused.value.code == "gone"


# --- services --------------------------------------------------------------------------------


@writes
def rename(*, actor: Any, pk: int, name: str, reason: str = "") -> str:
    record = locked(Role.objects.all(), pk)
    record.name = name
    record.save()
    if name == "forbidden":
        raise Refused("Not this name.", code="name", details=["it is forbidden"])
    return current_act().reason


def test_a_service_knows_its_actor_and_reason_and_forgets_them_afterwards() -> None:
    person, made = make_user("Signe Holm"), role()
    assert rename(actor=person, pk=made.pk, name="New", reason="because") == "because"
    assert made.history.first().history_user == person
    assert current_act().actor is None


def test_what_a_service_refused_is_not_half_done() -> None:
    person, made = make_user("Signe Holm"), role()
    with pytest.raises(Refused) as refused:
        rename(actor=person, pk=made.pk, name="forbidden")
    assert refused.value.details == ["it is forbidden"]
    assert Role.objects.get(pk=made.pk).name == "Tester"
    assert made.history.count() == 1


def test_a_service_without_an_actor_is_a_programming_error() -> None:
    with pytest.raises(KeyError, match="actor"):
        rename(pk=1, name="New")  # type: ignore[call-arg]


# --- purging ---------------------------------------------------------------------------------


def booking(accession: str) -> Booking:
    return Booking.objects.create(
        accession=accession,
        starts_at=datetime(2026, 11, 20, 9, tzinfo=UTC),
        procedure_code="PET1",
        room="PET-4",
    )


@pytest.mark.requirement("PT-021", "TS-022")
def test_a_purge_removes_the_row_and_its_history_and_nothing_else() -> None:
    old, kept = booking("A1"), booking("A2")
    old.room = "PET-5"
    old.save()
    assert purge(Booking.all_objects.filter(pk=old.pk)) == 1
    assert not Booking.all_objects.filter(pk=old.pk).exists()
    assert not Booking.history.filter(id=old.pk).exists()
    assert Booking.objects.get(pk=kept.pk).history.count() == 1
    # the permission ends with the purge
    assert "DELETE is refused" in refused_by_the_database("DELETE FROM tracershop_booking")


@pytest.mark.requirement("PT-021")
def test_only_what_was_declared_purgeable_can_be_purged() -> None:
    made = role()
    with pytest.raises(TypeError, match="not purgeable"):
        purge(Role.all_objects.filter(pk=made.pk))
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('portal.purge', 'on', true)")
    assert "DELETE is refused" in refused_by_the_database("DELETE FROM access_role")
