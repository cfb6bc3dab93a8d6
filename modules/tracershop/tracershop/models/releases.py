"""The release of an order: who freed it for use, from which vials, having confirmed what."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.models import Record
from portal.signing.models import Signature
from tracershop.models.orders import Order
from tracershop.models.reach import shop_policy


class Release(Record):
    """One release. At most one of an order is in force: the database says so (TS-082)."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="releases")
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    released_at = models.DateTimeField(_("released"), default=timezone.now)
    lots = ArrayField(models.CharField(max_length=40), verbose_name=_("lots"))
    delivered_mbq = models.FloatField(_("activity at delivery (MBq)"), null=True)
    # Customers are renamed, half-lives re-evaluated: what was signed stays as the releaser saw it.
    seen = models.JSONField(_("names and half-life as the releaser saw them"), default=dict)
    confirmed = ArrayField(
        models.CharField(max_length=50), verbose_name=_("confirmed warnings"), default=list
    )
    signature = models.ForeignKey(Signature, on_delete=models.PROTECT, null=True, related_name="+")
    corrected_at = models.DateTimeField(_("corrected"), null=True)
    correction_reason = models.TextField(blank=True)

    access = shop_policy("order__customer")

    class Meta(Record.Meta):
        verbose_name = _("release")
        # a recall asks which orders were released from a lot
        indexes = [GinIndex(fields=["lots"], name="release_lots")]
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(corrected_at__isnull=True, deleted_at__isnull=True),
                name="one_release_in_force",
            )
        ]

    def __str__(self) -> str:
        return f"{self.order} released {self.released_at:%Y-%m-%d %H:%M}"
