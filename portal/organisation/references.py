"""Whatever belongs to a unit, of the portal and of every module: found by its foreign keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import ForeignKey, Model, QuerySet
from simple_history.models import HistoricalChanges

from portal.organisation.models import Unit
from portal.records.models import BareRecord


@dataclass(frozen=True)
class Reference:
    """A model whose rows name a unit in ``field``."""

    model: type[Model]
    field: str

    def rows(self, unit: Unit) -> QuerySet[Any]:
        """Rows that are in use; soft-deleted ones stay where they were."""
        manager = getattr(self.model, "objects", self.model._default_manager)  # noqa: SLF001
        return manager.filter(**{self.field: unit}).order_by("pk")

    @property
    def keeps_history(self) -> bool:
        return issubclass(self.model, BareRecord)


def references() -> Iterator[Reference]:
    """Every foreign key to a unit but the tree's own and those of history."""
    for relation in Unit._meta.get_fields(include_hidden=True):  # noqa: SLF001
        if not (relation.auto_created and (relation.one_to_many or relation.one_to_one)):
            continue
        model: Any = relation.related_model
        field = relation.field  # type: ignore[union-attr]
        if isinstance(field, ForeignKey) and not issubclass(model, Unit | HistoricalChanges):
            yield Reference(model, field.name)
