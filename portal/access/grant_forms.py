"""Forms about grants, groups and exceptions. What they offer is what would not be refused."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from portal.access import selectors
from portal.access.authority import GRANT, administers, covers
from portal.access.decision import held_by
from portal.access.forms import PersonField, ReasonForm, UnitField
from portal.access.models import NamedPeople, PeopleGroup, Profile, Role, RoleGrant
from portal.access.reach import data_scoped_privileges
from portal.organisation.models import Unit
from portal.records.fields import DateInput

_Scope = RoleGrant.DataScope


class PeopleField(forms.CharField):
    """Several people by regional ID or mail address, each on a line or after a comma."""

    widget = forms.Textarea(attrs={"rows": 3})

    def clean(self, value: Any) -> list[Any]:
        text = super().clean(value)
        one, found, wrong = PersonField(), {}, []
        for word in text.replace(",", "\n").replace(";", "\n").splitlines():
            if not word.strip():
                continue
            try:
                person = one.clean(word.strip())
                found[person.pk] = person
            except ValidationError as error:
                wrong.append(f"{word.strip()}: {error.messages[0]}")
        if wrong:
            raise ValidationError(wrong, code="people")
        return list(found.values())


class HowForm(ReasonForm):
    """How far and how long a role is held: what can be changed later."""

    below = forms.BooleanField(label=_("Also at every unit below"), required=False, initial=True)
    data_scope = forms.ChoiceField(
        label=_("Reaches"), choices=_Scope.choices, initial=_Scope.OWN, widget=forms.RadioSelect
    )
    people = PeopleField(
        label=_("Rows of these people"),
        required=False,
        help_text=_("Regional IDs or mail addresses, one on a line."),
    )
    people_groups = forms.ModelMultipleChoiceField(
        PeopleGroup.objects.none(),
        label=_("Rows of these groups"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    starts_on = forms.DateField(label=_("From"), required=False, widget=DateInput)
    ends_on = forms.DateField(label=_("Until and including"), required=False, widget=DateInput)

    def offer(self, actor: Any, role: Role | None, unit: Unit | None, scope: str) -> None:
        """Leave out what does not apply to this role at this unit."""
        fields: Any = self.fields
        if unit is not None and not may_grant_below(actor, unit):
            del fields["below"]
        if role is None or not data_scoped_privileges() & set(role.privileges):
            del fields["data_scope"]
            scope = _Scope.OWN
        fields["people_groups"].queryset = selectors.groups(actor)
        if scope != _Scope.PEOPLE:
            del fields["people"], fields["people_groups"]
        elif not fields["people_groups"].queryset.exists():
            del fields["people_groups"]

    def values(self) -> dict[str, Any]:
        """What the services take; what was not asked is as narrow as can be."""
        values = {"below": False, "data_scope": _Scope.OWN, **self.cleaned_data}
        named = values["data_scope"] == _Scope.PEOPLE
        for name in ("people", "people_groups"):
            values[name] = values.get(name, []) if named else []
        return values


class GrantForm(HowForm):
    """One role, to a person or a group, at a unit."""

    unit = UnitField(label=_("At the unit"))
    user = PersonField(required=False)
    group = forms.ModelChoiceField(
        PeopleGroup.objects.none(),
        label=_("Or a group"),
        required=False,
        help_text=_("Everybody who is in it then holds the role."),
    )
    profile = forms.ModelChoiceField(
        Profile.objects.none(),
        label=_("In the profile"),
        required=False,
        empty_label=_("in every profile"),
    )
    role = forms.ModelChoiceField(Role.objects.none(), label=_("Role"))
    field_order = (
        "unit", "user", "group", "profile", "role", "below", "data_scope", "people",
        "people_groups", "starts_on", "ends_on", "reason",
    )  # fmt: skip
    decisive = ("unit", "user", "group", "role", "data_scope")
    """Fields on whose value it depends what the others offer."""

    def __init__(self, *args: Any, actor: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["unit"].queryset = selectors.units_to_grant_at(actor)
        unit = self._chosen("unit") or fields["unit"].queryset.first()
        if unit is not None:
            fields["unit"].initial = unit.pk
        fields["role"].queryset = selectors.roles_to_grant(actor, unit)
        fields["group"].queryset = selectors.groups_to_grant_to(actor)
        if not fields["group"].queryset.exists():
            del fields["group"]
            fields["user"].required = True
        self._offer_profiles()
        self.offer(actor, self._chosen("role"), unit, self._said("data_scope") or _Scope.OWN)
        for name in self.decisive:
            if name in fields:
                fields[name].widget.attrs |= _REFRESH

    def _said(self, name: str) -> str:
        """What was typed or proposed so far."""
        if self.is_bound:
            return str(self.data.get(name, ""))
        return str(self.initial.get(name, ""))

    def _chosen(self, name: str) -> Any:
        try:
            return self.fields[name].clean(self._said(name))
        except ValidationError:
            return None

    def _offer_profiles(self) -> None:
        fields: Any = self.fields
        person = self._chosen("user")
        if person is not None:
            fields["profile"].queryset = Profile.objects.filter(user=person).order_by("name")
        if person is None or not fields["profile"].queryset.exists():
            del fields["profile"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        both_asked = "group" in self.fields and not self.errors
        if both_asked and bool(values["user"]) == bool(values["group"]):
            self.add_error("user", _("Name one person, or choose one group."))
        return values


_REFRESH = {
    "hx-get": reverse_lazy("access:grant"),
    "hx-include": "closest form",
    "hx-params": "not csrfmiddlewaretoken,reason",
    "hx-select": "#grant-fields",
    "hx-target": "#grant-fields",
    "hx-swap": "outerHTML",
    "hx-trigger": "change",
}


class ChangeGrantForm(HowForm):
    """What of a grant can be changed."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    field_order = (
        "below", "data_scope", "people", "people_groups", "starts_on", "ends_on", "reason",
    )  # fmt: skip

    def __init__(self, *args: Any, actor: Any, grant: RoleGrant, **options: Any) -> None:
        super().__init__(*args, **{**options, "initial": _as_it_is(grant)})
        # without script all of it stands there: which rows may be said in the same step
        scoped = data_scoped_privileges() & set(grant.role.privileges)
        self.offer(actor, grant.role, grant.unit, _Scope.PEOPLE if scoped else _Scope.OWN)
        if "people" in self.fields:
            self.fields["people"].help_text = _("For the rows of named people alone.")


