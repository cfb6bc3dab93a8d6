"""Whether an order may be released (TS-080), and what must be confirmed first (TS-081).

An obstacle refuses the release. A warning lets it through once its code has been confirmed.
A release that was already done is not judged here: `orders.transition` says that it changes
nothing (TS-082), and the caller asks that first.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from enum import StrEnum

from tracershop.rules.decay import FLOAT_DUST, ActivityTooLargeError, activity_at
from tracershop.rules.findings import Facts, Finding, Ref
from tracershop.rules.lots import LotNumber
from tracershop.rules.moments import as_utc, local_day
from tracershop.rules.orders import OrderStatus


class BatchStatus(StrEnum):
    """Where a batch stands in quality control (TS-046)."""

    QUARANTINE = "quarantine"
    RELEASED = "released"
    CONDITIONALLY_RELEASED = "conditionally_released"
    REJECTED = "rejected"
    RECALLED = "recalled"


CONDEMNED = frozenset({BatchStatus.REJECTED, BatchStatus.RECALLED})
"""Nothing of such a batch serves an order any more."""


@dataclass(frozen=True, slots=True)
class CertificationFacts:
    """A right to release one tracer, from `valid_from` to `expires_on`, both inclusive;
    `expires_on` None is without end, `revoked` is never valid."""

    tracer: Ref
    valid_from: date
    expires_on: date | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class ReleaserFacts:
    """Who wants to release: has the production role, as access control says, and which
    certifications, of whatever tracer and age."""

    has_production_role: bool
    certifications: tuple[CertificationFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """`deliver_at` is the slot (or the injection time); `ordered_mbq` what the customer is to have
    there, without overhead and carried to the slot the order was moved to; None for injections."""

    key: int
    status: OrderStatus
    tracer: Ref
    customer: Ref
    deliver_at: datetime
    half_life_s: float
    ordered_mbq: float | None = None


@dataclass(frozen=True, slots=True)
class LotAtRelease:
    """The lot that an order is released from when no vials are counted (injection orders).

    `batch_status` is None where no batch record is kept, `use_before` where none is known.
    `quality_tested`: batches of its tracer undergo quality tests, so there must be a verdict.
    `test_failed`: a result outside its limits came in, whatever the verdict says.
    """

    lot: LotNumber
    tracer: Ref
    use_before: datetime | None = None
    batch_status: BatchStatus | None = None
    quality_tested: bool = False
    test_failed: bool = False


@dataclass(frozen=True, slots=True)
class VialAtRelease:
    """A vial chosen for the order. `customer` is None while it is not known who it was filled for;
    `used_by_order` is the order that it was given to, if any; its batch as in `LotAtRelease`."""

    key: int
    lot: LotNumber
    tracer: Ref
    customer: Ref | None
    filled_at: datetime
    activity_mbq: float
    use_before: datetime | None = None
    batch_status: BatchStatus | None = None
    used_by_order: int | None = None
    quality_tested: bool = False
    test_failed: bool = False


class ObstacleCode(StrEnum):
    NO_PRODUCTION_ROLE = "no_production_role"
    CERTIFICATION_ABSENT = "certification_absent"  # facts: tracer; also when revoked
    CERTIFICATION_EXPIRED = "certification_expired"  # facts: tracer, expires_on
    CERTIFICATION_NOT_YET_VALID = "certification_not_yet_valid"  # facts: tracer, valid_from
    ORDER_NOT_ACCEPTED = "order_not_accepted"  # facts: order, status
    NO_VIALS = "no_vials"  # neither vials nor a lot; facts: order
    # Of each vial or lot. Facts: lot, vial (its key; None for a lot), and:
    WRONG_TRACER = "wrong_tracer"  # tracer, wanted
    WRONG_CUSTOMER = "wrong_customer"  # customer, wanted
    EXPIRED = "expired"  # use_before
    EXPIRES_BEFORE_DELIVERY = "expires_before_delivery"  # use_before, deliver_at
    BATCH_IN_QUARANTINE = "batch_in_quarantine"
    BATCH_REJECTED = "batch_rejected"
    BATCH_RECALLED = "batch_recalled"
    BATCH_UNKNOWN = "batch_unknown"  # no batch record, though the tracer's batches are tested
    BATCH_TEST_FAILED = "batch_test_failed"
    VIAL_IN_USE = "vial_in_use"  # used_by_order
    FILLED_TOO_LATE = "filled_too_late"  # filled_at, deliver_at


class Obstacle(Finding[ObstacleCode]):
    """One reason why the order cannot be released."""


class ReleaseWarningCode(StrEnum):
    OTHER_DAY = "other_day"  # facts: day, today
    LOT_OF_OTHER_DAY = "lot_of_other_day"  # facts: lots, day
    LESS_ACTIVITY = "less_activity"  # facts: ordered_mbq, available_mbq, deliver_at
    CONDITIONAL_BATCH = "conditional_batch"  # facts: lots; quality control is not complete


class ReleaseWarning(Finding[ReleaseWarningCode]):
    """Something that must be confirmed, by its code, before the order is released."""


_OBSTACLE_OF_BATCH = {
    BatchStatus.QUARANTINE: ObstacleCode.BATCH_IN_QUARANTINE,
    BatchStatus.REJECTED: ObstacleCode.BATCH_REJECTED,
    BatchStatus.RECALLED: ObstacleCode.BATCH_RECALLED,
}
BLOCKING = frozenset(_OBSTACLE_OF_BATCH)
"""Of a batch that stands there nothing is released."""


def release_obstacles(
    *,
    releaser: ReleaserFacts,
    order: OrderFacts,
    vials: Sequence[VialAtRelease],
    now: datetime,
    zone: tzinfo,
    lot: LotAtRelease | None = None,
) -> list[Obstacle]:
    """Every reason against releasing `order` from these vials, or this lot, at `now`.

    All of them, so that a person sees everything at once; an empty list lets the order through.
    ValueError when a vial is given twice: it would be counted twice.
    """
    _require_distinct(vials)
    found = [*_releaser_obstacles(releaser, order.tracer, local_day(now, zone, "now"))]
    if order.status != OrderStatus.ACCEPTED:
        facts = {"order": order.key, "status": order.status}
        found.append(Obstacle(ObstacleCode.ORDER_NOT_ACCEPTED, facts))
    if not vials and lot is None:
        found.append(Obstacle(ObstacleCode.NO_VIALS, {"order": order.key}))
    if lot is not None:
        found.extend(_product_obstacles(lot, order, now, vial_key=None))
    for vial in vials:
        found.extend(_product_obstacles(vial, order, now, vial_key=vial.key))
        found.extend(_vial_obstacles(vial, order))
    return found


def release_warnings(
    *,
    order: OrderFacts,
    vials: Sequence[VialAtRelease],
    now: datetime,
    zone: tzinfo,
    lot: LotAtRelease | None = None,
) -> list[ReleaseWarning]:
    """What must be confirmed before `order` is released from these vials, or this lot, at `now`.

    Days are those on the calendar of `zone`; a lot is *of another day* when it is not dated on the
    day of the delivery. Each code occurs once at most.
    """
    _require_distinct(vials)
    warnings = []
    day = local_day(order.deliver_at, zone, "deliver_at")
    today = local_day(now, zone, "now")
    if day != today:
        warnings.append(ReleaseWarning(ReleaseWarningCode.OTHER_DAY, {"day": day, "today": today}))
    lots = {vial.lot for vial in vials} | ({lot.lot} if lot is not None else set())
    others = tuple(str(each) for each in sorted(lots) if each.filled_on != day)
    if others:
        warnings.append(
            ReleaseWarning(ReleaseWarningCode.LOT_OF_OTHER_DAY, {"lots": others, "day": day})
        )
    warnings.extend(_activity_warnings(order, vials))
    warnings.extend(_batch_warnings([*vials, *([lot] if lot is not None else [])]))
    return warnings


def unconfirmed(
    warnings: Iterable[ReleaseWarning], confirmed_codes: Collection[str]
) -> list[ReleaseWarning]:
    """The warnings that nobody has confirmed yet; the release must wait while there are any."""
    return [warning for warning in warnings if warning.code not in confirmed_codes]


def certification_obstacle(
    certifications: Iterable[CertificationFacts], tracer: Ref, today: date
) -> Obstacle | None:
    """Why these certifications do not cover releasing `tracer` today; None when one does.

    Of several that do not, one yet to come is told before one that has expired.
    """
    own = [each for each in certifications if each.tracer == tracer and not each.revoked]
    begun = [each for each in own if each.valid_from <= today]
    ends = [each.expires_on for each in begun if each.expires_on is not None]
    if len(ends) < len(begun) or any(today <= end for end in ends):
        return None
    to_come = [each.valid_from for each in own if each.valid_from > today]
    if to_come:
        facts = {"tracer": tracer, "valid_from": min(to_come)}
        return Obstacle(ObstacleCode.CERTIFICATION_NOT_YET_VALID, facts)
    if ends:
        expired = {"tracer": tracer, "expires_on": max(ends)}
        return Obstacle(ObstacleCode.CERTIFICATION_EXPIRED, expired)
    return Obstacle(ObstacleCode.CERTIFICATION_ABSENT, {"tracer": tracer})


def available_mbq(order: OrderFacts, vials: Iterable[VialAtRelease]) -> float:
    """The activity (MBq) of these vials together, decay-corrected to the order's delivery."""
    return math.fsum(_at_delivery(vial, order) for vial in vials)


