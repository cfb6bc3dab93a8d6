"""The folder of slides: uploads are streamed into it, looked at, and kept or thrown away."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from digital_review.interfaces.slide_images import MOST_PIXELS, NotAnImage, SeenImage, look_at
from portal.records.errors import Refused
from portal.registry import registry

WHOLE_SLIDE, PICTURE = ".slide", ".picture"
_MEGA = 1_000_000


@dataclass(frozen=True)
class StoredImage:
    """An uploaded image, in the folder of slides."""

    stored_as: str
    sha256: str
    size: int
    """In bytes."""
    seen: SeenImage


def slides_folder() -> Path:
    """Where images are kept; made where it is not there."""
    folder = Path(registry.settings_for("digital_review").slides_folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def image_path(stored_as: str) -> Path:
    return slides_folder() / stored_as


def tiles_folder(stored_as: str) -> Path:
    return slides_folder() / f"{Path(stored_as).stem}.tiles"


def is_whole_slide(stored_as: str) -> bool:
    return stored_as.endswith(WHOLE_SLIDE)


def largest_bytes() -> int:
    return int(registry.settings_for("digital_review").largest_slide_mb) * _MEGA


@contextmanager
def stored(upload: Any) -> Iterator[StoredImage]:
    """The uploaded file (Django's `UploadedFile`) as an image in the folder of slides.

    It is read in pieces, never whole into memory. What is refused (``too_large``, ``no_image``), or
    fails within the block, leaves nothing behind.
    """
    arriving = slides_folder() / f"{uuid.uuid4().hex}.arriving"
    kept = arriving
    try:
        sha256, size = _receive(upload, arriving)
        seen = _judged(arriving)
        kept = arriving.with_suffix(WHOLE_SLIDE if seen.whole_slide else PICTURE)
        arriving.rename(kept)
        yield StoredImage(kept.name, sha256, size, seen)
    except BaseException:
        kept.unlink(missing_ok=True)
        raise


def _receive(upload: Any, arriving: Path) -> tuple[str, int]:
    digest, size, most = hashlib.sha256(), 0, largest_bytes()
    with arriving.open("xb") as file:
        for piece in upload.chunks():
            size += len(piece)
            if size > most:
                raise Refused(
                    _("The file is larger than %(mb)d MB.") % {"mb": most // _MEGA},
                    code="too_large",
                )
            digest.update(piece)
            file.write(piece)
    arriving.chmod(0o600)
    return digest.hexdigest(), size


def _judged(path: Path) -> SeenImage:
    try:
        return look_at(path)
    except NotAnImage as error:
        raise Refused(problem_words(error.code), code="no_image") from error


def problem_words(code: str) -> str:
    """Why a file cannot be shown, in the reader's language."""
    return {
        "too_large": _(
            "The picture has more than %(most)d megapixels: save it as a whole-slide image."
        )
        % {"most": MOST_PIXELS // _MEGA},
        "no_levels": _("The image has no smaller levels: save it as a pyramid."),
        "broken": _("The image is broken: it cannot be read to its end."),
    }.get(code, _("The file is no image: neither a whole-slide image nor a PNG, JPEG or TIFF."))
