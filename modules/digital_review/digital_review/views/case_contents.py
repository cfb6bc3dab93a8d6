"""A patient's page: who it is, where the case stands, what one may do, what is to be warned of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import Prefetch
from django.urls import reverse
from django.utils.translation import gettext as _

from digital_review.models import (
    AgendaItem,
    Anamnesis,
    Case,
    CaseForm,
    CasePassage,
    Letter,
    Opinion,
    Patient,
)
from digital_review.selectors.facts import Standing, standing_of
from digital_review.selectors.overview import Asked, CaseRow, Flows, cases_for, flows_of, rows_of
from digital_review.services.case_forms import may_fill
from digital_review.services.conduct import CONDUCT
from digital_review.services.letters import letters_to_write, may_write_letter
from digital_review.services.signing import may_sign
from portal.access.decision import visible
from portal.access.masking import may_see_personal, searchable
from portal.documents.models import IssuedDocument
from portal.flows.presentation import state_title, transition_title
from portal.flows.rules.definition import Transition
from portal.flows.selectors import machine_of
from portal.flows.services.cases import possible
from portal.records.personal import unmasked
from portal.signing.services import State, Verdict, verify_many

MOST_OTHERS = 200
"""Patients in the list beside the page."""


class Act(Protocol):
    """Something that the reader may do now."""

    @property
    def label(self) -> Any: ...
    @property
    def url(self) -> str: ...
    @property
    def icon(self) -> str: ...


@dataclass(frozen=True)
class OwnAct:
    """An act with the case, a form or a letter of it."""

    label: Any
    url: str
    icon: str


@dataclass(frozen=True)
class Acts:
    """The main act of the state, and the others."""

    main: Act | None
    more: tuple[Act, ...]


@dataclass(frozen=True)
class Warned:
    """Something that must be known before anything on the page is believed."""

    title: str
    lines: tuple[str, ...] = ()
    tone: str = "amber"


def case_of(user: Any, pk: int) -> tuple[CaseRow, Flows] | None:
    """The case as its row, or None where the person may not see it."""
    flows = flows_of(user)
    cases = cases_for(user, Asked(tab="all"), flows).select_related(
        "review_type__unit", "outcome", "flow_version", "slides_received_by"
    )
    rows = rows_of(cases.filter(pk=pk), flows)
    return (rows[0], flows) if rows else None


def others_of(user: Any, asked: Asked, flows: Flows) -> list[CaseRow]:
    """The patients of the list from which the page was opened, as many as can be looked over."""
    return rows_of(cases_for(user, asked, flows)[:MOST_OTHERS], flows)


# --- what one may do ------------------------------------------------------------------------------


def acts_of(user: Any, case: Case, standing: Standing, asking: Sequence[Act]) -> Acts:
    """What the reader may do now, the most pressing first: sign, fill in, a step of the flow, a
    letter. ``asking``: what may be asked of the hospital; neither that nor forcing is ever the main
    act."""
    ways = [each.transition for each in possible(CONDUCT, user, case) if each.open]
    steps = [_step(case, way) for way in ways if not way.forced]
    forced = [_step(case, way) for way in ways if way.forced]
    pressing = [*_form_acts(user, case, standing), *steps, *_letter_acts(user, case)]
    return Acts(pressing[0] if pressing else None, (*pressing[1:], *asking, *forced))


def _step(case: Case, way: Transition) -> OwnAct:
    title = transition_title(machine_of(case.flow_version), way.code)
    url = reverse("digital_review:case_go", args=[case.pk, way.code])
    return OwnAct(f"{title}…", url, "warning" if way.forced else "play")


def _form_acts(user: Any, case: Case, standing: Standing) -> list[Act]:
    acts: list[Act] = []
    for form in standing.counting.values():
        form.case = case
        url = reverse("digital_review:form", args=[form.pk])
        told = {"form": form.slot.title}
        if may_sign(user, form):
            acts.insert(0, OwnAct(_("Sign %(form)s") % told, url, "signature"))
        elif form.status == CaseForm.Status.DRAFT and may_fill(user, form):
            acts.append(OwnAct(_("Fill in %(form)s") % told, url, "pencil"))
    return acts


def _letter_acts(user: Any, case: Case) -> list[Act]:
    if not may_write_letter(user, case):
        return []
    in_force = {letter.letter.kind for letter in letters_of(user, case) if letter.in_force}
    return [
        OwnAct(
            str(Letter.Kind(kind).label).capitalize() + "…",
            reverse("digital_review:letter_new", args=[case.pk, kind]),
            "mail",
        )
        for kind in letters_to_write(case)
        if kind not in in_force
    ]


# --- what must be known first ---------------------------------------------------------------------


def warnings_of(user: Any, row: CaseRow, standing: Standing) -> list[Warned]:
    """Signatures that do not hold, a forced review with open items, equal initials."""
    return [
        *_signatures(standing),
        *_forced(row.case, standing),
        *_equal_initials(user, row.patient),
    ]


def _signatures(standing: Standing) -> list[Warned]:
    """Of every signed form, with the answers that differ (DR-115)."""
    signed = [form for form in standing.forms if form.signature_id is not None]
    titles = {form.signature_id: form.slot.title for form in signed}
    return [
        Warned(
            _("%(form)s is not authentic: it is not what was signed")
            % {"form": titles[verdict.signature.pk]},
            _differing(verdict),
            "red",
        )
        for verdict in verify_many([form.signature for form in signed if form.signature])
        if verdict.state is not State.VALID
    ]


def _differing(verdict: Verdict) -> tuple[str, ...]:
    detail = (str(verdict.detail),) if verdict.detail else ()
    return (str(verdict.state.label), *detail, *verdict.fields)


def _forced(case: Case, standing: Standing) -> list[Warned]:
    """The last force, while something of what was missing then is missing still (DR-102)."""
    last = CasePassage.objects.filter(case=case, forced=True).select_related("taken_by").last()
    if last is None or (standing.information_complete and case.slides_received_at is not None):
        return []
    still = set(CONDUCT.missing(case))
    lines = tuple(line for line in last.missing if line in still) or tuple(sorted(still))
    if not lines:
        return []
    who = last.taken_by or _("the portal")
    title = _("%(who)s forced the review: %(reason)s") % {"who": who, "reason": last.reason}
    return [Warned(title, lines)]


def _equal_initials(user: Any, patient: Patient) -> list[Warned]:
    """Others of the same initials: told to who may see initials at all (DR-144, DR-185)."""
    if not patient.initials or not may_see_personal(patient):
        return []
    with unmasked():
        same = searchable(user, Patient.objects.filter(initials__iexact=patient.initials))
        others = list(same.exclude(pk=patient.pk).order_by("number")[:20])
        numbers = tuple(
            _("%(number)s, with the same date of birth") % {"number": other.number}
            if other.born_on is not None and other.born_on == patient.born_on
            else other.number
            for other in others
        )
    return [Warned(_("Another patient has the same initials"), numbers)] if numbers else []


# --- the tabs -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passed:
    """One step of the case, for the timeline."""

    passage: CasePassage
    what: str
    icon: str
    tone: str


def passages_of(case: Case) -> list[Passed]:
    """How the case came to where it stands, the newest first."""
    found = []
    passages = CasePassage.objects.filter(case=case).select_related("flow_version", "taken_by")
    for passage in passages:
        machine = machine_of(passage.flow_version)
        state = state_title(machine, passage.to_state)
        if passage.transition:
            what = f"{transition_title(machine, passage.transition)} → {state}"
        else:
            what = state
        icon = "warning" if passage.forced else "clock" if passage.timer else "flow"
        found.append(Passed(passage, what, icon, "amber" if passage.forced else "blue"))
    return found[::-1]


def anamneses_of(user: Any, case: Case) -> list[Anamnesis]:
    return list(
        visible(user, case.anamneses.filter(deleted_at__isnull=True)).select_related("written_by")
    )


@dataclass(frozen=True)
class LetterRow:
    """A letter with its paper."""

    letter: Letter
    documents: tuple[IssuedDocument, ...]
    """Newest first."""

    @property
    def in_force(self) -> bool:
        return any(not hasattr(document, "supersession") for document in self.documents)


def letters_of(user: Any, case: Case) -> list[LetterRow]:
    """The letters about a case and their documents: two queries."""
    letters = list(
        visible(user, case.letters.filter(deleted_at__isnull=True)).select_related(
            "written_by", "outcome", "case__patient"
        )
    )
    return with_documents(letters)


def with_documents(letters: list[Letter]) -> list[LetterRow]:
    documents: dict[str, list[IssuedDocument]] = {}
    issued = IssuedDocument.objects.filter(
        object_type="digital_review.letter", object_id__in=[str(letter.pk) for letter in letters]
    )
    for document in issued.select_related("supersession", "issued_by").defer("pdf", "data"):
        documents.setdefault(document.object_id, []).append(document)
    return [LetterRow(each, tuple(documents.get(str(each.pk), []))) for each in letters]


def meetings_of(user: Any, case: Case) -> list[AgendaItem]:
    """The meetings of the case, the last first, with the opinions that are disclosed."""
    opinions = visible(user, Opinion.objects.all()).select_related("person", "outcome")
    items = visible(user, case.agenda_items.filter(deleted_at__isnull=True))
    return list(
        items.select_related("meeting__chairman", "meeting__review_type", "form__slot")
        .prefetch_related(Prefetch("opinions", opinions, to_attr="shown_opinions"))
        .order_by("-meeting__starts_at", "-pk")
    )


def forms_of(user: Any, case: Case) -> list[CaseForm]:
    """The forms of the case that count, and those of earlier rounds after them."""
    forms = visible(user, CaseForm.objects.filter(case=case))
    related = forms.select_related("slot", "form_version", "signature", "completed_by")
    return list(related.order_by("slot__order", "-number"))


def standing(case: Case) -> Standing:
    found = standing_of(case)
    for form in found.forms:
        form.case = case
    return found
