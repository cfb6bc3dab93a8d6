"""Shipments: what leaves for one endpoint at one time, and its papers (TS-086)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.models import Record
from tracershop.models.customers import Customer, Endpoint
from tracershop.models.orders import Order
from tracershop.models.reach import shop_policy


class Shipment(Record):
    """Released orders that leave together; its papers are issued documents."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="shipments")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="shipments")
    ships_at = models.DateTimeField(_("leaves"))
    carrier = models.CharField(_("carrier"), max_length=200, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    made_at = models.DateTimeField(_("made"), default=timezone.now)

    access = shop_policy("customer")

    class Meta(Record.Meta):
        verbose_name = _("shipment")
        verbose_name_plural = _("shipments")

    def __str__(self) -> str:
        return f"{self.pk} {self.endpoint}"


class ShippedOrder(Record):
    """An order in a shipment, in force in one at most."""

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="lines")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="shipped")

    access = shop_policy("shipment__customer")

    class Meta(Record.Meta):
        verbose_name = _("order in a shipment")
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(deleted_at__isnull=True),
                name="order_shipped_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.shipment}: {self.order}"


class Package(Record):
    """One package of a shipment, as ADR 5.4.1.2.5 asks: what is measured on its outside."""

    class Kind(models.TextChoices):
        TYPE_A = "type_a", _("type A")
        EXCEPTED = "excepted", _("excepted")

    class Category(models.TextChoices):
        WHITE_I = "I-WHITE", _("I-WHITE")
        YELLOW_II = "II-YELLOW", _("II-YELLOW")
        YELLOW_III = "III-YELLOW", _("III-YELLOW")

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="packages")
    number = models.PositiveSmallIntegerField(_("package"))
    orders = models.JSONField(_("orders in it"), default=list)
    kind = models.CharField(_("package type"), max_length=10, choices=Kind.choices)
    surface_msv_h = models.FloatField(_("dose rate at the surface (mSv/h)"))
    at_1m_msv_h = models.FloatField(_("dose rate at 1 m (mSv/h)"))
    transport_index = models.FloatField(_("transport index"), null=True, blank=True)
    category = models.CharField(_("category"), max_length=12, choices=Category.choices, blank=True)

    access = shop_policy("shipment__customer")

    class Meta(Record.Meta):
        verbose_name = _("package")
        verbose_name_plural = _("packages")
        constraints = [
            models.UniqueConstraint(
                fields=["shipment", "number"],
                condition=Q(deleted_at__isnull=True),
                name="package_number_once",
            ),
            models.CheckConstraint(
                condition=Q(surface_msv_h__gte=0) & Q(at_1m_msv_h__gte=0),
                name="package_dose_rates_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shipment} / {self.number}"
