"""Anchors: signed heads outside the database that find a rewritten or shortened log (PT-023)."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from portal.audit.anchors import ANCHORED, file_faults, write_anchors
from portal.audit.chain import TRAIL
from portal.audit.models import AuditEntry, ChainLink
from portal.audit.services import Access, log_access, record
from portal.audit.verification import verify_chain
from tests.support.tampering import cut_tail, rewrite_links_from, tamper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("PT-023")]


@pytest.fixture(autouse=True)
def anchors(settings: Settings, tmp_path: Path, server_keys: Path) -> Path:
    settings.PORTAL_ANCHOR_FILE = str(tmp_path / "anchors.jsonl")
    return tmp_path / "anchors.jsonl"


def written(count: int = 5) -> list[AuditEntry]:
    return [record(f"test.act_{n}", data={"n": n}) for n in range(count)]


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def put(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


def test_each_line_names_the_line_before_it_and_the_trail_names_each_line(anchors: Path) -> None:
    written(2), log_access(Access.OPEN, "something")
    assert write_anchors() == 2
    assert write_anchors() == 2
    told = [json.loads(line) for line in lines_of(anchors)]
    assert [line["line"] for line in told] == [1, 2, 3, 4]
    assert told[0]["previous"] == ""
    assert len({line["previous"] for line in told}) == 4
    named = AuditEntry.objects.filter(action=ANCHORED).order_by("pk")
    assert [entry.data["line"] for entry in named][-2:] == [2, 4]
    assert anchors.stat().st_mode & 0o777 == 0o600
    assert verify_chain(TRAIL) == []


def test_links_rewritten_to_fit_a_changed_entry_are_found_by_the_anchor() -> None:
    entries = written()
    write_anchors()
    written(2)
    tamper(f"UPDATE audit_auditentry SET action = 'other' WHERE id = {entries[0].pk}")
    rewrite_links_from(TRAIL, ChainLink.objects.get(chain=TRAIL, entry_id=entries[0].pk).seq)
    (fault,) = verify_chain(TRAIL)
    assert fault.what.startswith("rewritten since anchored on")
    assert fault.seq == ChainLink.objects.get(chain=TRAIL, entry_id=entries[-1].pk).seq


def test_a_tail_that_was_cut_off_is_found_by_the_anchor() -> None:
    entries = written()
    write_anchors()
    told = AuditEntry.objects.get(action=ANCHORED)
    cut_tail(TRAIL, [*(entry.pk for entry in entries[3:]), told.pk])
    (fault,) = verify_chain(TRAIL)
    assert "now missing" in fault.what


def test_a_log_and_an_anchor_file_that_were_both_emptied_are_found_by_the_copy(
    anchors: Path, settings: Settings, tmp_path: Path
) -> None:
    settings.PORTAL_ANCHOR_COPY = str(tmp_path / "elsewhere" / "copy.jsonl")
    written()
    write_anchors()
    anchors.write_text("")
    tamper("DELETE FROM audit_auditentry", "DELETE FROM audit_chainlink WHERE chain = 'trail'")
    (fault,) = verify_chain(TRAIL)
    assert fault.what == "the anchor file has 0 lines, its copy 1"


@pytest.mark.parametrize("forged", ["no JSON", "[]", '{"chain": "trail", "seq": 1, "hash": "00"}'])
def test_a_forged_line_is_found(anchors: Path, forged: str) -> None:
    written(2)
    write_anchors()
    put(anchors, [*lines_of(anchors), forged])
    number = len(lines_of(anchors))
    assert [fault.what for fault in verify_chain(TRAIL)] == [f"anchor line {number} is not genuine"]
    write_anchors()  # what follows is chained on to it, and the fault stays
    assert file_faults() == [f"anchor line {number} is not genuine"]


def test_an_edited_line_is_not_genuine(anchors: Path) -> None:
    written(3)
    write_anchors()
    anchors.write_text(anchors.read_text().replace('"chain": "trail"', '"chain": "access"'))
    assert "anchor line 1 is not genuine" in file_faults()


def test_a_line_that_was_left_out_is_found(anchors: Path) -> None:
    for _night in range(3):
        record("test.act")
        write_anchors()
    kept = lines_of(anchors)
    put(anchors, [kept[0], *kept[2:]])
    assert "anchor line 2 does not follow the line before it" in file_faults()


def test_lines_that_were_exchanged_are_found(anchors: Path) -> None:
    for _night in range(3):
        record("test.act")
        write_anchors()
    one, two, three = lines_of(anchors)
    put(anchors, [two, one, three])
    assert "anchor line 1 does not follow the line before it" in file_faults()


def test_a_file_that_was_cut_short_or_rotated_away_is_found(anchors: Path) -> None:
    for _night in range(2):
        record("test.act")
        write_anchors()
    kept = lines_of(anchors)
    put(anchors, kept[:1])
    assert file_faults() == ["the anchor file has 1 lines, but line 2 was written"]
    anchors.unlink()
    assert file_faults() == ["the anchor file has 0 lines, but line 1 was written"]
    record("test.act")
    write_anchors()  # a new file does not hide that the old one is gone
    assert file_faults() == ["anchor line 1 is not the one that was written"]


def test_the_lines_of_the_first_releases_which_were_not_chained_still_count(anchors: Path) -> None:
    import base64

    from portal import serverkeys

    written(1)
    link = ChainLink.objects.filter(chain=TRAIL).latest("seq")
    old = {"chain": TRAIL, "seq": link.seq, "hash": bytes(link.hash).hex(), "at": "2026-11-20"}
    text = json.dumps(old, sort_keys=True, separators=(",", ":")).encode()
    signature = base64.b64encode(serverkeys.load_anchor_key().sign(text)).decode()
    put(anchors, [json.dumps({**old, "signature": signature}, sort_keys=True)])
    write_anchors()
    assert verify_chain(TRAIL) == []
    put(anchors, [*lines_of(anchors), lines_of(anchors)[0]])  # but not after a chained one
    assert "does not follow the line before it" in file_faults()[0]


def test_the_file_is_opened_to_append_and_closed_to_others(
    anchors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, int]] = []
    real = os.open

    def watched(path: str, flags: int, *rest: int) -> int:
        opened.append((str(path), flags))
        return real(path, flags, *rest)

    record("test.act")
    monkeypatch.setattr("portal.audit.anchors.os.open", watched)
    write_anchors()
    ((_path, flags),) = [each for each in opened if each[0] == str(anchors)]
    assert flags & os.O_APPEND
    assert not flags & (os.O_TRUNC | os.O_RDWR)


def test_two_who_anchor_at_once_write_one_after_the_other(anchors: Path) -> None:
    record("test.act")
    start = threading.Barrier(4)

    def anchor() -> None:
        start.wait()
        try:
            write_anchors()
        finally:
            connection.close()

    threads = [threading.Thread(target=anchor) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [json.loads(line)["line"] for line in lines_of(anchors)] == [1, 2, 3, 4]
    assert verify_chain(TRAIL) == []


# --- the second place ------------------------------------------------------------------------


def test_a_copy_that_was_missing_for_a_while_gets_the_lines_that_it_lacks(
    anchors: Path, settings: Settings, tmp_path: Path
) -> None:
    record("test.act")
    write_anchors()
    copy = tmp_path / "copy.jsonl"
    settings.PORTAL_ANCHOR_COPY = str(copy)
    assert file_faults() == ["the anchor file has 1 lines, its copy 0"]
    record("test.act")
    write_anchors()
    assert copy.read_text() == anchors.read_text()
    assert file_faults() == []


def test_a_copy_that_says_otherwise_is_found(
    anchors: Path, settings: Settings, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.jsonl"
    settings.PORTAL_ANCHOR_COPY = str(copy)
    record("test.act")
    write_anchors()
    copy.write_text(copy.read_text().replace("trail", "trial"))
    assert file_faults() == ["anchor line 1 and its copy are not the same"]


def test_a_copy_that_cannot_be_written_fails_loudly_and_the_anchor_stands(
    anchors: Path, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    settings.PORTAL_ANCHOR_COPY = str(tmp_path / "folder")
    record("test.act")
    with pytest.raises(OSError, match="directory"):
        write_anchors()
    assert len(lines_of(anchors)) == 1
    settings.PORTAL_ANCHOR_COPY = ""
    assert verify_chain(TRAIL) == []


def test_a_syslog_gets_the_lines(anchors: Path, settings: Settings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(10)
        settings.PORTAL_ANCHOR_COPY = f"syslog:127.0.0.1:{syslog.getsockname()[1]}"
        record("test.act")
        write_anchors()
        assert lines_of(anchors)[0] in syslog.recv(4096).decode()
    assert file_faults() == []
