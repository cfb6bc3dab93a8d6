"""Batches: their record, and the results of their quality control (TS-046)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require
from portal.access.selectors import people_with
from portal.audit.services import differences, record
from portal.live.services import publish
from portal.notifications.services import notify, tasks_changed
from portal.records.errors import Refused
from portal.records.services import check_version, locked, writes
from tracershop.models import Batch, ProductionRun, QualityResult, QualityTest, Tracer
from tracershop.models.reach import RELEASE, VIALS
from tracershop.rules.batches import RELEASING, proposed_expiry, within_limits
from tracershop.rules.lots import LotError, LotNumber, parse_lot
from tracershop.rules.release import BatchStatus
from tracershop.selectors import topics
from tracershop.services.lots import wait_for_releases
from tracershop.words import sentence


@dataclass(frozen=True)
class BatchData:
    """What a person says of a batch. Activity MBq, volume ml; an expiry that is not given is
    proposed from the tracer's shelf life."""

    run_id: int | None = None
    calibrated_at: datetime | None = None
    activity_mbq: float | None = None
    volume_ml: float | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class ResultEntry:
    """A result as it was typed: a number for a test with limits, else whether it passed."""

    test_id: int
    value: float | None = None
    passed: bool | None = None
    comment: str = ""


# --- the record ----------------------------------------------------------------------------------


def open_batch(lot: LotNumber, tracer: Tracer) -> None:
    """The first vial of a lot has arrived: its batch begins in quarantine.

    Only where the tracer's batches are tested: a batch of which nobody is to say anything would
    hold back what may be released without a verdict (TS-080). Within the caller's transaction.
    """
    if Batch.objects.filter(lot=str(lot)).exists():
        return
    if not QualityTest.objects.filter(tracer=tracer).exists():
        return
    batch, new = Batch.objects.get_or_create(
        lot=str(lot), defaults={"tracer": tracer, "run": _run_of(lot, tracer)}
    )
    if new:
        record("tracershop.batch_opened", batch, data={"lot": batch.lot, "tracer": str(tracer)})
        announce_batch(batch, "opened")


def _run_of(lot: LotNumber, tracer: Tracer) -> ProductionRun | None:
    """The first lot of a day is its first run's, and so on; a proposal that people correct."""
    runs = ProductionRun.objects.filter(tracer=tracer, weekday=lot.filled_on.weekday())
    return runs.order_by("ends_at")[lot.number - 1 : lot.number].first()


@writes
def create_batch(
    *, actor: Any, lot: str, tracer_id: int, data: BatchData, reason: str = ""
) -> Batch:
    """A batch by hand, in quarantine. Refused (``lot``, ``prefix``, ``exists`` …)."""
    require(actor, VIALS)
    try:
        number = parse_lot(lot)
    except LotError as error:
        raise Refused(sentence(error.reason), code="lot") from None
    tracer = Tracer.objects.filter(pk=tracer_id).first()
    if tracer is None:
        raise Refused(_("There is no such tracer."), code="gone")
    others = Tracer.objects.filter(lot_prefix__iexact=number.prefix).exclude(pk=tracer.pk)
    if others.exists():
        raise Refused(
            _("The lot prefix %(p)s is another tracer's.") % {"p": number.prefix}, code="prefix"
        )
    wait_for_releases(str(number))  # without a record it could be released from, now it cannot
    if Batch.all_objects.filter(lot=str(number)).exists():
        raise Refused(_("There is a batch of this lot already."), code="exists")
    batch = Batch(lot=str(number), tracer=tracer)
    _set(batch, data)
    batch.save()
    record("tracershop.batch_created", batch, data=_told(batch))
    announce_batch(batch, "created")
    return batch


@writes
def edit_batch(
    *, actor: Any, batch_id: int, version: int | None, data: BatchData, reason: str
) -> Batch:
    """Change what is said of a batch that nobody has judged yet, with a reason."""
    require(actor, VIALS)
    if not reason.strip():
        raise Refused(_("Changing a batch needs a reason."), code="reason_needed")
    batch = locked(Batch.objects.select_related("tracer"), batch_id)
    if batch.status != BatchStatus.QUARANTINE:
        raise Refused(_("A batch that was judged is not changed any more."), code="judged")
    check_version(batch, version, {name: getattr(data, name) for name in _EDITABLE})
    old = _told(batch)
    _set(batch, data)
    batch.save()
    record("tracershop.batch_edited", batch, data=differences(old, _told(batch)))
    announce_batch(batch, "edited")
    return batch


_EDITABLE = ("calibrated_at", "activity_mbq", "volume_ml", "expires_at")


