"""A machine as a picture: where its boxes stand, and the paths between them. Numbers only.

A small layered layout after Sugiyama. Ways that lead back are found by a walk from the start and
turned round for the ranking; a state's layer is its longest way from the start; a way over several
layers gets a bend in each, which takes its own room; the order in a layer is that of the
neighbours' barycentres; layers run from top to bottom. The same machine always gives the same
picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from portal.flows.rules.definition import Machine, StateKind

BOX_WIDTH, BOX_HEIGHT = 180, 56
GAP, LAYER_GAP, MARGIN, BEND_WIDTH = 32, 72, 24, 16
LOOP = 28
_SWEEPS = 8

Step = tuple[str, str]
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A state: its top left corner and size, in units of the picture."""

    state: str
    x: float
    y: float
    width: float = BOX_WIDTH
    height: float = BOX_HEIGHT


@dataclass(frozen=True)
class Line:
    """One transition from one state: the ``d`` of an SVG path that ends in its arrow head."""

    transition: str
    source: str
    target: str
    path: str
    label: Point
    """Where its words stand."""


@dataclass(frozen=True)
class Picture:
    """The whole, from (0, 0) to (width, height)."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw(machine: Machine) -> Picture:
    """The picture of a machine, also of one that could not be published yet.

    Ways to or from a state that is not there are left out.
    """
    states = list(dict.fromkeys(state.code for state in machine.states))
    first = [state.code for state in machine.states if state.kind is StateKind.START]
    steps = [step for _, step in _steps(machine) if step[0] != step[1]]
    forward = _forward(states, first, steps)
    layers = _layers(states, forward)
    chains = {step: _chain(step, layers) for step in dict.fromkeys(forward)}
    rows = _ordered(_rows(layers, chains), chains)
    boxes, spots, width = _placed(rows, layers)
    height = 2 * MARGIN + len(rows) * BOX_HEIGHT + max(len(rows) - 1, 0) * LAYER_GAP
    lines = tuple(_lines(machine, boxes, spots, chains))
    shown = tuple(boxes[code] for code in states)
    return Picture(width, height, shown, lines)


def _steps(machine: Machine) -> Iterator[tuple[str, Step]]:
    """Every way with its transition, in the machine's order."""
    for each in machine.transitions:
        for source in dict.fromkeys(each.sources):
            if source in machine.by_code and each.target in machine.by_code:
                yield each.code, (source, each.target)


def _forward(states: list[str], first: list[str], steps: list[Step]) -> list[Step]:
    """The ways with those that lead back turned round, so that no ring is left."""
    after: dict[str, list[str]] = {code: [] for code in states}
    for source, target in dict.fromkeys(steps):
        after[source].append(target)
    done: set[str] = set()
    back: set[Step] = set()
    for begin in [*first, *states]:
        way: list[tuple[str, Iterator[str]]] = []
        if begin not in done:
            done.add(begin)
            way = [(begin, iter(after[begin]))]
        while way:
            here, others = way[-1]
            target = next(others, "")
            if not target:
                way.pop()
            elif target in {code for code, _ in way}:
                back.add((here, target))
            elif target not in done:
                done.add(target)
                way.append((target, iter(after[target])))
    return [step[::-1] if step in back else step for step in steps]


def _layers(states: list[str], forward: list[Step]) -> dict[str, int]:
    """Of every state the length of its longest way from a first one."""
    layer = dict.fromkeys(states, 0)
    for _ in states:
        before = dict(layer)
        for source, target in forward:
            layer[target] = max(layer[target], layer[source] + 1)
        if layer == before:
            break
    return layer


def _chain(step: Step, layers: dict[str, int]) -> list[str]:
    """From one state to the other, with a bend in each layer between."""
    source, target = step
    between = range(layers[source] + 1, layers[target])
    return [source, *(f"{source} {target} {layer}" for layer in between), target]


def _rows(layers: dict[str, int], chains: dict[Step, list[str]]) -> list[list[str]]:
    """The states and bends of each layer."""
    rows: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for code, layer in layers.items():
        rows[layer].append(code)
    for (source, _), chain in chains.items():
        for number, bend in enumerate(chain[1:-1], layers[source] + 1):
            rows[number].append(bend)
    return rows


def _ordered(rows: list[list[str]], chains: dict[Step, list[str]]) -> list[list[str]]:
    """Each layer in the order of its neighbours' middles, swept down and up."""
    links = [link for chain in chains.values() for link in pairwise(chain)]
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for upper, lower in links:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    best, fewest = rows, _crossings(rows, links)
    for sweep in range(_SWEEPS):
        rows = [list(row) for row in rows]
        downward = sweep % 2 == 0
        numbers = range(1, len(rows)) if downward else range(len(rows) - 2, -1, -1)
        for number in numbers:
            beside = rows[number - 1] if downward else rows[number + 1]
            rows[number] = _by_middle(rows[number], beside, above if downward else below)
        found = _crossings(rows, links)
        if found < fewest:
            best, fewest = rows, found
    return best


