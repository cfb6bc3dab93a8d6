"""A machine is data, and is published only when everything in it holds."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.flows.rules.definition import machine_from_json, machine_to_json
from portal.flows.rules.publishing import ActionKind, Argument, faults_of, require_publishable
from portal.forms.rules.faults import Faulty
from tests.support.definitions import FOLDER, REGISTRY, ROLES, mds_bmf

BASE: dict[str, Any] = json.loads((FOLDER / "mds_bmf.json").read_text())


def said(change: Any) -> list[str]:
    """The faults of the MDS-BMF machine after a change of its JSON."""
    data = deepcopy(BASE)
    change(data)
    return [str(fault) for fault in faults_of(machine_from_json(data), REGISTRY, ROLES)]


def state(code: str, **settings: Any) -> dict[str, Any]:
    return {"code": code, "title": {"en": code, "nl": code}, **settings}


def transition(code: str, source: str, target: str, **settings: Any) -> dict[str, Any]:
    way = {"sources": [source], "target": target, "roles": ["chairman"]}
    return {"code": code, "title": {"en": code, "nl": code}, **way, **settings}


def of(data: dict[str, Any], what: str, code: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in data[what] if each["code"] == code)
    return found


@pytest.mark.requirement("DR-100", "DR-103", "DR-102")
def test_the_mds_bmf_machine_is_read_from_data_and_can_be_published() -> None:
    machine = mds_bmf()
    assert faults_of(machine, REGISTRY, ROLES) == []
    require_publishable(machine, REGISTRY, ROLES)
    assert machine_from_json(json.dumps(machine_to_json(machine))) == machine
    assert machine.start.code == "start"
    force = machine.transition("force_review")
    assert force is not None
    assert force.forced
    assert set(force.sources) == {
        "precrf_start", "precrf_complete", "info_to_pathologist", "info_complete",
        "followup_required",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["states"].append(state("x", kind="start")), "one start state; this one has 2"),
        (lambda d: d["states"][0].pop("kind"), "exactly one start state; this one has 0"),
        (lambda d: d["states"].append(state("x")), "state x: no transition leads here from the"),
        (lambda d: d["states"].append(state("x")), "state x: no transition leaves this state"),
        (lambda d: of(d, "states", "crf_signed").pop("kind"), "there is no halting state"),
        (lambda d: d["states"].append(state("start")), "state start: the code “start” is used tw"),
        (lambda d: d["states"].append(state("a b")), "state a b: “a b” is no code"),
        (lambda d: d["states"][1]["title"].pop("nl"), "state precrf_start: “title” has no text in"),
        (
            lambda d: d["transitions"].append(transition("x", "crf_signed", "start")),
            "transition x: the transition leaves “crf_signed”, which is a halting state",
        ),
        (
            lambda d: d["transitions"].append(transition("x", "start", "nowhere")),
            "transition x: there is no state “nowhere”",
        ),
        (
            lambda d: d["transitions"].append(transition("x", "start", "start", sources=[])),
            "transition x: a transition needs a state that it leaves",
        ),
        (
            lambda d: d["transitions"].append(transition("x", "start", "crf_signed", roles=[])),
            "transition x: no role may take it and no timer does",
        ),
        (
            lambda d: d["transitions"].append(
                transition("x", "start", "crf_signed", roles=["king"])
            ),
            "transition x: there is no role “king”",
        ),
        (
            lambda d: of(d, "transitions", "sign_crf").update(guard="crf.signd"),
            "transition sign_crf, guard: “crf.signd” is not a name that this rule can read",
        ),
        (
            lambda d: of(d, "transitions", "sign_crf").update(guard='crf.diagnosis == "x"'),
            "transition sign_crf, guard: “x” is not a code of crf.diagnosis",
        ),
        (
            lambda d: of(d, "transitions", "sign_crf").update(guard="crf.diagnosis"),
            "transition sign_crf, guard: the rule gives a choice; here it must give yes or no",
        ),
        (
            lambda d: of(d, "transitions", "force_review").update(guard="crf.signed"),
            "transition force_review: a forced transition has no guard",
        ),
        (
            lambda d: of(d, "states", "review_ready").update(on_entry=[{"name": "explode"}]),
            "state review_ready, action explode: there is no action “explode”; there are notify",
        ),
        (
            lambda d: of(d, "states", "review_ready").update(
                on_entry=[{"name": "notify", "arguments": {"role": "king", "colour": "red"}}]
            ),
            "action notify: “role” of notify must be a role",
        ),
        (
            lambda d: of(d, "states", "review_ready").update(on_entry=[{"name": "notify"}]),
            "action notify: notify needs “text”",
        ),
        (
            lambda d: of(d, "states", "review_ready").update(
                on_entry=[{"name": "schedule", "arguments": {"days": "3", "urgent": 1, "x": 1}}]
            ),
            "action schedule: “days” of schedule must be a whole number",
        ),
        (
            lambda d: of(d, "transitions", "no_diagnosis").update(
                actions=[{"name": "start_timer", "arguments": {"timer": "x"}}]
            ),
            "action start_timer: “timer” of start_timer must be a timer of this machine",
        ),
        (
            lambda d: of(d, "transitions", "no_diagnosis").update(actions=[]),
            "timer followup_due: the timer is started by an action, but no action starts it",
        ),
        (
            lambda d: of(d, "timers", "reminder").update(transition="x"),
            "timer reminder: there is no transition “x”",
        ),
        (
            lambda d: of(d, "timers", "reminder").update(transition="force_review"),
            "timer reminder: a timer cannot force",
        ),
        (
            lambda d: of(d, "timers", "reminder").update(after=0),
            "timer reminder: the delay must lie between 1 and 120 months",
        ),
        (
            lambda d: of(d, "timers", "reminder").update(after=4000, unit="days"),
            "timer reminder: the delay must lie between 1 and 3660 days",
        ),
        (
            lambda d: d["facts"].append({"name": "sum", "kind": "boolean"}),
            "fact sum: “sum” is no code",
        ),
        (
            lambda d: d["facts"].append({"name": "x", "kind": "single choice"}),
            "fact x: the code list has no choices",
        ),
        (
            lambda d: d["facts"].append({"name": "x", "kind": "file"}),
            "fact x: “kind” has no meaning for the kind file",
        ),
        (
            lambda d: d["facts"].append({"name": "crf.signed", "kind": "boolean"}),
            "fact crf.signed: the code “crf.signed” is used twice",
        ),
        (lambda d: d.update(languages=[]), "no language is named"),
        (lambda d: d.update(code="9"), "“9” is no code"),
    ],
)
@pytest.mark.requirement("DR-100")
def test_what_does_not_hold_is_named_with_its_place(change: Any, sentence: str) -> None:
    faults = said(change)
    assert any(sentence in fault for fault in faults), faults


def test_states_that_only_lead_to_each_other_have_no_way_out() -> None:
    def change(data: dict[str, Any]) -> None:
        data["states"] += [state("x"), state("y")]
        ways = [("to", "start", "x"), ("there", "x", "y"), ("back", "y", "x")]
        data["transitions"] += [transition(*way) for way in ways]

    assert said(change) == [
        "state x: no transition leads from here to a halting state",
        "state y: no transition leads from here to a halting state",
    ]


def test_two_timers_at_one_moment_to_different_ends_are_a_toss() -> None:
    def change(data: dict[str, Any]) -> None:
        for code in ("x", "y"):
            way = transition(code, "start", f"precrf_{'start' if code == 'x' else 'complete'}")
            data["transitions"].append(way)
            data["timers"].append({"code": code, "transition": code, "after": 3})

    assert said(change) == ["state start: 2 timers of state “start” run out at the same moment"]


def test_an_application_says_which_texts_an_argument_may_be() -> None:
    known = ActionKind({"form": Argument.TEXT}, allowed={"form": {"precrf"}.__contains__})
    faults = faults_of(mds_bmf(), {**REGISTRY, "open_form": known}, ROLES)
    (fault,) = map(str, faults)
    assert fault.startswith("state info_to_pathologist, action open_form: “form” is “pathology”")


def test_a_machine_with_faults_is_refused_whole() -> None:
    with pytest.raises(Faulty) as caught:
        require_publishable(mds_bmf(), {}, set())
    assert len(caught.value.faults) > 10


def test_what_cannot_be_read_is_named_with_its_place() -> None:
    data = deepcopy(BASE)
    data["transitions"][2]["forced"] = "yes"
    data["timers"][0]["unit"] = "years"
    with pytest.raises(Faulty) as caught:
        machine_from_json(data)
    assert [str(fault) for fault in caught.value.faults] == [
        "transition remind: “forced” must be true or false, not a text",
        "timer reminder: “unit” is “years”; it must be one of days, months",
    ]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_machine_broken_at_any_place_is_refused_or_judged(data: st.DataObject) -> None:
    whole = deepcopy(BASE)
    here: Any = whole
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], (dict, list)) or not here[key] or data.draw(st.booleans()):
            break
        here = here[key]
    here[key] = data.draw(st.none() | st.booleans() | st.integers() | st.text(max_size=5))
    try:
        machine = machine_from_json(whole)
    except Faulty:
        return
    assert machine_from_json(machine_to_json(machine)) == machine
    assert all(str(fault) for fault in faults_of(machine, REGISTRY, ROLES))
