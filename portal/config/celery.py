"""The Celery application. Tasks are idempotent, acknowledged late and take ids, never objects."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.config.settings.demo")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


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
