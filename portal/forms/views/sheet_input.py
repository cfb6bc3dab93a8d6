"""What a browser sends of a sheet, as the services take it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, QueryDict

from portal.forms.fields import at_of
from portal.forms.models import UnsavedInput
from portal.forms.presentation import Page
from portal.forms.rules.definition import Form, Kind
from portal.forms.rules.merging import THEIRS, YOURS

CHOICE = "merge-choice-"
UPLOAD = "file:"
SEEN = "merge_version"
_LARGEST = 2**62


def typed_of(
    form: Form, sent: QueryDict, page: Page | None = None, unsaved: UnsavedInput | None = None
) -> dict[str, str]:
    """What was typed, by field. With ``page``: less what stands there as it was saved.

    A page sends every field. What the person did not touch is no change of theirs: it would be one
    where typing cannot say all of a value, such as the seconds of a moment.
    """
    found = {}
    for name in sent:
        at = None if name.endswith("-") else at_of(form, name)
        if at is None and not _rows_of(form, name):
            continue
        texts = sent.getlist(name)
        if at is not None and not name.endswith("!"):
            several = form.spots[at.item].item.kind is Kind.MULTIPLE_CHOICE
            texts = ["\n".join(filter(None, texts))] if several else texts
        # of a tick and the empty field before it the last one counts
        found[name] = texts[-1]
    if page is None:
        return found
    known = {each.name: each for each in page.fields()}
    mine = unsaved.typed if unsaved is not None else {}
    return {
        name: text
        for name, text in found.items()
        if name in mine or not _stands(known.get(name.removesuffix("!")), name, text)
    }


def _rows_of(form: Form, name: str) -> bool:
    group = form.groups.get(name.removesuffix("-")) if name.endswith("-") else None
    return group is not None and group.repeats


def _stands(field: Any, name: str, text: str) -> bool:
    if field is None:
        return False
    standing = field.reason if name.endswith("!") else field.typed
    return bool(text.replace("\r\n", "\n") == standing.replace("\r\n", "\n"))


@dataclass(frozen=True)
class RowAct:
    """A row added or taken away by a button, and where on the page that was."""

    typed: dict[str, str]
    anchor: str


def rows_typed(sent: QueryDict, page: Page) -> RowAct | None:
    """What the buttons for rows say: ``add`` has the further row's first field, ``remove`` the
    group and the row's number."""
    for part in page.parts():
        if part.more and part.next and sent.get("add") == part.next:
            return RowAct({part.next: ""}, part.id)
        for row in part.rows if part.fewer else ():
            if sent.get("remove") == f"{part.code}:{row.number}":
                gone = [*filter(None, part.gone.split(",")), str(row.number)]
                return RowAct({f"{part.code}-": ",".join(gone)}, part.id)
    return None


def uploads_of(request: HttpRequest) -> Iterator[tuple[str, UploadedFile]]:
    """The files sent, by the field they are for."""
    for name, sent in request.FILES.items():
        if name.startswith(UPLOAD) and isinstance(sent, UploadedFile):
            yield name.removeprefix(UPLOAD), sent


def choices_of(request: HttpRequest, sheet: Any) -> dict[str, str]:
    """Whose answers were chosen on the merge screen; none where somebody saved since it showed."""
    if number_of(request, SEEN) != sheet.version:
        return {}
    return {
        name.removeprefix(CHOICE): request.POST[name]
        for name in request.POST
        if name.startswith(CHOICE) and request.POST[name] in (THEIRS, YOURS)
    }


def number_of(request: HttpRequest, name: str) -> int:
    """A whole number that was sent; 0, older than everything, for what is none."""
    text = request.POST.get(name, "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return number if number < _LARGEST else 0
