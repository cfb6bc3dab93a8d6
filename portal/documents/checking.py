"""Is this PDF, which somebody holds, one that the portal issued, and is it in force?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal import serverkeys
from portal.documents.models import IssuedDocument
from portal.documents.sealing import SealState, verify_seal


class Finding(models.TextChoices):
    """What can be said of a PDF."""

    IN_FORCE = "in_force", _("Issued by this portal, and in force")
    SUPERSEDED = "superseded", _("Issued by this portal, but superseded")
    ALTERED = "altered", _("Altered since it was sealed")
    UNKNOWN = "unknown", _("Sealed by this portal, but not among its documents")
    FOREIGN = "foreign", _("Not issued by this portal")


@dataclass(frozen=True)
class Checked:
    """The finding, and the document's record where there is one."""

    finding: Finding
    document: IssuedDocument | None = None


def check_pdf(pdf: bytes) -> Checked:
    """Compare by hash with what was issued; a PDF that is not among it is judged by its seal."""
    sha256 = hashlib.sha256(pdf).hexdigest()
    document = (
        IssuedDocument.objects.filter(sha256=sha256)
        .select_related("supersession")
        .defer("pdf", "data")
        .first()
    )
    if document is not None:
        superseded = hasattr(document, "supersession")
        return Checked(Finding.SUPERSEDED if superseded else Finding.IN_FORCE, document)
    seal = verify_seal(pdf, serverkeys.load_sealing_certificates())
    return Checked(
        {SealState.INTACT: Finding.UNKNOWN, SealState.MODIFIED: Finding.ALTERED}.get(
            seal, Finding.FOREIGN
        )
    )
