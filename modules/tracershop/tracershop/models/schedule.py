"""When tracers are made and delivered, and until when they can be ordered (TS-002, TS-004)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.records.models import Record
from tracershop.models.catalogue import Tracer
from tracershop.models.customers import Endpoint
from tracershop.models.reach import SETUP_RESTORE, house_policy, shop_policy


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class ProductionRun(Record):
    """A weekly point in time at which a tracer is produced (end of synthesis)."""

    tracer = models.ForeignKey(Tracer, on_delete=models.PROTECT, related_name="runs")
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday.choices)
    ends_at = models.TimeField(_("end of synthesis"))

    access = house_policy(**SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("run")
        constraints = [
            models.UniqueConstraint(
                fields=["tracer", "weekday", "ends_at"],
                condition=Q(deleted_at__isnull=True),
                name="run_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tracer} {self.get_weekday_display()} {self.ends_at:%H:%M}"


class DeliverySlot(Record):
    """A weekly deliver time to one endpoint, fed by one run."""

    class Parity(models.TextChoices):
        EVERY = "every", _("every week")
        EVEN = "even", _("even weeks")
        ODD = "odd", _("odd weeks")

    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="slots")
    run = models.ForeignKey(ProductionRun, on_delete=models.PROTECT, related_name="slots")
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday.choices)
    deliver_time = models.TimeField(_("deliver time"))
    parity = models.CharField(
        _("weeks"), max_length=5, choices=Parity.choices, default=Parity.EVERY
    )
    expires_on = models.DateField(_("last day"), null=True, blank=True)

    access = shop_policy("endpoint__customer", **SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("delivery slot")
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "run", "weekday", "deliver_time", "parity"],
                condition=Q(deleted_at__isnull=True),
                name="slot_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.get_weekday_display()} {self.deliver_time:%H:%M}"


class OrderDeadline(Record):
    """Until when orders of a kind can be placed (TS-004)."""

    class Kind(models.TextChoices):
        DAILY = "daily", _("the last working day before")
        WEEKLY = "weekly", _("a weekday before")

    order_kind = models.CharField(
        _("kind of order"), max_length=10, choices=Tracer.Kind.choices, unique=True
    )
    kind = models.CharField(_("deadline"), max_length=10, choices=Kind.choices)
    at = models.TimeField(_("at"))
    weekday = models.PositiveSmallIntegerField(
        _("weekday"), choices=Weekday.choices, null=True, blank=True
    )

    access = house_policy()

    class Meta(Record.Meta):
        verbose_name = _("deadline")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="daily", weekday__isnull=True)
                | Q(kind="weekly", weekday__isnull=False),
                name="weekly_deadline_has_weekday",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_order_kind_display()}: {self.get_kind_display()} {self.at:%H:%M}"


class ClosedDay(Record):
    """A day for which nothing can be ordered."""

    day = models.DateField(_("day"))
    name = models.CharField(_("why"), max_length=100)

    access = house_policy(**SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("closed day")
        constraints = [
            models.UniqueConstraint(
                fields=["day"], condition=Q(deleted_at__isnull=True), name="closed_day_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.name}"
