"""Batches, quality control, verdicts and recalls: who reaches them."""

from __future__ import annotations

from typing import Any

from tests.authorisation.expectations import Row, pk_of, post
from tests.authorisation.tracershop_roles import ADMIN, PRODUCTION, SHOP


def _verdict(objects: Any, person: Any) -> dict[str, Any]:
    return {"verdict": "rejected"}


def _called(objects: Any, person: Any) -> dict[str, Any]:
    return {"customer": objects["customer"].pk, "reached": "the nurse on duty"}


def _closed(objects: Any, person: Any) -> dict[str, Any]:
    return {"conclusion": "all is back", "reason": "reached by telephone"}


def _batch(**options: Any) -> dict[str, Any]:
    """Batches belong to no unit: production reaches those of which others received too."""
    return {"args": pk_of("batch"), "others": PRODUCTION, **options}


def _recall(**options: Any) -> dict[str, Any]:
    return {"args": pk_of("recall"), "others": PRODUCTION, **options}


URLS: dict[str, Row] = {
    "tracershop:batches": Row(PRODUCTION),
    "tracershop:batch_new": Row(PRODUCTION),
    "tracershop:batch": Row(PRODUCTION, **_batch()),
    "tracershop:batch_edit": Row(PRODUCTION, **_batch()),
    "tracershop:batch_results": post(PRODUCTION, **_batch(exact=True)),
    "tracershop:batch_verdict": Row(PRODUCTION, **_batch(data=_verdict, exact=True)),
    "tracershop:batch_put_aside": post(
        PRODUCTION, **_batch(data=lambda o, p: {"reason": "all came back"}, exact=True)
    ),
    "tracershop:recall_start": Row(PRODUCTION, **_batch()),
    "tracershop:recalls": Row(PRODUCTION),
    "tracershop:recall": Row(PRODUCTION, **_recall()),
    "tracershop:recall_call": post(PRODUCTION, **_recall(data=_called, exact=True)),
    "tracershop:recall_close": post(PRODUCTION, **_recall(data=_closed, exact=True)),
    "tracershop:recall_notices": Row(SHOP | ADMIN),
    "tracershop:recall_notice": Row(SHOP, args=pk_of("recall"), exact=True),
    "tracershop:correct": Row(PRODUCTION, args=pk_of("released"), exact=True),
}
