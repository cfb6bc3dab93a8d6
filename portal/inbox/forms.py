"""What an operator types."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.inbox.content_text import ContentText
from portal.inbox.handlers import channels
from portal.inbox.models import InboundMessage


class FilterForm(forms.Form):
    """Which messages the list shows. A wrong value in the address shows all."""

    channel = forms.ChoiceField(label=_("Channel"), required=False)
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), *InboundMessage.State.choices],
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["channel"].choices = [("", _("All")), *((name, name) for name in channels())]

    def chosen(self) -> dict[str, str]:
        self.is_valid()
        return {name: self.cleaned_data.get(name, "") for name in self.fields}


class ReasonForm(forms.Form):
    """Why: it stands in the audit trail."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Stands in the audit trail. Nothing about patients."),
    )


class CorrectionForm(ReasonForm):
    """The corrected text, and why. `cleaned_data["content"]` is bytes as the sender would write."""

    content = forms.CharField(
        label=_("Corrected content"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}),
    )
    field_order = ("content", "reason")

    def __init__(self, *args: Any, original: ContentText, **options: Any) -> None:
        super().__init__(*args, initial={"content": original.text}, **options)
        self._original = original

    def clean_content(self) -> bytes:
        try:
            return self._original.encode(self.cleaned_data["content"])
        except UnicodeEncodeError as error:
            raise forms.ValidationError(
                _("%(character)s cannot be written in %(codec)s, the encoding of the original."),
                params={
                    "character": error.object[error.start],
                    "codec": self._original.codec,
                },
            ) from None
