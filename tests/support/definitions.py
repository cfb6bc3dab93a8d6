"""Forms and machines that tests share: the pre-CRF, the MDS-BMF flow, and small ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from portal.flows.rules.definition import Machine, machine_from_json
from portal.flows.rules.publishing import ActionKind, Argument, Registry
from portal.forms.rules.definition import Form, form_from_json

FOLDER = Path(__file__).parents[1] / "portal" / "definitions"
SHIPPED = Path(__file__).parents[2] / "modules/digital_review/digital_review/definitions/mds_bmf"
"""What Digital Review ships: its forms are also the portal's examples of large ones."""

ROLES = frozenset(
    {"trial_bureau", "datamanager", "pathologist", "review_manager", "secretary", "chairman"}
    | {"specialist"}
)
REGISTRY: Registry = {
    "notify": ActionKind({"role": Argument.ROLE, "text": Argument.TEXT}),
    "open_form": ActionKind({"form": Argument.TEXT}),
    "require_signature": ActionKind({"form": Argument.TEXT, "role": Argument.ROLE}),
    "request_followup": ActionKind({"form": Argument.TEXT}),
    "schedule": ActionKind(takes={"days": Argument.NUMBER, "urgent": Argument.TRUTH}),
    "start_timer": ActionKind({"timer": Argument.TIMER}),
}


def form_a() -> Form:
    """Form A of the central review: the pre-CRF, every field, Dutch and English."""
    return form_from_json((SHIPPED / "pre_crf.json").read_bytes())


def mds_bmf() -> Machine:
    """The flow of the MDS-BMF review."""
    return machine_from_json((FOLDER / "mds_bmf.json").read_bytes())


def item(code: str, kind: str = "integer", **settings: Any) -> dict[str, Any]:
    """An item in English, as JSON."""
    return {"code": code, "kind": kind, "label": {"en": code}, **settings}


def group(code: str, *items: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A group of items, as JSON."""
    return {"kind": "group", "code": code, "title": {"en": code}, "items": list(items), **settings}


def check(when: str, severity: str = "soft", code: str = "c1") -> dict[str, Any]:
    """An edit check, as JSON."""
    return {"code": code, "when": when, "severity": severity, "message": {"en": f"not {when}"}}


CODE_LISTS = [
    {"code": "yn", "choices": [{"code": c, "label": {"en": c}} for c in ("yes", "no", "maybe")]},
    {"code": "cell", "choices": [{"code": c, "label": {"en": c}} for c in ("ery", "gra", "mega")]},
]


def form_json(*parts: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A form of one section, as JSON."""
    section = {"code": "one", "title": {"en": "One"}, "parts": list(parts)}
    return {
        "schema": 1,
        "code": "small",
        "title": {"en": "Small"},
        "languages": ["en"],
        "code_lists": json.loads(json.dumps(CODE_LISTS)),
        "missing_codes": [{"code": c, "label": {"en": c}} for c in ("nd", "unk")],
        "sections": [section],
        **settings,
    }


def form(*parts: dict[str, Any], **settings: Any) -> Form:
    """A form of one section."""
    return form_from_json(form_json(*parts, **settings))
