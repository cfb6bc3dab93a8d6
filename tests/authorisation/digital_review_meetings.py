"""Digital Review's part of the table: meetings."""

from __future__ import annotations

from tests.authorisation.expectations import Row

URLS: dict[str, Row] = {}
