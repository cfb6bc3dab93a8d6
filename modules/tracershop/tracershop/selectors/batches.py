"""Batches with their tests, results and verdicts, and the list of them (TS-046)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from portal.access.decision import visible
from tracershop.models import Batch, QualityResult, QualityTest, Release, Vial
from tracershop.models.reach import SEE_ALL
from tracershop.rules.batches import RELEASING, Stage, TestOutcome
from tracershop.rules.lots import LotError, parse_lot
from tracershop.rules.moments import local_moment
from tracershop.rules.release import BatchStatus
from tracershop.selectors.schedule import site_zone

TestAndResult = tuple[QualityTest, QualityResult | None]


def tests_of(batch: Batch) -> list[TestAndResult]:
    """The tracer's tests with the batch's results; at the end results of tests that are no longer
    in the list. Two queries."""
    results = {
        result.test_id: result
        for result in batch.results.select_related("test", "tested_by").order_by("pk")
    }
    tests = list(QualityTest.objects.filter(tracer=batch.tracer_id))
    found: list[TestAndResult] = [(test, results.pop(test.pk, None)) for test in tests]
    return found + [(result.test, result) for result in results.values()]


def outcomes(pairs: Iterable[TestAndResult]) -> list[TestOutcome]:
    """What the rules need to know of them."""
    return [
        TestOutcome(
            name=test.name,
            stage=Stage(test.stage),
            passed=None if result is None else result.passed,
            listed=test.deleted_at is None,
        )
        for test, result in pairs
    ]


def released_from(lot: str) -> QuerySet[Release]:
    """Every release from the lot, also those corrected since: paper brings no vial back."""
    return Release.objects.filter(lots__contains=[lot])


def was_released(batch: Batch) -> bool:
    return released_from(batch.lot).exists()


def with_alarm(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    """Annotated with ``has_alarm``: rejected after orders were released from it, and neither
    recalled nor put aside."""
    released = Release.objects.filter(lots__contains=[OuterRef("lot")])
    return batches.annotate(
        has_alarm=Case(
            When(status=BatchStatus.REJECTED, set_aside_at__isnull=True, then=Exists(released)),
            default=Value(False),
            output_field=BooleanField(),
        )
    )


def with_failures(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    """Annotated with ``failed``: how many results are outside their limits."""
    bad = QualityResult.objects.filter(batch=OuterRef("pk"), passed=False)
    return batches.annotate(failed=_count(bad, "batch"))


def _count(rows: QuerySet[Any], by: str) -> Coalesce:
    counted = rows.order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def batches_for(
    user: Any,
    *,
    tracer: Any = None,
    status: str = "",
    first: date | None = None,
    last: date | None = None,
) -> QuerySet[Batch]:
    """Batches, the newest first, with the numbers of vials, tests, results and failures. The days
    are those of the calibration; a batch that has none yet is of the day that it was opened."""
    found = visible(user, Batch.objects.all(), SEE_ALL)
    if tracer:
        found = found.filter(tracer=tracer)
    if status:
        found = found.filter(status=status)
    found = found.annotate(of_day=Coalesce("calibrated_at", "created_at"))
    if first:
        found = found.filter(of_day__date__gte=first)
    if last:
        found = found.filter(of_day__date__lte=last)
    tests = QualityTest.objects.filter(tracer=OuterRef("tracer"))
    results = QualityResult.objects.filter(batch=OuterRef("pk"))
    vials = Vial.objects.filter(lot=OuterRef("lot"))
    return (
        with_alarm(with_failures(found))
        .annotate(
            vial_count=_count(vials, "lot"),
            test_count=_count(tests, "tracer"),
            result_count=_count(results, "batch"),
        )
        .select_related("tracer", "run")
        .order_by(F("of_day").desc(), "-pk")
    )


def to_judge(user: Any) -> QuerySet[Batch]:
    """Batches that were let through, and have a failed test since: somebody must judge anew."""
    found = visible(user, Batch.objects.filter(status__in=RELEASING), SEE_ALL)
    return with_failures(found).filter(failed__gt=0)


def alarms(user: Any) -> QuerySet[Batch]:
    """Rejected batches whose recall somebody must begin, or put aside."""
    found = visible(user, Batch.objects.filter(status=BatchStatus.REJECTED), SEE_ALL)
    return with_alarm(found).filter(has_alarm=True).order_by("pk")


def proposed_calibration(batch: Batch) -> datetime | None:
    """The end of its run on the day of its lot; None where it is not known."""
    if batch.run is None:
        return None
    try:
        day = parse_lot(batch.lot).filled_on
    except LotError:
        return None
    return timezone.localtime(local_moment(batch.run.ends_at, day, site_zone()))
