"""Digital Review's part of the table: reviews reach their cases, hospitals their own forms."""

from __future__ import annotations

from tests.authorisation import (
    digital_review_cases,
    digital_review_meetings,
    digital_review_outside,
    digital_review_overview,
    digital_review_setup,
    digital_review_slides,
)
from tests.authorisation.expectations import Expectations

EXPECTED = Expectations(
    urls={
        **digital_review_overview.URLS,
        **digital_review_cases.URLS,
        **digital_review_meetings.URLS,
        **digital_review_outside.URLS,
        **digital_review_setup.URLS,
        **digital_review_slides.URLS,
    },
    topics={
        **digital_review_cases.TOPICS,
        **digital_review_meetings.TOPICS,
        **digital_review_setup.TOPICS,
        **digital_review_slides.TOPICS,
    },
    tasks=digital_review_cases.TASKS,
)
