"""Review types as data: their flow, their forms, their outcomes (DR-064, DR-105, DR-160)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from digital_review.models.reach import SET_UP, review_policy
from portal.flows.models import FlowDesign
from portal.forms.models import FormDesign
from portal.organisation.models import Unit
from portal.records.models import Record

_RESTORE = {"restore": SET_UP}


class ReviewType(Record):
    """One kind of central review, such as MDS-BMF. Roles are held at the unit that owns it."""

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    code = models.SlugField(_("code"), max_length=40)
    name = models.CharField(_("name"), max_length=100)
    flow = models.ForeignKey(FlowDesign, on_delete=models.PROTECT, related_name="+")
    cadence_months = models.PositiveSmallIntegerField(_("months between meetings"), default=3)
    follow_up_months = models.PositiveSmallIntegerField(_("months until follow-up"), default=6)
    reminder_days = models.PositiveSmallIntegerField(
        _("days until an unanswered form is reminded of"), default=30
    )
    reminder_days_before = models.PositiveSmallIntegerField(
        _("days before the meeting for the last reminder"), default=14
    )
    information_days_before = models.PositiveSmallIntegerField(
        _("days before the meeting for the information to the pathologist"), default=28
    )
    report_days_before = models.PositiveSmallIntegerField(
        _("days before the meeting for the pathologist's report"), default=21
    )
    # where in its forms the diagnoses stand, as facts: "precrf.A50"
    working_diagnosis = models.CharField(_("working diagnosis"), max_length=130, blank=True)
    local_diagnosis = models.CharField(
        _("local pathologist's diagnosis"), max_length=130, blank=True
    )
    diagnosis = models.CharField(_("classifying diagnosis"), max_length=130)

    access = review_policy("", **_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("review type")
        verbose_name_plural = _("review types")
        ordering = ("name", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=["code"], condition=Q(deleted_at__isnull=True), name="review_type_code_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class FormSlot(Record):
    """A form that a review type uses, and what for. Its code is its name in facts."""

    class FilledBy(models.TextChoices):
        HOSPITAL = "hospital", _("the hospital, or the trial bureau for it")
        PATHOLOGIST = "pathologist", _("the review pathologist")
        MEETING = "meeting", _("the meeting")
        REVIEWERS = "reviewers", _("who takes part in the review")

    class SignedBy(models.TextChoices):
        NOBODY = "", _("nobody")
        DOCTOR = "doctor", _("the treating doctor")
        PATHOLOGIST = "pathologist", _("the review pathologist")
        SPECIALIST = "specialist", _("the specialist responsible for the outcome")

    class Begins(models.TextChoices):
        START = "start", _("with the case")
        ACTION = "action", _("when the flow opens it")
        MEETING = "meeting", _("with the meeting")

    review_type = models.ForeignKey(ReviewType, on_delete=models.PROTECT, related_name="slots")
    code = models.CharField(_("code"), max_length=40)
    title = models.CharField(_("title"), max_length=100)
    design = models.ForeignKey(FormDesign, on_delete=models.PROTECT, related_name="+")
    filled_by = models.CharField(_("filled in by"), max_length=12, choices=FilledBy.choices)
    signed_by = models.CharField(
        _("signed by"), max_length=12, choices=SignedBy.choices, blank=True, default=""
    )
    begins = models.CharField(_("begins"), max_length=8, choices=Begins.choices)
    repeats = models.BooleanField(_("repeats"), default=False)
    needed = models.BooleanField(_("needed before the meeting"), default=False)
    order = models.PositiveSmallIntegerField(_("place in the list"), default=1)

    access = review_policy("review_type", **_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("form of a review type")
        verbose_name_plural = _("forms of a review type")
        ordering = ("review_type_id", "order", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=["review_type", "code"],
                condition=Q(deleted_at__isnull=True),
                name="form_slot_code_once",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Outcome(Record):
    """What a review can end in, and who is responsible for it then (DR-075, DR-120)."""

    review_type = models.ForeignKey(ReviewType, on_delete=models.PROTECT, related_name="outcomes")
    code = models.CharField(_("code"), max_length=64)
    """As the form that names the diagnosis has it in its code list."""
    name = models.CharField(_("outcome"), max_length=100)
    met = models.BooleanField(_("a diagnosis"), default=True)
    """False: no diagnosis could be made, the review goes on."""
    to_panel = models.BooleanField(_("goes to the European morphology panel"), default=False)
    specialists = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="OutcomeSpecialist", related_name="+"
    )
    advice = models.TextField(_("advice for the letter"), blank=True)
    order = models.PositiveSmallIntegerField(_("place in the list"), default=1)

    access = review_policy("review_type", **_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("outcome")
        verbose_name_plural = _("outcomes")
        ordering = ("review_type_id", "order", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=["review_type", "code"],
                condition=Q(deleted_at__isnull=True),
                name="outcome_code_once",
            )
        ]

    def __str__(self) -> str:
        return self.name


class OutcomeSpecialist(Record):
    """Who signs reviews that end in this outcome."""

    outcome = models.ForeignKey(Outcome, on_delete=models.PROTECT, related_name="responsible")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    access = review_policy("outcome__review_type", **_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("responsible specialist")
        verbose_name_plural = _("responsible specialists")
        constraints = [
            models.UniqueConstraint(
                fields=["outcome", "person"],
                condition=Q(deleted_at__isnull=True),
                name="outcome_specialist_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.person}"
