"""Calendar, week, standing orders: who reaches them."""

from __future__ import annotations

from tests.authorisation.expectations import Row

URLS: dict[str, Row] = {}
