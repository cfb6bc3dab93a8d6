"""Who hears what of a request for an account: whose turn it is, and at the end who asked."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from portal.access.selectors import people_with
from portal.accounts.models import AccountRequest, User
from portal.accounts.reach import MANAGE, OWN
from portal.accounts.rules import TURN, Part, RequestAct, RequestState
from portal.accounts.selectors import open_acts
from portal.notifications.services import notify, tasks_changed

_PRIVILEGES = {Part.OWNER: OWN, Part.ADMINISTRATOR: MANAGE}
_TURNS = {
    RequestState.REQUESTED: _("%(who)s asks for access at %(unit)s: apply, or refuse."),
    RequestState.APPLIED: _("Access was applied for, for %(who)s at %(unit)s: set it up."),
    RequestState.CREATED: _("The access of %(who)s at %(unit)s is set up: check and approve."),
}
_ENDS = {
    RequestState.APPROVED: _("The access of %(who)s at %(unit)s is approved."),
    RequestState.REFUSED: _("The access of %(who)s at %(unit)s is refused."),
    RequestState.WITHDRAWN: _("The request for %(who)s at %(unit)s is withdrawn."),
}
_ENDING = {RequestAct.WITHDRAW, RequestAct.REFUSE}


def tell_of(request: AccountRequest) -> None:
    """After each step, within its transaction. Everybody's *my tasks* may have changed."""
    state = RequestState(request.state)
    if state in TURN:
        for person in people_with(_PRIVILEGES[TURN[state]]):
            if set(open_acts(person, request)) - _ENDING:
                _notify(person, _TURNS[state], request)
    else:
        for person in {request.requester, request.person or request.requester}:
            if person.is_active:
                _notify(person, _ENDS[state], request)
    involved = [*people_with(OWN), *people_with(MANAGE)]
    tasks_changed({person.pk: person for person in involved}.values())


def _notify(person: User, text: Any, request: AccountRequest) -> None:
    with translation.override(person.language or settings.LANGUAGE_CODE):
        words = str(text) % {"who": request.name, "unit": request.unit}
    notify(person, words, url=reverse("accounts:request", args=[request.pk]))
