"""Which vials serve which orders (TS-045): a proposal that a person may override.

An integer programme, solved with HiGHS (Huangfu and Hall, Math. Prog. Comp. 10, 119–142, 2018) by
way of ``scipy.optimize.milp``. With x[v,o] ∈ {0,1}, vial v goes whole to order o, and y[o] ∈ {0,1},
order o is covered:

- a vial serves one order at most:              Σ_o x[v,o] ≤ 1
- a covered order has its activity at delivery: Σ_v a[v,o]·x[v,o] ≥ need[o]·y[o]
- an order that cannot be covered takes none:   x[v,o] ≤ y[o]
- the order's greatest volume is kept:          Σ_v volume[v]·x[v,o] ≤ limit[o]

where a[v,o] is the vial's activity at the order's delivery, and x[v,o] exists only where tracer and
customer agree and the vial has not expired then. For an order that names no activity (injections)
a[v,o] and need[o] are 1: one vial covers it. Goals, the first kept while the second is sought: most
orders covered, and of such plans one that covers most of the activity that is needed; then least
activity given, so that as little as may be is wasted, and of such plans one with few vials. (In
each the second half only decides between equals: its weights are too small for more.)

Vials and orders that no chain of possible pairs connects have nothing to do with each other (other
tracers, other customers): each such part of the day is a programme of its own, and small.

Giving least is a subset-sum problem, hard to the last MBq: within ``gap`` (relative) of the best
is good enough, and so is the best found when the time is over. A first proposal is made by hand,
smallest needs first: the solver only ever replaces it by a better one, so that a part too large for
the time has a plan too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tracershop.rules.decay import activity_at
from tracershop.rules.moments import as_utc

_SAME = 1e-6
"""Two amounts that differ by less, in MBq, are the same: the solver computes in floats."""
_GOALS = 2
"""How many goals share the time of a part."""
_PATIENCE = 4
"""A part may take so many times its share of the time that is left: most need far less."""
_LEAST_TIME_S = 0.002
"""Less is not worth starting the solver for."""
_COVER_GAP = 1e-4
"""Of a dozen orders far less than one order: only which of them are covered may be off a little."""
_MOST_PAIRS = 20_000
"""Only to read a programme of more takes longer than there is time: the first proposal stands."""
_VIAL_MBQ = 1e-3
"""What one vial less may cost: it decides between plans that give the same."""


@dataclass(frozen=True, slots=True)
class PlanVial:
    """A free vial. ``customer`` None: it was filled for nobody in particular."""

    key: int
    tracer: int
    customer: int | None
    activity_mbq: float
    measured_at: datetime
    expires_at: datetime | None
    volume_ml: float


@dataclass(frozen=True, slots=True)
class PlanOrder:
    """``needed_mbq`` is wanted at ``deliver_at``, overhead included; None: one vial is enough."""

    key: int
    tracer: int
    customer: int
    half_life_s: float
    needed_mbq: float | None
    deliver_at: datetime
    max_volume_ml: float | None = None


@dataclass(frozen=True, slots=True)
class VialPlan:
    """The proposal: for each covered order its vials, and the orders that the vials do not cover.

    ``surplus_mbq`` is what the covered orders get above their need, at their deliveries; orders
    that name no activity have no part in it.
    """

    vials_of: Mapping[int, tuple[int, ...]]
    uncovered: tuple[int, ...]
    surplus_mbq: float


def fits(vial: PlanVial, order: PlanOrder) -> bool:
    """Whether the vial may serve the order at all: tracer, customer, expiry, time of filling."""
    at = as_utc(order.deliver_at, "deliver_at")
    return (
        vial.tracer == order.tracer
        and vial.customer in (None, order.customer)
        and (vial.expires_at is None or as_utc(vial.expires_at, "expires_at") > at)
        and as_utc(vial.measured_at, "measured_at") <= at
        and (order.max_volume_ml is None or vial.volume_ml <= order.max_volume_ml)
    )


def plan_vials(
    vials: Sequence[PlanVial],
    orders: Sequence[PlanOrder],
    *,
    gap: float = 2e-3,
    time_limit_s: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
) -> VialPlan:
    """Propose vials for orders, in about ``time_limit_s`` at most, whatever else the machine does.

    ``clock`` counts the seconds: the solver is stopped by time, as the time that the parts share
    has to be. ValueError for a naive datetime.
    """
    ends_at = clock() + time_limit_s
    parts = sorted(_parts(list(_pairs(vials, orders))), key=len)  # the easy ones first
    taken: list[_Pair] = []
    for number, part in enumerate(parts):
        left_s = ends_at - clock()
        share_s = min(left_s, _PATIENCE * left_s / (len(parts) - number)) / _GOALS
        taken += _solve(vials, orders, part, gap=gap, time_limit_s=share_s)
    vials_of: dict[int, list[int]] = {}
    for pair in sorted(taken, key=lambda each: (each.order, each.vial)):
        vials_of.setdefault(orders[pair.order].key, []).append(vials[pair.vial].key)
    measured = [pair for pair in taken if orders[pair.order].needed_mbq is not None]
    return VialPlan(
        {key: tuple(keys) for key, keys in vials_of.items()},
        tuple(order.key for order in orders if order.key not in vials_of),
        sum(pair.activity_mbq for pair in measured)
        - sum(order.needed_mbq or 0.0 for order in orders if order.key in vials_of),
    )


class Uncovered(StrEnum):
    """Why an order has no vials in a proposal."""

    NO_VIAL = "no_vial"  # none of the tracer for the customer
    EXPIRED = "expired"  # those there are expire before the delivery
    FILLED_LATER = "filled_later"  # those there are were filled after the delivery
    TOO_LARGE = "too_large"  # each holds more than the order's greatest volume
    NOT_ENOUGH = "not_enough"  # all together hold less than is needed
    TAKEN = "taken"  # enough for this order, but then others go without
    # not told by the rule, which is not given such vials: quarantined, rejected or recalled
    BLOCKED = "blocked"


def why_uncovered(order: PlanOrder, vials: Iterable[PlanVial]) -> Uncovered:
    """Why ``order`` is left out of a plan of ``vials``, as far as it can be said of it alone."""
    at = as_utc(order.deliver_at, "deliver_at")
    own = [
        vial
        for vial in vials
        if vial.tracer == order.tracer and vial.customer in (None, order.customer)
    ]
    if not own:
        return Uncovered.NO_VIAL
    fresh = [v for v in own if v.expires_at is None or as_utc(v.expires_at, "expires_at") > at]
    if not fresh:
        return Uncovered.EXPIRED
    there = [vial for vial in fresh if as_utc(vial.measured_at, "measured_at") <= at]
    if not there:
        return Uncovered.FILLED_LATER
    fitting = [vial for vial in there if fits(vial, order)]
    if not fitting:
        return Uncovered.TOO_LARGE
    if order.needed_mbq is None:
        return Uncovered.TAKEN
    together_mbq = sum(_mbq(vial, order) for vial in fitting)
    return Uncovered.TAKEN if together_mbq >= order.needed_mbq else Uncovered.NOT_ENOUGH


def _pairs(vials: Sequence[PlanVial], orders: Sequence[PlanOrder]) -> Iterator[_Pair]:
    """What may serve what; vials are looked up by tracer and customer, for days are long."""
    by_kind: dict[tuple[int, int | None], list[int]] = {}
    for v, vial in enumerate(vials):
        by_kind.setdefault((vial.tracer, vial.customer), []).append(v)
    for o, order in enumerate(orders):
        for customer in (order.customer, None):
            for v in by_kind.get((order.tracer, customer), ()):
                if fits(vials[v], order):
                    yield _Pair(v, o, _mbq(vials[v], order))


def _mbq(vial: PlanVial, order: PlanOrder) -> float:
    """What the vial holds at the order's delivery; filled before it, it cannot have grown."""
    return activity_at(vial.activity_mbq, order.half_life_s, vial.measured_at, order.deliver_at)


