"""The portal's sheets, tried on Digital Review's forms: keeping, saving, merging, completing."""

from __future__ import annotations

from typing import Any

import pytest
from digital_review.models import CaseForm
from django.core.exceptions import PermissionDenied

from portal.access.decision import require
from portal.audit.models import AuditEntry
from portal.forms.models import UnsavedInput
from portal.forms.selectors import read_sheet, true_answers
from portal.forms.services.sheets import (
    BadAnswers,
    NotComplete,
    SheetRules,
    StaleAnswers,
    complete_sheet,
    discard_typed,
    finding_key,
    keep_typed,
    reopen_sheet,
    save_sheet,
    signed_facts,
)
from portal.records.context import acting
from portal.records.errors import Refused
from tests.digital_review.factories import World, make_case, make_form, review_world
from tests.support.factories import give, make_role, make_user

pytestmark = pytest.mark.django_db


def _require_fill(actor: Any, form: CaseForm) -> None:
    require(actor, "digital_review.fill_hospital_forms", form)


RULES = SheetRules(
    model=CaseForm,
    require_fill=_require_fill,
    topic=lambda form: f"digital_review/case/{form.case_id}",
)


@pytest.fixture
def world() -> World:
    return review_world()


@pytest.fixture
def sheet(world: World) -> CaseForm:
    return make_form(make_case(world), world.slots["precrf"])


def save(sheet: CaseForm, person: Any, version: int, **typed: str) -> Any:
    return save_sheet(RULES, actor=person, sheet_id=sheet.pk, typed=typed, opened_version=version)


@pytest.mark.requirement("DR-095")
def test_a_partly_filled_form_is_saved_and_stays_a_draft(world: World, sheet: CaseForm) -> None:
    saved = save(sheet, world.people["datamanager"], 1, history="Pale", hb="6,4", initials="A.B.")
    assert saved.changed == ("initials", "history", "hb")
    sheet.refresh_from_db()
    assert (sheet.status, sheet.version) == ("draft", 2)
    assert sheet.answers["values"] == {"history": "Pale", "hb": "6.4"}
    with acting(actor=world.people["datamanager"]):
        assert sheet.personal_answers["values"] == {"initials": "A.B."}
    entry = AuditEntry.objects.get(action="forms.sheet_saved")
    assert entry.data["changed"] == ["initials", "history", "hb"]
    assert "A.B." not in str(entry.data)


@pytest.mark.requirement("DR-012", "DR-022")
def test_another_hospital_can_neither_see_nor_fill_it_in(world: World, sheet: CaseForm) -> None:
    with pytest.raises(Refused) as refused:
        save(sheet, world.people["datamanager_south"], 1, history="x")
    assert refused.value.code == "gone"
    with pytest.raises(PermissionDenied):
        save(sheet, world.people["bureau"], 1, history="x")


@pytest.mark.requirement("DR-007")
def test_what_was_typed_is_kept_for_its_writer_until_they_save(
    world: World, sheet: CaseForm
) -> None:
    person = world.people["datamanager"]
    kept = keep_typed(RULES, actor=person, sheet_id=sheet.pk, typed={"history": "Pa"},
                      opened_version=1, sequence=1)  # fmt: skip
    keep_typed(RULES, actor=person, sheet_id=sheet.pk, typed={"hb": "six"},
               opened_version=1, sequence=2)  # fmt: skip
    late = keep_typed(RULES, actor=person, sheet_id=sheet.pk, typed={"history": "P"},
                      opened_version=1, sequence=1)  # fmt: skip
    assert kept.answers.values == {"history": "Pa"}
    assert late.answers.values == {"history": "Pa"}
    assert set(late.faults) == {"hb"}
    assert sheet.history.count() == 1
    with pytest.raises(BadAnswers):
        save(sheet, person, 1, history="Pale", hb="six")
    assert UnsavedInput.objects.get().typed == {"history": "Pa", "hb": "six"}
    save(sheet, person, 1, history="Pale", hb="6")
    assert not UnsavedInput.objects.exists()


def test_typed_input_can_be_thrown_away(world: World, sheet: CaseForm) -> None:
    person = world.people["datamanager"]
    keep_typed(RULES, actor=person, sheet_id=sheet.pk, typed={"history": "Pa"},
               opened_version=1, sequence=1)  # fmt: skip
    discard_typed(RULES, actor=world.people["doctor"], sheet_id=sheet.pk)
    assert UnsavedInput.objects.exists()
    discard_typed(RULES, actor=person, sheet_id=sheet.pk)
    assert not UnsavedInput.objects.exists()


