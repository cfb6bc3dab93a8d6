"""What the logs can be filtered by."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.records.fields import DateInput


class LogFilter(forms.Form):
    """Every field narrows; an empty one does not."""

    text = forms.CharField(label=_("Text"), required=False, max_length=200)
    person = forms.CharField(label=_("Person or service"), required=False, max_length=200)
    acting_as = forms.CharField(label=_("Acting as"), required=False, max_length=200)
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


class WhoSawForm(forms.Form):
    """Whose file: one patient's, or one object."""

    patient = forms.CharField(
        label=_("Patient"),
        required=False,
        max_length=200,
        help_text=_("The identifier as the module has it, such as a CPR number."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    since = forms.DateField(label=_("From day"), required=False, widget=DateInput)
    until = forms.DateField(label=_("To day"), required=False, widget=DateInput)
    object_type = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)
    object_id = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)


class ReviewForm(forms.Form):
    """The sign-off of a review of the audit trail, up to the link that the page showed."""

    last_seq = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    findings = forms.CharField(
        label=_("What was looked at, and what was found"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class SignConfigurationForm(forms.Form):
    """Signing a configuration: which one was seen, and why it is right."""

    digest = forms.CharField(widget=forms.HiddenInput, max_length=64)
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("What was checked, and against what."),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