def _parts(pairs: Sequence[_Pair]) -> Iterator[list[_Pair]]:
    """The pairs in groups that share neither a vial nor an order."""
    if not pairs:
        return
    vials = max(pair.vial for pair in pairs) + 1
    size = vials + max(pair.order for pair in pairs) + 1
    ends = ([pair.vial for pair in pairs], [vials + pair.order for pair in pairs])
    links = coo_array((np.ones(len(pairs)), ends), shape=(size, size))
    _, label_of = connected_components(links, directed=False)
    parts: dict[int, list[_Pair]] = {}
    for pair in pairs:
        parts.setdefault(int(label_of[pair.vial]), []).append(pair)
    yield from parts.values()


def _solve(
    vials: Sequence[PlanVial],
    orders: Sequence[PlanOrder],
    part: Sequence[_Pair],
    *,
    gap: float,
    time_limit_s: float,
) -> list[_Pair]:
    """The pairs of one part that the plan takes."""
    own_vials = sorted({pair.vial for pair in part})
    own_orders = sorted({pair.order for pair in part})
    place_of_vial = {v: n for n, v in enumerate(own_vials)}
    place_of_order = {o: n for n, o in enumerate(own_orders)}
    pairs = [
        _Pair(place_of_vial[pair.vial], place_of_order[pair.order], pair.activity_mbq)
        for pair in part
    ]
    programme = _Programme(
        [vials[v] for v in own_vials],
        [orders[o] for o in own_orders],
        pairs,
        gap=gap,
        time_limit_s=time_limit_s,
    )
    if len(part) <= _MOST_PAIRS and time_limit_s >= _LEAST_TIME_S:
        programme.cover_most()
        programme.give_least()
    return [pair for pair, x in zip(part, programme.best, strict=False) if x > 0.5]


