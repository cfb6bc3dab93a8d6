"""One HL7 message: what is kept of it, and what its sender is told."""

from __future__ import annotations

import logging
import re
from typing import Any

import hl7
import pytest
from django.db import connection

from portal.inbox.hl7 import read_header
from portal.inbox.hl7_intake import bare_header, identity_of, take
from portal.inbox.mllp import Oversize
from portal.inbox.models import InboundMessage
from portal.inbox.services import process_waiting, read_raw
from portal.serverkeys import ServerKeyMissing
from tests.support.inbox_dummy import KIND, PATIENT, install, message

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def msa(ack: bytes) -> tuple[str, str, str]:
    """MSA-1, MSA-2 and MSA-3 as python-hl7 reads them."""
    found = hl7.parse(ack.decode("latin-1")).segment("MSA")
    return str(found[1]), str(found[2]), str(found[3]) if len(found) > 3 else ""


@pytest.mark.requirement("TS-020", "TS-021", "TS-022")
def test_a_message_is_kept_without_its_patient_and_accepted() -> None:
    answer = take(message("17"))
    assert msa(answer.ack)[:2] == ("AA", "17")
    assert answer.is_news
    kept = InboundMessage.objects.get()
    assert (kept.channel, kept.kind, kept.source) == ("hl7", KIND, "RIS|RH")
    assert kept.state == "received"
    assert read_raw(kept).startswith(b"MSH|^~\\&|RIS|RH|")
    assert PATIENT.encode() not in read_raw(kept)


@pytest.mark.requirement("TS-021")
def test_the_same_message_again_is_accepted_and_kept_once() -> None:
    take(message("17"))
    again = take(message("17"))
    assert msa(again.ack)[0] == "AA"
    assert not again.is_news
    assert InboundMessage.objects.count() == 1


@pytest.mark.requirement("TS-021")
def test_a_resend_with_a_new_time_of_sending_is_the_same_message() -> None:
    take(message("17", sent="20261121081500"))
    again = take(message("17", sent="20261121081700"))
    assert msa(again.ack)[0] == "AA"
    assert InboundMessage.objects.count() == 1


@pytest.mark.requirement("TS-021")
def test_a_control_id_used_for_something_else_is_refused_and_kept_for_an_operator() -> None:
    take(message("17"))
    for _time in range(2):
        answer = take(message("17", "fail"))
        code, control_id, text = msa(answer.ack)
        assert (code, control_id) == ("AE", "17")
    first, second = InboundMessage.objects.order_by("pk")
    assert text == f"not understood, kept in quarantine as {second.pk}"
    assert (first.state, second.state) == ("received", "quarantined")
    assert second.outcome == "The control id was used before, with other content."
    assert b"ZTS|fail" in read_raw(second)


def test_a_control_id_whose_first_content_is_gone_counts_as_used_for_something_else() -> None:
    take(message("17", sent="1"))
    InboundMessage.objects.update(raw=None)
    assert msa(take(message("17", sent="2")).ack)[0] == "AE"


def test_one_control_id_of_two_senders_are_two_messages() -> None:
    assert take(message("17", app="RIS")).is_news
    assert take(message("17", app="LAB")).is_news


@pytest.mark.requirement("TS-021", "TS-022")
def test_a_message_that_cannot_be_understood_is_refused_and_kept_as_its_bare_header() -> None:
    answer = take(message("17", "unreadable"))
    kept = InboundMessage.objects.get()
    assert msa(answer.ack) == ("AE", "17", f"not understood, kept in quarantine as {kept.pk}")
    assert (kept.state, kept.outcome) == ("quarantined", "ZTS-1: the value cannot be read")
    assert read_raw(kept) == b"MSH|^~\\&|RIS|RH|PORTAL|RH|||ZTS^Z01|17|P\r"
    assert process_waiting("hl7") == 0


def test_what_the_handler_leaves_of_a_message_it_refuses_is_kept_to_be_corrected() -> None:
    take(message("17", "correctable"))
    kept = InboundMessage.objects.get()
    assert kept.outcome == "ZTS-1: correct it"
    assert b"ZTS|correctable\r" in read_raw(kept)
    assert PATIENT.encode() not in read_raw(kept)


@pytest.mark.requirement("TS-021")
def test_a_refused_message_may_be_mended_by_its_sender_and_sent_under_the_same_control_id() -> None:
    take(message("17", "unreadable"))
    take(message("17", "unreadable"))
    assert InboundMessage.objects.filter(state="quarantined").count() == 1
    assert msa(take(message("17", "ok")).ack)[0] == "AA"
    assert InboundMessage.objects.filter(state="received").count() == 1


