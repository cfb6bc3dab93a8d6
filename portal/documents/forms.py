"""A PDF that somebody holds, to be compared with what was issued."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

GREATEST_BYTES = 20 * 1024 * 1024


class CheckForm(forms.Form):
    """One file."""

    pdf = forms.FileField(
        label=_("The PDF"),
        widget=forms.ClearableFileInput(attrs={"accept": "application/pdf"}),
        help_text=_("Nothing of it is kept."),
    )

    def clean_pdf(self) -> Any:
        pdf = self.cleaned_data["pdf"]
        if pdf.size > GREATEST_BYTES:
            raise forms.ValidationError(_("No document of the portal is larger than 20 MB."))
        return pdf
