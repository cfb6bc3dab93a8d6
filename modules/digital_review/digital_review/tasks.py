"""What Digital Review does by itself. Each task is idempotent."""

from __future__ import annotations

from celery import shared_task

from digital_review.services.reminders import daily


@shared_task
def every_day() -> dict[str, int]:
    """Reminders, follow-ups that are due, and cases that days let go on."""
    return daily()
