"""The demo's review: patients go as far as their stage says, by the people whose work that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone

from digital_review.demo import patients as told
from digital_review.demo.patients import DemoPatient, Stage
from digital_review.demo.staff import DATA_MANAGER, DOCTOR, REVIEW
from digital_review.models import Case, CaseForm, Outcome, ReviewType
from digital_review.services.anamnesis import add_anamnesis
from digital_review.services.case_forms import RULES
from digital_review.services.cases import (
    PatientFacts,
    force_review,
    start_case,
)
from digital_review.services.conduct import CONDUCT
from digital_review.services.installing import install_review_type
from digital_review.services.setup import SPECIALISTS
from digital_review.services.signing import sign_form
from digital_review.services.slides import tick_slides_received
from portal.flows.services.cases import take_transition
from portal.forms.services.sheets import complete_sheet, save_sheet
from portal.operations.demo import LOADER
from portal.operations.setup.services import save_record
from portal.organisation.models import Unit

CODE = "mds-bmf"
_SIGNS = {
    "ewog_mds": "mds", "saa": "bmf", "vsaa": "bmf", "fanconi": "bmf", "cytopenia": "bmf",
    "none": "mds",
}  # fmt: skip
"""Who is responsible for which outcome."""


@dataclass
class Scene:
    """What the demo is made with: people by their part, units, opened signing keys."""

    people: dict[str, Any]
    units: dict[str, Unit]
    keys: dict[str, Any]
    """By what names the person in the demo."""
    review_type: ReviewType
    today: date = field(default_factory=timezone.localdate)

    def who(self, part: str) -> Any:
        return self.people[f"demo-review-{part}"]

    def key(self, part: str) -> Any:
        return self.keys[f"demo-review-{part}"]


def find_review() -> ReviewType | None:
    """The demo's review type, where it was made already."""
    return ReviewType.all_objects.filter(code=CODE).first()


def make_review(units: dict[str, Unit], people: dict[str, Any]) -> ReviewType:
    """The review type, with a responsible specialist for each outcome."""
    made = install_review_type(actor=LOADER, code=CODE, unit=units[REVIEW], reason="demo")
    for outcome in Outcome.objects.filter(review_type=made):
        person = people[f"demo-review-{_SIGNS[outcome.code]}"]
        save_record(
            actor=people["demo-review-manager"],
            rules=SPECIALISTS,
            values={"outcome": outcome, "person": person},
            reason="demo",
        )
    return made


def bring(scene: Scene, patient: DemoPatient) -> Case:
    """Begin the patient's case, and take it as far as its stage says."""
    case = _started(scene, patient)
    if patient.stage >= Stage.DRAFT:
        _pre_crf(scene, patient, case)
    if patient.stage >= Stage.SENT:
        take_transition(CONDUCT, actor=scene.who("bureau"), case_id=case.pk, code="send_info")
    if patient.stage >= Stage.SLIDES and patient.stage is not Stage.PATHOLOGY:
        tick_slides_received(actor=scene.who("pathologist"), case_id=case.pk, received=True)
    if patient.stage >= Stage.PATHOLOGY:
        _pathology(scene, patient, case)
    if patient.anamnesis:
        add_anamnesis(actor=scene.who("clinician"), case_id=case.pk, text=patient.anamnesis)
    if patient.forced:
        force_review(actor=scene.who("manager"), case_id=case.pk, reason=patient.forced)
    return Case.objects.get(pk=case.pk)


def _started(scene: Scene, patient: DemoPatient) -> Case:
    case = start_case(
        actor=scene.who("bureau"),
        review_type_id=scene.review_type.pk,
        patient=PatientFacts(
            patient.number,
            scene.units[patient.hospital].pk,
            patient.initials,
            patient.born_on,
            as_of=timezone.now(),
        ),
    )
    # begun when it is told that they were: services only know today
    case = Case.objects.get(pk=case.pk)
    case.registered_on = scene.today - timedelta(days=patient.days_ago)
    case.save()
    form = latest_form(case, "precrf")
    form.asked_at = timezone.now() - timedelta(days=patient.days_ago)
    form.due_on = case.registered_on + timedelta(days=scene.review_type.reminder_days)
    form.save()
    return case


def latest_form(case: Case, slot: str) -> CaseForm:
    """The latest form of the slot."""
    return CaseForm.objects.filter(case=case, slot__code=slot).order_by("-number")[0]


def _pre_crf(scene: Scene, patient: DemoPatient, case: Case) -> None:
    writer = scene.people[DATA_MANAGER[patient.hospital]]
    doctor = DOCTOR.get(patient.hospital)
    form = latest_form(case, "precrf")
    if patient.stage is Stage.DRAFT:
        save(form, writer, told.PARTLY)
        return
    name = scene.people[doctor].name if doctor else "Kirsten Bak"
    complete(form, writer, told.pre_crf(patient, scene.today, name))
    if doctor and patient.stage >= Stage.SIGNED:
        sign(form, scene.people[doctor], scene.keys[doctor])


def _pathology(scene: Scene, patient: DemoPatient, case: Case) -> None:
    pathologist, form = scene.who("pathologist"), latest_form(case, "pathology")
    complete(form, pathologist, told.pathology(patient, scene.today))
    sign(form, pathologist, scene.key("pathologist"))


def save(form: CaseForm, actor: Any, typed: Any) -> None:
    version = CaseForm.objects.get(pk=form.pk).version
    save_sheet(RULES, actor=actor, sheet_id=form.pk, typed=typed, opened_version=version)


def complete(form: CaseForm, actor: Any, typed: Any) -> None:
    save(form, actor, typed)
    version = CaseForm.objects.get(pk=form.pk).version
    complete_sheet(RULES, actor=actor, sheet_id=form.pk, version=version)


def sign(form: CaseForm, actor: Any, key: Any) -> None:
    version = CaseForm.objects.get(pk=form.pk).version
    sign_form(actor=actor, form_id=form.pk, version=version, signer=key)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment of the house's clock."""
    return datetime(
        day.year, day.month, day.day, hour, minute, tzinfo=timezone.get_current_timezone()
    )
