"""The base of every record: history, soft delete, optimistic lock (PT-020, PT-021, PT-022)."""

from __future__ import annotations

from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.db import models
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords
from simple_history.signals import pre_create_historical_record

from portal.records.context import current_act
from portal.records.errors import StaleRecord
from portal.records.personal import has_personal_fields, is_unmasked, personal_path, unmasked


class Append(pgtrigger.Trigger):
    """Refuses ``operation``; with ``purgeable`` a transaction that set portal.purge may delete.

    Personal data have to be removed after a time (TS-022): :func:`portal.records.purging.purge`
    alone sets the variable.
    """

    def __init__(self, *, name: str, operation: Any, purgeable: bool = False) -> None:
        statement = operation is pgtrigger.Truncate
        purge = "IF current_setting('portal.purge', true) = 'on' THEN RETURN OLD; END IF;"
        super().__init__(
            name=name,
            operation=operation,
            when=pgtrigger.Before,
            level=pgtrigger.Statement if statement else pgtrigger.Row,
            func=(
                f"{purge if purgeable and operation is pgtrigger.Delete else ''}"
                " RAISE EXCEPTION 'portal: % is refused on %', TG_OP, TG_TABLE_NAME"
                " USING ERRCODE = 'insufficient_privilege';"
            ),
        )


def no_delete(*, purgeable: bool = False) -> list[pgtrigger.Trigger]:
    return [
        Append(name="no_delete", operation=pgtrigger.Delete, purgeable=purgeable),
        Append(name="no_truncate", operation=pgtrigger.Truncate),
    ]


def append_only(*, purgeable: bool = False) -> list[pgtrigger.Trigger]:
    return [
        Append(name="no_update", operation=pgtrigger.Update),
        *no_delete(purgeable=purgeable),
    ]


class AppendOnlyHistory(HistoricalRecords):
    """simple-history with the full reason, and by way of whom; refused to be rewritten."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("history_change_reason_field", models.TextField(null=True))
        options.setdefault("user_model", settings.AUTH_USER_MODEL)
        super().__init__(**options)

    def get_extra_fields(self, model: type[models.Model], fields: Any) -> dict[str, Any]:
        return {
            **super().get_extra_fields(model, fields),
            "history_service": models.CharField(max_length=100, default="", blank=True),
        }

    def get_meta_options(self, model: type[models.Model]) -> dict[str, Any]:
        purgeable = getattr(model, "purgeable", False)
        return {**super().get_meta_options(model), "triggers": append_only(purgeable=purgeable)}

    def get_history_user(self, instance: models.Model) -> Any:
        return current_act().person

    def get_change_reason_for_object(self, instance: Any, history_type: str, using: str) -> str:
        return getattr(instance, "_change_reason", None) or current_act().reason


@receiver(pre_create_historical_record, dispatch_uid="portal-service")
def _note_service(sender: Any, history_instance: Any, **_: Any) -> None:
    """simple-history gives no other way to fill a field of its rows."""
    if hasattr(history_instance, "history_service"):
        history_instance.history_service = current_act().by_way_of[:100]


class ActiveQuerySet(models.QuerySet):
    """Rows that are not soft-deleted come from ``objects``; ``all_objects`` has every row."""

    def update(self, **values: Any) -> int:
        msg = "queryset.update() writes no history: use portal.records.services.change_many"
        raise TypeError(msg)

    def delete(self) -> tuple[int, dict[str, int]]:
        msg = "records are not deleted: use portal.records.services.soft_delete"
        raise TypeError(msg)

    def _values(self, *fields: Any, **expressions: Any) -> Any:
        if not is_unmasked():
            names = [field for field in fields if isinstance(field, str)]
            if any(personal_path(self.model, name) for name in names) or (
                not fields and has_personal_fields(self.model)
            ):
                msg = "values() of personal data is not masked: read it from the records"
                raise TypeError(msg)
        return super()._values(*fields, **expressions)  # type: ignore[misc]


class ActiveManager(models.Manager.from_queryset(ActiveQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> ActiveQuerySet:
        return super().get_queryset().filter(deleted_at__isnull=True)


class AllManager(models.Manager.from_queryset(ActiveQuerySet)):  # type: ignore[misc]
    """Every row, soft-deleted ones too."""


class BareRecord(models.Model):
    """Optimistic lock and soft delete; the subclass says how its history is kept."""

    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    changed_at = models.DateTimeField(_("changed"), auto_now=True, editable=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)

    purgeable = False

    objects = ActiveManager()
    all_objects = AllManager()

    class Meta:
        abstract = True
        base_manager_name = "all_objects"
        default_manager_name = "all_objects"
        triggers = no_delete()

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any) -> Self:
        record = super().from_db(db, field_names, values)
        record._read_version = record.__dict__.get("version")  # noqa: SLF001
        return record

    def save(self, *args: Any, **options: Any) -> None:  # noqa: DJ012 beside what reads the version
        changing = not self._state.adding
        if changing:
            self._read_version = self.version
            self.version += 1
            if (fields := options.get("update_fields")) is not None:
                options["update_fields"] = {*fields, "version", "changed_at"}
        try:
            with unmasked():  # what is saved, and its history, is what is there
                super().save(*args, **options)
        except Exception:
            if changing:  # nothing was saved: the next try is for the same version
                self.version = self._read_version
            raise

    def _do_update(self, base_qs: Any, *args: Any) -> bool:
        if super()._do_update(base_qs.filter(version=self._read_version), *args):  # type: ignore[misc]
            return True
        raise StaleRecord(self)

    def refresh_from_db(self, *args: Any, **options: Any) -> None:
        with unmasked():
            super().refresh_from_db(*args, **options)
        self._read_version = self.version

    def delete(self, *args: Any, **options: Any) -> Any:
        msg = "records are not deleted: use portal.records.services.soft_delete"
        raise TypeError(msg)

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None


class Record(BareRecord):
    """What almost every model is."""

    history = AppendOnlyHistory(inherit=True)

    class Meta(BareRecord.Meta):
        abstract = True


class PurgeableRecord(Record):
    """A record of personal data that is removed after a set time, history and all."""

    purgeable = True

    class Meta(Record.Meta):
        abstract = True
        triggers = no_delete(purgeable=True)
