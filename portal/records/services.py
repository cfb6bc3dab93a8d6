"""How records are written: one transaction, locked rows, a known actor, a reason where demanded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.utils import bulk_create_with_history as _bulk_create

from portal.records.context import acting, current_act
from portal.records.errors import FieldDifference, Refused, StaleRecord
from portal.records.personal import unmasked

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=models.Model)


def writes(service: Callable[P, R]) -> Callable[P, R]:
    """Decorate a service: one transaction; history and audit know ``actor`` and ``reason``."""

    @functools.wraps(service)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        circumstances: dict[str, Any] = {"actor": kwargs["actor"]}
        if "reason" in kwargs:
            circumstances["reason"] = kwargs["reason"]
        with transaction.atomic(), acting(**circumstances):
            return service(*args, **kwargs)

    return wrapped


def locked(queryset: models.QuerySet[M], pk: Any) -> M:
    """The row, locked until the transaction ends.

    FOR NO KEY UPDATE: a plain FOR UPDATE would block the foreign-key checks that run at commit
    together with the audit chain. Raises Refused(code="gone") when the row is not in the queryset.
    """
    try:
        return queryset.select_for_update(no_key=True, of=("self",)).get(pk=pk)
    except ObjectDoesNotExist:
        raise Refused(_("This record does not exist (any more)."), code="gone") from None


def check_version(record: Any, expected_version: int | None, sent: Mapping[str, Any]) -> None:
    """Refuse a form that was opened on an older version, showing field by field what differs.

    ``sent`` maps field names to what the second saver wants. ``None`` as version means that the
    caller does not edit fields (an act such as *accept*), so there is nothing to compare.
    """
    if expected_version is None or record.version == expected_version:
        return
    old = record.history.filter(version=expected_version).first()
    differences = []
    for name, yours in sent.items():
        theirs = getattr(record, name)
        before = getattr(old, name, None) if old else None
        if theirs != yours:
            label = record._meta.get_field(name).verbose_name  # noqa: SLF001
            differences.append(FieldDifference(label, before, theirs, yours))
    raise StaleRecord(record, differences)


def soft_delete(record: Any) -> None:
    """Take a record out of every list; it stays in the database."""
    record.deleted_at = timezone.now()
    record.save(update_fields={"deleted_at"})


def restore(record: Any) -> None:
    record.deleted_at = None
    record.save(update_fields={"deleted_at"})


def create_many(model: type[M], records: Iterable[M]) -> list[M]:
    """Bulk insert that writes history rows too."""
    act = current_act()
    with unmasked():
        return _bulk_create(
            list(records),
            model,
            batch_size=1000,
            default_user=act.person,
            default_change_reason=act.reason,
            # a bulk insert sends no signal, so the service is said here
            custom_historical_attrs={"history_service": act.by_way_of[:100]},
        )


def change_many(records: Iterable[Any], **values: Any) -> int:
    """Set the same values on many records, each with its version and history."""
    count = 0
    for record in records:
        for name, value in values.items():
            setattr(record, name, value)
        record.save(update_fields=set(values))
        count += 1
    return count
