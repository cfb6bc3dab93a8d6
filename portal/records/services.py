"""How records are written: one transaction, locked rows, a known actor, a reason where demanded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.utils import bulk_create_with_history as _bulk_create

from portal.records.context import acting, current_act
from portal.records.errors import FieldDifference, Refused, StaleRecord
from portal.records.personal import Masked, unmasked

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=models.Model)

BATCH = 1000
"""Rows in one statement of a bulk write."""


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
    caller does not edit fields (an act such as *accept*), so there is nothing to compare. A view
    that catches the StaleRecord lets the person choose: :mod:`portal.records.merging`.
    """
    if expected_version is None or record.version == expected_version:
        return
    raise StaleRecord(record, differences_since(record, expected_version, sent))


def differences_since(
    record: Any, opened_version: int, sent: Mapping[str, Any]
) -> list[FieldDifference]:
    """Fields of ``sent`` that are others in the record now; not those that one may not see."""
    old = record.history.filter(version=opened_version).first()
    differences = []
    for name, yours in sent.items():
        theirs = getattr(record, name)
        before = getattr(old, name, None) if old else None
        if isinstance(theirs, Masked) or theirs == yours:
            continue
        label = record._meta.get_field(name).verbose_name  # noqa: SLF001
        differences.append(FieldDifference(label, before, theirs, yours, name))
    return differences


def soft_delete(record: Any) -> None:
    """Take a record out of every list; it stays in the database."""
    record.deleted_at = timezone.now()
    record.save(update_fields={"deleted_at"})


def restore(record: Any) -> None:
    """Bring a soft-deleted record back into the lists.

    Refused: ``not_removed``; ``owner_removed`` where what it belongs to is removed itself;
    ``taken`` where an active record has its place (of a name, a code …) meanwhile.
    """
    if record.deleted_at is None:
        raise Refused(_("This is not removed."), code="not_removed")
    if gone := _removed_owners(record):
        raise Refused(
            _("It belongs to %(owners)s, which is removed too: restore that first.")
            % {"owners": ", ".join(gone)},
            code="owner_removed",
        )
    was_deleted_at, record.deleted_at = record.deleted_at, None
    try:
        with transaction.atomic():
            with unmasked():
                _check_constraints(record)
            record.save(update_fields={"deleted_at"})
    except (ValidationError, IntegrityError) as error:  # the latter: somebody was faster
        record.deleted_at = was_deleted_at
        raise Refused(
            _("There is an active one in its place now. Remove or rename that first."), code="taken"
        ) from error


def _removed_owners(record: Any) -> list[str]:
    owners = [
        getattr(record, field.name)
        for field in record._meta.concrete_fields  # noqa: SLF001
        if isinstance(field, models.ForeignKey) and not field.null
    ]
    return [str(owner) for owner in owners if getattr(owner, "deleted_at", None) is not None]


def _check_constraints(record: Any) -> None:
    """Those that hold for active rows alone begin to hold for this one."""
    for constraint in record._meta.constraints:  # noqa: SLF001
        constraint.validate(type(record), record)


def create_many(model: type[M], records: Iterable[M]) -> list[M]:
    """Bulk insert that writes history rows too."""
    with unmasked():
        return _bulk_create(list(records), model, batch_size=BATCH, **_circumstances())


def change_many(records: Iterable[Any], **values: Any) -> int:
    """Set the same values on many records of one model, each with its version and history.

    A few statements for a thousand records, not a few for each; all or none. The records are
    locked in the order of their keys. Raises StaleRecord for the first one that somebody else
    changed since it was read. As with any bulk write no ``save()`` of the model and no
    ``post_save`` runs: a model that needs them is saved record by record.
    """
    given = {record.pk: record for record in records}
    if not given:
        return 0
    model = type(next(iter(given.values())))
    if any(type(record) is not model for record in given.values()):
        raise TypeError("change_many() takes records of one model")
    keys, now = sorted(given), timezone.now()
    with transaction.atomic(), unmasked():
        for start in range(0, len(keys), BATCH):
            _change_batch([given[key] for key in keys[start : start + BATCH]], values, now)
    for record in given.values():
        _take(record, values, now)
        record._read_version = record.version  # noqa: SLF001
    return len(given)


def _change_batch(given: list[Any], values: Mapping[str, Any], now: datetime) -> None:
    model = type(given[0])
    # past the managers that refuse update(): the history is written below
    keys = [record.pk for record in given]
    rows: models.QuerySet[Any] = models.QuerySet(model).filter(pk__in=keys)
    fresh = list(rows.select_for_update(no_key=True).order_by("pk"))
    for record, row in zip(given, fresh, strict=True):
        if row.version != record.version:
            raise StaleRecord(record)
        _take(row, values, now)
    rows.update(**values, version=F("version") + 1, changed_at=now)
    model.history.bulk_history_create(
        fresh, batch_size=BATCH, update=True, default_date=now, **_circumstances()
    )


def _take(record: Any, values: Mapping[str, Any], now: datetime) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    record.version += 1
    record.changed_at = now


def _circumstances() -> dict[str, Any]:
    """What a history row says of the act: a bulk write sends no signal that would fill it in."""
    act = current_act()
    return {
        "default_user": act.person,
        "default_change_reason": act.reason,
        "custom_historical_attrs": {"history_service": act.by_way_of[:100]},
    }
