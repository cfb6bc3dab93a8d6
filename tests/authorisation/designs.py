"""The editors' part of the table: forms, flows, outside systems."""

from __future__ import annotations

from tests.authorisation.expectations import Expectations, Row, Topic, pk_of, post

FORMS: dict[str, Row] = {}
FLOWS: dict[str, Row] = {}

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
