"""Cases: beginning one, its follow-ups, forcing its review, its slides, asking for more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.models import Case, CaseForm, FormSlot, Patient, ReviewType
from digital_review.models.reach import BUREAU, MANAGE, PATHOLOGY
from digital_review.rules.numbers import clean_number, number_faults
from digital_review.selectors.topics import announce_case
from digital_review.services.conduct import CONDUCT, advance, ask_hospital, refresh
from digital_review.services.opening import Known, open_form
from digital_review.services.setup import require_whole
from portal.access.decision import can, require, visible
from portal.audit.services import Access, log_access, record
from portal.flows.rules.definition import Transition
from portal.flows.selectors import latest, machine_of
from portal.flows.services.cases import begin_case, take_transition
from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.records.personal import unmasked
from portal.records.services import locked, writes


@dataclass(frozen=True)
class PatientFacts:
    """Who a number stands for: as looked up and verified, or as typed."""

    number: str
    hospital_id: int
    initials: str = ""
    born_on: date | None = None
    as_of: datetime | None = None
    """When the registry said so; None: it was typed."""


# --- beginning ----------------------------------------------------------------------------------


@writes
def start_case(
    *, actor: Any, review_type_id: int, patient: PatientFacts, known: Known | None = None
) -> Case:
    """Begin a patient's way through a review, with the forms that begin with it (UC3, UC7).

    One person has one number, and a number is one person: equal initials say nothing (DR-144,
    DR-185). ``known``: first values from outside systems. Refused: ``number``, ``hospital``,
    ``other_person``, ``other_hospital``, ``exists``, ``no_flow``, ``no_version``, ``not_whole``
    (its set-up is wrong); then there is nothing new.
    """
    # who starts in one review starts one after the other: two at once make one case
    types = ReviewType.objects.select_related("flow", "unit")
    review_type = locked(visible(actor, types, BUREAU), review_type_id)
    require_whole(review_type)
    flow_version = latest(review_type.flow)
    if flow_version is None:
        raise Refused(_("No version of this review's flow is published."), code="no_flow")
    person = _patient(patient)
    if Case.objects.filter(patient=person, review_type=review_type).exists():
        raise Refused(
            _("Patient %(patient)s is in this review already.") % {"patient": person.number},
            code="exists",
        )
    case = begin_case(
        CONDUCT,
        actor=actor,
        case=Case(
            patient=person,
            review_type=review_type,
            registered_on=timezone.localdate(),
            flow_version=flow_version,
        ),
    )
    record("digital_review.case_started", case, data={"review": review_type.code})
    log_access(Access.CREATE, case, patient=person.number)
    slots = FormSlot.objects.filter(review_type=review_type, begins=FormSlot.Begins.START)
    for slot in slots.select_related("design"):
        open_form(actor=actor, case=case, slot=slot, known=known)
    refresh(actor, case)
    announce_case(case, "started")
    return case


def _patient(facts: PatientFacts) -> Patient:
    """The patient of the number: the one there is, where it is the same person, or a new one."""
    number = clean_number(facts.number)
    if number_faults(number):
        raise Refused(_("“%(number)s” is no patient number.") % {"number": number}, code="number")
    hospital = Unit.objects.open().filter(pk=facts.hospital_id, kind=Unit.Kind.HOSPITAL).first()
    if hospital is None:
        raise Refused(_("Choose the hospital that sends the patient."), code="hospital")
    found = Patient.objects.filter(number=number).select_related("hospital").first()
    if found is None:
        try:
            with transaction.atomic():
                return Patient.objects.create(
                    number=number,
                    initials=facts.initials.strip(),
                    born_on=facts.born_on,
                    hospital=hospital,
                    registry_as_of=facts.as_of,
                )
        except IntegrityError:  # somebody else was faster, in another review
            found = Patient.objects.select_related("hospital").get(number=number)
    _refuse_other(found, facts, hospital)
    return found


def _refuse_other(found: Patient, facts: PatientFacts, hospital: Unit) -> None:
    """A number that is known for somebody else: it was mistyped, here or there."""
    if found.hospital_id != hospital.pk:
        raise Refused(
            _("Patient %(number)s is known as a patient of %(hospital)s.")
            % {"number": found.number, "hospital": found.hospital.name},
            code="other_hospital",
        )
    with unmasked():
        born_on = found.born_on
    if facts.born_on is not None and born_on is not None and facts.born_on != born_on:
        raise Refused(
            _("Patient %(number)s is known with another date of birth.") % {"number": found.number},
            code="other_person",
        )


# --- follow-up ----------------------------------------------------------------------------------


def follow_up_slots(review_type: ReviewType) -> list[FormSlot]:
    """The forms that the hospital fills in again: the follow-ups of the review."""
    slots = FormSlot.objects.filter(
        review_type=review_type, repeats=True, filled_by=FormSlot.FilledBy.HOSPITAL
    )
    return [*slots.select_related("design")]


@writes
def start_follow_up(
    *,
    actor: Any,
    case_id: int,
    slot_code: str = "",
    due_on: date | None = None,
    known: Known | None = None,
) -> CaseForm:
    """Ask the hospital for a follow-up (UC16, UC18). Refused: ``no_follow_up``, ``open``."""
    case = _locked(actor, case_id)
    require(actor, BUREAU, case)
    slots = [slot for slot in follow_up_slots(case.review_type) if slot_code in ("", slot.code)]
    if not slots:
        raise Refused(_("This review has no follow-up form."), code="no_follow_up")
    slot = slots[0]
    drafts = CaseForm.objects.filter(case=case, slot=slot, status=CaseForm.Status.DRAFT)
    if drafts.exists():
        raise Refused(
            _("A follow-up of patient %(patient)s is being filled in already.")
            % {"patient": case.patient.number},
            code="open",
        )
    if case.follow_up_due_on is None:  # nobody asked for it: the round ends with it
        case.round_began_at = timezone.now()
    case.follow_up_due_on = None
    case.save()
    form = open_form(actor=actor, case=case, slot=slot, due_on=due_on, known=known)
    refresh(actor, case)
    announce_case(case, "follow_up")
    return form


# --- forcing ------------------------------------------------------------------------------------


def forced_ways(case: Case) -> Iterator[Transition]:
    """The transitions that force the review from where the case stands."""
    machine = machine_of(case.flow_version)
    return (each for each in machine.leaving(case.flow_state) if each.forced)


@writes
def force_review(*, actor: Any, case_id: int, reason: str, code: str = "") -> Case:
    """Take the case to its review although something is missing (DR-058, DR-102).

    What is missing now is kept with the step, and stays to be done. Refused: ``no_way``,
    ``not_possible``.
    """
    case = _locked(actor, case_id)
    require(actor, MANAGE, case)
    way = next((each for each in forced_ways(case) if code in ("", each.code)), None)
    if way is None:
        raise Refused(_("From here the review cannot be forced."), code="no_way")
    forced: Case = take_transition(
        CONDUCT, actor=actor, case_id=case_id, code=way.code, reason=reason
    )
    return forced


# --- slides, and more information -----------------------------------------------------------------


@writes
def receive_slides(*, actor: Any, case_id: int) -> Case:
    """The pathologist ticks that the slides arrived (DR-063); a second tick changes nothing."""
    case = _locked(actor, case_id)
    require(actor, PATHOLOGY, case)
    if case.slides_received_at is None:
        case.slides_received_at = timezone.now()
        case.slides_received_by = actor
        case.save()
        record("digital_review.slides_received", case)
        announce_case(case, "slides")
        advance(actor, case)  # the flow may wait for them
    return case


@writes
def take_back_slides(*, actor: Any, case_id: int, reason: str) -> Case:
    """The tick was wrong: the slides did not arrive."""
    case = _locked(actor, case_id)
    require(actor, PATHOLOGY, case)
    if not reason.strip():
        raise Refused(_("Say why the tick is taken back."), code="reason_needed")
    if case.slides_received_at is not None:
        case.slides_received_at = case.slides_received_by = None
        case.save()
        record("digital_review.slides_taken_back", case)
        announce_case(case, "slides")
    return case


@writes
def request_information(*, actor: Any, case_id: int, what: str) -> Case:
    """Ask the hospital for new samples, a repeated biopsy, a letter … (DR-057)."""
    case = _locked(actor, case_id)
    if not any(can(actor, each, case) for each in (BUREAU, MANAGE, PATHOLOGY)):
        raise PermissionDenied(BUREAU)
    if not what.strip():
        raise Refused(_("Say what is asked for."), code="what_needed")
    ask_hospital(actor, case, what.strip())
    return case


def _locked(actor: Any, case_id: int) -> Case:
    cases = Case.objects.select_related("flow_version__design", "review_type__unit", "patient")
    return locked(visible(actor, cases), case_id)
