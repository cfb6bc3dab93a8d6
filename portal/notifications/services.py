"""Telling people on screen, and by mail as each of them chose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone, translation
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from portal.live.services import publish
from portal.notifications.models import Notification, NotificationChoice
from portal.notifications.outbox import address, queue_mail
from portal.records.errors import Refused
from portal.records.services import change_many, locked, writes

By = NotificationChoice.Mail
_LONGEST_TEXT = 300  # what the column holds


def person_topic(user: Any) -> str:
    return f"person/{user.pk}"


def is_oneself(user: Any, pk: str) -> bool:
    return str(user.pk) == pk


def notify(user: Any, text: str, *, url: str = "", level: str = Notification.Level.INFO) -> None:
    """Put a message on the person's screen, within the caller's transaction.

    Those who chose so are mailed that there is one, at once or with the day's others: the mail
    holds a link and nothing of the message, which may name a patient (PT-048).
    """
    text = Truncator(text).chars(_LONGEST_TEXT)  # it may quote what people wrote
    Notification.objects.create(user=user, text=text, url=url, level=level)
    publish(person_topic(user), "notification")
    if user.email and choices_of(user)[level] == By.AT_ONCE:
        with translation.override(user.language or settings.LANGUAGE_CODE):
            queue_mail(
                user.email,
                _("A message for you in %(portal)s") % {"portal": settings.PORTAL_NAME},
                _("Read it here: %(url)s") % {"url": address("notifications:list")},
            )


def choices_of(user: Any) -> dict[str, str]:
    """For each level how the person is told besides on the screen."""
    chosen = dict(
        user.notification_choices.filter(deleted_at__isnull=True).values_list("level", "mail")
    )
    return {
        level: chosen.get(level, NotificationChoice.DEFAULTS[level])
        for level in Notification.Level.values
    }


@writes
def choose_mail(*, actor: Any, choices: Mapping[str, str]) -> None:
    """One's own choice for each level of message; levels that are not named stay as they are."""
    unknown = set(choices) - set(Notification.Level.values)
    if unknown or not set(choices.values()) <= set(By.values):
        raise Refused(_("There is no such kind of message."), code="unknown_level")
    get_user_model().objects.select_for_update(no_key=True).get(pk=actor.pk)
    rows = {row.level: row for row in NotificationChoice.objects.filter(user=actor)}
    for level, current in choices_of(actor).items():
        wanted = choices.get(level, current)
        if wanted == current:
            continue
        row = rows.get(level) or NotificationChoice(user=actor, level=level)
        row.mail = wanted
        row.save()


def unread(user: Any) -> Any:
    return Notification.objects.filter(user=user, read_at__isnull=True)


def unread_count(user: Any) -> int:
    return unread(user).count()


def tasks_changed(users: Any) -> None:
    """*My tasks* of these people may have changed."""
    for user in users:
        publish(person_topic(user), "tasks")


@writes
def mark_read(*, actor: Any, notification_id: int) -> None:
    """Only one's own: another's is not found."""
    notification = locked(Notification.objects.filter(user=actor), notification_id)
    if notification.read_at is None:
        notification.read_at = timezone.now()
        notification.save(update_fields={"read_at"})
        publish(person_topic(actor), "notification")


@writes
def mark_all_read(*, actor: Any) -> int:
    """All of one's own unread messages; returns how many."""
    count = change_many(unread(actor).select_for_update(no_key=True), read_at=timezone.now())
    if count:
        publish(person_topic(actor), "notification")
    return count
