"""How cases go through their flow: who acts in which role, and what the flow's actions do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from digital_review.models import AgendaItem, Case, CaseForm, CasePassage, FormSlot, Outcome
from digital_review.models.reach import SEE
from digital_review.rules.conduct import Do, Role
from digital_review.selectors.facts import Standing, decided, facts_of, standing_of, words_at
from digital_review.selectors.meetings import next_meeting
from digital_review.selectors.topics import announce_case, case_topic
from digital_review.services.opening import open_form
from digital_review.services.telling import (
    OF_HOSPITAL,
    PRIVILEGE_OF,
    case_path,
    form_path,
    hospital_form,
    people_of,
    tell,
)
from portal.access.decision import can
from portal.audit.services import record
from portal.flows.rules.definition import Action
from portal.flows.selectors import machine_of
from portal.flows.services.cases import Conduct, settle
from portal.forms.rules.dates import add_months
from portal.forms.selectors import true_filling, usable
from portal.records.errors import Refused

logger = logging.getLogger(__name__)

SIGNED_BY: Mapping[str, Role] = {
    FormSlot.SignedBy.DOCTOR: Role.DOCTOR,
    FormSlot.SignedBy.PATHOLOGIST: Role.PATHOLOGIST,
    FormSlot.SignedBy.SPECIALIST: Role.SPECIALIST,
}


def roles_of(actor: Any, case: Case) -> set[str]:
    """The roles in which the actor may act on the case, by what they may do there."""
    form = hospital_form(case)
    return {
        role
        for role, privilege in PRIVILEGE_OF.items()
        if can(actor, privilege, form if privilege in OF_HOSPITAL else case)
    }


# --- what is missing ----------------------------------------------------------------------------


def missing_of(case: Case) -> list[str]:
    """What is not there yet of what is needed before the meeting, in words (DR-102)."""
    standing, found = standing_of(case), []
    for slot in sorted(standing.slots.values(), key=lambda each: each.order):
        if slot.needed and not standing.complete(slot.code):
            found += _missing_in(slot, standing)
    if case.slides_received_at is None and _has_pathology(standing):
        found.append(_("Slides: not received"))
    return found


def _missing_in(slot: FormSlot, standing: Standing) -> list[str]:
    form = standing.counting.get(slot.code)
    if form is None:
        return [_("%(form)s: not begun") % {"form": slot.title}]
    design = usable(form.form_version).form
    language = translation.get_language() or "en"
    missing = true_filling(form, None, facts_of(form.case)).missing_before_signing(design)
    labels = [design.spots[at.item].item.label.text(language, design.languages) for at in missing]
    if not labels:
        return [_("%(form)s: not completed") % {"form": slot.title}]
    return [f"{slot.title}: {label}" for label in dict.fromkeys(labels)]


def _has_pathology(standing: Standing) -> bool:
    return any(slot.filled_by == FormSlot.FilledBy.PATHOLOGIST for slot in standing.slots.values())


# --- actions ------------------------------------------------------------------------------------


def perform(actor: Any, case: Case, action: Action) -> None:
    """One action of the flow, in the transaction of the step that asks for it."""
    ACTIONS[Do(action.name)](actor, case, **action.arguments.as_dict())


def _notify(actor: Any, case: Case, role: str) -> None:
    title = machine_of(case.flow_version).by_code[case.flow_state].title
    for person in people_of(Role(role), case):
        tell(
            [person],
            gettext_lazy("Patient %(patient)s: %(state)s"),
            {
                "patient": case.patient.number,
                "state": title.text(person.language or settings.LANGUAGE_CODE),
            },
            path=_path_for(person, case),
            subject=gettext_lazy("Digital Review: a patient went on in the review"),
            but=_person(actor),
        )


def _path_for(person: Any, case: Case) -> str:
    """The case where they may see it; else what the hospital fills in."""
    if can(person, SEE, case):
        return case_path(case)
    forms = CaseForm.objects.filter(case=case, slot__filled_by=FormSlot.FilledBy.HOSPITAL)
    latest = forms.order_by("-asked_at", "-pk").first()
    return form_path(latest) if latest is not None else case_path(case)


def _open_form(actor: Any, case: Case, slot: str) -> None:
    found = FormSlot.objects.filter(review_type=case.review_type_id, code=slot).first()
    if found is None:
        logger.error("case %s: its flow opens %r, which is no form of its review", case.pk, slot)
        return
    open_form(actor=actor, case=case, slot=found)


def _require_signature(actor: Any, case: Case, slot: str) -> None:
    form = standing_of(case).counting.get(slot)
    if form is not None and form.signature_id is None:
        ask_to_sign(form, but=_person(actor))


def ask_to_sign(form: CaseForm, *, but: Any = None) -> None:
    """Tell whoever is to sign the form."""
    role = SIGNED_BY.get(form.slot.signed_by)
    if role is None:
        return
    tell(
        people_of(role, form.case),
        gettext_lazy("%(form)s of patient %(patient)s waits for your signature."),
        {"form": form.slot.title, "patient": form.case.patient.number},
        path=form_path(form),
        subject=gettext_lazy("Digital Review: a form waits for your signature"),
        but=but,
    )


def _request_follow_up(actor: Any, case: Case, months: int = 0) -> None:
    """Due some months from now (section 13 no. 6), unless one was started already."""
    today = timezone.localdate()
    case.round_began_at = timezone.now()
    case.follow_up_due_on = add_months(today, months or case.review_type.follow_up_months)
    case.save()
    record(
        "digital_review.follow_up_requested",
        case,
        data={"due_on": f"{case.follow_up_due_on:%Y-%m-%d}"},
    )
    tell(
        people_of(Role.TRIAL_BUREAU, case),
        gettext_lazy("Patient %(patient)s: a follow-up is due by %(day)s."),
        {"patient": case.patient.number, "day": f"{case.follow_up_due_on:%d-%m-%Y}"},
        path=case_path(case),
        but=_person(actor),
    )


def _request_information(actor: Any, case: Case, what: str) -> None:
    ask_hospital(actor, case, what)


def ask_hospital(actor: Any, case: Case, what: str) -> None:
    """Ask the hospital for something: its people are told, the audit trail keeps it (DR-057)."""
    record("digital_review.information_requested", case, data={"what": what})
    for person in people_of(Role.DATAMANAGER, case):
        tell(
            [person],
            gettext_lazy("Patient %(patient)s: the review asks for %(what)s"),
            {"patient": case.patient.number, "what": what},
            path=_path_for(person, case),
            subject=gettext_lazy("Digital Review: the review asks for something"),
            but=_person(actor),
        )
    announce_case(case, "information")


def _schedule(actor: Any, case: Case) -> None:
    """On the list of the next planned meeting; where none is planned, it waits among the eligible.

    The meeting is not locked: meetings are locked before cases, and the case is locked already. A
    case stands on one coming list only: the database sees to that.
    """
    open_items = AgendaItem.objects.filter(case=case, status=AgendaItem.Status.TO_DISCUSS)
    meeting = next_meeting(case.review_type_id, timezone.now())
    # whoever was taken off that list is not put back by the flow
    if meeting is None or open_items.exists() or meeting.items.filter(case=case).exists():
        return
    last = meeting.items.aggregate(last=Max("position"))["last"] or 0
    AgendaItem.objects.create(meeting=meeting, case=case, position=last + 1)
    data = {"meeting": str(meeting), "meeting_id": meeting.pk}
    record("digital_review.patient_listed", case, data=data)
    announce_case(case, "listed")


def _start_timer(actor: Any, case: Case, timer: str) -> None:
    """The machine itself starts it (`portal.flows.rules.running`)."""


ACTIONS: Mapping[Do, Callable[..., None]] = {
    Do.NOTIFY: _notify,
    Do.OPEN_FORM: _open_form,
    Do.REQUIRE_SIGNATURE: _require_signature,
    Do.REQUEST_FOLLOW_UP: _request_follow_up,
    Do.REQUEST_INFORMATION: _request_information,
    Do.SCHEDULE: _schedule,
    Do.START_TIMER: _start_timer,
}


def _person(actor: Any) -> Any:
    return getattr(actor, "on_behalf_of", actor)


CONDUCT = Conduct(
    area="digital_review",
    case_model=Case,
    passage_model=CasePassage,
    facts=facts_of,
    roles=roles_of,
    perform=perform,
    topic=lambda case: case_topic(case.pk),
    missing=missing_of,
)


# --- going on by itself -------------------------------------------------------------------------


def advance(actor: Any, case: Case) -> Collection[str]:
    """What the flow takes by itself now. Within the caller's transaction, on a locked case.

    A flow that goes round in a ring must not keep anybody from saving a form: it stays where it is,
    and the review managers are told.
    """
    try:
        with transaction.atomic():
            return settle(CONDUCT, actor=actor, case=case)
    except Refused as refusal:
        if refusal.code != "ring":
            raise
        case.refresh_from_db()
    tell(
        people_of(Role.MANAGER, case),
        gettext_lazy("The flow of patient %(patient)s goes round in a ring: it was stopped."),
        {"patient": case.patient.number},
        path=case_path(case),
        subject=gettext_lazy("Digital Review: a flow was stopped"),
    )
    return []


def refresh(actor: Any, case: Case) -> Standing:
    """Keep up what is kept on the case of its forms (DR-031), then go on where that may be.

    Within the caller's transaction, on a locked case.
    """
    standing = standing_of(case)
    found = _kept(case, standing)
    was_complete = case.information_complete
    if any(getattr(case, name) != value for name, value in found.items()):
        for name, value in found.items():
            setattr(case, name, value)
        case.save()
        announce_case(case, "changed")
    if case.information_complete and not was_complete:
        _tell_pathologist(actor, case)
    advance(actor, case)
    return standing


def _kept(case: Case, standing: Standing) -> dict[str, Any]:
    review_type = case.review_type
    found: dict[str, Any] = {
        "information_complete": standing.information_complete,
        "working_diagnosis": words_at(standing, review_type.working_diagnosis)[1][:200],
    }
    if decided(review_type, standing):
        code = words_at(standing, review_type.diagnosis)[0]
        outcome = Outcome.objects.filter(review_type=review_type, code=code).first()
        if outcome is not None and (outcome != case.outcome or case.classified_on is None):
            found |= {"outcome": outcome, "classified_on": timezone.localdate()}
        if outcome is not None and outcome.met:
            found["follow_up_due_on"] = None  # asked for, and not needed any more
    return found


def _tell_pathologist(actor: Any, case: Case) -> None:
    """DR-023: told when the information is complete."""
    tell(
        people_of(Role.PATHOLOGIST, case),
        gettext_lazy("The information on patient %(patient)s is complete."),
        {"patient": case.patient.number},
        path=case_path(case),
        subject=gettext_lazy("Digital Review: the information on a patient is complete"),
        but=_person(actor),
    )
