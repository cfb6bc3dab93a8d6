"""One batch from production to expiry: tests, vials, orders, verdicts, recalls. A fixed number of
queries, whatever was made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.audit.models import AuditEntry
from portal.signing.services import verify_many
from tracershop.models import Batch, Recall, Verdict
from tracershop.rules.batches import RELEASING
from tracershop.rules.release import BatchStatus
from tracershop.selectors.batches import TestAndResult
from tracershop.selectors.recalls import Trace


@dataclass(frozen=True)
class Step:
    """A point of a batch's life: reached, failed, or still ahead."""

    icon: str
    title: str
    text: str
    at: datetime | None
    state: str
    """``done``, ``bad`` or ``ahead``."""


def life_line(batch: Batch, pairs: list[TestAndResult], trace: Trace, now: datetime) -> list[Step]:
    """From calibration to expiry."""
    vials = trace.free_vials + [v for o in (*trace.orders, *trace.waiting) for v in o.vials]
    return [
        Step(
            "activity",
            _("Produced"),
            _("calibrated") if batch.calibrated_at else _("calibration not given"),
            batch.calibrated_at,
            "done" if batch.calibrated_at else "ahead",
        ),
        _quality(pairs),
        Step(
            "shield" if batch.status in RELEASING else "pause",
            _("Verdict"),
            str(batch.get_status_display()),
            None,
            _of_status(batch),
        ),
        Step(
            "vial",
            _("Vials"),
            ngettext("%(n)s filled", "%(n)s filled", len(vials)) % {"n": len(vials)},
            min((vial.filled_at for vial in vials), default=None),
            "done" if vials else "ahead",
        ),
        Step(
            "truck",
            _("Orders"),
            ngettext("%(n)s released", "%(n)s released", len(trace.orders))
            % {"n": len(trace.orders)},
            min((each.release.released_at for each in trace.orders if each.release), default=None),
            "done" if trace.orders else "ahead",
        ),
        _expiry(batch, now),
    ]


def _quality(pairs: list[TestAndResult]) -> Step:
    done = [result for _test, result in pairs if result is not None]
    bad = [result for result in done if not result.passed]
    state = "bad" if bad else "done" if pairs and len(done) == len(pairs) else "ahead"
    text = _("%(passed)s of %(all)s passed") % {
        "passed": len(done) - len(bad),
        "all": len(pairs),
    }
    last = max((result.tested_at for result in done), default=None)
    return Step("flask", _("Quality control"), text, last, state)


def _of_status(batch: Batch) -> str:
    if batch.status in RELEASING:
        return "done"
    return "ahead" if batch.status == BatchStatus.QUARANTINE else "bad"


def _expiry(batch: Batch, now: datetime) -> Step:
    if batch.expires_at is None:
        return Step("hourglass", _("Expiry"), _("not given"), None, "ahead")
    over = batch.expires_at <= now
    text = _("expired") if over else _("still to come")
    return Step("hourglass", _("Expiry"), text, batch.expires_at, "bad" if over else "ahead")


def verdicts_of(batch: Batch) -> list[tuple[Verdict, Any]]:
    """The verdicts, newest first, each with what its signature is worth now."""
    rows = list(
        batch.verdicts.select_related(
            "given_by", "signature__signer", "signature__key", "signature__supersession"
        ).order_by("-pk")
    )
    states = verify_many([row.signature for row in rows if row.signature is not None])
    by_signature = {state.signature.pk: state for state in states}
    return [(row, by_signature.get(row.signature_id)) for row in rows]


def recalls_of(batch: Batch) -> list[Recall]:
    return list(batch.recalls.select_related("started_by", "closed_by").order_by("-pk"))


def events_of(batch: Batch) -> list[AuditEntry]:
    """What happened, newest first."""
    found = AuditEntry.objects.filter(object_type="tracershop.batch", object_id=str(batch.pk))
    return list(found.order_by("-pk")[:100])
