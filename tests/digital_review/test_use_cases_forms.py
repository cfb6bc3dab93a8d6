"""Use cases and scenarios of forms, as people do them, with their exit conditions (DR-080, DR-081).

UC3, UC4, UC5, UC6, UC7, UC16, UC17, UC18; scenarios 2a, 2b, 10a, 10b.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from digital_review.models import Case, CaseForm, Patient
from digital_review.services import reminders
from digital_review.services.opening import open_form
from digital_review.services.signing import TRANSCRIBED
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.accounts.models import User
from portal.notifications.models import Notification, OutboxMail
from portal.notifications.outbox import send_due_mail
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import change_many
from portal.signing.services import State, verify
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
    to_review,
)
from tests.digital_review.factories import World
from tests.support.accounts import sign_in
from tests.support.outside import Outside, outside_systems
from tests.support.signing import PIN, give_pin, triggers_disabled
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db

Go = Callable[[str], Client]


@pytest.fixture
def world() -> World:
    return acting_world()


@pytest.fixture
def outside(tmp_path: Path, settings: Any) -> Iterator[Outside]:
    """The registry knows patient SK-0001 of the north."""
    with outside_systems(tmp_path) as running:
        settings.PORTAL_OUTSIDE_SYSTEMS = running.tables()
        running.patients.patients["SK-0001"] = {
            "number": "SK-0001",
            "initials": "A.B.",
            "born_on": "2019-03-04",
            "hospital": "north",
        }
        yield running


@pytest.fixture
def as_person(world: World) -> Go:
    def go(who: str) -> Client:
        client = Client()
        sign_in(client, world.people[who])
        return client

    return go


def told(person: User) -> list[str]:
    return [*Notification.objects.filter(user=person).order_by("pk").values_list("text", flat=True)]


def mailed(person: User) -> list[str]:
    return [*OutboxMail.objects.filter(to=person.email).values_list("subject", flat=True)]


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def start(client: Client, world: World, number: str = "SK-0001") -> Any:
    """The two steps: look up and verify, then submit."""
    fields = {"number": number, "review_type": world.review_type.pk}
    client.get(reverse("digital_review:start_case"), fields)
    return client.post(reverse("digital_review:start_case"), fields)


def url(form: CaseForm, act: str = "") -> str:
    return reverse(f"digital_review:form{act and f'_{act}'}", args=[form.pk])


def fill_in(client: Client, form: CaseForm, **typed: str) -> Any:
    version = CaseForm.objects.get(pk=form.pk).version
    return client.post(url(form, "fill"), {"opened_version": version, **typed})


def finish(client: Client, form: CaseForm) -> Any:
    version = CaseForm.objects.get(pk=form.pk).version
    return client.post(url(form, "complete"), {"version": version})


def fresh(form: CaseForm) -> CaseForm:
    return CaseForm.objects.select_related("case", "signature").get(pk=form.pk)


# --- use cases ------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-080", "DR-021", "DR-071", "DR-130")
def test_uc3_start_pre_crf(world: World, outside: Outside, as_person: Go) -> None:
    """The number is looked up, verified, submitted: the form is there, the hospital is told."""
    client = as_person("bureau")
    fields = {"number": "SK-0001", "review_type": world.review_type.pk}
    shown = text_of(client.get(reverse("digital_review:start_case"), fields))
    assert "A.B." in shown
    assert "North" in shown
    client.post(reverse("digital_review:start_case"), fields)
    case = Case.objects.get(patient__number="SK-0001")
    form = form_of(case, "precrf")
    assert (form.status, case.flow_state) == ("draft", "precrf_start")
    manager = world.people["datamanager"]
    assert told(manager) == ["Precrf of patient SK-0001 waits to be filled in."]
    assert mailed(manager) == ["Digital Review: a form waits to be filled in"]
    mail = OutboxMail.objects.get(to=manager.email)
    assert url(form) in mail.text
    assert "SK-0001" not in mail.subject + mail.text
    assert "A.B." not in mail.subject + mail.text


@pytest.mark.requirement("DR-080", "DR-131", "DR-132")
def test_uc4_start_pre_crf_while_mail_fails(
    world: World, outside: Outside, as_person: Go, settings: Any, mail_server: Any
) -> None:
    """Everything is saved, the error is shown, and the mail goes out when it can."""
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    start(as_person("bureau"), world)
    form = form_of(Case.objects.get(), "precrf")
    assert send_due_mail() == 0
    page = text_of(as_person("bureau").get(url(form)))
    assert "A notice of this form could not be sent yet" in page
    assert "Connection refused" in page
    settings.EMAIL_PORT = port
    change_many(OutboxMail.objects.all(), next_attempt_at=timezone.now())
    assert send_due_mail() == 1
    assert "could not be sent" not in text_of(as_person("bureau").get(url(form)))


@pytest.mark.requirement("DR-080")
def test_uc5_start_pre_crf_of_an_unknown_number(
    world: World, outside: Outside, as_person: Go
) -> None:
    """A message, and nothing is created."""
    answer = start(as_person("bureau"), world, "SK-4040")
    assert "The registry knows no patient SK-4040" in text_of(answer)
    assert not Patient.objects.exists()
    assert not Case.objects.exists()
    assert not Notification.objects.exists()


@pytest.mark.requirement("DR-080", "DR-022", "DR-095", "DR-101", "DR-130")
def test_uc6_complete_pre_crf(world: World, as_person: Go) -> None:
    """The data manager saves, completes; the bureau is told; the patient goes on to the review."""
    case = begin(world)
    form = form_of(case, "precrf")
    client = as_person("datamanager")
    fill_in(client, form, history="Tired for months.")  # a part of it, kept as a draft
    assert finish(client, form).status_code == 422  # Hb is missing
    assert fresh(form).status == "draft"
    fill_in(client, form, hb="7,1", working="MDS RAEB")
    assert finish(client, form).status_code == 302
    done = fresh(form)
    assert (done.status, done.completed_by) == ("complete", world.people["datamanager"])
    assert (done.case.flow_state, done.case.working_diagnosis) == (
        "info_to_pathologist",
        "MDS RAEB",
    )
    for who in ("bureau", "manager"):
        assert "Precrf of patient SK-0001 is complete." in told(world.people[who])
        assert "Digital Review: a form is complete" in mailed(world.people[who])
    assert form_of(case, "pathology").status == "draft"
    assert "Pathology of patient SK-0001 waits to be filled in." in told(
        world.people["pathologist"]
    )


@pytest.mark.requirement("DR-080", "DR-021")
def test_uc7_bureau_creates_and_fills_in_a_whole_pre_crf(
    world: World, outside: Outside, as_person: Go
) -> None:
    client = as_person("bureau")
    start(client, world)
    form = form_of(Case.objects.get(), "precrf")
    fill_in(client, form, hb="7.1")
    finish(client, form)
    done = fresh(form)
    assert (done.status, done.completed_by) == ("complete", world.people["bureau"])
    assert done.case.flow_state == "info_to_pathologist"
    assert "Precrf of patient SK-0001 is complete." in told(world.people["manager"])
    assert "Precrf of patient SK-0001 is complete." not in told(world.people["bureau"])


def no_diagnosis(world: World) -> Case:
    case = to_review(world)
    concluded(world, case, "none")
    case.refresh_from_db()
    assert case.flow_state == "follow_up_required"
    return case


def start_follow_up(client: Client, world: World) -> CaseForm:
    fields = {"number": "SK-0001", "review_type": world.review_type.pk}
    page = client.get(reverse("digital_review:start_follow_up"), fields)
    assert "A.B." in text_of(page)
    assert client.post(reverse("digital_review:start_follow_up"), fields).status_code == 302
    return form_of(Case.objects.get(patient__number="SK-0001"), "follow_up")


@pytest.mark.requirement("DR-080", "DR-078", "DR-130")
def test_uc16_start_follow_up(world: World, as_person: Go) -> None:
    no_diagnosis(world)
    form = start_follow_up(as_person("bureau"), world)
    assert (form.status, form.number) == ("draft", 1)
    manager = world.people["datamanager"]
    assert told(manager)[-1] == "Follow_up of patient SK-0001 waits to be filled in."
    assert "Digital Review: a form waits to be filled in" in mailed(manager)


@pytest.mark.requirement("DR-080", "DR-078")
def test_uc17_complete_follow_up(world: World, as_person: Go) -> None:
    no_diagnosis(world)
    form = start_follow_up(as_person("bureau"), world)
    client = as_person("datamanager")
    fill_in(client, form, alive="true")
    finish(client, form)
    done = fresh(form)
    assert (done.status, done.case.flow_state) == ("complete", "review_ready")
    for who in ("bureau", "manager"):
        assert "Follow_up of patient SK-0001 is complete." in told(world.people[who])


@pytest.mark.requirement("DR-080", "DR-021")
def test_uc18_bureau_creates_and_fills_in_a_follow_up(world: World, as_person: Go) -> None:
    no_diagnosis(world)
    client = as_person("bureau")
    form = start_follow_up(client, world)
    fill_in(client, form, alive="true")
    finish(client, form)
    assert fresh(form).completed_by == world.people["bureau"]
    assert fresh(form).case.flow_state == "review_ready"


# --- scenarios ------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-081", "DR-022", "DR-110", "DR-114")
def test_scenario_2a_pre_crf_by_the_data_manager(
    world: World, outside: Outside, as_person: Go
) -> None:
    """Found in the own list, filled in over two sittings, signed by the treating doctor."""
    start(as_person("bureau"), world)
    form = form_of(Case.objects.get(), "precrf")
    client = as_person("datamanager")
    assert url(form) in text_of(client.get(reverse("digital_review:forms")))
    fill_in(client, form, history="Tired.")
    fill_in(as_person("datamanager"), form, hb="7.1")
    finish(client, form)
    assert "Precrf of patient SK-0001 waits for your signature." in told(world.people["doctor"])
    give_pin(world.people["doctor"])
    doctor = as_person("doctor")
    page = text_of(doctor.get(url(form, "sign")))
    assert "Sign Precrf of patient SK-0001" in page
    doctor.post(url(form, "sign"), {"version": fresh(form).version, "pin": PIN})
    done = fresh(form)
    assert done.signature is not None
    assert (done.status, done.signature.signer) == ("locked", world.people["doctor"])
    assert done.answers["values"] == {"history": "Tired.", "hb": "7.1"}
    fill_in(client, form, hb="8.0")
    assert fresh(form).answers == done.answers


@pytest.mark.requirement("DR-081", "DR-021")
def test_scenario_2b_pre_crf_on_paper_typed_in_by_the_bureau(
    world: World, outside: Outside, as_person: Go
) -> None:
    client = as_person("bureau")
    start(client, world)
    form = form_of(Case.objects.get(), "precrf")
    fill_in(client, form, hb="7.1")
    finish(client, form)
    give_pin(world.people["bureau"])
    scan = SimpleUploadedFile("paper.pdf", b"%PDF-1.4 signed by hand", "application/pdf")
    fields = {"version": fresh(form).version, "pin": PIN, "scan": scan}
    assert client.post(url(form, "attest"), fields).status_code == 302
    done = fresh(form)
    assert done.signature is not None
    assert (done.transcribed, done.signature.meaning) == (True, TRANSCRIBED)
    assert client.get(url(form, "paper")).content == b"%PDF-1.4 signed by hand"
    assert "Paper original" in text_of(client.get(url(form)))


@pytest.mark.requirement("DR-081", "DR-078")
def test_scenario_10a_follow_up_by_the_data_manager(world: World, as_person: Go) -> None:
    no_diagnosis(world)
    start_follow_up(as_person("bureau"), world)
    form = CaseForm.objects.get(slot__code="follow_up")
    client = as_person("datamanager")
    assert url(form) in text_of(client.get(reverse("digital_review:forms")))
    fill_in(client, form, alive="true")
    finish(client, form)
    signed(form, world.people["doctor"])
    done = fresh(form)
    assert (done.status, done.case.flow_state) == ("locked", "review_ready")


@pytest.mark.requirement("DR-081", "DR-078")
def test_scenario_10b_follow_up_on_paper_typed_in_by_the_bureau(
    world: World, as_person: Go
) -> None:
    no_diagnosis(world)
    client = as_person("bureau")
    form = start_follow_up(client, world)
    fill_in(client, form, alive="false")
    finish(client, form)
    give_pin(world.people["bureau"])
    scan = SimpleUploadedFile("paper.png", b"\x89PNG\r\n\x1a\n", "image/png")
    client.post(url(form, "attest"), {"version": fresh(form).version, "pin": PIN, "scan": scan})
    assert (fresh(form).transcribed, fresh(form).status) == (True, "locked")


# --- who ------------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-022", "DR-012", "DR-004")
def test_a_data_manager_sees_nothing_but_the_forms_of_the_own_hospital(
    world: World, as_person: Go
) -> None:
    case = to_review(world)
    own, pathology = form_of(case, "precrf"), form_of(case, "pathology")
    client, other = as_person("datamanager"), as_person("datamanager_south")
    assert client.get(url(own)).status_code == 200
    assert client.get(url(pathology)).status_code == 404
    assert client.get(reverse("digital_review:case_follow_up", args=[case.pk])).status_code == 404
    assert other.get(url(own)).status_code == 404


@pytest.mark.requirement("DR-021", "DR-023", "DR-024", "DR-025", "DR-026", "DR-012")
@pytest.mark.parametrize(
    ("slot", "fills"),
    [
        ("precrf", {"datamanager", "doctor", "bureau", "manager"}),
        ("pathology", {"pathologist", "manager"}),
        ("crf", {"secretary", "chairman", "manager"}),
    ],
)
def test_each_form_is_filled_in_by_whom_it_belongs_to(
    world: World, as_person: Go, slot: str, fills: set[str]
) -> None:
    case = begin(world)
    complete(form_of(case, "precrf"), world.people["datamanager"], hb="7")
    if slot == "crf":
        open_form(actor=world.people["secretary"], case=case, slot=world.slots["crf"])
    form = form_of(case, slot)
    change_many([form], status="draft", completed_at=None, completed_by=None)
    people = ("datamanager", "doctor", "bureau", "manager", "pathologist", "secretary", "chairman",
              "clinician", "specialist")  # fmt: skip
    may = {who for who in people if as_person(who).get(url(form, "fill")).status_code == 200}
    assert may == fills


@pytest.mark.requirement("DR-026", "DR-060")
def test_the_form_on_the_meetings_table_is_written_by_who_has_the_pen(
    world: World, as_person: Go
) -> None:
    case = to_review(world)
    crf = open_form(actor=world.people["secretary"], case=case, slot=world.slots["crf"])
    held = meeting(world, days=0, status="running", writer=world.people["secretary"])
    listed(held, case, form=crf)
    save(crf, world.people["secretary"], conclusion="Aplastic.")
    with pytest.raises(Refused) as refused:
        save(crf, world.people["chairman"], conclusion="Not aplastic.")
    assert refused.value.code == "not_the_writer"
    change_many([held], writer=world.people["chairman"])
    save(crf, world.people["chairman"], conclusion="Not aplastic.")


# --- bad input, faults ----------------------------------------------------------------------------


@pytest.mark.requirement("DR-115")
def test_a_signed_form_that_was_changed_by_raw_sql_is_named_when_it_is_opened(
    world: World, as_person: Go
) -> None:
    form = complete(form_of(begin(world), "precrf"), world.people["datamanager"], hb="7.1")
    done = signed(form, world.people["doctor"])
    assert "not authentic" not in text_of(as_person("bureau").get(url(form)))
    with triggers_disabled() as cursor:
        cursor.execute(
            "UPDATE digital_review_caseform SET answers ="
            " jsonb_set(answers, '{values,hb}', '\"2.0\"') WHERE id = %s",
            [form.pk],
        )
    page = text_of(as_person("bureau").get(url(form)))
    assert "This form is not authentic" in page
    assert "answers.values.hb" in page
    assert verify(done.signature).state == State.CHANGED


def test_a_script_in_an_answer_is_shown_and_not_run(world: World, as_person: Go) -> None:
    form = form_of(begin(world), "precrf")
    fill_in(as_person("datamanager"), form, history="<script>alert(1)</script>")
    page = text_of(as_person("bureau").get(url(form)))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.django_db(transaction=True)
def test_two_at_once_begin_one_case(world: World) -> None:
    outcomes = at_once(lambda: begin(world), lambda: begin(world))
    assert sorted(type(each).__name__ for each in outcomes) == ["Case", "Refused"]
    assert (Case.objects.count(), CaseForm.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.requirement("DR-139")
def test_two_at_once_sign_once(world: World) -> None:
    form = complete(form_of(begin(world), "precrf"), world.people["datamanager"], hb="7.1")
    give_pin(world.people["doctor"])
    doctor = world.people["doctor"]
    outcomes = at_once(lambda: signed(form, doctor), lambda: signed(form, doctor))
    assert sorted(type(each).__name__ for each in outcomes) == ["CaseForm", "Refused"]
    assert fresh(form).signature is not None


# --- reminders ------------------------------------------------------------------------------------


def by_itself(days: int) -> dict[str, int]:
    return reminders.daily(timezone.now() + timedelta(days=days))


@pytest.mark.requirement("DR-072", "DR-130")
def test_a_form_that_is_not_filled_in_is_reminded_of_once(world: World) -> None:
    form = form_of(begin(world), "precrf")
    manager = world.people["datamanager"]
    assert by_itself(29)["reminders"] == 0
    assert by_itself(30)["reminders"] == 1
    assert by_itself(30)["reminders"] == 0
    assert by_itself(45)["reminders"] == 0
    assert told(manager)[-1] == "Reminder: Precrf of patient SK-0001 is still to be filled in."
    assert mailed(manager)[-1] == "Digital Review: a reminder of a form to be filled in"
    assert fresh(form).reminded_at is not None


@pytest.mark.requirement("DR-183")
def test_a_form_is_reminded_of_again_some_days_before_the_meeting(world: World) -> None:
    case = begin(world)
    listed(meeting(world, days=60), case)
    assert [by_itself(days)["reminders"] for days in (30, 45, 46, 47)] == [1, 0, 1, 0]


def test_nobody_is_reminded_of_what_is_complete(world: World) -> None:
    complete(form_of(begin(world), "precrf"), world.people["datamanager"], hb="7")
    assert form_of(Case.objects.get(), "pathology").due_on is None
    change_many(CaseForm.objects.filter(slot__code="pathology"), status="complete")
    assert by_itself(40)["reminders"] == 0


@pytest.mark.requirement("DR-078")
def test_a_follow_up_that_is_due_begins_by_itself_once(world: World) -> None:
    case = no_diagnosis(world)
    assert case.follow_up_due_on is not None
    days = (case.follow_up_due_on - timezone.localdate()).days
    assert by_itself(days - 1)["follow_ups"] == 0
    assert by_itself(days)["follow_ups"] == 1
    assert by_itself(days)["follow_ups"] == 0
    assert form_of(case, "follow_up").status == "draft"
    assert "Follow_up of patient SK-0001 waits to be filled in." in told(
        world.people["datamanager"]
    )


def test_a_case_that_fails_does_not_keep_the_others_from_their_reminders(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("SK-0001", "SK-0002"):
        begin(world, number)
    usual, failed = reminders.tell, []

    def tell(people: Any, text: Any, facts: Any, **more: Any) -> Any:
        if facts["patient"] == "SK-0001" and not failed:
            failed.append(1)
            raise OSError("away")
        return usual(people, text, facts, **more)

    monkeypatch.setattr(reminders, "tell", tell)
    actor = ServiceActor("test")
    now = timezone.now() + timedelta(days=31)
    assert reminders.remind(actor, now) == 1
    assert reminders.remind(actor, now) == 1
    assert reminders.remind(actor, now) == 0
