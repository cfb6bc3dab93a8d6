"""Verdicts on batches: signed, in two stages; the alarm of a rejection that comes late (TS-046)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require
from portal.access.selectors import people_with
from portal.audit.services import record
from portal.notifications.services import tasks_changed
from portal.records.errors import Refused
from portal.records.services import locked, writes
from portal.signing.services import Signer, made_by_act, reads, sign
from tracershop.models import Batch, QualityResult, Verdict
from tracershop.models.reach import RECALL, RELEASE
from tracershop.rules.batches import (
    VERDICTS,
    VerdictObstacle,
    VerdictWarning,
    verdict_obstacles,
    verdict_warnings,
)
from tracershop.rules.moments import local_day
from tracershop.rules.release import BatchStatus, certification_obstacle
from tracershop.selectors.batches import TestAndResult, outcomes, tests_of, was_released
from tracershop.selectors.schedule import site_zone
from tracershop.services.batches import (
    alarm,
    announce_batch,
    locked_batch,
    result_facts,
    run_time,
)
from tracershop.services.certifications import certifications_of, hold_certifications
from tracershop.words import told

MEANINGS = {
    BatchStatus.CONDITIONALLY_RELEASED: "Batch released conditionally",
    BatchStatus.RELEASED: "Batch released",
    BatchStatus.REJECTED: "Batch rejected",
}
"""What a verdict's signature means, as it is signed (in English, whatever the screen's)."""


@dataclass
class BatchJudgement:
    """What stands against a verdict, and what must be confirmed before it is given."""

    verdict: BatchStatus
    obstacles: list[VerdictObstacle]
    warnings: list[VerdictWarning]
    uncertified: str = ""

    @property
    def reasons(self) -> list[str]:
        own = [self.uncertified] if self.uncertified else []
        return own + [told(each) for each in self.obstacles]

    @property
    def warning_texts(self) -> list[tuple[str, str]]:
        """Pairs of code and words, for ticking."""
        return [(str(each.code), told(each)) for each in self.warnings]

    @property
    def is_offered(self) -> bool:
        """Whether the verdict is at all one that could follow now."""
        return not any(each.code == "not_from_here" for each in self.obstacles)


class BatchJudge:
    """What the rules say of the actor's verdicts on one batch at one time; reads once."""

    def __init__(self, actor: Any, batch: Batch, now: datetime, pairs: list[TestAndResult]) -> None:
        self.batch, self.now, self.tests = batch, now, outcomes(pairs)
        missing = certification_obstacle(
            certifications_of(actor), batch.tracer_id, local_day(now, site_zone(), "now")
        )
        self.uncertified = told(missing) if missing else ""

    def judge(self, verdict: BatchStatus) -> BatchJudgement:
        return BatchJudgement(
            verdict=verdict,
            obstacles=verdict_obstacles(
                status=BatchStatus(self.batch.status),
                verdict=verdict,
                tests=self.tests,
                expires_at=self.batch.expires_at,
                now=self.now,
            ),
            warnings=verdict_warnings(verdict=verdict, tests=self.tests),
            uncertified=self.uncertified,
        )


@writes
def give_verdict(
    *,
    actor: Any,
    batch_id: int,
    verdict: str,
    reason: str,
    signer: Signer,
    confirmed: Collection[str] = (),
    now: datetime | None = None,
) -> Verdict:
    """A certified person's signed verdict: released conditionally or fully, or rejected.

    Given again, or by two people at once, it is one verdict. Refused(code="not_possible") lists
    each reason, Refused(code="unconfirmed") each warning that still has to be ticked. A rejection
    of what was delivered from already raises an alarm until a recall is begun or it is put aside.
    """
    require(actor, RELEASE)
    now = now or timezone.now()
    if verdict not in VERDICTS:
        raise Refused(_("There is no such verdict."), code="status")
    wanted = BatchStatus(verdict)
    batch = locked_batch(batch_id)
    hold_certifications(actor)
    if batch.status == wanted:
        former = batch.verdicts.filter(status=wanted).order_by("-pk").first()
        if former is not None:
            return former
    if not reason.strip():
        raise Refused(_("A verdict on a batch needs a reason."), code="reason_needed")
    pairs = tests_of(batch)
    judgement = BatchJudge(actor, batch, now, pairs).judge(wanted)
    if judgement.reasons:
        raise Refused(
            _("The batch was not judged."), code="not_possible", details=judgement.reasons
        )
    left = [words for code, words in judgement.warning_texts if code not in confirmed]
    if left:
        raise Refused(
            _("The batch was not judged: confirm each warning first."),
            code="unconfirmed",
            details=left,
        )
    return _judge(actor, batch, judgement, reason.strip(), signer, now, pairs)


