"""The five steps to an account: asked for, applied for, set up, checked, approved (PT-003, CD-040).

Nothing of a step takes effect before the last one: a new account stays closed and no role is held
until the owner approved what the administrator set up.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.authority import check_house_wide, check_may_grant
from portal.access.decision import can
from portal.access.models import Role
from portal.access.standing import standing_of
from portal.accounts.models import AccountRequest, RequestedRole, User
from portal.accounts.reach import OWN
from portal.accounts.rules import (
    LEADS_TO,
    OPEN,
    NotYours,
    RequestAct,
    RequestState,
    why_not_act,
    why_not_admitted,
)
from portal.accounts.selectors import (
    account_requests,
    parts_of,
    requestable_modules,
    requestable_roles,
)
from portal.accounts.services.external import check_end, demand_reason, send_link
from portal.accounts.services.request_effects import (
    asked_roles,
    grant_asked_roles,
    waiting_account,
)
from portal.accounts.services.request_news import tell_of
from portal.audit.services import record
from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.records.services import create_many, locked, soft_delete, writes

REFUSALS = {
    NotYours.STATE: _("The request has moved on meanwhile. Look at it again."),
    NotYours.SUBJECT: _("Nobody acts on a request for themselves."),
    NotYours.FOUR_EYES: _("Owner and administrator are two people: somebody else has to do this."),
}


@writes
def request_account(
    *,
    actor: User,
    module: str,
    unit: Unit,
    wish: str,
    person: User | None = None,
    name: str = "",
    email: str = "",
) -> AccountRequest:
    """Step 1: ask for access to ``module`` at ``unit``, for oneself, a ``person``, or somebody new.

    Somebody new has a ``name`` and a mail address; external people ask for themselves alone. Raises
    PermissionDenied for others; Refused with code ``wish``, ``module``, ``closed``, ``mail``,
    ``known`` (the mail address is of somebody who has an account), or ``asked_already``.
    """
    if actor.is_external and person != actor:
        raise PermissionDenied("external people ask for themselves")
    if not wish.strip():
        raise Refused(_("Say what the access is needed for."), code="wish")
    if module not in dict(requestable_modules()):
        raise Refused(_("There is nothing to ask for under this name."), code="module")
    if unit.closed_on is not None:
        raise Refused(_("This unit is closed."), code="closed")
    request = AccountRequest(module=module, unit=unit, wish=wish.strip(), requester=actor)
    if person is not None:
        if why_not_admitted(person, timezone.localdate()):
            raise Refused(_("The account of this person is closed."), code="closed")
        request.person, request.name = person, person.name
    else:
        request.name, request.email = _somebody_new(name, email)
    _save_as_only_one(request)
    record("accounts.request_made", request, data={"module": module, "unit": unit.code})
    tell_of(request)
    return request


def _somebody_new(name: str, email: str) -> tuple[str, str]:
    name, email = name.strip(), email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise Refused(_("This is no mail address."), code="mail") from None
    if not name:
        raise Refused(_("Say the name of the person."), code="name")
    known = User.objects.filter(Q(username__iexact=email) | Q(email__iexact=email)).first()
    if known is not None and not known.awaits_approval:
        raise Refused(
            _("This person has an account: ask for somebody who is known here."), code="known"
        )
    return name, email


def _save_as_only_one(request: AccountRequest) -> None:
    try:
        with transaction.atomic():
            request.save()
    except IntegrityError:
        raise Refused(
            _("This is asked for already; the request is still open."), code="asked_already"
        ) from None


@writes
def apply_for_account(
    *,
    actor: User,
    request_id: int,
    unit: Unit,
    roles: Collection[Role],
    reason: str = "",
    below: bool = True,
    roles_end_on: date | None = None,
    expires_on: date | None = None,
) -> AccountRequest:
    """Step 2, by the owner: the unit, the roles (and so the privileges), and how long.

    ``expires_on`` is the last day of a new account. Raises PermissionDenied or Refused as every
    step, and Refused with code ``outside_unit``, ``roles``, ``house_wide`` or ``past``.
    """
    request = _locked_for(actor, request_id, RequestAct.APPLY)
    request.unit = unit
    if unit.closed_on is not None or not can(actor, OWN, request):
        raise Refused(_("You do not apply for accounts at this unit."), code="outside_unit")
    allowed = set(requestable_roles(request.module).values_list("pk", flat=True))
    if not roles or not {role.pk for role in roles} <= allowed:
        raise Refused(_("Choose at least one of the roles."), code="roles")
    for role in roles:
        check_house_wide(role, unit)
    if request.person is None:
        check_end(expires_on)
        request.expires_on = expires_on
    if roles_end_on is not None:
        check_end(roles_end_on)
    request.below, request.roles_end_on = below, roles_end_on
    request.owner = actor
    create_many(RequestedRole, [RequestedRole(request=request, role=role) for role in roles])
    return _move(
        request,
        RequestAct.APPLY,
        {
            "unit": unit.code,
            "roles": sorted(role.code for role in roles),
            "below": below,
            "roles_end_on": roles_end_on,
            "expires_on": request.expires_on,
        },
    )


@writes
def set_up_account(*, actor: User, request_id: int, reason: str = "") -> AccountRequest:
    """Step 3, by an administrator: the account, closed as yet, and the roles it is to have.

    Raises as every step; Refused with the codes of :func:`~portal.access.services.check_may_grant`
    and of :func:`~portal.accounts.services.external.make_account`.
    """
    request = _locked_for(actor, request_id, RequestAct.CREATE)
    roles = asked_roles(request)
    for role in roles:
        check_may_grant(actor, role, request.unit, below=request.below)
    new = request.person is None
    if new:
        request.person = waiting_account(actor, request)
    request.administrator = actor
    standing = standing_of(actor)
    request.administrator_profile_id = standing.profile_id if standing else None
    data = {"roles": [role.code for role in roles], "new_account": new}
    return _move(request, RequestAct.CREATE, data)


@writes
def approve_account(*, actor: User, request_id: int, reason: str = "") -> AccountRequest:
    """Steps 4 and 5, by an owner who is not the administrator: from now on it works.

    The administrator's right to grant the roles is judged once more. Only now a new account is
    opened and its link mailed. Raises as every step; Refused with code ``past`` or ``closed``, and
    with those of :func:`~portal.access.services.grant_role`.
    """
    request = _locked_for(actor, request_id, RequestAct.APPROVE)
    person = locked(User.objects.all(), request.person_id)
    opens = person.awaits_approval
    if opens:
        check_end(person.expires_on)
        person.is_active = True
        person.save()
        record("accounts.external_opened", person, data={"request": request.pk})
    elif why_not_admitted(person, timezone.localdate()):
        raise Refused(_("The account of this person is closed."), code="closed")
    grant_asked_roles(request, person)
    moved = _move(request, RequestAct.APPROVE, {"opened": opens})
    if opens:
        send_link(person)
    return moved


@writes
def refuse_request(*, actor: User, request_id: int, reason: str) -> AccountRequest:
    """By whoever's turn it is, at any step: the end of it. A new account is never opened."""
    demand_reason(reason)
    request = _locked_for(actor, request_id, RequestAct.REFUSE)
    return _given_up(request, RequestAct.REFUSE)


