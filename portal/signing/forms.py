"""PINs are typed, never filled in by the browser and never shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.signing.crypto import PIN_LONGEST


class PinField(forms.CharField):
    """A signing PIN; its rules are the service's."""

    def __init__(self, **options: Any) -> None:
        widget = forms.PasswordInput(
            attrs={"autocomplete": "off", "inputmode": "numeric", "spellcheck": "false"}
        )
        options = {"strip": True, "max_length": PIN_LONGEST, "widget": widget, **options}
        super().__init__(**options)


class _NewPin(forms.Form):
    """A new PIN typed twice."""

    required_css_class = "required"

    new_pin = PinField(label=_("New PIN"), help_text=_("8 to 12 digits, no simple row like 12345."))
    new_pin_again = PinField(label=_("New PIN again"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("new_pin") != cleaned.get("new_pin_again", cleaned.get("new_pin")):
            self.add_error("new_pin_again", _("The two PINs are not the same."))
        return cleaned


class SetPinForm(_NewPin):
    """The first PIN."""


class ChangePinForm(_NewPin):
    """Another PIN for the same key."""

    old_pin = PinField(label=_("Present PIN"))
    field_order = ("old_pin", "new_pin", "new_pin_again")


class PasskeyForm(forms.Form):
    """A name for the passkey; what the device answered is put in by the page's script."""

    name = forms.CharField(
        label=_("Name of the new passkey"),
        max_length=60,
        help_text=_("So that you know it again, such as “Work computer” or “Phone”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    passkey = forms.CharField(widget=forms.HiddenInput, required=False)


class RevokeForm(forms.Form):
    """Take one's key out of use."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )
    doubtful_since = forms.DateTimeField(
        label=_("Somebody else may have known the PIN since"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("Signatures made since then are marked as not to be trusted."),
    )


class RevokePasskeyForm(RevokeForm):
    """Take a passkey, or somebody else's key, out of use."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["doubtful_since"].label = _("Somebody else may have used it since")
