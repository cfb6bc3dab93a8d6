"""A record's history in words: who changed which field from what to what, when and why (PT-020)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Field, ForeignKey, Model
from django.utils import timezone
from django.utils.formats import date_format, localize
from django.utils.translation import gettext as _

from portal.operations.trail import Difference

PAGE_LENGTH = 50
# kept by the portal itself: they change with every save and say nothing about the record
_BOOK_KEEPING = {"id", "version", "created_at", "changed_at", "path", "depth", "numchild"}
_LONGEST = 300


@dataclass(frozen=True)
class Change:
    """One saving of the record."""

    kind: str
    """created, changed, deleted, restored, purged"""
    at: datetime
    who: str
    service: str
    reason: str
    version: int | None
    differences: list[Difference] = field(default_factory=list)


def has_history(model: type[Model]) -> bool:
    return hasattr(model, "history")


def changes(record: Any, page: int = 1) -> tuple[list[Change], bool]:
    """A page of the record's history, newest first, and whether there is an older page.

    A fixed number of queries: one for the rows, one for the people, one for each kind of object
    that its foreign keys name.
    """
    start = (page - 1) * PAGE_LENGTH
    rows = list(
        type(record)
        .history.filter(**{record._meta.pk.attname: record.pk})  # noqa: SLF001
        .order_by("-history_date", "-history_id")[start : start + PAGE_LENGTH + 1]
    )
    fields = _shown_fields(type(record), rows)
    names = _Names(fields, rows)
    people = _people(rows)
    found = [
        _change(newer, older, fields, names, people)
        for newer, older in pairwise([*rows[: PAGE_LENGTH + 1], None])
        if newer is not None
    ]
    return found[:PAGE_LENGTH], len(rows) > PAGE_LENGTH


def _shown_fields(model: type[Model], rows: list[Any]) -> list[Field]:
    if not rows:
        return []
    kept = {field.name for field in rows[0]._meta.get_fields()}  # noqa: SLF001
    secret = set(getattr(model, "secret_fields", ()))
    return [
        field
        for field in model._meta.concrete_fields  # noqa: SLF001
        if field.name in kept and field.name not in _BOOK_KEEPING | secret
    ]


def _people(rows: list[Any]) -> dict[int, str]:
    keys = {row.history_user_id for row in rows if row.history_user_id}
    users = get_user_model().all_objects.filter(pk__in=keys)
    return {user.pk: str(user) for user in users}


class _Names:
    """What the foreign keys in the rows point at, by field and key."""

    def __init__(self, fields: list[Field], rows: list[Any]) -> None:
        wanted: dict[type[Model], set[Any]] = defaultdict(set)
        for foreign in fields:
            if isinstance(foreign, ForeignKey):
                keys = {getattr(row, foreign.attname) for row in rows} - {None}
                wanted[foreign.related_model] |= keys
        self._names = {
            model: {obj.pk: str(obj) for obj in _every(model).filter(pk__in=keys)}
            for model, keys in wanted.items()
            if keys
        }

    def of(self, foreign: ForeignKey, key: Any) -> str:
        return self._names.get(foreign.related_model, {}).get(key, f"{key}")


def _every(model: type[Model]) -> Any:
    """Soft-deleted rows too: history names what was."""
    return getattr(model, "all_objects", model._base_manager).all()  # noqa: SLF001


def _change(
    newer: Any, older: Any | None, fields: list[Field], names: _Names, people: dict[int, str]
) -> Change:
    differences = []
    for shown in fields:
        new = getattr(newer, shown.attname)
        old = getattr(older, shown.attname) if older is not None else None
        if shown.name == "deleted_at" or new == old:
            continue
        if older is None and new in (None, ""):
            continue
        differences.append(
            Difference(
                str(shown.verbose_name),
                in_words(shown, new, names),
                in_words(shown, old, names) if older is not None else None,
                changed=older is not None,
            )
        )
    return Change(
        kind=_kind(newer, older),
        at=newer.history_date,
        who=people.get(newer.history_user_id, ""),
        service=getattr(newer, "history_service", ""),
        reason=newer.history_change_reason or "",
        version=getattr(newer, "version", None),
        differences=differences,
    )


def _kind(newer: Any, older: Any | None) -> str:
    if newer.history_type == "-":
        return "purged"
    gone = getattr(newer, "deleted_at", None) is not None
    was_gone = older is not None and getattr(older, "deleted_at", None) is not None
    if gone != was_gone:
        return "deleted" if gone else "restored"
    return "created" if newer.history_type == "+" else "changed"


def in_words(shown: Field, value: Any, names: _Names) -> str:
    """A field's value as the page has it: choices, names and times instead of codes and keys."""
    if value is None or value == "":
        return ""
    if isinstance(shown, ForeignKey):
        return names.of(shown, value)
    if shown.choices:
        return str(dict(shown.flatchoices).get(value, value))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    if isinstance(value, memoryview | bytes):
        return _("%(size)s bytes") % {"size": len(value)}
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    text = str(localize(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
