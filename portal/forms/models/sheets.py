"""Answered forms: what the modules' own tables of them have in common.

A module subclasses `Sheet`, adds whose it is and its access policy (with ``personal``: the
privilege that shows the answers of personal items), and uses `portal.forms.services`.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.masking import PersonalJSONField
from portal.forms.models.designs import FormVersion
from portal.records.models import Record, append_only


def no_answers() -> dict[str, Any]:
    return {"values": {}, "rows": {}}


class Sheet(Record):
    """One form with its answers, on the version of the form on which they were given."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        COMPLETE = "complete", _("Complete")
        LOCKED = "locked", _("Locked")

    form_version = models.ForeignKey(FormVersion, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.DRAFT
    )
    answers = models.JSONField(_("answers"), default=no_answers)
    """As `portal.forms.rules.answers.answers_to_json`, less those of personal items."""
    personal_answers = PersonalJSONField(_("answers with personal data"), default=no_answers)
    """Likewise, those of personal items only: masked as a whole where the reader may not see."""
    completed_at = models.DateTimeField(_("completed"), null=True, blank=True)
    completed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta(Record.Meta):
        abstract = True


class UnsavedInput(models.Model):
    """What somebody typed into a sheet and did not save yet: theirs alone, until they save.

    No record: it has no history, is overwritten at each field that is left, and goes when the sheet
    is saved. It outlives a closed browser (DR-007).
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    sheet_type = models.CharField(max_length=100)
    """As the audit trail names it: ``digital_review.caseform``."""
    sheet_id = models.BigIntegerField()
    opened_version = models.PositiveIntegerField()
    """The version of the sheet that was on the screen when typing began."""
    typed = models.JSONField(default=dict)
    """Field name (`portal.forms.fields.name_of`) to the text as typed; only what was touched."""
    sequence = models.BigIntegerField(default=0)
    """The number of the last change taken in, given by the page: late ones change nothing."""
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "sheet_type", "sheet_id"], name="unsaved_input_once"
            )
        ]
        indexes = [models.Index(fields=["sheet_type", "sheet_id"])]

    def __str__(self) -> str:
        return f"{self.person} {self.sheet_type} {self.sheet_id}"


class AnswerFile(models.Model):
    """A file given as an answer; the answer is its `Reference`. Never changed, seldom large."""

    sheet_type = models.CharField(max_length=100)
    sheet_id = models.BigIntegerField()
    item = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    uploaded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["sheet_type", "sheet_id"])]
        triggers = append_only()

    def __str__(self) -> str:
        return self.name
