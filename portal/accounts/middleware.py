"""Sessions end in time, and pages speak the person's language."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from portal.accounts.models import LoginSession
from portal.accounts.rules import SEEN_EVERY, SessionEnd, why_session_over
from portal.accounts.services.sessions import end_session_of, mark_seen

BY_ITSELF = "X-Portal-Live"
"""Header of requests that a page makes without its person: they are no sign of use."""


class SessionLimits:
    """Idle and absolute time-out; ended, closed and half-made log-ins (PT-002, PT-004).

    One query a request, and one more a minute to note that the session is in use.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        why = self._why_over(request)
        if why is not None:
            end_session_of(request, why)
        return self.get_response(request)

    def _why_over(self, request: HttpRequest) -> SessionEnd | None:
        user = request.user
        if not user.is_authenticated:
            # the session names somebody who is not admitted (any more)
            return SessionEnd.CLOSED if SESSION_KEY in request.session else None
        if user.is_external and not user.is_verified():  # type: ignore[union-attr]
            return SessionEnd.SECOND_FACTOR
        session = LoginSession.objects.filter(
            session_key=request.session.session_key, user_id=user.pk, ended_at__isnull=True
        ).first()
        if session is None:
            return SessionEnd.ENDED
        now = timezone.now()
        why = why_session_over(
            now=now,
            started_at=session.started_at,
            last_seen_at=session.last_seen_at,
            idle=settings.PORTAL_SESSION_IDLE,
            absolute=settings.PORTAL_SESSION_ABSOLUTE,
        )
        in_use = BY_ITSELF not in request.headers
        if why is None and in_use and now - session.last_seen_at >= SEEN_EVERY:
            mark_seen(session)
        return why


class PersonalLanguage:
    """The person's saved language, else the cookie's, else the site's. Never the browser's: a
    shared computer on a ward would speak whatever its image was made with."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        wishes = (
            getattr(request.user, "language", ""),
            request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""),
        )
        known = dict(settings.LANGUAGES)
        language = next((wish for wish in wishes if wish in known), settings.LANGUAGE_CODE)
        with translation.override(language):
            request.LANGUAGE_CODE = translation.get_language()
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        return response
