from celery import shared_task

from portal.notifications.services import send_due_mail
from portal.records.context import ServiceActor, acting


@shared_task
def send_mail() -> None:
    with acting(actor=ServiceActor("mail sender")):
        send_due_mail()