@pytest.mark.requirement("DR-139", "PT-022")
def test_different_answers_of_two_people_are_merged_and_equal_ones_chosen(
    world: World, sheet: CaseForm
) -> None:
    first, second = world.people["datamanager"], world.people["doctor"]
    save(sheet, first, 1, history="Pale", working="JMML")
    merged = save(sheet, second, 1, hb="6.4")
    assert merged.merged == ("history", "working")
    with pytest.raises(StaleAnswers) as stale:
        save(sheet, second, 1, working="RAEB", hb="6.5")
    assert [each.name for each in stale.value.conflicts] == ["hb", "working"] or [
        each.name for each in stale.value.conflicts
    ] == ["working", "hb"]
    conflict = next(each for each in stale.value.conflicts if each.name == "working")
    assert (conflict.before, conflict.theirs, conflict.yours) == (None, "JMML", "RAEB")
    save_sheet(
        RULES,
        actor=second,
        sheet_id=sheet.pk,
        typed={"working": "RAEB", "hb": "6.5"},
        opened_version=1,
        choices={"working": "theirs", "hb": "yours"},
    )
    sheet.refresh_from_db()
    assert sheet.answers["values"] == {"history": "Pale", "working": "JMML", "hb": "6.5"}


@pytest.mark.requirement("DR-090")
def test_completing_names_what_is_missing_and_asks_for_what_is_unexpected(
    world: World, sheet: CaseForm
) -> None:
    person = world.people["datamanager"]

    def complete(version: int, *confirmed: str) -> CaseForm:
        return complete_sheet(  # type: ignore[return-value]
            RULES, actor=person, sheet_id=sheet.pk, version=version, confirmed=confirmed
        )

    with pytest.raises(NotComplete) as missing:
        complete(1)
    assert missing.value.missing == ["hb"]
    save(sheet, person, 1, hb="1.5")
    with pytest.raises(NotComplete) as soft:
        complete(2)
    (finding,) = soft.value.unconfirmed
    key = finding_key(read_sheet(sheet).form, finding)
    assert key == "hb:too_low"
    with pytest.raises(Refused, match="changed since"):
        complete(1, key)
    done = complete(2, key)
    assert (done.status, done.completed_by) == ("complete", person)
    with pytest.raises(Refused) as closed:
        save(sheet, person, 3, hb="6")
    assert closed.value.code == "closed"
    reopen_sheet(RULES, actor=person, sheet_id=sheet.pk, reason="A typing error")
    save(sheet, person, 4, hb="6")
    assert sheet.history.count() == 5


@pytest.mark.requirement("PT-015")
def test_personal_answers_are_masked_and_cannot_be_changed_unseen(
    world: World, sheet: CaseForm
) -> None:
    save(sheet, world.people["datamanager"], 1, initials="A.B.", history="Pale")
    make_role("digital_review.blind", "digital_review.see_hospital_forms",
              "digital_review.fill_hospital_forms")  # fmt: skip
    blind = make_user("Blind Clerk")
    give(blind, "digital_review.blind", world.north)
    sheet = CaseForm.objects.get(pk=sheet.pk)
    with acting(actor=blind):
        read = read_sheet(sheet)
        assert str(read.answers.values["initials"]) == "•••"
        assert "A.B." not in repr((read.answers, read.filled))
        assert read.answers.values["history"] == "Pale"
    with pytest.raises(Refused) as masked:
        save(sheet, blind, 2, initials="X")
    assert masked.value.code == "masked"
    save(sheet, blind, 2, history="Very pale")
    assert true_answers(CaseForm.objects.get(pk=sheet.pk)).values["initials"] == "A.B."


@pytest.mark.requirement("DR-113")
def test_what_is_signed_holds_every_answer_and_the_version_of_the_form(
    world: World, sheet: CaseForm
) -> None:
    save(sheet, world.people["datamanager"], 1, initials="A.B.", hb="6,40")
    facts = signed_facts(CaseForm.objects.get(pk=sheet.pk))
    assert facts == {
        "form": "precrf",
        "version": 1,
        "answers": {"values": {"initials": "A.B.", "hb": "6.40"}, "rows": {}},
        "computed": {},
    }
