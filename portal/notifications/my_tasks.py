"""*My tasks* (PT-045): one list over all modules, each telling what waits for the person."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from portal.registry import registry

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MyTask:
    """Something that waits for a person: what, where to do it, by when, how many."""

    title: Any
    url: str
    icon: str = "check"
    due_at: datetime | None = None
    count: int = 1
    urgent: bool = False


@dataclass
class TaskGroup:
    """The tasks of one module. ``failed``: the module could not tell them now."""

    module: Any
    icon: str
    tasks: list[MyTask] = field(default_factory=list)
    failed: bool = False


def tasks_for(user: Any) -> list[TaskGroup]:
    """Every module's open tasks for the person: urgent ones first, then the oldest due.

    A module whose source fails does not take the others' tasks away: the failure is logged and the
    group says so.
    """
    groups = []
    for module, source in registry.task_sources():
        group = TaskGroup(module.verbose_name, module.icon)
        try:
            with transaction.atomic():  # a query that failed leaves the others' alone
                group.tasks = sorted(
                    source(user),
                    key=lambda task: (not task.urgent, task.due_at is None, task.due_at),
                )
        except Exception:
            logger.exception("task source of %s failed", module.label)
            group.failed = True
        if group.tasks or group.failed:
            groups.append(group)
    return sorted(groups, key=lambda group: not any(task.urgent for task in group.tasks))


def task_count(user: Any) -> int:
    return sum(task.count for group in tasks_for(user) for task in group.tasks)
