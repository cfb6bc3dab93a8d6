"""Log-in sessions: begun, seen, ended; by time, by their owner, or with the account (PT-004).

Ending one deletes Django's session row too: the next request and the websocket find it gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils import timezone

from portal.accounts.models import LoginSession, User
from portal.accounts.rules import SessionEnd
from portal.audit.services import Access, log_access
from portal.records.context import ServiceActor, acting
from portal.records.services import writes

ENDED_BECAUSE = "session_ended_because"
"""Key in the next (anonymous) session, for the login page to say why."""


def client_address(request: HttpRequest) -> str:
    return request.META.get("REMOTE_ADDR", "") or ""


@transaction.atomic
def start_session(request: HttpRequest, user: User) -> None:
    """Keep the new log-in as a session of the person, and write it into the access log."""
    if request.session.session_key is None:  # Django drops the key when another was logged in
        request.session.save()
    now = timezone.now()
    with acting(actor=user, address=client_address(request)):
        LoginSession.objects.get_or_create(
            session_key=request.session.session_key,
            defaults={
                "user": user,
                "started_at": now,
                "last_seen_at": now,
                "address": client_address(request),
                "device": request.META.get("HTTP_USER_AGENT", "")[:300],
            },
        )
        # not by saving the record: a log-in is no new version of the person
        User.all_objects.filter(pk=user.pk).update(last_login=now, last_seen_at=now)
        user.last_login = user.last_seen_at = now
        way = request.session.get(BACKEND_SESSION_KEY, "").rsplit(".", 1)[-1]
        log_access(Access.LOGIN, user, data={"way": way})


def mark_seen(session: LoginSession) -> None:
    now = timezone.now()
    LoginSession.objects.filter(pk=session.pk).update(last_seen_at=now)


def end_session_of(request: HttpRequest, why: SessionEnd) -> None:
    """End the request's own session, whoever it says to be; the request goes on anonymously."""
    row = (
        LoginSession.objects.filter(
            session_key=request.session.session_key or "", ended_at__isnull=True
        )
        .select_related("user")
        .first()
    )
    if row is not None:
        with acting(actor=row.user, address=client_address(request)):
            _end([row], why)
    request.session.flush()
    request.user = AnonymousUser()
    if why is not SessionEnd.SIGNED_OUT:
        request.session[ENDED_BECAUSE] = why.value


@writes
def end_own_session(*, actor: User, session_id: int) -> int:
    """End one of one's own sessions; another's is not found, and nothing happens (returns 0)."""
    return _end(open_sessions(actor).filter(pk=session_id), SessionEnd.ENDED)


@writes
def end_other_sessions(*, actor: User, keep: str) -> int:
    """End all of one's sessions but the one with Django's key ``keep``; returns how many."""
    return _end(open_sessions(actor).exclude(session_key=keep), SessionEnd.ENDED)


def end_sessions_of(user: User, why: SessionEnd) -> int:
    """End every session of a person, within the caller's transaction."""
    return _end(open_sessions(user), why)


def open_sessions(user: User) -> Any:
    """The person's sessions that are still alive, last used first."""
    alive = Session.objects.filter(
        session_key=OuterRef("session_key"), expire_date__gt=timezone.now()
    )
    return LoginSession.objects.filter(Exists(alive), user=user, ended_at__isnull=True)


def end_timed_out_sessions() -> int:
    """End what nobody uses any more; without it an open page would listen on until it asks."""
    now = timezone.now()
    alive = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=now)
    over = LoginSession.objects.filter(
        Q(last_seen_at__lte=now - settings.PORTAL_SESSION_IDLE)
        | Q(started_at__lte=now - settings.PORTAL_SESSION_ABSOLUTE)
        | ~Exists(alive),
        ended_at__isnull=True,
    ).select_related("user")
    count = 0
    for row in over:
        with acting(actor=ServiceActor("session keeper", on_behalf_of=row.user)):
            count += _end([row], SessionEnd.IDLE)
    return count


@transaction.atomic
def _end(rows: Iterable[LoginSession], why: SessionEnd) -> int:
    count = 0
    for row in rows:
        ended = LoginSession.objects.filter(pk=row.pk, ended_at__isnull=True).update(
            ended_at=timezone.now()
        )
        if not ended:
            continue
        Session.objects.filter(session_key=row.session_key).delete()
        log_access(Access.LOGOUT, row.user, data={"why": why.value, "session": row.pk})
        count += 1
    return count


@writes
def choose_language(*, actor: User, language: str) -> None:
    """Keep the language in which the person reads the portal."""
    user = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    if user.language != language:
        user.language = language
        user.save(update_fields={"language"})
