"""A small world of Digital Review for tests: a review, two hospitals, and people of every role."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from digital_review.models import (
    Case,
    CaseForm,
    FormSlot,
    Outcome,
    OutcomeSpecialist,
    Patient,
    ReviewType,
)
from django.utils import timezone

from portal.accounts.models import User
from portal.flows.models import FlowDesign, FlowVersion
from portal.forms.models import FormDesign, FormVersion
from portal.organisation.models import Unit
from tests.support.factories import give, make_unit, make_user

PEOPLE = {
    "manager": "review_manager",
    "bureau": "trial_bureau",
    "pathologist": "review_pathologist",
    "chairman": "chairman",
    "secretary": "secretary",
    "specialist": "specialist",
}
"""Those who hold their role at the review."""


def words(text: str) -> dict[str, str]:
    return {"en": text, "nl": text}


def item(code: str, kind: str, label: str, **settings: Any) -> dict[str, Any]:
    return {"code": code, "kind": kind, "label": words(label), **settings}


def form(code: str, *items: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A form of one section, in English and Dutch."""
    return {
        "schema": 1,
        "code": code,
        "title": words(code.capitalize()),
        "languages": ["en", "nl"],
        "sections": [{"code": "S1", "title": words("Section"), "parts": [*items]}],
        **settings,
    }


def codes(code: str, *choices: str) -> dict[str, Any]:
    return {
        "code": code,
        "choices": [{"code": each, "label": words(each.capitalize())} for each in choices],
    }


DIAGNOSES = codes("diagnoses", "saa", "fanconi", "none")
PRE_CRF = form(
    "precrf",
    item("initials", "text", "Patient initials", personal=True),
    item("born", "date", "Date of birth", personal=True),
    item("history", "long text", "Prehistory"),
    item(
        "hb",
        "decimal",
        "Hb",
        unit="mmol/L",
        decimals=1,
        required=True,
        expected={"least": "2", "most": "12"},
    ),
    item("working", "text", "Working diagnosis"),
)
PATHOLOGY = form(
    "pathology",
    item("cellularity", "single choice", "Cellularity", code_list="cells", required=True),
    item("local", "single choice", "Diagnosis", code_list="diagnoses"),
    code_lists=[codes("cells", "increased", "normal", "decreased", "absent"), DIAGNOSES],
)
CRF = form(
    "crf",
    item("conclusion", "long text", "Conclusion"),
    item(
        "diagnosis", "single choice", "Classifying diagnosis", code_list="diagnoses", required=True
    ),
    code_lists=[DIAGNOSES],
)
FOLLOW_UP = form("follow_up", item("alive", "boolean", "Patient still alive", required=True))


def _state(code: str, kind: str = "ordinary", **more: Any) -> dict[str, Any]:
    return {"code": code, "title": words(code.replace("_", " ").capitalize()), "kind": kind, **more}


def _way(
    code: str, sources: list[str], target: str, roles: list[str], **more: Any
) -> dict[str, Any]:
    return {
        "code": code,
        "title": words(code.replace("_", " ").capitalize()),
        "sources": sources,
        "target": target,
        "roles": roles,
        **more,
    }


FLOW = {
    "schema": 1,
    "code": "bmf",
    "title": words("BMF"),
    "languages": ["en", "nl"],
    "facts": [
        {"name": "precrf.complete", "kind": "boolean"},
        {"name": "pathology.signed", "kind": "boolean"},
        {"name": "crf.complete", "kind": "boolean"},
        {"name": "crf.signed", "kind": "boolean"},
        {"name": "follow_up.complete", "kind": "boolean"},
        {"name": "outcome.met", "kind": "boolean"},
    ],
    "states": [
        _state("precrf_start", "start"),
        _state("info_to_pathologist"),
        _state("review_ready"),
        _state("follow_up_required"),
        _state("crf_complete"),
        _state("crf_signed", "halting"),
    ],
    "transitions": [
        _way("precrf_completed", ["precrf_start"], "info_to_pathologist", ["system"],
             guard="precrf.complete"),
        _way("pathology_signed", ["info_to_pathologist"], "review_ready", ["system"],
             guard="pathology.signed"),
        _way("force_review", ["precrf_start", "info_to_pathologist", "follow_up_required"],
             "review_ready", ["review_manager"], forced=True),
        _way("diagnosis_met", ["review_ready"], "crf_complete", ["system"],
             guard="crf.complete and outcome.met"),
        _way("no_diagnosis", ["review_ready"], "follow_up_required", ["system"],
             guard="crf.complete and not outcome.met"),
        _way("follow_up_completed", ["follow_up_required"], "review_ready", ["system"],
             guard="follow_up.complete"),
        _way("crf_signed", ["crf_complete"], "crf_signed", ["system"], guard="crf.signed"),
    ],
}  # fmt: skip


