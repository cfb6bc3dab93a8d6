"""Forms that say what a room and a procedure mean, and who represents a customer."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.records.fields import AmountField
from portal.records.merging import Mergeable


class PersonChoice(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.username})"


class EndpointChoice(forms.ModelChoiceField):
    """Endpoints with the customer's name: two hospitals may both have a *PET*."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.customer} – {obj}"


class RoomForm(Mergeable):
    room = forms.CharField(
        label=_("Room"), max_length=64, help_text=_("As the booking system writes it.")
    )
    endpoint = EndpointChoice(queryset=None, label=_("Endpoint"))

    def __init__(self, *args: Any, endpoints: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["endpoint"].queryset = endpoints  # type: ignore[attr-defined]


class ProcedureForm(Mergeable):
    """For one endpoint, whose catalogue gives the tracers."""

    procedure_code = forms.CharField(
        label=_("Procedure code"), max_length=64, help_text=_("As the booking system writes it.")
    )
    tracer = forms.ModelChoiceField(queryset=None, label=_("Tracer"))
    units = AmountField(
        label=_("Amount for one examination"),
        help_text=_("MBq at the injection; for a tracer ordered by injections, how many."),
    )
    delay_min = forms.IntegerField(
        label=_("Minutes from booked start to injection"),
        initial=0,
        min_value=-1439,
        max_value=1439,
        help_text=_("Negative when the injection comes before the booked time."),
        widget=forms.TextInput(attrs={"inputmode": "text", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, tracers: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["tracer"].queryset = tracers  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=500, help_text=_("Stands in the audit trail.")
    )


class SwitchForm(ReasonForm):
    """A reason, and the version of what was looked at."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)


class RepresentationForm(ReasonForm):
    user = PersonChoice(queryset=None, label=_("Person"))
    customer = forms.ModelChoiceField(queryset=None, label=_("Customer"))
    field_order = ("user", "customer", "reason")

    def __init__(self, *args: Any, people: Any, customers: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["user"].queryset = people  # type: ignore[attr-defined]
        self.fields["customer"].queryset = customers  # type: ignore[attr-defined]
