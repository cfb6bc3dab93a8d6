"""The forms of standing orders: what was typed. Services decide."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.records.fields import AmountField, ClockField, DateInput
from tracershop.forms.ordering import OrderForm


class StandingForm(OrderForm):
    """What is ordered each week, and from which day until which."""

    starts_on = forms.DateField(label=_("First day"), widget=DateInput)
    ends_on = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=DateInput,
        help_text=_("Without one it goes on until somebody ends it."),
    )

    def __init__(self, *args: Any, editing: bool = False, **options: Any) -> None:
        super().__init__(*args, on_behalf=False, editing=editing, **options)
        if editing:  # the first day lies behind
            del self.fields["starts_on"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        first, last = data.get("starts_on"), data.get("ends_on")
        if first and last and last < first:
            self.add_error("ends_on", _("The last day is before the first one."))
        return data

    @property
    def values(self) -> dict[str, Any]:
        """What the services take, the amount included."""
        names = ("activity_mbq", "injections", "starts_on", "ends_on")
        return {
            **super().values,
            **{name: self.cleaned_data[name] for name in names if name in self.cleaned_data},
        }


class StandingActivityForm(StandingForm):
    """MBq at a slot."""

    activity_mbq = AmountField(label=_("Activity at delivery"))
    field_order = ("activity_mbq", "starts_on", "ends_on", "intended_use", "comment")


class StandingInjectionForm(StandingForm):
    """A number of injections at a time of the weekday."""

    clock = ClockField(label=_("Time of injection"))
    injections = forms.IntegerField(
        label=_("Injections"),
        min_value=1,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    field_order = ("clock", "injections", "starts_on", "ends_on", "intended_use", "comment")

    def __init__(self, *args: Any, editing: bool = False, **options: Any) -> None:
        super().__init__(*args, editing=editing, **options)
        if editing:  # another time is another standing order
            del self.fields["clock"]


class EndForm(forms.Form):
    """Until when, and what becomes of the orders that were placed for later days."""

    last_day = forms.DateField(label=_("Last day"), widget=DateInput)
    delete_placed = forms.BooleanField(
        label=_("Also delete the orders placed for later days, as far as that is still possible"),
        required=False,
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, last_day: date, version: int, **options: Any) -> None:
        options["initial"] = {"last_day": last_day, "version": version}
        super().__init__(*args, **options)
