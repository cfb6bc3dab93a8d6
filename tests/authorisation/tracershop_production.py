"""Plan, planner, moved and ghost orders, vials by hand: who reaches them."""

from __future__ import annotations

from tests.authorisation.expectations import Row, pk_of
from tests.authorisation.tracershop_roles import PRODUCTION

URLS: dict[str, Row] = {
    "tracershop:production_plan": Row(PRODUCTION),
    "tracershop:planner": Row(PRODUCTION),
    "tracershop:move_order": Row(PRODUCTION, args=pk_of("order")),
    "tracershop:ghost_order": Row(PRODUCTION),
    "tracershop:add_vial": Row(PRODUCTION),
    "tracershop:edit_vial": Row(PRODUCTION, args=pk_of("vial"), others=PRODUCTION),
}
