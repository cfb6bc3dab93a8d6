"""Recalls: a batch called back from everybody who received of it (TS-087)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.models import Record
from tracershop.models.batches import Batch
from tracershop.models.customers import Customer
from tracershop.models.orders import Order
from tracershop.models.reach import production_policy, shop_policy


class Recall(Record):
    """One recall of one batch; open until every customer concerned has acknowledged."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="recalls")
    reason = models.TextField(_("reason"))
    instructions = models.TextField(_("what customers are to do"))
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    conclusion = models.TextField(_("conclusion"), blank=True)

    access = production_policy()

    class Meta(Record.Meta):
        verbose_name = _("recall")
        verbose_name_plural = _("recalls")
        constraints = [
            models.UniqueConstraint(
                fields=["batch"],
                condition=Q(closed_at__isnull=True, deleted_at__isnull=True),
                name="one_open_recall_of_a_batch",
            )
        ]

    def __str__(self) -> str:
        return f"{self.batch} {self.started_at:%Y-%m-%d}"


class RecallNotice(Record):
    """One customer told of a recall, for one order: who was reached, and what they did."""

    class Use(models.TextChoices):
        UNUSED = "unused", _("not used, set aside")
        PARTLY = "partly", _("partly used")
        USED = "used", _("used")

    recall = models.ForeignKey(Recall, on_delete=models.PROTECT, related_name="notices")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="recall_notices")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="recall_notices")
    notified_at = models.DateTimeField(_("notified"), null=True, blank=True)
    # by telephone, beside what the portal sent: whom production reached
    reached = models.CharField(_("whom it was told"), max_length=200, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    use = models.CharField(_("what became of it"), max_length=10, choices=Use.choices, blank=True)
    answer = models.TextField(_("answer"), blank=True)

    access = shop_policy("customer")

    class Meta(Record.Meta):
        verbose_name = _("recall notice")
        verbose_name_plural = _("recall notices")
        constraints = [
            models.UniqueConstraint(
                fields=["recall", "order"],
                condition=Q(deleted_at__isnull=True),
                name="one_notice_of_an_order",
            )
        ]

    def __str__(self) -> str:
        return f"{self.recall}: {self.order}"
