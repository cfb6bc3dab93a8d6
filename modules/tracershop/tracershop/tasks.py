"""What Tracershop does by itself. Each task is idempotent and takes ids."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

from portal.inbox.tasks import process_waiting
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from tracershop.services.automatic import order_due_bookings
from tracershop.services.bookings import purge_old_bookings
from tracershop.services.certificates import (
    issue_release_certificate,
    releases_without_certificate,
)
from tracershop.services.certifications import announce_expiring
from tracershop.services.dispenser import read_folder
from tracershop.services.recalls import remind_customers
from tracershop.services.shipments import issue_papers, shipments_without_papers
from tracershop.services.standing_placing import due_standing_orders
from tracershop.services.standing_placing import place_standing_order as place_days_of

logger = logging.getLogger(__name__)


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
def issue_shipment_papers(shipment_id: int) -> None:
    """What a person has to settle first is left to them: the shipment's page says what."""
    try:
        issue_papers(actor=ServiceActor("papers"), shipment_id=shipment_id)
    except Refused as refusal:
        logger.warning("no papers of shipment %s: %s", shipment_id, refusal)


@shared_task
def issue_missing_papers() -> None:
    """For shipments whose maker was interrupted before their papers were issued, and the demo's."""
    for shipment_id in shipments_without_papers(before=timezone.now() - timedelta(minutes=1)):
        issue_shipment_papers.delay(shipment_id)


@shared_task
def purge_bookings() -> None:
    purge_old_bookings(actor=ServiceActor("booking purge"))


@shared_task(autoretry_for=(Exception,), retry_backoff=5, retry_backoff_max=300, max_retries=10)
def place_standing_order(standing_order_id: int) -> None:
    place_days_of(actor=ServiceActor("standing orders"), standing_order_id=standing_order_id)


@shared_task
def place_standing_orders() -> None:
    """Each in a task of its own: one that fails keeps no other from being placed."""
    for standing_order_id in due_standing_orders(timezone.now()):
        place_standing_order.delay(standing_order_id)


@shared_task
def announce_certifications() -> None:
    announce_expiring(actor=ServiceActor("certifications"))


@shared_task
def order_automatically() -> None:
    order_due_bookings()


@shared_task
def remind_of_recalls() -> None:
    remind_customers(actor=ServiceActor("recalls"))