@writes
def withdraw_request(*, actor: User, request_id: int, reason: str) -> AccountRequest:
    """By who asked, or for whom it was asked, until it is approved."""
    demand_reason(reason)
    request = _locked_for(actor, request_id, RequestAct.WITHDRAW)
    return _given_up(request, RequestAct.WITHDRAW)


# --- what the steps have in common ----------------------------------------------------------------


def _locked_for(actor: User, request_id: int, act: RequestAct) -> AccountRequest:
    """The request, locked, if the actor may ``act`` on it now.

    Raises Refused: ``gone`` for one that they cannot see, ``state``, ``subject``, ``four_eyes``;
    PermissionDenied where it is another's turn.
    """
    request = locked(account_requests(actor), request_id)
    why = why_not_act(act, request.facts, actor=actor.pk, parts=parts_of(actor, request))
    if why is NotYours.PART:
        raise PermissionDenied(f"{act.value} is not for {actor}")
    if why is not None:
        raise Refused(REFUSALS[why], code=why.value)
    return request


def _move(request: AccountRequest, act: RequestAct, data: dict[str, Any]) -> AccountRequest:
    before = request.state
    request.state = LEADS_TO[RequestState(before), act].value
    _save_as_only_one(request)  # a step may bring it to another's unit or person
    record(f"accounts.request_{request.state}", request, data=data)
    tell_of(request)
    return request


def _given_up(request: AccountRequest, act: RequestAct) -> AccountRequest:
    person = request.person
    moved = _move(request, act, {})
    if person is not None and person.awaits_approval:
        others = AccountRequest.objects.filter(
            person=person, state__in=[state.value for state in OPEN]
        )
        if not others.exists():
            soft_delete(locked(User.objects.all(), person.pk))
    return moved
