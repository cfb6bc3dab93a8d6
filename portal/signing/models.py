"""Electronic signatures and the keys people sign with (PT-030)."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.policies import AccessPolicy
from portal.records.models import (
    ActiveManager,
    ActiveQuerySet,
    AppendOnlyHistory,
    BareRecord,
    append_only,
)
from portal.signing.reach import REVOKE, KeysOfUnit


class Method(models.TextChoices):
    """How a signer proves to be the signer (the values are `crypto.ProofMethod`'s)."""

    PIN = "pin", _("signing PIN")
    PASSKEY = "passkey", _("passkey")


class SigningKeyQuerySet(ActiveQuerySet):
    """Ways to ask for a person's keys."""

    def in_use(self) -> Self:
        return self.filter(revoked_at__isnull=True)

    def pins(self) -> Self:
        return self.filter(method=Method.PIN)

    def passkeys(self) -> Self:
        return self.filter(method=Method.PASSKEY)


class SigningKeyManager(ActiveManager.from_queryset(SigningKeyQuerySet)):  # type: ignore[misc]
    """Keys that are not soft-deleted."""


class SigningKey(BareRecord):
    """What a person signs with: an RSA-3072 key under their signing PIN, or a passkey.

    The RSA key is sealed by the PIN and a secret outside the database; a passkey's private half
    never leaves the person's device. ``revoked_at`` says from when on a key is not trusted: what it
    signed before stays valid.
    """

    secret_fields = ("sealed",)

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="signing_keys"
    )
    method = models.CharField(max_length=10, choices=Method.choices, default=Method.PIN)
    key_id = models.CharField(max_length=64, unique=True)
    public_pem = models.TextField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    # of a PIN
    sealed = models.JSONField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True)
    # of a passkey
    name = models.CharField(_("name"), max_length=60, blank=True)
    credential_id = models.TextField(null=True, unique=True, help_text="base64url")
    cose = models.TextField(blank=True, help_text="the public key as COSE, base64")
    rp_id = models.CharField(max_length=253, blank=True, help_text="the host name it works at")
    transports = ArrayField(models.CharField(max_length=20), default=list)
    sign_count = models.PositiveBigIntegerField(default=0)
    suspected_at = models.DateTimeField(
        null=True, help_text="its counter went back, so it may have been copied: signs no more"
    )

    # a key sealed by a former PIN must not stay behind; tries and uses are counted, not recorded
    history = AppendOnlyHistory(
        excluded_fields=["sealed", "failures", "sign_count", "last_used_at"]
    )
    access = AccessPolicy(view=(REVOKE,), scopes={REVOKE: KeysOfUnit()})

    objects = SigningKeyManager()

    class Meta(BareRecord.Meta):
        verbose_name = _("signing key")
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(method=Method.PIN, revoked_at__isnull=True, deleted_at__isnull=True),
                name="one_signing_key_in_use",
            ),
            models.CheckConstraint(
                condition=Q(method=Method.PIN, sealed__isnull=False, credential_id__isnull=True)
                | Q(method=Method.PASSKEY, sealed__isnull=True, credential_id__isnull=False),
                name="signing_key_is_of_one_method",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.key_id}"

    @property
    def is_passkey(self) -> bool:
        return self.method == Method.PASSKEY


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
    method = models.CharField(max_length=10, choices=Method.choices, default=Method.PIN)
    proof = models.TextField(
        help_text="base64: the RSA-PSS proof of a PIN's key, or a passkey's assertion with what it"
        " was asked to sign"
    )
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
