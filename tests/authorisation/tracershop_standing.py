"""Calendar, week, standing orders: who reaches them."""

from __future__ import annotations

from typing import Any

from tests.authorisation.expectations import Row, pk_of
from tests.authorisation.tracershop_roles import EVERYBODY, SHOP


def _customer(objects: Any, person: Any) -> dict[str, Any]:
    return {"customer": objects["customer"].pk, "day": f"{objects['day']:%Y-%m-%d}"}


def _slot(objects: Any, person: Any) -> dict[str, Any]:
    return {"slot": objects["slot"].pk, "day": f"{objects['day']:%Y-%m-%d}"}


URLS: dict[str, Row] = {
    "tracershop:week": Row(EVERYBODY, data=_customer),
    "tracershop:week_copy": Row(EVERYBODY, data=_customer),
    "tracershop:standing": Row(EVERYBODY, data=_customer),
    "tracershop:standing_add": Row(SHOP, data=_slot, exact=True),
    "tracershop:standing_edit": Row(SHOP, args=pk_of("standing")),
    "tracershop:standing_end": Row(EVERYBODY, args=pk_of("standing")),
}