@dataclass(frozen=True, slots=True)
class _Pair:
    vial: int
    order: int
    activity_mbq: float


class _Programme:
    """The integer programme; its unknowns are the pairs, then one for each order."""

    def __init__(
        self,
        vials: Sequence[PlanVial],
        orders: Sequence[PlanOrder],
        pairs: Sequence[_Pair],
        *,
        gap: float,
        time_limit_s: float,
    ) -> None:
        self._pairs = pairs
        self._orders = orders
        self._size = len(pairs) + len(orders)
        self._gap, self._time_limit_s = gap, time_limit_s
        self._constraints = [self._each_vial_once(len(vials)), self._enough(), self._only_covered()]
        if any(order.max_volume_ml is not None for order in orders):
            self._constraints.append(self._volumes(vials))
        self.best = self._by_hand(vials)
        """The unknowns of the best proposal so far."""

    def _goal(self, weights: Mapping[int, float]) -> np.ndarray:
        goal = np.zeros(self._size)
        for index, weight in weights.items():
            goal[index] = weight
        return goal

    def _rows(self, entries: Iterable[tuple[int, int, float]], count: int) -> coo_array:
        rows, columns, values = zip(*entries, strict=True)
        return coo_array((values, (rows, columns)), shape=(count, self._size))

    def _y(self, order: int) -> int:
        return len(self._pairs) + order

    def _each_vial_once(self, count: int) -> LinearConstraint:
        rows = self._rows(((pair.vial, p, 1.0) for p, pair in enumerate(self._pairs)), count)
        return LinearConstraint(rows, -np.inf, 1)

    def _enough(self) -> LinearConstraint:
        entries = [(pair.order, p, self._counts(pair)) for p, pair in enumerate(self._pairs)]
        entries += [
            (o, self._y(o), -1.0 if order.needed_mbq is None else -order.needed_mbq)
            for o, order in enumerate(self._orders)
        ]
        return LinearConstraint(self._rows(entries, len(self._orders)), 0, np.inf)

    def _counts(self, pair: _Pair) -> float:
        """What the pair does for its order: its activity, or one vial where none is named."""
        return 1.0 if self._orders[pair.order].needed_mbq is None else pair.activity_mbq

    def _only_covered(self) -> LinearConstraint:
        entries = [(p, p, 1.0) for p in range(len(self._pairs))]
        entries += [(p, self._y(pair.order), -1.0) for p, pair in enumerate(self._pairs)]
        return LinearConstraint(self._rows(entries, len(self._pairs)), -np.inf, 0)

    def _volumes(self, vials: Sequence[PlanVial]) -> LinearConstraint:
        entries = [
            (pair.order, p, vials[pair.vial].volume_ml) for p, pair in enumerate(self._pairs)
        ]
        limits = [
            np.inf if order.max_volume_ml is None else order.max_volume_ml for order in self._orders
        ]
        return LinearConstraint(self._rows(entries, len(self._orders)), -np.inf, limits)

    def _by_hand(self, vials: Sequence[PlanVial]) -> np.ndarray:
        """Smallest needs first: the weakest vial that covers, else the strongest until they do."""
        of_order: dict[int, list[int]] = {}
        for p, pair in enumerate(self._pairs):
            of_order.setdefault(pair.order, []).append(p)
        plan, used = np.zeros(self._size), set[int]()
        for o in sorted(of_order, key=lambda o: (self._orders[o].needed_mbq or 0.0, o)):
            free = [p for p in of_order[o] if self._pairs[p].vial not in used]
            chosen = self._choose(self._orders[o], free, vials)
            used.update(self._pairs[p].vial for p in chosen)
            plan[chosen] = 1.0
            plan[self._y(o)] = float(bool(chosen))
        return plan

    def _choose(self, order: PlanOrder, free: list[int], vials: Sequence[PlanVial]) -> list[int]:
        by_strength = sorted(free, key=lambda p: (self._pairs[p].activity_mbq, p))
        needed = order.needed_mbq or 0.0
        enough = [p for p in by_strength if self._pairs[p].activity_mbq >= needed]
        if enough:
            return enough[:1]
        chosen: list[int] = []
        given_mbq = volume_ml = 0.0
        for p in reversed(by_strength):
            volume_ml += vials[self._pairs[p].vial].volume_ml
            if order.max_volume_ml is not None and volume_ml > order.max_volume_ml:
                return []
            chosen.append(p)
            given_mbq += self._pairs[p].activity_mbq
            if given_mbq >= needed:
                return chosen
        return []

    def cover_most(self) -> None:
        """Cover as many orders as can be, and of those plans one with the most of the need."""
        if all(self.best[self._y(o)] for o in range(len(self._orders))):
            goal = np.zeros(self._size)
            goal[len(self._pairs) :] = 1.0
        else:
            whole = math.fsum(order.needed_mbq or 0.0 for order in self._orders) or 1.0
            goal = self._goal(
                {
                    self._y(o): 1.0 + (order.needed_mbq or 0.0) / (2 * whole)
                    for o, order in enumerate(self._orders)
                }
            )
            self._seek(-goal, gap=min(self._gap, _COVER_GAP))
        self._constraints.append(LinearConstraint(goal, goal @ self.best - self._dust(goal)))

    def give_least(self) -> None:
        """Give as little as can be, and of those plans one with few vials."""
        weights = {p: pair.activity_mbq + _VIAL_MBQ for p, pair in enumerate(self._pairs)}
        self._seek(self._goal(weights), gap=self._gap)

    def _dust(self, goal: np.ndarray) -> float:
        return _SAME * max(1.0, abs(float(goal @ self.best)))

    def _seek(self, goal: np.ndarray, *, gap: float) -> None:
        found = milp(
            goal,
            integrality=np.ones(self._size),
            bounds=Bounds(0, 1),
            constraints=self._constraints,
            options={"time_limit": self._time_limit_s, "mip_rel_gap": gap},
        )
        if found.x is not None:
            better = np.round(found.x)
            if goal @ better < goal @ self.best:
                self.best = better
