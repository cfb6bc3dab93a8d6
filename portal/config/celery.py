"""The Celery application. Tasks are idempotent, acknowledged late and take ids, never objects."""

from __future__ import annotations

import os

from celery import Celery
from celery.loaders.base import find_related_module
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.config.settings.demo")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")


def _packages_with_tasks() -> list[str]:
    """Every installed package; a module whose tasks do not load is quarantined, not the worker."""
    from django.apps import apps

    from portal.registry import PortalModule, registry

    packages = []
    for config in apps.get_app_configs():
        if isinstance(config, PortalModule) and not config.is_portal:
            try:
                find_related_module(config.name, "tasks")
            except Exception as error:
                registry.quarantine(config.label, f"its tasks do not load: {error!r}")
                continue
        packages.append(config.name)
    return packages


app.autodiscover_tasks(_packages_with_tasks)


@app.on_after_finalize.connect
def _schedule_declared_tasks(sender: Celery, **_: object) -> None:
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    from portal.registry import registry

    for task in registry.periodic_tasks():
        sender.add_periodic_task(
            task.every_s, sender.signature(task.task), name=task.name, expires=max(task.every_s, 5)
        )


@worker_process_init.connect
def _forget_inherited_connections(**_: object) -> None:
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.inc_thread_sharing()
        connection.close()
