from celery import shared_task
from django.utils import timezone

from portal.inbox import services
from portal.inbox.services.processing import waiting_channels
from portal.records.context import ServiceActor, acting

SWEEPER = ServiceActor("inbox")


@shared_task
def process_waiting(channel: str | None = None) -> None:
    """Process what waits in a channel, or (swept every few seconds) in all of them."""
    with acting(actor=SWEEPER):
        for name in [channel] if channel else waiting_channels():
            services.process_waiting(name)
        services.alert_operators()


@shared_task
def purge_old() -> None:
    """Remove the content of personal messages that are old enough."""
    with acting(actor=SWEEPER):
        services.purge_content(timezone.now())
