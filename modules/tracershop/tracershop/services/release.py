"""Release: a certified person frees an order for use, and signs for it (TS-080 to TS-083)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import can
from portal.audit.services import record
from portal.records.errors import Refused
from portal.records.services import writes
from portal.signing.services import Signer, made_by_act, reads, sign
from tracershop.models import (
    Batch,
    Order,
    QualityResult,
    QualityTest,
    Release,
    Vial,
)
from tracershop.models.reach import RELEASE
from tracershop.rules.lots import LotError, LotNumber, parse_lot
from tracershop.rules.orders import OrderStatus
from tracershop.rules.release import (
    BatchStatus,
    LotAtRelease,
    Obstacle,
    OrderFacts,
    ReleaserFacts,
    ReleaseWarning,
    VialAtRelease,
    available_mbq,
    release_obstacles,
    release_warnings,
    unconfirmed,
)
from tracershop.selectors.schedule import site_zone
from tracershop.selectors.topics import announce_order, announce_vial
from tracershop.services.certificates import queue_certificate
from tracershop.services.certifications import certifications_of, hold_certifications
from tracershop.services.lots import hold_verdicts
from tracershop.services.production import locked_orders
from tracershop.services.vials import free_vial, lock_vials, vials_of
from tracershop.words import sentence, told

MEANING = "Released for use"
"""The meaning of a release's signature, as it is signed (in English, whatever the screen's)."""


@dataclass(frozen=True)
class ReleaseRequest:
    """One order to release: from which vials (or, for injections, which lot), what confirmed."""

    order_id: int
    vial_ids: frozenset[int] = frozenset()
    lot: str = ""
    confirmed: frozenset[str] = frozenset()


@dataclass
class Judgement:
    """What stands against releasing one order, and what must be confirmed first."""

    order: Order
    vials: list[Vial]
    obstacles: list[Obstacle]
    warnings: list[ReleaseWarning]
    available_mbq: float | None
    lots: list[str]
    lot_error: str = ""

    @property
    def reasons(self) -> list[str]:
        return ([self.lot_error] if self.lot_error else []) + [
            told(each) for each in self.obstacles
        ]

    @property
    def warning_texts(self) -> list[tuple[str, str]]:
        """Pairs of code and words, for ticking."""
        return [(str(each.code), told(each)) for each in self.warnings]


@dataclass(frozen=True)
class Outcome:
    """Orders that this act released, and those that somebody had released already."""

    released: list[Order] = field(default_factory=list)
    unchanged: list[Order] = field(default_factory=list)


class Judge:
    """Judges orders for one releaser; reads certifications and batches once."""

    def __init__(self, actor: Any, lots: Iterable[str], now: datetime) -> None:
        self.actor, self.now, self.zone = actor, now, site_zone()
        self.certifications = certifications_of(actor)
        self.batches = {
            row.lot: row
            for row in Batch.objects.filter(lot__in=set(lots)).annotate(
                test_failed=Exists(QualityResult.objects.filter(batch=OuterRef("pk"), passed=False))
            )
        }
        self.quality_tested = set(
            QualityTest.objects.order_by().values_list("tracer_id", flat=True).distinct()
        )

    def judge(self, order: Order, vials: Sequence[Vial], lot: str = "") -> Judgement:
        facts = order_facts(order)
        lot_error, lot_facts, vial_facts = "", None, []
        try:
            vial_facts = [self._vial(vial, order) for vial in vials]
            if lot and not vials:
                lot_facts = self._lot(parse_lot(lot), order)
        except LotError as error:
            lot_error = sentence(error.reason)
        releaser = ReleaserFacts(can(self.actor, RELEASE, order), self.certifications)
        given: dict[str, Any] = {
            "order": facts,
            "vials": vial_facts,
            "lot": lot_facts,
            "now": self.now,
            "zone": self.zone,
        }
        lots = {vial.lot for vial in vials} | ({str(lot_facts.lot)} if lot_facts else set())
        return Judgement(
            order=order,
            vials=list(vials),
            obstacles=release_obstacles(releaser=releaser, **given),
            warnings=release_warnings(**given),
            available_mbq=available_mbq(facts, vial_facts) if vial_facts else None,
            lots=sorted(lots),
            lot_error=lot_error,
        )

    def _vial(self, vial: Vial, order: Order) -> VialAtRelease:
        return VialAtRelease(
            key=vial.pk,
            lot=parse_lot(vial.lot),
            tracer=vial.tracer_id or 0,
            customer=vial.customer_id,
            filled_at=vial.filled_at,
            activity_mbq=vial.activity_mbq,
            used_by_order=vial.order_id,
            **self._batch(vial.lot, order, vial.expires_at),
        )

    def _lot(self, lot: LotNumber, order: Order) -> LotAtRelease:
        prefix = order.tracer.lot_prefix.upper()
        return LotAtRelease(
            lot=lot,
            tracer=order.tracer_id if lot.prefix == prefix else lot.prefix,
            **self._batch(str(lot), order, None),
        )

    def _batch(self, lot: str, order: Order, use_before: datetime | None) -> dict[str, Any]:
        """What is known of the batch; the earlier of its expiry and the vial's counts."""
        batch = self.batches.get(lot)
        ends = [each for each in (use_before, batch and batch.expires_at) if each is not None]
        return {
            "use_before": min(ends, default=None),
            "batch_status": BatchStatus(batch.status) if batch else None,
            "quality_tested": order.tracer_id in self.quality_tested,
            "test_failed": batch is not None and batch.test_failed,
        }


