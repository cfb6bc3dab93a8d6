"""Roles, and who holds which at which unit (PT-012, PT-013)."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.organisation.models import Unit
from portal.records.models import ActiveManager, ActiveQuerySet, Record


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


class GrantQuerySet(ActiveQuerySet):
    def in_force(self, today: date) -> GrantQuerySet:
        return self.filter(
            Q(starts_on__isnull=True) | Q(starts_on__lte=today),
            Q(ends_on__isnull=True) | Q(ends_on__gte=today),
            role__deleted_at__isnull=True,
        )


class GrantManager(ActiveManager.from_queryset(GrantQuerySet)):  # type: ignore[misc]
    pass


class RoleGrant(Record):
    """A role held by a person or a group at a unit, and below it unless said otherwise."""

    class Source(models.TextChoices):
        MANUAL = "manual", _("granted by a person")
        DIRECTORY = "directory", _("from the directory")

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
        Group, on_delete=models.PROTECT, null=True, blank=True, related_name="role_grants"
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
            models.UniqueConstraint(
                fields=["user", "role", "unit"],
                condition=Q(deleted_at__isnull=True, user__isnull=False),
                name="one_active_grant_per_person",
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


class DirectoryGroup(Record):
    """People whose token names the directory group hold the role at the unit (PT-001)."""

    name = models.CharField(_("directory group"), max_length=200)
    role = models.ForeignKey(Role, on_delete=models.PROTECT)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT)

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
