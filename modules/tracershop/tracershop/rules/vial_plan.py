"""Which vials serve which orders (TS-045): a proposal that a person may override.

An integer programme, solved with HiGHS (Huangfu and Hall, Math. Prog. Comp. 10, 119–142, 2018) by
way of ``scipy.optimize.milp``. With x[v,o] ∈ {0,1}, vial v goes whole to order o, and y[o] ∈ {0,1},
order o is covered:

- a vial serves one order at most:              Σ_o x[v,o] ≤ 1
- a covered order has its activity at delivery: Σ_v a[v,o]·x[v,o] ≥ need[o]·y[o]
- an order that cannot be covered takes none:   x[v,o] ≤ y[o]
- the order's greatest volume is kept:          Σ_v volume[v]·x[v,o] ≤ limit[o]

where a[v,o] is the vial's activity at the order's delivery, and x[v,o] exists only where tracer and
customer agree and the vial has not expired then. Goals, each kept while the next is sought: most
orders covered; of these most of the activity that is needed; least activity given, so that as
little as may be is wasted; fewest vials.

Giving least is a subset-sum problem, hard to the last MBq: within ``gap`` (relative) of the best
is good enough, and so is the best found when the time is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from tracershop.rules.decay import activity_at
from tracershop.rules.moments import as_utc

_SAME = 1e-6
"""Two amounts that differ by less, in MBq, are the same: the solver computes in floats."""


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
    """``needed_mbq`` is wanted at ``deliver_at``, overhead included."""

    key: int
    tracer: int
    customer: int
    half_life_s: float
    needed_mbq: float
    deliver_at: datetime
    max_volume_ml: float | None = None


@dataclass(frozen=True, slots=True)
class VialPlan:
    """The proposal: for each covered order its vials, and the orders that the vials do not cover.

    ``surplus_mbq`` is what the covered orders get above their need, at their deliveries.
    """

    vials_of: Mapping[int, tuple[int, ...]]
    uncovered: tuple[int, ...]
    surplus_mbq: float


class PlanningError(RuntimeError):
    """The solver gave no answer; a person allocates by hand."""


def fits(vial: PlanVial, order: PlanOrder) -> bool:
    """Whether the vial may serve the order at all: tracer, customer, expiry, time of filling."""
    at = as_utc(order.deliver_at, "deliver_at")
    return (
        vial.tracer == order.tracer
        and vial.customer in (None, order.customer)
        and (vial.expires_at is None or as_utc(vial.expires_at, "expires_at") >= at)
        and as_utc(vial.measured_at, "measured_at") <= at
        and (order.max_volume_ml is None or vial.volume_ml <= order.max_volume_ml)
    )


def plan_vials(
    vials: Sequence[PlanVial],
    orders: Sequence[PlanOrder],
    *,
    gap: float = 1e-3,
    time_limit_s: float = 3.0,
) -> VialPlan:
    """Propose vials for orders; each goal is sought for at most ``time_limit_s``.

    ValueError for a naive datetime; PlanningError when not even a first proposal was found.
    """
    pairs = list(_pairs(vials, orders))
    if not pairs:
        return VialPlan({}, tuple(order.key for order in orders), 0.0)
    programme = _Programme(vials, orders, pairs, gap=gap, time_limit_s=time_limit_s)
    programme.seek_most(programme.covered)
    programme.seek_most(programme.needed)
    programme.seek_least(programme.given)
    programme.seek_least(programme.count)
    taken = [pair for pair, x in zip(pairs, programme.best, strict=False) if x > 0.5]
    vials_of: dict[int, list[int]] = {}
    for pair in taken:
        vials_of.setdefault(orders[pair.order].key, []).append(vials[pair.vial].key)
    return VialPlan(
        {key: tuple(keys) for key, keys in vials_of.items()},
        tuple(order.key for order in orders if order.key not in vials_of),
        sum(pair.activity_mbq for pair in taken)
        - sum(order.needed_mbq for order in orders if order.key in vials_of),
    )


def _pairs(vials: Sequence[PlanVial], orders: Sequence[PlanOrder]) -> Iterator[_Pair]:
    for v, vial in enumerate(vials):
        for o, order in enumerate(orders):
            if fits(vial, order):
                at = order.deliver_at
                yield _Pair(
                    v, o, activity_at(vial.activity_mbq, order.half_life_s, vial.measured_at, at)
                )


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
        self._options = {"time_limit": time_limit_s, "mip_rel_gap": gap}
        self._constraints = [self._each_vial_once(len(vials)), self._enough(), self._only_covered()]
        if any(order.max_volume_ml is not None for order in orders):
            self._constraints.append(self._volumes(vials))
        self.best = np.zeros(self._size)
        """The unknowns of the best proposal so far: at first, no vial for nobody."""
        self.covered = self._goal({self._y(o): 1.0 for o in range(len(orders))})
        self.needed = self._goal({self._y(o): each.needed_mbq for o, each in enumerate(orders)})
        self.given = self._goal({p: pair.activity_mbq for p, pair in enumerate(pairs)})
        self.count = self._goal(dict.fromkeys(range(len(pairs)), 1.0))

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
        entries = [(pair.order, p, pair.activity_mbq) for p, pair in enumerate(self._pairs)]
        entries += [(o, self._y(o), -order.needed_mbq) for o, order in enumerate(self._orders)]
        return LinearConstraint(self._rows(entries, len(self._orders)), 0, np.inf)

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

    def seek_most(self, goal: np.ndarray) -> None:
        """Find what makes ``goal`` greatest; from now on it does not get less."""
        self._seek(-goal)
        self._constraints.append(LinearConstraint(goal, goal @ self.best - self._dust(goal)))

    def seek_least(self, goal: np.ndarray) -> None:
        """Find what makes ``goal`` least; from now on it does not get more."""
        self._seek(goal)
        self._constraints.append(
            LinearConstraint(goal, -np.inf, goal @ self.best + self._dust(goal))
        )

    def _dust(self, goal: np.ndarray) -> float:
        return _SAME * max(1.0, abs(float(goal @ self.best)))

    def _seek(self, goal: np.ndarray) -> None:
        found = milp(
            goal,
            integrality=np.ones(self._size),
            bounds=Bounds(0, 1),
            constraints=self._constraints,
            options=self._options,
        )
        if found.x is not None:
            better = np.round(found.x)
            if goal @ better <= goal @ self.best or not self.best.any():
                self.best = better
        elif not self.best.any():
            raise PlanningError(found.message)