def order_facts(order: Order) -> OrderFacts:
    return OrderFacts(
        key=order.pk,
        status=OrderStatus(order.status),
        tracer=order.tracer_id,
        customer=order.customer_id,
        deliver_at=order.deliver_at,
        half_life_s=order.tracer.isotope.half_life_s,
        ordered_mbq=order.due_mbq,
    )


@writes
def release_orders(
    *,
    actor: Any,
    requests: Collection[ReleaseRequest],
    signer: Signer,
    now: datetime | None = None,
) -> Outcome:
    """Release every order of the selection, or none, each with a signature of its own.

    An order that was released already is left as it is and said to be so: pressed twice, or by two
    people at once, makes one release. Refused(code="not_releasable") lists each reason,
    Refused(code="unconfirmed") each warning that still has to be ticked. ``signer`` is the actor's
    passkey or PIN, checked before this transaction (:func:`portal.signing.web.signer_of`).
    """
    now = now or timezone.now()
    by_order = {request.order_id: request for request in requests}
    held = _hold_lots(requests)
    orders = locked_orders(actor, by_order)
    waiting = [order for order in orders if order.status != OrderStatus.RELEASED]
    unchanged = [order for order in orders if order.status == OrderStatus.RELEASED]
    vials = _lock(actor, waiting, by_order)
    lots = {vial.lot for vial in vials.values()} | {_plain(r.lot) for r in by_order.values()}
    if not lots <= held:  # a vial was given another lot while this waited for it
        raise Refused(_("The vials were changed meanwhile. Look again."), code="changed_meanwhile")
    hold_certifications(actor)
    judge = Judge(actor, lots, now)
    judgements = []
    for order in waiting:
        request = by_order[order.pk]
        chosen = [vials[pk] for pk in sorted(request.vial_ids)]
        judgements.append(judge.judge(order, chosen, request.lot))
    _refuse_twice_used(by_order, waiting)
    _refuse_what_stands_against(judgements, by_order)
    for judgement in judgements:
        for vial in vials.values():
            if vial.order_id == judgement.order.pk and vial not in judgement.vials:
                free_vial(vial)  # else the signature would name it among what was delivered
        _release(actor, judgement, by_order[judgement.order.pk], signer, now)
    return Outcome([each.order for each in judgements], unchanged)


def _hold_lots(requests: Iterable[ReleaseRequest]) -> set[str]:
    """Lots come before orders and vials: verdicts and recalls lock in that order too."""
    requests = list(requests)
    chosen = Q(pk__in={pk for request in requests for pk in request.vial_ids})
    serving = Q(order__in=[request.order_id for request in requests])
    lots = set(Vial.objects.filter(chosen | serving).values_list("lot", flat=True))
    lots |= {_plain(request.lot) for request in requests}
    hold_verdicts(lots)
    return lots


def _plain(lot: str) -> str:
    try:
        return str(parse_lot(lot))
    except LotError:
        return lot


