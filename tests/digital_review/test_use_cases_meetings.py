"""Use cases 8, 9, 19 and 20 and scenarios 3, 4, 5, 8 and 9 of the source, end to end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from digital_review.models import AgendaItem, Anamnesis, CaseForm, Meeting
from digital_review.selectors.meetings import eligible
from digital_review.services.case_forms import RULES
from digital_review.services.meeting_dates import prepare_meetings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.forms.services.sheets import complete_sheet, save_sheet
from portal.notifications.models import Notification, OutboxMail
from portal.records.context import ServiceActor
from portal.signing.services import signatures_of, verify
from tests.digital_review.factories import World, make_case, make_form, review_world
from tests.digital_review.meetings import READY, fresh, items, numbers_on, plan, plan_today
from tests.support.accounts import sign_in
from tests.support.signing import PIN, give_pin

SYSTEM = ServiceActor("meetings")


@pytest.fixture
def world(db) -> World:
    return review_world()


def at_desk(person: Any) -> Client:
    """The person's browser, with htmx."""
    client = Client(headers={"HX-Request": "true"})
    sign_in(client, person)
    return client


def page_of(client: Client, name: str, *args: Any, **query: Any) -> str:
    response = client.get(reverse(f"digital_review:{name}", args=args), query)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def send(client: Client, name: str, *args: Any, **fields: Any) -> Any:
    return client.post(reverse(f"digital_review:{name}", args=args), fields)


def told(person: Any) -> str:
    return " | ".join(Notification.objects.filter(user=person).values_list("text", flat=True))


def fill_in(person: Any, form: CaseForm, **typed: str) -> None:
    """Save the answers and complete the form."""
    act = {"actor": person, "sheet_id": form.pk}
    saved = save_sheet(RULES, **act, typed=typed, opened_version=form.version)
    complete_sheet(RULES, **act, version=saved.sheet.version)


def reported(world: World, number: str) -> Any:
    """A case of which everything but the pathologist's report is complete; that has begun."""
    case = make_case(world, number, flow_state="info_to_pathologist")
    make_form(case, world.slots["precrf"], status="complete")
    return make_form(case, world.slots["pathology"])


# --- planning by itself ------------------------------------------------------------------------


@pytest.mark.requirement("DR-074", "DR-080", "DR-130")
def test_uc8_report_in_time_the_patient_is_registered_and_everybody_is_told(world) -> None:
    meeting = plan(world, participants=(world.people["specialist"],))
    report = reported(world, "SK-0008")
    prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=30))
    assert numbers_on(meeting) == []
    fill_in(world.people["pathologist"], report, cellularity="decreased", local="saa")
    prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=22))
    prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=21, hours=1))
    assert numbers_on(meeting) == ["SK-0008"]
    for role in ("pathologist", "specialist", "chairman", "secretary", "bureau", "manager"):
        assert told(world.people[role]).count("is registered for") == 1, role
    mails = " ".join(OutboxMail.objects.values_list("text", flat=True))
    assert "SK-0008" not in mails


@pytest.mark.requirement("DR-074", "DR-080")
def test_uc9_report_not_in_time_the_text_is_kept_and_the_patient_stays(world) -> None:
    meeting = plan(world)
    report = reported(world, "SK-0009")
    save_sheet(
        RULES, actor=world.people["pathologist"], sheet_id=report.pk,
        typed={"cellularity": "decreased"}, opened_version=1,
    )  # fmt: skip
    prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=20))
    prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=19))
    assert numbers_on(meeting) == []
    report.refresh_from_db()
    assert (report.status, report.answers["values"]) == ("draft", {"cellularity": "decreased"})
    assert fresh(report.case).flow_state == "info_to_pathologist"
    assert told(world.people["pathologist"]).count("no report in time") == 1
    # written afterwards, it counts for the meeting after this one
    fill_in(world.people["pathologist"], CaseForm.objects.get(pk=report.pk), local="saa")
    prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=18))
    assert numbers_on(meeting) == []
    [found] = eligible(world.people["manager"], world.review_type.pk)
    assert found.why == "new"


@pytest.mark.requirement("DR-073", "DR-081")
def test_sc3_four_weeks_ahead_the_pathologist_finds_everything_in_one_place(world) -> None:
    make_case(world, "SK-0003", **READY)
    incomplete = make_case(world, "SK-0004", flow_state="review_ready")
    meeting = plan(world)
    AgendaItem.objects.create(meeting=meeting, case=incomplete, position=2)
    prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=28))
    note = Notification.objects.get(
        user=world.people["pathologist"], text__contains="ready for you"
    )
    assert note.url == reverse("digital_review:meeting", args=[meeting.pk])
    html = at_desk(world.people["pathologist"]).get(note.url).content.decode()
    for number, case in (("SK-0003", items(meeting)[0].case), ("SK-0004", incomplete)):
        assert number in html
        assert reverse("digital_review:case", args=[case.pk]) in html
    assert "Precrf, Pathology" in html
    assert "lack information" in told(world.people["bureau"])


