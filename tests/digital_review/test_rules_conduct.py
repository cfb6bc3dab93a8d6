"""What flows may name, which form of a round counts, when one is reminded, what a number is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from digital_review.rules.conduct import (
    CASE_FACTS,
    Do,
    FormStanding,
    Role,
    agreeing,
    all_facts,
    case_terms,
    counting,
    registry,
    slot_facts,
    slot_terms,
)
from digital_review.rules.numbers import clean_number, number_faults
from digital_review.rules.reminders import Asked, is_due
from digital_review.selectors.facts import ROLES
from digital_review.services.conduct import ACTIONS
from digital_review.services.telling import PRIVILEGE_OF

from portal.flows.rules.definition import machine_from_json
from portal.flows.rules.publishing import faults_of
from portal.forms.rules.definition import Kind, form_from_json
from portal.forms.rules.terms import Type
from tests.digital_review.conducting import ON_ENTRY
from tests.digital_review.factories import CRF, FLOW, PRE_CRF, item

SLOTS = ("precrf", "pathology", "crf", "follow_up")
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.requirement("DR-101", "DR-103")
def test_every_action_that_a_flow_may_name_is_done_and_every_role_is_somebody() -> None:
    assert set(registry(SLOTS)) == set(Do) == set(ACTIONS)
    assert set(ROLES) == set(Role)
    assert set(PRIVILEGE_OF) == set(Role) - {Role.SYSTEM}


@pytest.mark.requirement("DR-100")
def test_a_flow_that_acts_can_be_published() -> None:
    content: dict[str, Any] = {**FLOW, "states": [*FLOW["states"]]}
    content["states"] = [
        {**state, "on_entry": ON_ENTRY.get(state["code"], [])} for state in content["states"]
    ]
    assert faults_of(machine_from_json(content), registry(SLOTS), ROLES) == []


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        ({"name": "delete_everything"}, "unknown_action"),
        ({"name": "open_form"}, "argument_needed"),
        ({"name": "open_form", "arguments": {"slot": "no_such"}}, "bad_value"),
        ({"name": "notify", "arguments": {"role": "nobody"}}, "bad_argument"),
        ({"name": "schedule", "arguments": {"when": "now"}}, "unknown_argument"),
        ({"name": "request_follow_up", "arguments": {"months": "six"}}, "bad_argument"),
    ],
)
def test_what_is_no_action_is_refused_with_its_place(action: dict[str, Any], fault: str) -> None:
    states = [{**state} for state in FLOW["states"]]
    states[1]["on_entry"] = [action]
    found = faults_of(machine_from_json({**FLOW, "states": states}), registry(SLOTS), ROLES)
    assert [each.code for each in found] == [fault]
    assert found[0].place[0] == ("state", "info_to_pathologist")


def test_a_form_gives_its_standing_and_each_answer_as_facts() -> None:
    facts = {fact.name: fact for fact in slot_facts("crf", form_from_json(CRF))}
    assert facts["crf.signed"].kind is Kind.BOOLEAN
    assert facts["crf.diagnosis"].codes == ("saa", "fanconi", "none")
    assert slot_facts("crf", None) == [facts[f"crf.{w}"] for w in ("complete", "signed", "started")]
    terms = slot_terms("precrf", form_from_json(PRE_CRF))
    assert (terms["precrf.hb"].type, terms["precrf.complete"].type) == (Type.NUMBER, Type.TRUTH)


def test_an_item_that_is_called_like_a_standing_gives_no_fact() -> None:
    content = {**PRE_CRF, "sections": [{**PRE_CRF["sections"][0]}]}
    content["sections"][0]["parts"] = [item("signed", "text", "Signed in"), item("a", "text", "A")]
    names = [fact.name for fact in slot_facts("precrf", form_from_json(content))]
    assert names.count("precrf.signed") == 1
    assert "precrf.a" in names


def test_a_name_that_means_two_things_is_offered_to_nobody() -> None:
    one, other = {"a.x": "a number", "a.y": "a text"}, {"a.x": "a date", "b.z": "a text"}
    assert agreeing([one, other]) == {"a.y", "b.z"}


def test_outcomes_are_a_fact_where_there_are_any() -> None:
    assert len(all_facts(())) == len(CASE_FACTS)
    assert case_terms(("saa", "none"))["outcome.code"].codes == ("saa", "none")


def standing(key: int, slot: str, number: int, days: int, *, of_round: bool = True) -> FormStanding:
    return FormStanding(key, slot, number, BEGAN + timedelta(days=days), of_round)


def test_what_was_found_in_the_last_round_decides_nothing_in_this_one() -> None:
    forms = [
        standing(1, "precrf", 1, -90, of_round=False),
        standing(2, "crf", 1, -60),
        standing(3, "follow_up", 1, -30),
    ]
    assert counting(forms, BEGAN) == {"precrf": 1}
    assert counting(forms, None) == {"precrf": 1, "crf": 2, "follow_up": 3}
    later = [*forms, standing(5, "follow_up", 3, 2), standing(4, "follow_up", 2, 1)]
    assert counting(later, BEGAN) == {"precrf": 1, "follow_up": 5}


ASKED = date(2026, 3, 1)


def asked(**values: Any) -> Asked:
    fields: dict[str, Any] = {
        "asked_on": ASKED,
        "due_on": None,
        "reminded_on": None,
        "meeting_on": None,
        "days": 30,
        "days_before": 14,
        **values,
    }
    return Asked(**fields)


@pytest.mark.requirement("DR-072", "DR-183")
@pytest.mark.parametrize(
    ("values", "day", "due"),
    [
        ({}, 29, False),
        ({}, 30, True),
        ({}, 31, True),
        ({"reminded_on": ASKED + timedelta(days=30)}, 31, False),
        ({"due_on": ASKED + timedelta(days=40)}, 30, False),
        ({"due_on": ASKED + timedelta(days=40)}, 40, True),
        ({"meeting_on": ASKED + timedelta(days=24)}, 9, False),
        ({"meeting_on": ASKED + timedelta(days=24)}, 10, True),
        ({"meeting_on": ASKED + timedelta(days=10)}, 1, False),
        (
            {
                "meeting_on": ASKED + timedelta(days=60),
                "reminded_on": ASKED + timedelta(days=30),
            },
            46,
            True,
        ),
    ],
)
def test_somebody_is_reminded_on_its_days_and_once(
    values: dict[str, Any],
    day: int,
    due: bool,
) -> None:
    assert is_due(asked(**values), ASKED + timedelta(days=day)) is due


@pytest.mark.requirement("DR-144")
@pytest.mark.parametrize(
    ("typed", "number", "fault"),
    [
        (" sk – 0042 ", "SK-0042", ""),
        ("104217", "104217", ""),
        ("   ", "", "empty"),
        ("x" * 31, "X" * 31, "too_long"),
        ("SK'; DROP", "SK';DROP", "characters"),
        ("-1", "-1", "characters"),
    ],
)
def test_a_number_is_read_as_people_type_it(typed: str, number: str, fault: str) -> None:
    assert clean_number(typed) == number
    assert number_faults(number) == fault
