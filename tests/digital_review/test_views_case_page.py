"""The patient's page: who sees it, what it warns of, what one may do, its parts."""

from __future__ import annotations

from typing import Any

import pytest
from digital_review.models import Case, CaseForm
from digital_review.services.cases import force_review
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.audit.models import AccessEntry, AuditEntry
from tests.digital_review.conducting import (
    acting_world,
    begin,
    complete,
    concluded,
    form_of,
    listed,
    meeting,
    signed,
    to_review,
)
from tests.digital_review.factories import World, make_case, make_patient
from tests.support.accounts import sign_in
from tests.support.signing import triggers_disabled

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return acting_world()


def as_(person: Any) -> Client:
    client = Client()
    sign_in(client, person)
    return client


def page(person: Any, case: Case, **query: str) -> str:
    answer = as_(person).get(reverse("digital_review:case", args=[case.pk]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def tab(person: Any, case: Case, code: str) -> str:
    answer = as_(person).get(reverse("digital_review:case_tab", args=[case.pk, code]))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.requirement("DR-024", "DR-035")
def test_the_page_says_who_it_is_and_where_the_case_stands(world: World) -> None:
    case = begin(world)
    text = page(world.people["clinician"], case)
    for said in ("SK-0001", "A.B.", "Mar", "North", "Precrf start", "In next review"):
        assert said in text, said


@pytest.mark.requirement("DR-012", "DR-022")
def test_another_hospitals_people_and_who_fills_in_forms_find_no_page(world: World) -> None:
    case = begin(world)
    url = reverse("digital_review:case", args=[case.pk])
    assert as_(world.people["clinician_south"]).get(url).status_code == 404
    assert as_(world.people["datamanager"]).get(url).status_code == 403
    assert Client().get(url).status_code == 302


@pytest.mark.requirement("DR-181", "DR-170")
def test_opening_is_logged_per_patient_and_part_and_live_refreshes_once(world: World) -> None:
    case, client = begin(world), as_(world.people["secretary"])
    url = reverse("digital_review:case", args=[case.pk])
    client.get(url, {"tab": "slides"})

    def parts() -> list[Any]:
        opened = AccessEntry.objects.filter(
            action="open", patient="SK-0001", object_type="digital_review.case"
        )
        return [entry.data["part"] for entry in opened.order_by("pk")]

    assert parts() == ["slides"]
    part = reverse("digital_review:case_tab", args=[case.pk, "slides"])
    for _ in range(3):
        client.get(part, headers={"X-Portal-Live": "1"})
    assert parts() == ["slides"]
    client.get(part.replace("slides", "letters"), headers={"X-Portal-Live": "1"})
    client.get(part)
    assert parts() == ["slides", "letters", "slides"]


@pytest.mark.requirement("DR-104")
def test_the_main_act_follows_the_state(world: World) -> None:
    case = begin(world)
    pathologist = world.people["pathologist"]
    assert "Fill in Pathology" not in page(pathologist, case)
    complete(form_of(case, "precrf"), world.people["datamanager"], hb="7.1")
    assert "Fill in Pathology" in page(pathologist, case)
    complete(form_of(case, "pathology"), pathologist, cellularity="normal")
    assert "Sign Pathology" in page(pathologist, case)
    assert "Sign Pathology" not in page(world.people["clinician"], case)
    assert "Force" in page(world.people["manager"], case)


def test_forms_stand_side_by_side_with_their_answers(world: World) -> None:
    case = to_review(world)
    text = tab(world.people["clinician"], case, "forms")
    assert text.index("Precrf") < text.index("Pathology")
    for said in ("7.1", "mmol/L", "MDS", "Normal", "Signed by"):
        assert said in text, said


@pytest.mark.requirement("DR-043")
def test_an_unknown_part_is_none(world: World) -> None:
    url = reverse("digital_review:case_tab", args=[begin(world).pk, "nonsense"])
    assert as_(world.people["clinician"]).get(url).status_code == 404


@pytest.mark.parametrize("code", ["forms", "anamnesis", "slides", "meetings", "letters", "history"])
def test_every_part_is_there_when_nothing_is_in_it(world: World, code: str) -> None:
    case = make_case(world)
    for who in ("clinician", "pathologist", "manager"):
        assert "As of" in tab(world.people[who], case, code)
        assert "As of" in page(world.people[who], case, tab=code)


# --- warnings -------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-115", "DR-118")
def test_a_signed_form_that_was_changed_past_the_portal_is_named_with_its_answer(
    world: World,
) -> None:
    case = to_review(world)
    form = form_of(case, "pathology")
    assert "not authentic" not in page(world.people["clinician"], case)
    with triggers_disabled() as cursor:
        cursor.execute(
            "UPDATE digital_review_caseform SET answers ="
            " jsonb_set(answers, '{values,cellularity}', '\"absent\"') WHERE id = %s",
            [form.pk],
        )
    text = page(world.people["clinician"], case)
    assert "Pathology is not authentic" in text
    assert "cellularity" in text


@pytest.mark.requirement("DR-102", "DR-058")
def test_a_forced_review_says_by_whom_why_and_what_is_still_open(world: World) -> None:
    case = begin(world)
    force_review(actor=world.people["manager"], case_id=case.pk, reason="very ill")
    text = page(world.people["secretary"], case)
    assert "Manager Review forced the review: very ill" in text
    assert "Pathology: not begun" in text
    history = tab(world.people["secretary"], case, "history")
    assert "very ill" in history
    assert "Force review" in history


@pytest.mark.requirement("DR-144", "DR-185")
def test_equal_initials_are_told_to_who_may_see_them(world: World) -> None:
    case = begin(world)
    make_case(world, patient=make_patient(world, "SK-0009", initials="a.b."))
    text = page(world.people["clinician"], case)
    assert "Another patient has the same initials" in text
    assert "SK-0009, with the same date of birth" in text
    south = make_case(world, patient=make_patient(world, "SK-0010", hospital=world.south))
    assert "same initials" not in page(world.people["clinician_south"], south)


# --- meetings, protocol ---------------------------------------------------------------------------


def test_the_meetings_show_disclosed_opinions_alone(world: World) -> None:
    case = to_review(world)
    item = case.agenda_items.first() or listed(meeting(world), case)
    item.opinions.create(
        person=world.people["specialist"],
        outcome=world.outcomes["saa"],
        text="as in 2019",
        given_at=case.flow_since,
    )
    assert "as in 2019" not in tab(world.people["secretary"], case, "meetings")
    item.disclosed_at = case.flow_since
    item.save()
    assert "as in 2019" in tab(world.people["secretary"], case, "meetings")


@pytest.mark.requirement("DR-035", "DR-139")
def test_the_protocol_is_written_with_a_reason_and_two_at_once_are_told(world: World) -> None:
    case, client = begin(world), as_(world.people["specialist"])
    url = reverse("digital_review:case_protocol", args=[case.pk])
    opened = Case.objects.get(pk=case.pk).version
    sent = {"protocol": "EWOG 2006", "protocol_comment": "low risk", "version": opened}
    assert client.post(url, sent).status_code == 422  # without a reason
    assert client.post(url, {**sent, "reason": "decided"}).status_code == 302
    again = client.post(url, {**sent, "protocol": "other", "reason": "mistake"})
    assert again.status_code == 409
    case.refresh_from_db()
    assert (case.protocol, case.protocol_comment) == ("EWOG 2006", "low risk")
    entry = AuditEntry.objects.get(action="digital_review.protocol_changed")
    assert entry.reason == "decided"
    assert as_(world.people["clinician_south"]).get(url).status_code == 404
    assert as_(world.people["secretary"]).get(url).status_code == 404


@pytest.mark.requirement("DR-139")
def test_a_form_saved_meanwhile_does_not_hold_up_the_protocol(world: World) -> None:
    case = begin(world)
    opened = Case.objects.get(pk=case.pk).version
    complete(form_of(case, "precrf"), world.people["datamanager"], hb="7.1")
    url = reverse("digital_review:case_protocol", args=[case.pk])
    sent = {"protocol": "EWOG", "protocol_comment": "", "reason": "new", "version": opened}
    assert as_(world.people["manager"]).post(url, sent).status_code == 302


# --- queries --------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-145")
def test_the_page_takes_as_many_queries_however_many_patients_there_are(world: World) -> None:
    case, client = begin(world), as_(world.people["manager"])
    url = reverse("digital_review:case", args=[case.pk])

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            client.get(url)
        return len(seen)

    begin(world, "SK-0100", initials="C.D.")
    queries()
    few = queries()
    for number in range(101, 106):
        begin(world, f"SK-0{number}", initials="C.D.")
    assert queries() == few


def test_a_removed_case_has_no_page(world: World) -> None:
    case = begin(world)
    case.deleted_at = case.flow_since
    case.save()
    url = reverse("digital_review:case", args=[case.pk])
    assert as_(world.people["manager"]).get(url).status_code == 404


def test_the_meetings_form_is_named_after_the_review(world: World) -> None:
    case = to_review(world)
    crf = concluded(world, case, "saa")
    signed(crf, world.people["specialist"])
    assert CaseForm.objects.get(pk=crf.pk).signature is not None
    assert "SAA" in page(world.people["clinician"], case)
