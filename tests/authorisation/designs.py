"""The editors' part of the table: forms, flows, outside systems."""

from __future__ import annotations

from tests.authorisation.expectations import Expectations, Row, pk_of, post

FORMS: dict[str, Row] = {}
DESIGN_FLOWS = frozenset({"flows.designer", "flows.publisher", "digital_review.review_manager"})
PUBLISH_FLOWS = DESIGN_FLOWS - {"flows.designer"}
_DESIGN, _VERSION = pk_of("flow_design"), pk_of("flow_version")
FLOWS: dict[str, Row] = {
    "flows:designs": Row(DESIGN_FLOWS),
    "flows:new": Row(DESIGN_FLOWS),
    "flows:design": Row(DESIGN_FLOWS, args=_DESIGN),
    "flows:begin": post(DESIGN_FLOWS, args=_DESIGN),
    "flows:difference": Row(DESIGN_FLOWS, args=_DESIGN),
    "flows:move": Row(PUBLISH_FLOWS, args=_DESIGN),
    "flows:version": Row(DESIGN_FLOWS, args=_VERSION),
    "flows:export": Row(DESIGN_FLOWS, args=_VERSION),
    "flows:replace": Row(DESIGN_FLOWS, args=_VERSION),
    "flows:publish": Row(PUBLISH_FLOWS, args=_VERSION),
    "flows:retire": Row(PUBLISH_FLOWS, args=_VERSION),
    "flows:discard": Row(DESIGN_FLOWS, args=_VERSION),
    "flows:trial": Row(DESIGN_FLOWS, args=_VERSION),
    "flows:edit": Row(DESIGN_FLOWS, args=_VERSION),
    "flows:keep": post(
        DESIGN_FLOWS, args=_VERSION, data=lambda objects, person: {"flow": "1", "version": "1"}
    ),
    "flows:act": post(
        DESIGN_FLOWS, args=_VERSION, data=lambda objects, person: {"act": "add_state"}
    ),
    "flows:guard": post(DESIGN_FLOWS, args=_VERSION),
}
CONNECTORS: dict[str, Row] = {}

EXPECTED = Expectations(urls={**FORMS, **FLOWS, **CONNECTORS})
