"""What Digital Review does by itself. Each task is idempotent and takes ids."""

from __future__ import annotations

from celery import shared_task

from digital_review.services.meeting_dates import prepare_meetings
from portal.records.context import ServiceActor


@shared_task
def prepare_review_meetings() -> None:
    """Register who is ready, tell what is due before meetings; each thing once."""
    prepare_meetings(actor=ServiceActor("meetings"))
