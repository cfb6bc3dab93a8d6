"""Orders: activity at a slot, or a number of injections at a time (TS-002, TS-003)."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.records.models import Record
from tracershop.models.catalogue import Tracer
from tracershop.models.customers import Customer, Endpoint
from tracershop.models.reach import shop_policy
from tracershop.models.schedule import DeliverySlot
from tracershop.models.standing import StandingOrder
from tracershop.rules.decay import activity_at


class Order(Record):
    """One order of one tracer to one endpoint. Its number is its primary key."""

    Kind = Tracer.Kind

    class Status(models.TextChoices):
        ORDERED = "ordered", _("Ordered")
        ACCEPTED = "accepted", _("Accepted")
        RELEASED = "released", _("Released")
        REJECTED = "rejected", _("Rejected")

    class Use(models.TextChoices):
        HUMAN = "human", _("human")
        ANIMAL = "animal", _("animal")
        OTHER = "other", _("other")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    # the customer stands here again because every list is narrowed by it
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="orders")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="orders")
    tracer = models.ForeignKey(Tracer, on_delete=models.PROTECT, related_name="orders")
    slot = models.ForeignKey(
        DeliverySlot, on_delete=models.PROTECT, null=True, blank=True, related_name="orders"
    )
    deliver_on = models.DateField(_("day"), db_index=True)
    deliver_at = models.DateTimeField(_("to be delivered"))
    # of an order that production moved (TS-042): the slot and the time that it was ordered for
    moved_from_slot = models.ForeignKey(
        DeliverySlot, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    moved_from_at = models.DateTimeField(_("ordered for"), null=True, blank=True)
    activity_mbq = models.FloatField(_("activity (MBq)"), null=True, blank=True)
    overhead_factor = models.FloatField(_("overhead factor"), default=1.0)
    injections = models.PositiveIntegerField(_("injections"), null=True, blank=True)
    intended_use = models.CharField(
        _("intended use"), max_length=10, choices=Use.choices, default=Use.HUMAN
    )
    comment = models.TextField(_("comment"), blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.ORDERED
    )
    status_reason = models.TextField(_("reason"), blank=True)
    ordered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    late_reason = models.TextField(_("reason for ordering late"), blank=True)
    ghost = models.BooleanField(
        _("ghost order"), default=False, help_text=_("Added by production, without a shop's order.")
    )
    standing_order = models.ForeignKey(
        StandingOrder, on_delete=models.PROTECT, null=True, blank=True, related_name="orders"
    )

    access = shop_policy("customer")

    class Meta(Record.Meta):
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        indexes = [
            models.Index(fields=["deliver_on", "customer"]),
            models.Index(fields=["customer", "deliver_at"]),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=["activity", "isotope"],
                    slot__isnull=False,
                    activity_mbq__gt=0,
                    injections__isnull=True,
                )
                | Q(
                    kind="injection", slot__isnull=True, injections__gt=0, activity_mbq__isnull=True
                ),
                name="order_amount_fits_kind",
            ),
            models.CheckConstraint(
                condition=Q(overhead_factor__gte=1), name="order_overhead_at_least_1"
            ),
            models.CheckConstraint(
                condition=Q(moved_from_slot__isnull=True, moved_from_at__isnull=True)
                | Q(moved_from_slot__isnull=False, moved_from_at__gt=F("deliver_at")),
                name="order_moved_to_earlier",
            ),
            # also when somebody took back what the standing order had placed
            models.UniqueConstraint(
                fields=["standing_order", "deliver_on"], name="standing_order_once_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.tracer_id and self.tracer.name} {self.deliver_on:%Y-%m-%d}"

    @property
    def ordered_for_at(self) -> datetime:
        """When the customer wants it; delivered earlier where production moved the order."""
        return self.moved_from_at or self.deliver_at

    @property
    def due_mbq(self) -> float | None:
        """What the customer is to have at ``deliver_at``: as ordered, or what becomes that by the
        time that it was ordered for (TS-042), MBq."""
        if self.activity_mbq is None or self.moved_from_at is None:
            return self.activity_mbq
        half_life_s = self.tracer.isotope.half_life_s
        return activity_at(self.activity_mbq, half_life_s, self.moved_from_at, self.deliver_at)

    @property
    def total_mbq(self) -> float | None:
        """What has to be delivered at ``deliver_at``, overhead included, MBq."""
        due_mbq = self.due_mbq
        return None if due_mbq is None else due_mbq * self.overhead_factor

    @property
    def is_human(self) -> bool:
        return self.intended_use == self.Use.HUMAN
