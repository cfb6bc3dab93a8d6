"""What is announced live, and who may listen (TS-120)."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone

from portal.access.decision import can
from portal.live.services import publish
from tracershop.models import Customer, Order, Vial
from tracershop.models.reach import CERTIFY, ORDER_BOOKINGS, SEE_ALL, SEE_OWN, SETUP

VIALS = "tracershop/vials"
BATCHES = "tracershop/batches"
BOOKINGS = "tracershop/bookings"
CERTIFICATIONS = "tracershop/certifications"


def day_topic(day: date) -> str:
    return f"tracershop/day/{day:%Y-%m-%d}"


def customer_topic(customer_id: int) -> str:
    return f"tracershop/customer/{customer_id}"


def may_see_board(user: Any, day: str | None = None) -> bool:
    return can(user, SEE_ALL)


def may_see_bookings(user: Any) -> bool:
    return can(user, ORDER_BOOKINGS) or can(user, SEE_ALL)


def may_see_customer(user: Any, pk: str) -> bool:
    customer = Customer.objects.select_related("unit").filter(pk=pk).first()
    return customer is not None and (can(user, SEE_OWN, customer) or can(user, SEE_ALL, customer))


def may_see_setup(user: Any, model: str) -> bool:
    return can(user, SETUP)


def may_see_certifications(user: Any) -> bool:
    return can(user, CERTIFY)


def announce_order(order: Order, what: str) -> None:
    """An order changed: to the board of its day and to its customer's pages."""
    publish(day_topic(order.deliver_on), what, order.pk)
    publish(customer_topic(order.customer_id), what, order.pk)


def announce_setup(customer_id: int | None = None) -> None:
    """The set-up changed, of one customer or of all: to their pages, to the bookings, and to the
    boards of the days that have orders to come."""
    customers = [customer_id] if customer_id else Customer.objects.values_list("pk", flat=True)
    for pk in customers:
        publish(customer_topic(pk), "setup")
    publish(BOOKINGS, "setup")
    ahead = Order.objects.filter(deliver_on__gte=timezone.localdate())
    for day in ahead.order_by("deliver_on").values_list("deliver_on", flat=True).distinct():
        publish(day_topic(day), "setup")


def announce_vial(vial: Vial, what: str) -> None:
    """A vial changed: to the vials' page and the board of the day it was filled."""
    publish(VIALS, what, vial.pk)
    publish(day_topic(timezone.localtime(vial.filled_at).date()), what, vial.pk)