def _as_it_is(grant: RoleGrant) -> dict[str, Any]:
    named = list(NamedPeople.objects.filter(grant=grant).select_related("user"))
    return {
        "below": grant.below,
        "data_scope": grant.data_scope,
        "people": "\n".join(each.user.username for each in named if each.user),
        "people_groups": [each.group_id for each in named if each.group_id],
        "starts_on": grant.starts_on,
        "ends_on": grant.ends_on,
        "version": grant.version,
    }


def may_grant_below(actor: Any, unit: Unit) -> bool:
    """Whether what the actor grants at the unit can hold below it too."""
    granting = held_by(actor).of(GRANT)
    return administers(actor, unit) or any(covers(each, unit, below=True) for each in granting)


class GroupForm(ReasonForm):
    name = forms.CharField(label=_("Name"), max_length=150)
    unit = UnitField(
        label=_("Kept at the unit"),
        help_text=_("Whoever grants roles there keeps the group too."),
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    field_order = ("name", "unit", "reason")

    def __init__(self, *args: Any, units: Any = None, **options: Any) -> None:
        """Without ``units`` it renames."""
        super().__init__(*args, **options)
        fields: Any = self.fields
        if units is None:
            del fields["unit"]
        else:
            fields["unit"].queryset = units
            del fields["version"]


class MemberForm(ReasonForm):
    user = PersonField()
    field_order = ("user", "reason")


class ExceptionForm(ReasonForm):
    user = PersonField()
    privilege = forms.ChoiceField(label=_("May"))
    field_order = ("user", "privilege", "reason")

    def __init__(self, *args: Any, privileges: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["privilege"].choices = privileges
