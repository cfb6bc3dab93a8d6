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
from django.db.models import Case, Exists, OuterRef, Q, Value, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.acting import note_end_of_acting
from portal.access.decision import require, visible
from portal.access.services import DIRECTORY
from portal.access.services.profiles import stand_in_last
from portal.accounts.models import LoginSession, User
from portal.accounts.reach import SESSIONS
from portal.accounts.rules import SessionEnd
from portal.audit.services import Access, log_access, record
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.records.services import locked, writes

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
        stand_in_last(request.session, user)
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
        with acting(actor=row.user, address=client_address(request)), transaction.atomic():
            note_end_of_acting(request.user)
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
    return LoginSession.objects.filter(Exists(_alive()), user=user, ended_at__isnull=True)


def _alive() -> Any:
    return Session.objects.filter(
        session_key=OuterRef("session_key"), expire_date__gt=timezone.now()
    )


@writes
def end_anothers_sessions(
    *, actor: Any, user_id: int, reason: str, session_id: int | None = None
) -> int:
    """End one open session of another person, or all of them; returns how many.

    Raises PermissionDenied without ``accounts.manage_sessions``; Refused with code ``reason``,
    ``own_account``, or ``gone`` where there is no such person or open session.
    """
    require(actor, SESSIONS)
    if not reason.strip():
        raise Refused(_("Say why: it goes into the audit trail."), code="reason")
    person = locked(visible(actor, User.objects.all(), SESSIONS), user_id)
    if person == actor:
        raise Refused(_("End your own log-ins under “My sessions”."), code="own_account")
    rows = open_sessions(person)
    if session_id is not None:
        rows = rows.filter(pk=session_id)
    ended = _end(rows, SessionEnd.ADMINISTRATOR)
    if not ended:
        raise Refused(_("There is no such log-in (any more)."), code="gone")
    record("accounts.sessions_ended", person, data={"sessions": ended, "session": session_id})
    return ended


def bind_provider_session(request: HttpRequest, name: str) -> None:
    """Keep what the login service calls the session that just began, so that it can end it."""
    LoginSession.objects.filter(session_key=request.session.session_key or "").update(
        provider_session=name[:255]
    )


@transaction.atomic
def end_provider_sessions(*, subject: str = "", session: str = "") -> int:
    """End what the login service says is over; returns how many sessions.

    With its name for the ``session`` that one; with the ``subject`` the person's, and those of them
    of which the service never told a name, since any of them may be the one.
    """
    if not (subject or session):
        return 0  # who names nobody ends nothing
    rows = LoginSession.objects.filter(
        ended_at__isnull=True, user__kind=User.Kind.STAFF
    ).select_related("user")
    if subject:
        rows = rows.filter(user__subject=subject)
    if session:
        named = [session, ""] if subject else [session]
        rows = rows.filter(provider_session__in=named)
    by_person: dict[User, list[LoginSession]] = {}
    for row in rows:
        by_person.setdefault(row.user, []).append(row)
    count = 0
    for person, theirs in by_person.items():
        with acting(actor=ServiceActor(DIRECTORY.name, on_behalf_of=person), reason="logout"):
            ended = _end(theirs, SessionEnd.PROVIDER)
            record("accounts.provider_logout", person, data={"sessions": ended})
            count += ended
    return count


def end_timed_out_sessions() -> int:
    """End what nobody uses any more, and what an account that closed or expired has left open.

    Without it an open page would listen on until it asks.
    """
    now = timezone.now()
    closed = (
        Q(user__is_active=False)
        | Q(user__suspended_at__isnull=False)
        | Q(user__deleted_at__isnull=False)
        | Q(user__expires_on__lt=timezone.localdate())
    )
    over = (
        LoginSession.objects.filter(
            Q(last_seen_at__lte=now - settings.PORTAL_SESSION_IDLE)
            | Q(started_at__lte=now - settings.PORTAL_SESSION_ABSOLUTE)
            | closed
            | ~Exists(_alive()),
            ended_at__isnull=True,
        )
        .select_related("user")
        .annotate(account_closed=Case(When(closed, then=Value(True)), default=Value(False)))
    )
    count = 0
    for row in over:
        why = SessionEnd.CLOSED if row.account_closed else SessionEnd.IDLE
        with acting(actor=ServiceActor("session keeper", on_behalf_of=row.user)):
            count += _end([row], why)
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
