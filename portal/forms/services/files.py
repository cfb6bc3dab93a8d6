"""Files given as answers: taken in, and found again for who may see the sheet."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePath
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _

from portal.access.masking import may_see_personal
from portal.audit.services import Access, log_access, record
from portal.forms.fields import at_of
from portal.forms.models import AnswerFile, Sheet
from portal.forms.rules.definition import Kind
from portal.forms.selectors import usable
from portal.forms.services.sheets import SheetRules, to_fill
from portal.records.errors import Refused
from portal.records.services import writes

MOST_BYTES = 20 * 1024 * 1024
SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
"""How the files that are taken in begin: paper as it is scanned or photographed. What a browser
says of a file's type, and its name's ending, are anybody's claim."""
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\]")


@writes
def add_file(
    rules: SheetRules, *, actor: Any, sheet_id: int, name: str, called: str, content: bytes
) -> AnswerFile:
    """Take in a file for the field ``name``; its answer is typed as `typed_file` says.

    Refused: ``gone``, ``closed``, ``no_field``, ``masked``, ``too_large``, ``empty``,
    ``unknown_type``.
    """
    sheet = to_fill(rules, actor, sheet_id)
    form = usable(sheet.form_version).form
    at = at_of(form, name)
    item = form.spots[at.item].item if at is not None else None
    if item is None or item.kind is not Kind.FILE or not item.editable:
        raise Refused(_("No file is asked for here."), code="no_field")
    if item.personal and not may_see_personal(sheet):
        raise Refused(_("You may not see this, so you cannot change it."), code="masked")
    if not content:
        raise Refused(_("The file is empty."), code="empty")
    if len(content) > MOST_BYTES:
        megabytes = MOST_BYTES // 1024 // 1024
        text = _("The file is larger than %(most)s MB.") % {"most": megabytes}
        raise Refused(text, code="too_large")
    media_type = next((found for start, found in SIGNATURES if content.startswith(start)), "")
    if not media_type:
        raise Refused(_("Only PDF, PNG, JPEG and TIFF files are taken in."), code="unknown_type")
    file = AnswerFile.objects.create(
        sheet_type=rules.name,
        sheet_id=sheet.pk,
        item=item.code,
        name=safe_name(called),
        media_type=media_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        uploaded_by=actor,
    )
    record("forms.file_added", sheet, data={"item": item.code, "sha256": file.sha256})
    log_access(Access.ADD, sheet, data={"file": file.pk})
    return file


def typed_file(file: AnswerFile) -> str:
    """The file as it is typed into its field."""
    return f"{file.pk} {file.name}"


def safe_name(called: str) -> str:
    """A file's name as people called it, without folders and what no name should have."""
    name = unicodedata.normalize("NFC", PurePath(called.replace("\\", "/")).name)
    name = " ".join(_NOT_IN_NAMES.sub(" ", name).split())
    return "file" if name in ("", ".", "..") else name[-200:].strip()


def file_of(rules: SheetRules, sheet: Sheet, key: int) -> AnswerFile:
    """A file of the sheet, for its reader: PermissionDenied where it is personal to others.

    AnswerFile.DoesNotExist where the sheet has no such file. The access log gets it as an export.
    """
    file = AnswerFile.objects.get(pk=key, sheet_type=rules.name, sheet_id=sheet.pk)
    spot = usable(sheet.form_version).form.spots.get(file.item)
    if (spot is None or spot.item.personal) and not may_see_personal(sheet):
        raise PermissionDenied
    log_access(Access.EXPORT, sheet, data={"file": file.pk, "sha256": file.sha256})
    return file
