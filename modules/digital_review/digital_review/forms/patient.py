"""What is typed on a patient's page."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class ProtocolForm(forms.Form):
    """Protocol, and what the protocol committee says (DR-035)."""

    protocol = forms.CharField(label=_("Protocol"), max_length=100, required=False)
    protocol_comment = forms.CharField(
        label=_("Comments of the protocol committee"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    reason = forms.CharField(label=_("Reason for the change"), max_length=300)


class AnamnesisForm(forms.Form):
    """History and background (DR-039)."""

    text = forms.CharField(
        label=_("History and background"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 12}),
    )
