"""The editors' part of the table: forms, flows, outside systems."""

from __future__ import annotations

from tests.authorisation.expectations import Expectations, Row, pk_of, post

_PUBLISHERS = frozenset({"forms.publisher", "digital_review.review_manager"})
_DESIGNERS = _PUBLISHERS | {"forms.designer"}
_DESIGN, _DRAFT = pk_of("draft_form"), pk_of("draft_form_version")

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
FLOWS: dict[str, Row] = {}
CONNECTORS: dict[str, Row] = {}

EXPECTED = Expectations(urls={**FORMS, **FLOWS, **CONNECTORS})
