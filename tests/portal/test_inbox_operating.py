"""An operator replays, corrects or settles what is in quarantine."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from portal.audit.models import AuditEntry
from portal.inbox.models import InboundMessage
from portal.inbox.services import (
    correct_message,
    process_waiting,
    read_raw,
    replay_message,
    settle_message,
    store_message,
)
from portal.records.errors import Refused
from tests.support.factories import give, make_unit, make_user
from tests.support.inbox_dummy import FILES, KIND, install, message
from tests.support.inbox_dummy_handlers import check, times_taken

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@pytest.fixture
def operator() -> Any:
    person = make_user("Olga")
    give(person, "inbox.operator", make_unit("production"))
    return person


def quarantined(act: str = "refuse", channel: str = "hl7") -> InboundMessage:
    raw = message("1", act)
    pk, _new = store_message(
        channel=channel, kind=KIND, source="RIS", identity="1", raw=raw, keep=check(raw)
    )
    process_waiting(channel)
    found = InboundMessage.objects.get(pk=pk)
    assert found.state == "quarantined"
    return found


@pytest.mark.requirement("TS-021", "TS-061")
def test_a_replayed_message_is_processed_anew_as_it_was_received(
    operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = quarantined()
    monkeypatch.setattr("tests.support.inbox_dummy_handlers._act", lambda _raw: "ok")  # mended
    replay_message(actor=operator, message_id=held.pk, reason="room PET-4 is mapped now")
    assert process_waiting("hl7") == 1
    after = InboundMessage.objects.get(pk=held.pk)
    assert after.state == "done"
    assert (after.sha256, bytes(after.raw)) == (held.sha256, bytes(held.raw))
    assert times_taken(held.pk) == 1
    entry = AuditEntry.objects.get(action="inbox.message_replayed")
    assert (entry.actor_id, entry.reason) == (operator.pk, "room PET-4 is mapped now")
    assert entry.data == {"outcome_before": "ZTS-1: there is no such room"}


@pytest.mark.requirement("TS-021", "TS-022")
@pytest.mark.parametrize("channel", ["hl7", FILES])
def test_a_correction_is_a_new_message_beside_the_original(operator: Any, channel: str) -> None:
    held = quarantined(channel=channel)
    copy = correct_message(
        actor=operator, message_id=held.pk, raw=message("1", "ok"), reason="room mistyped"
    )
    assert process_waiting(channel) == 1
    original, copy = (InboundMessage.objects.get(pk=m.pk) for m in (held, copy))
    assert (original.state, copy.state) == ("settled", "done")
    assert (original.outcome, original.sha256, bytes(original.raw)) == (
        held.outcome,
        held.sha256,
        bytes(held.raw),
    )
    assert copy.corrects_id == held.pk
    assert b"PID" not in read_raw(copy), "the handler's check stripped it as any other"
    assert times_taken(copy.pk) == 1
    assert times_taken(held.pk) == 0
    acts = set(AuditEntry.objects.filter(reason="room mistyped").values_list("action", "object_id"))
    assert acts == {
        ("inbox.message_corrected", str(held.pk)),
        ("inbox.correction_received", str(copy.pk)),
    }


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (message("1", "unreadable"), "not_understood"),
        (b"no header at all", "not_understood"),
        (message("1", kind="ZZZ^Z99"), "no_handler"),
    ],
)
def test_a_correction_that_cannot_be_understood_changes_nothing(
    operator: Any, raw: bytes, code: str
) -> None:
    held = quarantined()
    with pytest.raises(Refused) as refused:
        correct_message(actor=operator, message_id=held.pk, raw=raw, reason="try")
    assert refused.value.code == code
    assert InboundMessage.objects.get().state == "quarantined"


def test_a_settled_message_is_never_processed(operator: Any) -> None:
    held = quarantined()
    settle_message(actor=operator, message_id=held.pk, reason="sent twice by mistake")
    assert process_waiting("hl7") == 0
    assert InboundMessage.objects.get().state == "settled"
    entry = AuditEntry.objects.get(action="inbox.message_settled")
    assert (entry.reason, entry.object_id) == ("sent twice by mistake", str(held.pk))


ACTS = [
    pytest.param(lambda **given: replay_message(**given), id="replay"),
    pytest.param(lambda **given: settle_message(**given), id="settle"),
    pytest.param(lambda **given: correct_message(raw=message("1"), **given), id="correct"),
]


@pytest.mark.parametrize("act", ACTS)
def test_only_who_may_replay_acts_on_a_message(act: Any) -> None:
    held = quarantined()
    with pytest.raises(PermissionDenied):
        act(actor=make_user("Otto"), message_id=held.pk, reason="because")
    assert InboundMessage.objects.get().state == "quarantined"


@pytest.mark.parametrize("act", ACTS)
def test_no_act_without_a_reason(act: Any, operator: Any) -> None:
    held = quarantined()
    with pytest.raises(Refused) as refused:
        act(actor=operator, message_id=held.pk, reason="  ")
    assert refused.value.code == "reason_needed"


@pytest.mark.parametrize("act", ACTS)
def test_what_is_not_in_quarantine_any_more_is_left_alone(act: Any, operator: Any) -> None:
    held = quarantined()
    settle_message(actor=operator, message_id=held.pk, reason="first")
    with pytest.raises(Refused) as refused:
        act(actor=operator, message_id=held.pk, reason="second")
    assert refused.value.code == "not_quarantined"


def test_a_message_whose_content_was_removed_cannot_be_replayed(operator: Any) -> None:
    held = quarantined()
    InboundMessage.objects.filter(pk=held.pk).update(raw=None)
    with pytest.raises(Refused) as refused:
        replay_message(actor=operator, message_id=held.pk, reason="try")
    assert refused.value.code == "content_gone"
