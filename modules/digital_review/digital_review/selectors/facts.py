"""What a case's flow and its forms' rules can read: the names there are, and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.models import AgendaItem, Case, CaseForm, FormSlot, Meeting, Outcome, ReviewType
from digital_review.rules.conduct import (
    FormStanding,
    Role,
    agreeing,
    all_facts,
    case_terms,
    counting,
    fact_name,
    items_of,
    registry,
    slot_facts,
    slot_terms,
)
from portal.flows.models import FlowDesign
from portal.flows.rules.definition import Fact
from portal.flows.rules.publishing import Registry
from portal.forms.models import FormDesign
from portal.forms.rules.answers import Answers, At
from portal.forms.rules.definition import Form
from portal.forms.rules.filling import fill
from portal.forms.rules.terms import Term
from portal.forms.rules.values import Missing
from portal.forms.selectors import latest, reading_day, true_answers, true_filling, usable

ROLES: Mapping[str, Any] = {
    Role.TRIAL_BUREAU: _("Trial bureau"),
    Role.DATAMANAGER: _("Data manager"),
    Role.DOCTOR: _("Treating doctor"),
    Role.CLINICIAN: _("Clinician"),
    Role.PATHOLOGIST: _("Review pathologist"),
    Role.CHAIRMAN: _("Chairman"),
    Role.SECRETARY: _("Minutes secretary"),
    Role.SPECIALIST: _("Responsible specialist"),
    Role.MANAGER: _("Review manager"),
    Role.SYSTEM: _("By itself, as soon as it may"),
}

# --- what an editor asks ------------------------------------------------------------------------


def flow_roles(design: FlowDesign) -> Mapping[str, Any]:
    """Who may take transitions."""
    return ROLES


def flow_actions(design: FlowDesign) -> Registry:
    """The actions there are; they may name the forms of the review types that use the flow."""
    slots = FormSlot.objects.filter(review_type__in=_types_of(design))
    return registry({*slots.values_list("code", flat=True)})


def flow_facts(design: FlowDesign) -> Sequence[Fact]:
    """What guards may read: what holds in every review type that uses the flow."""
    several = []
    for review_type in _types_of(design):
        facts = all_facts(_outcomes(review_type))
        for slot in _slots(review_type):
            facts += slot_facts(slot.code, _published(slot.design))
        several.append({fact.name: fact for fact in facts})
    if not several:
        return all_facts(())
    names = agreeing(
        {name: (fact.kind, fact.codes) for name, fact in each.items()} for each in several
    )
    found = {name: fact for each in several for name, fact in each.items() if name in names}
    return list(found.values())


def form_names(design: FormDesign) -> Mapping[str, Term]:
    """Names that a form's rules may read beyond it: the other forms of its review types."""
    used = FormSlot.objects.filter(design=design).select_related("review_type")
    several = []
    for own in used:
        terms = case_terms(_outcomes(own.review_type))
        for slot in _slots(own.review_type):
            if slot.design_id != design.pk:
                terms |= slot_terms(slot.code, _published(slot.design))
        several.append(terms)
    names = agreeing(several)
    return {name: term for each in several for name, term in each.items() if name in names}


def _types_of(design: FlowDesign) -> QuerySet[ReviewType]:
    return ReviewType.objects.filter(flow=design).order_by("pk")


def _outcomes(review_type: ReviewType) -> list[str]:
    return [*Outcome.objects.filter(review_type=review_type).values_list("code", flat=True)]


def _slots(review_type: ReviewType) -> QuerySet[FormSlot]:
    return FormSlot.objects.filter(review_type=review_type).select_related("design")


def _published(design: FormDesign) -> Form | None:
    version = latest(design)
    return usable(version).form if version is not None else None


# --- what is so in one case ---------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """The forms of a case, and which of them count in the present round."""

    slots: Mapping[str, FormSlot]
    forms: tuple[CaseForm, ...]
    counting: Mapping[str, CaseForm]
    """By slot."""

    def complete(self, slot: str) -> bool:
        form = self.counting.get(slot)
        return form is not None and form.status != CaseForm.Status.DRAFT

    def signed(self, slot: str) -> bool:
        form = self.counting.get(slot)
        return form is not None and form.signature_id is not None

    @property
    def information_complete(self) -> bool:
        """Whether every form that is needed before the meeting is complete."""
        return all(self.complete(slot.code) for slot in self.slots.values() if slot.needed)


def standing_of(case: Case) -> Standing:
    """Which forms of the case there are and count; two queries."""
    slots = {slot.pk: slot for slot in FormSlot.objects.filter(review_type=case.review_type_id)}
    forms = tuple(
        CaseForm.objects.filter(case=case, slot__in=slots)
        .select_related("form_version", "slot")
        .order_by("number", "pk")
    )
    by_key = {form.pk: form for form in forms}
    found = counting(
        (
            FormStanding(form.pk, form.slot.code, form.number, form.asked_at, of_round(form.slot))
            for form in forms
        ),
        case.round_began_at,
    )
    return Standing(
        {slot.code: slot for slot in slots.values()},
        forms,
        {slot: by_key[key] for slot, key in found.items()},
    )


