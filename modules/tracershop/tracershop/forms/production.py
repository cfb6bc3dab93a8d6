"""What production types: where an order is moved to, an order that no shop placed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.records.fields import AmountField, ClockField
from tracershop.models import Order


class MoveForm(forms.Form):
    """To which delivery; empty is the one that was ordered."""

    slot_id = forms.TypedChoiceField(label=_("Deliver at"), coerce=int, empty_value=None)
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=300,
        help_text=_("The customer reads it."),
    )

    def __init__(self, *args: Any, slots: list[tuple[Any, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["slot_id"].choices = slots  # type: ignore[attr-defined]


class GhostForm(forms.Form):
    """An order by production: activity at a delivery, or injections at a time."""

    delivery = forms.ChoiceField(label=_("Delivery"))
    activity_mbq = AmountField(
        label=_("Activity (MBq)"),
        required=False,
        help_text=_("At the delivery, of what is ordered by activity."),
    )
    clock = ClockField(
        label=_("Time of injection"),
        required=False,
        help_text=_("Of what is ordered by injections."),
    )
    injections = forms.IntegerField(
        label=_("Injections"),
        required=False,
        min_value=1,
        max_value=1000,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    intended_use = forms.ChoiceField(label=_("Intended use"), choices=Order.Use.choices)
    comment = forms.CharField(label=_("Comment"), required=False, max_length=1000)
    reason = forms.CharField(
        label=_("Reason"), max_length=500, help_text=_("The customer and the audit trail see it.")
    )

    def __init__(self, *args: Any, deliveries: list[Any], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["delivery"].choices = deliveries  # type: ignore[attr-defined]

    @property
    def by_injections(self) -> bool:
        return str(self.cleaned_data.get("delivery", "")).startswith("injections-")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        needed = ("clock", "injections") if self.by_injections else ("activity_mbq",)
        for name in needed:
            if data.get("delivery") and not data.get(name) and name not in self.errors:
                self.add_error(name, _("This is needed for such a delivery."))
        return data
