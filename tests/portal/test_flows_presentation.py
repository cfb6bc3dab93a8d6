"""A flow's picture: what it shows, what it tells, and that it is drawn as it was arranged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.template import Context, Template
from django.utils import translation
from django_cotton.compiler_regex import CottonCompiler

from portal.flows.presentation import flow_picture
from portal.flows.rules.definition import machine_to_json
from portal.flows.rules.drawing import FARTHEST, draw, places_in
from portal.forms.rules.texts import Words
from tests.support.definitions import mds_bmf

pytestmark = pytest.mark.requirement("DR-044")


COMPILED = CottonCompiler().process(
    '<c-flow :machine="machine" :version="version" state="{{ state }}"'
    ' :passages="passages" :places="places" id="x" />'
)


@dataclass
class Step:
    transition: str
    from_state: str
    to_state: str


WAY = [
    Step("", "", "start"),
    Step("start_precrf", "start", "precrf_start"),
    Step("remind", "precrf_start", "precrf_start"),
    Step("force_review", "precrf_start", "review_ready"),
    Step("", "review_ready", "followup_required"),
    Step("", "followup_required", "review_ready"),
]


def rendered(**values: Any) -> ET.Element:
    """The component's figure, read as the XML that its SVG has to be."""
    with translation.override("en"):
        text = Template(COMPILED).render(Context(values))
    return ET.fromstring(text)


def of_class(figure: ET.Element, name: str) -> list[ET.Element]:
    return [each for each in figure.iter() if name in (each.get("class") or "").split()]


def test_the_present_state_is_lit_and_the_way_there_is_numbered() -> None:
    flow = flow_picture(mds_bmf(), state="review_ready", passages=WAY)
    assert [each.code for each in flow.states if each.present] == ["review_ready"]
    steps = {each.code: each.steps for each in flow.states if each.steps}
    # back to the same state is no entering
    assert steps == {
        "start": "1",
        "precrf_start": "2",
        "review_ready": "3, 5",
        "followup_required": "4",
    }
    taken = {(each.transition, each.source) for each in flow.ways if each.taken}
    assert ("force_review", "precrf_start") in taken
    assert ("force_review", "info_complete") not in taken
    assert {each.forced for each in flow.ways if each.transition == "force_review"} == {True}


def test_it_is_told_in_the_readers_language_to_who_does_not_see_it() -> None:
    with translation.override("nl"):
        flow = flow_picture(mds_bmf(), state="review_ready", passages=WAY)
    assert flow.title == "Centrale review van MDS en beenmergfalen"
    told = next(line for line in flow.told if line.startswith("Klaar voor review"))
    assert "3, 5" in told
    assert len(flow.told) == len(mds_bmf().states)
    with translation.override("da"):  # which the machine does not speak
        assert flow_picture(mds_bmf()).title == "Central review of MDS and bone marrow failure"


def test_the_component_draws_every_state_and_way_and_lists_them() -> None:
    machine = mds_bmf()
    figure = rendered(machine=machine, state="review_ready", passages=WAY)
    assert len(of_class(figure, "flow__box")) == len(machine.states)
    assert len(of_class(figure, "flow__state--present")) == 1
    ways = sum(len(each.sources) for each in machine.transitions)
    assert len(of_class(figure, "flow__way")) == ways
    assert len(of_class(figure, "flow__way--forced")) == 5
    assert len(of_class(figure, "flow__inner")) == 1
    svg = next(figure.iter("svg"))
    assert svg.get("viewBox") == f"0 0 {svg.get('width')} {svg.get('height')}"
    assert svg.get("role") == "img"
    listed = [each.text or "" for each in figure.iter("li")]
    assert any("Review ready (the case is here; step 3, 5)" in line for line in listed)
    assert not any(each.get("style") for each in figure.iter())


def test_a_script_in_a_title_is_text() -> None:
    machine = mds_bmf()
    evil = Words.of(en="<script>alert(1)</script>", nl="x")
    states = (replace(machine.states[0], title=evil), *machine.states[1:])
    figure = rendered(machine=replace(machine, states=states))
    assert not list(figure.iter("script"))


def test_a_version_is_drawn_as_it_was_arranged() -> None:
    @dataclass
    class Version:
        content: Any
        places: Any

    version = Version(machine_to_json(mds_bmf()), {"start": [600, 40], "gone": [1, 1]})
    box = of_class(rendered(version=version), "flow__box")[0]
    assert (box.get("x"), box.get("y")) == ("600", "40")


def test_without_a_flow_there_is_no_picture() -> None:
    with translation.override("en"):
        assert Template(COMPILED).render(Context({})).strip() == ""


@pytest.mark.parametrize("lines", [1, 2])
def test_long_titles_are_wrapped_into_their_box(lines: int) -> None:
    machine = mds_bmf()
    title = Words.of(en="A title " * (2 if lines == 1 else 30), nl="x")
    states = (replace(machine.states[0], title=title), *machine.states[1:])
    with translation.override("en"):
        shown = flow_picture(replace(machine, states=states)).states[0]
    assert len(shown.lines) == lines
    assert all(len(line.text) <= 24 for line in shown.lines)
    assert shown.lines[-1].text.endswith("…") == (lines == 2)


# --- places -------------------------------------------------------------------------------------


def test_a_dragged_box_stands_where_it_was_put_and_its_ways_follow() -> None:
    machine = mds_bmf()
    plain = draw(machine)
    moved = draw(machine, {"review_ready": (900.0, 700.0), "none": (1.0, 1.0)})
    box = next(each for each in moved.boxes if each.state == "review_ready")
    assert (box.x, box.y) == (900.0, 700.0)
    assert moved.width >= 900 + box.width
    assert moved.height >= 700 + box.height
    others = [each for each in moved.boxes if each.state != "review_ready"]
    assert others == [each for each in plain.boxes if each.state != "review_ready"]
    far = [line for line in moved.lines if "review_ready" not in (line.source, line.target)]
    assert {line.transition for line in far} <= {line.transition for line in plain.lines}
    for line in moved.lines:
        if line.source == "review_ready" != line.target:
            x, y = map(float, line.path.split()[1:3])
            assert box.x <= x <= box.x + box.width
            assert box.y <= y <= box.y + box.height
    assert draw(machine, {}) == plain


def test_several_ways_between_two_dragged_boxes_do_not_lie_on_each_other() -> None:
    machine = mds_bmf()
    way = machine.transitions[0]
    again = [replace(way, code=f"again_{number}") for number in range(3)]
    machine = replace(machine, transitions=(way, *again))
    for target in ((40.0, 400.0), (600.0, 0.0)):
        picture = draw(machine, {way.sources[0]: (0.0, 0.0), way.target: target})
        assert len({line.path for line in picture.lines}) == 4


@pytest.mark.parametrize(
    "data",
    [None, [], "x", {"a": 1}, {"a": [1]}, {"a": [1, "2"]}, {"a": [-1, 0]}, {"a": [True, 0]},
     {"a": [float("nan"), 0]}, {"a": [FARTHEST + 1, 0]}],
)  # fmt: skip
def test_what_is_no_place_is_left_out(data: Any) -> None:
    assert places_in(data) == {}
