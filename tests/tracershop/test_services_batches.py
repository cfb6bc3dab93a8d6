"""The record of a batch and its quality control (TS-046)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from tracershop.interfaces.dispensed import DispensedVial, ValueStatus
from tracershop.models import Batch, ProductionRun, QualityResult
from tracershop.selectors.batches import to_judge
from tracershop.services.batches import BatchData, ResultEntry, create_batch, edit_batch
from tracershop.services.batches import record_results as record
from tracershop.services.dispenser import DISPENSER, Taken, take_vial

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.records.errors import Refused, StaleRecord
from tests.support.threads import at_once
from tests.tracershop.batching import (
    CALIBRATED_AT,
    GOOD,
    enter,
    judge,
    make_batch,
    make_tests,
)
from tests.tracershop.factories import MONDAY, local, shop_world
from tests.tracershop.releasing import LOT

pytestmark = pytest.mark.requirement("TS-046")

DATA = BatchData(calibrated_at=CALIBRATED_AT, activity_mbq=120_000.0, volume_ml=20.0)


@pytest.fixture
def world(db):
    return shop_world()


def code_of(act, **values) -> str:
    with pytest.raises(Refused) as refused:
        act(**values)
    return str(refused.value.code)


def dispensed(number: int = 1, lot: str = LOT) -> DispensedVial:
    return DispensedVial(
        lot=lot,
        customer_id=1,
        customer_name="Nordby Hospital",
        filled_at=local(MONDAY, 6, 50) + timedelta(seconds=number),
        activity_mbq=2400.0,
        volume_ml=3.5,
        product="18F",
        expires_at=None,
        dispenser="DK-465",
        part=str(number),
        position=str(number),
        value_status=ValueStatus.INSTRUMENT,
    )


def arrive(*vials: DispensedVial) -> None:
    for vial in vials:
        take_vial(actor=DISPENSER, vial=vial, source=None, taken=Taken(), now=vial.filled_at)


# --- the record ------------------------------------------------------------------------------


def test_the_first_vial_of_a_tested_tracers_lot_opens_its_batch_in_quarantine(world):
    make_tests(world)
    run = ProductionRun.objects.get(tracer=world.fdg, weekday=0)
    arrive(dispensed(1), dispensed(2))
    batch = Batch.objects.get()
    assert (batch.lot, batch.tracer, batch.run) == (LOT, world.fdg, run)
    assert batch.status == "quarantine"
    assert AuditEntry.objects.filter(action="tracershop.batch_opened").count() == 1
    arrive(dispensed(3, "FDG-261123-2"))  # of a second run that is not planned
    assert Batch.objects.get(lot="FDG-261123-2").run is None


@pytest.mark.requirement("TS-080")
def test_a_lot_of_a_tracer_without_tests_has_no_batch_and_no_verdict(world):
    arrive(dispensed())
    assert not Batch.objects.exists()


def test_first_vials_of_a_lot_in_two_processes_at_once_open_one_batch(transactional_db):
    world = shop_world()
    make_tests(world)
    results = at_once(lambda: arrive(dispensed(1)), lambda: arrive(dispensed(2)))
    assert results == [None, None]
    assert Batch.objects.count() == 1


def test_a_batch_by_hand_proposes_its_expiry_from_the_shelf_life(world):
    batch = create_batch(
        actor=world.producer, lot=" fdg-261123-1 ", tracer_id=world.fdg.pk, data=DATA
    )
    assert (batch.lot, batch.status) == (LOT, "quarantine")
    assert batch.expires_at == CALIBRATED_AT + timedelta(minutes=world.fdg.shelf_life_min)
    other = BatchData(calibrated_at=CALIBRATED_AT, expires_at=CALIBRATED_AT + timedelta(hours=4))
    batch = create_batch(
        actor=world.producer, lot="FDG-261123-2", tracer_id=world.fdg.pk, data=other
    )
    assert batch.expires_at == CALIBRATED_AT + timedelta(hours=4)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lot": "FDG-261123"}, "lot"),
        ({"lot": "FDG-261131-1"}, "lot"),
        ({"lot": "H2O-261123-1"}, "prefix"),
        ({"tracer_id": 10**6}, "gone"),
        ({"data": BatchData(activity_mbq=0.0)}, "amount"),
        ({"data": BatchData(volume_ml=-1.0)}, "amount"),
        ({"data": BatchData(run_id=10**6)}, "run"),
        (
            {"data": BatchData(calibrated_at=CALIBRATED_AT, expires_at=CALIBRATED_AT)},
            "period",
        ),
    ],
)
def test_a_batch_by_hand_must_make_sense(world, changes, code):
    given = {"actor": world.producer, "lot": LOT, "tracer_id": world.fdg.pk, "data": DATA}
    assert code_of(create_batch, **(given | changes)) == code
    assert not Batch.objects.exists()


def test_a_lot_has_one_batch(world):
    make_batch(world)
    given = {"actor": world.producer, "lot": LOT, "tracer_id": world.fdg.pk, "data": DATA}
    assert code_of(create_batch, **given) == "exists"
    with pytest.raises(IntegrityError), transaction.atomic():
        make_batch(world)


def test_the_shop_makes_and_changes_no_batch(world):
    batch = make_batch(world)
    make_tests(world)
    with pytest.raises(PermissionDenied):
        create_batch(actor=world.superuser, lot=LOT, tracer_id=world.fdg.pk, data=DATA)
    with pytest.raises(PermissionDenied):
        edit_batch(actor=world.superuser, batch_id=batch.pk, version=None, data=DATA, reason="x")
    with pytest.raises(PermissionDenied):
        record(actor=world.superuser, batch_id=batch.pk, entries=[])


@pytest.mark.requirement("TS-046", "TS-121")
def test_a_batch_in_quarantine_is_changed_with_a_reason_and_later_not_at_all(world):
    batch = make_batch(world)
    new = BatchData(calibrated_at=CALIBRATED_AT, activity_mbq=90_000.0, volume_ml=20.0)
    given = {"actor": world.producer, "batch_id": batch.pk, "data": new}
    assert code_of(edit_batch, **given, version=batch.version, reason=" ") == "reason_needed"
    edit_batch(**given, version=batch.version, reason="measured again")
    entry = AuditEntry.objects.get(action="tracershop.batch_edited")
    assert entry.data == {"activity_mbq": [120_000.0, 90_000.0]}
    assert entry.reason == "measured again"
    with pytest.raises(StaleRecord):
        edit_batch(**given, version=batch.version, reason="from an old page")
    judge(world, batch, "rejected")
    assert code_of(edit_batch, **given, version=None, reason="too late") == "judged"


# --- results ---------------------------------------------------------------------------------


def test_results_are_judged_by_the_limits_of_their_day(world):
    tests = make_tests(world)
    batch = make_batch(world)
    enter(world, batch, pH=8.5, purity=94.9, appearance=False)
    passed = dict(QualityResult.objects.values_list("test__name", "passed"))
    assert passed == {"pH": True, "purity": False, "appearance": False}
    ph = tests["pH"]
    ph.upper_limit = 7.5
    ph.save()
    result = QualityResult.objects.get(test=ph)
    assert (result.passed, result.upper_limit) == (True, 8.5)
    # the same form sent again changes nothing, though the limits are others now
    assert enter(world, batch, pH=8.5) == []
    enter(world, batch, pH=8.4, reason="read wrongly")
    result.refresh_from_db()
    assert (result.value, result.passed, result.upper_limit) == (8.4, False, 7.5)


@pytest.mark.requirement("TS-046", "TS-121")
def test_a_result_is_corrected_with_a_reason_and_keeps_its_history(world):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, pH=6.1)
    with pytest.raises(Refused) as refused:
        enter(world, batch, pH=9.9)
    assert refused.value.code == "reason_needed"
    enter(world, batch, pH=9.9, reason="wrong vial measured")
    result = QualityResult.objects.get()
    assert [row.value for row in result.history.order_by("version")] == [6.1, 9.9]
    entry = AuditEntry.objects.get(action="tracershop.result_corrected")
    assert (entry.data["value"], entry.data["passed"]) == ([6.1, 9.9], [True, False])
    assert entry.reason == "wrong vial measured"


def test_all_results_of_a_form_are_kept_or_none(world):
    tests = make_tests(world)
    batch = make_batch(world)
    entries = [ResultEntry(tests["pH"].pk, value=6.0), ResultEntry(10**6, value=1.0)]
    given = {"actor": world.producer, "batch_id": batch.pk}
    assert code_of(record, **given, entries=entries) == "gone"
    # a number where it must be passed or not, and the other way round
    for wrong in (
        ResultEntry(tests["appearance"].pk, value=1.0),
        ResultEntry(tests["pH"].pk, passed=True),
    ):
        assert code_of(record, **given, entries=[entries[0], wrong]) == "missing"
    assert not QualityResult.objects.exists()
    assert code_of(record, actor=world.producer, batch_id=10**6, entries=[]) == "gone"


def test_a_test_that_fails_after_the_release_calls_those_who_may_judge(world):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, **GOOD)
    judge(world, batch, "conditionally_released")
    assert not to_judge(world.producer)
    enter(world, batch, sterility=False)
    assert list(to_judge(world.producer)) == [batch]
    told = Notification.objects.filter(level="alarm")
    assert world.producer in {each.user for each in told}
    assert all("sterility" in each.text for each in told)
    judge(world, batch, "rejected")
    assert not to_judge(world.producer)
