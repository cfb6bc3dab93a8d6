"""Forms of the account pages. They read what was typed; services decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.access.forms import PersonField, ReasonForm, UnitField
from portal.access.models import Role
from portal.organisation.models import Unit
from portal.records.fields import DateInput


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


class NoteForm(ReasonForm):
    """A step for which no reason has to be given, but may be."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"].required = False
        self.fields["reason"].label = _("Remark")


class AccountRequestForm(forms.Form):
    """Step 1 of five: who needs access to what, where, and for what."""

    WHOM = (
        ("me", _("Myself")),
        ("known", _("Somebody who is known here")),
        ("new", _("Somebody new, without regional ID")),
    )
    whom = forms.ChoiceField(
        label=_("For whom"), choices=WHOM, widget=forms.RadioSelect, initial="me"
    )
    person = PersonField(label=_("Who is known here"), required=False)
    name = forms.CharField(label=_("Name of who is new"), max_length=200, required=False)
    email = forms.EmailField(label=_("Mail address of who is new"), required=False)
    module = forms.ChoiceField(label=_("Access to"))
    unit = UnitField(label=_("At the unit"))
    wish = forms.CharField(
        label=_("What it is needed for"),
        max_length=2000,
        help_text=_("The owner reads it and chooses the roles."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, alone: bool, modules: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["module"].choices = modules
        fields["unit"].queryset = units
        if alone:  # external people ask for themselves
            for name in ("whom", "person", "name", "email"):
                del fields[name]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("whom") == "known" and "person" not in self.errors and not values["person"]:
            self.add_error("person", _("Say who it is for."))
        return values

    def values(self, asking: Any) -> dict[str, Any]:
        """What the service takes: of the three ways to name a person the chosen one."""
        whom = self.cleaned_data.get("whom", "me")
        common = {name: self.cleaned_data[name] for name in ("module", "unit", "wish")}
        if whom == "new":
            return common | {name: self.cleaned_data[name] for name in ("name", "email")}
        return common | {"person": asking if whom == "me" else self.cleaned_data["person"]}


class ApplyForm(NoteForm):
    """Step 2 of five: the unit, the roles, and how long."""

    unit = UnitField(label=_("At the unit"))
    roles = forms.ModelMultipleChoiceField(
        Role.objects.none(), label=_("Roles"), widget=forms.CheckboxSelectMultiple
    )
    below = forms.BooleanField(label=_("Also at every unit below"), required=False, initial=True)
    roles_end_on = forms.DateField(
        label=_("Roles until and including"), required=False, widget=DateInput
    )
    expires_on = forms.DateField(
        label=_("Last day of the account"),
        widget=DateInput,
        help_text=_("It can be extended later."),
    )
    field_order = ("unit", "roles", "below", "expires_on", "roles_end_on", "reason")

    def __init__(
        self, *args: Any, roles: Any, units: Any, new_account: bool, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["roles"].queryset = roles
        fields["unit"].queryset = units
        if not new_account:
            del fields["expires_on"]
