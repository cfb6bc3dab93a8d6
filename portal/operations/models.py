"""The signed configuration, and what each place last found of it (OP-005)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.policies import AccessPolicy, Anywhere
from portal.audit.models import ChainLink
from portal.records.models import append_only

SIGN_CONFIGURATION = "operations.sign_configuration"
BROWSE_LOGS = "audit.browse_logs"


class SignedConfiguration(models.Model):
    """What decided a module's clinical behaviour when somebody signed it: never changed.

    Its electronic signature covers ``module`` and ``stated``. The newest one of a module is in
    force; what the module states now is compared with it.
    """

    module = models.CharField(_("module"), max_length=100)
    stated = models.JSONField(_("settings"))
    digest = models.CharField(max_length=64, help_text="SHA-256 of the settings' canonical JSON")
    signed_at = models.DateTimeField(_("signed"), default=timezone.now)
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.TextField(_("reason"))

    access = AccessPolicy(view=(SIGN_CONFIGURATION,), scopes={SIGN_CONFIGURATION: Anywhere()})

    class Meta:
        verbose_name = _("signed configuration")
        ordering = ("-pk",)
        indexes = [models.Index(fields=["module", "-id"], name="signed_configuration_newest")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.module} ({self.signed_at:%Y-%m-%d %H:%M} UTC)"


class ConfigurationFinding(models.Model):
    """What one place (a service of a host) last found of a module's configuration.

    Not a record: it is overwritten at each look; every change between *clinical* and
    *non-clinical* is in the audit trail.
    """

    class State(models.TextChoices):
        SIGNED = "signed", _("As signed")
        UNSIGNED = "unsigned", _("Never signed")
        CHANGED = "changed", _("Changed since signing")
        BROKEN = "broken", _("The signature does not hold")
        UNREADABLE = "unreadable", _("Cannot be read")

    module = models.CharField(max_length=100)
    place = models.CharField(max_length=200)
    state = models.CharField(max_length=12, choices=State.choices)
    clinical = models.BooleanField()
    digest = models.CharField(max_length=64, blank=True)
    detail = models.TextField(blank=True)
    since = models.DateTimeField()
    looked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["module", "place"], name="one_finding_a_place")
        ]

    def __str__(self) -> str:
        return f"{self.module} at {self.place}: {self.get_state_display()}"


class TrailReview(models.Model):
    """A signed review of the audit trail, from where the last one ended: never changed (PT-024).

    ``head`` is the chain's last reviewed link: its hash covers every entry up to it, so the
    signature does not hold any more where one of them is changed.
    """

    first_seq = models.BigIntegerField(_("first link"))
    last_seq = models.BigIntegerField(_("last link"))
    head = models.ForeignKey(ChainLink, on_delete=models.PROTECT, related_name="+")
    from_at = models.DateTimeField(_("from"))
    until_at = models.DateTimeField(_("until"))
    filters = models.JSONField(_("looked at"), default=dict)
    found = models.BigIntegerField(_("entries looked at"))
    findings = models.TextField(_("findings"))
    reviewed_at = models.DateTimeField(_("reviewed"), default=timezone.now)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )

    access = AccessPolicy(view=(BROWSE_LOGS,), scopes={BROWSE_LOGS: Anywhere()})

    class Meta:
        verbose_name = _("review of the audit trail")
        ordering = ("-pk",)
        constraints = [
            # every entry is reviewed once: of two at once, one is second
            models.UniqueConstraint(fields=["first_seq"], name="trail_reviewed_once"),
            models.CheckConstraint(
                condition=models.Q(last_seq__gte=models.F("first_seq")), name="review_has_entries"
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.first_seq}–{self.last_seq}"

    @property
    def entries(self) -> int:
        """How many entries the reviewed part has."""
        return self.last_seq - self.first_seq + 1
