"""What each run of a day has to make, beside what recent batches gave (TS-044)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from portal.access.decision import visible
from tracershop.models import Batch, Order, ProductionRun
from tracershop.models.reach import SEE_ALL
from tracershop.rules.decay import ActivityTooLargeError, activity_at
from tracershop.rules.moments import elapsed_s, local_moment
from tracershop.rules.orders import OrderStatus
from tracershop.rules.production_plan import (
    LARGEST_YIELDS,
    Demand,
    Shortage,
    Yields,
    eos_before,
    eos_nearest,
    needed_at_eos_mbq,
    shortage,
    too_early,
    yields_of,
)
from tracershop.selectors.schedule import site_zone

_LOOK_BACK = timedelta(days=120)
_SAME_RUN_S = 1.0


@dataclass
class RunPlan:
    """One run on one day: what its orders need at the end of synthesis, and what it may give."""

    run: ProductionRun
    eos_at: datetime
    orders: list[Order] = field(default_factory=list)
    yields: Yields | None = None
    made_mbq: float | None = None
    """What the day's batches of this run held then; None while there are none."""

    @property
    def demands(self) -> list[Demand]:
        return [Demand(order.total_mbq or 0.0, order.deliver_at) for order in self.orders]

    @property
    def needed_mbq(self) -> float:
        return needed_at_eos_mbq(self.demands, self.run.tracer.isotope.half_life_s, self.eos_at)

    @property
    def planned_mbq(self) -> float | None:
        """What can be counted on: what was made, else what half of the recent batches gave."""
        if self.made_mbq is not None:
            return self.made_mbq
        return self.yields.median_mbq if self.yields else None

    @property
    def shortage(self) -> Shortage:
        if self.made_mbq is not None:
            return Shortage.LIKELY if self.needed_mbq > self.made_mbq else Shortage.NONE
        return shortage(self.needed_mbq, self.yields)

    @property
    def is_short(self) -> bool:
        return self.shortage in (Shortage.LIKELY, Shortage.POSSIBLE)

    @property
    def missing_mbq(self) -> float:
        """By how much the need is above what can be counted on."""
        return max(0.0, self.needed_mbq - (self.planned_mbq or 0.0))

    @property
    def too_early(self) -> int:
        """Orders that are to be delivered before the run ends."""
        return len(too_early(self.demands, self.eos_at))


@dataclass
class TracerPlan:
    """A tracer's runs of the day. Injections name no activity: they are counted beside the MBq,
    with no run of their own."""

    tracer: Any
    runs: list[RunPlan] = field(default_factory=list)
    injection_orders: int = 0
    injections: int = 0


def production_plan(user: Any, day: date) -> list[TracerPlan]:
    """Every tracer that is made or ordered on ``day``, by name; a fixed number of queries."""
    orders = (
        visible(user, Order.objects.filter(deliver_on=day), SEE_ALL)
        .select_related("tracer__isotope", "endpoint__customer", "slot__run")
        .order_by("deliver_at", "pk")
    )
    return plans_of(orders, day)


def plans_of(orders: Iterable[Order], day: date) -> list[TracerPlan]:
    """The plan of orders that were read already with ``slot__run`` and ``tracer__isotope``; the
    number of queries is fixed.

    Rejected orders need nothing. A moved order counts where it was moved to.
    """
    zone = site_zone()
    runs: dict[tuple[int, datetime], RunPlan] = {}
    for run in ProductionRun.objects.filter(weekday=day.weekday()).select_related(
        "tracer__isotope"
    ):
        eos_at = local_moment(run.ends_at, day, zone)
        runs[run.pk, eos_at] = RunPlan(run, eos_at)
    plans: dict[int, TracerPlan] = {}
    for order in orders:
        if order.status == OrderStatus.REJECTED:
            continue
        if order.slot is None:
            plan = plans.setdefault(order.tracer_id, TracerPlan(order.tracer))
            plan.injection_orders += 1
            plan.injections += order.injections or 0
            continue
        run = order.slot.run
        eos_at = eos_before(run.ends_at, run.weekday, order.deliver_at, order.slot.weekday, zone)
        run.tracer = order.tracer  # read with the order, for runs that are not of the weekday
        runs.setdefault((run.pk, eos_at), RunPlan(run, eos_at)).orders.append(order)
    for each in sorted(runs.values(), key=lambda run: (run.eos_at, run.run.pk)):
        plan = plans.setdefault(each.run.tracer_id, TracerPlan(each.run.tracer))
        plan.runs.append(each)
    _add_yields(list(runs.values()), day)
    return sorted(plans.values(), key=lambda plan: (plan.tracer.name, plan.tracer.pk))


def _add_yields(runs: list[RunPlan], day: date) -> None:
    """From the batches of the last months, in one query: what they held at their own EOS."""
    zone = site_zone()
    first = local_moment(time(0, 0), day, zone)
    last = local_moment(time(0, 0), day + timedelta(days=1), zone)
    of_tracer = defaultdict(list)
    for batch in (
        Batch.objects.filter(
            tracer__in={each.run.tracer_id for each in runs},
            activity_mbq__isnull=False,
            calibrated_at__gte=first - _LOOK_BACK,
            calibrated_at__lt=last + timedelta(hours=12),
        )
        .select_related("run")
        .order_by("-calibrated_at", "-pk")
    ):
        of_tracer[batch.tracer_id].append(batch)
    for each in runs:
        made, before, of_same_hour = [], [], []
        for batch in of_tracer[each.run.tracer_id]:
            ends_at = batch.run.ends_at if batch.run else each.run.ends_at
            eos_at = eos_nearest(ends_at, batch.calibrated_at, zone)
            at_eos_mbq = _mbq_at(batch, each.run.tracer.isotope.half_life_s, eos_at)
            if batch.run_id in (None, each.run.pk) and _same(eos_at, each.eos_at):
                made.append(at_eos_mbq)
            elif elapsed_s(eos_at, each.eos_at) > 0:
                before.append(at_eos_mbq)
                if ends_at == each.run.ends_at:
                    of_same_hour.append(at_eos_mbq)
        # runs of other hours may be of another size: they count where there are no others
        each.yields = yields_of((of_same_hour or before)[:LARGEST_YIELDS])
        each.made_mbq = sum(made) if made else None


def _same(one: datetime, other: datetime) -> bool:
    return abs(elapsed_s(one, other)) < _SAME_RUN_S


def _mbq_at(batch: Batch, half_life_s: float, at: datetime) -> float:
    measured_at: datetime = batch.calibrated_at  # type: ignore[assignment]  # asked for in the query
    try:
        return activity_at(batch.activity_mbq or 0.0, half_life_s, measured_at, at)
    except ActivityTooLargeError:
        return 0.0
