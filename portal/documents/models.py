"""Issued documents: sealed PDFs that are never altered (TS-086)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from portal.records.models import append_only


class IssuedDocument(models.Model):
    """One PDF as it was issued. A correction issues the next revision; this one stays."""

    kind = models.CharField(max_length=50)
    object_type = models.CharField(max_length=100)
    object_id = models.CharField(max_length=100)
    revision = models.PositiveIntegerField()
    number = models.CharField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    data = models.JSONField(help_text="what the PDF was made from")
    pdf = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    issued_at = models.DateTimeField(default=timezone.now)
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        ordering = ("-issued_at", "-pk")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "object_type", "object_id", "revision"], name="document_revision"
            )
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.title} {self.number}"


class DocumentSupersession(models.Model):
    """The document is no longer in force, and why."""

    document = models.OneToOneField(
        IssuedDocument, on_delete=models.PROTECT, related_name="supersession"
    )
    at = models.DateTimeField(default=timezone.now)
    reason = models.TextField()

    class Meta:
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.document} superseded: {self.reason}"