# --- the list ----------------------------------------------------------------------------------


@pytest.mark.requirement("DR-053", "DR-080")
def test_uc20_a_patient_is_added_from_the_eligible_list(world) -> None:
    meeting = plan(world)
    case = make_case(world, "SK-0020", **READY)
    manager = at_desk(world.people["manager"])
    assert "new and complete" in page_of(manager, "meeting", meeting.pk)
    assert send(manager, "meeting_add", meeting.pk, case=case.pk).status_code == 302
    assert numbers_on(meeting) == ["SK-0020"]
    assert "Nobody else is ready" in page_of(manager, "meeting", meeting.pk)
    secretary = at_desk(world.people["secretary"])
    assert send(secretary, "meeting_add", meeting.pk, case=case.pk).status_code == 403


@pytest.mark.requirement("DR-054", "DR-080", "DR-081")
def test_uc19_sc9_a_patient_is_taken_off_after_confirmation_and_the_data_stay(world) -> None:
    case = make_case(world, "SK-0019", **READY)
    form = make_form(case, world.slots["precrf"], status="complete")
    Anamnesis.objects.create(
        case=case, text="Pale", written_by=world.people["clinician"], written_at=timezone.now()
    )
    meeting = plan(world)
    [item] = items(meeting)
    manager = at_desk(world.people["manager"])
    question = page_of(manager, "meeting_remove", item.pk)
    assert "SK-0019" in question
    assert "Everything known stays" in question
    assert numbers_on(meeting) == ["SK-0019"]  # asking changes nothing
    assert send(manager, "meeting_remove", item.pk, reason="").status_code == 422
    assert send(manager, "meeting_remove", item.pk, reason="moved abroad").status_code == 302
    assert numbers_on(meeting) == []
    assert CaseForm.objects.get(pk=form.pk).status == "complete"
    assert Anamnesis.objects.filter(case=case).exists()
    assert fresh(case).flow_state == "review_ready"


@pytest.mark.requirement("DR-050", "DR-052", "DR-081")
def test_sc8_a_new_date_is_planned_people_are_told_follow_ups_are_asked(world) -> None:
    repeating = make_case(
        world,
        "SK-0081",
        flow_state="follow_up_required",
        follow_up_due_on=timezone.localdate() + timedelta(days=50),
    )
    later = make_case(
        world,
        "SK-0082",
        flow_state="follow_up_required",
        follow_up_due_on=timezone.localdate() + timedelta(days=200),
    )
    people = world.people
    manager = at_desk(people["manager"])
    assert "Plan it and tell everybody" in page_of(manager, "meeting_new")
    day = timezone.localdate() + timedelta(days=60)
    fields = {
        "day": f"{day:%Y-%m-%d}",
        "at": "14.30",
        "chairman": people["chairman"].pk,
        "secretary": people["secretary"].pk,
        "pathologist": people["pathologist"].pk,
        "participants": [people["specialist"].pk],
        "opinions_first": "on",
    }
    assert send(manager, "meeting_new", **fields, place="x" * 300).status_code == 422
    assert send(manager, "meeting_new", **fields, place="Room 2").status_code == 302
    meeting = Meeting.objects.get()
    local = timezone.localtime(meeting.starts_at)
    assert (local.date(), f"{local:%H:%M}", meeting.place) == (day, "14:30", "Room 2")
    for role in ("chairman", "secretary", "pathologist", "specialist"):
        assert "You are invited" in told(people[role])
    [asked] = CaseForm.objects.filter(slot=world.slots["follow_up"])
    assert asked.case == repeating
    assert "Follow_up of patient SK-0081" in told(people["datamanager"])
    assert fresh(later).follow_up_due_on is not None


# --- the meeting -------------------------------------------------------------------------------


