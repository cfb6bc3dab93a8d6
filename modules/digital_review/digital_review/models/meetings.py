"""Meetings of a review: who takes part, which patients, opinions, and the room while it is held."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from digital_review.models.cases import Case, CaseForm
from digital_review.models.reach import MANAGE, case_policy, opinion_policy, review_policy
from digital_review.models.review_types import Outcome, ReviewType
from portal.organisation.models import Unit
from portal.records.models import Record


def to_person(verbose_name: Any, *, null: bool = False) -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=verbose_name,
        null=null,
        blank=null,
    )


class Meeting(Record):
    """A review meeting (DR-051)."""

    class Status(models.TextChoices):
        PLANNED = "planned", _("Planned")
        RUNNING = "running", _("Running")
        HELD = "held", _("Held")
        CANCELLED = "cancelled", _("Cancelled")

    review_type = models.ForeignKey(ReviewType, on_delete=models.PROTECT, related_name="meetings")
    starts_at = models.DateTimeField(_("begins"))
    place = models.CharField(_("place"), max_length=200, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PLANNED
    )
    chairman = to_person(_("chairman"))
    secretary = to_person(_("secretary"))
    pathologist = to_person(_("expert pathologist"))
    pathologist_hospital = models.ForeignKey(
        Unit, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    video_room = models.CharField(_("video room"), max_length=200, blank=True)
    """A room of the house's video service, or a whole https address (DR-062)."""
    opinions_first = models.BooleanField(_("opinions before others' are shown"), default=True)
    # said once each: to the pathologist (DR-073), and who was registered or is not in time (DR-074)
    information_sent_at = models.DateTimeField(_("information sent"), null=True, blank=True)
    reports_checked_at = models.DateTimeField(_("reports checked"), null=True, blank=True)
    # while it is held
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    shown = models.ForeignKey(
        "AgendaItem", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    """The patient on the table: what the chairman shows."""
    writer = to_person(_("who writes"), null=True)
    """Who holds the pen: the secretary, or the chairman who took it over."""

    access = review_policy("review_type", restore=MANAGE)

    class Meta(Record.Meta):
        verbose_name = _("meeting")
        verbose_name_plural = _("meetings")
        ordering = ("starts_at", "pk")

    def __str__(self) -> str:
        return f"{self.review_type} {self.starts_at:%Y-%m-%d}"


class Participant(Record):
    """Somebody invited to a meeting, or deputising for one of its officers (DR-011)."""

    class Part(models.TextChoices):
        CHAIRMAN = "chairman", _("chairman")
        SECRETARY = "secretary", _("secretary")
        PATHOLOGIST = "pathologist", _("pathologist")
        SPECIALIST = "specialist", _("specialist")
        CLINICIAN = "clinician", _("clinician")
        GUEST = "guest", _("guest")

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="participants")
    person = to_person(_("person"))
    part = models.CharField(_("as"), max_length=12, choices=Part.choices)
    deputises_for = to_person(_("stands in for"), null=True)

    access = review_policy("meeting__review_type", restore=MANAGE)

    class Meta(Record.Meta):
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(
                fields=["meeting", "person", "part"],
                condition=Q(deleted_at__isnull=True),
                name="participant_once",
            ),
            models.CheckConstraint(
                condition=Q(deputises_for__isnull=True) | ~Q(deputises_for=F("person")),
                name="nobody_stands_in_for_themselves",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}, {self.get_part_display()}"


class AgendaItem(Record):
    """A patient on a meeting's list."""

    class Status(models.TextChoices):
        TO_DISCUSS = "to_discuss", _("To discuss")
        DISCUSSED = "discussed", _("Discussed")
        POSTPONED = "postponed", _("Postponed")

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="items")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="agenda_items")
    position = models.PositiveSmallIntegerField(_("place in the list"), default=1)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.TO_DISCUSS
    )
    form = models.ForeignKey(
        CaseForm, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    """The form of the central review that the meeting writes (form C)."""
    disclosed_at = models.DateTimeField(_("opinions disclosed"), null=True, blank=True)
    minority = models.TextField(_("minority opinion"), blank=True)
    discussed_at = models.DateTimeField(_("discussed"), null=True, blank=True)

    access = case_policy("case")

    class Meta(Record.Meta):
        verbose_name = _("patient of a meeting")
        verbose_name_plural = _("patients of a meeting")
        ordering = ("meeting_id", "position", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=["meeting", "case"],
                condition=Q(deleted_at__isnull=True),
                name="case_once_in_meeting",
            ),
            models.UniqueConstraint(
                fields=["case"],
                condition=Q(deleted_at__isnull=True, status="to_discuss"),
                name="case_in_one_coming_meeting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} {self.meeting}"


class Opinion(Record):
    """What one participant thinks, before the others' opinions are shown."""

    item = models.ForeignKey(AgendaItem, on_delete=models.PROTECT, related_name="opinions")
    person = to_person(_("person"))
    outcome = models.ForeignKey(Outcome, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(_("why"), blank=True)
    given_at = models.DateTimeField(_("given"))

    access = opinion_policy()

    class Meta(Record.Meta):
        verbose_name = _("opinion")
        verbose_name_plural = _("opinions")
        ordering = ("given_at", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=["item", "person"],
                condition=Q(deleted_at__isnull=True),
                name="one_opinion_each",
            )
        ]

    def __str__(self) -> str:
        return f"{self.item} {self.person}"
