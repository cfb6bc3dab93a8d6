"""Whether a review type is whole: its flow, its forms and its outcomes fit each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from digital_review.rules.conduct import (
    RESERVED,
    Role,
    all_facts,
    case_terms,
    registry,
    slot_facts,
    slot_terms,
)
from portal.flows.rules.definition import Fact, Machine
from portal.flows.rules.publishing import faults_of
from portal.forms.rules.definition import CODE, Form, Kind
from portal.forms.rules.faults import Fault
from portal.forms.rules.publishing import faults_of as form_faults


class Wrong(StrEnum):
    """What keeps cases from being started."""

    NO_FORMS = "no_forms"
    SLOT_CODE = "slot_code"
    FORM_UNPUBLISHED = "form_unpublished"
    FLOW_UNPUBLISHED = "flow_unpublished"
    FLOW_FAULT = "flow_fault"
    FACT_MISSING = "fact_missing"
    FACT_DIFFERS = "fact_differs"
    FORM_FAULT = "form_fault"
    NO_SUCH_ANSWER = "no_such_answer"
    NO_CHOICE = "no_choice"
    NOT_OF_MEETING = "not_of_meeting"
    NO_OUTCOMES = "no_outcomes"
    CODE_WITHOUT_OUTCOME = "code_without_outcome"
    OUTCOME_WITHOUT_CODE = "outcome_without_code"


class Open(StrEnum):
    """What is to be done yet, while cases may be started already."""

    NOBODY_SIGNS = "nobody_signs"
    NONE_UNMET = "none_unmet"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong (or open), with the names for its sentence."""

    code: Wrong | Open
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    fault: Fault | None = None
    """Of a flow or a form: what its own rules found."""

    @property
    def blocks(self) -> bool:
        return isinstance(self.code, Wrong)


@dataclass(frozen=True)
class Slot:
    """A form of the review type as far as this goes; ``form`` None: none is published."""

    code: str
    title: str
    form: Form | None
    by_meeting: bool
    by_specialist: bool


@dataclass(frozen=True)
class Result:
    """An outcome; ``signers``: how many specialists are named for it."""

    code: str
    name: str
    met: bool
    signers: int


@dataclass(frozen=True)
class Whole:
    """A review type with everything that it is made of."""

    flow: Machine | None
    slots: tuple[Slot, ...]
    outcomes: tuple[Result, ...]
    diagnosis: str
    local_diagnosis: str = ""
    working_diagnosis: str = ""


def problems_of(whole: Whole) -> list[Problem]:
    """Everything that is wrong, then what is open; nothing for a review type that is whole."""
    return [
        *_of_slots(whole),
        *_of_flow(whole),
        *_of_diagnoses(whole),
        *_of_outcomes(whole),
    ]


def _of_slots(whole: Whole) -> Iterator[Problem]:
    if not whole.slots:
        yield Problem(Wrong.NO_FORMS)
    terms = {slot.code: slot_terms(slot.code, slot.form) for slot in whole.slots}
    of_case = case_terms([each.code for each in whole.outcomes])
    for slot in whole.slots:
        facts = {"form": slot.title, "code": slot.code}
        if not CODE.fullmatch(slot.code) or slot.code in RESERVED:
            yield Problem(Wrong.SLOT_CODE, facts)
        if slot.form is None:
            yield Problem(Wrong.FORM_UNPUBLISHED, facts)
            continue
        beyond = dict(of_case)
        for code, found in terms.items():
            beyond |= found if code != slot.code else {}
        for fault in form_faults(slot.form, beyond):
            yield Problem(Wrong.FORM_FAULT, facts, fault)


def _of_flow(whole: Whole) -> Iterator[Problem]:
    if whole.flow is None:
        yield Problem(Wrong.FLOW_UNPUBLISHED)
        return
    actions = registry({slot.code for slot in whole.slots})
    for fault in faults_of(whole.flow, actions, {role.value for role in Role}):
        yield Problem(Wrong.FLOW_FAULT, fault=fault)
    supplied = {fact.name: fact for fact in _facts(whole)}
    for fact in whole.flow.facts:
        given = supplied.get(fact.name)
        if given is None:
            yield Problem(Wrong.FACT_MISSING, {"name": fact.name})
        elif (given.kind, given.codes) != (fact.kind, fact.codes):
            yield Problem(Wrong.FACT_DIFFERS, {"name": fact.name})


def _facts(whole: Whole) -> Iterable[Fact]:
    yield from all_facts([each.code for each in whole.outcomes])
    for slot in whole.slots:
        yield from slot_facts(slot.code, slot.form)


def _of_diagnoses(whole: Whole) -> Iterator[Problem]:
    for name, wanted in (
        (whole.diagnosis, True),
        (whole.local_diagnosis, bool(whole.local_diagnosis)),
        (whole.working_diagnosis, bool(whole.working_diagnosis)),
    ):
        slot, item = _answer(whole, name)
        if item is None:
            if wanted:
                yield Problem(Wrong.NO_SUCH_ANSWER, {"name": name or "–"})
            continue
        if name == whole.working_diagnosis:
            continue
        if item.holds is not Kind.SINGLE_CHOICE or slot is None or slot.form is None:
            yield Problem(Wrong.NO_CHOICE, {"name": name})
            continue
        yield from _codes(whole, name, slot.form.codes_of(item))
        if name == whole.diagnosis and not slot.by_meeting:
            yield Problem(Wrong.NOT_OF_MEETING, {"name": name, "form": slot.title})


def _answer(whole: Whole, name: str) -> tuple[Slot | None, Any]:
    code, _dot, answer = name.partition(".")
    slot = next((each for each in whole.slots if each.code == code), None)
    if slot is None or slot.form is None:
        return slot, None
    spot = slot.form.spots.get(answer)
    return slot, None if spot is None or spot.rows is not None else spot.item


def _codes(whole: Whole, name: str, codes: tuple[str, ...]) -> Iterator[Problem]:
    """Each code of a diagnosis is an outcome; each outcome can be named as the diagnosis."""
    outcomes = {each.code for each in whole.outcomes}
    for code in codes:
        if code not in outcomes:
            yield Problem(Wrong.CODE_WITHOUT_OUTCOME, {"name": name, "code": code})
    for each in whole.outcomes if name == whole.diagnosis else ():
        if each.code not in codes:
            facts = {"name": name, "code": each.code, "outcome": each.name}
            yield Problem(Wrong.OUTCOME_WITHOUT_CODE, facts)


def _of_outcomes(whole: Whole) -> Iterator[Problem]:
    if not any(each.met for each in whole.outcomes):
        yield Problem(Wrong.NO_OUTCOMES)
    elif all(each.met for each in whole.outcomes):
        yield Problem(Open.NONE_UNMET)
    if any(slot.by_specialist for slot in whole.slots):
        for each in whole.outcomes:
            if not each.signers:
                yield Problem(Open.NOBODY_SIGNS, {"outcome": each.name})
