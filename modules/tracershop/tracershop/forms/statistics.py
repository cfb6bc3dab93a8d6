"""Which period and what of it the statistics show."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from portal.records.fields import DateInput

LONGEST_YEARS = 10


class StatisticsForm(forms.Form):
    """A wrong value in the address is left out, and said."""

    first = forms.DateField(label=_("From"), required=False, widget=DateInput)
    last = forms.DateField(label=_("Until and including"), required=False, widget=DateInput)
    customer = forms.ModelChoiceField(
        label=_("Customer"), queryset=None, required=False, empty_label=_("All")
    )
    tracer = forms.ModelChoiceField(
        label=_("Tracer"), queryset=None, required=False, empty_label=_("All")
    )
    by = forms.ChoiceField(
        label=_("Colours"),
        required=False,
        choices=[("tracer", _("by tracer")), ("customer", _("by customer"))],
    )

    def __init__(self, *args: Any, customers: Any, tracers: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["customer"].queryset = customers  # type: ignore[attr-defined]
        self.fields["tracer"].queryset = tracers  # type: ignore[attr-defined]

    def clean_last(self) -> date | None:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        if first and last and last < first:
            raise ValidationError(_("The period must end after it begins."))
        if first and last and last.year - first.year > LONGEST_YEARS:
            raise ValidationError(_("At most %(years)s years."), params={"years": LONGEST_YEARS})
        return last

    def chosen(self) -> dict[str, Any]:
        """The filters that are given and right."""
        self.is_valid()
        names = ("first", "last", "customer", "tracer")
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data.get(name)}

    @property
    def by_customer(self) -> bool:
        self.is_valid()
        return self.cleaned_data.get("by") == "customer"
