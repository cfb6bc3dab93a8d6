"""What of operations waits for a person (PT-045)."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from portal.notifications.my_tasks import MyTask
from portal.operations import access_review
from portal.operations.reviews import task_of


def open_tasks(user: Any) -> list[MyTask]:
    """Called by *my tasks*."""
    return [*task_of(user, timezone.now()), *access_review.tasks_for(user)]
