"""Cases on their way in a world whose flow does something: begun, filled in, signed."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

from digital_review.models import AgendaItem, Case, CaseForm, Meeting
from digital_review.services.case_forms import RULES
from digital_review.services.cases import PatientFacts, start_case
from digital_review.services.opening import open_form
from digital_review.services.signing import sign_form
from django.utils import timezone

from portal.flows.models import FlowVersion
from portal.forms.services.sheets import complete_sheet, save_sheet
from portal.signing.services import unlock
from tests.digital_review.factories import World, review_world
from tests.support.signing import PIN, give_pin

ON_ENTRY: dict[str, list[dict[str, Any]]] = {
    "info_to_pathologist": [
        {"name": "open_form", "arguments": {"slot": "pathology"}},
        {"name": "notify", "arguments": {"role": "review_pathologist"}},
    ],
    "review_ready": [{"name": "schedule"}],
    "follow_up_required": [{"name": "request_follow_up"}],
    "crf_complete": [{"name": "require_signature", "arguments": {"slot": "crf"}}],
}
"""What the states of the factories' flow do."""


def acting_world() -> World:
    """The world of the factories, whose flow acts."""
    world = review_world()
    old = world.review_type.flow.versions.get()
    content = deepcopy(old.content)
    for state in content["states"]:
        if state["code"] in ON_ENTRY:
            state["on_entry"] = ON_ENTRY[state["code"]]
    FlowVersion.objects.create(
        design=old.design,
        number=2,
        state="published",
        content=content,
        published_at=timezone.now(),
    )
    return world


def begin(world: World, number: str = "SK-0001", **values: Any) -> Case:
    """A case that the trial bureau began, of a patient of the north."""
    facts: dict[str, Any] = {
        "hospital_id": world.north.pk,
        "initials": "A.B.",
        "born_on": date(2019, 3, 4),
        **values,
    }
    return start_case(
        actor=world.people["bureau"],
        review_type_id=world.review_type.pk,
        patient=PatientFacts(number, **facts),
    )


def form_of(case: Case, slot: str) -> CaseForm:
    """The latest form of the slot."""
    return case.forms.filter(slot__code=slot).order_by("-number")[0]


def save(form: CaseForm, actor: Any, version: int | None = None, **typed: str) -> CaseForm:
    if version is None:
        version = CaseForm.objects.get(pk=form.pk).version
    save_sheet(RULES, actor=actor, sheet_id=form.pk, typed=typed, opened_version=version)
    return CaseForm.objects.get(pk=form.pk)


def complete(form: CaseForm, actor: Any, **typed: str) -> CaseForm:
    """Fill in, save, and say that it is complete."""
    saved = save(form, actor, **typed) if typed else CaseForm.objects.get(pk=form.pk)
    complete_sheet(RULES, actor=actor, sheet_id=form.pk, version=saved.version)
    return CaseForm.objects.get(pk=form.pk)


def signer(person: Any) -> Any:
    """The person's key, opened by their PIN."""
    if not person.signing_keys.exists():
        give_pin(person)
    return unlock(person, PIN)


def signed(form: CaseForm, person: Any) -> CaseForm:
    fresh = CaseForm.objects.get(pk=form.pk)
    sign_form(actor=person, form_id=form.pk, version=fresh.version, signer=signer(person))
    return CaseForm.objects.get(pk=form.pk)


def to_review(world: World, number: str = "SK-0001") -> Case:
    """A case of which everything is there that is needed before its meeting."""
    case = begin(world, number)
    complete(form_of(case, "precrf"), world.people["datamanager"], hb="7.1", working="MDS")
    pathology = form_of(case, "pathology")
    complete(pathology, world.people["pathologist"], cellularity="normal")
    signed(pathology, world.people["pathologist"])
    return Case.objects.get(pk=case.pk)


def meeting(world: World, days: int = 40, **values: Any) -> Meeting:
    fields: dict[str, Any] = {
        "starts_at": timezone.now() + timedelta(days=days),
        "chairman": world.people["chairman"],
        "secretary": world.people["secretary"],
        "pathologist": world.people["pathologist"],
        **values,
    }
    return Meeting.objects.create(review_type=world.review_type, **fields)


def concluded(world: World, case: Case, diagnosis: str) -> CaseForm:
    """The meeting's form of the case, complete."""
    form = open_form(actor=world.people["secretary"], case=case, slot=world.slots["crf"])
    return complete(form, world.people["secretary"], diagnosis=diagnosis)


def listed(meeting: Meeting, case: Case, **values: Any) -> AgendaItem:
    return AgendaItem.objects.create(meeting=meeting, case=case, **values)
