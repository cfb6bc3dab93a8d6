"""Electronic signatures and the keys people sign with (PT-030)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.models import AppendOnlyHistory, BareRecord, append_only


class SigningKey(BareRecord):
    """A person's RSA-3072 key, sealed by their signing PIN and a secret outside the database.

    ``revoked_at`` says from when on it is not trusted: what it signed before stays valid.
    """

    secret_fields = ("sealed",)

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="signing_keys"
    )
    key_id = models.CharField(max_length=64, unique=True)
    public_pem = models.TextField()
    sealed = models.JSONField()
    failures = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    # a key sealed by a former PIN must not stay behind; tries are counted, not recorded
    history = AppendOnlyHistory(excluded_fields=["sealed", "failures"])

    class Meta(BareRecord.Meta):
        verbose_name = _("signing key")
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(revoked_at__isnull=True, deleted_at__isnull=True),
                name="one_signing_key_in_use",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.key_id}"


class Signature(models.Model):
    """What was signed, by whom, meaning what: never changed, never removed."""

    signable = models.CharField(max_length=100)
    object_type = models.CharField(max_length=100)
    object_id = models.CharField(max_length=100)
    signer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="signatures"
    )
    printed_name = models.CharField(max_length=200)
    meaning = models.CharField(max_length=200)
    signed_at = models.DateTimeField(default=timezone.now)
    payload = models.TextField(help_text="canonical JSON (RFC 8785) of what the signer saw")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the payload, hexadecimal")
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="signatures")
    proof = models.TextField(help_text="the signer's RSA-PSS proof, base64")
    countersignature = models.TextField(help_text="the server's Ed25519 signature, base64")
    countersign_key_id = models.CharField(max_length=32)

    class Meta:
        ordering = ("-signed_at", "-pk")
        indexes = [models.Index(fields=["object_type", "object_id"])]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.printed_name}: {self.meaning} ({self.signed_at:%Y-%m-%d %H:%M} UTC)"


class Supersession(models.Model):
    """A signature no longer stands for the present state: the record was corrected since."""

    signature = models.OneToOneField(
        Signature, on_delete=models.PROTECT, related_name="supersession"
    )
    at = models.DateTimeField(default=timezone.now)
    reason = models.TextField()

    class Meta:
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.signature} superseded: {self.reason}"


class SignatureVerification(models.Model):
    """The outcome of verifying every signature, for the operations page and the auditors."""

    at = models.DateTimeField(default=timezone.now)
    signatures = models.PositiveBigIntegerField()
    faults = models.JSONField(default=list)

    class Meta:
        ordering = ("-at", "-pk")
        triggers = append_only()

    def __str__(self) -> str:
        return (
            f"{self.at:%Y-%m-%d %H:%M} UTC: {self.signatures} signatures, {len(self.faults)} faults"
        )
