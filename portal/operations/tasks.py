from celery import shared_task
from django.utils import timezone

from portal.operations.configuration import note_configurations
from portal.operations.health import note_beat
from portal.operations.watch import WATCH


@shared_task
def beat_alive() -> None:
    note_beat(timezone.now())


@shared_task
def look_at_configuration() -> None:
    """Compare every module's configuration with the signed one, as the worker has it."""
    note_configurations(actor=WATCH)
