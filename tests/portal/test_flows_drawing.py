"""The picture of a machine: no box on another, every way drawn, always the same."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.flows.rules.definition import Machine, State, StateKind, Transition
from portal.flows.rules.drawing import Picture, draw
from portal.forms.rules.texts import Words
from tests.support.definitions import mds_bmf

WORDS = Words.of(en="x")
NUMBER = r"-?\d+(?:\.\d)?"
PATH = re.compile(rf"M {NUMBER} {NUMBER}(?: C(?: {NUMBER}){{6}})+")


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Any machine that an editor may hold, also one that leads nowhere, or to what is not there."""
    codes = [f"s{number}" for number in range(draw(st.integers(0, 12)))]
    ends = st.sampled_from([*codes, "gone"])
    ways = draw(st.lists(st.tuples(st.lists(ends, max_size=4), ends), max_size=25))
    kinds = st.sampled_from(StateKind)
    return Machine(
        "random",
        WORDS,
        ("en",),
        tuple(State(code, WORDS, draw(kinds)) for code in codes),
        tuple(
            Transition(f"t{number}", WORDS, tuple(sources), target)
            for number, (sources, target) in enumerate(ways)
        ),
    )


def assert_sound(machine: Machine, picture: Picture) -> None:
    assert [box.state for box in picture.boxes] == [state.code for state in machine.states]
    for box in picture.boxes:
        assert 0 <= box.x <= picture.width - box.width
        assert 0 <= box.y <= picture.height - box.height
    for one, other in combinations(picture.boxes, 2):
        beside = one.x + one.width + 8 <= other.x or other.x + other.width + 8 <= one.x
        below = one.y + one.height + 8 <= other.y or other.y + other.height + 8 <= one.y
        assert beside or below
    drawn = {(line.transition, line.source, line.target) for line in picture.lines}
    assert len(drawn) == len(picture.lines)
    assert drawn == {
        (each.code, source, each.target)
        for each in machine.transitions
        for source in each.sources
        if {source, each.target} <= machine.by_code.keys()
    }


def on_edge(picture: Picture, state: str, x: float, y: float) -> bool:
    box = next(box for box in picture.boxes if box.state == state)
    within = box.x - 0.1 <= x <= box.x + box.width + 0.1
    return within and box.y - 0.1 <= y <= box.y + box.height + 0.1


@given(machines())
@settings(max_examples=150, deadline=None)
def test_no_boxes_overlap_and_every_way_joins_its_two_states(machine: Machine) -> None:
    picture = draw(machine)
    assert_sound(machine, picture)
    assert draw(machine) == picture
    for line in picture.lines:
        assert PATH.fullmatch(line.path), line.path
        numbers = [float(each) for each in re.findall(NUMBER, line.path)]
        assert on_edge(picture, line.source, *numbers[:2])
        assert on_edge(picture, line.target, *numbers[-2:])


@pytest.mark.requirement("DR-044")
def test_the_mds_bmf_machine_is_drawn_from_its_start_down_to_its_end() -> None:
    machine = mds_bmf()
    picture = draw(machine)
    assert_sound(machine, picture)
    down = {box.state: box.y for box in picture.boxes}
    way = ["start", "precrf_start", "precrf_complete", "info_to_pathologist", "info_complete"]
    way += ["review_ready", "crf_complete", "crf_signed"]
    assert [down[state] for state in way] == sorted({down[state] for state in way})
    # the lines that force a review, from five states, end at five places of its box
    ends = [line.path.split()[-2:] for line in picture.lines if line.transition == "force_review"]
    assert len({tuple(end) for end in ends}) == 5


def test_a_machine_without_states_is_an_empty_picture() -> None:
    picture = draw(Machine("m", WORDS, ("en",), (), ()))
    assert (picture.boxes, picture.lines) == ((), ())