def _lock(
    actor: Any, orders: Iterable[Order], by_order: dict[int, ReleaseRequest]
) -> dict[int, Vial]:
    """The vials chosen for the orders, and those that were to serve them till now."""
    wanted = {pk for order in orders for pk in by_order[order.pk].vial_ids}
    wanted |= {vial.pk for order in orders for vial in vials_of(order)}
    return {vial.pk: vial for vial in lock_vials(actor, wanted)} if wanted else {}


def _refuse_twice_used(by_order: dict[int, ReleaseRequest], orders: list[Order]) -> None:
    used = [pk for order in orders for pk in by_order[order.pk].vial_ids]
    if len(used) != len(set(used)):
        raise Refused(_("A vial is chosen for two orders."), code="not_releasable")


def _refuse_what_stands_against(
    judgements: list[Judgement], by_order: dict[int, ReleaseRequest]
) -> None:
    reasons = [
        _("Order %(number)s: %(reason)s") % {"number": each.order.pk, "reason": reason}
        for each in judgements
        for reason in each.reasons
    ]
    if reasons:
        raise Refused(_("Nothing was released."), code="not_releasable", details=reasons)
    left = [
        _("Order %(number)s: %(reason)s") % {"number": each.order.pk, "reason": told(warning)}
        for each in judgements
        for warning in unconfirmed(each.warnings, by_order[each.order.pk].confirmed)
    ]
    if left:
        raise Refused(
            _("Nothing was released: confirm each warning first."), code="unconfirmed", details=left
        )


def _release(
    actor: Any, judgement: Judgement, request: ReleaseRequest, signer: Signer, now: datetime
) -> None:
    order = judgement.order
    order.status = OrderStatus.RELEASED
    order.save()
    for vial in judgement.vials:
        vial.order = order
        vial.save()
        announce_vial(vial, "released")
    release = Release.objects.create(
        order=order,
        released_by=actor,
        released_at=now,
        lots=judgement.lots,
        delivered_mbq=judgement.available_mbq,
        confirmed=[str(warning.code) for warning in judgement.warnings],
        seen={
            "customer": order.customer.name,
            "endpoint": order.endpoint.name,
            "tracer": order.tracer.name,
            "isotope": order.tracer.isotope.symbol,
            "half_life_s": order.tracer.isotope.half_life_s,
        },
    )
    release.signature = sign(
        actor=actor, signable="tracershop.release", obj=release, meaning=MEANING, key=signer
    )
    release.save()
    record(
        "tracershop.order_released",
        order,
        data={
            "lots": release.lots,
            "vials": sorted(request.vial_ids),
            "confirmed": dict(judgement.warning_texts),
            "signature": release.signature.pk,
        },
    )
    announce_order(order, "released")
    queue_certificate(release)


@reads("order__vials")
@made_by_act("release", "released_at")
def signed_facts(release: Release) -> dict[str, Any]:
    """What a release's signature is over: the order, its vials and the confirmations, as they are
    in the database now; names and half-life as the releaser saw them. Times are UTC; activity MBq,
    volume ml."""
    order = release.order
    return {
        "release": release.pk,
        "released_at": release.released_at,
        "lots": release.lots,
        "delivered_mbq": release.delivered_mbq,
        "confirmed": release.confirmed,
        "order": {
            "number": order.pk,
            "status": order.status,
            "customer_number": order.customer_id,
            "endpoint_number": order.endpoint_id,
            "tracer_number": order.tracer_id,
            **release.seen,
            "kind": order.kind,
            "deliver_at": order.deliver_at,
            "moved_from_at": order.moved_from_at,
            "ghost": order.ghost,
            "activity_mbq": order.activity_mbq,
            "injections": order.injections,
            "intended_use": order.intended_use,
        },
        "vials": [_vial_facts(vial) for vial in sorted(order.vials.all(), key=lambda v: v.pk)],
    }


def _vial_facts(vial: Vial) -> dict[str, Any]:
    return {
        "number": vial.pk,
        "lot": vial.lot,
        "position": vial.position,
        "filled_at": vial.filled_at,
        "activity_mbq": vial.activity_mbq,
        "volume_ml": vial.volume_ml,
        "expires_at": vial.expires_at,
    }
