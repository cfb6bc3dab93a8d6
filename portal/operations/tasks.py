from celery import shared_task
from django.utils import timezone

from portal.operations.health import note_beat


@shared_task
def beat_alive() -> None:
    note_beat(timezone.now())
