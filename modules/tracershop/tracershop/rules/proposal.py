"""Which free vials to offer first for which order, before a person decides.

A greedy proposal, order by order, earliest delivery first: the vials with the least activity that
still covers what is needed, else the largest ones until it is covered. (The planner of TS-045 is
an optimisation over the whole day; this one only ticks boxes.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tracershop.rules.decay import ActivityTooLargeError, activity_at
from tracershop.rules.findings import Ref


@dataclass(frozen=True, slots=True)
class FreeVial:
    key: int
    tracer: Ref
    customer: Ref
    filled_at: datetime
    activity_mbq: float
    half_life_s: float
    use_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """An order: what (MBq) must be there at ``deliver_at``; None when any vial will do."""

    key: int
    tracer: Ref
    customer: Ref
    deliver_at: datetime
    needed_mbq: float | None


def propose_vials(needs: Iterable[Need], vials: Sequence[FreeVial]) -> dict[int, list[int]]:
    """Keys of vials by key of order. No vial is proposed twice, none of another tracer or customer,
    none that has expired by the delivery. What cannot be covered gets what there is."""
    left = list(vials)
    proposal: dict[int, list[int]] = {}
    for need in sorted(needs, key=lambda each: (each.deliver_at, each.key)):
        chosen = _choose(need, [vial for vial in left if _fits(vial, need)])
        proposal[need.key] = sorted(vial.key for vial in chosen)
        left = [vial for vial in left if vial not in chosen]
    return proposal


def _fits(vial: FreeVial, need: Need) -> bool:
    in_time = vial.use_before is None or vial.use_before > need.deliver_at
    return vial.tracer == need.tracer and vial.customer == need.customer and in_time


def _choose(need: Need, vials: list[FreeVial]) -> list[FreeVial]:
    strength = {vial.key: _mbq_at(vial, need.deliver_at) for vial in vials}
    by_strength = sorted(vials, key=lambda vial: (strength[vial.key], vial.key))
    if need.needed_mbq is None:
        return by_strength[:1]
    for vial in by_strength:
        if strength[vial.key] >= need.needed_mbq:
            return [vial]
    chosen: list[FreeVial] = []
    missing = need.needed_mbq
    for vial in reversed(by_strength):
        if missing <= 0:
            break
        chosen.append(vial)
        missing -= strength[vial.key]
    return chosen


def _mbq_at(vial: FreeVial, at: datetime) -> float:
    try:
        return activity_at(vial.activity_mbq, vial.half_life_s, vial.filled_at, at)
    except ActivityTooLargeError:
        return 0.0