def _set(batch: Batch, data: BatchData) -> None:
    run = ProductionRun.objects.filter(pk=data.run_id, tracer=batch.tracer_id).first()
    if data.run_id is not None and run is None:
        raise Refused(_("This run is not the tracer's."), code="run")
    for amount in (data.activity_mbq, data.volume_ml):
        if amount is not None and amount <= 0:
            raise Refused(_("Activity and volume must be above 0."), code="amount")
    batch.run = run
    for name in _EDITABLE:
        setattr(batch, name, getattr(data, name))
    if batch.expires_at is None and batch.calibrated_at is not None:
        batch.expires_at = proposed_expiry(batch.calibrated_at, batch.tracer.shelf_life_min)
    if batch.expires_at and batch.calibrated_at and batch.expires_at <= batch.calibrated_at:
        raise Refused(_("A batch expires after its calibration."), code="period")


def _told(batch: Batch) -> dict[str, Any]:
    values = {name: getattr(batch, name) for name in _EDITABLE}
    return {"lot": batch.lot, "run": run_time(batch), **values}


def run_time(batch: Batch) -> str:
    """The end of the synthesis that it came from, by the clock; "" where that is not known."""
    return f"{batch.run.ends_at:%H:%M}" if batch.run else ""


def announce_batch(batch: Batch, what: str) -> None:
    """A batch changed: to the batches' pages, to the vials and the board of its day."""
    publish(topics.BATCHES, what, batch.pk)
    publish(topics.VIALS, "batch", batch.pk)
    publish(topics.day_topic(parse_lot(batch.lot).filled_on), "batch", batch.pk)


# --- quality control -----------------------------------------------------------------------------


@writes
def record_results(
    *, actor: Any, batch_id: int, entries: Iterable[ResultEntry], reason: str = ""
) -> list[QualityResult]:
    """Keep results of the batch's tests; those that change one need a reason. Returns what is new.

    A result is judged by the limits of this moment, which are kept beside it. All or none.
    """
    require(actor, VIALS)
    batch = locked_batch(batch_id)
    tests = {test.pk: test for test in QualityTest.objects.filter(tracer=batch.tracer_id)}
    known = {result.test_id: result for result in batch.results.select_for_update(no_key=True)}
    changed = []
    for entry in entries:
        test = tests.get(entry.test_id)
        if test is None:
            raise Refused(_("There is no such test of this tracer."), code="gone")
        result = known.get(test.pk) or QualityResult(batch=batch, test=test)
        if _enter(result, test, entry, actor, reason):
            changed.append(result)
    if not changed:
        return []
    announce_batch(batch, "results")
    bad = [str(each.test.name) for each in changed if not each.passed]
    if bad and BatchStatus(batch.status) in RELEASING:
        text = _("Batch %(lot)s is released, but failed: %(tests)s. Give a new verdict.")
        alarm(batch, str(text % {"lot": batch.lot, "tests": ", ".join(bad)}), RELEASE)
    return changed


def _enter(
    result: QualityResult, test: QualityTest, entry: ResultEntry, actor: Any, reason: str
) -> bool:
    """Whether the result is another than before."""
    given = entry.value if test.is_numeric else entry.passed
    if given is None:
        raise Refused(_("%(test)s has no result.") % {"test": test.name}, code="missing")
    new = result.pk is None
    old = {} if new else result_facts(result)
    before = (result.value if test.is_numeric else result.passed, result.comment)
    if not new and before == (given, entry.comment.strip()):
        return False
    if not new and not reason.strip():
        raise Refused(_("Correcting a result needs a reason."), code="reason_needed")
    result.lower_limit, result.upper_limit = test.lower_limit, test.upper_limit
    if entry.value is not None and test.is_numeric:
        result.value = entry.value
        result.passed = within_limits(entry.value, test.lower_limit, test.upper_limit)
    else:
        result.value, result.passed = None, bool(entry.passed)
    result.comment = entry.comment.strip()
    result.tested_by, result.tested_at = actor, timezone.now()
    result.save()
    what = "entered" if new else "corrected"
    facts = {"test": test.name, "unit": test.unit, **result_facts(result)}
    data = facts if new else {"test": test.name, **differences(old, result_facts(result))}
    record(f"tracershop.result_{what}", result.batch, data=data)
    return True


def result_facts(result: QualityResult) -> dict[str, Any]:
    names = ("value", "passed", "lower_limit", "upper_limit", "comment")
    return {name: getattr(result, name) for name in names}


def locked_batch(batch_id: int) -> Batch:
    """The batch, locked; nobody releases from its lot until the transaction ends."""
    lot = Batch.objects.filter(pk=batch_id).values_list("lot", flat=True).first()
    if lot is None:
        raise Refused(_("There is no such batch (any more)."), code="gone")
    wait_for_releases(lot)
    return locked(Batch.objects.select_related("tracer__isotope", "run"), batch_id)


def alarm(batch: Batch, text: str, privilege: str) -> None:
    """Tell everybody who holds the privilege, and that their tasks may have changed."""
    people = people_with(privilege)
    for person in people:
        notify(person, text, url=f"/tracershop/batches/{batch.pk}/", level="alarm")
    tasks_changed(people)
