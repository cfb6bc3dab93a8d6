"""Digital Review's part of the table: slides, and the view that a meeting shares.

Whoever is tried in a meeting is invited to it first: what they may not do then is not theirs by
their role.
"""

from __future__ import annotations

from typing import Any

from digital_review.models import Participant

from tests.authorisation.digital_review_overview import MANAGER, SEE, roles
from tests.authorisation.expectations import Row, Topic, pk_of, post

PATHOLOGY = MANAGER | roles("review_pathologist")


def _tile(objects: Any, person: Any) -> dict[str, Any]:
    return {"pk": objects["slide"].pk, "level": 9, "column": 0, "row": 0}


def _invited(objects: Any, person: Any) -> dict[str, Any]:
    meeting = objects["slide_meeting"]
    Participant.objects.get_or_create(meeting=meeting, person=person, part="guest")
    return {"pk": meeting.pk}


URLS: dict[str, Row] = {
    "digital_review:slide_add": Row(PATHOLOGY, args=pk_of("case")),
    "digital_review:slides_received": post(PATHOLOGY, args=pk_of("case")),
    "digital_review:slides_not_received": Row(PATHOLOGY, args=pk_of("case")),
    "digital_review:slide": Row(SEE, args=pk_of("slide")),
    "digital_review:slide_change": Row(PATHOLOGY, args=pk_of("slide")),
    "digital_review:slide_remove": Row(PATHOLOGY, args=pk_of("slide")),
    "digital_review:slide_tile": Row(SEE, args=_tile),
    "digital_review:meeting_slide_view": Row(SEE, args=_invited),
}

TOPICS: dict[str, Topic] = {
    r"digital_review/meeting/(?P<pk>\d+)/slide": Topic(
        lambda o, p: f"digital_review/meeting/{_invited(o, p)['pk']}/slide", SEE
    ),
}