def of_round(slot: FormSlot) -> bool:
    """Whether the form is answered anew in each round of the review."""
    return slot.repeats or slot.filled_by == FormSlot.FilledBy.MEETING


def facts_of(
    case: Case, *, standing: Standing | None = None, now: datetime | None = None
) -> dict[str, Any]:
    """Every fact of the case by name, unmasked: for rules, never for a page. Five queries.

    An item's fact is what counts on its form: of a hidden item, of a form of an earlier round, of a
    form that was not begun there is none.
    """
    now = now or timezone.now()
    standing = standing or standing_of(case)
    facts = _case_facts(case, standing, now)
    for slot in standing.slots:
        facts[fact_name(slot, "started")] = slot in standing.counting
        facts[fact_name(slot, "complete")] = standing.complete(slot)
        facts[fact_name(slot, "signed")] = standing.signed(slot)
    return facts | _answers(standing, facts)


def names_beyond(form: CaseForm) -> dict[str, Any]:
    """The values of the names that a form's rules may read beyond it; its own are not among
    them."""
    own = f"{form.slot.code}."
    facts = facts_of(form.case) if usable(form.form_version).outside else {}
    return {name: value for name, value in facts.items() if not name.startswith(own)}


def _answers(standing: Standing, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The items' values. Forms may read each other: each is filled twice, the second time with what
    came of the others."""
    given = {slot: true_answers(form) for slot, form in standing.counting.items()}
    first = _filled(standing, given, facts)
    if not any(usable(form.form_version).outside for form in standing.counting.values()):
        return first
    return _filled(standing, given, {**facts, **first})


def _filled(
    standing: Standing, given: Mapping[str, Answers], outside: Mapping[str, Any]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for slot, form in standing.counting.items():
        ready = usable(form.form_version)
        filled = fill(ready, given[slot], reading_day(form), outside)
        for item in items_of(ready.form):
            value = filled.values.get(At(item.code))
            if value is not None:
                found[fact_name(slot, item.code)] = value
    return found


def _case_facts(case: Case, standing: Standing, now: datetime) -> dict[str, Any]:
    items = list(
        AgendaItem.objects.filter(case=case)
        .select_related("meeting")
        .order_by("-meeting__starts_at", "-pk")
    )
    coming = next((each for each in items if _is_coming(each)), None)
    today = timezone.localdate(now)
    facts: dict[str, Any] = {
        "case.in_meeting": coming is not None,
        "case.discussed": any(_discussed_since(each, case.round_began_at) for each in items),
        "case.slides_received": case.slides_received_at is not None,
        "case.information_complete": standing.information_complete,
        "case.follow_up_wanted": case.follow_up_due_on is not None,
        "case.follow_up_due": case.follow_up_due_on is not None and case.follow_up_due_on <= today,
    }
    if coming is not None:
        days = (timezone.localdate(coming.meeting.starts_at) - today).days
        facts["case.days_to_meeting"] = Decimal(days)
    if case.outcome is not None and decided(case.review_type, standing):
        facts["outcome.met"] = case.outcome.met
        facts["outcome.to_panel"] = case.outcome.to_panel
        facts["outcome.code"] = case.outcome.code
    return facts


def _is_coming(item: AgendaItem) -> bool:
    return item.status == AgendaItem.Status.TO_DISCUSS and item.meeting.status in (
        Meeting.Status.PLANNED,
        Meeting.Status.RUNNING,
    )


def _discussed_since(item: AgendaItem, began_at: datetime | None) -> bool:
    return item.discussed_at is not None and (began_at is None or item.discussed_at >= began_at)


def decided(review_type: ReviewType, standing: Standing) -> bool:
    """Whether the form in which the diagnosis stands is complete, in the present round."""
    return standing.complete(review_type.diagnosis.partition(".")[0])


def words_at(standing: Standing, name: str) -> tuple[str, str]:
    """One answer by its name as a fact (``precrf.A50``): as it is kept, and in words. Empty where
    there is none."""
    slot, _dot, code = name.partition(".")
    form = standing.counting.get(slot)
    if form is None:
        return "", ""
    ready = usable(form.form_version)
    value = true_filling(form).values.get(At(code))
    if value is None or isinstance(value, Missing):
        return "", ""
    labels = {each.code: each.label for each in ready.form.choices_of(ready.form.spots[code].item)}
    label = labels.get(value) if isinstance(value, str) else None
    return str(value), label.text(ready.form.languages[0]) if label else str(value)
