"""What an operator types."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.connectors.models import QueuedWrite
from portal.connectors.selectors import system_codes
from portal.inbox.forms import ReasonForm


class FilterForm(forms.Form):
    """Which writes the queue shows. A wrong value in the address shows all."""

    system = forms.ChoiceField(label=_("System"), required=False)
    state = forms.ChoiceField(
        label=_("State"), required=False, choices=[("", _("All")), *QueuedWrite.State.choices]
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["system"].choices = [("", _("All")), *((code, code) for code in system_codes())]

    def chosen(self) -> dict[str, str]:
        self.is_valid()
        return {name: self.cleaned_data.get(name, "") for name in self.fields}


class CorrectionForm(ReasonForm):
    """The corrected payload, and why. `cleaned_data["payload"]` is an object."""

    payload = forms.CharField(
        label=_("Corrected content"),
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}),
    )
    field_order = ("payload", "reason")

    def clean_payload(self) -> dict[str, Any]:
        try:
            payload = json.loads(self.cleaned_data["payload"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                _("This is no JSON: %(error)s"), params={"error": error}
            ) from None
        if not isinstance(payload, dict):
            raise forms.ValidationError(_("It must be one JSON object: { … }"))
        return payload
