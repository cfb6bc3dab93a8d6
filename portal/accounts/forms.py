"""Forms of the account pages. They read what was typed; services decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.access.forms import DateInput, ReasonForm, UnitField
from portal.organisation.models import Unit


class PasswordForm(forms.Form):
    """The first step of an external person's log-in."""

    username = forms.CharField(
        label=_("Mail address"),
        max_length=150,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def clean_username(self) -> str:
        return self.cleaned_data["username"].strip().lower()


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        max_length=12,
        help_text=_("The six digits that your authenticator app shows now."),
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True}
        ),
    )


class MailForm(forms.Form):
    email = forms.EmailField(
        label=_("Mail address"), widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )


class NewAccountForm(ReasonForm):
    """Everything that an external account begins with."""

    name = forms.CharField(label=_("Name"), max_length=200)
    email = forms.EmailField(
        label=_("Mail address"), help_text=_("The link to choose a password goes there.")
    )
    unit = UnitField(label=_("Unit"), help_text=_("Where the person belongs."))
    expires_on = forms.DateField(
        label=_("Last day"), widget=DateInput, help_text=_("It can be extended later.")
    )
    field_order = ("name", "email", "unit", "expires_on", "reason")

    def __init__(self, *args: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        field: Any = self.fields["unit"]
        field.queryset = units or Unit.objects.none()


class ExtendForm(ReasonForm):
    expires_on = forms.DateField(label=_("New last day"), widget=DateInput)
    field_order = ("expires_on", "reason")
