"""Which item waits for which: the order of working out, and what a change touches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from portal.forms.rules.definition import Form, Spot
from portal.forms.rules.expressions import RuleError, names_in

Graph = Mapping[str, frozenset[str]]
"""Of every item: the items that must be worked out before it."""


def read_by(form: Form, rule: str) -> frozenset[str]:
    """The items of the form that a rule reads, by their codes; a rule that is broken reads none.

    ``rows(group)`` reads what decides whether the group is shown.
    """
    names = set(_names(rule))
    for group in names & form.groups.keys():
        names |= {name for each in _shows_group(form, group) for name in _names(each)}
    columns = {name.partition(".")[2] for name in names if name.partition(".")[0] in form.groups}
    return frozenset((names | columns) & form.spots.keys())


def _shows_group(form: Form, code: str) -> tuple[str, str]:
    group = form.groups[code]
    section = next(each for each in form.sections if group in each.parts)
    return group.show_if, section.show_if


def _names(rule: str) -> tuple[str, ...]:
    try:
        return names_in(rule) if rule else ()
    except RuleError:
        return ()


def show_rules(spot: Spot) -> tuple[str, ...]:
    """The rules that must all be true for the item to be shown."""
    rules = (spot.section.show_if, spot.group.show_if if spot.group else "", spot.item.show_if)
    return tuple(rule for rule in rules if rule)


def rules_of(spot: Spot) -> Iterator[str]:
    """Every rule that says something of the item."""
    yield from show_rules(spot)
    yield from filter(None, (spot.item.required_if, spot.item.rule))
    yield from (check.when for check in spot.item.checks)


def graph_of(form: Form) -> Graph:
    """What each item waits for: the items in the rules that show it, and in its own."""
    return {
        code: frozenset().union(
            *(read_by(form, rule) for rule in (*show_rules(spot), spot.item.rule))
        )
        for code, spot in form.spots.items()
    }


def order_of(graph: Graph) -> tuple[str, ...]:
    """The items so that each comes after all that it waits for. CycleError when there is none."""
    return tuple(TopologicalSorter(graph).static_order())


def cycles_in(graph: Graph) -> list[tuple[str, ...]]:
    """Every ring of items that wait for each other, as ``("A", "B", "A")``: A waits for B."""
    left = {code: set(before) for code, before in graph.items()}
    place = {code: number for number, code in enumerate(graph)}
    found: list[tuple[str, ...]] = []
    while True:
        try:
            order_of({code: frozenset(before) for code, before in left.items()})
        except CycleError as error:
            ring = list(reversed(error.args[1]))[:-1]
            first = ring.index(min(ring, key=place.__getitem__))
            ring = ring[first:] + ring[:first]
            found.append((*ring, ring[0]))
            # opened at its last link, so that the next ring can be seen
            left[ring[-1]].discard(ring[0])
        else:
            return found


def touched_by(form: Form, code: str) -> frozenset[str]:
    """The items of which something may change (shown, required, value, finding) with ``code``."""
    graph = graph_of(form)
    changing, waiting = {code}, [code]
    while waiting:
        now = waiting.pop()
        more = {item for item, before in graph.items() if now in before} - changing
        changing |= more
        waiting += sorted(more)
    return frozenset(
        item
        for item, spot in form.spots.items()
        if item in changing or any(read_by(form, rule) & changing for rule in rules_of(spot))
    )
