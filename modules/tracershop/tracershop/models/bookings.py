"""Bookings from the radiology system, and what they mean in tracers (TS-020 to TS-025)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.records.models import PurgeableRecord, Record
from tracershop.models.catalogue import Tracer
from tracershop.models.customers import Endpoint
from tracershop.models.orders import Order
from tracershop.models.reach import MAP, shop_policy


class RoomMapping(Record):
    """A room of the radiology system is this endpoint."""

    room = models.CharField(_("room"), max_length=64)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="rooms")

    access = shop_policy(
        "endpoint__customer",
        restore=MAP,
        after_restore="tracershop.services.mappings.room_is_back",
    )

    class Meta(Record.Meta):
        verbose_name = _("room")
        constraints = [
            models.UniqueConstraint(
                fields=["room"], condition=Q(deleted_at__isnull=True), name="room_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.room} → {self.endpoint}"


class ProcedureMapping(Record):
    """A procedure at an endpoint needs so much of a tracer, so long after the booked start."""

    procedure_code = models.CharField(_("procedure"), max_length=64)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="procedures")
    tracer = models.ForeignKey(Tracer, on_delete=models.PROTECT)
    units = models.FloatField(_("MBq, or number of injections"))
    delay_min = models.IntegerField(_("minutes from booking to injection"), default=0)
    # TS-026; the orders are placed in the name of whoever switched it on
    automatic = models.BooleanField(_("ordered automatically"), default=False)
    automatic_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    access = shop_policy(
        "endpoint__customer",
        restore=MAP,
        after_restore="tracershop.services.mappings.procedure_is_back",
    )

    class Meta(Record.Meta):
        verbose_name = _("procedure")
        constraints = [
            models.UniqueConstraint(
                fields=["procedure_code", "endpoint"],
                condition=Q(deleted_at__isnull=True),
                name="procedure_once",
            ),
            models.CheckConstraint(condition=Q(units__gt=0), name="procedure_units_positive"),
            models.CheckConstraint(
                condition=Q(automatic=False) | Q(automatic_by__isnull=False),
                name="automatic_in_a_name",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.procedure_code} @ {self.endpoint} → {self.tracer}"


class Booking(PurgeableRecord):
    """A booked examination. It names no patient (TS-022) and is purged after 7 days."""

    class Status(models.TextChoices):
        BOOKED = "booked", _("booked")
        CANCELLED = "cancelled", _("cancelled")

    accession = models.CharField(_("accession number"), max_length=64)
    starts_at = models.DateTimeField(_("start"))
    procedure_code = models.CharField(_("procedure"), max_length=64)
    procedure_text = models.CharField(_("procedure text"), max_length=255, blank=True)
    room = models.CharField(_("room"), max_length=64)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.BOOKED
    )
    # where the room is mapped to; empty while it is not
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.PROTECT, null=True, blank=True, related_name="bookings"
    )
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="bookings"
    )
    ordered_mbq = models.FloatField(_("its part of the order (MBq)"), null=True, blank=True)
    # TS-026: each booking is looked at once, so that nothing is ordered or mailed twice
    automatic_at = models.DateTimeField(
        _("looked at by automatic ordering"), null=True, blank=True, editable=False
    )

    access = shop_policy("endpoint__customer")

    class Meta(PurgeableRecord.Meta):
        verbose_name = _("booking")
        verbose_name_plural = _("bookings")
        constraints = [
            models.UniqueConstraint(
                fields=["accession"],
                condition=Q(deleted_at__isnull=True),
                name="booking_once",
            )
        ]
        indexes = [models.Index(fields=["starts_at"]), models.Index(fields=["room"])]

    def __str__(self) -> str:
        return f"{self.accession} {self.procedure_code} {self.starts_at:%Y-%m-%d %H:%M}"


class BookingChange(PurgeableRecord):
    """A booking of an order moved or was cancelled after the order was placed (TS-025).

    Open until it is applied to the order or put aside; a later change of the same booking takes
    the place of an open one. Purged with its booking.
    """

    class What(models.TextChoices):
        MOVED = "moved", _("moved")
        CANCELLED = "cancelled", _("cancelled")
        CHANGED = "changed", _("another examination or room")

    class Outcome(models.TextChoices):
        APPLIED = "applied", _("applied")
        PUT_ASIDE = "put_aside", _("put aside")
        OVERTAKEN = "overtaken", _("overtaken by a later change")

    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="changes")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="booking_changes")
    what = models.CharField(_("what"), max_length=10, choices=What.choices)
    old_starts_at = models.DateTimeField(_("booked before"))
    new_starts_at = models.DateTimeField(_("booked now"))
    # the order as it would be with the booking as it is now: MBq or injections, zero for none
    proposed_mbq = models.FloatField(_("recomputed activity (MBq)"), null=True, blank=True)
    proposed_injections = models.PositiveIntegerField(
        _("recomputed injections"), null=True, blank=True
    )
    obstacle = models.CharField(max_length=50, blank=True, editable=False)
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices, blank=True)

    access = shop_policy("order__customer")

    class Meta(PurgeableRecord.Meta):
        verbose_name = _("changed booking")
        verbose_name_plural = _("changed bookings")
        constraints = [
            models.UniqueConstraint(
                fields=["booking"],
                condition=Q(settled_at__isnull=True, deleted_at__isnull=True),
                name="one_open_change_of_a_booking",
            )
        ]

    def __str__(self) -> str:
        return f"{self.booking} {self.get_what_display()}"
