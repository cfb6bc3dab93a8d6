"""Audit trail and access log: appended only, chained at commit, every tampering found and named."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from pytest_django import Settings

from portal.access.models import Role
from portal.audit import tasks, verification
from portal.audit.chain import ACCESS, CHAINS, LOCK_CLASS, TRAIL
from portal.audit.models import AccessEntry, AuditEntry, ChainLink, Verification
from portal.audit.services import Access, differences, log_access, record
from portal.audit.verification import check_last_run, verify_all, verify_chain
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from tests.support.factories import make_unit, make_user
from tests.support.tampering import tamper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def anchors(settings: Settings, tmp_path: Path, server_keys: Path) -> Path:
    settings.PORTAL_ANCHOR_FILE = str(tmp_path / "anchors.jsonl")
    return tmp_path / "anchors.jsonl"


def written(count: int = 5) -> list[AuditEntry]:
    return [record(f"test.act_{n}", data={"n": n}) for n in range(count)]


# --- what is written -------------------------------------------------------------------------


@pytest.mark.requirement("PT-023")
def test_an_entry_says_who_for_whom_from_where_why_and_on_what() -> None:
    person, unit = make_user("Signe Holm"), make_unit("hospital")
    with acting(
        actor=ServiceActor("import", on_behalf_of=person),
        reason="asked for",
        request_id="abc123",
        address="192.0.2.7",
    ):
        entry = log_access(Access.OPEN, unit, patient="010190-1234", data={"page": 1})
    kept = AccessEntry.objects.get(pk=entry.pk)
    assert (kept.actor_id, kept.actor_name, kept.service) == (person.pk, "Signe Holm", "import")
    assert (kept.object_type, kept.object_id) == ("organisation.unit", str(unit.pk))
    assert (kept.object_repr, kept.patient) == ("Hospital", "010190-1234")
    assert (kept.reason, kept.request_id, kept.address) == ("asked for", "abc123", "192.0.2.7")
    assert (kept.action, kept.data) == ("open", {"page": 1})


def test_differences_are_the_fields_that_changed() -> None:
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == {"b": [2, 3], "c": [None, 4]}


@pytest.mark.requirement("PT-023")
@pytest.mark.parametrize("table", ["audit_auditentry", "audit_accessentry", "audit_chainlink"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_the_database_refuses_to_change_the_logs(table: str, statement: str) -> None:
    record("test.act"), log_access(Access.OPEN, "something")
    with pytest.raises(ProgrammingError, match="is refused on"), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


# --- the chain -------------------------------------------------------------------------------


@pytest.mark.requirement("PT-023")
def test_entries_are_chained_in_the_order_of_their_commits() -> None:
    before = ChainLink.objects.filter(chain=TRAIL).count()
    entries = written(3)
    links = list(ChainLink.objects.filter(chain=TRAIL).order_by("seq"))[before:]
    assert [link.entry_id for link in links] == [entry.pk for entry in entries]
    assert [link.seq for link in links] == list(range(before + 1, before + 4))
    assert verify_chain(TRAIL) == []


def test_what_is_rolled_back_leaves_no_entry_and_no_link() -> None:
    before = ChainLink.objects.count()
    with transaction.atomic():
        record("test.act")
        transaction.set_rollback(True)
    assert ChainLink.objects.count() == before
    assert verify_chain(TRAIL) == []


@pytest.mark.requirement("PT-023")
def test_an_entry_inserted_by_raw_sql_is_chained_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_auditentry (at, actor_name, service, action, object_type, object_id,"
            " object_repr, patient, reason, data, request_id, address)"
            " VALUES (now(), '', '', 'raw', '', '', '', '', '', '{}', '', '') RETURNING id"
        )
        (pk,) = cursor.fetchone()
    assert ChainLink.objects.filter(chain=TRAIL, entry_id=pk).exists()
    assert verify_chain(TRAIL) == []


@pytest.mark.requirement("PT-023")
def test_the_session_s_time_zone_and_language_do_not_touch_the_hashes() -> None:
    written(2)
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'Asia/Tokyo'; SET DateStyle = 'German'")
        try:
            assert verify_chain(TRAIL) == []
        finally:
            cursor.execute("SET TIME ZONE 'UTC'; RESET DateStyle")


def run_together(*works: Callable[[], None]) -> None:
    """Run each in a thread with a connection of its own; the first error is raised here."""
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.requirement("PT-023")
def test_concurrent_writers_keep_the_chain_sound() -> None:
    before = AuditEntry.objects.count()

    def write() -> None:
        for n in range(15):
            with transaction.atomic():
                record("test.concurrent", data={"n": n})
                log_access(Access.OPEN, "something")

    run_together(*[write] * 6)
    assert AuditEntry.objects.count() == before + 90
    assert verify_chain(TRAIL) == []
    assert verify_chain(ACCESS) == []
    links = ChainLink.objects.filter(chain=TRAIL)
    assert links.count() == AuditEntry.objects.count()


@pytest.mark.requirement("PT-023")
def test_one_who_audits_then_locks_and_one_who_locks_then_audits_do_not_block_each_other() -> None:
    """Were entries chained at once, the first would hold the chain and wait for the row, the second
    hold the row and wait for the chain: a deadlock. They are chained at commit."""
    unit = make_unit("hospital")
    both_hold = threading.Barrier(2, timeout=20)

    def lock_unit() -> None:
        Unit.objects.select_for_update(no_key=True).get(pk=unit.pk)

    def audit_then_lock() -> None:
        with transaction.atomic():
            record("test.first")
            both_hold.wait()
            lock_unit()

    def lock_then_audit() -> None:
        with transaction.atomic():
            lock_unit()
            both_hold.wait()
            record("test.second")

    run_together(audit_then_lock, lock_then_audit)
    assert AuditEntry.objects.filter(action__in=["test.first", "test.second"]).count() == 2
    assert verify_chain(TRAIL) == []


@pytest.mark.requirement("PT-023")
def test_writing_both_logs_in_opposite_orders_does_not_dead_lock() -> None:
    """With a lock for each chain, each of the two would hold one and wait for the other."""
    both_written = threading.Barrier(3, timeout=20)

    def trail_then_access() -> None:
        with transaction.atomic():
            record("test.first")
            log_access(Access.OPEN, "first")
            both_written.wait()

    def access_then_trail() -> None:
        with transaction.atomic():
            log_access(Access.OPEN, "second")
            record("test.second")
            both_written.wait()

    def let_both_queue() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for number in range(len(CHAINS) + 1):
                cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_CLASS, number])
            both_written.wait()
            waiting = 0
            while waiting < 2:
                cursor.execute(
                    "SELECT count(*) FROM pg_locks WHERE classid = %s AND NOT granted", [LOCK_CLASS]
                )
                waiting = cursor.fetchone()[0]

    run_together(trail_then_access, access_then_trail, let_both_queue)
    assert AuditEntry.objects.filter(action__in=["test.first", "test.second"]).count() == 2
    assert verify_chain(TRAIL) == verify_chain(ACCESS) == []


# --- tampering -------------------------------------------------------------------------------


def named(faults: list[Any]) -> dict[int | None, str]:
    return {fault.entry_id: fault.what for fault in faults}


@pytest.mark.requirement("PT-023")
@pytest.mark.parametrize(
    "column",
    ["action = 'other'", "actor_name = 'Nobody'", "at = at + interval '1 ms'", "data = '{}'",
     "reason = 'none'", "patient = 'x'", "actor_id = 1"],
)  # fmt: skip
def test_a_changed_entry_is_named(column: str) -> None:
    entries = written()
    tamper(f"UPDATE audit_auditentry SET {column} WHERE id = {entries[2].pk}")
    assert named(verify_chain(TRAIL)) == {
        entries[2].pk: "the entry was changed (or the link before it)"
    }


@pytest.mark.requirement("PT-023")
def test_a_removed_entry_is_named() -> None:
    entries = written()
    tamper(f"DELETE FROM audit_auditentry WHERE id = {entries[1].pk}")
    assert named(verify_chain(TRAIL)) == {entries[1].pk: "the entry was removed"}


@pytest.mark.requirement("PT-023")
def test_an_entry_removed_together_with_its_link_is_found_at_the_one_after_it() -> None:
    entries = written()
    tamper(
        f"DELETE FROM audit_auditentry WHERE id = {entries[1].pk}",
        f"DELETE FROM audit_chainlink WHERE chain = 'trail' AND entry_id = {entries[1].pk}",
    )
    assert named(verify_chain(TRAIL)) == {entries[2].pk: "links before it were removed"}


@pytest.mark.requirement("PT-023")
def test_an_entry_inserted_past_the_trigger_is_named() -> None:
    written()
    tamper(
        "INSERT INTO audit_auditentry (id, at, actor_name, service, action, object_type, object_id,"
        " object_repr, patient, reason, data, request_id, address)"
        " VALUES (999999, now(), 'Nobody', '', 'forged', '', '', '', '', '', '{}', '', '')"
    )
    assert named(verify_chain(TRAIL)) == {
        999999: "the entry is not in the chain: inserted with the trigger disabled"
    }


@pytest.mark.requirement("PT-023")
def test_the_access_log_is_chained_by_itself() -> None:
    entries = [log_access(Access.OPEN, f"thing {n}") for n in range(3)]
    tamper(f"UPDATE audit_accessentry SET patient = 'other' WHERE id = {entries[0].pk}")
    assert list(named(verify_chain(ACCESS))) == [entries[0].pk]
    assert verify_chain(TRAIL) == []


# --- the command and the nightly run ---------------------------------------------------------


@pytest.mark.requirement("PT-023")
def test_who_acts_in_another_role_is_told_and_chained() -> None:
    with acting(actor=make_user("Signe Holm"), acting_as="Shop user at Nordhavn"):
        entry = record("test.support")
        log_access(Access.OPEN, "an order")
    assert AuditEntry.objects.get(pk=entry.pk).acting_as == "Shop user at Nordhavn"
    assert AccessEntry.objects.latest("pk").acting_as == "Shop user at Nordhavn"
    assert verify_chain(TRAIL) == verify_chain(ACCESS) == []
    tamper(f"UPDATE audit_auditentry SET acting_as = '' WHERE id = {entry.pk}")
    assert list(named(verify_chain(TRAIL))) == [entry.pk]


@pytest.mark.requirement("PT-023")
def test_the_command_ends_with_0_for_sound_logs(capsys: pytest.CaptureFixture[str]) -> None:
    written(2)
    call_command("audit_verify", "--anchor")
    said = capsys.readouterr().out
    assert said.startswith("sound: trail ")
    assert "heads anchored" in said


@pytest.mark.requirement("PT-023")
def test_the_command_ends_with_1_and_names_the_row(capsys: pytest.CaptureFixture[str]) -> None:
    entries = written()
    tamper(f"UPDATE audit_auditentry SET action = 'other' WHERE id = {entries[3].pk}")
    with pytest.raises(SystemExit) as ended:
        call_command("audit_verify")
    assert ended.value.code == 1
    assert f"entry {entries[3].pk} " in capsys.readouterr().err


@pytest.mark.requirement("PT-023")
def test_the_nightly_run_keeps_its_outcome_and_anchors_sound_logs_only(anchors: Path) -> None:
    entries = written()
    tasks.verify_and_anchor()
    check_last_run()
    assert len(anchors.read_text().splitlines()) >= 1
    anchored = anchors.read_text()
    tamper(f"UPDATE audit_auditentry SET action = 'other' WHERE id = {entries[0].pk}")
    with pytest.raises(RuntimeError, match=f"entry {entries[0].pk} "):
        tasks.verify_and_anchor()
    assert anchors.read_text() == anchored
    assert str(entries[0].pk) in Verification.objects.filter(chain=TRAIL)[0].faults[0]
    with pytest.raises(RuntimeError, match="1 faults"):
        check_last_run()


def test_a_verification_that_is_two_days_old_is_a_fault() -> None:
    verify_all()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE audit_verification SET at = at - interval '3 days'")
        cursor.execute("SET session_replication_role = DEFAULT")
    with pytest.raises(RuntimeError, match="last verified"):
        check_last_run()


def test_before_the_first_verification_nothing_is_wrong() -> None:
    assert not Verification.objects.exists()
    check_last_run()
    assert verification.entry_count(TRAIL) == AuditEntry.objects.count()


def test_an_entry_outlives_the_role_it_is_about() -> None:
    made = Role.objects.create(code="access.tmp", name="Tmp", module="access", privileges=[])
    entry = record("access.role_defined", made)
    assert "role_defined Tmp" in str(AuditEntry.objects.get(pk=entry.pk))
