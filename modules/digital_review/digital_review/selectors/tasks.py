"""What waits for a person in Digital Review (PT-045, DR-030)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from digital_review.models import (
    AgendaItem,
    Case,
    CaseForm,
    CasePassage,
    FormSlot,
    Meeting,
    OutcomeSpecialist,
)
from digital_review.models.reach import (
    BUREAU,
    FILL,
    MANAGE,
    PATHOLOGY,
    SIGN_FORM,
    SIGN_REVIEW,
)
from portal.access.decision import can, visible
from portal.notifications.my_tasks import MyTask

_BY = FormSlot.FilledBy
_SIGNED = FormSlot.SignedBy


def open_tasks(user: Any) -> Iterator[MyTask]:
    """To fill in, to sign, slides to receive, what is missing: by what the person may do."""
    if can(user, FILL):
        yield from _to_fill(user, FILL, _BY.HOSPITAL)
    if can(user, PATHOLOGY):
        yield from _to_fill(user, PATHOLOGY, _BY.PATHOLOGIST)
        yield from _slides(user)
    for privilege, by in (
        (SIGN_FORM, _SIGNED.DOCTOR),
        (PATHOLOGY, _SIGNED.PATHOLOGIST),
        (SIGN_REVIEW, _SIGNED.SPECIALIST),
    ):
        if can(user, privilege):
            yield from _to_sign(user, privilege, by)
    if can(user, BUREAU) or can(user, MANAGE):
        yield from _missing(user)


def _to_fill(user: Any, privilege: str, by: str) -> Iterator[MyTask]:
    drafts = visible(user, CaseForm.objects.all(), privilege).filter(
        status=CaseForm.Status.DRAFT, slot__filled_by=by
    )
    found = drafts.aggregate(number=Count("pk"), first=Min("due_on"))
    if found["number"]:
        yield MyTask(
            ngettext("Fill in %(n)s form", "Fill in %(n)s forms", found["number"])
            % {"n": found["number"]},
            f"{reverse('digital_review:forms')}?status=draft",
            icon="clipboard",
            due_at=_end_of(found["first"]),
            count=found["number"],
            urgent=found["first"] is not None and found["first"] < timezone.localdate(),
        )


def forms_to_sign(user: Any, privilege: str, by: str) -> Any:
    """The complete forms that wait for the person's own signature."""
    waiting = visible(user, CaseForm.objects.all(), privilege).filter(
        status=CaseForm.Status.COMPLETE, slot__signed_by=by
    )
    if by != _SIGNED.SPECIALIST:
        return waiting
    responsible = OutcomeSpecialist.objects.filter(outcome=OuterRef("case__outcome"))
    return waiting.filter(Exists(responsible.filter(person=user)) | ~Exists(responsible))


def _to_sign(user: Any, privilege: str, by: str) -> Iterator[MyTask]:
    for form in forms_to_sign(user, privilege, by).select_related("slot", "case__patient"):
        yield MyTask(
            _("Sign %(form)s of patient %(patient)s")
            % {"form": form.slot.title, "patient": form.case.patient.number},
            reverse("digital_review:form", args=[form.pk]),
            icon="shield",
            due_at=form.completed_at,
        )


def _slides(user: Any) -> Iterator[MyTask]:
    """Of patients who are on the list of a coming meeting."""
    items = (
        visible(user, AgendaItem.objects.all(), PATHOLOGY)
        .filter(
            status=AgendaItem.Status.TO_DISCUSS,
            meeting__status=Meeting.Status.PLANNED,
            case__slides_received_at__isnull=True,
            case__deleted_at__isnull=True,
        )
        .aggregate(number=Count("pk"), first=Min("meeting__starts_at"))
    )
    if items["number"]:
        yield MyTask(
            ngettext(
                "Slides of %(n)s patient to receive",
                "Slides of %(n)s patients to receive",
                items["number"],
            )
            % {"n": items["number"]},
            reverse("digital_review:overview"),
            icon="microscope",
            due_at=items["first"],
            count=items["number"],
        )


def _missing(user: Any) -> Iterator[MyTask]:
    """What was missing when a review was forced stays to be done (DR-102)."""
    forced = CasePassage.objects.filter(case=OuterRef("pk"), forced=True).exclude(missing=[])
    cases = (
        visible(user, Case.objects.all())
        .filter(Exists(forced), information_complete=False)
        .select_related("patient")
        .order_by("flow_since")
    )
    for case in cases:
        yield MyTask(
            _("Forced review of patient %(patient)s: information is still missing")
            % {"patient": case.patient.number},
            reverse("digital_review:case", args=[case.pk]),
            icon="warning",
            due_at=case.flow_since,
        )


def _end_of(day: date | None) -> datetime | None:
    if day is None:
        return None
    return timezone.make_aware(datetime.combine(day, time(23, 59)))
