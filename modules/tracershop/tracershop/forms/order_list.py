"""The order list's filter."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.records.fields import DateInput
from tracershop.models import Order


class OrderFilterForm(forms.Form):
    """Which orders the list shows. A wrong value in the address is left out, and said."""

    first = forms.DateField(
        label=_("From"),
        required=False,
        widget=DateInput,
    )
    last = forms.DateField(
        label=_("Until and including"),
        required=False,
        widget=DateInput,
    )
    customer = forms.ModelChoiceField(
        label=_("Customer"), queryset=None, required=False, empty_label=_("All")
    )
    tracer = forms.ModelChoiceField(
        label=_("Tracer"), queryset=None, required=False, empty_label=_("All")
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("All")), *Order.Status.choices]
    )

    def __init__(self, *args: Any, customers: Any, tracers: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["customer"].queryset = customers  # type: ignore[attr-defined]
        self.fields["tracer"].queryset = tracers  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, Any]:
        """The values that are given and right."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}
