"""Everybody who logs in: suspended and let in again, and where they are logged in now."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access.acts import ask
from portal.access.decision import can, require
from portal.access.forms import ReasonForm
from portal.accounts import selectors
from portal.accounts.models import User
from portal.accounts.reach import MANAGE, PEOPLE, SESSIONS
from portal.accounts.services import people as services
from portal.accounts.services.sessions import end_anothers_sessions, open_sessions
from portal.audit.services import Access, log_access


def _require_some_say(request: HttpRequest) -> None:
    if not (can(request.user, PEOPLE) or can(request.user, SESSIONS)):
        raise PermissionDenied


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    _require_some_say(request)
    search, state = request.GET.get("search", "").strip(), request.GET.get("state", "")
    found = selectors.people(request.user, search=search, state=state)
    context = {
        "page": Paginator(found, 50).get_page(request.GET.get("page")),
        "search": search,
        "state": state,
        "today": timezone.localdate(),
    }
    return render(request, "accounts/people.html", context)


@require_safe
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """One person: facts, log-ins, what happened, and what can be done."""
    found = _found(request, pk)
    log_access(Access.OPEN, found)
    context = {
        "person": found,
        "today": timezone.localdate(),
        "events": selectors.events_of(found),
        "sessions": open_sessions(found) if can(request.user, SESSIONS) else None,
        "may_suspend": _may_suspend(request, found),
        "may_end": can(request.user, SESSIONS) and found != request.user,
        "unit_manages": found.is_external and can(request.user, MANAGE, found),
    }
    return render(request, "accounts/person.html", context)


def suspend(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(
        request,
        pk,
        PEOPLE,
        services.suspend_person,
        title=_("Suspend the account of %(name)s"),
        words=_("They are logged out at once and cannot log in until the account is reactivated."),
        danger=True,
    )


def reactivate(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(
        request,
        pk,
        PEOPLE,
        services.reactivate_person,
        title=_("Reactivate the account of %(name)s"),
        words=_("They can log in again, with the roles they held."),
    )


def end_sessions(request: HttpRequest, pk: int, session: int | None = None) -> HttpResponse:
    """One log-in of the person, or all of them."""
    title = _("End all log-ins of %(name)s") if session is None else _("End a log-in of %(name)s")
    return _act(
        request,
        pk,
        SESSIONS,
        lambda **values: end_anothers_sessions(session_id=session, **values),
        title=title,
        words=_("It is over at once, unsaved work is lost. They can log in again."),
        danger=True,
    )


def _found(request: HttpRequest, pk: int) -> User:
    _require_some_say(request)
    return get_object_or_404(selectors.people(request.user), pk=pk)


def _may_suspend(request: HttpRequest, found: User) -> bool:
    of_the_house = found.emergency or not found.is_external
    return of_the_house and found != request.user and can(request.user, PEOPLE)


def _act(
    request: HttpRequest,
    pk: int,
    privilege: str,
    service: Any,
    *,
    title: str,
    words: str,
    danger: bool = False,
) -> HttpResponse:
    require(request.user, privilege)
    found = _found(request, pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: service(actor=request.user, user_id=found.pk, **values),
        title=title % {"name": found.name},
        words=words,
        back=reverse("accounts:person", args=[found.pk]),
        danger=danger,
    )