@pytest.mark.requirement("TS-021")
def test_a_type_that_no_module_takes_is_rejected_and_not_kept() -> None:
    code, control_id, text = msa(take(message("17", kind="ADT^A01")).ack)
    assert (code, control_id, text) == ("AR", "17", "this type of message is not taken")
    assert not InboundMessage.objects.exists()


@pytest.mark.requirement("TS-021")
@pytest.mark.parametrize("raw", [b"", b"rubbish", b"MSH|^~\\&|no|type|no|id\r", b"\xff\xfe\x00"])
def test_what_has_no_header_is_refused_and_not_kept(raw: bytes) -> None:
    answer = take(raw)
    assert msa(answer.ack) == ("AE", "", "the header cannot be read")
    assert not InboundMessage.objects.exists()


@pytest.mark.requirement("TS-021", "TS-022")
def test_of_an_enormous_message_a_note_is_kept() -> None:
    head = message("17")[:4096]
    answer = take(Oversize(5 * 1024**3, head))
    assert msa(answer.ack)[:2] == ("AE", "17")
    kept = InboundMessage.objects.get()
    assert (kept.state, kept.size_bytes) == ("quarantined", 2**31 - 1)
    assert "longer than is taken" in kept.outcome
    assert PATIENT.encode() not in read_raw(kept)
    assert msa(take(Oversize(10**7, message("1", kind="ADT^A01"))).ack)[0] == "AR"
    assert msa(take(Oversize(10**7, b"rubbish")).ack)[0] == "AE"


def test_a_fault_of_the_module_quarantines_the_message_instead_of_blocking_its_sender() -> None:
    answer = take(message("17", "bug"))
    assert msa(answer.ack)[0] == "AE"
    kept = InboundMessage.objects.get()
    assert re.fullmatch(r"Reading it failed: KeyError, error number [0-9a-f]{12}\.", kept.outcome)


@pytest.mark.requirement("TS-022")
def test_neither_log_nor_answer_ever_names_the_patient(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        take(message(f"1{number}", act, **changes)).ack
        for number, (act, changes) in enumerate(
            [
                ("ok", {}),
                ("unreadable", {}),
                ("bug", {}),
                ("correctable", {}),
                ("ok", {"kind": f"{PATIENT}^HANSEN"}),
            ]
        )
    ]
    answers.append(take(message("1").replace(b"\r", b" ")).ack)
    process_waiting("hl7")
    assert PATIENT not in caplog.text
    assert "HANSEN" not in caplog.text.upper()
    assert not any(PATIENT.encode() in answer for answer in answers[:4])


@pytest.mark.requirement("TS-022")
def test_a_bare_header_of_segments_run_together_holds_no_patient() -> None:
    raw = message("17").replace(b"\r", b" ")
    assert PATIENT.encode() not in bare_header(read_header(raw))


def test_what_makes_messages_the_same_is_readable_where_it_can_be_and_never_ambiguous() -> None:
    plain = read_header(message("17"))
    assert identity_of(plain) == "RIS|RH|17"
    long = read_header(message("x" * 199))
    assert re.fullmatch("[0-9a-f]{64}", identity_of(long))
    odd = b"MSH$^~\\&$a|b$c$$$$$ZTS^Z01$1\r", b"MSH$^~\\&$a$b|c$$$$$ZTS^Z01$1\r"
    assert len({identity_of(read_header(raw)) for raw in odd}) == 2


@pytest.mark.requirement("TS-021")
def test_without_the_server_key_nothing_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise ServerKeyMissing("no inbox.keys")

    monkeypatch.setattr("portal.inbox.services.storing.load_inbox", missing)
    assert msa(take(message("17")).ack) == ("AE", "17", "not stored, send it again")
    monkeypatch.undo()


@pytest.mark.requirement("TS-021")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_cut_since_the_last_message_costs_the_sender_nothing() -> None:
    take(message("1"))
    with connection.copy().cursor() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        other.connection.close()
    assert msa(take(message("2")).ack)[0] == "AA"
    assert InboundMessage.objects.count() == 2


@pytest.mark.requirement("TS-021")
@pytest.mark.django_db(transaction=True)
def test_without_the_database_nothing_is_accepted_and_the_next_message_finds_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take(message("1"))
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "NAME", "no-such-database")
        assert msa(take(message("2")).ack) == ("AE", "2", "not stored, send it again")
        assert msa(take(message("3", "unreadable")).ack)[2] == "not stored, send it again"
    assert msa(take(message("2")).ack)[0] == "AA"
    assert InboundMessage.objects.count() == 2
