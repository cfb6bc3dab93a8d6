"""Patients, their cases in a review, and the forms of a case."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from digital_review.models.reach import case_policy, form_policy, letter_policy, patient_policy
from digital_review.models.review_types import FormSlot, Outcome, ReviewType
from portal.access.masking import PersonalCharField, PersonalDateField
from portal.flows.models import FlowCase, Passage
from portal.forms.models import Sheet
from portal.organisation.models import Unit
from portal.records.models import Record
from portal.signing.models import Signature


class Patient(Record):
    """One person, known by one number; initials and birth date are often equal (DR-144, DR-185)."""

    number = models.CharField(_("patient number"), max_length=30)
    initials = PersonalCharField(_("initials"), max_length=20, blank=True)
    born_on = PersonalDateField(_("date of birth"), null=True, blank=True)
    hospital = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="+", verbose_name=_("hospital")
    )
    # what an outside registry said, and when it was read there
    registry_as_of = models.DateTimeField(_("as of"), null=True, blank=True)

    access = patient_policy()

    class Meta(Record.Meta):
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        ordering = ("number",)
        constraints = [
            models.UniqueConstraint(
                fields=["number"], condition=Q(deleted_at__isnull=True), name="patient_number_once"
            )
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def access_log_patient(self) -> str:
        return self.number


class Case(FlowCase):
    """A patient in a review: where it stands, and what came of it."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="cases")
    review_type = models.ForeignKey(ReviewType, on_delete=models.PROTECT, related_name="cases")
    registered_on = models.DateField(_("registered"))
    working_diagnosis = models.CharField(_("working diagnosis"), max_length=200, blank=True)
    outcome = models.ForeignKey(
        Outcome, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    classified_on = models.DateField(_("classified"), null=True, blank=True)
    protocol = models.CharField(_("protocol"), max_length=100, blank=True)
    protocol_comment = models.TextField(_("comments of the protocol committee"), blank=True)
    follow_up_due_on = models.DateField(_("follow-up due"), null=True, blank=True)
    round_began_at = models.DateTimeField(_("present round began"), null=True, blank=True)
    """When a follow-up was last asked for: what was found before decides nothing any more."""
    # complete or not, kept up by services so that an overview of 1,000 is one query
    information_complete = models.BooleanField(_("information complete"), default=False)
    slides_received_at = models.DateTimeField(_("slides received"), null=True, blank=True)
    slides_received_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    access = case_policy("")

    class Meta(FlowCase.Meta):
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "review_type"],
                condition=Q(deleted_at__isnull=True),
                name="patient_once_in_review_type",
            )
        ]

    def __str__(self) -> str:
        return f"{self.patient} {self.review_type}"

    @property
    def access_log_patient(self) -> str:
        return self.patient.number


class CasePassage(Passage):
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="passages")

    access = case_policy("case")

    class Meta(Passage.Meta):
        verbose_name = _("step of a case")
        verbose_name_plural = _("steps of a case")


class CaseForm(Sheet):
    """A form of a case: who is to fill it in is said by its slot."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="forms")
    slot = models.ForeignKey(FormSlot, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField(_("number"), default=1)
    """Of a form that repeats: the second follow-up is number 2."""
    asked_at = models.DateTimeField(_("asked"))
    due_on = models.DateField(_("due"), null=True, blank=True)
    reminded_at = models.DateTimeField(_("reminded"), null=True, blank=True)
    signature = models.ForeignKey(
        Signature, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    transcribed = models.BooleanField(
        _("transcribed from the signed paper original"), default=False
    )

    access = form_policy()

    class Meta(Sheet.Meta):
        verbose_name = _("form of a case")
        verbose_name_plural = _("forms of a case")
        ordering = ("case_id", "slot__order", "number")
        constraints = [
            models.UniqueConstraint(
                fields=["case", "slot", "number"],
                condition=Q(deleted_at__isnull=True),
                name="case_form_once",
            ),
            models.CheckConstraint(
                condition=Q(signature__isnull=True) | Q(status="locked"),
                name="signed_form_locked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case.patient} {self.slot.title}"

    @property
    def access_log_patient(self) -> str:
        return self.case.patient.number


class Anamnesis(Record):
    """History and background that a clinician adds to a case (DR-039)."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="anamneses")
    text = models.TextField(_("history and background"))
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    written_at = models.DateTimeField(_("written"))

    access = case_policy("case")

    class Meta(Record.Meta):
        verbose_name = _("anamnesis")
        verbose_name_plural = _("anamneses")
        ordering = ("-written_at", "-pk")

    def __str__(self) -> str:
        return f"{self.case} {self.written_at:%Y-%m-%d}"


class Letter(Record):
    """A letter about a case: its paper is an issued document of the same key (DR-076, DR-077)."""

    class Kind(models.TextChoices):
        ONCOLOGIST = "oncologist", _("to the treating paediatric oncologist")
        PATHOLOGIST = "pathologist", _("to the local pathologist")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="letters")
    form = models.ForeignKey(CaseForm, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(_("letter"), max_length=12, choices=Kind.choices)
    outcome = models.ForeignKey(Outcome, on_delete=models.PROTECT, related_name="+")
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    written_at = models.DateTimeField(_("written"))

    access = letter_policy()

    class Meta(Record.Meta):
        verbose_name = _("letter")
        verbose_name_plural = _("letters")
        ordering = ("-written_at", "-pk")

    def __str__(self) -> str:
        return f"{self.case} {self.get_kind_display()}"
