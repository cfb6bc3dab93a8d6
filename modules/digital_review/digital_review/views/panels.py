"""Digital Review on the home page."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from digital_review.selectors.panels import next_meeting_of, waiting_for


def next_review(request: HttpRequest) -> str | None:
    """The next review meeting that the person takes part in."""
    meeting = next_meeting_of(request.user)
    return render_to_string("digital_review/panel_next.html", {"meeting": meeting}, request)


def waiting(request: HttpRequest) -> str | None:
    """Patients whose forms wait for the person."""
    forms = waiting_for(request.user)
    return render_to_string("digital_review/panel_waiting.html", {"forms": forms}, request)
