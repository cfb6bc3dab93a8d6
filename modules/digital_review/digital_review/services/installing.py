"""Review types that ship with the module: forms, flow, slots and outcomes, all from data files.

A folder of ``definitions/`` is one of them: ``review_type.json`` says what it is made of, the other
files are designs as the editors export them. Installing again adds what is missing and publishes
new versions of what changed; what the house set up differently since stays as it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from digital_review.models import FormSlot, Outcome, ReviewType
from digital_review.models.reach import SET_UP
from portal.access.decision import require
from portal.audit.services import record
from portal.flows.kinds import FLOWS
from portal.flows.models import FlowDesign, FlowVersion
from portal.forms.kinds import FORMS
from portal.forms.models import FormDesign
from portal.forms.services.designs import import_design, install_design, publish_version
from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.records.services import writes

DEFINITIONS = Path(__file__).resolve().parents[1] / "definitions"
AREA = "digital_review"
_SETTINGS = (
    "name",
    "cadence_months",
    "follow_up_months",
    "reminder_days",
    "reminder_days_before",
    "information_days_before",
    "report_days_before",
    "working_diagnosis",
    "local_diagnosis",
    "diagnosis",
)
_OF_SLOT = ("title", "filled_by", "signed_by", "begins", "repeats", "needed")
_OF_OUTCOME = ("name", "met", "to_panel", "advice")


def shipped() -> dict[str, Path]:
    """The review types that can be installed: code to folder."""
    return {_manifest(file.parent)["code"]: file.parent for file in _manifests()}


def _manifests() -> list[Path]:
    return sorted(DEFINITIONS.glob("*/review_type.json"))


def _manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "review_type.json").read_bytes())
    return found


@writes
def install_review_type(*, actor: Any, code: str, unit: Unit, reason: str) -> ReviewType:
    """Make a shipped review type at the unit, or bring it up to what ships now.

    Refused: ``unknown`` (no such review type ships), ``elsewhere`` (another unit has it), and what
    `install_design` refuses, such as a draft that somebody works at. PermissionDenied where the
    actor does not set up review types, or does not publish forms and flows, at the unit.
    """
    if code not in shipped():
        raise Refused(
            _("There is no review type %(code)s to install; there are: %(all)s.")
            % {"code": code, "all": ", ".join(shipped())},
            code="unknown",
        )
    folder = shipped()[code]
    manifest = _manifest(folder)
    found = ReviewType.objects.select_for_update(no_key=True).filter(code=code).first()
    if found is not None and found.unit_id != unit.pk:
        raise Refused(
            _("%(unit)s has the review type %(code)s.") % {"unit": found.unit, "code": code},
            code="elsewhere",
        )
    forms = {
        name: _install_form(actor, unit, folder / name, reason)
        for name in dict.fromkeys(slot["form"] for slot in manifest["slots"])
    }
    # the flow's facts are those of the review type's forms: it is published when these are there
    flow, draft = _flow(actor, unit, folder / manifest["flow"])
    review_type = found or _new_type(actor, unit, flow, manifest)
    added = [
        *_add_slots(review_type, manifest["slots"], forms),
        *_add_outcomes(review_type, manifest["outcomes"]),
    ]
    if draft is not None:
        publish_version(
            FLOWS, actor=actor, version_id=draft.pk, opened_version=draft.version, reason=reason
        )
    else:
        content = (folder / manifest["flow"]).read_bytes()
        install_design(
            FLOWS, actor=actor, unit=unit, area=AREA, code=flow.code, title=flow.title,
            content=content, reason=reason,
        )  # fmt: skip
    if found is None or added:
        record("digital_review.review_type_installed", review_type, data={"added": added})
    return review_type


def _install_form(actor: Any, unit: Unit, file: Path, reason: str) -> FormDesign:
    content = json.loads(file.read_bytes())
    version = install_design(
        FORMS,
        actor=actor,
        unit=unit,
        area=AREA,
        code=content["code"],
        title=content["title"]["en"],
        content=content,
        reason=reason,
    )
    design: FormDesign = version.design
    return design


def _flow(actor: Any, unit: Unit, file: Path) -> tuple[FlowDesign, FlowVersion | None]:
    """The flow's design, with a draft of it where it is new."""
    content = file.read_bytes()
    design = FlowDesign.objects.filter(unit=unit, code=json.loads(content)["code"]).first()
    if design is not None:
        return design, None
    draft = import_design(FLOWS, actor=actor, unit=unit, area=AREA, data=content)
    return draft.design, draft


def _new_type(actor: Any, unit: Unit, flow: FlowDesign, manifest: dict[str, Any]) -> ReviewType:
    values = {name: manifest[name] for name in _SETTINGS}
    made = ReviewType(unit=unit, code=manifest["code"], flow=flow, **values)
    require(actor, SET_UP, made)
    made.save()
    return made


def _add_slots(
    review_type: ReviewType, wanted: list[dict[str, Any]], forms: dict[str, FormDesign]
) -> list[str]:
    # those that were taken away stay so
    there = {*FormSlot.all_objects.filter(review_type=review_type).values_list("code", flat=True)}
    new = [(order, slot) for order, slot in enumerate(wanted, 1) if slot["code"] not in there]
    for order, slot in new:
        FormSlot.objects.create(
            review_type=review_type,
            code=slot["code"],
            design=forms[slot["form"]],
            order=order,
            **{name: slot[name] for name in _OF_SLOT},
        )
    return [slot["code"] for _order, slot in new]


def _add_outcomes(review_type: ReviewType, wanted: list[dict[str, Any]]) -> list[str]:
    there = {*Outcome.all_objects.filter(review_type=review_type).values_list("code", flat=True)}
    new = [(order, each) for order, each in enumerate(wanted, 1) if each["code"] not in there]
    for order, each in new:
        Outcome.objects.create(
            review_type=review_type,
            code=each["code"],
            order=order,
            **{name: each[name] for name in _OF_OUTCOME},
        )
    return [each["code"] for _order, each in new]
