"""Personal data is masked from whoever lacks the privilege to see it (PT-015): one mechanism.

A model says which fields are personal and which privilege shows them::

    class Referral(Record):
        patient_name = PersonalCharField(max_length=200)
        born_on = PersonalDateField()

        access = AccessPolicy(
            view=("referrals.view",),
            scopes={
                "referrals.view": ByUnit("unit"),
                "referrals.see_personal_data": ByUnit("unit"),
            },
            personal="referrals.see_personal_data",
        )

The *attribute* decides when it is read, so page, export, PDF and API show the same and none has to
think of it: ``referral.patient_name`` is ``•••`` unless the person of the current act may see it.
Nobody in particular (a shell, a test) sees masks too; a service that acts by itself sees what is
there; one that acts on somebody's behalf sees what they may.

- A page of rows costs no query more: `visible` asks the database with the rows.
- A mask cannot be saved: setting it is refused, and saving always writes what is there.
- ``values()`` of a personal field is refused; search in one through `searchable`.
- Services that compute with personal data do it within `unmasked`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models
from django.db.models import Model, QuerySet
from django.db.models.query_utils import DeferredAttribute
from django.utils.translation import gettext_lazy as _

from portal.access.decision import can, shown_to, visible
from portal.records.context import ServiceActor, current_act
from portal.records.errors import Refused
from portal.records.personal import HIDDEN, Masked, is_unmasked, unmasked

__all__ = [
    "HIDDEN",
    "Masked",
    "PersonalCharField",
    "PersonalDateField",
    "PersonalJSONField",
    "PersonalTextField",
    "may_see_personal",
    "searchable",
    "unmasked",
]

M = TypeVar("M", bound=Model)


def may_see_personal(obj: Any) -> bool:
    """Whether the person of the current act may see the personal data of ``obj``."""
    if is_unmasked():
        return True
    act = current_act()
    person = act.person
    if person is None or not getattr(person, "is_authenticated", False):
        return isinstance(act.actor, ServiceActor)
    known = shown_to(person)
    if known not in obj.__dict__:
        with unmasked():
            record = obj.instance if hasattr(obj, "history_id") else obj
            privilege = record.access.personal
            obj.__dict__[known] = bool(privilege) and can(person, privilege, record)
    return obj.__dict__[known]


def searchable(user: Any, queryset: QuerySet[M]) -> QuerySet[M]:
    """Rows whose personal data ``user`` may see: only in these may a name be searched for."""
    return visible(user, queryset, queryset.model.access.personal)  # type: ignore[attr-defined]


class PersonalAttribute(DeferredAttribute):
    """A field's value, or the mask."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        value = super().__get__(instance, cls)
        if value is None or value == "" or may_see_personal(instance):
            return value
        return Masked(HIDDEN)

    def __set__(self, instance: Any, value: Any) -> None:
        if isinstance(value, Masked) or value == HIDDEN:
            raise Refused(_("You may not see this, so you cannot change it."), code="masked")
        instance.__dict__[self.field.attname] = value


class PersonalField(models.Field):
    """What makes a field of Django's a personal one."""

    personal = True
    descriptor_class = PersonalAttribute

    def pre_save(self, model_instance: Any, add: bool) -> Any:  # noqa: FBT001 Django's signature
        with unmasked():
            return super().pre_save(model_instance, add)


class PersonalCharField(PersonalField, models.CharField):
    pass


class PersonalTextField(PersonalField, models.TextField):
    pass


class PersonalDateField(PersonalField, models.DateField):
    pass


class PersonalJSONField(PersonalField, models.JSONField):
    pass
