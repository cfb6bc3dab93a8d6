"""Reading the audit trail and the access log: narrowed, page by page, made readable (PT-024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.audit.chain import ACCESS, TRAIL
from portal.audit.models import AccessEntry, AuditEntry, Entry

PAGE_LENGTH = 50
LOGS: dict[str, type[Entry]] = {TRAIL: AuditEntry, ACCESS: AccessEntry}


@dataclass(frozen=True)
class Difference:
    """One line of an entry's data: a field with what was and what is, or one plain fact."""

    label: str
    new: Any
    old: Any = None
    changed: bool = False


@dataclass(frozen=True)
class LogPage:
    """Entries, newest first, and the keys at which the pages before and after it begin."""

    entries: list[Any]
    newer: int | None
    older: int | None


def narrowed(model: type[Entry], wanted: Mapping[str, Any]) -> QuerySet[Any]:
    """The entries that fit all of ``wanted`` (the cleaned data of a ``LogFilter``)."""
    entries = model.objects.all()
    for name in ("object_type", "object_id", "patient"):
        if wanted.get(name):
            entries = entries.filter(**{name: wanted[name]})
    if wanted.get("action"):
        entries = entries.filter(action__istartswith=wanted["action"])
    if person := wanted.get("person"):
        entries = entries.filter(Q(actor_name__icontains=person) | Q(service__icontains=person))
    if role := wanted.get("acting_as"):
        entries = entries.filter(acting_as__icontains=role)
    if text := wanted.get("text"):
        entries = entries.filter(
            Q(object_repr__icontains=text) | Q(reason__icontains=text) | Q(request_id=text)
        )
    if since := wanted.get("since"):
        entries = entries.filter(at__gte=_begin(since))
    until = wanted.get("until")
    if until and until < date.max:
        entries = entries.filter(at__lt=_begin(until + timedelta(days=1)))
    return entries


def _begin(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def log_page(
    entries: QuerySet[Any], *, before: int | None = None, after: int | None = None
) -> LogPage:
    """A page by key: entries with an id below ``before``, or the oldest ones above ``after``.

    By key and not by number: page 2,000 costs what page 2 costs, and new entries move nothing.
    """
    if after is not None:
        rows = list(entries.filter(pk__gt=after).order_by("pk")[: PAGE_LENGTH + 1])
        more, rows = len(rows) > PAGE_LENGTH, rows[:PAGE_LENGTH][::-1]
        return LogPage(
            rows,
            newer=rows[0].pk if more else None,
            older=rows[-1].pk if rows else None,
        )
    older = entries.order_by("-pk") if before is None else entries.filter(pk__lt=before)
    rows = list(older.order_by("-pk")[: PAGE_LENGTH + 1])
    more, rows = len(rows) > PAGE_LENGTH, rows[:PAGE_LENGTH]
    return LogPage(
        rows,
        newer=rows[0].pk if rows and before is not None else None,
        older=rows[-1].pk if more else None,
    )


# --- in words ------------------------------------------------------------------------------------


def field_label(object_type: str, name: str) -> str:
    """The field's name as people know it; its name in the code when its module is gone."""
    try:
        return str(apps.get_model(object_type)._meta.get_field(name).verbose_name)  # noqa: SLF001
    except (LookupError, ValueError, FieldDoesNotExist, AttributeError):
        return name.replace("_", " ")


def kind_label(object_type: str) -> str:
    """What kind of object it is, in words; the stored text when its module is gone."""
    try:
        return str(apps.get_model(object_type)._meta.verbose_name)  # noqa: SLF001
    except (LookupError, ValueError):
        return object_type


def readable(entry: Entry) -> list[Difference]:
    """The entry's data, line by line. ``[old, new]`` is a difference, anything else a fact."""
    if not isinstance(entry.data, dict):
        return [Difference("", entry.data)]
    lines = []
    for name, value in entry.data.items():
        label = field_label(entry.object_type, name)
        if isinstance(value, list) and len(value) == 2 and not isinstance(value[0], dict):
            lines.append(Difference(label, _plain(value[1]), _plain(value[0]), changed=True))
        else:
            lines.append(Difference(label, _plain(value)))
    return lines


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(str(_plain(item)) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(item)}" for name, item in value.items())
    return value
