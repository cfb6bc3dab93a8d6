"""The list of patients on paper (DR-094): printed as its reader sees it, and not kept."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from digital_review.selectors.overview import COLUMNS, CaseRow
from portal.documents import paper
from portal.documents.rendering import render_pdf

DOCUMENTS = Path(__file__).parent.parent / "documents"


def patient_list_pdf(which: Any, rows: list[CaseRow]) -> bytes:
    """A table of the patients, personal data as the person of the current act may see it."""
    now = timezone.now()
    with paper.document_language():
        columns = [column for column in COLUMNS if column.on_paper]
        data = {
            "which": str(which),
            "count": str(len(rows)),
            "heads": [str(column.label) for column in columns],
            "rows": [[_text(column.cell(row)) for column in columns] for row in rows],
            "labels": {"list": _("List"), "patients": _("Patients")},
        }
        whole = paper.complete(
            data,
            title=_("Patients in review"),
            number=f"{timezone.localtime(now):%Y-%m-%d %H:%M}",
            revision=1,
            issued_at=now,
        )
    return render_pdf(DOCUMENTS / "patient_list.typ", whole)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return date_format(value, "SHORT_DATE_FORMAT") if isinstance(value, date) else str(value)
