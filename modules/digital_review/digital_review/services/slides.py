"""Slides of a case: adding, describing, removing, received, cut into tiles (DR-040 to DR-042)."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from celery import current_app
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from digital_review.interfaces.slide_images import NotAnImage, cut_picture
from digital_review.models import Case, Slide
from digital_review.models.reach import PATHOLOGY
from digital_review.selectors.topics import announce_case
from digital_review.services.conduct import advance
from digital_review.services.slide_files import (
    StoredImage,
    image_path,
    stored,
    tiles_folder,
)
from portal.access.decision import require, visible
from portal.audit.services import Access, differences, log_access, record
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import check_version, locked, soft_delete, writes

PORTION_S = 60
"""A task cuts for this long and then sends itself anew: the broker takes one that runs for five
minutes for lost, and gives it to another worker."""
_CUTTING_S = PORTION_S + 30


@dataclass(frozen=True)
class SlideFacts:
    """What is written about a slide."""

    label: str
    material: str = ""
    stain: str = ""
    location: str = ""
    microns_per_pixel: float | None = None


def add_slide(
    *, actor: Any, case_id: int, facts: SlideFacts, address: str = "", upload: Any = None
) -> Slide:
    """A slide of the case: an image when one is uploaded, a link with ``address``, else glass.

    Refused: ``no_image``, ``too_large``: nothing of the file stays; ``link`` that is not https.
    """
    require(actor, PATHOLOGY, _case(actor, case_id))  # before a byte is stored
    if address and not address.startswith("https://"):
        raise Refused(_("A link begins with https://."), code="link")
    with stored(upload) if upload is not None else nullcontext() as image:
        name = getattr(upload, "name", "")
        return _add(
            actor=actor, case_id=case_id, facts=facts, address=address, image=image, name=name
        )


@writes
def _add(
    *,
    actor: Any,
    case_id: int,
    facts: SlideFacts,
    address: str,
    image: StoredImage | None,
    name: str,
) -> Slide:
    case = _case(actor, case_id, lock=True)
    require(actor, PATHOLOGY, case)
    kind = Slide.Kind.IMAGE if image else Slide.Kind.LINK if address else Slide.Kind.GLASS
    slide = Slide(
        case=case, kind=kind, address="" if image else address, added_by=actor, **asdict(facts)
    )
    if image:
        _take_image(slide, image, name)
    slide.save()
    told = {"slide": slide.pk, "label": slide.label, "kind": kind, "sha256": slide.sha256}
    record("digital_review.slide_added", case, data=told)
    log_access(Access.ADD, slide, patient=case.patient.number)
    if slide.tiles == Slide.Tiles.WAITING:
        queue_cutting(slide.pk)
    announce_case(case, "slides")
    return slide


def _take_image(slide: Slide, image: StoredImage, name: str) -> None:
    seen = image.seen
    slide.file_name = name[:200]
    slide.stored_as, slide.sha256, slide.size = image.stored_as, image.sha256, image.size
    slide.width, slide.height = seen.width, seen.height
    slide.microns_per_pixel = seen.microns_per_pixel or slide.microns_per_pixel
    slide.tiles = Slide.Tiles.READY if seen.whole_slide else Slide.Tiles.WAITING


@writes
def change_slide(*, actor: Any, slide_id: int, version: int, facts: SlideFacts) -> Slide:
    """Change what is written about a slide; StaleRecord when somebody did so meanwhile."""
    slide = _slide(actor, slide_id)
    sent = asdict(facts)
    check_version(slide, version, sent)
    was = {name: getattr(slide, name) for name in sent}
    if changed := differences(was, sent):
        for name, value in sent.items():
            setattr(slide, name, value)
        slide.save()
        told = {"slide": slide.pk, **changed}
        record("digital_review.slide_changed", slide.case, data=told)
        announce_case(slide.case, "slides")
    return slide


@writes
def remove_slide(*, actor: Any, slide_id: int, reason: str) -> None:
    """Take a slide out of the case; its file stays, and it can be restored."""
    slide = _slide(actor, slide_id)
    soft_delete(slide)
    record("digital_review.slide_removed", slide.case, data={"slide": slide.pk})
    announce_case(slide.case, "slides")


@writes
def tick_slides_received(*, actor: Any, case_id: int, received: bool, reason: str = "") -> Case:
    """The glass slides of the patient have arrived (DR-063); with a reason, they have not after
    all. A second tick changes nothing. Refused: ``reason_needed``."""
    if not received and not reason.strip():
        raise Refused(_("Say why the tick is taken back."), code="reason_needed")
    case = _case(actor, case_id, lock=True)
    require(actor, PATHOLOGY, case)
    if received == (case.slides_received_at is not None):
        return case
    case.slides_received_at = timezone.now() if received else None
    case.slides_received_by = actor if received else None
    case.save()
    record("digital_review.slides_received", case, data={"received": received})
    announce_case(case, "slides")
    advance(actor, case)  # the flow may wait for them
    return case


# --- tiles ----------------------------------------------------------------------------------------


def queue_cutting(slide_id: int) -> None:
    """Have a worker cut the picture, once it is committed."""
    cache.set(_key(slide_id), 0, _CUTTING_S)
    transaction.on_commit(
        lambda: current_app.send_task("digital_review.tasks.cut_slide", [slide_id]), robust=True
    )


def progress_of(slide_id: int) -> int | None:
    """Percent of the tiles that are cut; None when nobody is cutting."""
    return cache.get(_key(slide_id))


def uncut_slides() -> list[int]:
    """Pictures that wait for their tiles and that no worker is at: it was killed, or the broker
    lost the task."""
    waiting = Slide.objects.filter(tiles=Slide.Tiles.WAITING).order_by("pk")
    return [pk for pk in waiting.values_list("pk", flat=True) if progress_of(pk) is None]


def cut_slide(slide_id: int) -> bool:
    """Cut for `PORTION_S` what is not cut yet of the picture; whether it is done.

    Killed in the middle, the next one goes on where this one was.
    """
    waiting = Slide.objects.filter(pk=slide_id, tiles=Slide.Tiles.WAITING)
    slide = waiting.select_related("case").first()
    if slide is None:
        return True
    until, told = time.monotonic() + PORTION_S, -1
    try:
        for done, of in cut_picture(image_path(slide.stored_as), tiles_folder(slide.stored_as)):
            if (percent := 100 * done // of) != told:
                cache.set(_key(slide_id), percent, _CUTTING_S)
                if percent // 10 != told // 10:
                    announce_case(slide.case, "slides")
                told = percent
            if time.monotonic() > until and done < of:
                return False
    except NotAnImage as error:
        tiles, problem = Slide.Tiles.FAILED, error.code
    else:
        tiles, problem = Slide.Tiles.READY, ""
    _settle(actor=ServiceActor("slides"), slide_id=slide_id, tiles=tiles, problem=problem)
    cache.delete(_key(slide_id))
    return True


@writes
def _settle(*, actor: Any, slide_id: int, tiles: str, problem: str = "") -> None:
    slide = locked(Slide.objects.select_related("case"), slide_id)
    slide.tiles, slide.problem = tiles, problem
    slide.save()
    record("digital_review.slide_cut", slide.case, data={"slide": slide_id, "tiles": tiles})
    announce_case(slide.case, "slides")


def _key(slide_id: int) -> str:
    return f"digital_review:slide:{slide_id}:percent"


# --- parts ----------------------------------------------------------------------------------------


def _case(actor: Any, case_id: int, *, lock: bool = False) -> Case:
    cases = visible(actor, Case.objects.all()).select_related("patient", "review_type__unit")
    if lock:
        return locked(cases, case_id)
    case = cases.filter(pk=case_id).first()
    if case is None:
        raise Refused(_("This record does not exist (any more)."), code="gone")
    return case


def _slide(actor: Any, slide_id: int) -> Slide:
    slides = visible(actor, Slide.objects.all()).select_related(
        "case__patient", "case__review_type__unit"
    )
    slide = locked(slides, slide_id)
    require(actor, PATHOLOGY, slide)
    return slide