def _at_delivery(vial: VialAtRelease, order: OrderFacts) -> float:
    try:
        return activity_at(vial.activity_mbq, order.half_life_s, vial.filled_at, order.deliver_at)
    except ActivityTooLargeError:
        # Filled so long after the delivery that the correction has no meaning, which is an
        # obstacle; for the sum it is more than any order.
        return math.inf


def _require_distinct(vials: Sequence[VialAtRelease]) -> None:
    if len({vial.key for vial in vials}) < len(vials):
        raise ValueError("vials has the same vial twice")


def _releaser_obstacles(releaser: ReleaserFacts, tracer: Ref, today: date) -> Iterator[Obstacle]:
    if not releaser.has_production_role:
        yield Obstacle(ObstacleCode.NO_PRODUCTION_ROLE)
    missing = certification_obstacle(releaser.certifications, tracer, today)
    if missing is not None:
        yield missing


def _product_obstacles(
    product: VialAtRelease | LotAtRelease, order: OrderFacts, now: datetime, vial_key: int | None
) -> Iterator[Obstacle]:
    which: Facts = {"lot": str(product.lot), "vial": vial_key}
    if product.tracer != order.tracer:
        facts = {**which, "tracer": product.tracer, "wanted": order.tracer}
        yield Obstacle(ObstacleCode.WRONG_TRACER, facts)
    if product.use_before is not None:
        use_before = as_utc(product.use_before, "use_before")
        if use_before <= as_utc(now, "now"):
            yield Obstacle(ObstacleCode.EXPIRED, {**which, "use_before": product.use_before})
        elif use_before <= as_utc(order.deliver_at, "deliver_at"):
            facts = {**which, "use_before": product.use_before, "deliver_at": order.deliver_at}
            yield Obstacle(ObstacleCode.EXPIRES_BEFORE_DELIVERY, facts)
    if product.batch_status in _OBSTACLE_OF_BATCH:
        yield Obstacle(_OBSTACLE_OF_BATCH[product.batch_status], which)
    elif product.test_failed:
        yield Obstacle(ObstacleCode.BATCH_TEST_FAILED, which)
    elif product.batch_status is None and product.quality_tested:
        yield Obstacle(ObstacleCode.BATCH_UNKNOWN, which)


