"""The operator's pages: what was received, why it failed, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.access.models import Role, RoleGrant
from portal.audit.models import AccessEntry
from portal.inbox.models import InboundMessage
from portal.inbox.selectors import may_listen, tasks_for
from portal.inbox.services import process_waiting, store_message
from portal.live.topics import may_listen as may_listen_to
from tests.support.factories import give, make_unit, make_user
from tests.support.inbox_dummy import FILES, KIND, install, message
from tests.support.inbox_dummy_handlers import check

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("TS-021", "TS-061")]


@pytest.fixture(autouse=True)
def _dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@pytest.fixture
def operator() -> Any:
    person = make_user("Olga")
    give(person, "inbox.operator", make_unit("production"))
    return person


@pytest.fixture
def page(operator: Any) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def received(count: int = 1, act: str = "ok", **values: Any) -> list[int]:
    numbers = []
    for _each in range(count):
        identity = str(InboundMessage.objects.count() + 1)
        raw = message(identity, act)
        pk, _new = store_message(
            **{
                "channel": "hl7",
                "kind": KIND,
                "source": "RIS|RH",
                "identity": identity,
                "raw": raw,
                "keep": check(raw),
                **values,
            }
        )
        numbers.append(pk)
    return numbers


def quarantined(**values: Any) -> int:
    [pk] = received(act="refuse", **values)
    process_waiting("hl7")
    return pk


def html(response: Any, status: int = 200) -> str:
    assert response.status_code == status
    return response.content.decode()


def test_the_list_has_what_is_in_quarantine_on_top_and_the_newest_first(page: Client) -> None:
    first, bad, last = *received(), quarantined(), *received()
    text = html(page.get("/inbox/"))
    places = [text.index(f'id="message-{pk}"') for pk in (bad, last, first)]
    assert places == sorted(places)
    assert "ZTS-1: there is no such room" in text
    assert 'data-live-topic="inbox"' in text


def test_an_empty_inbox_says_what_will_show_there(page: Client) -> None:
    assert "as soon as the first one arrives" in html(page.get("/inbox/"))
    received()
    assert "Nothing received is like this" in html(page.get("/inbox/?state=quarantined"))


def test_the_list_can_be_narrowed_to_a_channel_and_a_state(page: Client) -> None:
    hl7_pk, file_pk, bad = *received(), *received(channel=FILES), quarantined()
    by_channel = html(page.get(f"/inbox/?channel={FILES}"))
    assert f'id="message-{file_pk}"' in by_channel
    assert f'id="message-{hl7_pk}"' not in by_channel
    by_state = html(page.get("/inbox/?state=quarantined"))
    assert f'id="message-{bad}"' in by_state
    assert f'id="message-{hl7_pk}"' not in by_state
    wrong = html(page.get("/inbox/?state=nonsense&channel=nonsense&page=nonsense"))
    assert f'id="message-{hl7_pk}"' in wrong


def test_a_live_refresh_brings_the_list_alone(page: Client) -> None:
    [pk] = received()
    text = html(page.get("/inbox/", headers={"HX-Request": "true"}))
    assert f'id="message-{pk}"' in text
    assert "<html" not in text
    text = html(page.get(f"/inbox/{pk}/", headers={"HX-Request": "true"}))
    assert f"Message {pk}" in text
    assert "<html" not in text


@pytest.mark.parametrize("address", ["/inbox/", "/inbox/?state=done", "/inbox/{pk}/"])
def test_a_page_takes_as_many_queries_for_a_thousand_messages_as_for_ten(
    page: Client, address: str
) -> None:
    [pk] = received()
    received(9)
    quarantined()
    address = address.format(pk=pk)
    page.get(address)  # what is read once in a process' life
    with CaptureQueriesContext(connection) as few:
        page.get(address)
    InboundMessage.objects.bulk_create(
        InboundMessage(
            channel="hl7",
            kind=KIND,
            source="RIS",
            identity=f"bulk {number}",
            size_bytes=1,
            state="quarantined" if number % 3 else "done",
        )
        for number in range(1000)
    )
    with CaptureQueriesContext(connection) as many:
        page.get(address)
    assert len(few) == len(many)


def test_a_message_page_tells_why_it_failed_and_offers_what_can_be_done(page: Client) -> None:
    pk = quarantined()
    text = html(page.get(f"/inbox/{pk}/"))
    assert "ZTS-1: there is no such room" in text
    for act in ("replay", "correct", "settle"):
        assert f"/inbox/{pk}/{act}/" in text
    assert "ZTS|refuse" not in text, "the content itself is one click further"
    [fine] = received()
    assert f"/inbox/{fine}/replay/" not in html(page.get(f"/inbox/{fine}/"))


@pytest.mark.requirement("TS-022")
def test_opening_the_content_is_logged_and_shows_it_escaped(page: Client, operator: Any) -> None:
    [pk] = received(keep=b"MSH|^~\\&|<script>alert(1)</script>\rZTS|ok\r")
    page.get(f"/inbox/{pk}/")
    assert not AccessEntry.objects.filter(object_id=str(pk)).exists()
    text = html(page.get(f"/inbox/{pk}/content/"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\nZTS|ok" in text
    assert "<script>alert" not in text
    entry = AccessEntry.objects.get(object_id=str(pk), action="open")
    assert (entry.actor_id, entry.object_type) == (operator.pk, "inbox.inboundmessage")


def test_content_that_is_gone_or_no_text_says_so(page: Client) -> None:
    [gone, workbook] = *received(), *received(keep=b"PK\0\0")
    InboundMessage.objects.filter(pk=gone).update(raw=None)
    assert "removed after its time" in html(page.get(f"/inbox/{gone}/content/"))
    assert "removed after its time" in html(page.get(f"/inbox/{gone}/"))
    assert "This content is no text" in html(page.get(f"/inbox/{workbook}/content/"))
    fragment = html(page.get(f"/inbox/{workbook}/content/", headers={"HX-Request": "true"}))
    assert "<html" not in fragment


def test_replaying_and_settling_need_a_reason_and_lead_on(page: Client) -> None:
    pk = quarantined()
    refused = html(page.post(f"/inbox/{pk}/replay/", {"reason": " "}), 422)
    assert 'id="replay-message"' in refused
    assert "data-open-now" in refused
    assert InboundMessage.objects.get().state == "quarantined"
    done = page.post(f"/inbox/{pk}/replay/", {"reason": "mapped now"})
    assert (done.status_code, done.url) == (302, f"/inbox/{pk}/")
    assert InboundMessage.objects.get().state == "received"
    process_waiting("hl7")
    assert page.post(f"/inbox/{pk}/settle/", {}).status_code == 422
    assert page.post(f"/inbox/{pk}/settle/", {"reason": "no longer needed"}).url == "/inbox/"
    assert InboundMessage.objects.get().state == "settled"
    story = html(page.get(f"/inbox/{pk}/"))
    assert "mapped now" in story
    assert "no longer needed" in story


def test_a_message_is_corrected_in_its_own_encoding_and_line_ends(page: Client) -> None:
    pk = quarantined()
    form = html(page.get(f"/inbox/{pk}/correct/"))
    assert "ZTS|refuse" in form
    assert AccessEntry.objects.filter(object_id=str(pk), action="open").count() == 1
    header = "MSH|^~\\&|RIS|RH|PORTAL|RH|20261121||ZTS^Z01|1|P|2.3.1"
    sent = {"content": f"{header}\r\nZTS|ok|Bløf\r\n", "reason": "mistyped"}
    done = page.post(f"/inbox/{pk}/correct/", sent)
    copy = InboundMessage.objects.get(corrects=pk)
    assert done.url == f"/inbox/{copy.pk}/"
    assert copy.size_bytes == len(f"{header}\rZTS|ok|Bløf\r".encode("latin-1"))
    assert f"/inbox/{copy.pk}/" in html(page.get(f"/inbox/{pk}/"))
    assert f"/inbox/{pk}/" in html(page.get(f"/inbox/{copy.pk}/"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (message("1", "unreadable").decode("latin-1"), "cannot be understood either: ZTS-1"),
        ("MSH|^~\\&|A|B|C|D|1||ADT^A01|1|P|2.3", "No installed module takes this kind"),
        (message("1").decode("latin-1") + "→", "cannot be written in iso8859-1"),
    ],
)
def test_a_correction_that_will_not_do_comes_back_with_the_reason_and_the_text(
    page: Client, content: str, words: str
) -> None:
    pk = quarantined()
    text = html(page.post(f"/inbox/{pk}/correct/", {"content": content, "reason": "try"}), 422)
    assert words in text
    assert "try</textarea>" in text.replace("\n", "")
    assert InboundMessage.objects.count() == 1


def test_what_cannot_be_corrected_is_refused_in_words(page: Client) -> None:
    [fine] = received()
    workbook = quarantined(keep=b"PK\0\0ZTS|refuse")
    gone = quarantined()
    InboundMessage.objects.filter(pk=workbook).update(state="quarantined")
    InboundMessage.objects.filter(pk=gone).update(raw=None)
    for pk, words in (
        (fine, "not in quarantine"),
        (workbook, "is no text"),
        (gone, "removed after its time"),
    ):
        assert words in html(page.get(f"/inbox/{pk}/correct/"), 422)


@pytest.mark.requirement("PT-016")
@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", "/inbox/"),
        ("get", "/inbox/{pk}/"),
        ("get", "/inbox/{pk}/content/"),
        ("get", "/inbox/{pk}/correct/"),
        ("post", "/inbox/{pk}/correct/"),
        ("post", "/inbox/{pk}/replay/"),
        ("post", "/inbox/{pk}/settle/"),
    ],
)
def test_nobody_else_sees_or_does_anything(method: str, address: str) -> None:
    pk = quarantined()
    client = Client()
    asked = getattr(client, method)(address.format(pk=pk), {"reason": "x", "content": "x"})
    assert asked.status_code == 302
    assert asked.url.startswith("/accounts/login/")
    client.force_login(make_user("Otto"))
    asked = getattr(client, method)(address.format(pk=pk), {"reason": "x", "content": "x"})
    assert asked.status_code == 403
    assert InboundMessage.objects.get().state == "quarantined"
    assert not AccessEntry.objects.filter(object_id=str(pk), action="open").exists()


def test_who_may_only_read_is_offered_no_act_and_may_do_none() -> None:
    role = Role.objects.create(
        code="test.reader", name="Reader", module="test", privileges=["inbox.read_messages"]
    )
    reader = make_user("Rita")
    RoleGrant.objects.create(role=role, unit=make_unit("production"), user=reader)
    pk = quarantined()
    client = Client()
    client.force_login(reader)
    assert f"/inbox/{pk}/settle/" not in html(client.get(f"/inbox/{pk}/"))
    assert client.post(f"/inbox/{pk}/settle/", {"reason": "x"}).status_code == 403


def test_my_tasks_count_what_is_in_quarantine_for_those_who_may_see_it(operator: Any) -> None:
    assert tasks_for(operator) == []
    quarantined()
    quarantined()
    [task] = tasks_for(operator)
    assert (str(task.title), task.count) == ("2 messages in quarantine", 2)
    assert task.url == "/inbox/?state=quarantined"
    assert tasks_for(make_user("Otto")) == []


@pytest.mark.requirement("TS-120")
def test_only_those_who_may_see_the_inbox_hear_of_its_changes(operator: Any) -> None:
    assert may_listen_to(operator, "inbox")
    assert may_listen(operator)
    assert not may_listen_to(make_user("Otto"), "inbox")
