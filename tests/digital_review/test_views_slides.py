"""The pages of slides, and the chairman's view that a meeting shares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from digital_review.models import AgendaItem, Case, Meeting, Participant, Slide
from digital_review.services import slide_files
from digital_review.services.shared_view import may_follow
from django.test import Client
from django.urls import reverse

from portal.audit.models import AccessEntry
from tests.digital_review.conducting import listed, meeting
from tests.digital_review.factories import World, make_case, review_world
from tests.digital_review.slide_files import picture, pyramid, upload
from tests.support.accounts import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return review_world()


@pytest.fixture
def case(world: World) -> Case:
    return make_case(world)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(slide_files, "slides_folder", lambda: tmp_path)
    return tmp_path


def as_(person: Any) -> Client:
    client = Client()
    sign_in(client, person)
    return client


def post_slide(client: Client, case: Case, **fields: Any) -> Any:
    url = reverse("digital_review:slide_add", args=[case.pk])
    return client.post(url, {"label": "HE 1", **fields})


@pytest.mark.requirement("DR-040", "DR-041")
def test_the_pathologist_adds_an_image_and_sees_it_in_the_viewer(world: World, case: Case) -> None:
    client = as_(world.people["pathologist"])
    sent = post_slide(client, case, image=upload(pyramid()), location="box 12")
    assert sent.status_code == 302
    slide = Slide.objects.get()
    tab = client.get(reverse("digital_review:case_tab", args=[case.pk, "slides"]))
    assert "box 12" in tab.content.decode()
    viewer = client.get(reverse("digital_review:slide", args=[slide.pk]))
    text = viewer.content.decode()
    assert f'data-width="{slide.width}"' in text
    assert "digital_review/dist/slides.js" in text
    assert AccessEntry.objects.filter(
        action="open", object_type="digital_review.slide", patient="SK-0001"
    ).exists()


@pytest.mark.requirement("DR-178")
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"image": b"no image"}, "The file is no image"),
        ({"address": "http://images.example/1"}, "A link begins with https://"),
        ({"address": "javascript:alert(1)"}, "Enter a valid URL"),
        ({"image": picture(), "address": "https://images.example/1"}, "not both"),
        ({"microns_per_pixel": "5000"}, "A pixel is between"),
        ({"label": ""}, "This field is required"),
    ],
)
def test_what_cannot_be_taken_is_said_beside_its_field(
    world: World, case: Case, folder: Path, fields: dict[str, Any], said: str
) -> None:
    sent = {
        name: upload(value) if isinstance(value, bytes) else value for name, value in fields.items()
    }
    answer = post_slide(as_(world.people["pathologist"]), case, **sent)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Slide.objects.exists()
    assert list(folder.iterdir()) == []


def test_a_script_in_a_label_is_shown_as_text(world: World, case: Case) -> None:
    client = as_(world.people["pathologist"])
    post_slide(client, case, label="<script>alert(1)</script>", image=upload(pyramid()))
    for url in (
        reverse("digital_review:case_tab", args=[case.pk, "slides"]),
        reverse("digital_review:slide", args=[Slide.objects.get().pk]),
    ):
        text = client.get(url).content.decode()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


@pytest.mark.requirement("DR-063")
def test_the_pathologist_ticks_that_the_glass_arrived(world: World, case: Case) -> None:
    client = as_(world.people["pathologist"])
    client.post(reverse("digital_review:slides_received", args=[case.pk]))
    case.refresh_from_db()
    assert case.slides_received_by == world.people["pathologist"]
    client.post(
        reverse("digital_review:slides_not_received", args=[case.pk]), {"reason": "wrong box"}
    )
    case.refresh_from_db()
    assert case.slides_received_at is None


# --- the meeting ----------------------------------------------------------------------------------


@pytest.fixture
def running(world: World, case: Case) -> Meeting:
    held = meeting(world, days=0, status="running")
    listed(held, case)
    return held


@pytest.fixture
def slide(world: World, case: Case) -> Slide:
    post_slide(as_(world.people["pathologist"]), case, image=upload(pyramid()))
    return Slide.objects.get()


def view_of(slide: Slide, **values: Any) -> str:
    view = {"slide": slide.pk, "x": 0.5, "y": 0.4, "zoom": 2.5, "rotation": 90, **values}
    return json.dumps(view)


def share(person: Any, meeting: Meeting, body: str) -> int:
    url = reverse("digital_review:meeting_slide_view", args=[meeting.pk])
    return as_(person).post(url, body, content_type="application/json").status_code


def followed(person: Any, meeting: Meeting) -> Any:
    return as_(person).get(reverse("digital_review:meeting_slide_view", args=[meeting.pk]))


def test_the_chairmans_view_reaches_who_is_in_the_room(
    world: World, running: Meeting, slide: Slide
) -> None:
    assert followed(world.people["secretary"], running).json() == {}
    assert share(world.people["chairman"], running, view_of(slide)) == 204
    seen = followed(world.people["secretary"], running).json()
    assert seen == {"slide": slide.pk, "x": 0.5, "y": 0.4, "zoom": 2.5, "rotation": 90.0}
    for who, leads in (("chairman", True), ("secretary", False)):
        text = as_(world.people[who]).get(reverse("digital_review:slide", args=[slide.pk]))
        assert ("slide-share" in text.content.decode()) is leads
        assert f"digital_review/meeting/{running.pk}/slide" in text.content.decode()


def test_a_deputy_of_the_chairman_shares_and_nobody_else(
    world: World, running: Meeting, slide: Slide
) -> None:
    for who in ("secretary", "pathologist", "manager"):
        assert share(world.people[who], running, view_of(slide)) in (404, 422), who
    running.chairman = world.people["secretary"]
    running.save()
    Participant.objects.create(
        meeting=running,
        person=world.people["chairman"],
        part="chairman",
        deputises_for=world.people["secretary"],
    )
    assert share(world.people["chairman"], running, view_of(slide)) == 204


def test_who_is_not_in_the_meeting_neither_sees_nor_listens(
    world: World, running: Meeting, slide: Slide
) -> None:
    share(world.people["chairman"], running, view_of(slide))
    for who in ("clinician", "bureau", "datamanager"):
        assert followed(world.people[who], running).status_code == 404, who
        assert not may_follow(world.people[who], str(running.pk)), who
    assert may_follow(world.people["secretary"], str(running.pk))


def test_nothing_is_shown_outside_a_running_meeting_or_of_another_patient(
    world: World, running: Meeting, slide: Slide
) -> None:
    AgendaItem.objects.get().case.agenda_items.all()
    other = make_case(world, "SK-0002")
    post_slide(as_(world.people["pathologist"]), other, image=upload(pyramid()))
    foreign = Slide.objects.get(case=other)
    assert share(world.people["chairman"], running, view_of(foreign)) == 422
    running.status = "held"
    running.save()
    assert share(world.people["chairman"], running, view_of(slide)) == 404


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        "{}",
        '{"slide": 1, "x": "NaN", "y": 0, "zoom": 1, "rotation": 0}',
        '{"slide": 1, "x": 0, "y": 0, "zoom": 1e400, "rotation": 0}',
        '{"slide": 1, "x": 0, "y": 0, "zoom": -1, "rotation": 0}',
    ],
)
def test_what_is_no_view_is_refused(world: World, running: Meeting, body: str) -> None:
    assert share(world.people["chairman"], running, body) == 422
