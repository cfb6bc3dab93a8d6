"""What tests of batches need: tests with limits, a batch in any state, results and verdicts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tracershop.models import Batch, Certification, QualityTest, Recall, Verdict
from tracershop.services.batches import ResultEntry, record_results
from tracershop.services.recalls import start_recall
from tracershop.services.release import release_orders
from tracershop.services.verdicts import give_verdict

from tests.tracershop.factories import MONDAY, World, local
from tests.tracershop.releasing import LOT, RELEASE_AT, accepted, make_vial, signer, wanted

CALIBRATED_AT = local(MONDAY, 6, 30)
JUDGED_AT = local(MONDAY, 7)


def make_tests(world: World) -> dict[str, QualityTest]:
    """Of FDG: pH and purity by number, appearance by eye; sterility for the full release."""
    rows: list[dict[str, Any]] = [
        {"name": "pH", "lower_limit": 4.5, "upper_limit": 8.5},
        {"name": "purity", "unit": "%", "lower_limit": 95.0},
        {"name": "appearance"},
        {"name": "sterility", "stage": QualityTest.Stage.FULL},
    ]
    return {
        row["name"]: QualityTest.objects.create(tracer=world.fdg, order=number, **row)
        for number, row in enumerate(rows, 1)
    }


def make_batch(world: World, **values: Any) -> Batch:
    """A batch of FDG in quarantine, complete but for its results; or as told."""
    fields = {
        "lot": LOT,
        "tracer": world.fdg,
        "calibrated_at": CALIBRATED_AT,
        "activity_mbq": 120_000.0,
        "volume_ml": 20.0,
        "expires_at": CALIBRATED_AT + timedelta(hours=10),
    }
    return Batch.objects.create(**(fields | values))


GOOD = {"pH": 6.1, "purity": 99.2, "appearance": True}


def enter(world: World, batch: Batch, reason: str = "", **results: float | bool) -> Any:
    """The results by the names of the tests."""
    tests = {test.name: test for test in QualityTest.objects.filter(tracer=batch.tracer_id)}
    entries = [
        ResultEntry(tests[name].pk, passed=given)
        if isinstance(given, bool)
        else ResultEntry(tests[name].pk, value=given)
        for name, given in results.items()
    ]
    return record_results(actor=world.producer, batch_id=batch.pk, entries=entries, reason=reason)


def judge(
    world: World,
    batch: Batch,
    verdict: str,
    *,
    by: Any = None,
    confirmed: Any = ("tests_pending", "no_tests"),
    reason: str = "as the results say",
    now: datetime = JUDGED_AT,
) -> Verdict:
    actor = by or world.producer
    return give_verdict(
        actor=actor,
        batch_id=batch.pk,
        verdict=verdict,
        reason=reason,
        confirmed=confirmed,
        signer=signer(actor),
        now=now,
    )


def release_from_lot(world: World, *orders: Any, confirmed: Any = ()) -> list[Any]:
    """Orders released from vials of LOT, each from one of its own; of none given, a new order."""
    enough = {"activity_mbq": 6000.0}
    asked = [
        wanted(order, make_vial(world, customer=order.customer, **enough), confirmed=confirmed)
        for order in (orders or (accepted(world),))
    ]
    outcome = release_orders(
        actor=world.producer, requests=asked, signer=signer(world.producer), now=RELEASE_AT
    )
    return outcome.released


def recall(world: World, batch: Batch, *, by: Any = None, **values: Any) -> Recall:
    actor = by or world.producer
    given = {"reason": "particles seen", "instructions": "Do not use it. Keep it."} | values
    return start_recall(actor=actor, batch_id=batch.pk, signer=signer(actor), **given)


def certify(world: World, user: Any) -> None:
    Certification.objects.create(
        user=user,
        tracer=world.fdg,
        valid_from=MONDAY - timedelta(days=400),
        expires_on=MONDAY + timedelta(days=400),
        granted_by=world.production_admin,
    )
