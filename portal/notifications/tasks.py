from celery import shared_task
from django.utils import timezone

from portal.notifications.digest import send_digests
from portal.notifications.outbox import send_due_mail
from portal.records.context import ServiceActor, acting


@shared_task
def send_mail() -> None:
    with acting(actor=ServiceActor("mail sender")):
        send_due_mail()


@shared_task
def send_daily_mail() -> None:
    with acting(actor=ServiceActor("mail sender")):
        send_digests(timezone.now())
