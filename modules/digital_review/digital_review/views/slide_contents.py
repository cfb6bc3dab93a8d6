"""Slides as pages show them, each to who may see its case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digital_review.interfaces.slide_images import (
    OVERLAP,
    TILE,
    NotAnImage,
    cut_tile,
    levels_of,
    tile_path,
)
from digital_review.models import Case, Slide
from digital_review.services.slide_files import (
    image_path,
    is_whole_slide,
    problem_words,
    tiles_folder,
)
from digital_review.services.slides import progress_of
from portal.access.decision import visible


@dataclass(frozen=True)
class SlideRow:
    """A slide in its case's list."""

    slide: Slide
    percent: int | None = None
    """Of the tiles, while they are being cut."""
    problem: str = ""

    @property
    def can_be_viewed(self) -> bool:
        return self.slide.tiles == Slide.Tiles.READY


def slides_of(user: Any, case: Case) -> list[SlideRow]:
    """The slides of a case, in the order in which they were added."""
    slides = visible(user, case.slides.filter(deleted_at__isnull=True)).select_related("added_by")
    return [_row(slide) for slide in slides]


def _row(slide: Slide) -> SlideRow:
    if slide.tiles == Slide.Tiles.WAITING:
        return SlideRow(slide, percent=progress_of(slide.pk) or 0)
    if slide.tiles == Slide.Tiles.FAILED:
        return SlideRow(slide, problem=problem_words(slide.problem))
    return SlideRow(slide)


def viewer_source(slide: Slide) -> dict[str, Any]:
    """What the viewer must know of an image to ask for its tiles."""
    return {
        "width": slide.width,
        "height": slide.height,
        "tile": TILE,
        "overlap": OVERLAP,
        "top": levels_of(slide.width, slide.height) - 1,
    }


def tile_file(slide: Slide, level: int, column: int, row: int) -> Path | None:
    """The file of a tile; of a whole-slide image cut now where nobody looked at it before."""
    if slide.tiles != Slide.Tiles.READY or level >= levels_of(slide.width, slide.height):
        return None
    folder = tiles_folder(slide.stored_as)
    if not is_whole_slide(slide.stored_as):
        kept = tile_path(folder, level, column, row)
        return kept if kept.exists() else None
    try:
        return cut_tile(image_path(slide.stored_as), folder, level, column, row)
    except NotAnImage:
        return None
