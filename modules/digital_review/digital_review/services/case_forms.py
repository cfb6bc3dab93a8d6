"""The forms of a case: who fills them in, what follows when they are saved or complete.

Filling in itself is the portal's (`portal.forms.services.sheets`), with these `RULES`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _

from digital_review.models import AgendaItem, Case, CaseForm, FormSlot, Meeting
from digital_review.models.reach import BUREAU, FILL, LEAD, MINUTES, PATHOLOGY, TAKE_PART
from digital_review.rules.conduct import Role
from digital_review.selectors.facts import names_beyond
from digital_review.selectors.room import on_the_table
from digital_review.selectors.topics import announce_form, form_topic
from digital_review.services.conduct import ask_to_sign, refresh
from digital_review.services.registry import write_form
from digital_review.services.telling import form_path, people_of, tell
from portal.access.decision import can
from portal.forms.services.sheets import SheetRules
from portal.records.errors import Refused
from portal.records.services import locked

FILLS: Mapping[str, tuple[str, ...]] = {
    FormSlot.FilledBy.HOSPITAL: (FILL, BUREAU),
    FormSlot.FilledBy.PATHOLOGIST: (PATHOLOGY,),
    FormSlot.FilledBy.MEETING: (MINUTES, LEAD),
    FormSlot.FilledBy.REVIEWERS: (TAKE_PART,),
}
"""Any of these privileges, on the form."""


def may_fill(actor: Any, form: CaseForm) -> bool:
    """Whether the form is the actor's to fill in, as far as their roles go."""
    return any(can(actor, privilege, form) for privilege in FILLS[form.slot.filled_by])


def require_fill(actor: Any, form: CaseForm) -> None:
    """PermissionDenied for who may not; Refused (``not_the_writer``, ``on_the_table``) for who may
    not now.

    While a meeting is held, the form on its table is written by who has the pen, and the patient's
    other forms stay as they are (DR-060, section 13 no. 3).
    """
    if not may_fill(actor, form):
        msg = f"one of {', '.join(FILLS[form.slot.filled_by])} is needed"
        raise PermissionDenied(msg)
    meeting = on_the_table(form.case_id)
    if meeting is not None and form.slot.filled_by != FormSlot.FilledBy.MEETING:
        raise Refused(
            _("The meeting discusses this patient now: its forms are closed meanwhile."),
            code="on_the_table",
        )
    writer = writer_of(form)
    if writer is not None and writer != actor:
        raise Refused(
            _("The meeting is on: %(writer)s writes this form.") % {"writer": writer},
            code="not_the_writer",
        )


def writer_of(form: CaseForm) -> Any:
    """Who holds the pen of the running meeting that writes this form; None outside one."""
    if form.slot.filled_by != FormSlot.FilledBy.MEETING:
        return None
    item = (
        AgendaItem.objects.filter(form=form, meeting__status=Meeting.Status.RUNNING)
        .select_related("meeting__writer", "meeting__secretary")
        .first()
    )
    return None if item is None else item.meeting.writer or item.meeting.secretary


# --- what follows -------------------------------------------------------------------------------


def case_of(form: CaseForm) -> Case:
    """The form's case, locked; a form is locked before its case, always."""
    cases = Case.objects.select_related("flow_version__design", "review_type__unit", "patient")
    form.case = locked(cases, form.case_id)
    return form.case


def after_saving(actor: Any, form: CaseForm, changed: Collection[str]) -> None:
    refresh(actor, case_of(form))
    announce_form(form, "saved")


def after_completing(actor: Any, form: CaseForm) -> None:
    """UC6, UC17: the trial bureau and the review manager are told; so is who signs."""
    case = case_of(form)
    refresh(actor, case)
    if form.slot.filled_by in (FormSlot.FilledBy.HOSPITAL, FormSlot.FilledBy.PATHOLOGIST):
        tell(
            [*people_of(Role.TRIAL_BUREAU, case), *people_of(Role.MANAGER, case)],
            _("%(form)s of patient %(patient)s is complete."),
            {"form": form.slot.title, "patient": case.patient.number},
            path=form_path(form),
            subject=_("Digital Review: a form is complete"),
            but=actor,
        )
    ask_to_sign(form, but=actor)
    write_form(form)
    announce_form(form, "completed")


def after_reopening(actor: Any, form: CaseForm) -> None:
    """What the form decided is open again."""
    case = case_of(form)
    if form.slot.code == case.review_type.diagnosis.partition(".")[0] and case.outcome is not None:
        case.outcome = case.classified_on = None
        case.save()
    refresh(actor, case)
    write_form(form)
    announce_form(form, "reopened")


RULES = SheetRules(
    model=CaseForm,
    require_fill=require_fill,
    topic=lambda form: form_topic(form.pk),
    outside=names_beyond,
    saved=after_saving,
    completed=after_completing,
    reopened=after_reopening,
)
