"""How set-up records are shown: the columns of their list, their words, their addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse

from portal.operations.setup.forms import RecordForm
from portal.operations.setup.services import SetupRules


@dataclass(frozen=True)
class Column:
    """A column of the list; ``value`` is an attribute's path with dots, or a function of the row.

    The first column of a page is the link to the record.
    """

    label: Any
    value: str | Callable[[Any], Any]
    number: bool = False

    def of(self, row: Any) -> Any:
        if callable(self.value):
            return self.value(row)
        for name in self.value.split("."):
            row = getattr(row, name)
        return row() if callable(row) else row


@dataclass(frozen=True)
class SetupPage:
    """A list with its forms, under ``<name>/`` of the module's set-up."""

    name: str
    rules: SetupRules
    form: type[RecordForm]
    columns: tuple[Column, ...]
    title: Any
    lead: Any
    add: Any
    """The main act: *Add a slot*."""
    empty: Any
    """What to do where there is nothing yet."""
    end_words: Any
    """What ending means, and what stays."""
    order: tuple[str, ...]
    top: str
    """The url name of the page above."""
    note: Any = ""
    """What a change leaves alone."""
    related: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    icon: str = "gear"
    own_page: str = ""
    """The url name of a page about one record; else its form is the page."""
    more_acts: tuple[tuple[Any, str, str], ...] = ()
    """Further acts beside the main one: words, url name, icon."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The record's fields that the form asks."""
        return tuple(self.form._meta.fields or ())  # noqa: SLF001

    def url(self, act: str = "", *args: Any) -> str:
        """The address of the list, or of ``new``, ``edit``, ``end``."""
        app = self.rules.model._meta.app_label  # noqa: SLF001
        return reverse(f"{app}:setup_{self.name}{act and f'_{act}'}", args=args)

    def url_of(self, row: Any) -> str:
        return reverse(self.own_page, args=[row.pk]) if self.own_page else self.url("edit", row.pk)

    def rows(self, user: Any, text: str = "") -> QuerySet:
        """The records in the person's reach that have ``text`` in one of the fields searched."""
        found = Q()
        for lookup in self.search if text else ():
            found |= Q(**{f"{lookup}__icontains": text})
        rows = self.rules.rows(user).filter(found)
        return rows.select_related(*self.related).order_by(*self.order, "pk")
