"""What can be ordered: isotopes, tracers, and which endpoint may order which (TS-001)."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.records.models import Record
from tracershop.models.customers import Endpoint
from tracershop.models.reach import SETUP_RESTORE, house_policy, shop_policy


class Isotope(Record):
    """A radionuclide and its half-life, with the source of the value."""

    symbol = models.CharField(_("symbol"), max_length=10, unique=True, help_text=_("e.g. F-18"))
    half_life_s = models.FloatField(_("half-life (s)"), validators=[MinValueValidator(0.001)])
    source = models.CharField(_("source of the half-life"), max_length=200)

    access = house_policy(**SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("isotope")

    def __str__(self) -> str:
        return self.symbol


class Tracer(Record):
    """A radioactive medicinal product."""

    class Kind(models.TextChoices):
        ACTIVITY = "activity", _("by activity (MBq)")
        INJECTION = "injection", _("by injections")
        ISOTOPE = "isotope", _("as the bare isotope (MBq)")

    name = models.CharField(_("name"), max_length=100, unique=True)
    isotope = models.ForeignKey(Isotope, on_delete=models.PROTECT, related_name="tracers")
    kind = models.CharField(_("ordered"), max_length=10, choices=Kind.choices)
    lot_prefix = models.CharField(_("lot prefix"), max_length=20, unique=True)
    min_vial_mbq = models.FloatField(_("least plausible activity of a vial (MBq)"), default=1)
    max_vial_mbq = models.FloatField(_("greatest plausible activity of a vial (MBq)"))
    min_vial_ml = models.FloatField(_("least plausible volume of a vial (ml)"), default=0.1)
    max_vial_ml = models.FloatField(_("greatest plausible volume of a vial (ml)"), default=50)
    shelf_life_min = models.PositiveIntegerField(
        _("shelf life (min)"), default=600, help_text=_("From calibration to expiry of a batch.")
    )
    chemical_form = models.CharField(
        _("physical and chemical form"),
        max_length=200,
        blank=True,
        help_text=_("As the transport document says it, e.g. liquid, sodium fluoride in saline."),
    )

    access = house_policy(**SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("tracer")
        constraints = [
            models.CheckConstraint(
                condition=Q(max_vial_mbq__gt=models.F("min_vial_mbq"))
                & Q(max_vial_ml__gt=models.F("min_vial_ml")),
                name="tracer_limits_in_order",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def by_slot(self) -> bool:
        """Ordered as MBq at a delivery slot; else as a number of injections at a time."""
        return self.kind != self.Kind.INJECTION


class CatalogueEntry(Record):
    """The endpoint may order the tracer, with this overhead or up to this many injections."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="catalogue")
    tracer = models.ForeignKey(Tracer, on_delete=models.PROTECT, related_name="catalogue")
    overhead_factor = models.FloatField(
        _("overhead factor"), default=1.0, validators=[MinValueValidator(1.0)]
    )
    max_injections = models.PositiveIntegerField(_("greatest number of injections"), default=0)

    access = shop_policy("endpoint__customer", **SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("catalogue entry")
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "tracer"],
                condition=Q(deleted_at__isnull=True),
                name="catalogue_entry_once",
            ),
            models.CheckConstraint(condition=Q(overhead_factor__gte=1), name="overhead_at_least_1"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.tracer}"
