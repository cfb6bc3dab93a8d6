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
from portal.records.merging import Mergeable
from portal.registry import registry


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


class MappingForm(ReasonForm):
    name = forms.CharField(
        label=_("Directory group"),
        max_length=200,
        help_text=_("Exactly as the login service writes it."),
    )
    role = forms.ModelChoiceField(Role.objects.none(), label=_("Role"))
    unit = UnitField(label=_("At the unit and below"))
    profile_name = forms.CharField(
        label=_("In the profile"),
        max_length=100,
        required=False,
        help_text=_("Made for the person where it is not there; empty: in every profile."),
    )
    field_order = ("name", "role", "unit", "profile_name", "reason")

    def __init__(self, *args: Any, roles: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["role"].queryset = roles
        fields["unit"].queryset = units


class ProfileForm(ReasonForm):
    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("What the person works as, for the header: Radiochemist, Trial nurse …"),
    )
    unit = UnitField(label=_("Of the unit"))
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    field_order = ("name", "unit", "reason", "version")

    def __init__(self, *args: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["unit"].queryset = units


class NewProfileForm(ProfileForm):
    user = PersonField()
    version = None  # type: ignore[assignment]
    field_order = ("user", "name", "unit", "reason")


class ActingForm(ReasonForm):
    role = forms.ModelChoiceField(Role.objects.none(), label=_("Role"))
    unit = UnitField(label=_("At the unit and below"))
    field_order = ("role", "unit", "reason")

    def __init__(self, *args: Any, roles: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["role"].queryset = roles
        fields["unit"].queryset = units


class RoleForm(Mergeable, ReasonForm):
    name = forms.CharField(label=_("Name"), max_length=200)
    privileges = forms.MultipleChoiceField(
        label=_("Privileges"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Only what you hold yourself can be added."),
    )
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
    person = PersonField(
        required=False, help_text=_("Regional ID or mail address. Empty: who may at all?")
    )
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

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors and not values["person"] and not values["object"]:
            self.add_error("object", _("Name a person, an object, or both."))
        return values
