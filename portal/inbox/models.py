"""What came from outside, kept before it is acknowledged (TS-021, TS-061)."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.models import no_delete


class InboundMessage(models.Model):
    """One message or file as received: never altered; a correction is a new message beside it.

    ``raw`` is encrypted with the server's inbox key, stripped before of what must not be kept.
    """

    class State(models.TextChoices):
        RECEIVED = "received", _("received")
        DONE = "done", _("processed")
        QUARANTINED = "quarantined", _("quarantined")
        SETTLED = "settled", _("settled by a person")

    channel = models.CharField(_("channel"), max_length=50)
    kind = models.CharField(_("kind"), max_length=50, blank=True)
    source = models.CharField(_("source"), max_length=200)
    identity = models.CharField(
        max_length=200, help_text="the same thing sent again has the same identity"
    )
    raw = models.BinaryField(null=True)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveIntegerField()
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    state = models.CharField(
        _("state"), max_length=12, choices=State.choices, default=State.RECEIVED
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    outcome = models.TextField(_("outcome"), blank=True)
    processed_at = models.DateTimeField(_("processed"), null=True)
    corrects = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="corrections"
    )

    class Meta:
        verbose_name = _("received message")
        ordering = ("-received_at", "-pk")
        constraints = [
            models.UniqueConstraint(fields=["channel", "identity"], name="inbound_once"),
        ]
        indexes = [
            models.Index(
                fields=["received_at"],
                condition=models.Q(state="received"),
                name="inbound_waiting",
            ),
            models.Index(
                fields=["-received_at"],
                condition=models.Q(state="quarantined"),
                name="inbound_quarantined",
            ),
        ]
        triggers = no_delete()

    def __str__(self) -> str:
        return f"{self.channel} {self.kind} {self.identity}"
