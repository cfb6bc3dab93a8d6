"""Lists whose columns people choose and sort by: what a list's columns are is said once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.db.models.expressions import OrderBy


@dataclass(frozen=True)
class Column:
    """A column: how it is called and sorted, and its cell in Excel and on paper."""

    code: str
    label: Any
    cell: Callable[[Any], Any] = str
    """From the row."""
    sort: tuple[str, ...] = ()
    """What it is sorted by; none: it cannot be. Personal data are never sorted by."""
    unit: str = ""
    optional: bool = False
    """Shown only when asked for."""
    on_paper: bool = True

    @property
    def title(self) -> str:
        """Over a column of Excel: the label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else str(self.label)


@dataclass(frozen=True)
class Head:
    """A head cell: pressing it sorts by the column, pressing again the other way."""

    column: Column
    sort: str
    """What pressing it asks for."""
    direction: str
    """``ascending`` or ``descending`` where the list is sorted by it."""

    @property
    def sortable(self) -> bool:
        return bool(self.column.sort)


@dataclass(frozen=True)
class Columns:
    """The columns of a list, and the sort that it begins with: a code, with ``-`` downwards."""

    columns: tuple[Column, ...]
    begins_with: str

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def sort_of(self, text: str) -> str:
        """A sort that exists, as an address may ask for it; else the one it begins with."""
        sortable = {column.code for column in self if column.sort}
        return text if text.removeprefix("-") in sortable else self.begins_with

    def ordering(self, sort: str) -> list[OrderBy]:
        """For ``order_by``: what is empty comes last, either way."""
        names = next(each.sort for each in self if each.code == sort.removeprefix("-"))
        down = sort.startswith("-")
        return [
            F(name).desc(nulls_last=True) if down else F(name).asc(nulls_last=True)
            for name in names
        ]

    def shown(self, asked: Collection[str]) -> set[str]:
        """The codes of what is shown: all but the optional ones, and those asked for."""
        return {column.code for column in self if not column.optional or column.code in asked}

    def heads(self, sort: str, shown: Collection[str] | None = None) -> list[Head]:
        return [_head(column, sort) for column in self if shown is None or column.code in shown]


def _head(column: Column, sort: str) -> Head:
    sorted_by, down = sort.removeprefix("-") == column.code, sort.startswith("-")
    direction = ("descending" if down else "ascending") if sorted_by else ""
    return Head(column, f"-{column.code}" if sorted_by and not down else column.code, direction)