def _vial_obstacles(vial: VialAtRelease, order: OrderFacts) -> Iterator[Obstacle]:
    which: Facts = {"lot": str(vial.lot), "vial": vial.key}
    if vial.customer != order.customer:
        facts = {**which, "customer": vial.customer, "wanted": order.customer}
        yield Obstacle(ObstacleCode.WRONG_CUSTOMER, facts)
    if vial.used_by_order is not None and vial.used_by_order != order.key:
        yield Obstacle(ObstacleCode.VIAL_IN_USE, {**which, "used_by_order": vial.used_by_order})
    if math.isinf(_at_delivery(vial, order)):
        facts = {**which, "filled_at": vial.filled_at, "deliver_at": order.deliver_at}
        yield Obstacle(ObstacleCode.FILLED_TOO_LATE, facts)


def _activity_warnings(
    order: OrderFacts, vials: Sequence[VialAtRelease]
) -> Iterator[ReleaseWarning]:
    # Released from a lot without vials there is no activity to compare.
    if order.ordered_mbq is None or not vials:
        return
    available = available_mbq(order, vials)
    if available < order.ordered_mbq * (1 - FLOAT_DUST):
        yield ReleaseWarning(
            ReleaseWarningCode.LESS_ACTIVITY,
            {
                "ordered_mbq": order.ordered_mbq,
                "available_mbq": available,
                "deliver_at": order.deliver_at,
            },
        )


def _batch_warnings(
    products: Iterable[VialAtRelease | LotAtRelease],
) -> Iterator[ReleaseWarning]:
    lots = {
        each.lot for each in products if each.batch_status == BatchStatus.CONDITIONALLY_RELEASED
    }
    if lots:
        facts = {"lots": tuple(str(lot) for lot in sorted(lots))}
        yield ReleaseWarning(ReleaseWarningCode.CONDITIONAL_BATCH, facts)
