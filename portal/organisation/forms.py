"""Forms about units and who belongs there. They read what was typed; services decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.forms import PersonField, ReasonForm, UnitField
from portal.organisation.models import Unit
from portal.records.fields import DateInput


class UnitForm(ReasonForm):
    name = forms.CharField(label=_("Name"), max_length=200)
    code = forms.SlugField(
        label=_("Code"),
        max_length=60,
        help_text=_("Short and lasting, as in nuk-north. No two units ever have the same."),
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=Unit.Kind.choices)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    field_order: Any = ("name", "code", "kind", "reason")


class NewUnitForm(UnitForm):
    parent = UnitField(label=_("Belongs to"))
    version = None  # type: ignore[assignment]
    field_order = ("name", "code", "kind", "parent", "reason")

    def __init__(self, *args: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["parent"].queryset = units


class TargetForm(forms.Form):
    """Where a unit is to go: asked by GET, so that what comes of it can be looked at first."""

    to = UnitField(label=_("To the unit"))

    def __init__(self, *args: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["to"].queryset = units


class ActForm(ReasonForm):
    """An act on the unit as it was when its consequences were shown."""

    version = forms.IntegerField(widget=forms.HiddenInput)


class CloseForm(ActForm):
    closed_on = forms.DateField(label=_("Last day"), widget=DateInput)
    with_below = forms.BooleanField(label=_("Close the units below it too"), required=False)
    field_order = ("closed_on", "with_below", "reason", "version")

    def __init__(self, *args: Any, has_below: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not has_below:
            del self.fields["with_below"]


class MemberDatesForm(ReasonForm):
    title = forms.CharField(label=_("Title"), max_length=100, required=False)
    starts_on = forms.DateField(label=_("From"), required=False, widget=DateInput)
    ends_on = forms.DateField(label=_("Until and including"), required=False, widget=DateInput)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    field_order = ("title", "starts_on", "ends_on", "reason", "version")


class MemberForm(MemberDatesForm):
    user = PersonField()
    version = None  # type: ignore[assignment]
    field_order = ("user", "title", "starts_on", "ends_on", "reason")


class EndMemberForm(ReasonForm):
    ends_on = forms.DateField(label=_("Last day"), widget=DateInput)
    field_order = ("ends_on", "reason")

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("initial", {"ends_on": timezone.localdate()})
        super().__init__(*args, **options)
