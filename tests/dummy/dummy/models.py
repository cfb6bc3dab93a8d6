from __future__ import annotations

from django.db import models

from portal.access.policies import AccessPolicy, ByUnit
from portal.organisation.models import Unit
from portal.records.models import Record


class Thing(Record):
    name = models.CharField("name", max_length=100)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")

    access = AccessPolicy(
        view=("dummy.see_things",),
        scopes={"dummy.see_things": ByUnit("unit"), "dummy.change_things": ByUnit("unit")},
    )

    class Meta(Record.Meta):
        verbose_name = "thing"

    def __str__(self) -> str:
        return self.name
