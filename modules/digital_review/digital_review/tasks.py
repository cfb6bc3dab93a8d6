"""What Digital Review does by itself. Each task is idempotent and takes ids."""

from __future__ import annotations

from celery import shared_task

from digital_review.services import slides
from digital_review.services.meeting_dates import prepare_meetings
from digital_review.services.reminders import daily
from portal.records.context import ServiceActor


@shared_task
def prepare_review_meetings() -> None:
    """Register who is ready, tell what is due before meetings; each thing once."""
    prepare_meetings(actor=ServiceActor("meetings"))


@shared_task
def every_day() -> dict[str, int]:
    """Reminders, follow-ups that are due, and cases that days let go on."""
    return daily()


@shared_task
def cut_slide(slide_id: int) -> None:
    """Cut a portion of a picture's tiles, and send itself again while there are more."""
    if not slides.cut_slide(slide_id):
        cut_slide.delay(slide_id)


@shared_task
def cut_waiting_slides() -> None:
    """For pictures whose task was lost, or whose worker was killed."""
    for slide_id in slides.uncut_slides():
        slides.queue_cutting(slide_id)
