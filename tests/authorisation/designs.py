"""The editors' part of the table: forms, flows, outside systems."""

from __future__ import annotations

from tests.authorisation.expectations import Expectations, Row

FORMS: dict[str, Row] = {}
FLOWS: dict[str, Row] = {}
CONNECTORS: dict[str, Row] = {}

EXPECTED = Expectations(urls={**FORMS, **FLOWS, **CONNECTORS})
