"""The watched folder: every file taken in once, whatever happens; what is left open is told."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from tracershop.interfaces.dispensed import DispensedVial, ValueStatus
from tracershop.interfaces.dispenser_writer import write_csv, write_val
from tracershop.models import Customer, Vial
from tracershop.services import dispenser
from tracershop.services.dispenser import check_folder, read_folder
from tracershop.services.vials import settle_vial
from tracershop.tasks import read_dispenser_folder

from portal.audit.models import AuditEntry
from portal.inbox.models import InboundMessage
from portal.inbox.services import process_waiting, read_raw, replay_message
from portal.inbox.tasks import process_waiting as sweep
from portal.notifications.models import Notification
from tests.support.services import ROOT
from tests.tracershop.factories import MONDAY, ZONE, local, shop_world, stop_clock

NOON = local(MONDAY, 7)
VIAL = DispensedVial(
    lot="FDG-261123-1",
    customer_id=1,
    customer_name="Nordby Hospital",
    filled_at=datetime(2026, 11, 23, 6, 45, 5, tzinfo=ZONE),
    activity_mbq=13233.5,
    volume_ml=14.82,
    product="18F",
    expires_at=datetime(2026, 11, 23, 18, 45, tzinfo=ZONE),
    dispenser="UK465",
    part="1",
    position="2",
    value_status=ValueStatus.INSTRUMENT,
)


def vial(**changes) -> DispensedVial:
    return dataclasses.replace(VIAL, **changes)


class Folder:
    """The watched folder, and a clock that goes on by a second with every scan."""

    def __init__(self, path, monkeypatch):
        self.path, self.monkeypatch, self.now = path, monkeypatch, NOON
        stop_clock(monkeypatch, self.now)

    def put(self, name: str, content: bytes):
        file = self.path / name
        file.write_bytes(content)
        return file

    def wait(self, **delta) -> None:
        self.now += timedelta(**(delta or {"seconds": 1}))
        stop_clock(self.monkeypatch, self.now)

    def scan(self, times: int = 2) -> int:
        """How many new files that many scans, a second from each other, stored."""
        taken = 0
        for _ in range(times):
            taken += read_folder()
            self.wait()
        return taken

    def take_in(self) -> None:
        """Scan until stable, and process: what the periodic task does in two seconds."""
        self.scan()
        process_waiting("dispenser")

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir() if path.is_file())

    @property
    def archived(self) -> list[str]:
        archive = self.path / "archive"
        return sorted(path.name for path in archive.iterdir()) if archive.exists() else []


@pytest.fixture
def world(db):
    return shop_world()


@pytest.fixture
def folder(tmp_path, monkeypatch, db):
    watched = tmp_path / "dispenser"
    watched.mkdir()
    monkeypatch.setattr(dispenser, "watched_folder", lambda: watched)
    return Folder(watched, monkeypatch)


def message() -> InboundMessage:
    return InboundMessage.objects.get(channel="dispenser")


# --- both formats ----------------------------------------------------------------------------


@pytest.mark.requirement("TS-060", "TS-062")
def test_a_val_file_becomes_a_vial_of_its_tracer_and_customer(world, folder):
    folder.put("VAL_0042.TXT", write_val(VIAL))
    folder.take_in()
    kept = Vial.objects.get()
    assert (kept.lot, kept.tracer, kept.customer) == ("FDG-261123-1", world.fdg, world.customer_a)
    assert (kept.activity_mbq, kept.volume_ml) == (13233.5, 14.82)
    assert (kept.filled_at, kept.expires_at) == (VIAL.filled_at, VIAL.expires_at)
    assert (kept.customer_label, kept.position) == ("1-Nordby Hospital", "2")
    assert kept.warnings == []
    assert not kept.is_held
    assert kept.source == message()
    assert (message().state, message().outcome) == ("done", "1 vials")
    assert AuditEntry.objects.get(action="tracershop.vial_imported").object_id == str(kept.pk)


@pytest.mark.requirement("TS-060")
def test_a_table_becomes_many_vials_and_keeps_how_each_value_was_known(world, folder):
    vials = [vial(part="1"), vial(part="2", activity_mbq=500.25, value_status=ValueStatus.KEYBOARD)]
    folder.put("run.csv", write_csv(vials))
    folder.take_in()
    first, second = Vial.objects.order_by("-activity_mbq")
    assert (first.value_status, first.warnings) == ("instrument", [])
    assert (second.value_status, second.warnings) == ("keyboard", ["typed_by_hand"])
    assert message().outcome == "2 vials"


@pytest.mark.requirement("TS-060")
def test_decimal_commas_units_and_line_breaks_in_fields_are_understood(world, folder):
    text = write_csv([vial(activity_mbq=2.5, part="p")], delimiter=";").decode("utf-8-sig")
    text = text.replace("2.5", "2,5").replace("14.82", "14,82").replace("MBq", "gbq")
    folder.put("komma.CSV", text.replace(";p;", ';"p\nq";').encode())
    folder.take_in()
    kept = Vial.objects.get()
    assert (kept.activity_mbq, kept.volume_ml) == (2500.0, 14.82)
    assert kept.position == "p q"


@pytest.mark.requirement("TS-060", "TS-061")
@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8"])
def test_danish_letters_arrive_in_either_encoding(world, folder, encoding):
    named = vial(customer_id=2, customer_name="Søndersø Sygehus")
    folder.put("VAL1", write_val(named).decode("iso-8859-1").encode(encoding))
    folder.take_in()
    assert Vial.objects.get().customer == world.customer_b


@pytest.mark.requirement("TS-061")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("VAL1", write_val(VIAL).decode("iso-8859-1").encode("utf-16")),
        ("run.csv", b"\xef\xbb\xbf" + b"BatchReference\xff\xfe"),
        ("VAL1", write_val(VIAL)[:-60]),
        ("VAL1", b"\x00\x01\x02binary"),
        ("run.csv", b"a,b,c\r\n1,2,3\r\n"),
        ("run.xlsx", b"PK\x03\x04 but no workbook"),
        ("VAL1", write_val(vial(activity_mbq=0.0))),
    ],
)
def test_a_bad_file_goes_to_quarantine_with_the_reason_and_an_alert(world, folder, name, content):
    folder.put(name, content)
    folder.scan()
    sweep("dispenser")
    kept = message()
    assert kept.state == "quarantined"
    assert kept.outcome
    assert not Vial.objects.exists()
    assert read_raw(kept) == content
    told = Notification.objects.filter(url__startswith="/inbox/").values_list("user", flat=True)
    assert world.producer.pk in told
    assert world.secretary.pk not in told


@pytest.mark.requirement("TS-061")
def test_a_quarantined_file_is_replayed_when_what_stood_in_its_way_is_mended(
    world, folder, monkeypatch
):
    folder.put("VAL1", write_val(VIAL))

    def refuse(*_, **__):
        raise ValueError("the half of the alphabet is missing")

    with monkeypatch.context() as broken:
        broken.setattr(dispenser, "read_dispenser_file", refuse)
        folder.take_in()
    assert message().state == "quarantined"
    replay_message(actor=world.producer, message_id=message().pk, reason="Mended")
    process_waiting("dispenser")
    assert message().state == "done"
    assert Vial.objects.count() == 1


@pytest.mark.requirement("TS-061")
def test_a_bad_row_rejects_that_row_and_not_its_neighbours(world, folder):
    lines = write_csv(
        [vial(part="1"), vial(part="2", volume_ml=3.0), vial(part="3", volume_ml=4.0)]
    )
    rows = lines.decode("utf-8-sig").split("\r\n")
    rows[2] = rows[2].replace("13233.5", "a lot")
    rows.insert(3, write_csv([vial(activity_mbq=0.0)]).decode("utf-8-sig").split("\r\n")[1])
    folder.put("run.csv", "\r\n".join(rows).encode())
    folder.take_in()
    assert sorted(Vial.objects.values_list("volume_ml", flat=True)) == [4.0, 14.82]
    kept = message()
    assert kept.state == "done"
    assert kept.outcome.startswith("2 vials, 2 rejected: ")
    assert "row 3" in kept.outcome
    assert "above zero" in kept.outcome
    notice = Notification.objects.get(user=world.producer)
    assert "run.csv: 0 vials held, 2 rows rejected" in notice.text
    assert notice.url == f"/inbox/{kept.pk}/"


@pytest.mark.requirement("TS-061")
def test_a_table_with_nothing_but_bad_rows_is_a_bad_file(world, folder):
    folder.put("run.csv", write_csv([vial(activity_mbq=0.0), vial(volume_ml=0.0)]))
    folder.take_in()
    assert message().state == "quarantined"
    assert message().outcome.count("above zero") == 2


# --- once ------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-061")
def test_the_same_file_under_another_name_is_taken_in_once_and_both_are_archived(world, folder):
    folder.put("VAL1", write_val(VIAL))
    folder.take_in()
    folder.put("VAL1_copy", write_val(VIAL))
    folder.put("VAL1", write_val(VIAL))
    folder.take_in()
    assert Vial.objects.count() == 1
    assert InboundMessage.objects.count() == 1
    assert folder.names == []
    assert len(folder.archived) == 3
    for name in folder.archived:
        assert (folder.path / "archive" / name).read_bytes() == write_val(VIAL)


@pytest.mark.requirement("TS-061")
def test_a_vial_that_both_kinds_of_file_tell_of_is_one(world, folder):
    folder.put("VAL1", write_val(VIAL))
    folder.take_in()
    folder.put("run.csv", write_csv([vial(customer_id=None), vial(part="2", volume_ml=3.0)]))
    folder.take_in()
    assert Vial.objects.count() == 2
    last = InboundMessage.objects.order_by("-pk").first()
    assert last.outcome == "1 vials, 1 known already"


@pytest.mark.requirement("TS-061", "TS-062")
@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        ((99, "Klinik"), (None, "KLINIK"), 1),
        ((99, ""), (99, "Klinik"), 1),
        ((99, "Klinik"), (98, "Klinik"), 2),
        ((None, "Klinik"), (None, "Klinik Nord"), 2),
    ],
)
def test_a_vial_of_a_customer_that_nobody_knows_is_recognised_by_number_or_name(
    world, folder, first, second, count
):
    folder.put("VAL1", write_val(vial(customer_id=first[0], customer_name=first[1])))
    folder.take_in()
    folder.put("run.csv", write_csv([vial(customer_id=second[0], customer_name=second[1])]))
    folder.take_in()
    assert Vial.objects.count() == count


@pytest.mark.requirement("TS-061", "TS-062")
def test_a_vial_settled_by_a_person_is_still_known_when_the_other_file_comes(world, folder):
    folder.put("VAL1", write_val(vial(customer_id=99, customer_name="Klinik")))
    folder.take_in()
    settle_vial(
        actor=world.producer,
        vial_id=Vial.objects.get().pk,
        tracer_id=world.fdg.pk,
        customer_id=world.customer_a.pk,
        reason="Rang them",
    )
    folder.put("run.csv", write_csv([vial(customer_id=None, customer_name="Klinik")]))
    folder.put("run2.csv", write_csv([vial(customer_id=1, customer_name="Nordby Hospital")]))
    folder.take_in()
    assert Vial.objects.count() == 1


@pytest.mark.requirement("TS-061", "TS-062")
def test_a_vial_held_until_its_customer_got_a_number_is_not_doubled(world, folder):
    unknown = vial(customer_id=7, customer_name="Klinik")
    folder.put("VAL1", write_val(unknown))
    folder.take_in()
    Customer.objects.create(name="Klinik", unit=world.region, dispenser_id=7)
    folder.put("run.csv", write_csv([unknown]))
    folder.take_in()
    assert Vial.objects.count() == 1


# --- what is left open -----------------------------------------------------------------------


@pytest.mark.requirement("TS-062", "PT-045")
@pytest.mark.parametrize(
    "changes",
    [
        {"lot": "XYZ-261123-1"},
        {"lot": "not a lot"},
        {"customer_id": 99, "customer_name": "Klinik"},
        {"customer_id": None, "customer_name": "Klinik"},
        {"customer_id": 1, "customer_name": "Søndersø Sygehus"},  # number and name disagree
        {"customer_id": 99, "customer_name": "Nordby Hospital"},
    ],
)
def test_an_unknown_lot_or_customer_is_held_told_of_and_settled(world, folder, changes):
    folder.put("run.csv", write_csv([vial(**changes)]))
    folder.take_in()
    kept = Vial.objects.get()
    assert kept.is_held
    assert message().outcome == "1 vials, 1 held"
    assert "1 vials held" in Notification.objects.get(user=world.producer).text
    assert not Notification.objects.filter(user=world.secretary).exists()
    settle_vial(
        actor=world.producer,
        vial_id=kept.pk,
        tracer_id=world.fdg.pk,
        customer_id=world.customer_a.pk,
        reason="Rang them",
    )
    assert not Vial.objects.get().is_held


@pytest.mark.requirement("TS-062")
@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"lot": "FDG-261122-1"}, "lot_date_differs"),
        ({"expires_at": NOON - timedelta(minutes=5)}, "past_use_before"),
        ({"activity_mbq": 60_000.0}, "activity_implausible"),
        ({"volume_ml": 0.05}, "volume_implausible"),
        ({"filled_at": VIAL.filled_at + timedelta(hours=1)}, "filled_in_future"),
        ({"filled_at": VIAL.filled_at - timedelta(hours=1)}, "arrived_late"),
    ],
)
def test_a_remarkable_vial_is_kept_with_a_warning(world, folder, changes, warning):
    folder.put("VAL1", write_val(vial(**changes)))
    folder.take_in()
    assert Vial.objects.get().warnings == [warning]


# --- the folder ------------------------------------------------------------------------------


@pytest.mark.requirement("TS-061")
def test_a_file_still_being_written_is_left_until_its_size_is_stable(world, folder):
    whole = write_val(VIAL)
    for length in (10, 80, 200):
        folder.put("VAL1", whole[:length])
        assert folder.scan(times=1) == 0
    folder.put("VAL1", whole)
    assert folder.scan(times=1) == 0
    assert folder.names == ["VAL1"]
    assert folder.scan(times=1) == 1
    process_waiting("dispenser")
    assert Vial.objects.count() == 1


@pytest.mark.requirement("TS-061")
def test_scans_that_come_all_at_once_after_the_worker_was_away_do_not_pass_for_waiting(
    world, folder
):
    folder.put("VAL1", write_val(VIAL)[:200])
    assert [read_folder() for _ in range(5)] == [0] * 5
    folder.put("VAL1", write_val(VIAL))
    folder.take_in()
    assert Vial.objects.count() == 1


@pytest.mark.requirement("TS-061")
def test_an_empty_file_is_waited_for_longer_before_it_counts_as_bad(world, folder):
    folder.put("VAL1", b"")
    assert folder.scan(times=20) == 0
    folder.wait(minutes=1)
    assert folder.scan() == 1
    process_waiting("dispenser")
    assert message().state == "quarantined"


@pytest.mark.requirement("TS-061")
def test_the_original_bytes_stay_in_the_archive_and_in_the_inbox(world, folder):
    for name, content in (("VAL1", write_val(VIAL)), ("bad.csv", b"\xff\x00 not a table")):
        folder.put(name, content)
    folder.take_in()
    assert folder.names == []
    assert folder.archived == ["VAL1", "bad.csv"]
    for kept in InboundMessage.objects.all():
        assert read_raw(kept) == (folder.path / "archive" / kept.source).read_bytes()


@pytest.mark.requirement("TS-061")
def test_a_file_that_cannot_be_moved_away_stays_and_is_taken_in_once(world, folder, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.rename", refuse)
    file = folder.put("VAL1", write_val(VIAL))
    assert folder.scan(times=6) == 1
    process_waiting("dispenser")
    assert folder.names == ["VAL1"]
    file.write_bytes(write_val(vial(part="2", volume_ml=3.0)))
    assert folder.scan(times=6) == 1
    process_waiting("dispenser")
    assert Vial.objects.count() == 2


@pytest.mark.requirement("TS-061")
def test_other_files_folders_and_an_unreadable_one_are_left_alone(world, folder):
    folder.put("notes.txt", b"hello")
    folder.put("report.pdf", b"%PDF")
    (folder.path / "VALfolder").mkdir()
    (folder.path / "VALgone").symlink_to(folder.path / "nowhere")
    folder.put("VAL1", write_val(VIAL))
    folder.take_in()
    assert folder.names == ["notes.txt", "report.pdf"]
    assert Vial.objects.count() == 1


@pytest.mark.requirement("TS-061")
def test_a_file_that_is_far_too_large_is_quarantined_unread_and_archived(
    world, folder, monkeypatch
):
    monkeypatch.setattr(dispenser, "LARGEST_FILE_BYTES", 1000)
    content = write_csv([vial(part=str(number), volume_ml=1.0 + number) for number in range(20)])
    folder.put("huge.csv", content)
    folder.take_in()
    kept = message()
    assert (kept.state, kept.size_bytes) == ("quarantined", len(content))
    assert "larger" in kept.outcome
    assert (folder.path / "archive" / "huge.csv").read_bytes() == content
    replay_message(actor=world.producer, message_id=kept.pk, reason="Try")
    process_waiting("dispenser")
    assert message().state == "quarantined"
    assert not Vial.objects.exists()


@pytest.mark.requirement("TS-061", "OP-004")
def test_a_folder_that_is_away_is_waited_for_and_told_by_the_health_check(world, folder):
    away = folder.path.with_name("away")
    folder.path.rename(away)
    assert folder.scan(times=3) == 0
    read_dispenser_folder()
    with pytest.raises(RuntimeError, match="is not there"):
        check_folder()
    away.rename(folder.path)
    check_folder()
    folder.put("VAL1", write_val(VIAL))
    folder.take_in()
    assert Vial.objects.count() == 1


@pytest.mark.requirement("TS-060")
def test_the_periodic_task_takes_in_and_processes_in_one_go(world, folder):
    folder.put("VAL1", write_val(VIAL))
    read_dispenser_folder()
    folder.wait()
    read_dispenser_folder()
    assert Vial.objects.count() == 1


# --- faults ----------------------------------------------------------------------------------


@pytest.mark.requirement("TS-061")
def test_stored_and_not_yet_put_away_when_the_worker_died_it_is_processed_once(
    world, folder, monkeypatch
):
    folder.put("VAL1", write_val(VIAL))

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(dispenser, "_put_away", die)
        with pytest.raises(Killed):
            folder.scan()
    assert folder.names == ["VAL1"]
    folder.take_in()
    folder.take_in()
    assert folder.names == []
    assert Vial.objects.count() == 1
    assert InboundMessage.objects.count() == 1


_DIE_AMID_PROCESSING = """
import os, signal
import django
django.setup()
from tracershop.services import dispenser
from portal.inbox.services import process_waiting
kept = []
def announce(vial, what):
    kept.append(vial)
    if len(kept) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
dispenser.announce_vial = announce
process_waiting("dispenser")
"""


@pytest.mark.processes
@pytest.mark.requirement("TS-061", "TS-021")
def test_a_worker_killed_amid_a_file_leaves_nothing_half_done_and_the_next_does_it_once(
    transactional_db, folder
):
    shop_world()
    folder.put("run.csv", write_csv([vial(part=str(n), volume_ml=1.0 + n) for n in range(3)]))
    folder.scan()
    killed = subprocess.run(
        [sys.executable, "-c", _DIE_AMID_PROCESSING],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "portal.config.settings.test"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -9, killed.stderr
    assert not Vial.objects.exists()
    assert message().state == "received"
    for _ in range(2):
        process_waiting("dispenser")
    assert Vial.objects.count() == 3
    assert AuditEntry.objects.filter(action="tracershop.vial_imported").count() == 3
    assert (message().state, message().outcome) == ("done", "3 vials")


@pytest.mark.requirement("TS-060")
def test_a_link_to_another_file_is_not_followed(world, folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a key of the server")
    (folder.path / "VAL_0001.TXT").symlink_to(secret)
    folder.take_in()
    assert not InboundMessage.objects.exists()
    assert secret.read_text() == "a key of the server"
