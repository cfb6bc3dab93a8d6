"""Images of slides: what a file is by its content, and its tiles (DR-040, DR-042).

Two kinds. A *whole-slide image* (what openslide reads: pyramids of tiles) gives any tile in a few
milliseconds, so its tiles are cut when somebody looks at them. A *picture* (PNG, JPEG, plain TIFF)
must be read whole for every tile (0.4 s for 36 megapixels, measured), so all are cut once,
beforehand, by halves. Both are kept in a folder of tiles beside the image.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import openslide
from openslide.deepzoom import DeepZoomGenerator
from PIL import Image

TILE, OVERLAP = 510, 1
"""Pixels: with its overlaps a tile is 512 × 512."""
MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485)
"""Of a picture: where Pillow itself refuses a decompression bomb. Whole-slide images are larger."""
_PICTURES = ("PNG", "JPEG", "TIFF")
_GREATEST_STEP = 32
_QUALITY = 85


class NotAnImage(Exception):  # noqa: N818 what is said of a file
    """A file that is no image, or none that can be shown.

    ``code``: ``unknown``, ``too_large`` (a picture of more than `MOST_PIXELS`), ``no_levels`` (a
    whole-slide image without smaller levels), ``broken``.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


@dataclass(frozen=True)
class SeenImage:
    """What a file turned out to be."""

    width: int
    height: int
    """In pixels."""
    microns_per_pixel: float | None
    whole_slide: bool


def look_at(path: Path) -> SeenImage:
    """What the file at ``path`` is, by its content and whatever it is called.

    NotAnImage for anything else; nothing is decoded that is larger than `MOST_PIXELS`.
    """
    return _whole_slide(path) or _picture(path)


def _whole_slide(path: Path) -> SeenImage | None:
    if openslide.OpenSlide.detect_format(path) is None:
        return None
    try:
        with openslide.OpenSlide(path) as slide:
            width, height = slide.dimensions
            steps = [*slide.level_downsamples]
            least = slide.level_dimensions[-1]
            microns = slide.properties.get(openslide.PROPERTY_NAME_MPP_X)
    except openslide.OpenSlideError as error:
        raise NotAnImage("broken", str(error)) from error
    # a tile of a coarse level is made from the next finer one: that must not be vast
    ratios = [after / before for before, after in pairwise(steps)]
    if least[0] * least[1] > MOST_PIXELS or any(ratio > _GREATEST_STEP for ratio in ratios):
        raise NotAnImage("no_levels")
    return SeenImage(width, height, _positive(microns), whole_slide=True)


def _picture(path: Path) -> SeenImage:
    try:
        with warnings.catch_warnings():
            # up to MOST_PIXELS is taken on purpose; beyond, open() itself raises
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=_PICTURES) as image:
                width, height = image.size
                image.verify()
    except Image.DecompressionBombError as error:
        raise NotAnImage("too_large", str(error)) from error
    except Exception as error:  # Pillow raises whatever a broken file makes it raise
        raise NotAnImage("unknown", str(error)) from error
    return SeenImage(width, height, None, whole_slide=False)


def _positive(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < 1000 else None


# --- tiles ----------------------------------------------------------------------------------------


def levels_of(width: int, height: int) -> int:
    """How many levels DeepZoom has for an image: the last one is the image itself."""
    return (max(width, height, 1) - 1).bit_length() + 1


def tile_path(folder: Path, level: int, column: int, row: int) -> Path:
    """Where a tile is kept."""
    return folder / str(level) / f"{column}_{row}.jpeg"


def cut_tile(path: Path, folder: Path, level: int, column: int, row: int) -> Path | None:
    """The tile of a whole-slide image, cut now where it is not there yet; None: no such tile."""
    kept = tile_path(folder, level, column, row)
    if kept.exists():
        return kept
    try:
        image = _generator(path).get_tile(level, (column, row))
    except ValueError:  # beyond the edge
        return None
    except openslide.OpenSlideError as error:
        _generator.cache_clear()  # such a handle never recovers
        raise NotAnImage("broken", str(error)) from error
    _keep(image, kept)
    return kept


@lru_cache(maxsize=8)
def _generator(path: Path) -> DeepZoomGenerator:
    return DeepZoomGenerator(openslide.OpenSlide(path), TILE, OVERLAP)


def cut_picture(path: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """Cut what is not cut yet of a picture's tiles: the picture itself, then each time half of it.

    Gives (done, of) after each that it cut, so that the caller can tell, or leave off and come
    again. A tile is there whole or not at all. NotAnImage where the picture breaks off in the
    middle. It takes as much memory as the picture has pixels, times four bytes.
    """
    picture = _read(path)
    top = levels_of(*picture.size) - 1
    of, done = sum(len(list(_boxes(*size))) for size in _sizes(*picture.size)), 0
    for level in range(top, -1, -1):
        for column, row, box in _boxes(*picture.size):
            kept = tile_path(folder, level, column, row)
            done += 1
            if not kept.exists():
                _keep(picture.crop(box), kept)
                yield done, of
        picture = picture.reduce(2)


def _read(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=_PICTURES) as image:
                image.load()
                return image if image.mode == "RGB" else image.convert("RGB")
    except Exception as error:
        raise NotAnImage("broken", str(error)) from error


def _sizes(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Of every level, from the picture itself to one pixel."""
    yield width, height
    while max(width, height) > 1:
        width, height = -(-width // 2), -(-height // 2)
        yield width, height


def _boxes(width: int, height: int) -> Iterator[tuple[int, int, tuple[int, int, int, int]]]:
    """Column, row and place of every tile of a level, with its overlaps."""
    for row in range(-(-height // TILE)):
        upper, lower = max(0, row * TILE - OVERLAP), min(height, (row + 1) * TILE + OVERLAP)
        for column in range(-(-width // TILE)):
            left, right = max(0, column * TILE - OVERLAP), min(width, (column + 1) * TILE + OVERLAP)
            yield column, row, (left, upper, right, lower)


def _keep(image: Image.Image, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    written = BytesIO()
    image.convert("RGB").save(written, "JPEG", quality=_QUALITY)
    handle, name = tempfile.mkstemp(dir=kept.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(written.getvalue())
    Path(name).replace(kept)
