"""Fields and forms about people, units and roles. They read what was typed; services decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.access.models import Role
from portal.organisation.models import Unit
from portal.registry import registry


class DateInput(forms.DateInput):
    """The browser's own date picker."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")


class UnitField(forms.ModelChoiceField):
    """A unit out of a list in the tree's order, indented as the tree is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Unit.objects.none(), **options)

    def label_from_instance(self, obj: Any) -> str:
        return "\u2003" * (obj.depth - 1) + obj.name


class PersonField(forms.CharField):
    """One person by regional ID or mail address: nobody picks out of a list of thousands."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("label", _("Person"))
        options.setdefault("help_text", _("Regional ID or mail address."))
        super().__init__(max_length=254, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        found = get_user_model()._default_manager.filter(  # noqa: SLF001
            Q(username__iexact=text) | Q(email__iexact=text), deleted_at__isnull=True
        )[:2]
        if len(found) != 1:
            raise ValidationError(
                _("Several people have this address; give the regional ID.")
                if found
                else _("Nobody here has this regional ID or mail address."),
                code="person",
            )
        return found[0]


class ReasonForm(forms.Form):
    """An act that is recorded with its reason."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        help_text=_("It goes into the audit trail."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class GrantForm(ReasonForm):
    user = PersonField()
    role = forms.ModelChoiceField(Role.objects.none(), label=_("Role"))
    unit = UnitField(label=_("At the unit"))
    below = forms.BooleanField(label=_("Also at every unit below"), required=False, initial=True)
    starts_on = forms.DateField(label=_("From"), required=False, widget=DateInput)
    ends_on = forms.DateField(label=_("Until and including"), required=False, widget=DateInput)
    field_order = ("user", "role", "unit", "below", "starts_on", "ends_on", "reason")

    def __init__(self, *args: Any, roles: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["role"].queryset = roles
        fields["unit"].queryset = units


class MappingForm(ReasonForm):
    name = forms.CharField(
        label=_("Directory group"),
        max_length=200,
        help_text=_("Exactly as the login service writes it."),
    )
    role = forms.ModelChoiceField(Role.objects.none(), label=_("Role"))
    unit = UnitField(label=_("At the unit and below"))
    field_order = ("name", "role", "unit", "reason")

    def __init__(self, *args: Any, roles: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["role"].queryset = roles
        fields["unit"].queryset = units


class RoleForm(ReasonForm):
    name = forms.CharField(label=_("Name"), max_length=200)
    privileges = forms.MultipleChoiceField(
        label=_("Privileges"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Only what you hold yourself can be added."),
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    field_order = ("name", "privileges", "reason")

    def __init__(self, *args: Any, codes: set[str], **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["privileges"].choices = [
            (
                module.verbose_name,
                [(p.code, p.label) for p in module.privileges if p.code in codes],
            )
            for module in registry.modules()
            if any(p.code in codes for p in module.privileges)
        ]


class ExplainForm(forms.Form):
    person = PersonField()
    privilege = forms.ChoiceField(label=_("Privilege"))
    object = forms.CharField(
        label=_("Object"),
        required=False,
        max_length=200,
        help_text=_("Kind and number, as in tracershop.order:1042. Empty: anywhere at all."),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["privilege"].choices = [
            (module.verbose_name, [(p.code, p.label) for p in module.privileges])
            for module in registry.modules()
            if module.privileges
        ]
