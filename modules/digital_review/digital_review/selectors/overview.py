"""Patients in review as rows: lists, filters, and columns for screen, Excel and paper (DR-031).

As many queries for a thousand patients as for ten (DR-145).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from digital_review.models import AgendaItem, Case, CaseForm, FormSlot, Meeting, Patient
from digital_review.selectors.form_marks import FormMark, marks_of
from portal.access.decision import visible
from portal.access.masking import searchable
from portal.flows.models import FlowVersion
from portal.flows.rules.definition import Machine, StateKind
from portal.flows.selectors import machine_of
from portal.operations.columns import Column, Columns

TABS = {
    "next": lazy("Next meeting"),
    "in_review": lazy("In review"),
    "future": lazy("Later meetings"),
    "past": lazy("Discussed"),
    "all": lazy("All"),
}
DEFAULT_TAB = "in_review"


@dataclass(frozen=True)
class CaseRow:
    """One patient's case, with all that its row shows."""

    case: Case
    patient: Patient
    state: str
    halted: bool
    marks: tuple[FormMark, ...]
    review_at: datetime | None
    review_status: str
    """``to_discuss``, ``discussed``, or '' where it is on no meeting's list."""
    days_left: int | None
    """Until the meeting; None where none is coming."""

    @property
    def diagnosis(self) -> str:
        """The outcome where there is one, else the working diagnosis."""
        return str(self.case.outcome) if self.case.outcome else self.case.working_diagnosis

    @property
    def review_status_words(self) -> str:
        if not self.review_status:
            return ""
        return str(AgendaItem.Status(self.review_status).label)


def _day(moment: datetime | None) -> date | None:
    return timezone.localdate(moment) if moment else None


def _yes(truth: Any) -> str:
    return _("yes") if truth else _("no")


COLUMNS = Columns(
    (
        Column("number", lazy("Number"), lambda row: row.patient.number, ("patient__number",)),
        # personal data are never sorted by
        Column("initials", lazy("Initials"), lambda row: row.patient.initials),
        Column("born", lazy("Date of birth"), lambda row: row.patient.born_on),
        Column(
            "hospital",
            lazy("Hospital"),
            lambda row: str(row.patient.hospital),
            ("patient__hospital__name",),
        ),
        Column("diagnosis", lazy("Diagnosis"), lambda row: row.diagnosis, ("working_diagnosis",)),
        Column(
            "forms",
            lazy("Forms"),
            lambda row: "; ".join(f"{mark.title}: {mark.words}" for mark in row.marks),
            on_paper=False,
        ),
        Column("state", lazy("State"), lambda row: row.state, ("flow_state",)),
        Column("review", lazy("Review"), lambda row: _day(row.review_at), ("review_at",)),
        Column("status", lazy("Status"), lambda row: row.review_status_words),
        Column(
            "days", lazy("Days left"), lambda row: row.days_left, ("review_at",), on_paper=False
        ),
        Column(
            "registered",
            lazy("Registered"),
            lambda row: row.case.registered_on,
            ("registered_on",),
            optional=True,
        ),
        Column(
            "type",
            lazy("Review type"),
            lambda row: str(row.case.review_type),
            ("review_type__name",),
            optional=True,
            on_paper=False,
        ),
        Column(
            "complete",
            lazy("Complete"),
            lambda row: _yes(row.case.information_complete),
            ("information_complete",),
            optional=True,
        ),
        Column(
            "slides",
            lazy("Slides received"),
            lambda row: _day(row.case.slides_received_at),
            ("slides_received_at",),
            optional=True,
            on_paper=False,
        ),
        Column(
            "protocol",
            lazy("Protocol"),
            lambda row: row.case.protocol,
            ("protocol",),
            optional=True,
            on_paper=False,
        ),
    ),
    begins_with="review",
)


@dataclass(frozen=True)
class Asked:
    """Which patients a list is asked for."""

    tab: str = DEFAULT_TAB
    text: str = ""
    """Part of a number, or initials: these only of patients whose personal data one may see."""
    review_type: Any = None
    hospital: Any = None
    state: str = ""
    sort: str = COLUMNS.begins_with


@dataclass(frozen=True)
class Flows:
    """The machines on which the cases are that a person sees."""

    machines: dict[int, Machine] = field(default_factory=dict)

    def title(self, version_id: int, state: str) -> str:
        machine = self.machines.get(version_id)
        known = machine.by_code.get(state) if machine else None
        if machine is None or known is None:
            return state
        return known.title.text(get_language() or "en", machine.languages)

    def halted(self, version_id: int, state: str) -> bool:
        machine = self.machines.get(version_id)
        known = machine.by_code.get(state) if machine else None
        return known is not None and known.kind is StateKind.HALTING

    def in_halting(self) -> Q:
        """Of cases whose flow has come to an end."""
        ended = Q(pk__in=[])
        for pk, machine in self.machines.items():
            codes = [each.code for each in machine.states if each.kind is StateKind.HALTING]
            ended |= Q(flow_version=pk, flow_state__in=codes)
        return ended

    def choices(self) -> list[tuple[str, str]]:
        """Code and title of every state, each code once."""
        titles = {
            state.code: self.title(pk, state.code)
            for pk, machine in self.machines.items()
            for state in machine.states
        }
        return sorted(titles.items(), key=lambda pair: pair[1].lower())


