"""The record of a batch on paper: production, quality control, verdicts, where it went."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from portal.access.decision import require
from portal.documents.models import IssuedDocument
from portal.documents.paper import document_language
from portal.documents.services import issue
from portal.records.services import locked, writes
from portal.signing.services import printed
from tracershop.models import Batch, Order, QualityResult, QualityTest, Verdict
from tracershop.models.reach import VIALS
from tracershop.services.printing import DOCUMENTS, marked, moment, number

KIND = "tracershop.batch_record"


@writes
def issue_batch_record(*, actor: Any, batch_id: int) -> IssuedDocument:
    """What is known of a batch now; the next version where more became known."""
    require(actor, VIALS)
    batch = locked(Batch.objects.select_related("tracer__isotope"), batch_id)
    with document_language():
        return issue(
            kind=KIND,
            obj=batch,
            title=_("Batch record"),
            number=f"BR-{batch.lot}",
            data=batch_data(batch),
            template=DOCUMENTS / "batch_record.typ",
        )


def batch_data(batch: Batch) -> dict[str, Any]:
    """What the template is given, in the words and formats of the active language."""
    results = list(
        QualityResult.objects.filter(batch=batch)
        .select_related("test", "tested_by")
        .order_by("test__order", "test__name", "pk")
    )
    done = {result.test_id for result in results}
    tests = QualityTest.objects.filter(tracer=batch.tracer).exclude(pk__in=done)
    verdicts = Verdict.objects.filter(batch=batch).select_related("given_by", "signature__key")
    orders = (
        Order.objects.filter(Q(vials__lot=batch.lot) | Q(releases__lots__contains=[batch.lot]))
        .select_related("customer", "endpoint")
        .annotate(
            vial_count=Count(
                "vials",
                filter=Q(vials__lot=batch.lot, vials__deleted_at__isnull=True),
                distinct=True,
            )
        )
        .order_by("deliver_at", "pk")
    )
    return {
        "document": marked(),
        "labels": _labels(),
        "batch": {
            "lot": batch.lot,
            "tracer": batch.tracer.name,
            "isotope": batch.tracer.isotope.symbol,
            "status": str(batch.get_status_display()),
            "status_reason": batch.status_reason,
            "calibrated_at": moment(batch.calibrated_at),
            "activity": _with_unit(number(batch.activity_mbq, 0), "MBq"),
            "volume": _with_unit(number(batch.volume_ml, 1), "ml"),
            "expires_at": moment(batch.expires_at),
        },
        "results": [_result(result) for result in results],
        "missing": [test.name for test in tests.order_by("order", "name")],
        "verdicts": [
            {
                "status": str(verdict.get_status_display()),
                "reason": verdict.reason,
                "given_by": str(verdict.given_by),
                "given_at": moment(verdict.given_at),
                "signature": printed(verdict.signature) if verdict.signature else None,
            }
            for verdict in verdicts.order_by("given_at", "pk")
        ],
        "orders": [
            {
                "number": str(order.pk),
                "customer": order.customer.name,
                "endpoint": order.endpoint.name,
                "deliver_at": moment(order.deliver_at),
                "vials": str(order.vial_count),
                "status": str(order.get_status_display()),
            }
            for order in orders
        ],
    }


def _result(result: QualityResult) -> dict[str, Any]:
    unit = f" {result.test.unit}" if result.test.unit else ""
    low, high = _plain(result.lower_limit), _plain(result.upper_limit)
    if low and high:
        limits = f"{low} – {high}{unit}"
    elif low or high:
        limits = f"≥ {low}{unit}" if low else f"≤ {high}{unit}"
    else:
        limits = None
    return {
        "test": result.test.name,
        "method": result.test.method,
        "result": None if result.value is None else f"{_plain(result.value)}{unit}",
        "limits": limits,
        "passed": result.passed,
        "tested_by": str(result.tested_by),
        "tested_at": moment(result.tested_at),
        "comment": result.comment,
    }


def _plain(value: float | None) -> str | None:
    """A result with as many digits as it was given: 7.0 and 0.00125 alike."""
    if value is None:
        return None
    written = f"{value:.6f}".rstrip("0").rstrip(".")
    return number(value, len(written.partition(".")[2]))


def _with_unit(amount: str | None, unit: str) -> str | None:
    return None if amount is None else f"{amount} {unit}"


def _labels() -> dict[str, str]:
    return {
        "lot": _("Lot"),
        "status": _("Status"),
        "reason": _("Reason"),
        "production": _("Production"),
        "tracer": _("Tracer"),
        "isotope": _("Isotope"),
        "calibrated_at": _("Calibration time"),
        "activity": _("Activity at calibration"),
        "volume": _("Volume"),
        "expires_at": _("Expiry"),
        "quality_control": _("Quality control"),
        "no_results": _("No result is recorded."),
        "test": _("Test"),
        "result": _("Result"),
        "limits": _("Limits"),
        "verdict": _("Verdict"),
        "tested_by": _("Tested by"),
        "tested_at": _("Tested"),
        "passed": _("complies"),
        "failed": _("NOT PASSED"),
        "missing": _("Without a result"),
        "verdicts": _("Verdicts"),
        "no_verdicts": _("No verdict is signed."),
        "orders": _("Orders served"),
        "no_orders": _("None"),
        "order": _("Order"),
        "customer": _("Customer"),
        "endpoint": _("Endpoint"),
        "deliver_at": _("Delivery"),
        "vials": _("Vials"),
    }
