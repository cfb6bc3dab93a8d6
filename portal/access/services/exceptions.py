"""Exceptions: one person, one privilege, one object (PT-014), decided about by django-guardian."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from guardian.shortcuts import assign_perm, remove_perm

from portal.access.authority import check_may_except
from portal.access.decision import forget_held
from portal.access.models import ObjectException
from portal.access.reach import exception_privileges, unit_of
from portal.access.services.grants import check_not_oneself
from portal.audit.services import record
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import soft_delete, writes


@writes
def grant_exception(
    *, actor: Any, user: Any, privilege: str, obj: Model, reason: str
) -> ObjectException:
    """Give one person one privilege on one object.

    Refused with code ``no_exception`` where the model takes none for this privilege,
    ``self_grant``, ``already_held``, and those of
    :func:`~portal.access.authority.check_may_except`.
    """
    check_not_oneself(actor, [user])
    _check_takes(obj, privilege)
    check_may_except(actor, privilege, obj)
    get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
    if registered(obj).filter(user=user, privilege=privilege).exists():
        raise Refused(_("The person has this exception already."), code="already_held")
    assign_perm(privilege.split(".")[1], user, obj)
    exception = ObjectException.objects.create(
        user=user,
        privilege=privilege,
        object_type=obj._meta.label_lower,  # noqa: SLF001
        object_id=str(obj.pk),
        object_repr=str(obj),
        unit=unit_of(obj),
        granted_by=None if isinstance(actor, ServiceActor) else actor,
    )
    record("access.exception_granted", obj, data={"privilege": privilege, "person": str(user)})
    forget_held(user)
    return exception


@writes
def end_exception(*, actor: Any, user: Any, privilege: str, obj: Model, reason: str) -> None:
    """Take it away again; as much say as for giving it."""
    check_not_oneself(actor, [user])
    check_may_except(actor, privilege, obj)
    take_exception(user, privilege, obj)


def take_exception(user: Any, privilege: str, obj: Model) -> None:
    """End an exception within the caller's transaction; the caller has judged who may.

    Refused with code ``gone`` where there is none.
    """
    _check_takes(obj, privilege)
    name, model = privilege.split(".")[1], type(obj)
    removed, _tables = remove_perm(name, user, obj) or (0, {})
    found = registered(obj).filter(user=user, privilege=privilege).select_for_update(no_key=True)
    kept = list(found)
    if not (removed or kept):
        raise Refused(_("This exception does not exist (any more)."), code="gone")
    for exception in kept:
        soft_delete(exception)
    facts = {"privilege": privilege, "person": str(user), "kind": model._meta.label_lower}  # noqa: SLF001
    record("access.exception_ended", obj, data=facts)
    forget_held(user)


def registered(obj: Model) -> Any:
    """The exceptions for one object."""
    return ObjectException.objects.filter(
        object_type=obj._meta.label_lower,  # noqa: SLF001
        object_id=str(obj.pk),
    )


def _check_takes(obj: Model, privilege: str) -> None:
    if privilege not in exception_privileges(type(obj)):
        raise Refused(
            _("Objects of this kind take no exception for this privilege."), code="no_exception"
        )
