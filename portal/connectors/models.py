"""What outside systems answered, kept with *as of*, and what is still to be written to them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.models import no_delete

LONGEST_KEY = 200


class CachedAnswer(models.Model):
    """The newest answer to one question (DR-142). A cache: no record, and removed when unused.

    Holds personal data. Only this app's services read it; who may see a value is decided by the
    module that asks for it.
    """

    system = models.CharField(max_length=50)
    resource = models.CharField(max_length=50)
    key = models.CharField(max_length=LONGEST_KEY)
    value = models.JSONField(null=True)
    found = models.BooleanField(help_text="false: the other side has nothing under this key")
    as_of = models.DateTimeField(help_text="when the question was put that this answers")
    stale = models.BooleanField(default=False, help_text="to be asked anew whatever its age")
    used_at = models.DateTimeField(default=timezone.now)
    size_bytes = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("answer of an outside system")
        constraints = [
            models.UniqueConstraint(fields=["system", "resource", "key"], name="one_answer"),
        ]
        indexes = [models.Index(fields=["used_at"], name="answer_used_at")]

    def __str__(self) -> str:
        return f"{self.system} {self.resource} {self.pk}"


class QueuedWrite(models.Model):
    """Something to be written to an outside system: tried until it is accepted (DR-134).

    ``payload`` is removed some time after it was delivered or dropped; the row stays.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        REFUSED = "refused", _("refused")
        DELIVERED = "delivered", _("delivered")
        CORRECTED = "corrected", _("corrected")
        DROPPED = "dropped", _("dropped")

    system = models.CharField(_("system"), max_length=50)
    resource = models.CharField(_("resource"), max_length=50)
    key = models.CharField(_("key"), max_length=LONGEST_KEY)
    payload = models.JSONField(null=True)
    idempotency_key = models.CharField(max_length=200)
    place = models.BigIntegerField(
        null=True, help_text="its place in the order of its key; a correction takes the original's"
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.WAITING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    problem = models.CharField(max_length=20, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    queued_at = models.DateTimeField(_("queued"), default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    tried_at = models.DateTimeField(_("last tried"), null=True)
    settled_at = models.DateTimeField(
        null=True, help_text="when it was delivered, corrected or dropped"
    )
    corrects = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="corrections"
    )

    OPEN = (State.WAITING, State.REFUSED)
    """It has no effect at the other side yet, and may still have."""

    class Meta:
        verbose_name = _("queued write")
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(fields=["system", "idempotency_key"], name="write_once"),
        ]
        indexes = [
            models.Index(
                fields=["system", "resource", "key", "place"],
                condition=models.Q(state__in=["waiting", "refused"]),
                name="write_open",
            ),
            models.Index(fields=["system", "key", "resource"], name="write_key"),
        ]
        triggers = no_delete()

    def __str__(self) -> str:
        return f"{self.system} {self.resource} {self.pk}"

    def save(self, *args: Any, **options: Any) -> None:
        super().save(*args, **options)
        if self.place is None:
            self.place = self.pk
            super().save(update_fields=["place"])
