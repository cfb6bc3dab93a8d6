"""The tab *Forms* of a patient's page: the forms side by side, to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language

from digital_review.models import Case, CaseForm, FormSlot
from digital_review.selectors.facts import names_beyond
from digital_review.selectors.form_marks import FormMark, state_of
from digital_review.views.case_contents import forms_of
from portal.forms.presentation import Page, present
from portal.forms.selectors import read_sheet

_BESIDE = (FormSlot.FilledBy.HOSPITAL, FormSlot.FilledBy.PATHOLOGIST)


@dataclass(frozen=True)
class ShownForm:
    """A form of the case, to read."""

    form: CaseForm
    mark: FormMark
    page: Page
    first: bool
    """Among those that stand side by side: the newest of its slot."""


def shown_forms(user: Any, case: Case) -> list[ShownForm]:
    """Every form that the person may see; the newest of the hospital's and the pathologist's
    first, side by side, the others folded below."""
    newest: set[int] = set()
    found = []
    for form in forms_of(user, case):
        form.case = case
        first = form.slot_id not in newest
        newest.add(form.slot_id)
        read = read_sheet(form, outside=names_beyond(form))
        found.append(
            ShownForm(
                form,
                FormMark(form.slot.title, state_of(form), form.pk),
                present(read, get_language() or "en"),
                first and form.slot.filled_by in _BESIDE and not form.slot.repeats,
            )
        )
    return sorted(found, key=lambda each: not each.first)
