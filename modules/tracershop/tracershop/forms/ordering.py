"""The order forms: what was typed. What may be ordered at all is decided by services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.records.fields import AmountField, ClockField
from portal.records.merging import Mergeable
from tracershop.forms.calculator import Calculator
from tracershop.models import CatalogueEntry, Order


class OrderForm(Mergeable):
    """What every kind of order says: what for, a comment, and why late where production orders."""

    intended_use = forms.ChoiceField(
        label=_("Intended use"),
        choices=[(use.value, use.label.capitalize()) for use in Order.Use],
        initial=Order.Use.HUMAN.value,
        widget=forms.RadioSelect,
    )
    comment = forms.CharField(
        label=_("Comment"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Production reads it. Nothing about patients."),
    )
    late_reason = forms.CharField(
        label=_("Reason for ordering late"),
        required=False,
        max_length=500,
        help_text=_(
            "Needed once the deadline has passed. The customer and the audit trail see it."
        ),
    )

    def __init__(self, *args: Any, on_behalf: bool, editing: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        if not on_behalf:
            del self.fields["late_reason"]
        if editing:
            self.fields["version"].required = True
        else:
            del self.fields["version"]

    @property
    def values(self) -> dict[str, Any]:
        """What every ordering service takes."""
        return {
            name: self.cleaned_data[name]
            for name in ("intended_use", "comment", "late_reason")
            if name in self.cleaned_data
        }


class CalculableAmount(AmountField):
    """Needed, but the calculator may give it: what is missing is judged by the whole form."""

    def validate(self, value: Any) -> None:
        pass


class ActivityOrderForm(OrderForm):
    """MBq at a slot: typed, or left to the calculator's rows.

    ``calculated`` is what the calculator last wrote into the field: an amount that still equals it
    was not typed, and follows the rows.
    """

    use_required_attribute = False  # the row buttons send the form before it is filled in
    activity_mbq = CalculableAmount(label=_("Activity at delivery"))
    calculated = AmountField(required=False, widget=forms.HiddenInput)
    field_order = ("activity_mbq", "intended_use", "comment", "late_reason")

    def __init__(self, *args: Any, calculator: Calculator, **options: Any) -> None:
        super().__init__(*args, **options)
        self.calculator = calculator

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for text in self.calculator.errors:
            self.add_error(None, text)
        if "activity_mbq" in self.errors or self.calculator.errors:
            return data
        needed, typed = self.calculator.needed_mbq, data.get("activity_mbq")
        if needed is not None and typed in (None, data.get("calculated")):
            data["activity_mbq"] = float(needed)
        elif typed is None:
            self.add_error("activity_mbq", _("Give the activity, or the injections it is for."))
        elif needed is not None and typed < needed:
            self.add_error(
                "activity_mbq",
                _("The injections below need %(needed)s MBq. Order that much, or change the rows.")
                % {"needed": needed},
            )
        return data


class InjectionOrderForm(OrderForm):
    """A number of injections at a time."""

    clock = ClockField(label=_("Time of injection"))
    injections = forms.IntegerField(
        label=_("Injections"),
        min_value=1,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    field_order = ("clock", "injections", "intended_use", "comment", "late_reason")

    def __init__(
        self, *args: Any, entry: CatalogueEntry, editing: bool = False, **options: Any
    ) -> None:
        super().__init__(*args, editing=editing, **options)
        limit = {"limit": entry.max_injections}
        self.fields["injections"].help_text = _("At most %(limit)s at once.") % limit
        self.entry = entry
        if editing:  # an order's time stays: another time is another order
            del self.fields["clock"]

    def clean_injections(self) -> int:
        number = self.cleaned_data["injections"]
        if number > self.entry.max_injections:
            raise forms.ValidationError(
                _("At most %(limit)s injections can be ordered at once."),
                code="too_many_injections",
                params={"limit": self.entry.max_injections},
            )
        return number
