"""What Tracershop does by itself. Each task is idempotent and takes ids."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

from portal.inbox.tasks import process_waiting
from portal.records.context import ServiceActor
from tracershop.services.bookings import purge_old_bookings
from tracershop.services.certificates import (
    issue_release_certificate,
    releases_without_certificate,
)
from tracershop.services.certifications import announce_expiring
from tracershop.services.dispenser import read_folder
from tracershop.services.recalls import remind_customers


@shared_task
def read_dispenser_folder() -> None:
    """Take in new files, then process them at once. One scan at a time."""
    if not cache.add("dispenser:scanning", 1, timeout=60):
        return
    try:
        if read_folder():
            process_waiting("dispenser")
    finally:
        cache.delete("dispenser:scanning")


@shared_task(autoretry_for=(Exception,), retry_backoff=5, retry_backoff_max=300, max_retries=10)
def issue_certificate(release_id: int) -> None:
    issue_release_certificate(actor=ServiceActor("certificates"), release_id=release_id)


@shared_task
def issue_missing_certificates() -> None:
    """For releases whose task was lost: Redis was away when they were committed."""
    for release_id in releases_without_certificate(before=timezone.now() - timedelta(minutes=1)):
        issue_certificate.delay(release_id)


@shared_task
def purge_bookings() -> None:
    purge_old_bookings(actor=ServiceActor("booking purge"))


@shared_task
def announce_certifications() -> None:
    announce_expiring(actor=ServiceActor("certifications"))


@shared_task
def remind_of_recalls() -> None:
    remind_customers(actor=ServiceActor("recalls"))
