"""History and background: by clinicians, with its history kept."""

from __future__ import annotations

import pytest
from digital_review.models import Anamnesis, Case
from digital_review.services.anamnesis import add_anamnesis, change_anamnesis, remove_anamnesis
from django.core.exceptions import PermissionDenied

from portal.audit.models import AccessEntry
from portal.records.errors import Refused, StaleRecord
from tests.digital_review.factories import World, make_case, review_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return review_world()


@pytest.fixture
def case(world: World) -> Case:
    return make_case(world)


@pytest.mark.requirement("DR-039")
def test_it_is_stored_under_its_writers_name_and_what_it_was_stays(
    world: World, case: Case
) -> None:
    clinician = world.people["clinician"]
    row = add_anamnesis(actor=clinician, case_id=case.pk, text=" Pale since May. ")
    change_anamnesis(actor=clinician, anamnesis_id=row.pk, version=1, text="Pale since April.")
    row.refresh_from_db()
    assert (row.text, row.written_by) == ("Pale since April.", clinician)
    assert [old.text for old in row.history.order_by("history_id")] == [
        "Pale since May.",
        "Pale since April.",
    ]
    assert AccessEntry.objects.filter(patient="SK-0001").count() == 2


@pytest.mark.requirement("DR-139")
def test_the_second_of_two_at_once_is_told(world: World, case: Case) -> None:
    clinician = world.people["clinician"]
    row = add_anamnesis(actor=clinician, case_id=case.pk, text="one")
    change_anamnesis(actor=clinician, anamnesis_id=row.pk, version=1, text="two")
    with pytest.raises(StaleRecord) as stale:
        change_anamnesis(actor=clinician, anamnesis_id=row.pk, version=1, text="three")
    [difference] = stale.value.differences
    assert (difference.before, difference.theirs, difference.yours) == ("one", "two", "three")


def test_it_is_removed_with_a_reason(world: World, case: Case) -> None:
    clinician = world.people["clinician"]
    row = add_anamnesis(actor=clinician, case_id=case.pk, text="of somebody else")
    with pytest.raises(Refused):
        remove_anamnesis(actor=clinician, anamnesis_id=row.pk, reason=" ")
    remove_anamnesis(actor=clinician, anamnesis_id=row.pk, reason="wrong patient")
    assert not Anamnesis.objects.exists()


@pytest.mark.requirement("DR-012", "DR-024")
@pytest.mark.parametrize("who", ["secretary", "pathologist", "bureau"])
def test_who_is_no_clinician_adds_none(world: World, case: Case, who: str) -> None:
    with pytest.raises(PermissionDenied):
        add_anamnesis(actor=world.people[who], case_id=case.pk, text="x")


def test_another_hospitals_clinician_finds_no_patient(world: World, case: Case) -> None:
    with pytest.raises(Refused) as refused:
        add_anamnesis(actor=world.people["clinician_south"], case_id=case.pk, text="x")
    assert refused.value.code == "gone"


@pytest.mark.parametrize("text", ["", "  \n "])
def test_nothing_written_is_refused(world: World, case: Case, text: str) -> None:
    with pytest.raises(Refused) as refused:
        add_anamnesis(actor=world.people["clinician"], case_id=case.pk, text=text)
    assert refused.value.code == "empty"
