"""What holds for the set-up of review types; adding, changing and ending is the portal's."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from digital_review.models import (
    Case,
    CaseForm,
    FormSlot,
    Letter,
    Meeting,
    Opinion,
    Outcome,
    OutcomeSpecialist,
    ReviewType,
)
from digital_review.models.reach import SET_UP, SIGN_REVIEW
from digital_review.rules.conduct import RESERVED, WORKING
from digital_review.selectors.setup import what_is_wrong
from digital_review.setup_words import told
from portal.access.decision import can
from portal.forms.rules.definition import CODE
from portal.operations.setup.services import Doubt, SetupRules, Use
from portal.records.errors import Refused

_AREA = "digital_review"
_MOST_DAYS = 366


def require_whole(review_type: ReviewType) -> None:
    """Refused (``not_whole``, with every sentence) unless cases of the type can be started."""
    wrong = [told(each) for each in what_is_wrong(review_type) if each.blocks]
    if wrong:
        raise Refused(
            _("Cases of %(type)s cannot be started yet: something in its set-up is wrong.")
            % {"type": review_type},
            code="not_whole",
            details=wrong,
        )


# --- review types ---------------------------------------------------------------------------------


def _forbid_type(new: ReviewType, old: ReviewType | None) -> None:
    if new.flow.area != _AREA:
        raise Refused(_("This flow is not one of Digital Review."), code="other_area")
    for name in ("cadence_months", "follow_up_months"):
        if not 1 <= getattr(new, name) <= 60:
            raise Refused(_("Months: from 1 to 60."), code="months")
    days = ("reminder_days", "reminder_days_before", "information_days_before",
            "report_days_before")  # fmt: skip
    if any(not 1 <= getattr(new, name) <= _MOST_DAYS for name in days):
        raise Refused(_("Days: from 1 to %(most)s.") % {"most": _MOST_DAYS}, code="days")
    for name in ("working_diagnosis", "local_diagnosis", "diagnosis"):
        value = getattr(new, name)
        parts = value.split(".")
        if value and (len(parts) != 2 or not all(map(CODE.fullmatch, parts))):
            raise Refused(
                _("“%(value)s” names no answer: write the form's code, a point, the item's code.")
                % {"value": value},
                code="no_answer",
            )


def _type_doubts(new: ReviewType, old: ReviewType | None) -> list[Doubt]:
    if old is not None and new.flow_id != old.flow_id:
        cases = Case.objects.filter(review_type=new).count()
        if cases:
            text = _("%(cases)s cases stay on the old flow; only new ones begin on this one.")
            return [Doubt("other_flow", str(text % {"cases": cases}))]
    if new.information_days_before <= new.report_days_before:
        return [
            Doubt(
                "late_information",
                str(_("The pathologist is to report before the information is sent.")),
            )
        ]
    return []


REVIEW_TYPES = SetupRules(
    ReviewType,
    SET_UP,
    taken=_("There is a review type with this code already."),
    forbids=_forbid_type,
    doubts=_type_doubts,
    fixed=("unit", "code"),
    uses=(
        Use(_("Cases"), lambda row: Case.objects.filter(review_type=row)),
        Use(_("Meetings"), lambda row: Meeting.objects.filter(review_type=row)),
    ),
)

# --- its forms ------------------------------------------------------------------------------------


def _forbid_slot(new: FormSlot, old: FormSlot | None) -> None:
    if not CODE.fullmatch(new.code) or new.code in RESERVED | WORKING:
        raise Refused(
            _("“%(code)s” cannot be a name in rules: a letter, then letters, digits and _.")
            % {"code": new.code},
            code="bad_code",
        )
    if new.design.area != _AREA:
        raise Refused(_("This form is not one of Digital Review."), code="other_area")
    by_meeting = new.filled_by == FormSlot.FilledBy.MEETING
    if by_meeting != (new.begins == FormSlot.Begins.MEETING):
        raise Refused(
            _("A form begins with the meeting when the meeting fills it in, and only then."),
            code="begins",
        )
    if new.needed and by_meeting:
        raise Refused(
            _("The meeting's own form cannot be needed before the meeting."), code="needed"
        )


def _slot_doubts(new: FormSlot, old: FormSlot | None) -> list[Doubt]:
    if old is None:
        return []
    begun = CaseForm.objects.filter(slot=new).count()
    if begun and new.design_id != old.design_id:
        text = _("%(forms)s forms that were begun stay on the old form.")
        return [Doubt("other_form", str(text % {"forms": begun}))]
    if begun and new.filled_by != old.filled_by:
        text = _("Who may fill in and see %(forms)s forms that were begun changes too.")
        return [Doubt("other_filler", str(text % {"forms": begun}))]
    return []


SLOTS = SetupRules(
    FormSlot,
    SET_UP,
    taken=_("The review type has a form with this code already."),
    forbids=_forbid_slot,
    doubts=_slot_doubts,
    fixed=("review_type", "code"),
    uses=(Use(_("Forms of cases"), lambda row: CaseForm.objects.filter(slot=row)),),
)

# --- its outcomes, and who signs ------------------------------------------------------------------


def _outcome_doubts(new: Outcome, old: Outcome | None) -> list[Doubt]:
    if old is None or new.met == old.met:
        return []
    cases = Case.objects.filter(outcome=new).count()
    text = _("%(cases)s cases ended in this outcome, as it was then.")
    return [Doubt("met", str(text % {"cases": cases}))] if cases else []


OUTCOMES = SetupRules(
    Outcome,
    SET_UP,
    taken=_("The review type has an outcome with this code already."),
    doubts=_outcome_doubts,
    fixed=("review_type", "code"),
    uses=(
        Use(_("Cases"), lambda row: Case.objects.filter(outcome=row)),
        Use(_("Opinions"), lambda row: Opinion.objects.filter(outcome=row)),
        Use(_("Letters"), lambda row: Letter.objects.filter(outcome=row)),
    ),
)


def _specialist_doubts(new: OutcomeSpecialist, old: OutcomeSpecialist | None) -> list[Doubt]:
    if can(new.person, SIGN_REVIEW, new.outcome.review_type):
        return []
    text = _("%(person)s cannot sign reviews of %(type)s yet: a role for that is needed.")
    facts = {"person": new.person, "type": new.outcome.review_type}
    return [Doubt("cannot_sign", str(text % facts))]


SPECIALISTS = SetupRules(
    OutcomeSpecialist,
    SET_UP,
    taken=_("The person is named for this outcome already."),
    doubts=_specialist_doubts,
    fixed=("outcome", "person"),
)
