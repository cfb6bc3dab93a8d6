"""Slides: added, refused, cut by a worker that may be killed, seen by who may see the patient."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from digital_review.interfaces.slide_images import levels_of
from digital_review.models import Case, Slide
from digital_review.services import slide_files, slides
from digital_review.services.slides import (
    SlideFacts,
    add_slide,
    change_slide,
    cut_slide,
    queue_cutting,
    remove_slide,
    uncut_slides,
)
from digital_review.tasks import cut_slide as cut_task
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from portal.audit.models import AccessEntry, AuditEntry
from portal.records.errors import Refused, StaleRecord
from tests.digital_review.factories import World, make_case, review_world
from tests.digital_review.slide_files import bomb, picture, pyramid, upload
from tests.support.accounts import sign_in
from tests.support.processes import celery_worker

FACTS = SlideFacts("HE 1", "bone biopsy", "HE", "box 12, shelf 3")


@pytest.fixture
def world(db: None) -> World:
    return review_world()


@pytest.fixture
def case(world: World) -> Case:
    return make_case(world)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(slide_files, "slides_folder", lambda: tmp_path)
    return tmp_path


def add(world: World, case: Case, content: bytes | None = None, **values: Any) -> Slide:
    fields: dict[str, Any] = {"actor": world.people["pathologist"], "facts": FACTS, **values}
    if content is not None:
        fields["upload"] = upload(content)
    return add_slide(case_id=case.pk, **fields)


@pytest.mark.requirement("DR-040", "DR-041", "DR-181")
def test_glass_and_a_link_are_added_with_where_the_glass_is(world: World, case: Case) -> None:
    glass, link = add(world, case), add(world, case, address="https://images.example/1")
    assert (glass.kind, link.kind, glass.location) == ("glass", "link", "box 12, shelf 3")
    assert AuditEntry.objects.filter(action="digital_review.slide_added").count() == 2
    assert AccessEntry.objects.filter(action="add", patient="SK-0001").count() == 2


@pytest.mark.requirement("DR-040", "DR-042")
def test_a_picture_waits_for_its_tiles_and_a_whole_slide_does_not(
    world: World, case: Case, folder: Path
) -> None:
    flat, deep = add(world, case, picture()), add(world, case, pyramid())
    assert (flat.tiles, flat.width, flat.height) == ("waiting", 1300, 900)
    assert (deep.tiles, deep.width, deep.height) == ("ready", 1024, 768)
    assert slides.progress_of(flat.pk) == 0
    kept = folder / flat.stored_as
    assert kept.read_bytes() == picture()
    assert kept.stat().st_mode & 0o077 == 0
    assert cut_slide(flat.pk)
    flat.refresh_from_db()
    assert flat.tiles == "ready"
    assert slides.progress_of(flat.pk) is None


@pytest.mark.requirement("DR-040", "DR-178")
@pytest.mark.parametrize(
    ("content", "code"), [(b"#!/bin/sh\nrm -rf", "no_image"), (bomb(), "no_image")]
)
def test_a_file_that_is_no_image_is_refused_and_nothing_stays(
    world: World, case: Case, folder: Path, content: bytes, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        add(world, case, content)
    assert refused.value.code == code
    assert list(folder.iterdir()) == []
    assert not Slide.all_objects.exists()


def test_a_file_beyond_the_limit_is_refused_while_it_comes(
    world: World, case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slide_files, "largest_bytes", lambda: 1000)
    with pytest.raises(Refused) as refused:
        add(world, case, picture())
    assert refused.value.code == "too_large"
    assert list(folder.iterdir()) == []


def test_a_transaction_that_fails_leaves_no_file(
    world: World, case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: Any, **_values: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(slides, "record", fails)
    with pytest.raises(RuntimeError):
        add(world, case, picture())
    assert list(folder.iterdir()) == []
    assert not Slide.all_objects.exists()


@pytest.mark.requirement("DR-012")
@pytest.mark.parametrize("who", ["clinician", "secretary", "bureau"])
def test_only_who_writes_pathology_adds_slides(
    world: World, case: Case, folder: Path, who: str
) -> None:
    with pytest.raises(PermissionDenied):
        add(world, case, picture(), actor=world.people[who])
    assert list(folder.iterdir()) == []


def test_another_hospitals_people_find_no_case(world: World, case: Case) -> None:
    with pytest.raises(Refused) as refused:
        add(world, case, picture(), actor=world.people["clinician_south"])
    assert refused.value.code == "gone"


def test_a_slide_is_changed_once_and_removed_with_its_image_kept(
    world: World, case: Case, folder: Path
) -> None:
    slide, who = add(world, case, picture()), world.people["pathologist"]
    moved = SlideFacts("HE 1", location="with Dr. Berg")
    change_slide(actor=who, slide_id=slide.pk, version=1, facts=moved)
    with pytest.raises(StaleRecord):
        change_slide(actor=who, slide_id=slide.pk, version=1, facts=FACTS)
    remove_slide(actor=who, slide_id=slide.pk, reason="of another patient")
    assert not Slide.objects.exists()
    assert (folder / slide.stored_as).exists()
    assert AuditEntry.objects.get(action="digital_review.slide_removed").reason == (
        "of another patient"
    )


def test_a_picture_that_breaks_off_is_told_as_failed(world: World, case: Case) -> None:
    whole = picture(kind="JPEG")
    slide = add(world, case, whole[: len(whole) // 2])
    assert cut_slide(slide.pk)
    slide.refresh_from_db()
    assert (slide.tiles, slide.problem) == ("failed", "broken")


def test_a_long_cutting_is_done_in_portions(
    world: World, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slides, "PORTION_S", 0)
    slide, portions = add(world, case, picture()), 1
    while not cut_slide(slide.pk):
        portions += 1
    slide.refresh_from_db()
    assert (slide.tiles, portions > 3) == ("ready", True)


def test_a_picture_whose_task_was_lost_is_found(world: World, case: Case) -> None:
    slide = add(world, case, picture())
    assert uncut_slides() == []  # somebody is at it
    cache.clear()
    assert uncut_slides() == [slide.pk]


# --- tiles ----------------------------------------------------------------------------------------


def get_tile(person: Any, slide: Slide, level: int, column: int = 0, row: int = 0) -> Any:
    client = Client()
    sign_in(client, person)
    return client.get(reverse("digital_review:slide_tile", args=[slide.pk, level, column, row]))


@pytest.mark.requirement("DR-012", "DR-042")
def test_a_tile_is_for_those_who_may_see_the_patient_and_kept_by_their_browser_alone(
    world: World, case: Case
) -> None:
    slide = add(world, case, pyramid())
    top = levels_of(1024, 768) - 1
    for who in ("pathologist", "secretary", "clinician"):
        answer = get_tile(world.people[who], slide, top, 1, 1)
        assert answer.status_code == 200, who
        assert answer["Content-Type"] == "image/jpeg"
        assert answer["Cache-Control"] == "private, max-age=3600"
        assert answer.content.startswith(b"\xff\xd8")
    for who in ("clinician_south", "datamanager", "doctor"):
        assert get_tile(world.people[who], slide, top, 1, 1).status_code in (403, 404), who
    anonymous = Client().get(reverse("digital_review:slide_tile", args=[slide.pk, top, 1, 1]))
    assert anonymous.status_code == 302


def test_there_is_no_tile_beyond_the_image_nor_of_a_removed_or_uncut_slide(
    world: World, case: Case, folder: Path
) -> None:
    who = world.people["pathologist"]
    deep, flat = add(world, case, pyramid()), add(world, case, picture())
    top = levels_of(1024, 768) - 1
    for level, column, row in ((top + 1, 0, 0), (top, 40, 0), (99, 0, 0)):
        assert get_tile(who, deep, level, column, row).status_code == 404
    assert get_tile(who, flat, 0).status_code == 404
    cut_slide(flat.pk)
    assert get_tile(who, flat, 0).status_code == 200
    assert get_tile(who, flat, 5, 3, 3).status_code == 404
    remove_slide(actor=who, slide_id=deep.pk, reason="wrong patient")
    assert get_tile(who, deep, 0).status_code == 404


# --- a killed worker ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.requirement("DR-042")
def test_a_worker_killed_in_the_middle_is_followed_by_one_that_goes_on(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, state_folder: Path
) -> None:
    monkeypatch.undo()  # the worker is another process: the real folder
    world = review_world()
    case = make_case(world)
    slide = add(world, case, picture(6000, 6000, "JPEG"))
    tiles = slide_files.tiles_folder(slide.stored_as)

    def cut() -> list[Path]:
        return list(tiles.rglob("*.jpeg"))

    with celery_worker() as worker:
        _until(lambda: len(cut()) > 20)
        worker.kill()
        before = {each: each.stat().st_mtime_ns for each in cut()}
        slide.refresh_from_db()
        assert slide.tiles == "waiting"
        worker.start_again()
        cache.clear()  # the killed one's sign of life runs out after a minute and a half
        assert uncut_slides() == [slide.pk]
        queue_cutting(slide.pk)
        _until(lambda: Slide.objects.get(pk=slide.pk).tiles == "ready")
    assert len(cut()) > len(before)
    assert all(each.stat().st_mtime_ns == at for each, at in before.items())


def _until(what: Any) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_task_takes_a_slide_that_is_gone_for_done(world: World) -> None:
    cut_task.run(10**9)
