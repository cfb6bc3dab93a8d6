"""Verification in parts: resumed where it stood, nightly from the last sound link (PT-023)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from portal.audit import tasks, verification
from portal.audit.chain import ACCESS, TRAIL
from portal.audit.models import AuditEntry, ChainLink, Verification
from portal.audit.services import Access, log_access, record
from portal.audit.verification import verify_all, verify_chain, whole_is_due
from tests.support.tampering import cut_tail, tamper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("PT-023")]


@pytest.fixture(autouse=True)
def anchors(settings: Settings, tmp_path: Path, server_keys: Path) -> Path:
    settings.PORTAL_ANCHOR_FILE = str(tmp_path / "anchors.jsonl")
    return tmp_path / "anchors.jsonl"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "PART", 4)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Which parts were verified."""
    parts: list[tuple[str, int, int]] = []
    real = verification.part_faults

    def watched(chain: str, after: int, until: int) -> Any:
        parts.append((chain, after, until))
        return real(chain, after, until)

    monkeypatch.setattr(verification, "part_faults", watched)
    return parts


def written(count: int) -> list[AuditEntry]:
    return [record(f"test.act_{n}", data={"n": n}) for n in range(count)]


def seq_of(entry: AuditEntry) -> int:
    return ChainLink.objects.get(chain=TRAIL, entry_id=entry.pk).seq


def head() -> int:
    return ChainLink.objects.filter(chain=TRAIL).latest("seq").seq


def changed(entry: AuditEntry) -> str:
    return f"UPDATE audit_auditentry SET action = 'other' WHERE id = {entry.pk}"


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("number", range(10))
def test_a_changed_entry_is_named_wherever_the_parts_begin_and_end(number: int) -> None:
    entries = written(10)
    tamper(changed(entries[number]))
    (fault,) = verify_chain(TRAIL)
    assert (fault.entry_id, fault.seq) == (entries[number].pk, seq_of(entries[number]))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("number", range(9))
def test_a_removed_entry_and_link_are_found_wherever_the_parts_begin_and_end(number: int) -> None:
    entries = written(10)
    cut_tail(TRAIL, [entries[number].pk])
    (fault,) = verify_chain(TRAIL)
    assert (fault.entry_id, fault.what) == (
        entries[number + 1].pk, "links before it were removed",
    )  # fmt: skip


@pytest.mark.usefixtures("small_parts")
def test_every_kind_of_tampering_at_once_is_named() -> None:
    entries = written(12)
    tamper(
        changed(entries[1]),
        f"DELETE FROM audit_auditentry WHERE id = {entries[4].pk}",
        "INSERT INTO audit_auditentry (id, at, actor_name, service, action, object_type, object_id,"
        " object_repr, patient, reason, data, request_id, address)"
        " VALUES (999999, now(), '', '', 'forged', '', '', '', '', '', '{}', '', '')",
    )
    cut_tail(TRAIL, [entries[8].pk])
    told = {(fault.entry_id, fault.what.split()[0]) for fault in verify_chain(TRAIL)}
    assert told == {
        (entries[1].pk, "the"), (entries[4].pk, "the"), (entries[9].pk, "links"), (999999, "the"),
    }  # fmt: skip


def test_an_entry_exchanged_for_one_past_the_trigger_is_named() -> None:
    """There are as many entries as links, and still one is not in the chain."""
    entries = written(3)
    tamper(f"UPDATE audit_auditentry SET id = 999999 WHERE id = {entries[1].pk}")
    told = {fault.entry_id: fault.what for fault in verify_chain(TRAIL)}
    assert told[entries[1].pk] == "the entry was removed"
    assert told[999999].startswith("the entry is not in the chain")


@pytest.mark.usefixtures("small_parts")
def test_the_next_run_verifies_what_was_added(asked: list[tuple[str, int, int]]) -> None:
    written(6)
    assert verify_all() == []
    stood, entries = head(), written(3)
    asked.clear()
    assert verify_all(whole=False) == []
    assert [part for part in asked if part[0] == TRAIL] == [(TRAIL, stood, stood + 3)]
    newest = Verification.objects.filter(chain=TRAIL)[0]
    assert (newest.from_seq, newest.to_seq, newest.partial) == (stood + 1, stood + 3, False)
    tamper(changed(entries[1]))
    assert verify_all(whole=False) == []  # it was verified before: the weekly run finds it
    assert [fault.entry_id for fault in verify_all()] == [entries[1].pk]
    assert [fault.entry_id for fault in verify_all(whole=False)] == [entries[1].pk]  # and from now


