"""Forms as they stand in the registry, and its copy against ours (DR-092, DR-118).

What is written is flat: ``form_…`` says which form it is and how it stands, everything else are the
answers of the items that are set to be written there (DR-092), by the names they have there.
Repeating groups are lists of such objects. Our own copy is the one that is signed and believed; the
registry's is compared with it whenever the form is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from digital_review.models import CaseForm
from digital_review.selectors.facts import names_beyond
from portal.connectors.problems import Problem
from portal.connectors.rules import Difference, differences
from portal.connectors.selectors import was_written
from portal.connectors.services import read, takes
from portal.forms.rules.answers import At
from portal.forms.rules.definition import Form
from portal.forms.rules.filling import Filled
from portal.forms.rules.values import to_json
from portal.forms.selectors import true_answers, true_filling, usable
from portal.records.personal import unmasked

REGISTRY, FORM = "registry", "form"
_STATUS = "form_status"


def key_of(form: CaseForm) -> str:
    """``104217/mds-bmf/precrf/1``: what the form is called there."""
    case = form.case
    return f"{case.patient.number}/{case.review_type.code}/{form.slot.code}/{form.number}"


def is_written(form: CaseForm) -> bool:
    """Whether forms of this version go to a registry that is there."""
    return takes(REGISTRY, FORM) and bool(_fields(usable(form.form_version).form))


def written(form: CaseForm) -> dict[str, Any]:
    """The form as it stands in the registry. Unmasked: for the registry alone.

    The answers that count: of an item that is hidden there is none.
    """
    design = usable(form.form_version).form
    filled = true_filling(form, true_answers(form), names_beyond(form))
    with unmasked():
        number = form.case.patient.number
    return {
        "form_patient": number,
        "form_review": form.case.review_type.code,
        "form_slot": form.slot.code,
        "form_number": form.number,
        "form_code": design.code,
        "form_version": form.form_version.number,
        _STATUS: _status(form),
        "form_completed_at": form.completed_at.isoformat() if form.completed_at else None,
        **_answers(design, filled),
    }


def _status(form: CaseForm) -> str:
    if form.signature_id is not None:
        return "signed"
    return "draft" if form.status == CaseForm.Status.DRAFT else "complete"


def _fields(form: Form) -> dict[str, str]:
    """By item: the name that it has in the registry."""
    items = [spot.item for spot in form.spots.values()]
    return {
        item.code: item.written_to.field
        for item in items
        if item.written_to is not None and item.written_to.connector == REGISTRY
    }


def _answers(form: Form, filled: Filled) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for code, name in _fields(form).items():
        group = form.spots[code].rows
        if group is None:
            found[name] = _plain(filled.values.get(At(code)))
            continue
        rows = found.setdefault(group.code, [])
        of_item = {at.row: at for at in filled.shown if at.item == code and at.row is not None}
        rows += [{} for _ in range(max(of_item, default=-1) + 1 - len(rows))]
        for row, at in of_item.items():
            rows[row][name] = _plain(filled.values.get(at))
    return found


def _plain(value: Any) -> Any:
    return None if value is None else to_json(value)


# --- comparing ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class RegistryCopy:
    """How the registry's copy of a form compares with ours.

    ``differing``: labels of what differs; () where nothing does. None: not known, and ``problem``
    says why, or ``undelivered`` that ours is not there yet.
    """

    differing: tuple[str, ...] | None
    as_of: datetime | None = None
    fresh: bool = True
    undelivered: bool = False
    absent: bool = False
    """It has no such form at all."""
    problem: Problem | None = None
    topic: str = ""


def registry_copy(form: CaseForm, language: str) -> RegistryCopy | None:
    """What the registry has of a form that is complete or signed; None where nothing is written.

    Answered from what is kept, asked anew in the background: opening a form waits for nobody, and
    the copy's live topic tells when the registry says something else.
    """
    if form.status == CaseForm.Status.DRAFT or not is_written(form):
        return None
    key = key_of(form)
    if not was_written(REGISTRY, FORM, key):  # complete before there was a registry
        return None
    reading = read(REGISTRY, FORM, key, max_age=timedelta(0))
    told: dict[str, Any] = {
        "as_of": reading.as_of,
        "fresh": reading.fresh,
        "problem": reading.problem,
        "topic": reading.topic,
    }
    if reading.undelivered or not reading.is_known:
        return RegistryCopy(None, undelivered=reading.undelivered, **told)
    if reading.value is None:
        return RegistryCopy((), absent=True, **told)
    found = differences(_compared(form), reading.value)
    labels = _labels(usable(form.form_version).form, found, language)
    return RegistryCopy(tuple(labels), **told)


def _compared(form: CaseForm) -> Mapping[str, Any]:
    ours = written(form)
    return {
        name: value
        for name, value in ours.items()
        if name == _STATUS or not name.startswith("form_")
    }


def _labels(form: Form, found: list[Difference], language: str) -> list[str]:
    """Each differing answer by its item's label, a group by its title."""
    items = {name: form.spots[code].item for code, name in _fields(form).items()}
    names = []
    for each in found:
        if each.name in items:
            names.append(f"{each.name} {items[each.name].label.text(language)}")
        elif each.name in form.groups:
            names.append(f"{each.name} {form.groups[each.name].title.text(language)}")
        else:
            names.append(each.name)
    return names
