"""PDFs out of data and a typst template.

A template is program text of ours; data is whatever people typed. The two never mix: data reaches
typst as one JSON value, which a template places as text, so `#read("/etc/passwd")` in a comment is
printed as those characters.

A template begins

    #import "house.typ": house, data
    #show: house

Both are brought together in a scratch folder, which is all of the disk that typst can see: the
template's own folder (so that it may import or show what lies beside it) and the house's.
"""

import datetime as dt
import functools
import json
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typst

from portal.signing.canonical import NotCanonicalError, canonical, digest

HOUSE = Path(__file__).parent / "templates" / "documents"

# Archivable (PDF/A-2a) and readable by a screen reader (PDF/UA-1).
_STANDARDS: Any = ["a-2a", "ua-1"]
_PIXELS_PER_INCH = 110
# Letters of Europe, which the embedded fonts are known to have; others are tried one by one.
_PRINTED_ANYWAY = re.compile(r"[\n\t\x20-\x7e\xa0-\u017f]*")


class RenderError(Exception):
    """A document could not be made; the text says where in the template or the data."""


def render_pdf(template: str | Path, data: Mapping[str, Any], *, root: Path | None = None) -> bytes:
    """Render `template` (a path, or typst text) with `data` as PDF/A-2a and PDF/UA-1.

    The same template and data give the same bytes on every machine: only the fonts inside typst
    are used, and the PDF's own date is `data["document"]["issued_at"]` (a datetime or ISO 8601 text
    with a zone; 1970-01-01 where there is none). `root` is the folder whose files the template may
    use; without it a path's own folder, and none for text. The SHA-256 in the footer is that of
    `canonical(data)`. A character that no font has, or that hides or turns other text, is printed
    as its number, `[U+1F600]`. `RenderError` for all that goes wrong.
    """
    return _render(template, data, root, format="pdf", pdf_standards=_STANDARDS)[0]


def render_png(
    template: str | Path, data: Mapping[str, Any], *, root: Path | None = None
) -> list[bytes]:
    """The pages that `render_pdf` would give, as pictures to look at."""
    return _render(template, data, root, format="png", ppi=_PIXELS_PER_INCH)


def _render(
    template: str | Path, data: Mapping[str, Any], root: Path | None, **how: Any
) -> list[bytes]:
    try:
        written = canonical(data)
    except NotCanonicalError as error:
        raise RenderError(f"The document's data cannot be written as JSON. {error}") from error
    shown = _printable(json.loads(written))
    with tempfile.TemporaryDirectory(prefix="document-") as scratch:
        folder = Path(scratch).resolve()
        main = _lay_out(template, root, folder)
        try:
            made = typst.compile(
                str(main),
                root=str(folder),
                font_paths=_fonts(),
                ignore_system_fonts=True,
                sys_inputs={"data": json.dumps(shown), "data_sha256": digest(written)},
                timestamp=_issued_at(shown),
                package_path=str(folder / "no-packages"),
                package_cache_path=str(folder / "no-packages"),
                **how,
            )
        except typst.TypstError as error:
            raise RenderError(_explain(error, folder)) from error
    return made if isinstance(made, list) else [made]


def _lay_out(template: str | Path, root: Path | None, folder: Path) -> Path:
    """Put the template, what lies beside it and the house into `folder`; the template's place."""
    place = Path("main.typ")
    if isinstance(template, Path):
        if not template.is_file():
            raise RenderError(f"There is no template {template.name} in {template.parent}.")
        root = root or template.parent
        if not template.resolve().is_relative_to(root.resolve()):
            raise RenderError(f"The template {template.name} is not below its root folder.")
        place = template.resolve().relative_to(root.resolve())
    if root is not None:
        shutil.copytree(
            root, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__")
        )
    for part in HOUSE.iterdir():
        if (folder / part.name).exists():
            raise RenderError(f"{part.name} is the house's name: call the template's another.")
        shutil.copy(part, folder)
    main = folder / place
    if isinstance(template, str):
        main.write_text(template, encoding="utf-8")
    for source in folder.rglob("*.typ"):
        # typst would fetch it from the network, and print something else when that changes.
        if "@preview/" in source.read_text(encoding="utf-8"):
            raise RenderError(f"{source.relative_to(folder)} imports a package from the network.")
    return main


@functools.cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)


def _issued_at(data: dict[str, Any]) -> int:
    document = data.get("document")
    written = document.get("issued_at") if isinstance(document, dict) else None
    if written is None:
        return 0
    try:
        moment = dt.datetime.fromisoformat(written)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise RenderError(f"document.issued_at: {written!r} is not a moment with a zone")
    return int(moment.timestamp())


def _explain(error: typst.TypstError, folder: Path) -> str:
    """typst's own words with place and hints, less the scratch folder's name."""
    told = (error.diagnostic or error.message).strip()
    hints = "".join(f"\nhint: {hint}" for hint in error.hints if hint not in told)
    # typst names the folder as seen from where this process stands: absolute, or from its side
    return re.sub(rf"[^\s:]*{re.escape(folder.name)}/?", "", f"{told}{hints}")


# --- characters that cannot be printed ------------------------------------------------------------


def _printable(value: Any) -> Any:
    """Replace in every text what cannot be printed, or would mislead, by its number."""
    if isinstance(value, dict):
        return {key: _printable(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if not isinstance(value, str) or _PRINTED_ANYWAY.fullmatch(value):
        return value
    return "".join(
        char if _PRINTED_ANYWAY.fullmatch(char) or _has_glyph(char) else f"[U+{ord(char):04X}]"
        for char in value
    )


@functools.lru_cache(maxsize=4096)
def _has_glyph(char: str) -> bool:
    """Whether typst's fonts show `char` as something one sees; marks of direction are not."""
    if unicodedata.category(char) in {"Cc", "Cf", "Cn", "Co", "Cs"}:
        return False
    try:
        # PDF/A forbids a missing glyph, so typst says so. The letter carries a combining mark.
        typst.compile(
            b"#set document(title: [x])\n#sys.inputs.char",
            font_paths=_fonts(),
            ignore_system_fonts=True,
            sys_inputs={"char": f"o{char}"},
            timestamp=0,
            pdf_standards=_STANDARDS,
        )
    except typst.TypstError:
        return False
    return True
