"""Who may release which tracer (TS-080, TS-085)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.records.models import Record
from tracershop.models.catalogue import Tracer
from tracershop.models.reach import CERTIFY, house_policy


class Certification(Record):
    """The person may release the tracer, from a day until a day (both included)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="certifications"
    )
    tracer = models.ForeignKey(Tracer, on_delete=models.PROTECT, related_name="certifications")
    valid_from = models.DateField(_("from"))
    expires_on = models.DateField(_("until"))
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    announced_days = models.PositiveSmallIntegerField(null=True, editable=False)

    access = house_policy(CERTIFY)

    class Meta(Record.Meta):
        verbose_name = _("certification")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "tracer"],
                condition=Q(deleted_at__isnull=True),
                name="one_certification_in_force",
            ),
            models.CheckConstraint(
                condition=Q(expires_on__gte=F("valid_from")), name="certification_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.tracer}"
