"""External accounts: made, suspended, extended by administrators, never by themselves (PT-002)."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.decision import require, visible
from portal.accounts.models import User
from portal.accounts.reach import MANAGE
from portal.accounts.rules import RESET_PAUSE, SessionEnd, why_not_admitted
from portal.accounts.services.sessions import end_sessions_of
from portal.audit.services import record
from portal.notifications.models import OutboxMail
from portal.notifications.outbox import queue_mail
from portal.organisation.models import Membership, Unit
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.records.services import locked, writes


@writes
def create_external_account(
    *, actor: Any, email: str, name: str, expires_on: date, unit: Unit, reason: str
) -> User:
    """Make an account for a person without regional ID and mail them a one-time link.

    ``expires_on`` is the last day on which it works. Raises PermissionDenied where the actor does
    not manage external accounts at ``unit``; Refused with code ``reason``, ``mail``, ``taken`` or
    ``past``.
    """
    require(actor, MANAGE)
    if settings.PORTAL_ACCOUNTS_BY_REQUEST and not isinstance(actor, ServiceActor):
        raise Refused(_("Accounts are made by an approved request here."), code="by_request")
    demand_reason(reason)
    account = make_account(
        email=email, name=name, expires_on=expires_on, managed_by=_person_of(actor)
    )
    Membership.objects.create(user=account, unit=unit)
    require(actor, MANAGE, account)
    record("accounts.external_created", account, data={"unit": unit.code, "expires_on": expires_on})
    send_link(account)
    return account


def make_account(*, email: str, name: str, expires_on: date | None, **values: Any) -> User:
    """A local account without a password, within the caller's transaction.

    Raises Refused with code ``mail``, ``taken`` or ``past``.
    """
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise Refused(_("This is no mail address."), code="mail") from None
    check_end(expires_on)
    if User.all_objects.filter(Q(username__iexact=email) | Q(email__iexact=email)).exists():
        raise Refused(_("Somebody has an account with this mail address already."), code="taken")
    account = User(
        kind=User.Kind.EXTERNAL,
        username=email,
        email=email,
        name=name.strip(),
        expires_on=expires_on,
        **values,
    )
    account.set_unusable_password()
    account.save()
    return account


def _person_of(actor: Any) -> User | None:
    return None if isinstance(actor, ServiceActor) else actor


@writes
def suspend_account(*, actor: Any, user_id: int, reason: str) -> User:
    """Close an account for the time being; whoever is logged in with it is logged out."""
    demand_reason(reason)
    account = _managed(actor, user_id)
    if account.suspended_at is not None:
        raise Refused(_("The account is suspended already."), code="suspended")
    suspend(account, {})
    return account


@writes
def reactivate_account(*, actor: Any, user_id: int, reason: str) -> User:
    demand_reason(reason)
    account = _managed(actor, user_id)
    reactivate(account)
    return account


@writes
def extend_account(*, actor: Any, user_id: int, expires_on: date, reason: str) -> User:
    """Set another last day; a suspended account stays suspended."""
    demand_reason(reason)
    account = _managed(actor, user_id)
    check_end(expires_on)
    before = account.expires_on
    account.expires_on = expires_on
    account.save()
    record("accounts.external_extended", account, data={"expires_on": [before, expires_on]})
    return account


@writes
def reset_second_factor(*, actor: Any, user_id: int, reason: str) -> User:
    """For one who lost their device: everything anew, beginning with a link to their mail.

    The password goes too, else whoever knows it could enrol a device of their own.
    """
    demand_reason(reason)
    account = _managed(actor, user_id)
    TOTPDevice.objects.filter(user=account).delete()
    account.set_unusable_password()
    account.save()
    end_sessions_of(account, SessionEnd.SECOND_FACTOR)
    record("accounts.second_factor_reset", account)
    send_link(account)
    return account


@transaction.atomic
def request_password_reset(*, email: str) -> None:
    """Mail a one-time link if there is such an account. Says and returns nothing either way."""
    account = User.objects.filter(kind=User.Kind.EXTERNAL, username=email.strip().lower()).first()
    if account is None or why_not_admitted(account, timezone.localdate()):
        return
    lately = timezone.now() - RESET_PAUSE
    if OutboxMail.objects.filter(to=account.email, created_at__gt=lately).exists():
        return
    with acting(actor=ServiceActor("password reset", on_behalf_of=account)):
        record("accounts.reset_requested", account)
        send_link(account)


@writes
def set_password(*, actor: User, password: str) -> None:
    """The person chose a password by a one-time link, which also proves the mail address.

    Every session ends. The caller has checked the link. Raises Refused(code="weak").
    """
    account = locked(User.objects.filter(kind=User.Kind.EXTERNAL), actor.pk)
    if why_not_admitted(account, timezone.localdate()):
        raise Refused(_("This account is closed."), code="closed")
    try:
        validate_password(password, account)
    except ValidationError as error:
        raise Refused(" ".join(error.messages), code="weak") from None
    account.set_password(password)
    account.save()
    end_sessions_of(account, SessionEnd.PASSWORD)
    record("accounts.password_set", account)


def _managed(actor: Any, user_id: int) -> User:
    """The external account, locked, if it is in the actor's reach; nobody manages their own."""
    require(actor, MANAGE)
    accounts = User.objects.filter(kind=User.Kind.EXTERNAL)
    account = locked(visible(actor, accounts, MANAGE), user_id)
    if account == actor:
        raise Refused(_("Nobody manages their own account."), code="own_account")
    if account.awaits_approval:
        raise Refused(_("The account waits for its owner's approval."), code="awaits_approval")
    return account


