"""Customers, catalogue, tracers and the week: what a production admin sets up: who reaches them."""

from __future__ import annotations

from tests.authorisation.expectations import Row

URLS: dict[str, Row] = {}
