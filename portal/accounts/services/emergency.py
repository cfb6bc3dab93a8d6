"""Local administrators, who get in when the login service does not answer."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from portal.access.models import Role
from portal.access.selectors import people_with
from portal.access.services import grant_role
from portal.accounts.reach import PEOPLE
from portal.accounts.services.external import demand_reason, make_account, one_time_link
from portal.audit.services import record
from portal.notifications.models import Notification
from portal.notifications.services import notify
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.services import writes

ROLES = (
    "access.portal_administrator",
    "accounts.account_administrator",
    "accounts.people_administrator",
)


@writes
def create_local_administrator(
    *, actor: ServiceActor, email: str, name: str, expires_on: date, unit: Unit, reason: str
) -> str:
    """Make an account with password and second factor that needs no login service.

    It holds the roles of ROLES at ``unit`` and below, and belongs to no unit, so that nobody who
    manages external accounts reaches it. Only who has the server's command line makes one. Returns
    the one-time link to choose a password (mail may be down too). Raises Refused as
    :func:`~portal.accounts.services.external.make_account`, and with code ``reason``.
    """
    demand_reason(reason)
    account = make_account(email=email, name=name, expires_on=expires_on, emergency=True)
    record(
        "accounts.local_administrator_created",
        account,
        data={"unit": unit.code, "expires_on": expires_on, "roles": list(ROLES)},
    )
    for role in Role.objects.filter(code__in=ROLES):
        grant_role(actor=actor, user=account, role=role, unit=unit, reason=reason)
    return one_time_link(account)


def tell_of_emergency_login(account: Any) -> None:
    """Others who manage people learn that a local administrator logged in."""
    for person in people_with(PEOPLE).exclude(pk=account.pk):
        with translation.override(person.language or settings.LANGUAGE_CODE):
            text = _("The local administrator %(name)s logged in.") % {"name": account.name}
        notify(person, text, level=Notification.Level.ALARM)
