"""What is received is kept: once, encrypted, for as long as it may be."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.db import Error, connection, connections, transaction
from django.utils import timezone

from portal.audit.models import AuditEntry
from portal.inbox.errors import ContentGone, IdentityReused
from portal.inbox.models import InboundMessage
from portal.inbox.services import purge_content, read_raw, store_message, storing

pytestmark = pytest.mark.django_db


def store(**values: Any) -> tuple[int, bool]:
    usual: dict[str, Any] = {
        "channel": "hl7",
        "kind": "ORM^O01",
        "source": "RIS|RH",
        "identity": "RIS|RH|1",
        "raw": b"MSH and PID|010190-1234",
        "keep": b"MSH alone",
    }
    return store_message(**{**usual, **values})


@pytest.mark.requirement("TS-021")
def test_what_is_kept_is_what_the_check_left_and_what_is_noted_is_what_came() -> None:
    pk, new = store()
    message = InboundMessage.objects.get(pk=pk)
    assert new
    assert read_raw(message) == b"MSH alone"
    assert message.sha256 == hashlib.sha256(b"MSH and PID|010190-1234").hexdigest()
    assert message.size_bytes == len(b"MSH and PID|010190-1234")
    assert (message.state, message.attempts, message.outcome) == ("received", 0, "")


@pytest.mark.requirement("TS-022")
def test_the_database_holds_no_readable_content() -> None:
    pk, _new = store(keep=b"MSH alone, but who reads this knows the ward")
    with connection.cursor() as cursor:
        cursor.execute("SELECT m::text, raw FROM inbox_inboundmessage m WHERE id = %s", [pk])
        text, raw = cursor.fetchone()
    assert b"ward" not in bytes(raw)
    assert b"ward".hex() not in text
    assert "010190" not in text


@pytest.mark.requirement("TS-021", "TS-061")
def test_the_same_thing_again_changes_nothing() -> None:
    first, _new = store()
    again, new = store()
    assert (again, new) == (first, False)
    assert InboundMessage.objects.count() == 1


def test_one_identity_with_two_contents_is_refused_and_names_the_first() -> None:
    first, _new = store()
    with pytest.raises(IdentityReused) as refused:
        store(raw=b"something else")
    assert refused.value.message_id == first
    assert InboundMessage.objects.count() == 1


def test_one_identity_may_stand_in_two_channels() -> None:
    store()
    assert store(channel="dispenser")[1]


def test_what_cannot_be_understood_goes_to_quarantine_at_once() -> None:
    pk, _new = store(refused="OBR-4: missing")
    message = InboundMessage.objects.get(pk=pk)
    assert (message.state, message.outcome) == ("quarantined", "OBR-4: missing")
    assert message.processed_at is not None


def test_a_file_name_that_is_no_text_and_a_size_beyond_the_column_are_kept_anyhow() -> None:
    pk, _new = store(source="VAL\udcf8 " + "x" * 300, size_bytes=2**40)
    message = InboundMessage.objects.get(pk=pk)
    assert message.source.startswith("VAL? x")
    assert len(message.source) == 200
    assert message.size_bytes == 2**31 - 1


def test_an_identity_is_never_cut() -> None:
    with pytest.raises(ValueError, match="at most 200"):
        store(identity="x" * 201)


@pytest.mark.requirement("TS-061")
def test_a_received_message_cannot_be_deleted() -> None:
    pk, _new = store()
    with pytest.raises(Error), transaction.atomic():
        InboundMessage.objects.filter(pk=pk).delete()
    assert InboundMessage.objects.filter(pk=pk).exists()


def test_content_whose_key_is_gone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pk, _new = store()
    other = MultiFernet([Fernet(Fernet.generate_key())])
    monkeypatch.setattr(storing, "load_inbox", lambda: other)
    with pytest.raises(ContentGone, match="restore the former key"):
        read_raw(InboundMessage.objects.get(pk=pk))


@pytest.mark.requirement("TS-022")
def test_content_about_people_is_removed_after_its_days_and_that_is_audited(settings: Any) -> None:
    settings.PORTAL_INBOX_KEEP_DAYS = 7
    now = timezone.now()
    old = now - timedelta(days=7, minutes=1)
    kept: dict[str, int] = {}
    for name, changes in {
        "done": {"state": "done"},
        "quarantined": {"state": "quarantined"},
        "young": {"state": "done", "received_at": now - timedelta(days=6)},
        "waiting": {"state": "received"},
        "file": {"state": "done", "channel": "dispenser"},
    }.items():
        kept[name], _new = store(identity=name)
        InboundMessage.objects.filter(pk=kept[name]).update(**{"received_at": old, **changes})
    assert purge_content(now) == 2
    assert purge_content(now) == 0
    gone = set(InboundMessage.objects.filter(raw=None).values_list("pk", flat=True))
    assert gone == {kept["done"], kept["quarantined"]}
    with pytest.raises(ContentGone, match="after its time"):
        read_raw(InboundMessage.objects.get(pk=kept["done"]))
    entry = AuditEntry.objects.get(action="inbox.content_purged")
    assert entry.data["messages"] == 2


@pytest.mark.requirement("TS-021")
@pytest.mark.django_db(transaction=True)
def test_of_many_who_bring_the_same_thing_at_once_one_is_new() -> None:
    together = threading.Barrier(6)

    def bring(_number: int) -> tuple[int, bool]:
        together.wait()
        try:
            return store()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(bring, range(6)))
    assert sum(new for _pk, new in results) == 1
    assert len({pk for pk, _new in results}) == 1
    assert InboundMessage.objects.count() == 1
