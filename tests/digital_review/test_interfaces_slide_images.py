"""What a file is, by its content, and its tiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from digital_review.interfaces.slide_images import (
    NotAnImage,
    cut_picture,
    cut_tile,
    levels_of,
    look_at,
    tile_path,
)
from openslide import ImageSlide
from openslide.deepzoom import DeepZoomGenerator
from PIL import Image

from tests.digital_review.slide_files import bomb, picture, pyramid


def written(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.requirement("DR-040")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_picture_is_known_by_its_content_and_not_by_its_name(tmp_path: Path, kind: str) -> None:
    seen = look_at(written(tmp_path, picture(640, 480, kind), "letter.pdf"))
    assert (seen.width, seen.height, seen.whole_slide) == (640, 480, False)


@pytest.mark.requirement("DR-042")
def test_a_tiled_pyramid_is_a_whole_slide(tmp_path: Path) -> None:
    seen = look_at(written(tmp_path, pyramid(1024, 768)))
    assert (seen.width, seen.height, seen.whole_slide) == (1024, 768, True)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "unknown"),
        (b"%PDF-1.7 a letter", "unknown"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "unknown"),
        (picture()[:200], "unknown"),
        (bomb(), "too_large"),
        (pyramid(64 * 256, 256, levels=2, step=64), "no_levels"),
    ],
)
def test_what_is_no_image_or_cannot_be_shown_is_refused(
    tmp_path: Path, content: bytes, code: str
) -> None:
    with pytest.raises(NotAnImage) as refused:
        look_at(written(tmp_path, content, "slide.png"))
    assert refused.value.code == code


def test_levels_are_those_of_deep_zoom() -> None:
    for size in ((1, 1), (2, 1), (513, 300), (1024, 1025), (90_000, 7)):
        image = ImageSlide(Image.new("L", (1, 1)))
        assert levels_of(*size) == _levels_by_library(image, size)


def _levels_by_library(image: ImageSlide, size: tuple[int, int]) -> int:
    class Sized(ImageSlide):
        level_dimensions = (size,)  # type: ignore[assignment]

    return DeepZoomGenerator(Sized(Image.new("L", (1, 1))), 510, 1).level_count


def test_a_pictures_tiles_show_the_picture(tmp_path: Path) -> None:
    content = picture(1300, 900)
    path = written(tmp_path, content)
    progress = list(cut_picture(path, tmp_path / "tiles"))
    assert progress[-1][0] == progress[-1][1] == len(progress)
    top = levels_of(1300, 900) - 1
    assert {each.name for each in (tmp_path / "tiles").iterdir()} == {
        str(level) for level in range(top + 1)
    }
    with Image.open(tile_path(tmp_path / "tiles", top, 1, 1)) as tile, Image.open(path) as whole:
        assert tile.size == (512, 391)
        cut = whole.convert("RGB").crop((509, 509, 1021, 900))
        apart = [
            abs(a - b)
            for place in ((5, 5), (256, 200), (500, 380))
            for a, b in zip(tile.getpixel(place), cut.getpixel(place), strict=True)  # type: ignore[arg-type]
        ]
    assert max(apart) < 8  # JPEG


def test_tiles_lie_as_deep_zoom_has_them(tmp_path: Path) -> None:
    size = (1531, 613)
    path, folder = written(tmp_path, picture(*size)), tmp_path / "tiles"
    list(cut_picture(path, folder))
    with Image.open(path) as whole:
        library = DeepZoomGenerator(ImageSlide(whole), 510, 1)
        for level, (columns, rows) in enumerate(library.level_tiles):
            there = {each.name for each in (folder / str(level)).iterdir()}
            assert there == {f"{c}_{r}.jpeg" for c in range(columns) for r in range(rows)}
            for column in range(columns):
                with Image.open(tile_path(folder, level, column, 0)) as tile:
                    assert tile.size == library.get_tile_dimensions(level, (column, 0))


def test_cutting_goes_on_where_it_was_left_off(tmp_path: Path) -> None:
    path, folder = written(tmp_path, picture(1300, 900)), tmp_path / "tiles"
    cutting = cut_picture(path, folder)
    for _ in range(6):
        next(cutting)
    cutting.close()
    first = {each: each.stat().st_mtime_ns for each in folder.rglob("*.jpeg")}
    assert len(first) == 6
    (done, of) = list(cut_picture(path, folder))[-1]
    there = list(folder.rglob("*"))
    assert done == of == len([each for each in there if each.suffix == ".jpeg"])
    assert not [each for each in there if each.is_file() and each.suffix != ".jpeg"]
    assert all(each.stat().st_mtime_ns == before for each, before in first.items())


def test_a_picture_that_breaks_off_is_told_when_it_is_cut(tmp_path: Path) -> None:
    whole = picture(1300, 900, "JPEG")
    path = written(tmp_path, whole[: len(whole) // 2])
    look_at(path)  # its head is in order
    with pytest.raises(NotAnImage) as refused:
        list(cut_picture(path, tmp_path / "tiles"))
    assert refused.value.code == "broken"


def test_a_tile_of_a_whole_slide_is_cut_once_and_beyond_its_edge_is_none(tmp_path: Path) -> None:
    path, folder = written(tmp_path, pyramid(1024, 768)), tmp_path / "tiles"
    top = levels_of(1024, 768) - 1
    kept = cut_tile(path, folder, top, 1, 1)
    assert kept == tile_path(folder, top, 1, 1)
    before = kept.stat().st_mtime_ns
    assert cut_tile(path, folder, top, 1, 1) == kept
    assert kept.stat().st_mtime_ns == before
    assert cut_tile(path, folder, top, 99, 0) is None
    with Image.open(kept) as tile:
        red, green, _blue = tile.getpixel((300, 100))  # type: ignore[misc]
    assert (abs(red - 3 * 40) < 8, abs(green - 2 * 40) < 8) == (True, True)
