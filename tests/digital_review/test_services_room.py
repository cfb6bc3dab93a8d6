"""The meeting while it runs: the table, the pen, the minutes, the end; and opinions."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from digital_review.models import AgendaItem, CaseForm, Meeting, Opinion
from digital_review.selectors.minutes import unsaved_of_writer, written
from digital_review.selectors.opinions import agreement_of, opinions_on
from digital_review.selectors.room import on_the_table, place_of
from digital_review.services.case_forms import RULES
from digital_review.services.meetings import name_deputy
from digital_review.services.opinions import disclose_opinions, give_opinion, write_minority
from digital_review.services.room import (
    end_meeting,
    finish_patient,
    give_pen,
    postpone_patient,
    show_patient,
    start_meeting,
    take_pen,
    write_minutes,
)
from django.utils import timezone

from portal.audit.models import AuditEntry
from portal.forms.models import UnsavedInput
from portal.forms.services.sheets import NotComplete, save_sheet
from portal.records.context import acting
from portal.records.errors import Refused
from tests.digital_review.factories import make_form, review_world
from tests.digital_review.meetings import another, fresh, items, plan, plan_today
from tests.support.threads import at_once


@pytest.fixture
def room(db) -> SimpleNamespace:
    return begun()


def begun(*numbers: str) -> SimpleNamespace:
    """A meeting that runs, with its first patient on the table."""
    world = review_world()
    meeting = plan_today(world, *(numbers or ("SK-0001", "SK-0002")))
    people = world.people
    start_meeting(actor=people["chairman"], meeting_id=meeting.pk)
    first = items(meeting)[0]
    show_patient(actor=people["chairman"], meeting_id=meeting.pk, item_id=first.pk)
    return SimpleNamespace(
        world=world,
        meeting=meeting,
        item=AgendaItem.objects.select_related("form", "case", "meeting").get(pk=first.pk),
        other=items(meeting)[1] if len(items(meeting)) > 1 else None,
        **{name: people[name] for name in ("chairman", "secretary", "specialist", "pathologist")},
    )


def code_of(act, **values) -> str:
    with pytest.raises(Refused) as refused:
        act(**values)
    return str(refused.value.code)


def write(room, person, sequence: int = 1, **typed: str):
    form = CaseForm.objects.get(pk=room.item.form_id)
    return write_minutes(
        actor=person,
        item_id=room.item.pk,
        typed=typed,
        opened_version=form.version,
        sequence=sequence,
    )


def seen_by(room, person) -> dict[str, str]:
    """What this person sees of the minutes, by item."""
    meeting = Meeting.objects.get(pk=room.meeting.pk)
    form = CaseForm.objects.select_related("form_version", "case").get(pk=room.item.form_id)
    with acting(actor=person):
        page = written(form, unsaved_of_writer(form, meeting.writer_id))
    return {field.name: field.worded or field.typed for field in page.fields()}


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.requirement("DR-025", "DR-060")
def test_only_the_chairman_begins_and_shows_and_not_months_before(db) -> None:
    world = review_world()
    meeting = plan_today(world)
    chairman = world.people["chairman"]
    for role in ("secretary", "specialist", "pathologist"):
        act = {"actor": world.people[role], "meeting_id": meeting.pk}
        assert code_of(start_meeting, **act) == "not_chairman"
    assert (
        code_of(start_meeting, actor=world.people["bureau"], meeting_id=meeting.pk) == "not_there"
    )
    later = plan(world)
    assert code_of(start_meeting, actor=chairman, meeting_id=later.pk) == "early"
    running = start_meeting(actor=chairman, meeting_id=meeting.pk)
    assert (running.status, running.writer) == ("running", world.people["secretary"])
    assert code_of(start_meeting, actor=chairman, meeting_id=meeting.pk) == "running"
    item = items(meeting)[0]
    act = {"meeting_id": meeting.pk, "item_id": item.pk}
    assert code_of(show_patient, actor=world.people["secretary"], **act) == "not_chairman"


@pytest.mark.requirement("DR-026", "DR-060")
def test_the_review_form_is_made_when_the_patient_comes_on_the_table_and_once(room) -> None:
    form = room.item.form
    assert (form.slot.code, form.status, form.case_id) == ("crf", "draft", room.item.case_id)
    act = {"actor": room.chairman, "meeting_id": room.meeting.pk}
    show_patient(**act, item_id=room.other.pk)
    show_patient(**act, item_id=room.item.pk)
    assert CaseForm.objects.filter(case=room.item.case_id, slot__code="crf").count() == 1


@pytest.mark.requirement("DR-060")
def test_the_patients_other_forms_are_closed_while_on_the_table(room) -> None:
    precrf = make_form(room.item.case, room.world.slots["precrf"])
    values = {"sheet_id": precrf.pk, "typed": {"history": "Pale"}, "opened_version": 1}
    manager = room.world.people["bureau"]
    assert on_the_table(room.item.case_id) == room.meeting
    assert code_of(save_sheet, rules=RULES, actor=manager, **values) == "on_the_table"
    show_patient(actor=room.chairman, meeting_id=room.meeting.pk, item_id=room.other.pk)
    save_sheet(RULES, actor=manager, **values)


# --- the pen -------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-026", "DR-060")
def test_everybody_sees_what_the_secretary_types_and_only_the_secretary_can(room) -> None:
    write(room, room.secretary, conclusion="Hypocellular marr")
    for person in (room.chairman, room.specialist, room.pathologist):
        assert seen_by(room, person)["conclusion"] == "Hypocellular marr"
        assert code_of(write, room=room, person=person, conclusion="no") == "no_pen"
    assert CaseForm.objects.get(pk=room.item.form_id).answers["values"] == {}


def test_what_arrives_late_changes_nothing(room) -> None:
    write(room, room.secretary, 7, conclusion="Hypo")
    write(room, room.secretary, 6, conclusion="Hy")
    assert seen_by(room, room.chairman)["conclusion"] == "Hypo"


@pytest.mark.requirement("DR-007", "DR-060")
def test_the_pen_is_taken_over_in_the_middle_of_a_word_and_nothing_is_lost(room) -> None:
    write(room, room.secretary, 1_000, conclusion="Hypocellu")
    act = {"meeting_id": room.meeting.pk}
    assert code_of(take_pen, actor=room.specialist, **act) == "not_writer"
    take_pen(actor=room.chairman, **act)
    assert code_of(write, room=room, person=room.secretary, conclusion="x") == "no_pen"
    assert seen_by(room, room.specialist)["conclusion"] == "Hypocellu"
    write(room, room.chairman, 5, conclusion="Hypocellular")
    assert seen_by(room, room.specialist)["conclusion"] == "Hypocellular"
    # the secretary does not take it from the chairman, and gets it back with all of it
    assert code_of(take_pen, actor=room.secretary, **act) == "not_writer"
    give_pen(actor=room.chairman, **act)
    write(room, room.secretary, 2_000, conclusion="Hypocellular marrow")
    assert seen_by(room, room.chairman)["conclusion"] == "Hypocellular marrow"
    assert UnsavedInput.objects.count() == 1
    moved = AuditEntry.objects.filter(action="digital_review.pen_taken").order_by("pk")
    assert [entry.data["to"] for entry in moved] == ["Chairman Review", "Secretary Review"]


def test_typing_and_taking_the_pen_at_once_leaves_one_writer_and_one_text(transactional_db) -> None:
    room = begun("SK-0001")
    results = at_once(
        lambda: write(room, room.secretary, 1_000, conclusion="Hypo"),
        lambda: take_pen(actor=room.chairman, meeting_id=room.meeting.pk),
    )
    refused = isinstance(results[0], Refused)
    unsaved = UnsavedInput.objects.filter(typed__conclusion="Hypo")
    assert [each.person_id for each in unsaved] == ([] if refused else [room.chairman.pk])


def test_what_was_typed_is_saved_when_another_patient_is_shown(room) -> None:
    write(room, room.secretary, conclusion="Hypocellular")
    show_patient(actor=room.chairman, meeting_id=room.meeting.pk, item_id=room.other.pk)
    form = CaseForm.objects.get(pk=room.item.form_id)
    assert form.answers["values"] == {"conclusion": "Hypocellular"}
    assert form.history.latest().history_user == room.secretary
    assert code_of(write, room=room, person=room.secretary, conclusion="x") == "not_shown"


@pytest.mark.requirement("DR-011")
def test_a_deputy_chairman_leads_and_loses_it_with_the_privilege(room) -> None:
    deputy = another(room.world, "chairman", "Deputy Chair")
    act = {"actor": deputy, "meeting_id": room.meeting.pk, "item_id": room.other.pk}
    assert code_of(show_patient, **act) == "not_there"
    name_deputy(
        actor=room.world.people["manager"], meeting_id=room.meeting.pk, part="chairman",
        person_id=deputy.pk, reason="leaves early",
    )  # fmt: skip
    show_patient(**act)
    assert place_of(deputy, room.meeting).leads
    grant = deputy.role_grants.get()
    grant.ends_on = timezone.localdate() - timedelta(days=1)
    grant.starts_on = grant.ends_on
    grant.save()
    deputy.__dict__.pop("_portal_held", None)
    assert not place_of(deputy, room.meeting).is_there


def test_two_chairmen_at_once_leave_one_patient_on_the_table(transactional_db) -> None:
    room = begun("SK-0001", "SK-0002")
    deputy = another(room.world, "chairman", "Deputy Chair")
    name_deputy(
        actor=room.world.people["manager"], meeting_id=room.meeting.pk, part="chairman",
        person_id=deputy.pk, reason="two",
    )  # fmt: skip
    values = {"meeting_id": room.meeting.pk}
    results = at_once(
        lambda: show_patient(actor=room.chairman, item_id=room.other.pk, **values),
        lambda: show_patient(actor=deputy, item_id=room.other.pk, **values),
    )
    assert [type(each) for each in results] == [AgendaItem, AgendaItem]
    assert Meeting.objects.get(pk=room.meeting.pk).shown_id == room.other.pk
    assert CaseForm.objects.filter(case=room.other.case_id, slot__code="crf").count() == 1
    give_opinion(
        actor=room.specialist, item_id=room.other.pk, outcome_id=room.world.outcomes["saa"].pk
    )
    at_once(
        lambda: disclose_opinions(actor=room.chairman, item_id=room.other.pk),
        lambda: disclose_opinions(actor=deputy, item_id=room.other.pk),
    )
    disclosed = AuditEntry.objects.filter(action="digital_review.opinions_disclosed")
    assert disclosed.count() == 1


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-057", "DR-060")
def test_a_patient_is_discussed_only_when_the_form_is_complete(room) -> None:
    act = {"actor": room.chairman, "item_id": room.item.pk}
    with pytest.raises(NotComplete) as error:
        finish_patient(**act)
    assert error.value.missing == ["diagnosis"]
    assert code_of(finish_patient, actor=room.specialist, item_id=room.item.pk) == "not_writer"
    write(room, room.secretary, diagnosis="saa", conclusion="Hypocellular")
    item = finish_patient(**act)
    assert (item.status, item.form.pk) == ("discussed", room.item.form_id)
    form = CaseForm.objects.get(pk=room.item.form_id)
    assert (form.status, form.answers["values"]["diagnosis"]) == ("complete", "saa")
    assert fresh(room.item.case).outcome == room.world.outcomes["saa"]
    assert fresh(room.item.case).flow_state == "crf_complete"
    assert not UnsavedInput.objects.exists()
    assert code_of(finish_patient, **act) == "over"


@pytest.mark.requirement("DR-056", "DR-061")
def test_whom_the_meeting_did_not_reach_stays_for_the_next_list(room) -> None:
    write(room, room.secretary, conclusion="Half a th")
    postpone_patient(actor=room.chairman, item_id=room.item.pk, reason="smears missing")
    assert code_of(end_meeting, actor=room.secretary, meeting_id=room.meeting.pk) == "not_chairman"
    ended = end_meeting(actor=room.chairman, meeting_id=room.meeting.pk)
    assert (ended.status, ended.writer, ended.shown) == ("held", None, None)
    assert {each.status for each in items(room.meeting)} == {"postponed"}
    form = CaseForm.objects.get(pk=room.item.form_id)
    assert form.answers["values"] == {"conclusion": "Half a th"}
    assert [each.case.patient.number for each in items(plan(room.world))] == ["SK-0001", "SK-0002"]
    assert code_of(take_pen, actor=room.chairman, meeting_id=room.meeting.pk) == "over"


# --- opinions ------------------------------------------------------------------------------------


def opine(room, person, outcome: str, text: str = "") -> Opinion:
    return give_opinion(
        actor=person,
        item_id=room.item.pk,
        outcome_id=room.world.outcomes[outcome].pk,
        text=text,
    )


def test_nobody_sees_anothers_opinion_before_the_chairman_shows_them(room) -> None:
    opine(room, room.pathologist, "saa", "empty marrow")
    opine(room, room.specialist, "fanconi")
    for person in (room.chairman, room.secretary, room.world.people["manager"]):
        seen = opinions_on(person, room.item)
        assert (seen.mine, seen.given, seen.shown, seen.agreement) == (None, 2, (), None)
    mine = opinions_on(room.specialist, room.item)
    assert (mine.mine.outcome.code, mine.shown) == ("fanconi", ())
    assert code_of(disclose_opinions, actor=room.specialist, item_id=room.item.pk) == "not_chairman"
    disclose_opinions(actor=room.chairman, item_id=room.item.pk)
    room.item.refresh_from_db()
    seen = opinions_on(room.chairman, room.item)
    assert {each.outcome.code for each in seen.shown} == {"saa", "fanconi"}
    assert seen.agreement.percent == 0
    trail = " ".join(str(entry.data) for entry in AuditEntry.objects.all())
    assert "fanconi" not in trail
    assert "empty marrow" not in trail


def test_an_opinion_changes_until_it_is_shown_and_a_late_one_does_not_count(room) -> None:
    opine(room, room.pathologist, "fanconi")
    opine(room, room.pathologist, "saa")
    opine(room, room.specialist, "saa")
    disclose_opinions(actor=room.chairman, item_id=room.item.pk)
    assert code_of(opine, room=room, person=room.specialist, outcome="fanconi") == "disclosed"
    late = opine(room, room.secretary, "fanconi")
    room.item.refresh_from_db()
    seen = opinions_on(room.chairman, room.item)
    assert seen.late == {late.pk}
    assert (seen.agreement.ratings, seen.agreement.percent) == (2, 100)
    assert agreement_of(room.chairman, room.meeting).between.ratings == 2
    write_minority(actor=room.secretary, item_id=room.item.pk, text="One saw Fanconi anaemia.")
    assert code_of(write_minority, actor=room.specialist, item_id=room.item.pk, text="x") == (
        "not_writer"
    )


def test_an_outcome_of_another_review_and_an_outsider_are_refused(room) -> None:
    act = {"item_id": room.item.pk, "outcome_id": 10**9}
    assert code_of(give_opinion, actor=room.specialist, **act) == "outcome"
    outsider = another(room.world, "specialist", "Not Invited")
    assert code_of(opine, room=room, person=outsider, outcome="saa") == "not_there"