def suspend(account: User, data: dict[str, Any]) -> None:
    """Close a locked account and end its sessions, within the caller's transaction."""
    account.suspended_at = timezone.now()
    account.is_active = False  # so that can() and visible() deny at once
    account.save()
    end_sessions_of(account, SessionEnd.CLOSED)
    record(f"accounts.{account.kind}_suspended", account, data=data)


def reactivate(account: User) -> None:
    """Open a locked account that was suspended, within the caller's transaction."""
    if account.suspended_at is None:
        raise Refused(_("The account is not suspended."), code="not_suspended")
    if account.is_external:
        check_end(account.expires_on)
    account.suspended_at = None
    account.is_active = True
    account.save()
    record(f"accounts.{account.kind}_reactivated", account)


def demand_reason(reason: str) -> None:
    """Raise Refused(code="reason") where none is given."""
    if not reason.strip():
        raise Refused(_("Say why: it goes into the audit trail."), code="reason")


def check_end(expires_on: date | None) -> None:
    """Raise Refused(code="past") where an account would end before it begins."""
    if expires_on is None or expires_on < timezone.localdate():
        raise Refused(_("The last day is over; give a later one."), code="past")


def one_time_link(account: User) -> str:
    """Address at which the person chooses a password, once, within PASSWORD_RESET_TIMEOUT."""
    path = reverse(
        "accounts:set_password",
        kwargs={
            "uidb64": urlsafe_base64_encode(force_bytes(account.pk)),
            "token": default_token_generator.make_token(account),
        },
    )
    return settings.PORTAL_BASE_URL.rstrip("/") + path


def send_link(account: User) -> None:
    """A mail with nothing personal in it, only the link."""
    with translation.override(account.language or settings.LANGUAGE_CODE):
        subject = gettext("Your access to %(portal)s") % {"portal": settings.PORTAL_NAME}
        text = gettext(
            "Open this link to choose a password for %(portal)s. It works once, within %(days)d"
            " days:\n\n%(link)s\n\nIf you did not expect this mail, do nothing."
        ) % {
            "portal": settings.PORTAL_NAME,
            "days": settings.PASSWORD_RESET_TIMEOUT // 86400,
            "link": one_time_link(account),
        }
    queue_mail(account.email, subject, text)
