from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celery import shared_task

from portal.access.decision import visible
from portal.notifications.my_tasks import MyTask
from portal.registry import registry


@shared_task
def count_things() -> int:
    from dummy.models import Thing

    return Thing.objects.count()


def open_tasks(user: Any) -> Iterable[MyTask]:
    from dummy.models import Thing

    count = visible(user, Thing.objects.all()).count()
    if count:
        yield MyTask("Look after things", "/dummy/", count=count, urgent=True)


def check() -> None:
    from dummy.models import Thing

    most = registry.settings_for("dummy").most_things
    if Thing.objects.count() > most:
        raise RuntimeError(f"more than {most} things")


def check_note(raw: bytes) -> bytes:
    if not raw:
        raise ValueError("an empty note")
    return raw


def take_note(message: Any) -> str:
    return f"read {message}"


def signed_facts(thing: Any) -> dict[str, Any]:
    return {"name": thing.name}


def clinical_settings() -> dict[str, Any]:
    return {"most_things": registry.settings_for("dummy").most_things}
