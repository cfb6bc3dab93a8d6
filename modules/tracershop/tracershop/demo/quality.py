"""The demo's quality control: what is tested, batches in several states, whom to call in a recall.

PSMA and water have a list of tests (with invented limits), FDG has none, so that both ways can be
tried: lots of the former wait for a verdict, a lot of FDG has one when somebody gives it.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

from portal.signing.services import Signer
from tracershop.demo.dispensing import lot_of, run_of
from tracershop.demo.shop import COMPANY, NORTH, PSMA, SOUTH, WATER, Shop
from tracershop.models import Batch, Contact, Order, QualityTest
from tracershop.rules.release import BatchStatus
from tracershop.services.batches import (
    BatchData,
    ResultEntry,
    create_batch,
    edit_batch,
    record_results,
)
from tracershop.services.verdicts import give_verdict

_FULL = QualityTest.Stage.FULL
# name, method, unit, at least, at most, needed for, a usual result (True: passed)
_TESTS: tuple[tuple[str, str, str, float | None, float | None, str, float | bool], ...] = (
    ("Udseende", "Visuel", "", None, None, "", True),
    ("pH", "Indikatorpapir", "", 4.0, 8.0, "", 6.5),
    ("Radiokemisk renhed", "TLC", "%", 95.0, None, "", 98.6),
    ("Filterintegritet", "Bobletest", "bar", 3.4, None, "", 3.9),
    ("Bakterielle endotoksiner", "LAL", "IU/ml", None, 17.5, _FULL, 2.5),
    ("Sterilitet", "Direkte podning", "", None, None, _FULL, True),
)
_CONTACTS = (
    (NORTH, "Eva Lund", "Afdelingssygeplejerske", "+45 30 12 04 11", "eva.lund@demo.invalid"),
    (NORTH, "Vagthavende fysiker, Nordhavn", "Vagttelefon", "+45 30 12 04 12", ""),
    (SOUTH, "Poul Bech", "Ledende bioanalytiker", "+45 30 12 07 11", "poul.bech@demo.invalid"),
    (COMPANY, "Sanne Vig", "Laboratorieleder", "+45 30 12 12 11", "sanne.vig@demo.invalid"),
)


def make_quality(shop: Shop) -> None:
    """The list of tests, and each customer's contacts."""
    tests = [(place, *row) for place, row in enumerate(_TESTS, 1)]
    for tracer, (place, name, method, unit, lower, upper, stage, _usual) in product(
        (PSMA, WATER), tests
    ):
        QualityTest.objects.create(
            tracer=shop.tracers[tracer],
            name=name,
            method=method,
            unit=unit,
            lower_limit=lower,
            upper_limit=upper,
            stage=stage or QualityTest.Stage.CONDITIONAL,
            order=place,
        )
    for place, (customer, name, function, phone, email) in enumerate(_CONTACTS, 1):
        Contact.objects.create(
            customer=shop.customers[customer],
            name=name,
            function=function,
            phone=phone,
            email=email,
            order=place,
        )


def prepare_batch(actor: Any, order: Order, *, whole: bool) -> Batch:
    """The batch that the order is of, with its data and results: those of the conditional release,
    or the whole list."""
    run_at = run_of(order)
    data = BatchData(
        run_id=order.slot.run_id if order.slot else None,
        calibrated_at=run_at,
        activity_mbq=45_000.0,
        volume_ml=16.0,
        expires_at=max(run_at + timedelta(hours=10), order.deliver_at + timedelta(hours=2)),
    )
    lot = str(lot_of(order))
    batch = Batch.objects.filter(lot=lot).first()
    if batch is None:
        batch = create_batch(actor=actor, lot=lot, tracer_id=order.tracer_id, data=data)
    elif batch.status == BatchStatus.QUARANTINE and batch.calibrated_at is None:
        batch = edit_batch(
            actor=actor, batch_id=batch.pk, version=None, data=data, reason="Efter syntesen"
        )
    usual = {name: (stage, value) for name, *_rest, stage, value in _TESTS}
    record_results(
        actor=actor,
        batch_id=batch.pk,
        entries=[
            _entry(test, usual[test.name][1])
            for test in QualityTest.objects.filter(tracer=order.tracer_id)
            if test.name in usual and (whole or test.stage != _FULL)
        ],
        reason="Som målt",
    )
    return batch


def _entry(test: QualityTest, value: Any) -> ResultEntry:
    if isinstance(value, bool):
        return ResultEntry(test.pk, passed=value)
    return ResultEntry(test.pk, value=value)


def let_through(actor: Any, order: Order, signer: Signer, *, whole: bool) -> None:
    """The batch of an order that is to be released has its verdict, given before the release."""
    if Batch.objects.filter(lot=str(lot_of(order))).exclude(status=BatchStatus.QUARANTINE).exists():
        return
    batch = prepare_batch(actor, order, whole=whole)
    tested = QualityTest.objects.filter(tracer=order.tracer_id).exists()
    released = whole or not tested
    give_verdict(
        actor=actor,
        batch_id=batch.pk,
        verdict=BatchStatus.RELEASED if released else BatchStatus.CONDITIONALLY_RELEASED,
        reason="Kvalitetskontrol uden anmærkninger",
        confirmed=("no_tests", "tests_pending"),
        signer=signer,
        now=run_of(order) + timedelta(minutes=35),
    )


def reject_lot(actor: Any, lot: str, tracer_id: int, signer: Signer) -> None:
    """The batch of a synthesis that failed."""
    if Batch.all_objects.filter(lot=lot).exists():
        return
    batch = create_batch(actor=actor, lot=lot, tracer_id=tracer_id, data=BatchData())
    give_verdict(
        actor=actor,
        batch_id=batch.pk,
        verdict=BatchStatus.REJECTED,
        reason="Syntesen gav for lidt aktivitet; produktet var misfarvet",
        signer=signer,
    )
