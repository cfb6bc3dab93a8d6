"""What the home page says of Digital Review: the next review, patients that wait (DR-030)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from digital_review.models import CaseForm, FormSlot, Meeting
from digital_review.models.reach import FILL, PATHOLOGY, SIGN_FORM, SIGN_REVIEW
from digital_review.selectors.tasks import forms_to_sign
from portal.access.decision import can, visible

MOST = 8
_BY = FormSlot.FilledBy
_SIGNED = FormSlot.SignedBy


@dataclass(frozen=True)
class WaitingForm:
    """A form of a patient that waits for the person."""

    number: str
    what: str
    url: str
    due_on: Any


def next_meeting_of(user: Any) -> Meeting | None:
    """The meeting that runs, or the next that the person takes part in, in whatever part."""
    mine = (
        Q(chairman=user.pk)
        | Q(secretary=user.pk)
        | Q(pathologist=user.pk)
        | Q(participants__person=user.pk, participants__deleted_at__isnull=True)
    )
    coming = Meeting.objects.filter(
        mine, status__in=(Meeting.Status.PLANNED, Meeting.Status.RUNNING)
    )
    listed = Count("items", filter=Q(items__deleted_at__isnull=True), distinct=True)
    found = visible(user, coming).annotate(patients=listed).select_related("review_type")
    return found.order_by("starts_at", "pk").first()


def waiting_for(user: Any) -> list[WaitingForm]:
    """Forms to sign and to fill in, what is due first on top; a query for each kind."""
    waiting: list[WaitingForm] = []
    for privilege, by in (
        (SIGN_FORM, _SIGNED.DOCTOR),
        (PATHOLOGY, _SIGNED.PATHOLOGIST),
        (SIGN_REVIEW, _SIGNED.SPECIALIST),
    ):
        if can(user, privilege):
            waiting += _told(forms_to_sign(user, privilege, by), _("Sign %(form)s"))
    for privilege, filled_by in ((FILL, _BY.HOSPITAL), (PATHOLOGY, _BY.PATHOLOGIST)):
        if can(user, privilege):
            drafts = visible(user, CaseForm.objects.all(), privilege).filter(
                status=CaseForm.Status.DRAFT, slot__filled_by=filled_by
            )
            waiting += _told(drafts, _("Fill in %(form)s"))
    return waiting[:MOST]


def _told(forms: QuerySet[CaseForm], words: str) -> list[WaitingForm]:
    related = forms.select_related("slot", "case__patient").defer("answers", "personal_answers")
    return [
        WaitingForm(
            form.case.patient.number,
            words % {"form": form.slot.title},
            reverse("digital_review:form", args=[form.pk]),
            form.due_on,
        )
        for form in related.order_by("due_on", "pk")[:MOST]
    ]
