"""What the logs can be filtered by."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class LogFilter(forms.Form):
    """Every field narrows; an empty one does not."""

    text = forms.CharField(label=_("Text"), required=False, max_length=200)
    person = forms.CharField(label=_("Person or service"), required=False, max_length=200)
    action = forms.CharField(label=_("Act"), required=False, max_length=100)
    object_type = forms.CharField(label=_("Kind of object"), required=False, max_length=100)
    object_id = forms.CharField(label=_("Object's number"), required=False, max_length=100)
    patient = forms.CharField(label=_("Patient"), required=False, max_length=200)
    since = forms.DateField(label=_("From day"), required=False, widget=DateInput)
    until = forms.DateField(label=_("To day"), required=False, widget=DateInput)

    use_required_attribute = False

    def narrowing(self) -> dict[str, str]:
        """What was asked for, as plain text: it goes into the access log."""
        if not self.is_valid():
            return {}
        return {name: str(value) for name, value in self.cleaned_data.items() if value}


class ReviewForm(forms.Form):
    """The sign-off of a review of the audit trail."""

    remark = forms.CharField(
        label=_("What was looked at, and what was found"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
