"""The editors' part of the table: forms, flows, outside systems."""

from __future__ import annotations

from tests.authorisation.expectations import Expectations, Row, Topic, pk_of, post

_PUBLISHERS = frozenset({"forms.publisher", "digital_review.review_manager"})
_DESIGNERS = _PUBLISHERS | {"forms.designer"}
_DESIGN, _DRAFT = pk_of("draft_design"), pk_of("draft_form_version")

FORMS: dict[str, Row] = {
    "forms:designs": Row(_DESIGNERS),
    "forms:new": Row(_DESIGNERS),
    "forms:import": Row(_DESIGNERS),
    "forms:design": Row(_DESIGNERS, args=_DESIGN),
    "forms:copy": Row(_DESIGNERS, args=_DESIGN),
    "forms:edit": post(_DESIGNERS, args=_DESIGN),
    "forms:difference": Row(_DESIGNERS, args=_DESIGN),
    "forms:export": Row(_DESIGNERS, args=_DRAFT),
    "forms:try": Row(_DESIGNERS, args=_DRAFT),
    "forms:preview": post(_DESIGNERS, args=_DRAFT),
    "forms:editor": Row(_DESIGNERS, args=_DRAFT),
    "forms:change": post(_DESIGNERS, args=_DRAFT),
    "forms:rule": post(_DESIGNERS, args=_DRAFT),
    "forms:discard": Row(_DESIGNERS, args=_DRAFT),
    "forms:publish": Row(_PUBLISHERS, args=_DRAFT),
    "forms:retire": Row(_PUBLISHERS, args=pk_of("published_form_version")),
}
DESIGN_FLOWS = frozenset({"flows.designer", "flows.publisher", "digital_review.review_manager"})
PUBLISH_FLOWS = DESIGN_FLOWS - {"flows.designer"}
_FLOW, _VERSION = pk_of("flow_design"), pk_of("flow_version")
FLOWS: dict[str, Row] = {
    "flows:designs": Row(DESIGN_FLOWS),
    "flows:new": Row(DESIGN_FLOWS),
    "flows:design": Row(DESIGN_FLOWS, args=_FLOW),
    "flows:begin": post(DESIGN_FLOWS, args=_FLOW),
    "flows:difference": Row(DESIGN_FLOWS, args=_FLOW),
    "flows:move": Row(PUBLISH_FLOWS, args=_FLOW),
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

SEES_SYSTEMS = frozenset({"operations.operator", "connectors.operator"})
_WRITE = {"args": pk_of("write"), "others": SEES_SYSTEMS}
_SYSTEM = {"args": lambda o, p: {"code": o["write"].system}, "others": SEES_SYSTEMS}
CONNECTORS: dict[str, Row] = {
    "connectors:systems": Row(SEES_SYSTEMS),
    "connectors:system": Row(SEES_SYSTEMS, **_SYSTEM),
    "connectors:probe": post(SEES_SYSTEMS, **_SYSTEM),
    "connectors:writes": Row(SEES_SYSTEMS),
    "connectors:write": Row(SEES_SYSTEMS, **_WRITE),
    "connectors:payload": Row(SEES_SYSTEMS, **_WRITE),
    "connectors:correct": Row(SEES_SYSTEMS, **_WRITE),
    "connectors:send_again": Row(SEES_SYSTEMS, **_WRITE),
    "connectors:drop": Row(SEES_SYSTEMS, **_WRITE),
}
CONNECTOR_TOPICS = {
    "connectors": Topic(lambda o, p: "connectors", SEES_SYSTEMS, on_objects=False),
    # the name cannot be guessed: who may see the value is told it by the value's page
    r"outside/(?P<digest>[0-9a-f]{32})": Topic(
        lambda o, p: f"outside/{'0' * 32}", None, on_objects=False
    ),
}

EXPECTED = Expectations(
    urls={**FORMS, **FLOWS, **CONNECTORS}, topics=CONNECTOR_TOPICS, tasks=SEES_SYSTEMS
)
