"""A machine as its picture shows it: boxes and ways with words, where a case stands and has been.

`portal.flows.rules.drawing` says where everything stands; here it gets its words in the reader's
language. ``<c-flow>`` draws it, and says the same as a list to whoever does not see it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portal.flows.rules.definition import Machine, State, StateKind, Transition
from portal.flows.rules.drawing import Box, Line, Places, draw
from portal.forms.rules.texts import Words

_STATE_WIDTH, _STATE_LINES = 22, 2  # characters that fit into a box
_WAY_WIDTH, _WAY_LINES = 26, 2
_LINE_HEIGHT = 16


class Passed(Protocol):
    """One step of a case: a `Passage`, or what happened in a trial."""

    @property
    def transition(self) -> str: ...
    @property
    def from_state(self) -> str: ...


@dataclass(frozen=True)
class TextLine:
    """Places are ready for SVG: no locale's comma gets into them."""

    x: str
    y: str
    text: str


@dataclass(frozen=True)
class ShownState:
    code: str
    title: str
    x: str
    y: str
    width: str
    height: str
    handle: tuple[str, str]
    """The middle of its lower edge."""
    lines: tuple[TextLine, ...]
    start: bool
    halting: bool
    present: bool
    steps: str
    """At which steps the case came here: ``2, 5``."""


@dataclass(frozen=True)
class ShownWay:
    transition: str
    source: str
    target: str
    title: str
    path: str
    lines: tuple[TextLine, ...]
    forced: bool
    timed: bool
    taken: bool


@dataclass(frozen=True)
class ShownFlow:
    """A picture as ``<c-flow>`` draws it."""

    title: str
    width: str
    height: str
    states: tuple[ShownState, ...]
    ways: tuple[ShownWay, ...]
    told: tuple[str, ...]
    """The same in sentences, a state each."""


def flow_picture(
    machine: Machine,
    *,
    state: str = "",
    passages: Iterable[Passed] = (),
    places: Places | None = None,
) -> ShownFlow:
    """The machine's picture; ``state`` is lit, and the states of ``passages`` are numbered.

    ``passages`` in the order in which they happened; each names the transition, ``from_state`` and
    where it led (``to_state``, or ``state`` of a trial).
    """
    picture = draw(machine, places)
    passed = list(passages)
    steps = _steps(passed)
    taken = {(each.transition, each.from_state) for each in passed}
    boxes = {box.state: box for box in picture.boxes}
    transitions = {each.code: each for each in reversed(machine.transitions)}
    return ShownFlow(
        title=words(machine.title, machine) or machine.code,
        width=_at(picture.width),
        height=_at(picture.height),
        states=tuple(
            _state(machine.by_code[code], box, machine, state, steps) for code, box in boxes.items()
        ),
        ways=tuple(
            _way(line, transitions[line.transition], machine, taken) for line in picture.lines
        ),
        told=tuple(_told(machine.by_code[code], machine, state, steps) for code in boxes),
    )


def words(text: Words, machine: Machine) -> str:
    """The text in the reader's language; else in the first of the machine that it is in."""
    language = (get_language() or "").split("-")[0]
    return text.text(language, machine.languages)


def state_title(machine: Machine, code: str) -> str:
    """What people call the state; its code where it has no title (any more)."""
    state = machine.by_code.get(code)
    return (words(state.title, machine) if state else "") or code


def transition_title(machine: Machine, code: str) -> str:
    transition = machine.transition(code)
    return (words(transition.title, machine) if transition else "") or code


def _steps(passed: Iterable[Passed]) -> dict[str, list[int]]:
    """At which steps each state was entered, counted from 1; back to the same is no entering."""
    found: dict[str, list[int]] = {}
    number = 0
    for each in passed:
        to_state = getattr(each, "to_state", "") or getattr(each, "state", "")
        if to_state != each.from_state:
            number += 1
            found.setdefault(to_state, []).append(number)
    return found


def _state(
    state: State, box: Box, machine: Machine, present: str, steps: Mapping[str, list[int]]
) -> ShownState:
    title = words(state.title, machine) or state.code
    middle = box.x + box.width / 2
    return ShownState(
        code=state.code,
        title=title,
        x=_at(box.x),
        y=_at(box.y),
        width=_at(box.width),
        height=_at(box.height),
        handle=(_at(middle), _at(box.y + box.height)),
        lines=_lines(_wrapped(title, _STATE_WIDTH, _STATE_LINES), middle, box.y + box.height / 2),
        start=state.kind is StateKind.START,
        halting=state.kind is StateKind.HALTING,
        present=state.code == present,
        steps=", ".join(map(str, steps.get(state.code, ()))),
    )


def _way(
    line: Line, transition: Transition, machine: Machine, taken: set[tuple[str, str]]
) -> ShownWay:
    title = words(transition.title, machine) or transition.code
    timed = any(timer.transition == transition.code for timer in machine.timers)
    return ShownWay(
        transition=transition.code,
        source=line.source,
        target=line.target,
        title=title,
        path=line.path,
        lines=_lines(_wrapped(title, _WAY_WIDTH, _WAY_LINES), *line.label),
        forced=transition.forced,
        timed=timed,
        taken=(transition.code, line.source) in taken,
    )


def _told(state: State, machine: Machine, present: str, steps: Mapping[str, list[int]]) -> str:
    """``Review ready (the case is here; step 5): Meeting held → CRF complete.``"""
    marks = []
    if state.code == present:
        marks.append(_("the case is here"))
    if state.kind is StateKind.START:
        marks.append(_("the start"))
    if state.kind is StateKind.HALTING:
        marks.append(_("an end"))
    if passed := steps.get(state.code):
        marks.append(_("step %(numbers)s") % {"numbers": ", ".join(map(str, passed))})
    ways = [
        _("%(transition)s (forced) → %(state)s") % facts if way.forced
        else _("%(transition)s → %(state)s") % facts
        for way in machine.leaving(state.code)
        if way.target in machine.by_code
        for facts in [
            {
                "transition": words(way.title, machine) or way.code,
                "state": state_title(machine, way.target),
            }
        ]
    ]  # fmt: skip
    title = words(state.title, machine) or state.code
    if marks:
        title = _("%(state)s (%(marks)s)") % {"state": title, "marks": "; ".join(marks)}
    return f"{title}: {'; '.join(ways)}." if ways else f"{title}."


def _wrapped(text: str, width: int, most: int) -> list[str]:
    lines = textwrap.wrap(text, width) or [""]
    if len(lines) > most:
        lines = [
            *lines[: most - 1],
            textwrap.shorten(" ".join(lines[most - 1 :]), width, placeholder="…"),
        ]
        lines = [line or "…" for line in lines]
    return lines


def _lines(lines: list[str], x: float, y: float) -> tuple[TextLine, ...]:
    """The lines one below the other, their middle at (x, y)."""
    first = y - _LINE_HEIGHT * (len(lines) - 1) / 2
    return tuple(
        TextLine(_at(x), _at(first + _LINE_HEIGHT * number), line)
        for number, line in enumerate(lines)
    )


def _at(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