def flows_of(user: Any) -> Flows:
    """The machines of the cases that ``user`` sees: one query, and one each the first time."""
    used = visible(user, Case.objects.all()).order_by().values("flow_version")
    versions = FlowVersion.all_objects.filter(pk__in=used.distinct()).defer("content", "places")
    return Flows({version.pk: machine_of(version) for version in versions})


def next_meetings(user: Any) -> list[int]:
    """Keys of the meeting that comes next, or is held now, of every review type that one has
    patients in. A hospital's clinician sees no meeting, but when their patients are discussed."""
    types = visible(user, Case.objects.all()).order_by().values("review_type")
    coming = Meeting.objects.filter(
        status__in=(Meeting.Status.PLANNED, Meeting.Status.RUNNING), review_type__in=types
    )
    first = coming.order_by("review_type_id", "starts_at", "pk").distinct("review_type_id")
    return list(first.values_list("pk", flat=True))


def cases_for(user: Any, asked: Asked, flows: Flows) -> QuerySet[Case]:
    """The cases that are asked for, with what their rows need; `rows_of` makes these."""
    coming = AgendaItem.objects.filter(case=OuterRef("pk"), status=AgendaItem.Status.TO_DISCUSS)
    past = AgendaItem.objects.filter(
        case=OuterRef("pk"), status=AgendaItem.Status.DISCUSSED
    ).order_by("-meeting__starts_at")
    cases = (
        visible(user, Case.objects.all())
        .annotate(
            coming_at=Subquery(coming.values("meeting__starts_at")[:1]),
            discussed_at=Subquery(past.values("meeting__starts_at")[:1]),
            review_at=Coalesce("coming_at", "discussed_at"),
        )
        .select_related("review_type", "outcome")
        .prefetch_related(
            Prefetch(
                "patient",
                visible(user, Patient.all_objects.all()).select_related("hospital"),
            ),
            Prefetch(
                "forms",
                CaseForm.objects.defer("answers", "personal_answers").order_by("number"),
                to_attr="shown_forms",
            ),
        )
    )
    cases = _in_tab(user, cases, asked.tab, flows)
    return _filtered(user, cases, asked).order_by(
        *COLUMNS.ordering(asked.sort), "patient__number", "pk"
    )


def _in_tab(user: Any, cases: QuerySet[Any], tab: str, flows: Flows) -> QuerySet[Case]:
    if tab == "in_review":
        return cases.exclude(flows.in_halting())
    if tab == "past":
        return cases.filter(discussed_at__isnull=False)
    if tab not in ("next", "future"):
        return cases
    coming = AgendaItem.objects.filter(status=AgendaItem.Status.TO_DISCUSS)
    following = next_meetings(user)
    items = (
        coming.filter(meeting__in=following)
        if tab == "next"
        else coming.exclude(meeting__in=following)
    )
    return cases.filter(pk__in=items.values("case"))


def _filtered(user: Any, cases: QuerySet[Case], asked: Asked) -> QuerySet[Case]:
    given = {
        "review_type": asked.review_type,
        "patient__hospital": asked.hospital,
        "flow_state": asked.state,
    }
    cases = cases.filter(**{name: value for name, value in given.items() if value})
    if text := asked.text.strip():
        named = searchable(user, Patient.objects.filter(initials__iexact=text)).values("pk")
        cases = cases.filter(Q(patient__number__icontains=text) | Q(patient__in=named))
    return cases


def rows_of(cases: Iterable[Case], flows: Flows) -> list[CaseRow]:
    """The rows of cases that `cases_for` gave: one query for the slots of their review types."""
    found = list(cases)
    slots: dict[int, list[FormSlot]] = {}
    types = {case.review_type_id for case in found}
    for slot in FormSlot.objects.filter(review_type__in=types).order_by("order", "pk"):
        slots.setdefault(slot.review_type_id, []).append(slot)
    today = timezone.localdate()
    return [_row(case, flows, slots.get(case.review_type_id, []), today) for case in found]


def _row(case: Any, flows: Flows, slots: list[FormSlot], today: date) -> CaseRow:
    status = "to_discuss" if case.coming_at else "discussed" if case.discussed_at else ""
    coming = _day(case.coming_at)
    return CaseRow(
        case=case,
        patient=case.patient,
        state=flows.title(case.flow_version_id, case.flow_state),
        halted=flows.halted(case.flow_version_id, case.flow_state),
        marks=marks_of(slots, case.shown_forms),
        review_at=case.review_at,
        review_status=status,
        days_left=(coming - today).days if coming else None,
    )


def tab_counts(user: Any, flows: Flows) -> dict[str, int]:
    """How many cases each tab has, without any filter."""
    return {tab: cases_for(user, Asked(tab=tab), flows).count() for tab in TABS}
