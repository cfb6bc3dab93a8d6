"""What people are told: on screen, and by mail through an outbox (PT-048)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.policies import AccessPolicy, Anywhere
from portal.records.models import Record


class Notification(Record):
    """One message on a person's screen, until read."""

    class Level(models.TextChoices):
        INFO = "info", _("information")
        WARNING = "warning", _("warning")
        ALARM = "alarm", _("alarm")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notifications"
    )
    level = models.CharField(max_length=10, choices=Level.choices, default=Level.INFO)
    text = models.CharField(max_length=300)
    url = models.CharField(max_length=300, blank=True)
    read_at = models.DateTimeField(null=True)

    class Meta(Record.Meta):
        indexes = [models.Index(fields=["user", "read_at"])]

    def __str__(self) -> str:
        return self.text


class NotificationChoice(Record):
    """How a person wants messages of a level by mail too. Without a row the level decides."""

    class Mail(models.TextChoices):
        NEVER = "never", _("on the screen only")
        DAILY = "daily", _("also in one mail a day")
        AT_ONCE = "at_once", _("also by mail at once")

    DEFAULTS = {
        "info": Mail.NEVER,
        "warning": Mail.DAILY,
        "alarm": Mail.AT_ONCE,
    }

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notification_choices"
    )
    level = models.CharField(max_length=10, choices=Notification.Level.choices)
    mail = models.CharField(max_length=10, choices=Mail.choices, default=Mail.NEVER)

    class Meta(Record.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["user", "level"],
                condition=Q(deleted_at__isnull=True),
                name="one_notification_choice",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.level} {self.mail}"


class Digest(Record):
    """The one mail a day that told a person of unread messages."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="digests"
    )
    day = models.DateField()

    class Meta(Record.Meta):
        constraints = [
            models.UniqueConstraint(fields=["user", "day"], name="one_digest_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.day}"


class OutboxMail(Record):
    """A mail on its way. It holds no personal data: a subject, and a link into the portal."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        GIVEN_UP = "given_up", _("given up")

    to = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    last_error = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True)

    access = AccessPolicy(
        view=("notifications.see_outbox",), scopes={"notifications.see_outbox": Anywhere()}
    )

    class Meta(Record.Meta):
        indexes = [models.Index(fields=["state", "next_attempt_at"])]

    def __str__(self) -> str:
        return f"{self.subject} → {self.to}"
