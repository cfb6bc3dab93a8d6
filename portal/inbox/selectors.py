"""Reads of what was received. The content itself is never read for a list."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.urls import reverse
from django.utils.translation import ngettext

from portal.access.decision import can
from portal.access.selectors import people_with
from portal.audit.models import AuditEntry
from portal.inbox.models import InboundMessage
from portal.notifications.my_tasks import MyTask

READ = "inbox.read_messages"
State = InboundMessage.State


def may_listen(user: Any) -> bool:
    """Live topic ``inbox``: for those who may see what was received."""
    return can(user, READ)


def operators() -> QuerySet:
    """The people who may see received messages, and so are told of those that failed."""
    return people_with(READ)


def messages(user: Any, *, channel: str = "", state: str = "") -> QuerySet[InboundMessage]:
    """What the person may see, newest first. Its number orders as its time of receipt does."""
    if not can(user, READ):
        return InboundMessage.objects.none()
    found = InboundMessage.objects.defer("raw").order_by("-pk")
    if channel:
        found = found.filter(channel=channel)
    return found.filter(state=state) if state else found


def message_with_facts(user: Any, *, content: bool = False) -> QuerySet[InboundMessage]:
    """As `messages`, each knowing whether its content is kept (``raw_is_kept``); with ``content``
    it has it too."""
    found = messages(user).annotate(
        raw_is_kept=ExpressionWrapper(Q(raw__isnull=False), output_field=BooleanField())
    )
    return found.defer(None) if content else found


def happenings(message: InboundMessage) -> QuerySet[AuditEntry]:
    """What people did with the message, newest first."""
    return AuditEntry.objects.filter(
        object_type=InboundMessage._meta.label_lower,  # noqa: SLF001
        object_id=str(message.pk),
    ).order_by("-pk")


def tasks_for(user: Any) -> list[MyTask]:
    """*My tasks*: what is in quarantine, for those who may see it."""
    count = messages(user, state=State.QUARANTINED).count()
    if not count:
        return []
    title = ngettext("%(count)s message in quarantine", "%(count)s messages in quarantine", count)
    url = f"{reverse('inbox:list')}?state={State.QUARANTINED.value}"
    return [MyTask(title % {"count": count}, url, icon="pause", count=count, urgent=True)]
