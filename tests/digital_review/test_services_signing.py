"""Signing forms of cases: who, what it covers, what becomes of it (DR-110 to DR-120)."""

from __future__ import annotations

from typing import Any

import pytest
from digital_review.models import CaseForm, OutcomeSpecialist, Participant
from digital_review.selectors.facts import facts_of
from digital_review.selectors.tasks import open_tasks
from digital_review.services.case_forms import RULES
from digital_review.services.signing import (
    TRANSCRIBED,
    attest_transcription,
    sign_form,
    withdraw_signature,
)
from django.core.exceptions import PermissionDenied

from portal.audit.models import AuditEntry
from portal.forms.models import AnswerFile
from portal.forms.services.sheets import reopen_sheet
from portal.records.errors import Refused
from portal.signing.services import State, WrongPin, unlock, verify
from tests.digital_review.conducting import (
    acting_world,
    begin,
    complete,
    concluded,
    form_of,
    listed,
    meeting,
    save,
    signed,
    signer,
    to_review,
)
from tests.digital_review.factories import World
from tests.support.factories import give, make_user
from tests.support.signing import triggers_disabled

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7 a scan"


@pytest.fixture
def world() -> World:
    return acting_world()


@pytest.fixture
def form(world: World) -> CaseForm:
    """A complete pre-CRF."""
    case = begin(world)
    return complete(form_of(case, "precrf"), world.people["datamanager"], hb="7.1")


@pytest.mark.requirement("DR-110", "DR-113", "DR-114")
def test_a_signed_form_is_locked_and_its_signature_is_valid(world: World, form: CaseForm) -> None:
    done = signed(form, world.people["doctor"])
    assert done.status == CaseForm.Status.LOCKED
    assert done.signature is not None
    verdict = verify(done.signature)
    assert (verdict.state, done.signature.signer) == (State.VALID, world.people["doctor"])
    assert '"hb":"7.1"' in done.signature.payload
    for act in (
        lambda: save(done, world.people["datamanager"], hb="8"),
        lambda: reopen_sheet(
            RULES, actor=world.people["datamanager"], sheet_id=form.pk, reason="a mistake"
        ),
        lambda: signed(done, world.people["doctor"]),
    ):
        with pytest.raises(Refused):
            act()
    assert facts_of(done.case)["precrf.signed"] is True


@pytest.mark.requirement("DR-115", "DR-118")
def test_an_answer_changed_by_raw_sql_is_named(world: World, form: CaseForm) -> None:
    done = signed(form, world.people["doctor"])
    with triggers_disabled() as cursor:
        cursor.execute(
            "UPDATE digital_review_caseform SET answers ="
            " jsonb_set(answers, '{values,hb}', '\"2.0\"') WHERE id = %s",
            [form.pk],
        )
    verdict = verify(done.signature)
    assert verdict.state == State.CHANGED
    assert verdict.fields == ["answers.values.hb"]


@pytest.mark.requirement("DR-115")
def test_initials_changed_by_raw_sql_are_named_too(world: World, form: CaseForm) -> None:
    done = signed(form, world.people["doctor"])
    with triggers_disabled() as cursor:
        cursor.execute("UPDATE digital_review_patient SET initials = 'X.Y.'")
    assert verify(done.signature).fields == ["patient.initials"]


@pytest.mark.requirement("DR-117")
def test_signing_is_logged_apart_from_editing(world: World, form: CaseForm) -> None:
    signed(form, world.people["doctor"])
    entries = AuditEntry.objects.filter(object_id=str(form.pk)).order_by("pk")
    told = [(each.action, each.actor_name) for each in entries if "sheet" in each.action] + [
        (each.action, each.actor_name) for each in entries if each.action.endswith("form_signed")
    ]
    assert told == [
        ("forms.sheet_saved", "Datamanager North"),
        ("forms.sheet_completed", "Datamanager North"),
        ("digital_review.form_signed", "Doctor North"),
    ]


