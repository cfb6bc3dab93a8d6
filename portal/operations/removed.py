"""Soft-deleted records that may come back: who removed what, when and why (PT-021)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.access.decision import can, visible
from portal.audit.services import Access, log_access, record
from portal.records.errors import Refused
from portal.records.models import BareRecord
from portal.records.services import locked, restore, writes

RESTORED = "records.restored"


@dataclass(frozen=True)
class Removed:
    """A removed record; who, when and why by its history."""

    record: Any
    at: datetime
    who: str
    by_way_of: str
    reason: str


def restorable() -> list[type[BareRecord]]:
    """Every model whose policy says who may restore its rows."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, BareRecord) and getattr(model, "access", None) and model.access.restore
    ]


def restorable_by(user: Any) -> list[type[BareRecord]]:
    """Those of which ``user`` may restore some rows, by their names."""
    own = [model for model in restorable() if can(user, model.access.restore)]  # type: ignore[attr-defined]
    return sorted(own, key=lambda model: str(model._meta.verbose_name_plural).lower())  # noqa: SLF001


def removed_rows(user: Any, model: type[BareRecord]) -> QuerySet:
    """The removed rows that ``user`` may restore, the last removed first."""
    gone = model.all_objects.filter(deleted_at__isnull=False)
    return visible(user, gone, model.access.restore).order_by("-deleted_at", "-pk")  # type: ignore[attr-defined]


def described(rows: list[Any]) -> list[Removed]:
    """The rows with what their history says of the removal. One query for all of them."""
    if not rows:
        return []
    model = type(rows[0])
    key = model._meta.pk.attname  # noqa: SLF001
    history = (
        model.history.filter(**{f"{key}__in": [row.pk for row in rows]}, deleted_at__isnull=False)
        .select_related("history_user")
        .order_by(key, "deleted_at", "history_id")
        .distinct(key, "deleted_at")
    )
    told = {(getattr(each, key), each.deleted_at): each for each in history}
    return [_described(row, told.get((row.pk, row.deleted_at))) for row in rows]


def _described(row: Any, act: Any) -> Removed:
    if act is None:  # removed before its history began
        return Removed(row, row.deleted_at, "", "", "")
    who = str(act.history_user) if act.history_user else ""
    return Removed(row, row.deleted_at, who, act.history_service, act.history_change_reason or "")


@writes
def restore_record(*, actor: Any, model: type[BareRecord], pk: Any, reason: str) -> Any:
    """Bring a removed record back, with whatever its module says comes back with it.

    PermissionDenied for a model that nobody may restore. Refused: ``gone`` (it is not removed, or
    not in reach), ``reason_needed``, what :func:`portal.records.services.restore` refuses, and what
    the module's rules do.
    """
    policy: Any = getattr(model, "access", None)
    if policy is None or not policy.restore:
        raise PermissionDenied
    if not reason.strip():
        raise Refused(_("Say why it comes back."), code="reason_needed")
    found: Any = locked(removed_rows(actor, model), pk)
    removed_at = found.deleted_at
    restore(found)
    if policy.after_restore:
        import_string(policy.after_restore)(found)
    record(RESTORED, found, data={"removed_at": removed_at})
    log_access(Access.CHANGE, found, data={"act": "restore"})
    return found
