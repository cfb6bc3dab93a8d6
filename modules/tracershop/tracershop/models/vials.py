"""Vials: as the dispenser filled them, or entered by hand (TS-060 to TS-063)."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.inbox.models import InboundMessage
from portal.records.models import Record
from tracershop.models.catalogue import Tracer
from tracershop.models.customers import Customer
from tracershop.models.orders import Order
from tracershop.models.reach import vial_policy


class Vial(Record):
    """One dispensed vial. Without tracer or customer it is held for a person to settle."""

    class ValueStatus(models.TextChoices):
        INSTRUMENT = "instrument", _("measured")
        KEYBOARD = "keyboard", _("typed")
        KEYBOARD_REENTERED = "keyboard_reentered", _("typed twice")

    lot = models.CharField(_("lot"), max_length=40, db_index=True)
    tracer = models.ForeignKey(
        Tracer, on_delete=models.PROTECT, null=True, blank=True, related_name="vials"
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="vials"
    )
    customer_label = models.CharField(_("customer in the file"), max_length=200, blank=True)
    filled_at = models.DateTimeField(_("filled"))
    activity_mbq = models.FloatField(_("activity at fill (MBq)"))
    volume_ml = models.FloatField(_("volume (ml)"))
    expires_at = models.DateTimeField(_("use before"), null=True, blank=True)
    product = models.CharField(_("product"), max_length=100, blank=True)
    dispenser = models.CharField(_("dispenser"), max_length=100, blank=True)
    position = models.CharField(_("position"), max_length=40, blank=True)
    value_status = models.CharField(
        _("value"), max_length=20, choices=ValueStatus.choices, default=ValueStatus.INSTRUMENT
    )
    warnings = ArrayField(
        models.CharField(max_length=50), verbose_name=_("warnings"), default=list, blank=True
    )
    source = models.ForeignKey(
        InboundMessage, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # who entered it by hand, or changed it since (TS-063)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="vials"
    )

    access = vial_policy()

    class Meta(Record.Meta):
        verbose_name = _("vial")
        verbose_name_plural = _("vials")
        indexes = [models.Index(fields=["filled_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["lot", "customer_label", "filled_at", "activity_mbq", "volume_ml"],
                condition=Q(deleted_at__isnull=True),
                name="vial_once",
            ),
            models.CheckConstraint(
                condition=Q(activity_mbq__gt=0) & Q(volume_ml__gt=0), name="vial_amounts_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lot} {self.activity_mbq:g} MBq"

    @property
    def is_held(self) -> bool:
        """Nobody knows yet what it is, or whose (TS-062)."""
        return self.tracer_id is None or self.customer_id is None
