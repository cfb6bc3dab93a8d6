"""The chairman's view of a slide, for those who follow while a meeting is held (section 13, 10).

It lives in the cache: it is worth nothing a minute later, and is no record of anything.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext as _

from digital_review.models import AgendaItem, Meeting, Slide
from digital_review.selectors.room import place_of
from portal.access.decision import visible
from portal.live.services import publish
from portal.records.errors import Refused

_KEPT_S = 12 * 3600


@dataclass(frozen=True)
class SlideView:
    """What part of which slide is looked at, in OpenSeadragon's viewport coordinates."""

    slide: int
    x: float
    y: float
    """The centre; the image is 1 wide."""
    zoom: float
    rotation: float
    """Degrees clockwise."""


def slide_topic(meeting_id: int) -> str:
    return f"digital_review/meeting/{meeting_id}/slide"


def share_view(*, actor: Any, meeting_id: int, view: SlideView) -> None:
    """Show those who follow what the chairman looks at; only while the meeting runs, and only of
    patients that are on its list. Refused: ``gone``, ``not_leading``, ``not_of_meeting``."""
    meeting = _running(actor, meeting_id)
    if not place_of(actor, meeting).leads:
        raise Refused(_("Only who leads the meeting shows a slide to all."), code="not_leading")
    slides = visible(actor, Slide.objects.filter(pk=view.slide))
    items = AgendaItem.objects.filter(meeting=meeting)
    if not slides.filter(case__agenda_items__in=items).exists():
        raise Refused(
            _("This slide is of no patient on the meeting's list."), code="not_of_meeting"
        )
    cache.set(_key(meeting_id), asdict(view), _KEPT_S)
    with transaction.atomic():
        publish(slide_topic(meeting_id), "view", view.slide)


def shared_view(user: Any, meeting_id: int) -> SlideView | None:
    """What the chairman shows now; None before they show anything. Refused: ``gone``."""
    _running(user, meeting_id)
    kept = cache.get(_key(meeting_id))
    return SlideView(**kept) if kept else None


def running_meeting_of(user: Any, slide: Slide) -> Meeting | None:
    """The meeting that is held now with the slide's patient on its list, where one is there."""
    running = Meeting.objects.filter(
        status=Meeting.Status.RUNNING, items__case=slide.case_id, items__deleted_at__isnull=True
    )
    meeting = visible(user, running).select_related("review_type__unit").first()
    return meeting if meeting is not None and place_of(user, meeting).is_there else None


def may_follow(user: Any, pk: str) -> bool:
    """Who may listen to a meeting's slide: whoever may be in its room."""
    meetings = visible(user, Meeting.objects.filter(pk=pk)).select_related("review_type__unit")
    meeting = meetings.first()
    return meeting is not None and place_of(user, meeting).is_there


def _running(user: Any, meeting_id: int) -> Meeting:
    meetings = visible(user, Meeting.objects.filter(status=Meeting.Status.RUNNING))
    meeting = meetings.select_related("review_type__unit").filter(pk=meeting_id).first()
    if meeting is None or not place_of(user, meeting).is_there:
        raise Refused(_("This meeting is not being held."), code="gone")
    return meeting


def _key(meeting_id: int) -> str:
    return f"digital_review:meeting:{meeting_id}:slide"
