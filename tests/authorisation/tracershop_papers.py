"""Shipments, their papers and labels: who reaches them."""

from __future__ import annotations

from typing import Any

from tests.authorisation.expectations import Row, pk_of, post
from tests.authorisation.tracershop_roles import EVERYBODY, PRODUCTION


def _order(objects: Any, person: Any) -> dict[str, Any]:
    return {"order": objects["order"].pk}


def _note(objects: Any, person: Any) -> dict[str, Any]:
    return {"pk": objects["shipment"].pk, "word": "delivery-note"}


def _code(objects: Any, person: Any) -> dict[str, Any]:
    vial = objects["labelled"]
    return {"code": f"TSV:{vial.pk}:{vial.lot}"}


_SHIPMENT = pk_of("shipment")

URLS: dict[str, Row] = {
    "tracershop:shipments": Row(EVERYBODY),
    "tracershop:make_shipment": Row(PRODUCTION, data=_order, exact=True),
    "tracershop:shipment": Row(EVERYBODY, args=_SHIPMENT),
    "tracershop:change_shipment": Row(PRODUCTION, args=_SHIPMENT),
    "tracershop:issue_papers": post(PRODUCTION, args=_SHIPMENT),
    "tracershop:discard_shipment": Row(PRODUCTION, args=_SHIPMENT),
    "tracershop:paper": Row(EVERYBODY, args=_note),
    # vials belong to no unit: production sees all of them
    "tracershop:scan": Row(EVERYBODY, others=PRODUCTION, data=_code, exact=True),
    "tracershop:vial_label": Row(EVERYBODY, others=PRODUCTION, args=pk_of("labelled")),
    "tracershop:order_labels": Row(EVERYBODY, args=pk_of("packed")),
    "tracershop:batch_record": Row(PRODUCTION, others=PRODUCTION, args=pk_of("recorded_batch")),
    "tracershop:make_batch_record": post(
        PRODUCTION, others=PRODUCTION, args=pk_of("recorded_batch")
    ),
}