def _by_middle(row: list[str], beside: list[str], near: dict[str, list[str]]) -> list[str]:
    place = {each: (number + 0.5) / len(beside) for number, each in enumerate(beside)}
    middles: dict[str, float] = {}
    for number, each in enumerate(row):
        found = [place[other] for other in near.get(each, ())]
        middles[each] = sum(found) / len(found) if found else (number + 0.5) / len(row)
    return sorted(row, key=middles.__getitem__)


def _crossings(rows: list[list[str]], links: list[Step]) -> int:
    """How many pairs of links cross."""
    place = {each: number for row in rows for number, each in enumerate(row)}
    layer = {each: number for number, row in enumerate(rows) for each in row}
    by_layer: dict[int, list[tuple[int, int]]] = {}
    for upper, lower in links:
        by_layer.setdefault(layer[upper], []).append((place[upper], place[lower]))
    return sum(
        (one[0] - other[0]) * (one[1] - other[1]) < 0
        for pairs in by_layer.values()
        for number, one in enumerate(pairs)
        for other in pairs[:number]
    )


def _placed(
    rows: list[list[str]], layers: dict[str, int]
) -> tuple[dict[str, Box], dict[str, Point], float]:
    """Boxes and bends side by side, every layer in the middle of the picture."""
    sizes = [[BOX_WIDTH if each in layers else BEND_WIDTH for each in row] for row in rows]
    widths = [sum(row) + GAP * max(len(row) - 1, 0) for row in sizes]
    # room at the right for ways from a state to itself
    whole = 2 * MARGIN + max(widths, default=0) + LOOP
    boxes: dict[str, Box] = {}
    spots: dict[str, Point] = {}
    for number, (row, size, width) in enumerate(zip(rows, sizes, widths, strict=True)):
        x = (whole - LOOP - width) / 2
        y: float = MARGIN + number * (BOX_HEIGHT + LAYER_GAP)
        for each, wide in zip(row, size, strict=True):
            if each in layers:
                boxes[each] = Box(each, x, y)
            spots[each] = (x + wide / 2, y + BOX_HEIGHT / 2)
            x += wide + GAP
    return boxes, spots, whole


def _lines(
    machine: Machine,
    boxes: dict[str, Box],
    spots: dict[str, Point],
    chains: dict[Step, list[str]],
) -> Iterator[Line]:
    """Every way: from the edge of its box through its bends to the edge of the other."""
    drawn = list(_steps(machine))
    at_once: dict[frozenset[str], int] = {}
    for code, (source, target) in drawn:
        number = at_once.get(frozenset((source, target)), 0)
        at_once[frozenset((source, target))] = number + 1
        if source == target:
            yield Line(code, source, target, *_loop(boxes[source], number))
            continue
        chain = chains.get((source, target)) or chains[target, source][::-1]
        downward = boxes[source].y < boxes[target].y
        points = [spots[each] for each in chain]
        aside = _aside(number)
        first = (points[0][0] + aside, boxes[source].y + (BOX_HEIGHT if downward else 0))
        last = (points[-1][0] + aside, boxes[target].y + (0 if downward else BOX_HEIGHT))
        bends = [(x + aside / 4, y) for x, y in points[1:-1]]
        yield Line(code, source, target, *_curve([first, *bends, last], number))


def _aside(number: int) -> float:
    """Several ways between the same two states lie beside each other: 0, 24, -24, 48 …"""
    room = BOX_WIDTH / 2 - 12
    aside = 24 * ((number + 1) // 2) * (1 if number % 2 else -1)
    return max(-room, min(room, aside))


def _curve(points: list[Point], number: int) -> tuple[str, Point]:
    """Cubic curves that leave and arrive straight up or down, and where the words stand."""
    path = f"M {_at(points[0])}"
    for (x, y), (to_x, to_y) in pairwise(points):
        half = (to_y - y) / 2
        path += f" C {_at((x, y + half))} {_at((to_x, to_y - half))} {_at((to_x, to_y))}"
    (x, y), (to_x, to_y) = points[(len(points) - 1) // 2], points[(len(points) - 1) // 2 + 1]
    return path, ((x + to_x) / 2, (y + to_y) / 2 + 12 * (number % 3))


def _loop(box: Box, number: int) -> tuple[str, Point]:
    """A way from a state to itself: an ear at its right side."""
    x, top = box.x + box.width, box.y + box.height * (0.25 + 0.05 * (number % 3))
    bottom = box.y + box.height - (top - box.y)
    out = x + LOOP
    path = f"M {_at((x, top))} C {_at((out, top))} {_at((out, bottom))} {_at((x, bottom))}"
    return path, (out, box.y + box.height / 2)


def _at(point: Iterable[float]) -> str:
    return " ".join(f"{number:.1f}".removesuffix(".0") for number in point)
