"""The findings of a meeting, and whose signature each waits for (DR-061)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from digital_review.models import AgendaItem, CaseForm, Meeting
from digital_review.selectors.meetings import items_of
from digital_review.services.signing import may_sign
from digital_review.services.telling import responsible_for


@dataclass(frozen=True)
class Finding:
    item: AgendaItem
    form: CaseForm
    mine: bool
    """It waits for the signature of the person who asks."""
    signers: tuple[Any, ...]
    """Who is responsible for the outcome; nobody named: whoever signs reviews."""

    @property
    def signed(self) -> bool:
        return self.form.signature_id is not None


def findings_of(user: Any, meeting: Meeting) -> list[Finding]:
    """Of every patient discussed, in the order of the list."""
    items = items_of(user, meeting).filter(status="discussed", form__isnull=False)
    found = []
    for item in items.select_related("form__form_version", "form__signature"):
        form = item.form
        form.case = item.case
        signers = tuple(responsible_for(item.case)) if form.signature_id is None else ()
        found.append(Finding(item, form, may_sign(user, form), signers))
    return found
