"""Forms that are designed, for the table of who may: one of each state at a unit."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from portal.forms.models import FormDesign, FormVersion
from portal.organisation.models import Unit
from tests.support.definitions import form_json, item


def forms_of(unit: Unit) -> dict[str, Any]:
    """A form with a draft, and one with a published version."""
    made = {}
    for state in ("draft", "published"):
        design = FormDesign.objects.create(
            area="digital_review", unit=unit, code=f"form_{state}", title=f"Form {state}"
        )
        made[f"{state}_design"] = design
        made[f"{state}_form_version"] = FormVersion.objects.create(
            design=design,
            number=1,
            state=state,
            content=form_json(item("A"), code=design.code),
            published_at=timezone.now() if state == "published" else None,
        )
    return made
