"""Planning: who may, who is told, deputies, the list of patients, two at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from digital_review.models import AgendaItem, Meeting, Participant
from digital_review.selectors.meetings import eligible, invited, usual_next
from digital_review.selectors.room import minute_keeper, place_of
from digital_review.services.agenda import (
    add_all,
    add_patient,
    move_patient,
    remove_patient,
    reorder_patient,
)
from digital_review.services.meeting_dates import prepare_meetings
from digital_review.services.meetings import (
    cancel_meeting,
    change_meeting,
    invite,
    name_deputy,
    plan_meeting,
    uninvite,
)
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.records.context import ServiceActor
from portal.records.errors import Refused, StaleRecord
from tests.digital_review.factories import World, make_case, make_form, review_world
from tests.digital_review.meetings import (
    READY,
    another,
    items,
    meeting_data,
    numbers_on,
    plan,
)
from tests.support.factories import give, make_user
from tests.support.threads import at_once

SYSTEM = ServiceActor("meetings")


@pytest.fixture
def world(db) -> World:
    return review_world()


def code_of(act, **values) -> str:
    with pytest.raises(Refused) as refused:
        act(**values)
    return str(refused.value.code)


def told(person) -> list[str]:
    return [note.text for note in Notification.objects.filter(user=person).order_by("pk")]


# --- the meeting -------------------------------------------------------------------------------


@pytest.mark.requirement("DR-050", "DR-051", "DR-052")
def test_everybody_concerned_is_told_of_a_new_meeting_and_no_patient_is_named(world) -> None:
    make_case(world, "SK-0001", **READY)
    meeting = plan(world, participants=(world.people["specialist"],), place="Room 3")
    assert numbers_on(meeting) == ["SK-0001"]
    for role in ("chairman", "secretary", "pathologist", "specialist"):
        [text] = told(world.people[role])
        assert "MDS-BMF" in text
        assert "SK-0001" not in text
    assert told(world.people["clinician"]) == []
    entry = AuditEntry.objects.get(action="digital_review.meeting_planned")
    assert (entry.data["place"], entry.data["chairman"]) == ("Room 3", "Chairman Review")


@pytest.mark.requirement("DR-051", "DR-012")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"starts_at": timezone.now() - timedelta(minutes=1)}, "past"),
        ({"chairman_id": "secretary"}, "officer"),
        ({"secretary_id": "clinician"}, "officer"),
        ({"pathologist_id": 10**9}, "officer"),
        ({"video_room": "http://meet.example.org/x"}, "address"),
        ({"pathologist_hospital_id": 10**9}, "hospital"),
    ],
)
def test_what_cannot_be_planned_is_refused(world, changes, code) -> None:
    changes = {
        name: world.people[value].pk if isinstance(value, str) and name.endswith("_id") else value
        for name, value in changes.items()
    }
    assert code_of(plan, world=world, **changes) == code
    assert not Meeting.objects.exists()


@pytest.mark.parametrize("role", ["chairman", "secretary", "bureau", "clinician", "datamanager"])
def test_nobody_but_the_review_manager_plans_a_meeting(world, role) -> None:
    with pytest.raises((PermissionDenied, Refused)):
        plan_meeting(
            actor=world.people[role], review_type_id=world.review_type.pk, data=meeting_data(world)
        )


@pytest.mark.requirement("DR-050")
def test_a_meeting_is_rescheduled_with_a_reason_and_its_deadlines_count_anew(world) -> None:
    meeting = plan(world)
    prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=20))
    meeting.refresh_from_db()
    assert meeting.information_sent_at
    assert meeting.reports_checked_at
    manager, later = (
        world.people["manager"],
        meeting_data(world, starts_at=meeting.starts_at + timedelta(days=30)),
    )
    values = {"actor": manager, "meeting_id": meeting.pk, "version": meeting.version}
    assert code_of(change_meeting, **values, data=later, reason=" ") == "reason_needed"
    moved = change_meeting(**values, data=later, reason="The chairman is ill")
    assert (moved.information_sent_at, moved.reports_checked_at) == (None, None)
    assert "moved to" in told(world.people["chairman"])[-1]
    entry = AuditEntry.objects.get(action="digital_review.meeting_changed")
    assert entry.reason == "The chairman is ill"
    assert list(entry.data) == ["starts_at"]
    with pytest.raises(StaleRecord):
        change_meeting(**values, data=later, reason="again")


@pytest.mark.requirement("DR-052")
def test_who_is_no_officer_any_more_is_told_too_and_their_deputy_ends(world) -> None:
    meeting = plan(world)
    deputy = another(world, "chairman", "Deputy Chair")
    name_deputy(
        actor=world.people["manager"], meeting_id=meeting.pk, part="chairman",
        person_id=deputy.pk, reason="holiday",
    )  # fmt: skip
    new = another(world, "chairman", "New Chair")
    meeting.refresh_from_db()
    change_meeting(
        actor=world.people["manager"], meeting_id=meeting.pk, version=meeting.version,
        data=meeting_data(world, starts_at=meeting.starts_at, chairman_id=new.pk), reason="swap",
    )  # fmt: skip
    assert "is changed" in told(world.people["chairman"])[-1]
    assert "is changed" in told(new)[-1]
    assert not Participant.objects.filter(meeting=meeting).exists()


@pytest.mark.requirement("DR-050", "DR-056")
def test_patients_of_a_cancelled_meeting_belong_on_the_next_list(world) -> None:
    make_case(world, "SK-0001", **READY)
    meeting, manager = plan(world), world.people["manager"]
    cancel_meeting(actor=manager, meeting_id=meeting.pk, reason="strike")
    assert "is cancelled" in told(world.people["secretary"])[-1]
    [found] = eligible(manager, world.review_type.pk)
    assert found.why == "not_reached"
    assert numbers_on(plan(world)) == ["SK-0001"]
    assert (
        code_of(cancel_meeting, actor=manager, meeting_id=meeting.pk, reason="x") == "not_planned"
    )


@pytest.mark.requirement("DR-059")
def test_the_next_meeting_is_proposed_by_the_cadence_on_the_same_weekday(world) -> None:
    assert usual_next(world.review_type) is None
    meeting = plan(world)
    proposed = usual_next(world.review_type)
    assert proposed is not None
    local = timezone.localtime(meeting.starts_at)
    assert (proposed.weekday(), proposed.time()) == (local.weekday(), local.time())
    assert (proposed.year * 12 + proposed.month) - (local.year * 12 + local.month) == 3


# --- people ------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-011")
def test_a_deputy_has_the_officers_part_in_this_meeting_alone(world) -> None:
    meeting, other = plan(world), plan(world, starts_at=timezone.now() + timedelta(days=90))
    manager, deputy = world.people["manager"], another(world, "secretary", "Deputy Secretary")
    act = {"actor": manager, "meeting_id": meeting.pk, "part": "secretary", "reason": "ill"}
    # the chairman holds no right to keep minutes: naming them does not lend one
    assert code_of(name_deputy, **act, person_id=world.people["chairman"].pk) == "not_allowed"
    assert code_of(name_deputy, **act, person_id=world.people["secretary"].pk) == "self"
    assert code_of(name_deputy, **{**act, "part": "guest"}, person_id=deputy.pk) == "part"
    row = name_deputy(**act, person_id=deputy.pk)
    assert place_of(deputy, meeting).keeps_minutes
    assert minute_keeper(meeting) == deputy
    assert not place_of(deputy, other).is_there
    assert "stand in for Secretary Review" in told(deputy)[-1]
    uninvite(actor=manager, participant_id=row.pk)
    assert not place_of(deputy, meeting).is_there
    assert minute_keeper(meeting) == world.people["secretary"]


def test_who_has_no_role_in_the_review_is_not_invited(world) -> None:
    meeting, manager = plan(world), world.people["manager"]
    act = {"actor": manager, "meeting_id": meeting.pk}
    doctor, specialist = world.people["doctor"], world.people["specialist"]
    assert code_of(invite, **act, person_id=doctor.pk, part="guest") == "not_allowed"
    assert code_of(invite, **act, person_id=specialist.pk, part="chairman") == "part"
    invite(**act, person_id=specialist.pk, part="specialist")
    assert specialist in invited(meeting)
    assert code_of(invite, **act, person_id=specialist.pk, part="specialist") == "twice"


# --- the list ----------------------------------------------------------------------------------


@pytest.mark.requirement("DR-053", "DR-054", "DR-055", "DR-056")
def test_a_patient_is_listed_moved_and_taken_off_again(world) -> None:
    meeting, manager = plan(world), world.people["manager"]
    other = plan(world, starts_at=timezone.now() + timedelta(days=90))
    ready, unready = make_case(world, "SK-0001", **READY), make_case(world, "SK-0002")
    act = {"actor": manager, "meeting_id": meeting.pk}
    assert code_of(add_patient, **act, case_id=unready.pk) == "not_eligible"
    item = add_patient(**act, case_id=ready.pk)
    assert code_of(add_patient, **act, case_id=ready.pk) == "not_eligible"
    moved = move_patient(actor=manager, item_id=item.pk, to_meeting_id=other.pk, reason="full")
    assert (numbers_on(meeting), numbers_on(other)) == ([], ["SK-0001"])
    remove_patient(actor=manager, item_id=moved.pk, reason="moved away")
    assert numbers_on(other) == []
    # whoever was taken off by hand does not come back by itself, but by hand
    prepare_meetings(actor=SYSTEM)
    assert add_all(**act) == 0
    assert add_all(actor=manager, meeting_id=other.pk) == 0
    add_patient(**act, case_id=ready.pk)
    assert numbers_on(meeting) == ["SK-0001"]


def test_the_list_is_reordered_and_keeps_everybody(world) -> None:
    for number in ("SK-0001", "SK-0002", "SK-0003"):
        make_case(world, number, **READY)
    meeting, manager = plan(world), world.people["manager"]
    last = items(meeting)[2]
    reorder_patient(actor=manager, item_id=last.pk, to=1)
    assert numbers_on(meeting) == ["SK-0003", "SK-0001", "SK-0002"]
    with pytest.raises(PermissionDenied):
        reorder_patient(actor=world.people["secretary"], item_id=last.pk, to=2)


def test_a_patient_of_another_review_is_not_found(world) -> None:
    meeting, stranger = plan(world), make_user("Other Manager")
    give(stranger, "digital_review.review_manager", world.other_review)
    assert code_of(add_all, actor=stranger, meeting_id=meeting.pk) == "gone"


@pytest.mark.requirement("DR-136", "DR-139")
def test_two_managers_who_list_the_same_patient_at_once_list_it_once(transactional_db) -> None:
    world = review_world()
    meeting, other = plan(world), plan(world, starts_at=timezone.now() + timedelta(days=90))
    case = make_case(world, **READY)
    manager = world.people["manager"]
    results = at_once(
        lambda: add_patient(actor=manager, meeting_id=meeting.pk, case_id=case.pk),
        lambda: add_patient(actor=manager, meeting_id=other.pk, case_id=case.pk),
    )
    assert sorted(isinstance(each, Refused) for each in results) == [False, True]
    assert AgendaItem.objects.count() == 1


# --- before the meeting ------------------------------------------------------------------------


@pytest.mark.requirement("DR-073")
def test_four_weeks_before_the_pathologist_is_told_once(world) -> None:
    make_case(world, "SK-0001", **READY)
    meeting, pathologist = plan(world), world.people["pathologist"]
    prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=29))
    assert not any("ready for you" in text for text in told(pathologist))
    for days in (28, 27):
        prepare_meetings(actor=SYSTEM, now=meeting.starts_at - timedelta(days=days))
    assert sum("ready for you" in text for text in told(pathologist)) == 1
    assert any("lacks information" in text for text in told(world.people["bureau"]))


@pytest.mark.requirement("DR-074")
def test_after_the_last_day_nobody_is_registered_by_itself_any_more(world) -> None:
    meeting = plan(world)
    late = make_case(world, "SK-0001")
    make_form(late, world.slots["pathology"])
    at = meeting.starts_at - timedelta(days=20)
    prepare_meetings(actor=SYSTEM, now=at)
    late.information_complete = True
    late.save()
    prepare_meetings(actor=SYSTEM, now=at + timedelta(hours=1))
    assert numbers_on(meeting) == []
    assert sum("stays to be reviewed" in text for text in told(world.people["manager"])) == 1
