"""Standing orders: the same order, week after week (TS-008)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.records.models import Record
from tracershop.models.catalogue import Tracer
from tracershop.models.customers import Customer, Endpoint
from tracershop.models.reach import shop_policy
from tracershop.models.schedule import DeliverySlot, Weekday


class StandingOrder(Record):
    """What is ordered by itself on a weekday: activity at a slot, or injections at a time.

    Its orders are placed in the name of ``ordered_by``, and only while that person may order for
    the customer. ``placed_until`` is the last day that was looked at: no day is placed twice.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="standing_orders")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="standing_orders")
    tracer = models.ForeignKey(Tracer, on_delete=models.PROTECT, related_name="standing_orders")
    slot = models.ForeignKey(
        DeliverySlot,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="standing_orders",
    )
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday.choices)
    inject_at = models.TimeField(_("time of the injections"), null=True, blank=True)
    activity_mbq = models.FloatField(_("activity (MBq)"), null=True, blank=True)
    injections = models.PositiveIntegerField(_("injections"), null=True, blank=True)
    intended_use = models.CharField(_("intended use"), max_length=10, default="human")
    comment = models.TextField(_("comment"), blank=True)
    starts_on = models.DateField(_("first day"))
    ends_on = models.DateField(_("last day"), null=True, blank=True)
    placed_until = models.DateField(null=True, blank=True, editable=False)
    ordered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )

    access = shop_policy("customer")

    class Meta(Record.Meta):
        verbose_name = _("standing order")
        verbose_name_plural = _("standing orders")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    slot__isnull=False,
                    activity_mbq__gt=0,
                    inject_at__isnull=True,
                    injections__isnull=True,
                )
                | Q(
                    slot__isnull=True,
                    activity_mbq__isnull=True,
                    inject_at__isnull=False,
                    injections__gt=0,
                ),
                name="standing_order_amount_fits_kind",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
                name="standing_order_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.tracer} {self.get_weekday_display()}"