def test_a_run_that_was_cut_short_goes_on_where_it_stood(
    small_parts: None, asked: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = written(15)
    tamper(changed(entries[0]))
    real = verification.part_faults

    def killed_in_the_third_part(chain: str, after: int, until: int) -> Any:
        if after >= 8:
            raise KeyboardInterrupt
        return real(chain, after, until)

    with monkeypatch.context() as patch:
        patch.setattr(verification, "part_faults", killed_in_the_third_part)
        with pytest.raises(KeyboardInterrupt):
            verify_all()
    partial = Verification.objects.filter(chain=TRAIL)[0]
    assert (partial.partial, partial.from_seq, partial.to_seq) == (True, 1, 8)
    verification.check_last_run()  # an unfinished run says nothing yet
    asked.clear()
    faults = verify_all(whole=False)
    assert min(after for chain, after, _until in asked if chain == TRAIL) == 8
    assert len(faults) == 1  # found before it was cut short
    finished = Verification.objects.filter(chain=TRAIL)[0]
    assert (finished.partial, finished.from_seq, finished.to_seq) == (False, 1, head())
    assert finished.faults == [str(faults[0])]
    assert f"entry {entries[0].pk} " in finished.faults[0]


def test_a_run_cut_short_long_ago_begins_anew(
    small_parts: None, asked: list[tuple[str, int, int]]
) -> None:
    written(10)
    last = Verification.objects.create(chain=TRAIL, to_seq=8, entries=0, partial=True)
    tamper(f"UPDATE audit_verification SET at = at - interval '3 days' WHERE id = {last.pk}")
    verify_all()
    assert (TRAIL, 0, 4) in asked


def test_a_tail_cut_after_a_verification_is_found_without_any_anchor() -> None:
    entries = written(6)
    verify_all()
    stood = head()
    cut_tail(TRAIL, [entry.pk for entry in entries[4:]])
    (fault,) = verify_chain(TRAIL)
    assert (fault.seq, fault.what.startswith("missing since verified on")) == (stood, True)
    (again,) = [fault for fault in verify_all(whole=False) if fault.chain == TRAIL]
    assert again.what == fault.what


def test_a_log_that_grew_again_after_its_tail_was_cut_is_found() -> None:
    entries = written(6)
    verify_all()
    cut_tail(TRAIL, [entry.pk for entry in entries[4:]])
    written(5)
    (fault,) = verify_chain(TRAIL)
    assert fault.what.startswith("rewritten since verified on")


def test_of_a_log_spoilt_throughout_only_so_many_faults_are_kept(
    small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "MOST_FAULTS", 5)
    written(20)
    tamper("UPDATE audit_auditentry SET action = 'other'")
    assert len(verify_chain(TRAIL)) == 5
    verify_all()
    assert len(Verification.objects.filter(chain=TRAIL)[0].faults) == 5


def test_a_longer_log_in_one_part_takes_no_more_queries() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert verify_chain(TRAIL) == []
        return len(captured)

    written(10)
    few = queries()
    for n in range(200):
        record("test.more", data={"n": n})
    assert queries() == few


def test_an_empty_log_is_sound() -> None:
    tamper("DELETE FROM audit_auditentry", "DELETE FROM audit_chainlink")
    assert verify_chain(TRAIL) == verify_chain(ACCESS) == []
    assert verify_all() == verify_all(whole=False) == []
    written(1)
    assert verify_all(whole=False) == []


def test_everything_is_verified_every_night_or_once_a_week(settings: Settings) -> None:
    written(3), log_access(Access.OPEN, "something")
    now = timezone.now()
    assert whole_is_due(now)
    verify_all()
    assert whole_is_due(now)  # every night, where nobody says otherwise
    settings.PORTAL_AUDIT_WHOLE_EVERY = timedelta(days=7)
    assert not whole_is_due(now)
    assert whole_is_due(now + settings.PORTAL_AUDIT_WHOLE_EVERY + timedelta(minutes=1))


def test_the_nightly_run_of_long_logs_takes_the_added_part_alone(
    asked: list[tuple[str, int, int]], settings: Settings
) -> None:
    settings.PORTAL_AUDIT_WHOLE_EVERY = timedelta(days=7)
    written(3)
    tasks.verify_and_anchor()
    assert (TRAIL, 0) in [(chain, after) for chain, after, _until in asked]
    asked.clear()
    written(1)
    tasks.verify_and_anchor()
    assert (TRAIL, 0) not in [(chain, after) for chain, after, _until in asked]


def test_the_command_can_take_what_was_added_alone(capsys: pytest.CaptureFixture[str]) -> None:
    written(2)
    call_command("audit_verify")
    written(1)
    call_command("audit_verify", "--since-last")
    assert Verification.objects.filter(chain=TRAIL)[0].from_seq > 1
    assert capsys.readouterr().out.count("sound: trail ") == 2


# --- settings --------------------------------------------------------------------------------


def errors() -> set[str]:
    return {str(error.id) for error in run_checks() if str(error.id).startswith("audit.")}


@pytest.mark.parametrize(
    ("years", "found"),
    [(0, set()), (5, set()), (30, set()), (4, {"audit.E001"}), (-1, {"audit.E001"})],
)
def test_the_access_log_is_kept_five_years_at_least(
    settings: Settings, years: int, found: set[str]
) -> None:
    settings.PORTAL_ACCESS_LOG_KEEP_YEARS = years
    assert errors() == found


def test_anchors_cannot_be_copied_on_to_themselves(settings: Settings, anchors: Path) -> None:
    settings.PORTAL_ANCHOR_COPY = str(anchors.parent / "." / anchors.name)
    assert errors() == {"audit.E002"}
    settings.PORTAL_ANCHOR_COPY = "syslog:/dev/log"
    assert errors() == set()


def test_a_negative_time_of_review_is_refused(settings: Settings) -> None:
    settings.PORTAL_TRAIL_REVIEW_DAYS = -1
    assert errors() == {"audit.E003"}
