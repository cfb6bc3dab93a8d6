"""The room's pages: what each sees, what is secret, presence, one rendering for all, video."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from digital_review.interfaces.video import VideoError, jitsi_address, room_name
from digital_review.models import AgendaItem, Meeting, Opinion
from digital_review.selectors import minutes as minutes_selector
from digital_review.services.opinions import disclose_opinions, give_opinion
from digital_review.services.room import show_patient, start_meeting, write_minutes
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.forms.models import UnsavedInput
from portal.registry import registry
from tests.digital_review.factories import make_form, review_world
from tests.digital_review.meetings import another, items, plan_today
from tests.support.accounts import sign_in
from tests.support.factories import give, make_role, make_user


@pytest.fixture
def room(db) -> SimpleNamespace:
    """A meeting that runs with its first patient on the table; a browser for each."""
    world = review_world()
    meeting = plan_today(world, "SK-0001", "SK-0002")
    for item in items(meeting):
        make_form(item.case, world.slots["precrf"])
    people = world.people
    start_meeting(actor=people["chairman"], meeting_id=meeting.pk)
    first, second = items(meeting)
    show_patient(actor=people["chairman"], meeting_id=meeting.pk, item_id=first.pk)
    item = AgendaItem.objects.select_related("form").get(pk=first.pk)
    return SimpleNamespace(world=world, meeting=meeting, item=item, second=second, people=people)


def browser(person: Any, **headers: str) -> Client:
    client = Client(headers={"HX-Request": "true", **headers})
    sign_in(client, person)
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"digital_review:{name}", args=args)


def write(room: SimpleNamespace, sequence: int = 1, **typed: str) -> None:
    write_minutes(
        actor=room.people["secretary"], item_id=room.item.pk, typed=typed,
        opened_version=room.item.form.version, sequence=sequence,
    )  # fmt: skip


# --- what each sees ------------------------------------------------------------------------------


@pytest.mark.requirement("DR-060")
def test_the_whole_room_is_one_page_with_agenda_patient_minutes_and_who_is_there(room) -> None:
    client = Client()
    sign_in(client, room.people["specialist"])
    html = client.get(url("room", room.meeting.pk)).content.decode()
    for part in ("room-agenda", "room-patient", "room-minutes", "room-people", "room-opinions"):
        assert f'id="{part}"' in html
    assert "You see what the chairman shows." in html
    assert "Secretary Review writes." in html
    for chairmans in ("Show all opinions", "End the meeting", "Take the pen", "Discussed…"):
        assert chairmans not in html


@pytest.mark.requirement("DR-025", "DR-026")
def test_the_chairman_and_the_secretary_have_their_own_acts(room) -> None:
    pages = {}
    for role in ("chairman", "secretary"):
        client = Client()
        sign_in(client, room.people[role])
        pages[role] = client.get(url("room", room.meeting.pk)).content.decode()
    for act in ("Show all opinions", "End the meeting", "Take the pen", "Discussed…"):
        assert act in pages["chairman"]
    assert "data-minutes" in pages["secretary"]
    assert "End the meeting" not in pages["secretary"]


@pytest.mark.requirement("DR-012")
def test_who_is_not_invited_sees_the_meeting_and_not_its_room(room) -> None:
    client = browser(another(room.world, "specialist", "Not Invited"))
    assert client.get(url("meeting", room.meeting.pk)).status_code == 200
    for name, key in (
        ("room", room.meeting.pk),
        ("room_minutes", room.meeting.pk),
        ("room_written", room.item.pk),
        ("room_opinions", room.item.pk),
    ):
        assert client.get(url(name, key)).status_code == 403, name
    assert browser(room.people["datamanager"]).get(url("room", room.meeting.pk)).status_code == 403


def test_a_part_that_is_as_the_page_has_it_is_not_sent_again(room) -> None:
    client = browser(room.people["secretary"])
    meeting = Meeting.objects.get(pk=room.meeting.pk)
    html = client.get(url("room_minutes", meeting.pk)).content.decode()
    has = html.split("?has=")[1].split('"')[0]
    again = f"{url('room_minutes', meeting.pk)}?has={has}"
    assert client.get(again).status_code == 204
    write(room, conclusion="Hypo")
    assert client.get(again).status_code == 204  # nothing moves under the writer's hands
    assert (
        browser(room.people["chairman"]).post(url("room_take_pen", meeting.pk)).status_code == 204
    )
    assert client.get(again).status_code == 200


@pytest.mark.requirement("DR-060")
def test_browsing_is_not_disturbed_by_what_the_chairman_shows(room) -> None:
    client = browser(room.people["specialist"])
    here = f"{url('room_patient', room.meeting.pk)}?item={room.second.pk}"
    has = client.get(here).content.decode().split("?has=")[1].split("&")[0]
    show_patient(actor=room.people["chairman"], meeting_id=room.meeting.pk, item_id=room.second.pk)
    assert client.get(f"{here}&has={has}").status_code == 204
    follow = client.get(f"{url('room_follow', room.meeting.pk)}?item={room.item.pk}")
    assert "The chairman shows: SK-0002" in follow.content.decode()


# --- minutes for everybody -----------------------------------------------------------------------


@pytest.mark.requirement("DR-060", "DR-150")
def test_twenty_watchers_cost_one_rendering(room, monkeypatch) -> None:
    rendered = []
    written = minutes_selector.written
    monkeypatch.setattr(
        minutes_selector, "written", lambda *args: rendered.append(1) or written(*args)
    )
    write(room, conclusion="Hypocellular")
    clients = [browser(room.people[role]) for role in ("chairman", "specialist", "pathologist")]
    pages = [client.get(url("room_written", room.item.pk)).content.decode() for client in clients]
    assert all("Hypocellular" in page for page in pages)
    assert len(rendered) == 1
    write(room, 2, conclusion="Hypocellular marrow")
    assert "marrow" in clients[0].get(url("room_written", room.item.pk)).content.decode()
    assert len(rendered) == 2
    with CaptureQueriesContext(
        connection,
    ) as queries:
        clients[1].get(url("room_written", room.item.pk))
    assert len(queries) <= 14, [each["sql"][:90] for each in queries]


def test_without_redis_the_minutes_are_rendered_all_the_same(room, monkeypatch) -> None:
    def away(*_args: Any, **_options: Any) -> None:
        raise ConnectionError("Redis is away")

    client = browser(room.people["chairman"])
    write(room, conclusion="Hypo")
    for name in ("get", "set", "get_many", "delete"):
        monkeypatch.setattr(cache, name, away)
    assert "Hypo" in client.get(url("room_written", room.item.pk)).content.decode()
    assert client.post(url("room_here", room.meeting.pk)).status_code == 200


@pytest.mark.requirement("DR-135")
def test_what_is_typed_is_escaped_and_half_a_number_is_shown_as_typed(room) -> None:
    write(room, conclusion="<script>alert(1)</script>")
    html = browser(room.people["chairman"]).get(url("room_written", room.item.pk)).content.decode()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_writers_page_answers_what_changed_and_bad_numbers_do_no_harm(room) -> None:
    client = browser(room.people["secretary"])
    sent = {"conclusion": "x", "opened_version": "no", "sequence": "-1", "other": "y"}
    assert client.post(url("room_write", room.item.pk), sent).status_code == 200
    unsaved = UnsavedInput.objects.get()
    assert unsaved.typed == {"conclusion": "x"}
    assert client.post(url("room_write", room.second.pk), sent).status_code == 404


# --- presence ------------------------------------------------------------------------------------


def test_who_is_here_is_shown_and_who_leaves_is_gone_at_once(room) -> None:
    chairman, specialist = (browser(room.people[role]) for role in ("chairman", "specialist"))
    here = url("room_here", room.meeting.pk)
    mark = f'id="here-{room.people["specialist"].pk}" class="room-person room-person--here"'
    assert mark not in chairman.post(here).content.decode()
    assert specialist.post(here).status_code == 200
    assert mark in chairman.post(here).content.decode()
    assert specialist.post(here, {"gone": "1"}).status_code == 204
    assert mark not in chairman.post(here).content.decode()


def test_who_is_not_heard_of_for_a_minute_is_not_there(room) -> None:
    browser(room.people["specialist"]).post(url("room_here", room.meeting.pk))
    key = f"digital_review:here:{room.meeting.pk}:{room.people['specialist'].pk}"
    assert 0 < cache._cache.get_client().ttl(cache.make_key(key)) <= 40


# --- secrecy of opinions -------------------------------------------------------------------------


def test_an_undisclosed_opinion_is_on_no_page_not_even_for_auditors(room) -> None:
    people = room.people
    opinion = give_opinion(
        actor=people["pathologist"], item_id=room.item.pk,
        outcome_id=room.world.outcomes["fanconi"].pk, text="Breakage test positive",
    )  # fmt: skip
    auditor = make_user("Auditor")
    role = make_role("t.auditor", "audit.browse_logs")
    give(auditor, role.code, room.world.network)
    history = reverse("operations:history", args=["digital_review.opinion", opinion.pk])
    trail = reverse("operations:audit")
    for person in (auditor, people["chairman"], people["secretary"], people["manager"]):
        client = Client()
        sign_in(client, person)
        for address in (
            history,
            trail,
            url("room", room.meeting.pk),
            url("room_opinions", room.item.pk),
            url("meeting", room.meeting.pk),
            url("meeting_findings", room.meeting.pk),
            reverse("operations:history", args=["digital_review.agendaitem", room.item.pk]),
        ):
            response = client.get(address)
            page = response.content.decode() if response.status_code == 200 else ""
            assert "Breakage test" not in page, (person, address)
        assert client.get(history).status_code in (403, 404), person
    giver = Client()
    sign_in(giver, people["pathologist"])
    assert giver.get(history).status_code == 200
    assert "Breakage test" in giver.get(url("room_opinions", room.item.pk)).content.decode()
    disclose_opinions(actor=people["chairman"], item_id=room.item.pk)
    client = Client()
    sign_in(client, auditor)
    assert client.get(history).status_code == 200
    assert Opinion.objects.count() == 1


# --- video ---------------------------------------------------------------------------------------

SECRET = "a key of the house's own Jitsi, long"
STARTS_AT = datetime(2027, 1, 11, 13, 0, tzinfo=UTC)


@pytest.mark.requirement("DR-062")
def test_the_token_is_for_one_person_one_room_and_the_time_of_the_meeting() -> None:
    address = jitsi_address(
        "https://meet.example.org/", "MDS-BMF Øst 3", app="portal", secret=SECRET,
        person="Åse", person_key="7", moderator=True, starts_at=STARTS_AT,
    )  # fmt: skip
    parts = urlsplit(address)
    assert (parts.netloc, parts.path) == ("meet.example.org", "/mds-bmf-st-3")
    token = parse_qs(parts.query)["jwt"][0]
    options = {"verify_exp": False, "verify_nbf": False}
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="portal", options=options)
    assert (claims["iss"], claims["sub"], claims["room"]) == (
        "portal", "meet.example.org", "mds-bmf-st-3",
    )  # fmt: skip
    assert claims["context"]["user"] == {"id": "7", "name": "Åse", "affiliation": "owner"}
    assert claims["moderator"] is True
    assert claims["nbf"] == (STARTS_AT - timedelta(minutes=15)).timestamp()
    assert claims["exp"] == (STARTS_AT + timedelta(hours=4)).timestamp()


def test_a_room_without_letters_and_a_short_key_are_refused() -> None:
    with pytest.raises(VideoError):
        room_name("–––")
    with pytest.raises(VideoError):
        jitsi_address(
            "https://meet.example.org", "x", app="a", secret="short", person="p",
            person_key="1", moderator=False, starts_at=STARTS_AT,
        )  # fmt: skip


@pytest.mark.requirement("DR-062")
def test_only_who_takes_part_gets_to_the_video_and_the_chairman_moderates(
    room, monkeypatch, tmp_path
) -> None:
    key = tmp_path / "jitsi.key"
    key.write_text(SECRET)
    known = registry.settings_for("digital_review")
    settings = type(known)(
        known.slides_folder, video_host="https://meet.example.org", video_app="portal",
        video_secret_file=str(key),
    )  # fmt: skip
    monkeypatch.setitem(registry._settings, "digital_review", settings)
    meeting = Meeting.objects.get(pk=room.meeting.pk)
    address = url("meeting_video", meeting.pk)
    assert browser(room.people["chairman"]).get(address).status_code == 422  # none is planned
    meeting.video_room = "Review"
    meeting.save()
    moderators = {}
    for role in ("chairman", "specialist"):
        sent = browser(room.people[role]).get(address)["Location"]
        token = parse_qs(urlsplit(sent).query)["jwt"][0]
        claims = jwt.decode(token, options={"verify_signature": False})
        moderators[role] = claims["moderator"]
    assert moderators == {"chairman": True, "specialist": False}
    outsider = another(room.world, "specialist", "Not Invited")
    assert browser(outsider).get(address).status_code == 422
