"""Plan, planner, moved and ghost orders, vials by hand: who reaches them."""

from __future__ import annotations

from tests.authorisation.expectations import Row

URLS: dict[str, Row] = {}
