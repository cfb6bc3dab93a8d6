"""Review types are set up in lists, checked as a whole, and no case begins in one that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from digital_review.models import Case, FormSlot, Outcome, OutcomeSpecialist
from digital_review.selectors.setup import what_is_wrong
from digital_review.services import setup as rules
from digital_review.services.cases import PatientFacts, start_case
from digital_review.setup_words import told
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.audit.models import AuditEntry
from portal.flows.models import FlowDesign
from portal.forms.models import FormDesign, FormVersion
from portal.operations.setup.services import SetupRules, end_record, save_record
from portal.records.errors import Refused, StaleRecord
from portal.records.services import soft_delete
from tests.digital_review.factories import (
    FLOW,
    World,
    form,
    item,
    make_case,
    make_form,
    publish_flow,
    publish_form,
    review_world,
)
from tests.support.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return review_world()


def blocking(world: World) -> list[str]:
    return [told(each) for each in what_is_wrong(world.review_type) if each.blocks]


def save(world: World, of: SetupRules, row: Any = None, *, actor: Any = None, **values: Any) -> Any:
    return save_record(
        actor=actor or world.people["manager"],
        rules=of,
        values=values,
        reason="because",
        pk=row and row.pk,
        expected_version=row and row.version,
    )


def refused(world: World, of: SetupRules, row: Any = None, **values: Any) -> str | None:
    with pytest.raises(Refused) as caught:
        save(world, of, row, **values)
    return caught.value.code


# --- as a whole -----------------------------------------------------------------------------------


@pytest.mark.requirement("DR-064", "DR-160")
def test_a_review_type_whose_parts_fit_has_nothing_wrong(world: World) -> None:
    assert blocking(world) == []
    rules.require_whole(world.review_type)


def spoil_form(world: World) -> None:
    soft_delete(world.slots["precrf"].design.versions.get())


def spoil_flow(world: World) -> None:
    soft_delete(world.review_type.flow.versions.get())


def spoil_facts(world: World) -> None:
    soft_delete(world.slots["follow_up"])


def spoil_diagnosis(world: World) -> None:
    world.review_type.diagnosis = "crf.C99"
    world.review_type.save()


def spoil_kind(world: World) -> None:
    world.review_type.diagnosis = "crf.conclusion"
    world.review_type.save()


def spoil_meeting(world: World) -> None:
    slot = world.slots["crf"]
    slot.filled_by, slot.begins = "reviewers", "action"
    slot.save()


def spoil_outcome(world: World) -> None:
    soft_delete(world.outcomes["fanconi"])


def spoil_code(world: World) -> None:
    Outcome.objects.create(review_type=world.review_type, code="jmml", name="JMML", order=9)


def spoil_all_outcomes(world: World) -> None:
    for outcome in world.outcomes.values():
        soft_delete(outcome)


def spoil_slots(world: World) -> None:
    for slot in world.slots.values():
        soft_delete(slot)


def spoil_name(world: World) -> None:
    content = form("asks", item("why", "text", "Why", show_if="precrf.hb > 3"))
    publish_form_that_reads(world, content)
    soft_delete(world.slots["precrf"])


def publish_form_that_reads(world: World, content: dict[str, Any]) -> None:
    design = publish_form(world.review, content)
    outside = {"type": "a number", "codes": [], "missing_codes": [], "column": False}
    version = FormVersion.objects.get(design=design)
    soft_delete(version)
    FormVersion.objects.create(
        design=design,
        number=2,
        state="published",
        content=content,
        published_at=version.published_at,
        outside={"precrf.hb": {**outside, "group": False}},
    )
    FormSlot.objects.create(
        review_type=world.review_type, code="asks", title="Asks", design=design,
        filled_by="reviewers", begins="action", order=9,
    )  # fmt: skip


@pytest.mark.requirement("DR-100", "DR-160")
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoil_form, "No version of the form Precrf is published."),
        (spoil_flow, "No version of its flow is published."),
        (spoil_facts, "The flow reads follow_up.complete, which none of its forms supplies."),
        (spoil_diagnosis, "to be read at crf.C99, but no published form has it"),
        (spoil_kind, "crf.conclusion must be a single choice"),
        (spoil_meeting, "stands in Crf, which the meeting does not fill in"),
        (spoil_outcome, "“fanconi” can be chosen at crf.diagnosis, but is no outcome."),
        (spoil_code, "The outcome JMML has the code “jmml”, which cannot be chosen"),
        (spoil_all_outcomes, "It has no outcome that is a diagnosis."),
        (spoil_slots, "It has no forms yet."),
        (spoil_name, "“precrf.hb” is not a name that this rule can read"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_no_case_begins(
    world: World, spoil: Any, sentence: str
) -> None:
    spoil(world)
    assert any(sentence in each for each in blocking(world)), blocking(world)
    with pytest.raises(Refused) as caught:
        start_case(
            actor=world.people["bureau"],
            review_type_id=world.review_type.pk,
            patient=PatientFacts("SK-0001", world.north.pk, "A.B."),
        )
    assert caught.value.code == "not_whole"
    assert any(sentence in str(each) for each in caught.value.details)
    assert not Case.all_objects.exists()


def test_what_is_still_to_be_done_keeps_nobody_from_starting(world: World) -> None:
    still_open = [told(each) for each in what_is_wrong(world.review_type) if not each.blocks]
    assert still_open == [
        "Nobody is named to sign reviews that end in FANCONI.",
        "Nobody is named to sign reviews that end in NONE.",
    ]
    soft_delete(OutcomeSpecialist.objects.get())
    assert len(what_is_wrong(world.review_type)) == 3  # one who was named and ended counts no more


def test_looking_at_a_whole_review_type_takes_a_query_for_each_form_and_three_more(
    world: World,
) -> None:
    what_is_wrong(world.review_type)  # what is worked out of published versions is kept
    with CaptureQueriesContext(
        connection,
    ) as captured:
        what_is_wrong(world.review_type)
    assert len(captured) == len(world.slots) + 3


# --- its parts ------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-064", "DR-160")
def test_a_review_type_is_made_of_a_flow_forms_and_outcomes_without_code(world: World) -> None:
    flow = publish_flow(world.review, {**FLOW, "code": "lymphoma"})
    days = {"reminder_days": 30, "reminder_days_before": 14, "information_days_before": 28,
            "report_days_before": 21, "cadence_months": 3, "follow_up_months": 6}  # fmt: skip
    made = save(
        world, rules.REVIEW_TYPES, name="Lymphoma", code="lymphoma", unit=world.review, flow=flow,
        diagnosis="crf.diagnosis", working_diagnosis="", local_diagnosis="", **days,
    )  # fmt: skip
    for slot in world.slots.values():
        save(
            world, rules.SLOTS, review_type=made, code=slot.code, title=slot.title,
            design=slot.design, filled_by=slot.filled_by, signed_by=slot.signed_by,
            begins=slot.begins, needed=slot.needed, repeats=slot.repeats, order=slot.order,
        )  # fmt: skip
    for code, met in (("saa", True), ("fanconi", True), ("none", False)):
        save(
            world, rules.OUTCOMES, review_type=made, code=code, name=code.upper(), met=met,
            to_panel=False, advice="", order=1,
        )  # fmt: skip
    rules.require_whole(made)
    case = start_case(
        actor=world.people["bureau"],
        review_type_id=made.pk,
        patient=PatientFacts("SK-0009", world.north.pk, "A.B."),
    )
    assert [each.slot.code for each in case.forms.all()] == ["precrf"]
    acts = AuditEntry.objects.filter(object_type="digital_review.reviewtype")
    assert "digital_review.reviewtype_added" in acts.values_list("action", flat=True)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"diagnosis": "C15"}, "no_answer"),
        ({"local_diagnosis": "precrf.a.b"}, "no_answer"),
        ({"cadence_months": 0}, "months"),
        ({"reminder_days": 400}, "days"),
        ({"code": "other"}, "fixed"),
        ({"information_days_before": 10}, "unconfirmed"),
    ],
)
def test_a_review_type_holds_only_what_makes_sense(
    world: World, values: dict[str, Any], code: str
) -> None:
    assert refused(world, rules.REVIEW_TYPES, world.review_type, **values) == code


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"code": "outcome"}, "bad_code"),
        ({"code": "signed"}, "bad_code"),
        ({"code": "pre-crf"}, "bad_code"),
        ({"code": "precrf"}, "taken"),
        ({"begins": "meeting"}, "begins"),
        ({"filled_by": "meeting"}, "begins"),
        ({"filled_by": "meeting", "begins": "meeting", "needed": True}, "needed"),
    ],
)
def test_a_form_of_a_review_type_holds_only_what_makes_sense(
    world: World, values: dict[str, Any], code: str
) -> None:
    base = {
        "review_type": world.review_type, "code": "extra", "title": "Extra",
        "design": world.slots["precrf"].design, "filled_by": "hospital", "signed_by": "",
        "begins": "action", "needed": False, "repeats": False, "order": 9,
    }  # fmt: skip
    assert refused(world, rules.SLOTS, **(base | values)) == code


def test_designs_of_another_module_are_refused(world: World) -> None:
    alien = FormDesign.objects.create(area="clindata", unit=world.review, code="x", title="X")
    flow = FlowDesign.objects.create(area="clindata", unit=world.review, code="x", title="X")
    assert refused(world, rules.SLOTS, world.slots["precrf"], design=alien) == "other_area"
    assert refused(world, rules.REVIEW_TYPES, world.review_type, flow=flow) == "other_area"


@pytest.mark.requirement("DR-107", "DR-146")
def test_what_cases_stand_on_is_not_ended_and_changed_only_after_a_look(world: World) -> None:
    case = make_case(world, outcome=world.outcomes["saa"])
    make_form(case, world.slots["precrf"])
    for of, row in (
        (rules.REVIEW_TYPES, world.review_type),
        (rules.SLOTS, world.slots["precrf"]),
        (rules.OUTCOMES, world.outcomes["saa"]),
    ):
        with pytest.raises(Refused) as caught:
            end_record(actor=world.people["manager"], rules=of, pk=row.pk, reason="away")
        assert caught.value.code == "in_use"
    flow = publish_flow(world.review, {**FLOW, "code": "other"})
    other = publish_form(world.review, form("other", item("a", "text", "A")))
    assert refused(world, rules.REVIEW_TYPES, world.review_type, flow=flow) == "unconfirmed"
    assert refused(world, rules.SLOTS, world.slots["precrf"], design=other) == "unconfirmed"
    assert (
        refused(world, rules.SLOTS, world.slots["precrf"], filled_by="reviewers") == "unconfirmed"
    )
    assert refused(world, rules.OUTCOMES, world.outcomes["saa"], met=False) == "unconfirmed"
    end_record(
        actor=world.people["manager"], rules=rules.OUTCOMES, pk=world.outcomes["none"].pk,
        reason="not used",
    )  # fmt: skip


@pytest.mark.requirement("DR-075", "DR-120")
def test_who_cannot_sign_is_named_only_after_a_look(world: World) -> None:
    nobody = make_user("Nina Nobody")
    named = {"outcome": world.outcomes["fanconi"], "person": nobody}
    assert refused(world, rules.SPECIALISTS, **named) == "unconfirmed"
    save(world, rules.SPECIALISTS, **(named | {"person": world.people["specialist"]}))
    assert (
        refused(world, rules.SPECIALISTS, **(named | {"person": world.people["specialist"]}))
        == "taken"
    )


@pytest.mark.requirement("DR-012")
def test_only_who_sets_up_the_review_writes_it_and_the_second_saver_is_told(world: World) -> None:
    for name in ("bureau", "chairman", "pathologist", "datamanager"):
        with pytest.raises(PermissionDenied):
            save(world, rules.OUTCOMES, world.outcomes["saa"], actor=world.people[name], name="x")
    stale = Outcome.objects.get(pk=world.outcomes["saa"].pk)
    save(world, rules.OUTCOMES, world.outcomes["saa"], name="Severe")
    with pytest.raises(StaleRecord):
        save(world, rules.OUTCOMES, stale, name="Grave")
