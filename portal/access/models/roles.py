"""Roles, profiles and groups, and who holds which role at which unit (PT-011 to PT-013)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.organisation.models import Unit
from portal.records.models import (
    ActiveManager,
    ActiveQuerySet,
    AppendOnlyHistory,
    BareRecord,
    Record,
)


class Role(Record):
    """A container of privileges; predefined by a module's code or composed by administrators."""

    code = models.CharField(_("code"), max_length=100, unique=True)
    name = models.CharField(_("name"), max_length=200)
    module = models.CharField(_("module"), max_length=50)
    privileges = ArrayField(models.CharField(max_length=100), verbose_name=_("privileges"))
    predefined = models.BooleanField(_("predefined"), default=False)

    class Meta(Record.Meta):
        verbose_name = _("role")
        verbose_name_plural = _("roles")

    def __str__(self) -> str:
        return self.name


class Profile(BareRecord):
    """One of the capacities in which a person works; roles granted to it hold while it is active.

    A role that is granted to none of the person's profiles holds in all of them.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="profiles"
    )
    name = models.CharField(_("name"), max_length=100)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="profiles")
    last_used_at = models.DateTimeField(null=True, editable=False)

    # the time of every switch is the access log's
    history = AppendOnlyHistory(excluded_fields=["last_used_at"])

    class Meta(BareRecord.Meta):
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"],
                condition=Q(deleted_at__isnull=True),
                name="one_active_profile_of_a_name",
            )
        ]

    def __str__(self) -> str:
        return self.name


class PeopleGroup(Record):
    """People who are granted roles together; it belongs to a unit, whose administrators keep it."""

    name = models.CharField(_("name"), max_length=150)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="people_groups")

    class Meta(Record.Meta):
        verbose_name = _("group of people")
        verbose_name_plural = _("groups of people")
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "name"],
                condition=Q(deleted_at__isnull=True),
                name="one_active_group_of_a_name",
            )
        ]

    def __str__(self) -> str:
        return self.name


class GroupMember(Record):
    """A person is in a group."""

    group = models.ForeignKey(PeopleGroup, on_delete=models.PROTECT, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="in_groups"
    )

    class Meta(Record.Meta):
        verbose_name = _("member of a group")
        constraints = [
            models.UniqueConstraint(
                fields=["group", "user"],
                condition=Q(deleted_at__isnull=True),
                name="once_in_a_group",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} – {self.group}"


class GrantQuerySet(ActiveQuerySet):
    def in_force(self, today: date) -> GrantQuerySet:
        return self.filter(
            Q(starts_on__isnull=True) | Q(starts_on__lte=today),
            Q(ends_on__isnull=True) | Q(ends_on__gte=today),
            Q(group__isnull=True) | Q(group__deleted_at__isnull=True),
            role__deleted_at__isnull=True,
        )

    def of_person(self, user: Any) -> GrantQuerySet:
        """Granted to the person, or to a group that they are in; of whatever profile."""
        return self.of_people([user])

    def of_people(self, people: Iterable[Any]) -> GrantQuerySet:
        """Granted to any of the people, or to a group that one of them is in."""
        keys = [person.pk for person in people]
        groups = GroupMember.objects.filter(user__in=keys).values("group")
        return self.filter(Q(user__in=keys) | Q(group__in=groups))


class GrantManager(ActiveManager.from_queryset(GrantQuerySet)):  # type: ignore[misc]
    pass


class RoleGrant(Record):
    """A role held by a person or a group at a unit, and below it unless said otherwise."""

    class Source(models.TextChoices):
        MANUAL = "manual", _("granted by a person")
        DIRECTORY = "directory", _("from the directory")

    class DataScope(models.TextChoices):
        """Which rows the role reaches, where a model keeps data scopes (PT-015).

        All rows of one study are an exception for that study, not a scope of a role at a unit.
        """

        OWN = "own", _("rows that one entered oneself")
        PEOPLE = "people", _("also rows of named people and groups")
        UNIT = "unit", _("all rows of the unit")

    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="grants")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="grants")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="role_grants",
    )
    group = models.ForeignKey(
        PeopleGroup, on_delete=models.PROTECT, null=True, blank=True, related_name="role_grants"
    )
    profile = models.ForeignKey(
        Profile, on_delete=models.PROTECT, null=True, blank=True, related_name="role_grants"
    )
    data_scope = models.CharField(
        _("reaches"), max_length=10, choices=DataScope.choices, default=DataScope.OWN
    )
    below = models.BooleanField(_("also below the unit"), default=True)
    starts_on = models.DateField(_("from"), null=True, blank=True)
    ends_on = models.DateField(_("until"), null=True, blank=True)
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.MANUAL)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    objects = GrantManager()

    class Meta(Record.Meta):
        verbose_name = _("granted role")
        verbose_name_plural = _("granted roles")
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, group__isnull=True)
                | Q(user__isnull=True, group__isnull=False),
                name="grant_to_person_or_group",
            ),
            models.CheckConstraint(
                condition=Q(profile__isnull=True) | Q(user__isnull=False),
                name="profile_of_a_person",
            ),
            models.UniqueConstraint(
                fields=["user", "role", "unit", "profile"],
                condition=Q(deleted_at__isnull=True, user__isnull=False),
                nulls_distinct=False,
                name="one_active_grant_per_profile",
            ),
            models.UniqueConstraint(
                fields=["group", "role", "unit"],
                condition=Q(deleted_at__isnull=True, group__isnull=False),
                name="one_active_grant_per_group",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True)
                | Q(starts_on__isnull=True)
                | Q(ends_on__gte=F("starts_on")),
                name="grant_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group}: {self.role} – {self.unit}"


class NamedPeople(Record):
    """Whose rows a grant of the scope *people* reaches: one person's, or a whole group's."""

    grant = models.ForeignKey(RoleGrant, on_delete=models.PROTECT, related_name="named_people")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    group = models.ForeignKey(
        PeopleGroup, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta(Record.Meta):
        verbose_name = _("whose rows")
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, group__isnull=True)
                | Q(user__isnull=True, group__isnull=False),
                name="named_person_or_group",
            ),
            models.UniqueConstraint(
                fields=["grant", "user", "group"],
                condition=Q(deleted_at__isnull=True),
                nulls_distinct=False,
                name="named_once",
            ),
        ]

    def __str__(self) -> str:
        return str(self.user or self.group)


class DirectoryGroup(Record):
    """People whose token names the directory group hold the role at the unit (PT-001)."""

    name = models.CharField(_("directory group"), max_length=200)
    role = models.ForeignKey(Role, on_delete=models.PROTECT)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT)
    mapped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text=_("Whom it gives nothing: nobody grants a role to themselves."),
    )
    profile_name = models.CharField(
        _("in the profile"),
        max_length=100,
        blank=True,
        help_text=_("Made for the person where it is not there; empty: in every profile."),
    )

    class Meta(Record.Meta):
        verbose_name = _("directory group")
        constraints = [
            models.UniqueConstraint(
                fields=["name", "role", "unit"],
                condition=Q(deleted_at__isnull=True),
                name="one_active_mapping",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} → {self.role} – {self.unit}"
