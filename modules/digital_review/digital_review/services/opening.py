"""Beginning a form of a case: on the published version, with what is known already filled in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.interfaces.laboratory import Measured, same_unit
from digital_review.models import Case, CaseForm, FormSlot
from digital_review.rules.conduct import Role
from digital_review.selectors.facts import facts_of, of_round
from digital_review.selectors.topics import announce_form
from digital_review.services.telling import form_path, people_of, tell
from portal.audit.services import record
from portal.forms.rules.answers import Answers, At, first_answers
from portal.forms.rules.definition import TEXTS, Form, Item
from portal.forms.rules.values import BadValue, Missing, Value, from_json, to_json
from portal.forms.selectors import latest, put_answers, usable
from portal.records.errors import Refused
from portal.records.personal import unmasked

REGISTRY, LABORATORY, CASE = "registry", "laboratory", "case"
"""Where first values come from: two outside systems, and the case's own forms (``precrf.A8``)."""
Known = Mapping[str, Mapping[str, Any]]
"""By source and field."""

FILLED_BY: Mapping[str, Role] = {
    FormSlot.FilledBy.HOSPITAL: Role.DATAMANAGER,
    FormSlot.FilledBy.PATHOLOGIST: Role.PATHOLOGIST,
    FormSlot.FilledBy.REVIEWERS: Role.CLINICIAN,
}
"""Who is told that a form waits. The meeting's form waits for nobody outside the meeting."""


def open_form(
    *,
    actor: Any,
    case: Case,
    slot: FormSlot,
    due_on: date | None = None,
    known: Known | None = None,
) -> CaseForm:
    """A new form of the slot, or the one that is open already; who fills it in is told.

    Within the caller's transaction, on a locked case. ``known``: what outside systems said.
    Refused (``no_version``) while no version of the form is published.
    """
    last = _last(case, slot)
    if last is not None and not _begins_anew(case, last):
        return last
    version = latest(slot.design)
    if version is None:
        raise Refused(
            _("No version of the form “%(form)s” is published.") % {"form": slot.title},
            code="no_version",
        )
    now = timezone.now()
    ever = CaseForm.all_objects.filter(case=case, slot=slot)
    highest = ever.aggregate(most=Max("number"))["most"]
    form = CaseForm(
        case=case,
        slot=slot,
        form_version=version,
        number=(highest or 0) + 1,
        asked_at=now,
        due_on=due_on or _due_on(case, slot),
    )
    put_answers(form, begun_with(case, usable(version).form, known or {}))
    form.save()
    record("digital_review.form_opened", form, data={"slot": slot.code, "number": form.number})
    announce_form(form, "opened")
    ask_for(form, but=actor)
    return form


def _last(case: Case, slot: FormSlot) -> CaseForm | None:
    forms = CaseForm.objects.filter(case=case, slot=slot).select_related("form_version", "slot")
    return forms.order_by("-number").first()


def _begins_anew(case: Case, last: CaseForm) -> bool:
    """Whether there is to be another form of the slot: a follow-up after a complete one, what is
    answered in each round in a new round."""
    if last.slot.repeats and last.slot.filled_by == FormSlot.FilledBy.HOSPITAL:
        return last.status != CaseForm.Status.DRAFT
    began_at = case.round_began_at
    return of_round(last.slot) and began_at is not None and last.asked_at < began_at


def _due_on(case: Case, slot: FormSlot) -> date | None:
    """A form that the hospital fills in is asked for within a term (DR-071); others have none."""
    if slot.filled_by != FormSlot.FilledBy.HOSPITAL:
        return None
    return timezone.localdate() + timedelta(days=case.review_type.reminder_days)


def ask_for(form: CaseForm, *, but: Any = None) -> list[Any]:
    """Tell who is to fill the form in."""
    role = FILLED_BY.get(form.slot.filled_by)
    if role is None:
        return []
    return tell(
        people_of(role, form.case),
        _("%(form)s of patient %(patient)s waits to be filled in."),
        {"form": form.slot.title, "patient": form.case.patient.number},
        path=form_path(form),
        subject=_("Digital Review: a form waits to be filled in"),
        but=but,
    )


# --- first values -------------------------------------------------------------------------------


def begun_with(case: Case, form: Form, known: Known) -> Answers:
    """Defaults, then what the items' sources say: a value that does not fit is left out."""
    answers = first_answers(form)
    sources = [spot.item for spot in form.spots.values() if spot.item.first_value and not spot.rows]
    if not sources:
        return answers
    with unmasked():
        values = {**known, REGISTRY: {**known.get(REGISTRY, {}), **_of_patient(case)}}
    if any(item.first_value.connector == CASE for item in sources if item.first_value):
        values[CASE] = facts_of(case)
    for item in sources:
        if item.first_value is None:
            continue
        found = values.get(item.first_value.connector, {}).get(item.first_value.field)
        value = fitting(form, item, found)
        if value is not None:
            answers = answers.given(form, At(item.code), value)
    return answers


def _of_patient(case: Case) -> dict[str, Any]:
    """What the registry said when the case began, as it was verified and kept."""
    patient = case.patient
    return {
        "number": patient.number,
        "initials": patient.initials,
        "born_on": patient.born_on,
        "hospital": patient.hospital.name,
        "hospital_code": patient.hospital.code,
    }


def fitting(form: Form, item: Item, value: Any) -> Value | None:
    """The value as an answer of the item; None where it is none, or says that it is missing."""
    if isinstance(value, Measured):  # in another unit it would be another value
        if not same_unit(value.unit, item.unit):
            return None
        value = value.value
    if value is None or value == "" or isinstance(value, Missing):
        return None
    data = to_json(value)
    for each in (data, str(data)) if item.kind in TEXTS else (data,):
        try:
            return from_json(form, item, each)
        except BadValue:
            continue
    return None