@pytest.mark.requirement("DR-116")
def test_a_failure_while_signing_leaves_the_form_unsigned(
    world: World, form: CaseForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor = world.people["doctor"]
    key = signer(doctor)
    with pytest.raises(WrongPin):
        unlock(doctor, "99999999")

    def fails(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("digital_review.services.signing.record", fails)
    with pytest.raises(OSError, match="disk"):
        sign_form(actor=doctor, form_id=form.pk, version=form.version, signer=key)
    fresh = CaseForm.objects.get(pk=form.pk)
    assert (fresh.status, fresh.signature, fresh.version) == ("complete", None, form.version)


def test_what_was_changed_since_it_was_looked_at_is_not_signed(
    world: World, form: CaseForm
) -> None:
    doctor = world.people["doctor"]
    with pytest.raises(Refused) as refused:
        sign_form(actor=doctor, form_id=form.pk, version=form.version - 1, signer=signer(doctor))
    assert refused.value.code == "stale"


def test_a_draft_is_not_signed(world: World) -> None:
    draft = form_of(begin(world), "precrf")
    with pytest.raises(Refused) as refused:
        signed(draft, world.people["doctor"])
    assert refused.value.code == "not_complete"


@pytest.mark.parametrize("who", ["datamanager", "pathologist", "chairman"])
def test_only_the_treating_doctor_signs_the_hospitals_form(
    world: World, form: CaseForm, who: str
) -> None:
    with pytest.raises(PermissionDenied):
        signed(form, world.people[who])


def test_the_doctor_of_another_hospital_does_not_even_find_it(world: World, form: CaseForm) -> None:
    with pytest.raises(Refused) as refused:
        signed(form, world.people["doctor_south"])
    assert refused.value.code == "gone"


# --- the specialist -----------------------------------------------------------------------------


@pytest.mark.requirement("DR-120", "DR-027", "DR-075")
def test_the_specialist_responsible_for_the_outcome_signs_and_nobody_else(world: World) -> None:
    other = make_user("Other Specialist")
    give(other, "digital_review.specialist", world.review)
    case = to_review(world)
    crf = concluded(world, case, "saa")
    for who in (other, world.people["chairman"]):
        with pytest.raises(PermissionDenied):
            signed(crf, who)
    assert [task.title for task in open_tasks(other)] == []
    assert [task.title for task in open_tasks(world.people["specialist"])] == [
        "Sign Crf of patient SK-0001"
    ]
    signed(crf, world.people["specialist"])
    case.refresh_from_db()
    assert case.flow_state == "crf_signed"
    assert [task.title for task in open_tasks(world.people["specialist"])] == []


@pytest.mark.requirement("DR-120", "DR-011")
def test_who_stands_in_for_the_specialist_at_the_meeting_signs(world: World) -> None:
    deputy = make_user("Deputy Specialist")
    give(deputy, "digital_review.specialist", world.review)
    case = to_review(world)
    crf = concluded(world, case, "saa")
    held = meeting(world)
    listed(held, case, form=crf)
    Participant.objects.create(
        meeting=held,
        person=deputy,
        part=Participant.Part.SPECIALIST,
        deputises_for=world.people["specialist"],
    )
    assert signed(crf, deputy).signature is not None


def test_where_nobody_is_named_for_the_outcome_whoever_signs_reviews_may(world: World) -> None:
    assert not OutcomeSpecialist.objects.filter(outcome=world.outcomes["fanconi"]).exists()
    crf = concluded(world, to_review(world), "fanconi")
    assert "Sign Crf of patient SK-0001" in [
        task.title for task in open_tasks(world.people["specialist"])
    ]
    assert signed(crf, world.people["specialist"]).signature is not None


# --- paper --------------------------------------------------------------------------------------


def attest(form: CaseForm, person: Any, content: bytes = PDF) -> CaseForm:
    fresh = CaseForm.objects.get(pk=form.pk)
    return attest_transcription(
        actor=person,
        form_id=form.pk,
        version=fresh.version,
        name="scan.pdf",
        content=content,
        signer=signer(person),
    )


@pytest.mark.parametrize("who", ["datamanager", "bureau"])
def test_a_paper_original_is_attested_with_its_scan(world: World, form: CaseForm, who: str) -> None:
    done = attest(form, world.people[who])
    scan = AnswerFile.objects.get(sheet_id=form.pk)
    assert done.signature is not None
    assert (done.transcribed, done.status) == (True, CaseForm.Status.LOCKED)
    assert done.signature.meaning == TRANSCRIBED
    assert scan.sha256 in done.signature.payload
    assert verify(done.signature).state == State.VALID


def test_a_scan_that_is_none_is_refused_and_nothing_is_signed(world: World, form: CaseForm) -> None:
    with pytest.raises(Refused) as refused:
        attest(form, world.people["datamanager"], b"<script>alert(1)</script>")
    assert refused.value.code == "scan"
    assert CaseForm.objects.get(pk=form.pk).signature is None
    assert not AnswerFile.objects.exists()


def test_nobody_attests_what_a_pathologist_signs(world: World) -> None:
    begun = begin(world)
    complete(form_of(begun, "precrf"), world.people["datamanager"], hb="7.1")
    pathology = complete(
        form_of(begun, "pathology"), world.people["pathologist"], cellularity="normal"
    )
    with pytest.raises(PermissionDenied):
        attest(pathology, world.people["pathologist"])


# --- withdrawing --------------------------------------------------------------------------------


def test_a_signature_is_withdrawn_with_a_reason_and_the_form_is_a_draft_again(
    world: World, form: CaseForm
) -> None:
    done = signed(form, world.people["doctor"])
    with pytest.raises(Refused) as refused:
        withdraw_signature(actor=world.people["doctor"], form_id=form.pk, reason=" ")
    assert refused.value.code == "reason_needed"
    withdraw_signature(actor=world.people["doctor"], form_id=form.pk, reason="wrong patient")
    fresh = CaseForm.objects.get(pk=form.pk)
    assert (fresh.status, fresh.signature) == (CaseForm.Status.DRAFT, None)
    assert done.signature is not None
    assert verify(done.signature).state == State.SUPERSEDED
    assert fresh.case.information_complete is False
    entry = AuditEntry.objects.get(action="digital_review.signature_withdrawn")
    assert entry.reason == "wrong patient"


@pytest.mark.parametrize("who", ["datamanager", "bureau", "chairman"])
def test_only_who_signed_and_the_manager_withdraw(world: World, form: CaseForm, who: str) -> None:
    signed(form, world.people["doctor"])
    with pytest.raises(PermissionDenied):
        withdraw_signature(actor=world.people[who], form_id=form.pk, reason="why not")
    withdraw_signature(actor=world.people["manager"], form_id=form.pk, reason="a mistake")


def test_a_withdrawn_conclusion_decides_nothing_any_more(world: World) -> None:
    case = to_review(world)
    crf = signed(concluded(world, case, "saa"), world.people["specialist"])
    withdraw_signature(actor=world.people["manager"], form_id=crf.pk, reason="other findings")
    case.refresh_from_db()
    assert (case.outcome, case.classified_on) == (None, None)
    assert "outcome.met" not in facts_of(case)
