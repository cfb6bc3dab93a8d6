"""Cases begun, forced, asked about: what follows, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from digital_review.models import Case, CaseForm, CasePassage, Patient
from digital_review.selectors.facts import facts_of, flow_facts, form_names
from digital_review.selectors.tasks import open_tasks
from digital_review.services.cases import (
    force_review,
    receive_slides,
    request_information,
    start_follow_up,
    take_back_slides,
)
from django.core.exceptions import PermissionDenied

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification, OutboxMail
from portal.records.context import acting
from portal.records.errors import Refused
from tests.digital_review.conducting import (
    acting_world,
    begin,
    complete,
    concluded,
    form_of,
    listed,
    meeting,
    to_review,
)
from tests.digital_review.factories import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return acting_world()


def told(person: Any) -> list[str]:
    return [*Notification.objects.filter(user=person).order_by("pk").values_list("text", flat=True)]


def test_beginning_a_case_opens_its_forms_and_tells_the_hospital(world: World) -> None:
    case = begin(world)
    form = form_of(case, "precrf")
    assert (case.flow_state, case.patient.number) == ("precrf_start", "SK-0001")
    assert form.status == CaseForm.Status.DRAFT
    assert form.due_on is not None
    assert told(world.people["datamanager"]) == ["Precrf of patient SK-0001 waits to be filled in."]
    assert told(world.people["datamanager_south"]) == []
    assert [mail.to for mail in OutboxMail.objects.all()] == [world.people["datamanager"].email]


@pytest.mark.requirement("DR-144", "DR-185")
def test_equal_initials_and_birth_dates_are_two_people(world: World) -> None:
    one, other = begin(world, "SK-0001"), begin(world, "SK-0002")
    assert one.patient != other.patient
    assert Patient.objects.count() == 2


@pytest.mark.requirement("DR-144")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"number": "sk - 0001"}, "exists"),
        ({"number": "  "}, "number"),
        ({"number": "SK<1>"}, "number"),
        ({"number": "SK-0001", "hospital": "south"}, "other_hospital"),
        ({"number": "SK-0001", "born_on": date(2018, 1, 1)}, "other_person"),
        ({"number": "SK-0009", "hospital": "review"}, "hospital"),
    ],
)
def test_what_is_no_new_case_is_refused_and_leaves_nothing(
    world: World, values: dict[str, Any], code: str
) -> None:
    begin(world)
    unit = getattr(world, values.pop("hospital", "north"))
    with pytest.raises(Refused) as refused:
        begin(world, hospital_id=unit.pk, **values)
    assert refused.value.code == code
    assert (Patient.objects.count(), Case.objects.count(), CaseForm.objects.count()) == (1, 1, 1)


@pytest.mark.parametrize("who", ["datamanager", "doctor", "pathologist", "clinician"])
def test_nobody_but_the_bureau_begins_cases(world: World, who: str) -> None:
    world.people["bureau"] = world.people[who]
    with pytest.raises(Refused) as refused:
        begin(world)
    assert refused.value.code == "gone"
    assert not Case.objects.exists()


@pytest.mark.requirement("DR-104", "DR-101")
def test_the_flow_goes_on_by_itself_when_a_form_makes_it(world: World) -> None:
    case = to_review(world)
    assert case.flow_state == "review_ready"
    assert [step.transition for step in case.passages.all()] == [
        "",
        "precrf_completed",
        "pathology_signed",
    ]
    assert case.information_complete
    assert case.working_diagnosis == "MDS"
    assert "The information on patient SK-0001 is complete." not in told(
        world.people["pathologist"]
    )  # who completed the last of it knows


def test_a_case_that_is_ready_is_put_on_the_list_of_the_next_meeting(world: World) -> None:
    later, sooner = meeting(world, days=90), meeting(world, days=10)
    case = to_review(world)
    assert [item.case for item in sooner.items.all()] == [case]
    assert not later.items.exists()
    assert facts_of(case)["case.in_meeting"] is True


@pytest.mark.requirement("DR-057", "DR-075")
def test_without_a_diagnosis_the_case_waits_for_a_follow_up_and_comes_again(world: World) -> None:
    case = to_review(world)
    concluded(world, case, "none")
    case.refresh_from_db()
    assert (case.flow_state, case.outcome.code) == ("follow_up_required", "none")
    assert case.follow_up_due_on is not None
    form = start_follow_up(actor=world.people["bureau"], case_id=case.pk)
    complete(form, world.people["datamanager"], alive="true")
    case.refresh_from_db()
    assert case.flow_state == "review_ready"  # and not on again, by what was found before
    again = concluded(world, case, "saa")
    case.refresh_from_db()
    assert (case.flow_state, again.number, case.outcome.code) == ("crf_complete", 2, "saa")


def test_a_second_follow_up_is_not_begun_while_one_is_open(world: World) -> None:
    case = to_review(world)
    concluded(world, case, "none")
    start_follow_up(actor=world.people["bureau"], case_id=case.pk)
    with pytest.raises(Refused) as refused:
        start_follow_up(actor=world.people["bureau"], case_id=case.pk)
    assert refused.value.code == "open"


@pytest.mark.requirement("DR-058", "DR-102")
def test_a_forced_review_keeps_who_why_and_what_was_missing(world: World) -> None:
    case, manager = begin(world), world.people["manager"]
    with pytest.raises(Refused) as refused:
        force_review(actor=manager, case_id=case.pk, reason=" ")
    assert refused.value.code == "not_possible"
    force_review(actor=manager, case_id=case.pk, reason="the child is very ill")
    step = CasePassage.objects.get(case=case, forced=True)
    assert (step.taken_by, step.reason) == (manager, "the child is very ill")
    assert step.missing == ["Precrf: Hb", "Pathology: not begun", "Slides: not received"]
    assert Case.objects.get(pk=case.pk).flow_state == "review_ready"
    titles = [task.title for task in open_tasks(world.people["bureau"])]
    assert titles == ["Forced review of patient SK-0001: information is still missing"]
    entry = AuditEntry.objects.get(action="digital_review.case_forced")
    assert entry.reason == "the child is very ill"


@pytest.mark.requirement("DR-102")
@pytest.mark.parametrize("who", ["bureau", "pathologist", "chairman", "clinician"])
def test_nobody_but_the_manager_forces_a_review(world: World, who: str) -> None:
    case = begin(world)
    with pytest.raises(PermissionDenied):
        force_review(actor=world.people[who], case_id=case.pk, reason="why not")
    assert Case.objects.get(pk=case.pk).flow_state == "precrf_start"


@pytest.mark.requirement("DR-063", "DR-023")
def test_the_pathologist_ticks_that_slides_arrived(world: World) -> None:
    case, pathologist = to_review(world), world.people["pathologist"]
    listed(meeting(world), case)
    assert "Slides of 1 patient to receive" in [t.title for t in open_tasks(pathologist)]
    receive_slides(actor=pathologist, case_id=case.pk)
    receive_slides(actor=pathologist, case_id=case.pk)
    case.refresh_from_db()
    assert case.slides_received_by == pathologist
    assert facts_of(case)["case.slides_received"] is True
    assert AuditEntry.objects.filter(action="digital_review.slides_received").count() == 1
    assert [t.title for t in open_tasks(pathologist)] == []
    with pytest.raises(PermissionDenied):
        receive_slides(actor=world.people["bureau"], case_id=case.pk)
    take_back_slides(actor=pathologist, case_id=case.pk, reason="another patient's")
    assert Case.objects.get(pk=case.pk).slides_received_at is None


@pytest.mark.requirement("DR-057")
def test_the_hospital_is_asked_for_new_samples(world: World) -> None:
    case = begin(world)
    request_information(actor=world.people["bureau"], case_id=case.pk, what="a new biopsy")
    assert told(world.people["datamanager"])[-1] == (
        "Patient SK-0001: the review asks for a new biopsy"
    )
    mail = OutboxMail.objects.order_by("pk").last()
    assert mail is not None
    assert "SK-0001" not in mail.subject + mail.text
    assert "biopsy" not in mail.subject + mail.text
    with pytest.raises(Refused) as refused:
        request_information(actor=world.people["bureau"], case_id=case.pk, what="  ")
    assert refused.value.code == "what_needed"
    with pytest.raises(PermissionDenied):
        request_information(actor=world.people["chairman"], case_id=case.pk, what="x")


def test_the_facts_of_a_case_take_a_fixed_number_of_queries(
    world: World, django_assert_num_queries: Any
) -> None:
    case = to_review(world)
    concluded(world, case, "none")
    start_follow_up(actor=world.people["bureau"], case_id=case.pk)
    fresh = Case.objects.select_related("review_type", "outcome").get(pk=case.pk)
    with django_assert_num_queries(3):
        facts = facts_of(fresh)
    assert facts["precrf.hb"] == facts_of(fresh)["precrf.hb"]
    assert facts["crf.complete"] is False
    assert "outcome.met" not in facts


def test_an_editor_is_told_every_name_that_guards_and_rules_may_read(world: World) -> None:
    facts = {fact.name: fact for fact in flow_facts(world.review_type.flow)}
    assert {"case.in_meeting", "precrf.complete", "precrf.hb", "crf.diagnosis"} <= set(facts)
    assert facts["outcome.code"].codes == ("saa", "fanconi", "none")
    names = form_names(world.slots["crf"].design)
    assert "precrf.hb" in names
    assert "crf.diagnosis" not in names


def test_masks_do_not_reach_facts(world: World) -> None:
    case = begin(world)
    with acting(actor=world.people["chairman"]):
        assert facts_of(case)["precrf.complete"] is False
