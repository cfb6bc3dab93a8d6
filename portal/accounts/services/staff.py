"""Members of staff come with their regional ID from the directory (PT-001)."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.services import DIRECTORY
from portal.accounts.interfaces.claims import StaffClaims
from portal.accounts.models import User
from portal.accounts.rules import why_not_admitted
from portal.audit.services import differences, record
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused


@transaction.atomic
def receive_staff(claims: StaffClaims) -> User:
    """The person with this subject, made or brought up to date.

    Found by subject alone: a mail address or a regional ID may pass to somebody else. Raises
    Refused: ``clash`` when the regional ID is somebody else's user name here; ``closed``,
    ``suspended`` or ``expired`` when the person may not log in.
    """
    _one_at_a_time(claims.subject)
    user = User.all_objects.select_for_update(no_key=True).filter(subject=claims.subject).first()
    if user is not None and (why := why_not_admitted(user, timezone.localdate())):
        raise Refused(_("This person may not log in."), code=why.value)
    others = User.all_objects.filter(username__iexact=claims.regional_id)
    if user is not None:
        others = others.exclude(pk=user.pk)
    if others.exists():
        raise Refused(_("This regional ID belongs to another account here."), code="clash")
    new = user is None
    user = user or User(subject=claims.subject, kind=User.Kind.STAFF)
    values = {"username": claims.regional_id, "name": claims.name, "email": claims.email}
    changes = differences({name: getattr(user, name) for name in values}, values)
    if not new and not changes:
        return user
    for name, value in values.items():
        setattr(user, name, value)
    if new:
        user.set_unusable_password()
    with acting(actor=ServiceActor(DIRECTORY.name, on_behalf_of=user), reason="token"):
        user.save()
        action = "accounts.staff_created" if new else "accounts.staff_changed"
        record(action, user, data=changes)
    return user


def _one_at_a_time(subject: str) -> None:
    """Two first log-ins of one person wait for each other: there is no row yet to lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [subject])
