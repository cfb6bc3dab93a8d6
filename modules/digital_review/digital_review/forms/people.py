"""Forms of the people of a review."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from digital_review.selectors.people import OF_HOSPITAL, roles_to_give, units_of_people
from portal.access.forms import ReasonForm, UnitField
from portal.access.models import Role
from portal.organisation.models import Unit
from portal.records.fields import DateInput


class NewPersonForm(ReasonForm):
    """Somebody new, with their role at a hospital or a review."""

    name = forms.CharField(label=_("Name"), max_length=200)
    title = forms.CharField(label=_("Title"), max_length=200, required=False)
    email = forms.EmailField(
        label=_("Mail address"),
        help_text=_("The user name; the link to choose a password goes there."),
    )
    role = forms.ModelChoiceField(queryset=Role.objects.none(), label=_("Role"))
    unit = UnitField(
        label=_("Hospital or review"),
        help_text=_(
            "Data managers, treating doctors and clinicians belong to a hospital; the others to a"
            " review."
        ),
    )
    expires_on = forms.DateField(
        label=_("Last day"), widget=DateInput, help_text=_("It can be extended later.")
    )
    field_order = ("name", "title", "email", "role", "unit", "expires_on", "reason")

    def __init__(self, *args: Any, actor: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["role"].queryset = roles_to_give()
        fields["unit"].queryset = units_of_people(actor)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        role, unit = values.get("role"), values.get("unit")
        of_hospital = role is not None and role.code.partition(".")[2] in OF_HOSPITAL
        if of_hospital and unit is not None and not _in_hospital(unit):
            self.add_error("unit", _("This role is held at a hospital."))
        return values


def _in_hospital(unit: Unit) -> bool:
    """Whether the unit is a hospital, or belongs to one."""
    above = [unit, *unit.get_ancestors()]
    return any(each.kind == Unit.Kind.HOSPITAL for each in above)
