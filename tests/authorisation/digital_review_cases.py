"""Digital Review's part of the table: the forms of cases."""

from __future__ import annotations

from tests.authorisation.expectations import Row
URLS: dict[str, Row] = {}
