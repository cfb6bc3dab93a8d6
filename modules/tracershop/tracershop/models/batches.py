"""Batches, their quality control and its two-stage verdict (TS-046)."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.models import Record
from portal.signing.models import Signature
from tracershop.models.catalogue import Tracer
from tracershop.models.reach import SETUP_RESTORE, house_policy, production_policy
from tracershop.models.schedule import ProductionRun


class Batch(Record):
    """One production. A lot without a batch record has no verdict yet."""

    class Status(models.TextChoices):
        QUARANTINE = "quarantine", _("Quarantine")
        RELEASED = "released", _("Released")
        CONDITIONALLY_RELEASED = "conditionally_released", _("Conditionally released")
        REJECTED = "rejected", _("Rejected")
        RECALLED = "recalled", _("Recalled")

    lot = models.CharField(_("lot"), max_length=40, unique=True)
    tracer = models.ForeignKey(Tracer, on_delete=models.PROTECT, related_name="batches")
    run = models.ForeignKey(
        ProductionRun, on_delete=models.PROTECT, null=True, blank=True, related_name="batches"
    )
    calibrated_at = models.DateTimeField(_("calibration time"), null=True, blank=True)
    activity_mbq = models.FloatField(_("activity at calibration (MBq)"), null=True, blank=True)
    volume_ml = models.FloatField(_("volume (ml)"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expiry"), null=True, blank=True)
    status = models.CharField(
        _("status"), max_length=25, choices=Status.choices, default=Status.QUARANTINE
    )
    status_reason = models.TextField(_("reason"), blank=True)
    # of a rejected batch of which orders had been released: no recall is needed, says who, and why
    set_aside_at = models.DateTimeField(_("alarm put aside"), null=True, blank=True)
    set_aside_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    set_aside_reason = models.TextField(_("why no recall is needed"), blank=True)

    access = production_policy()

    class Meta(Record.Meta):
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        indexes = [models.Index(fields=["tracer", "calibrated_at"])]
        constraints = [
            models.CheckConstraint(
                condition=(Q(activity_mbq__isnull=True) | Q(activity_mbq__gt=0))
                & (Q(volume_ml__isnull=True) | Q(volume_ml__gt=0)),
                name="batch_amounts_positive",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True)
                | Q(calibrated_at__isnull=True)
                | Q(expires_at__gt=F("calibrated_at")),
                name="batch_expires_after_calibration",
            ),
        ]

    def __str__(self) -> str:
        return self.lot


class QualityTest(Record):
    """A test that every batch of a tracer undergoes, with its limits."""

    class Stage(models.TextChoices):
        CONDITIONAL = "conditional", _("before conditional release")
        FULL = "full", _("before full release")

    tracer = models.ForeignKey(Tracer, on_delete=models.PROTECT, related_name="quality_tests")
    name = models.CharField(_("test"), max_length=100)
    method = models.CharField(_("method"), max_length=200, blank=True)
    unit = models.CharField(_("unit"), max_length=20, blank=True)
    # with a limit the result is a number; without, it is passed or not
    lower_limit = models.FloatField(_("at least"), null=True, blank=True)
    upper_limit = models.FloatField(_("at most"), null=True, blank=True)
    stage = models.CharField(
        _("needed"), max_length=12, choices=Stage.choices, default=Stage.CONDITIONAL
    )
    order = models.PositiveSmallIntegerField(_("place in the list"), default=1)

    access = house_policy(**SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("quality test")
        verbose_name_plural = _("quality tests")
        ordering = ("order", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=["tracer", "name"],
                condition=Q(deleted_at__isnull=True),
                name="quality_test_once",
            ),
            models.CheckConstraint(
                condition=Q(lower_limit__isnull=True)
                | Q(upper_limit__isnull=True)
                | Q(upper_limit__gte=F("lower_limit")),
                name="quality_limits_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tracer}: {self.name}"

    @property
    def is_numeric(self) -> bool:
        return self.lower_limit is not None or self.upper_limit is not None


class QualityResult(Record):
    """What a test of a batch showed, against the limits as they were then."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="results")
    test = models.ForeignKey(QualityTest, on_delete=models.PROTECT, related_name="results")
    value = models.FloatField(_("result"), null=True, blank=True)
    lower_limit = models.FloatField(_("at least"), null=True, blank=True)
    upper_limit = models.FloatField(_("at most"), null=True, blank=True)
    passed = models.BooleanField(_("complies"))
    comment = models.TextField(_("comment"), blank=True)
    tested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    tested_at = models.DateTimeField(_("tested"), default=timezone.now)

    access = production_policy()

    class Meta(Record.Meta):
        verbose_name = _("result")
        verbose_name_plural = _("results")
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "test"],
                condition=Q(deleted_at__isnull=True),
                name="one_result_of_a_test",
            )
        ]

    def __str__(self) -> str:
        return f"{self.batch} {self.test.name}"


class Verdict(Record):
    """A signed verdict on a batch: conditional release, full release or rejection."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="verdicts")
    status = models.CharField(_("verdict"), max_length=25, choices=Batch.Status.choices)
    reason = models.TextField(_("reason"))
    confirmed = ArrayField(
        models.CharField(max_length=50), verbose_name=_("confirmed warnings"), default=list
    )
    # the batch and its results as the signer saw them: tests are renamed, limits changed
    seen = models.JSONField(default=dict)
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    given_at = models.DateTimeField(_("given"), default=timezone.now)
    signature = models.ForeignKey(Signature, on_delete=models.PROTECT, null=True, related_name="+")

    access = production_policy()

    class Meta(Record.Meta):
        verbose_name = _("verdict")
        verbose_name_plural = _("verdicts")

    def __str__(self) -> str:
        return f"{self.batch} {self.get_status_display()}"
