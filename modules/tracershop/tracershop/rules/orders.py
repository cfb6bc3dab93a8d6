"""The life of an order: its statuses, what may be done to it, and what it amounts to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from tracershop.rules.decay import activity_at
from tracershop.rules.findings import Facts
from tracershop.rules.moments import elapsed_s


class OrderStatus(StrEnum):
    """A deleted order is not a status: it keeps the one it had, and is inactive (TS-005)."""

    ORDERED = "ordered"
    ACCEPTED = "accepted"
    RELEASED = "released"
    REJECTED = "rejected"


class OrderAct(StrEnum):
    ACCEPT = "accept"
    REJECT = "reject"
    UNREJECT = "unreject"
    RELEASE = "release"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True)
class Transition:
    """An act leads from any of `sources` to `target`."""

    sources: frozenset[OrderStatus]
    target: OrderStatus


TRANSITIONS: Mapping[OrderAct, Transition] = MappingProxyType(
    {
        OrderAct.ACCEPT: Transition(frozenset({OrderStatus.ORDERED}), OrderStatus.ACCEPTED),
        OrderAct.REJECT: Transition(
            frozenset({OrderStatus.ORDERED, OrderStatus.ACCEPTED}), OrderStatus.REJECTED
        ),
        OrderAct.UNREJECT: Transition(frozenset({OrderStatus.REJECTED}), OrderStatus.ORDERED),
        OrderAct.RELEASE: Transition(frozenset({OrderStatus.ACCEPTED}), OrderStatus.RELEASED),
        OrderAct.CORRECT: Transition(frozenset({OrderStatus.RELEASED}), OrderStatus.ACCEPTED),
    }
)

# How far on its way an order is; a rejected one is not on its way.
_PROGRESS = (OrderStatus.ORDERED, OrderStatus.ACCEPTED, OrderStatus.RELEASED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an act leaves an order; `changed` is False when it was there already."""

    new_status: OrderStatus
    changed: bool


class TransitionRefused(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """The act is impossible from this status. Facts: act, status, possible_from."""

    def __init__(self, status: OrderStatus, act: OrderAct) -> None:
        super().__init__(f"cannot {act} an order that is {status}")
        self.status = status
        self.act = act
        self.facts: Facts = {
            "act": act,
            "status": status,
            "possible_from": tuple(sorted(TRANSITIONS[act].sources)),
        }


def transition(status: OrderStatus, act: OrderAct) -> Outcome:
    """What `act` does to an order of this status (TS-041).

    An act whose target is the present status changes nothing, so that a repeated message has one
    effect. TransitionRefused when the act is impossible.
    """
    way = TRANSITIONS[act]
    if status in way.sources:
        return Outcome(way.target, changed=True)
    if status == way.target:
        return Outcome(status, changed=False)
    raise TransitionRefused(status, act)


def may_edit(status: OrderStatus) -> bool:
    """May a shop user still edit or delete the order (TS-005)?"""
    return status == OrderStatus.ORDERED


def lowest_status(statuses: Iterable[OrderStatus]) -> OrderStatus | None:
    """The status of a group of orders: the least advanced (TS-040).

    Rejected orders count only when there are no others. None for an empty group.
    """
    present = set(statuses)
    for status in _PROGRESS:
        if status in present:
            return status
    return OrderStatus.REJECTED if present else None


def total_mbq(ordered_mbq: float, overhead: float) -> float:
    """What is to be delivered for an order: ordered × overhead, in MBq, not rounded.

    Sums are rounded once, at their end (`decay.round_up_mbq`). ValueError when the amount is not
    above zero, or when the overhead is below 1: it would deliver less than was ordered.
    """
    if not (math.isfinite(ordered_mbq) and ordered_mbq > 0):
        raise ValueError(f"ordered_mbq must be above zero, not {ordered_mbq!r}")
    if not (math.isfinite(overhead) and overhead >= 1):
        raise ValueError(f"overhead must be 1 or more, not {overhead!r}")
    return ordered_mbq * overhead


def moved_total_mbq(
    ordered_mbq: float,
    overhead: float,
    *,
    half_life_s: float,
    ordered_for_at: datetime,
    delivered_at: datetime,
) -> float:
    """What is to be delivered at `delivered_at` for an order moved there from a later slot:
    ordered·2^((t_slot−t_moved)/T½)·overhead (TS-042), in MBq, not rounded.

    ValueError when `delivered_at` is the later of the two.
    """
    if elapsed_s(delivered_at, ordered_for_at) < 0:
        raise ValueError("delivered_at must not be later than ordered_for_at")
    return activity_at(total_mbq(ordered_mbq, overhead), half_life_s, ordered_for_at, delivered_at)
