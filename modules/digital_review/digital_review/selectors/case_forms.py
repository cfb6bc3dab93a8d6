"""Forms to fill in and to sign: the list of them."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.models import AgendaItem, Case, CaseForm, FormSlot, Meeting
from digital_review.models.reach import (
    BUREAU,
    FILL,
    LEAD,
    MINUTES,
    PATHOLOGY,
    SIGN_FORM,
    SIGN_REVIEW,
    TAKE_PART,
)
from digital_review.selectors.tasks import forms_to_sign
from portal.access.decision import held_by, visible
from portal.operations.columns import Column, Columns
from portal.organisation.models import Unit

_BY, _SIGNED = FormSlot.FilledBy, FormSlot.SignedBy
FILLING = (
    (FILL, _BY.HOSPITAL),
    (BUREAU, _BY.HOSPITAL),
    (PATHOLOGY, _BY.PATHOLOGIST),
    (MINUTES, _BY.MEETING),
    (LEAD, _BY.MEETING),
    (TAKE_PART, _BY.REVIEWERS),
)
SIGNING = (
    (SIGN_FORM, _SIGNED.DOCTOR),
    (PATHOLOGY, _SIGNED.PATHOLOGIST),
    (SIGN_REVIEW, _SIGNED.SPECIALIST),
)
STATUSES = (
    ("to_do", _("Waiting for me")),
    ("draft", _("To be filled in")),
    ("overdue", _("Overdue")),
    ("complete", _("Complete, not signed")),
    ("signed", _("Signed")),
    ("all", _("All")),
)


COLUMNS = Columns(
    (
        Column("patient", _("Patient"), sort=("case__patient__number", "slot__order")),
        Column("initials", _("Initials")),
        Column("hospital", _("Hospital"), sort=("case__patient__hospital__name", "due_on")),
        Column("form", _("Form"), sort=("slot__title", "number")),
        Column("status", _("Status"), sort=("status", "due_on")),
        Column("asked", _("Asked"), sort=("asked_at",)),
        Column("due", _("Due"), sort=("due_on", "asked_at")),
        Column("meeting", _("Meeting"), sort=("meeting_at", "due_on")),
    ),
    begins_with="due",
)


def forms_for(
    user: Any,
    *,
    status: str = "to_do",
    hospital: Unit | None = None,
    slot: str = "",
    number: str = "",
    sort: str = COLUMNS.begins_with,
) -> QuerySet[CaseForm]:
    """Forms that the person sees, what is due first; each knows its coming meeting's moment."""
    coming = AgendaItem.objects.filter(
        case=OuterRef("case"),
        status=AgendaItem.Status.TO_DISCUSS,
        meeting__status__in=(Meeting.Status.PLANNED, Meeting.Status.RUNNING),
    )
    found = (
        visible(user, CaseForm.objects.filter(case__in=Case.objects.all()))
        .filter(_of_status(user, status))
        .select_related("case__patient__hospital", "case__review_type", "slot", "signature")
        .annotate(meeting_at=Subquery(coming.values("meeting__starts_at")[:1]))
    )
    if hospital is not None:
        found = found.filter(case__patient__hospital=hospital)
    if slot:
        found = found.filter(slot__title=slot)
    if number:
        found = found.filter(case__patient__number__icontains=number)
    return found.order_by(*COLUMNS.ordering(sort), "pk")


def _of_status(user: Any, status: str) -> Q:
    draft, complete = CaseForm.Status.DRAFT, CaseForm.Status.COMPLETE
    if status == "to_do":
        return waiting_for(user)
    if status == "draft":
        return Q(status=draft)
    if status == "overdue":
        return Q(status=draft, due_on__lt=timezone.localdate())
    if status == "complete":
        return Q(status=complete) & ~Q(slot__signed_by="")
    if status == "signed":
        return Q(status=CaseForm.Status.LOCKED)
    return Q()


def waiting_for(user: Any) -> Q:
    """The forms that this person is to fill in or to sign."""
    held = held_by(user).privileges()
    ways = [
        Q(pk__in=_keys(visible(user, CaseForm.objects.all(), privilege)))
        & Q(status=CaseForm.Status.DRAFT, slot__filled_by=by)
        for privilege, by in FILLING
        if privilege in held
    ]
    ways += [
        Q(pk__in=_keys(forms_to_sign(user, privilege, by)))
        for privilege, by in SIGNING
        if privilege in held
    ]
    return reduce(or_, ways, Q(pk__in=[]))


def _keys(forms: QuerySet[CaseForm]) -> QuerySet[Any]:
    return forms.order_by().values("pk")


def hospitals_for(user: Any) -> QuerySet[Unit]:
    """The hospitals of the forms that the person sees."""
    forms = visible(user, CaseForm.objects.filter(case__patient__hospital=OuterRef("pk")))
    return Unit.objects.filter(Exists(_keys(forms))).order_by("name")


def titles_for(user: Any) -> list[str]:
    """What the forms are called that the person sees."""
    slots = visible(user, CaseForm.objects.all()).order_by().values("slot")
    titles = FormSlot.objects.filter(pk__in=slots).order_by("order", "title")
    return [*dict.fromkeys(titles.values_list("title", flat=True))]
