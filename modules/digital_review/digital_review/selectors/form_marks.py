"""How far the forms of a case are: a mark each, with a word for who sees no colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from digital_review.models import CaseForm, FormSlot

MISSING, DRAFT, COMPLETE, SIGNED = "missing", "draft", "complete", "signed"


@dataclass(frozen=True)
class FormMark:
    """One form of a case, as a small icon."""

    title: str
    state: str
    """``missing``, ``draft``, ``complete`` or ``signed``."""
    form_id: int | None = None

    @property
    def words(self) -> str:
        return {
            MISSING: _("missing"),
            DRAFT: _("draft"),
            COMPLETE: _("complete"),
            SIGNED: _("signed"),
        }[self.state]

    @property
    def icon(self) -> str:
        return {MISSING: "warning", DRAFT: "pencil", COMPLETE: "check", SIGNED: "signature"}[
            self.state
        ]

    @property
    def tone(self) -> str:
        return {MISSING: "amber", DRAFT: "grey", COMPLETE: "blue", SIGNED: "green"}[self.state]


def marks_of(slots: Sequence[FormSlot], forms: Iterable[CaseForm]) -> tuple[FormMark, ...]:
    """A mark for each form that the case needs or has; of one that repeats, the newest."""
    newest = {form.slot_id: form for form in forms}  # in the order of their numbers
    shown = [slot for slot in slots if slot.needed or slot.pk in newest]
    return tuple(_mark(slot, newest.get(slot.pk)) for slot in shown)


def _mark(slot: FormSlot, form: CaseForm | None) -> FormMark:
    return FormMark(slot.title, state_of(form), form.pk if form else None)


def state_of(form: CaseForm | None) -> str:
    """How far a form is. One that nobody has saved yet counts as missing."""
    if form is None:
        return MISSING
    if form.status == CaseForm.Status.DRAFT:
        return MISSING if form.version == 1 else DRAFT
    if form.status == CaseForm.Status.LOCKED and form.signature_id is not None:
        return SIGNED
    return COMPLETE
