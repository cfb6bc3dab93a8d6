"""Which states stand beside each other, and in which order: a layered layout after Sugiyama.

Ways that lead back are found by a walk from the start and turned round; a state's layer is its
longest way from the start; a way over several layers gets a bend in each, with room of its own; the
order in a layer is that of the neighbours' barycentres, with the fewest crossings of all sweeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

SWEEPS = 8

Step = tuple[str, str]
"""A way: from which state to which."""


def layered(
    states: list[str], first: list[str], steps: list[Step]
) -> tuple[dict[str, int], dict[Step, list[str]], list[list[str]]]:
    """The layer of every state; every way's chain of bends; the states and bends of each layer.

    ``first`` are the states to walk from; ``steps`` lead from one state to another.
    """
    forward = _forward(states, first, steps)
    layers = _layers(states, forward)
    chains = {step: _chain(step, layers) for step in dict.fromkeys(forward)}
    return layers, chains, _ordered(_rows(layers, chains), chains)


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
    for sweep in range(SWEEPS):
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
