"""A machine as a picture: where its boxes stand, and the paths between them. Numbers only.

`layering.py` says which states stand beside each other and in which order; here they get their
places, from top to bottom, and the ways between them their curves. The same machine always gives
the same picture. A box that somebody dragged stands where it was put; its ways go straight there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import pairwise

from portal.flows.rules.definition import Machine, StateKind
from portal.flows.rules.layering import SWEEPS, Step, layered

BOX_WIDTH, BOX_HEIGHT = 180, 56
GAP, LAYER_GAP, MARGIN, BEND_WIDTH = 32, 72, 24, 16
LOOP = 28
FARTHEST = 10_000
"""How far from the corner a box can be dragged."""
Point = tuple[float, float]
Places = Mapping[str, Point]
"""The top left corners of boxes that somebody dragged, by state."""


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


def places_in(data: object) -> dict[str, Point]:
    """The places that JSON holds as ``{"state": [x, y]}``; what is none is left out."""
    if not isinstance(data, Mapping):
        return {}
    return {
        str(state): (float(point[0]), float(point[1]))
        for state, point in data.items()
        if isinstance(point, (list, tuple))
        and len(point) == 2
        and all(type(each) in (int, float) and 0 <= each <= FARTHEST for each in point)
    }


def draw(machine: Machine, places: Places | None = None) -> Picture:
    """The picture of a machine, also of one that could not be published yet.

    Ways to or from a state that is not there are left out; so are ``places`` of such states.
    """
    states = list(dict.fromkeys(state.code for state in machine.states))
    first = [state.code for state in machine.states if state.kind is StateKind.START]
    steps = [step for _, step in _steps(machine) if step[0] != step[1]]
    layers, chains, rows = layered(states, first, steps)
    boxes, spots, width = _placed(rows, chains, layers)
    height: float = 2 * MARGIN + len(rows) * BOX_HEIGHT + max(len(rows) - 1, 0) * LAYER_GAP
    dragged = {code: Box(code, *at) for code, at in (places or {}).items() if code in boxes}
    boxes |= dragged
    for box in dragged.values():
        width = max(width, box.x + box.width + MARGIN + LOOP)
        height = max(height, box.y + box.height + MARGIN)
    lines = tuple(_lines(machine, boxes, spots, chains, dragged.keys()))
    shown = tuple(boxes[code] for code in states)
    return Picture(width, height, shown, lines)


def _steps(machine: Machine) -> Iterator[tuple[str, Step]]:
    """Every way with its transition, in the machine's order."""
    for each in machine.transitions:
        for source in dict.fromkeys(each.sources):
            if source in machine.by_code and each.target in machine.by_code:
                yield each.code, (source, each.target)


def _placed(
    rows: list[list[str]], chains: dict[Step, list[str]], layers: dict[str, int]
) -> tuple[dict[str, Box], dict[str, Point], float]:
    """Where boxes and the middles of all stand, and how wide the picture is."""
    sizes = {each: BOX_WIDTH if each in layers else BEND_WIDTH for row in rows for each in row}
    middles = _settled(rows, sizes, [link for each in chains.values() for link in pairwise(each)])
    left = min((middles[each] - sizes[each] / 2 for each in sizes), default=0)
    right = max((middles[each] + sizes[each] / 2 for each in sizes), default=0)
    boxes: dict[str, Box] = {}
    spots: dict[str, Point] = {}
    for number, row in enumerate(rows):
        y = MARGIN + number * (BOX_HEIGHT + LAYER_GAP)
        for each in row:
            x = middles[each] - left + MARGIN
            spots[each] = (x, y + BOX_HEIGHT / 2)
            if each in layers:
                boxes[each] = Box(each, x - BOX_WIDTH / 2, y)
    return boxes, spots, right - left + 2 * MARGIN + LOOP


def _settled(rows: list[list[str]], sizes: dict[str, int], links: list[Step]) -> dict[str, float]:
    """The middles, side by side at first, then drawn to those of their neighbours.

    Pushed apart once from the left and once from the right, the mean of both keeps every distance.
    """
    near: dict[str, list[str]] = {}
    for upper, lower in links:
        near.setdefault(upper, []).append(lower)
        near.setdefault(lower, []).append(upper)
    middles: dict[str, float] = {}
    for row in rows:
        middles |= _apart(row, dict.fromkeys(row, 0.0), sizes)
    for _ in range(SWEEPS):
        for row in rows:
            wished = {
                each: sum(middles[other] for other in near[each]) / len(near[each])
                if each in near
                else middles[each]
                for each in row
            }
            middles |= _apart(row, wished, sizes)
    return {each: round(middle) for each, middle in middles.items()}


def _apart(row: list[str], wished: dict[str, float], sizes: dict[str, int]) -> dict[str, float]:
    def pushed(line: list[str], way: int) -> dict[str, float]:
        found: dict[str, float] = {}
        for number, each in enumerate(line):
            found[each] = wished[each]
            if number:
                before = line[number - 1]
                # one more than the gap, so that rounding to whole numbers keeps it
                free = (sizes[before] + sizes[each]) / 2 + GAP + 1
                found[each] = way * max(way * wished[each], way * found[before] + free)
        return found

    right, left = pushed(row, 1), pushed(row[::-1], -1)
    return {each: (right[each] + left[each]) / 2 for each in row}


