"""Sessions end in time, and pages speak the person's language."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from portal.accounts.models import LoginSession
from portal.accounts.rules import SEEN_EVERY, SessionEnd, why_not_admitted, why_session_over
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
            return self._why_nobody(request)
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

    def _why_nobody(self, request: HttpRequest) -> SessionEnd | None:
        """Why somebody who was logged in is not (any more); None for one who never was."""
        if SESSION_KEY in request.session:  # it names somebody who is not admitted
            return SessionEnd.CLOSED
        cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if cookie is None or cookie == request.session.session_key:
            return None
        ended = LoginSession.objects.filter(session_key=cookie[:40]).select_related("user").first()
        if ended is None:
            return None
        closed = why_not_admitted(ended.user, timezone.localdate())
        return SessionEnd.CLOSED if closed else SessionEnd.ENDED


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
