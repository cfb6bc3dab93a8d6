"""What a request for an account brings about: an account that waits, and at the end its roles.

Within the transaction of the step (:mod:`portal.accounts.services.requests`), which has decided.
"""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.models import Role, RoleGrant
from portal.access.services import grant_role
from portal.access.standing import Standing
from portal.accounts.models import AccountRequest, RequestedRole, User
from portal.accounts.rules import why_not_admitted
from portal.accounts.services.external import check_end, make_account
from portal.audit.services import record
from portal.organisation.models import Membership
from portal.records.errors import Refused
from portal.records.services import restore


def asked_roles(request: AccountRequest) -> list[Role]:
    """What the owner applied for."""
    asked = RequestedRole.objects.filter(request=request).select_related("role")
    return [each.role for each in asked.order_by("role__code")]


def waiting_account(actor: User, request: AccountRequest) -> User:
    """A closed account for somebody new; one that waits for another request serves for both."""
    waiting = User.all_objects.filter(
        kind=User.Kind.EXTERNAL,
        username=request.email,
        is_active=False,
        suspended_at__isnull=True,
        last_login__isnull=True,
    ).first()
    if waiting is None:
        account = make_account(
            email=request.email,
            name=request.name,
            expires_on=request.expires_on,
            managed_by=actor,
            is_active=False,
        )
        record("accounts.external_created", account, data={"request": request.pk})
    else:
        account = waiting
        check_end(request.expires_on)
        account.name, account.expires_on = request.name, request.expires_on
        account.save()
        if account.is_deleted:
            restore(account)
    if not Membership.objects.filter(user=account, unit=request.unit).exists():
        Membership.objects.create(user=account, unit=request.unit)
    return account


def grant_asked_roles(request: AccountRequest, person: User) -> None:
    """Give the roles that the person does not hold yet, as the administrator set them.

    Refused with code ``administrator_gone``, and those of grant_role.
    """
    administrator = request.administrator
    if administrator is None or why_not_admitted(administrator, timezone.localdate()):
        raise Refused(
            _("Who set this up has no account any more. Refuse it, and let it be asked anew."),
            code="administrator_gone",
        )
    # decided about in the capacity in which they set it up, whichever they are in now
    administrator.standing = Standing(request.administrator_profile_id)  # type: ignore[attr-defined]
    held = RoleGrant.objects.filter(user=person, unit=request.unit, profile__isnull=True)
    for role in asked_roles(request):
        if held.filter(role=role).exists():
            continue
        grant_role(
            actor=administrator,
            user=person,
            role=role,
            unit=request.unit,
            below=request.below,
            ends_on=request.roles_end_on,
            reason=f"request {request.pk}",
            by_request=True,
        )
