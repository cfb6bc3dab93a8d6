"""Forms go to the registry when they are complete, signed, and opened again (DR-093)."""

from __future__ import annotations

from digital_review.models import CaseForm
from digital_review.selectors.registry import FORM, REGISTRY, is_written, key_of, written
from portal.connectors.services import write


def write_form(form: CaseForm) -> None:
    """Queue the form as it is now, within the caller's transaction; delivered after it, once.

    Nothing happens where no registry is declared that takes forms, or no item is written there.
    """
    if not is_written(form):
        return
    write(
        REGISTRY,
        FORM,
        key_of(form),
        written(form),
        idempotency_key=f"digital_review/form/{form.pk}/{form.version}",
    )
