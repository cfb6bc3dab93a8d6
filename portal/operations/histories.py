"""A record's history in words: who changed which field from what to what, when and why (PT-020)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Field, ForeignKey, Model

from portal.access.masking import may_see_personal
from portal.operations.trail import Difference
from portal.records.personal import HIDDEN, has_personal_fields, unmasked
from portal.records.words import choices_of, in_words

PAGE_LENGTH = 50
# kept by the portal itself: they change with every save and say nothing about the record
_BOOK_KEEPING = {"id", "version", "created_at", "changed_at", "path", "depth", "numchild"}
_ACTING = "acting as "


@dataclass(frozen=True)
class Change:
    """One saving of the record."""

    kind: str
    """created, changed, deleted, restored, purged"""
    at: datetime
    who: str
    service: str
    acting_as: str
    """The other role in which ``who`` acted, in words (PT-006)."""
    reason: str
    version: int | None
    differences: list[Difference] = field(default_factory=list)


def has_history(model: type[Model]) -> bool:
    return hasattr(model, "history")


def changes(record: Any, page: int = 1) -> tuple[list[Change], bool]:
    """A page of the record's history, newest first, and whether there is an older page.

    A fixed number of queries: one for the rows, one for the people, one for each kind of object
    that its foreign keys name. Personal data is masked in every row as it is in the record now;
    that it was changed is told all the same.
    """
    start = (page - 1) * PAGE_LENGTH
    rows = list(
        type(record)
        .history.filter(**{record._meta.pk.attname: record.pk})  # noqa: SLF001
        .order_by("-history_date", "-history_id")[start : start + PAGE_LENGTH + 1]
    )
    fields = _shown_fields(type(record), rows)
    words = _Words(record, fields, rows)
    people = _people(rows)
    found = [
        _change(newer, older, fields, words, people)
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


class _Words:
    """Values of the rows' fields in words: names of what foreign keys point at, masks, choices."""

    def __init__(self, record: Any, fields: list[Field], rows: list[Any]) -> None:
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
        # decided once: asking each row would cost it a query
        self._shown = not has_personal_fields(type(record)) or may_see_personal(record)

    def of(self, shown: Field, value: Any) -> str:
        """A value that was read unmasked."""
        if value not in (None, "") and getattr(shown, "personal", False) and not self._shown:
            return HIDDEN
        if isinstance(shown, ForeignKey) and value is not None:
            return self._names.get(shown.related_model, {}).get(value, f"{value}")
        return in_words(value, choices_of(shown))


def _every(model: type[Model]) -> Any:
    """Soft-deleted rows too: history names what was."""
    return getattr(model, "all_objects", model._base_manager).all()  # noqa: SLF001


def _change(
    newer: Any, older: Any | None, fields: list[Field], words: _Words, people: dict[int, str]
) -> Change:
    by_way_of = getattr(newer, "history_service", "")
    acting = by_way_of.startswith(_ACTING)
    return Change(
        kind=_kind(newer, older),
        at=newer.history_date,
        who=people.get(newer.history_user_id, ""),
        service="" if acting else by_way_of,
        acting_as=by_way_of.removeprefix(_ACTING) if acting else "",
        reason=newer.history_change_reason or "",
        version=getattr(newer, "version", None),
        differences=_differences(newer, older, fields, words),
    )


def _differences(
    newer: Any, older: Any | None, fields: list[Field], words: _Words
) -> list[Difference]:
    found = []
    for shown in fields:
        if shown.name == "deleted_at":  # told by the change's kind
            continue
        with unmasked():
            new = getattr(newer, shown.attname)
            old = getattr(older, shown.attname) if older is not None else None
        if new == old or (older is None and new in (None, "")):
            continue
        found.append(
            Difference(
                str(shown.verbose_name),
                words.of(shown, new),
                words.of(shown, old) if older is not None else None,
                changed=older is not None,
            )
        )
    return found


def _kind(newer: Any, older: Any | None) -> str:
    if newer.history_type == "-":
        return "purged"
    gone = getattr(newer, "deleted_at", None) is not None
    was_gone = older is not None and getattr(older, "deleted_at", None) is not None
    if gone != was_gone:
        return "deleted" if gone else "restored"
    return "created" if newer.history_type == "+" else "changed"