@dataclass
class World:
    network: Unit
    review: Unit
    """The unit that owns the review type."""
    other_review: Unit
    north: Unit
    south: Unit
    review_type: ReviewType
    people: dict[str, User]
    """By role; ``datamanager``, ``doctor`` and ``clinician`` of the north, ``…_south``."""
    slots: dict[str, FormSlot] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def publish_form(unit: Unit, content: dict[str, Any]) -> FormDesign:
    """A form design with one published version, written directly."""
    code = content["code"]
    design = FormDesign.objects.create(
        area="digital_review", unit=unit, code=code, title=content["title"]["en"]
    )
    FormVersion.objects.create(
        design=design, number=1, state="published", content=content, published_at=timezone.now()
    )
    return design


def publish_flow(unit: Unit, content: dict[str, Any] = FLOW) -> FlowDesign:
    """A flow design with one published version, written directly."""
    design = FlowDesign.objects.create(
        area="digital_review", unit=unit, code=content["code"], title=content["title"]["en"]
    )
    FlowVersion.objects.create(
        design=design, number=1, state="published", content=content, published_at=timezone.now()
    )
    return design


def review_world() -> World:
    network = make_unit("network", kind=Unit.Kind.INSTITUTION)
    review = make_unit("mds-bmf", network)
    other = make_unit("other-review", network)
    north = make_unit("north", kind=Unit.Kind.HOSPITAL)
    south = make_unit("south", kind=Unit.Kind.HOSPITAL)
    people = {}
    for name, role in PEOPLE.items():
        people[name] = make_user(f"{name.capitalize()} Review", username=f"dr.{name}")
        give(people[name], f"digital_review.{role}", review)
    for unit, end in ((north, ""), (south, "_south")):
        for name, role in (
            ("datamanager", "datamanager"),
            ("doctor", "treating_doctor"),
            ("clinician", "clinician"),
        ):
            who = make_user(f"{name.capitalize()} {unit.name}", username=f"dr.{name}{end}")
            give(who, f"digital_review.{role}", unit)
            people[f"{name}{end}"] = who
    review_type = ReviewType.objects.create(
        unit=review,
        code="mds-bmf",
        name="MDS-BMF",
        flow=publish_flow(review),
        working_diagnosis="precrf.working",
        local_diagnosis="pathology.local",
        diagnosis="crf.diagnosis",
    )
    world = World(network, review, other, north, south, review_type, people)
    for order, (content, values) in enumerate(_slots(), 1):
        code = content["code"]
        world.slots[code] = FormSlot.objects.create(
            review_type=review_type,
            code=code,
            title=content["title"]["en"],
            design=publish_form(review, content),
            order=order,
            **values,
        )
    for order, (code, met) in enumerate((("saa", True), ("fanconi", True), ("none", False)), 1):
        world.outcomes[code] = Outcome.objects.create(
            review_type=review_type, code=code, name=code.upper(), met=met, order=order
        )
    OutcomeSpecialist.objects.create(outcome=world.outcomes["saa"], person=people["specialist"])
    return world


def _slots() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [
        (PRE_CRF, {"filled_by": "hospital", "signed_by": "doctor", "begins": "start",
                   "needed": True}),
        (PATHOLOGY, {"filled_by": "pathologist", "signed_by": "pathologist", "begins": "action",
                     "needed": True}),
        (CRF, {"filled_by": "meeting", "signed_by": "specialist", "begins": "meeting"}),
        (FOLLOW_UP, {"filled_by": "hospital", "signed_by": "doctor", "begins": "action",
                     "repeats": True}),
    ]  # fmt: skip


def make_patient(world: World, number: str = "SK-0001", **values: Any) -> Patient:
    fields: dict[str, Any] = {
        "initials": "A.B.",
        "born_on": date(2019, 3, 4),
        "hospital": world.north,
        **values,
    }
    return Patient.objects.create(number=number, **fields)


def make_case(world: World, number: str = "SK-0001", **values: Any) -> Case:
    """A case with its patient, written directly: in the flow's start state, without forms."""
    fields: dict[str, Any] = {
        "review_type": world.review_type,
        "registered_on": timezone.localdate(),
        "flow_version": world.review_type.flow.versions.order_by("number").first(),
        "flow_state": "precrf_start",
        "flow_since": timezone.now(),
        **values,
    }
    if "patient" not in fields:
        fields["patient"] = make_patient(world, number)
    return Case.objects.create(**fields)


def make_form(case: Case, slot: FormSlot, **values: Any) -> CaseForm:
    """A form of the case, written directly."""
    fields: dict[str, Any] = {
        "form_version": slot.design.versions.get(),
        "asked_at": timezone.now(),
        "due_on": timezone.localdate() + timedelta(days=30),
        **values,
    }
    return CaseForm.objects.create(case=case, slot=slot, **fields)
