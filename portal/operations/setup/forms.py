"""Forms of set-up records: model forms with the house's fields, a version and a reason."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.db import models

from portal.access.forms import ReasonForm
from portal.records.fields import AmountField, ClockField, DateInput
from portal.records.merging import Mergeable


def house_field(field: models.Field, **options: Any) -> forms.Field | None:
    """The form field of a model field: numbers, times and days as people type them (PT-046)."""
    if isinstance(field, models.FloatField):
        options["form_class"] = AmountField
    if isinstance(field, models.TimeField):
        options["form_class"] = ClockField
    if isinstance(field, models.DateField) and not isinstance(field, models.DateTimeField):
        options["widget"] = DateInput
    if isinstance(field, models.TextField):
        options["widget"] = forms.Textarea(attrs={"rows": 2})
    return field.formfield(**options)


class RecordForm(Mergeable, ReasonForm, forms.ModelForm):
    """What is typed about one record; services decide. A reason is asked of a change.

    Subclasses have a ``Meta(RecordForm.Meta)`` with ``model`` and ``fields``.
    """

    class Meta:
        formfield_callback = house_field

    def __init__(self, *args: Any, actor: Any, fixed: Collection[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_new = self.instance.pk is None
        # the service says in a sentence what the database refuses; Django names the constraint
        self.instance.validate_constraints = lambda exclude=None: None
        self.fields["reason"].required = not self.is_new
        self.initial["version"] = None if self.is_new else self.instance.version
        if not self.is_new:
            for name in fixed:
                self.fields[name].disabled = True
        self.offer(actor)

    def offer(self, actor: Any) -> None:
        """Narrow the choices to what ``actor`` may choose."""

    def values(self) -> dict[str, Any]:
        """What the service takes."""
        return {name: self.cleaned_data[name] for name in self._meta.fields or ()}