def _lines(
    machine: Machine,
    boxes: dict[str, Box],
    spots: dict[str, Point],
    chains: dict[Step, list[str]],
    dragged: Set[str],
) -> Iterator[Line]:
    """Every way: from the edge of its box through its bends to the edge of the other.

    To and from a box that was dragged it goes straight.
    """
    drawn = list(_steps(machine))
    ways = [
        []
        if step[0] == step[1] or not dragged.isdisjoint(step)
        else chains.get(step) or chains.get(step[::-1], [])[::-1]
        for _, step in drawn
    ]
    ports = _ports(ways, boxes, spots)
    met: Counter[frozenset[str]] = Counter()
    for number, ((code, (source, target)), way) in enumerate(zip(drawn, ways, strict=True)):
        together = met[frozenset((source, target))]
        met[frozenset((source, target))] += 1
        if not way:
            ends = boxes[source], boxes[target]
            drawing = _loop(ends[0], together) if source == target else _straight(*ends, together)
            yield Line(code, source, target, *drawing)
            continue
        bends = [(spots[each][0] + 4 * together, spots[each][1]) for each in way[1:-1]]
        points = [ports[number, 0], *bends, ports[number, 1]]
        path, (x, y) = _curve(points)
        yield Line(code, source, target, path, (x, y + 12 * (together % 3)))


def _ports(
    ways: list[list[str]], boxes: dict[str, Box], spots: dict[str, Point]
) -> dict[tuple[int, int], Point]:
    """Where ways touch their boxes: spread over the edge, in the order of where they go to."""
    edges: dict[tuple[str, bool], list[tuple[float, int, int]]] = {}
    for number, way in enumerate(ways):
        for end, line in ((0, way), (1, way[::-1])) if way else ():
            (x, y), here = spots[line[1]], line[0]
            edges.setdefault((here, y > spots[here][1]), []).append((x, number, end))
    found: dict[tuple[int, int], Point] = {}
    for (state, lower), ends in edges.items():
        box = boxes[state]
        for place, (_, number, end) in enumerate(sorted(ends), 1):
            x = box.x + box.width * place / (len(ends) + 1)
            found[number, end] = (x, box.y + (box.height if lower else 0))
    return found


def _curve(points: list[Point]) -> tuple[str, Point]:
    """Cubic curves that leave and arrive straight up or down; the words stand on the first."""
    path = f"M {_at(points[0])}"
    for (x, y), (to_x, to_y) in pairwise(points):
        half = (to_y - y) / 2
        path += f" C {_at((x, y + half))} {_at((to_x, to_y - half))} {_at((to_x, to_y))}"
    (x, y), (to_x, to_y) = points[:2]
    return path, ((x + to_x) / 2, (y + to_y) / 2)


def _straight(source: Box, target: Box, number: int) -> tuple[str, Point]:
    """Between the sides that face each other; several ways of two boxes side by side."""
    beside = 18 * ((number + 1) // 2) * (-1 if number % 2 else 1)
    (x, y), (to_x, to_y) = _middle(source), _middle(target)
    if abs(to_y - y) >= source.height + GAP / 2:
        down = 1 if to_y > y else -1
        begin = (x + beside, y + down * source.height / 2)
        end = (to_x + beside, to_y - down * target.height / 2)
        half = (end[1] - begin[1]) / 2
        bows = (begin[0], begin[1] + half), (end[0], end[1] - half)
    else:
        # half as much: an edge at the side is shorter
        right = 1 if to_x >= x else -1
        begin = (x + right * source.width / 2, y + beside / 2)
        end = (to_x - right * target.width / 2, to_y + beside / 2)
        half = (end[0] - begin[0]) / 2
        bows = (begin[0] + half, begin[1]), (end[0] - half, end[1])
    path = f"M {_at(begin)} C {_at(bows[0])} {_at(bows[1])} {_at(end)}"
    # a third of the way: the words of two ways that cross do not stand on each other
    return path, ((2 * begin[0] + end[0]) / 3, (2 * begin[1] + end[1]) / 3)


def _middle(box: Box) -> Point:
    return box.x + box.width / 2, box.y + box.height / 2


def _loop(box: Box, number: int) -> tuple[str, Point]:
    """A way from a state to itself: an ear at its right side, its words below."""
    x, inset = box.x + box.width, box.height * (0.2 + 0.1 * (number % 3))
    top, bottom, out = box.y + inset, box.y + box.height - inset, x + LOOP
    path = f"M {_at((x, top))} C {_at((out, top))} {_at((out, bottom))} {_at((x, bottom))}"
    return path, (x, box.y + box.height + 12 * (number + 1))


def _at(point: Iterable[float]) -> str:
    return " ".join(f"{number:.1f}".removesuffix(".0") for number in point)
