"""The organisation tree and who belongs where (PT-010)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from treebeard.mp_tree import MP_Node, MP_NodeManager, MP_NodeQuerySet

from portal.records.models import AppendOnlyHistory, BareRecord, Record


class UnitQuerySet(MP_NodeQuerySet):
    def open(self) -> UnitQuerySet:
        return self.filter(deleted_at__isnull=True, closed_on__isnull=True)


class UnitManager(MP_NodeManager.from_queryset(UnitQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> Any:
        return _by_path(self).filter(deleted_at__isnull=True)


class AllUnits(MP_NodeManager.from_queryset(UnitQuerySet)):  # type: ignore[misc]
    """Every unit, closed and soft-deleted ones too."""

    def get_queryset(self) -> Any:
        return _by_path(self)


def _by_path(manager: MP_NodeManager) -> UnitQuerySet:
    """treebeard's manager makes querysets of its own class, whatever it was made from."""
    return UnitQuerySet(manager.model, using=manager._db).order_by("path")  # noqa: SLF001


class Unit(BareRecord, MP_Node):
    """A node of the tree: institution, hospital, department, ward, laboratory, company …"""

    class Kind(models.TextChoices):
        INSTITUTION = "institution", _("institution")
        HOSPITAL = "hospital", _("hospital")
        DEPARTMENT = "department", _("department")
        WARD = "ward", _("ward")
        LABORATORY = "laboratory", _("laboratory")
        COMPANY = "company", _("company")

    name = models.CharField(_("name"), max_length=200)
    code = models.SlugField(_("code"), max_length=60, unique=True)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    # the path says the same, but a path is given to another unit once its own has moved away
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("belongs to"),
    )
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("merged into"),
    )

    # counts are treebeard's own book-keeping
    history = AppendOnlyHistory(excluded_fields=["numchild"])

    objects = UnitManager()
    all_objects = AllUnits()

    node_order_by: list[str] = []

    class Meta(BareRecord.Meta):
        verbose_name = _("unit")
        verbose_name_plural = _("units")

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **options: Any) -> None:
        if self._state.adding and self.parent_id is None and self.depth > 1:
            self.parent = Unit.all_objects.get(path=self.path[: -self.steplen])
        super().save(*args, **options)

    def get_absolute_url(self) -> str:
        return reverse("organisation:unit", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.closed_on is None and self.deleted_at is None

    def covers(self, other: Unit) -> bool:
        """Whether ``other`` is this unit or lies below it."""
        return other.path.startswith(self.path)


class Membership(Record):
    """A person belongs to a unit, from a day, perhaps until a day."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="memberships",
        verbose_name=_("person"),
    )
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="memberships", verbose_name=_("unit")
    )
    title = models.CharField(_("title"), max_length=100, blank=True)
    starts_on = models.DateField(_("from"), null=True, blank=True)
    ends_on = models.DateField(_("until"), null=True, blank=True)

    class Meta(Record.Meta):
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "unit"],
                condition=Q(deleted_at__isnull=True),
                name="one_active_membership",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True)
                | Q(starts_on__isnull=True)
                | Q(ends_on__gte=F("starts_on")),
                name="membership_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} – {self.unit}"
