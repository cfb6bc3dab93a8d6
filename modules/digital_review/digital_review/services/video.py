"""Where a participant enters the video meeting (DR-062)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from digital_review.interfaces.video import VideoError, jitsi_address
from digital_review.models import Meeting
from digital_review.selectors.room import place_of
from portal.records.errors import Refused
from portal.registry import registry


def video_address(user: Any, meeting: Meeting) -> str:
    """The whole address, for who takes part: of a room with a token of their own.

    Refused: ``not_there``, ``no_video`` where none is planned or no service is configured.
    """
    place = place_of(user, meeting)
    if not place.is_there:
        raise Refused(_("You do not take part in this meeting."), code="not_there")
    if meeting.video_room.startswith("https://"):
        return meeting.video_room
    settings = registry.settings_for("digital_review")
    if not meeting.video_room or not settings.video_host:
        raise Refused(_("This meeting has no video."), code="no_video")
    if not settings.video_secret_file:
        return f"{settings.video_host.rstrip('/')}/{meeting.video_room}"
    try:
        secret = Path(settings.video_secret_file).read_text(encoding="utf-8").strip()
        return jitsi_address(
            settings.video_host,
            # the same words at another review are another room
            f"{meeting.review_type.code}-{meeting.pk}-{meeting.video_room}",
            app=settings.video_app,
            secret=secret,
            person=str(user),
            person_key=str(user.pk),
            moderator=place.leads,
            starts_at=meeting.starts_at,
        )
    except (OSError, VideoError) as error:
        raise Refused(
            _("The video service is not set up: tell the administrators."), code="no_video"
        ) from error