@pytest.mark.requirement("DR-025", "DR-026", "DR-060", "DR-081")
def test_sc4_the_review(world) -> None:
    meeting = plan_today(world, "SK-0041", "SK-0042")
    people = world.people
    for item in items(meeting):
        make_form(item.case, world.slots["precrf"], status="complete")
    first, second = items(meeting)
    chairman, secretary, member = (
        at_desk(people[role]) for role in ("chairman", "secretary", "specialist")
    )
    assert send(member, "room_start", meeting.pk).status_code == 422
    assert send(chairman, "room_start", meeting.pk).status_code == 302
    assert send(chairman, "room_show", first.pk).status_code == 204
    # everybody follows, and anybody looks at whatever they like meanwhile
    assert "SK-0041" in page_of(member, "room_patient", meeting.pk)
    browsing = page_of(member, "room_patient", meeting.pk, item=second.pk)
    assert "SK-0042" in browsing
    assert "The chairman shows: SK-0041" in browsing
    form = CaseForm.objects.get(case=second.case, slot=world.slots["precrf"])
    assert "Precrf" in page_of(member, "room_form", second.pk, form.pk)
    # the secretary writes, the others see it grow, and cannot write
    typed = {"conclusion": "Hypocellular marr", "opened_version": 1, "sequence": 1}
    assert "data-minutes" in page_of(secretary, "room_minutes", meeting.pk)
    assert "data-minutes" not in page_of(member, "room_minutes", meeting.pk)
    assert send(secretary, "room_write", first.pk, **typed).status_code == 200
    assert "Hypocellular marr" in page_of(member, "room_written", first.pk)
    refused = send(member, "room_write", first.pk, **typed)
    assert refused.status_code == 409
    assert "Secretary Review has the pen" in refused.content.decode()
    # opinions, each for themselves
    saa = world.outcomes["saa"].pk
    assert send(member, "room_opine", first.pk, outcome=saa, text="empty").status_code == 204
    assert "empty" not in page_of(chairman, "room_opinions", first.pk)
    assert send(chairman, "room_disclose", first.pk).status_code == 204
    assert "empty" in page_of(chairman, "room_opinions", first.pk)
    # the end of the first patient
    incomplete = send(chairman, "room_finish", first.pk)
    assert incomplete.status_code == 422
    assert "Classifying diagnosis" in incomplete.content.decode()
    done = {**typed, "diagnosis": "saa", "sequence": 2}
    assert send(secretary, "room_write", first.pk, **done).status_code == 200
    assert send(chairman, "room_finish", first.pk).status_code == 302
    assert fresh(first.case).flow_state == "crf_complete"
    assert "discussed" in page_of(member, "room_agenda", meeting.pk)


@pytest.mark.requirement("DR-061", "DR-081", "DR-110")
def test_sc5_at_the_end_the_findings_are_signed_patient_by_patient(world, server_keys) -> None:
    meeting = plan_today(world, "SK-0051", "SK-0052", "SK-0053")
    people = world.people
    chairman, secretary = at_desk(people["chairman"]), at_desk(people["secretary"])
    send(chairman, "room_start", meeting.pk)
    for number, item in enumerate(items(meeting)[:2], 1):
        send(chairman, "room_show", item.pk)
        typed = {"diagnosis": "saa", "opened_version": 1, "sequence": number}
        assert send(secretary, "room_write", item.pk, **typed).status_code == 200
        assert send(chairman, "room_finish", item.pk).status_code == 302
    assert send(chairman, "room_end", meeting.pk).status_code == 302
    [left] = eligible(people["manager"], world.review_type.pk)
    assert (left.case.patient.number, left.why) == ("SK-0053", "not_reached")
    # the responsible specialist sees those waiting, one after the other
    give_pin(people["specialist"])
    specialist = at_desk(people["specialist"])
    html = page_of(specialist, "meeting_findings", meeting.pk)
    assert "2 findings wait for your signature" in html
    assert "Sign the finding of SK-0051" in html
    first, second = (AgendaItem.objects.get(pk=item.pk).form for item in items(meeting)[:2])
    fields = {"meeting": meeting.pk, "version": first.version}
    wrong = send(specialist, "finding_sign", first.pk, **fields, pin="11111111")
    assert wrong.status_code == 422
    assert CaseForm.objects.get(pk=first.pk).signature is None
    assert send(specialist, "finding_sign", first.pk, **fields, pin=PIN).status_code == 302
    assert "Sign the finding of SK-0052" in page_of(specialist, "meeting_findings", meeting.pk)
    fields["version"] = second.version
    assert send(specialist, "finding_sign", second.pk, **fields, pin=PIN).status_code == 302
    assert "Nothing of this meeting waits" in page_of(specialist, "meeting_findings", meeting.pk)
    for form in (first, second):
        form.refresh_from_db()
        assert (form.status, fresh(form.case).flow_state) == ("locked", "crf_signed")
        assert verify(signatures_of(form)[0]).state == "valid"
    # nobody else signs for them
    assert send(chairman, "finding_sign", first.pk, **fields, pin=PIN).status_code in (403, 422)