def _judge(
    actor: Any,
    batch: Batch,
    judgement: BatchJudgement,
    reason: str,
    signer: Signer,
    now: datetime,
    pairs: list[TestAndResult],
) -> Verdict:
    old = batch.status
    batch.status, batch.status_reason = judgement.verdict, reason
    batch.save()
    verdict = Verdict.objects.create(
        batch=batch,
        status=judgement.verdict,
        reason=reason,
        confirmed=[str(warning.code) for warning in judgement.warnings],
        seen=_seen(batch, pairs),
        given_by=actor,
        given_at=now,
    )
    verdict.signature = sign(
        actor=actor,
        signable="tracershop.verdict",
        obj=verdict,
        meaning=MEANINGS[judgement.verdict],
        key=signer,
    )
    verdict.save()
    record(
        "tracershop.batch_judged",
        batch,
        data={
            "status": [old, batch.status],
            "confirmed": dict(judgement.warning_texts),
            "signature": verdict.signature.pk,
        },
    )
    announce_batch(batch, batch.status)
    if judgement.verdict == BatchStatus.REJECTED and was_released(batch):
        text = _("Batch %(lot)s was rejected after orders were released from it. Recall it?")
        alarm(batch, str(text % {"lot": batch.lot}), RECALL)
    return verdict


def _seen(batch: Batch, pairs: list[TestAndResult]) -> dict[str, Any]:
    """Names and results as the signer saw them: tests are renamed, results corrected."""
    return {
        "tracer": batch.tracer.name,
        "run": run_time(batch),
        "results": [
            {"number": result.pk, "test": test.name, "unit": test.unit, "stage": test.stage}
            for test, result in pairs
            if result is not None
        ],
        "missing": [test.name for test, result in pairs if result is None],
    }


@reads("batch__results")
@made_by_act("verdict", "given_at")
def signed_facts(verdict: Verdict) -> dict[str, Any]:
    """What a verdict's signature is over: the batch and the results that it was given on, as they
    are in the database now; names as the signer saw them. Results that came later are not in it.
    Times are UTC; activity MBq, volume ml."""
    batch, seen = verdict.batch, verdict.seen
    results = {result.pk: result for result in batch.results.all()}
    return {
        "verdict": verdict.pk,
        "given_at": verdict.given_at,
        "status": verdict.status,
        "reason": verdict.reason,
        "confirmed": verdict.confirmed,
        "batch": {
            "number": batch.pk,
            "lot": batch.lot,
            "tracer_number": batch.tracer_id,
            "tracer": seen["tracer"],
            "run": seen["run"],
            "calibrated_at": batch.calibrated_at,
            "activity_mbq": batch.activity_mbq,
            "volume_ml": batch.volume_ml,
            "expires_at": batch.expires_at,
        },
        "results": [each | _signed_result(results.get(each["number"])) for each in seen["results"]],
        "missing": seen["missing"],
    }


def _signed_result(result: QualityResult | None) -> dict[str, Any]:
    """Nothing of a result that is not there any more: the signature then shows as changed."""
    return result_facts(result) if result is not None else {}


# --- the alarm of a rejection ------------------------------------------------------------------


@writes
def put_alarm_aside(*, actor: Any, batch_id: int, reason: str) -> Batch:
    """Say why a rejected batch, of which orders had been released, needs no recall."""
    require(actor, RECALL)
    batch = locked(Batch.objects.all(), batch_id)
    if not reason.strip():
        raise Refused(_("Say why no recall is needed."), code="reason_needed")
    if batch.status != BatchStatus.REJECTED or not was_released(batch):
        raise Refused(_("There is no alarm about this batch."), code="no_alarm")
    if batch.set_aside_at is not None:
        return batch
    batch.set_aside_at, batch.set_aside_by = timezone.now(), actor
    batch.set_aside_reason = reason.strip()
    batch.save()
    record("tracershop.alarm_put_aside", batch)
    announce_batch(batch, "aside")
    tasks_changed(people_with(RECALL))
    return batch
