"""What waits for a person in Tracershop (PT-045)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta
from typing import Any

from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.access.decision import can, visible
from portal.notifications.my_tasks import MyTask
from tracershop.models import Booking, Certification, Order, Vial
from tracershop.models.reach import ACCEPT, CERTIFY, MAP, ORDER_BOOKINGS, RECALL, RELEASE, VIALS
from tracershop.rules.moments import local_moment
from tracershop.rules.orders import OrderStatus
from tracershop.selectors.batches import alarms, to_judge
from tracershop.selectors.booking_changes import change_tasks
from tracershop.selectors.booking_page import rooms_waiting
from tracershop.selectors.booking_waiting import WAITING
from tracershop.selectors.recalls import recalls_for, waiting_recalls
from tracershop.selectors.schedule import site_zone


def open_tasks(user: Any) -> Iterator[MyTask]:
    """To accept, to release, to settle, to order, to map – by what the person may do."""
    if can(user, ACCEPT):
        yield from _orders(user)
    if can(user, RECALL):
        yield from _alarms(user)
    if can(user, RELEASE):
        yield from _to_judge(user)
    yield from _recalls(user)
    if can(user, VIALS):
        yield from _held_vials(user)
    if can(user, ORDER_BOOKINGS):
        yield from _bookings(user)
    if can(user, MAP):
        yield from _rooms()
    yield from change_tasks(user)
    if can(user, CERTIFY):
        yield from _certifications(user)


def _orders(user: Any) -> Iterator[MyTask]:
    today = timezone.localdate()
    certified = set(
        Certification.objects.filter(
            user=user, valid_from__lte=today, expires_on__gte=today
        ).values_list("tracer_id", flat=True)
    )
    rows = (
        visible(user, Order.objects.all(), ACCEPT)
        .filter(
            Q(status=OrderStatus.ORDERED, deliver_on__gte=today)
            | Q(status=OrderStatus.ACCEPTED, deliver_on=today, tracer__in=certified)
        )
        .values("deliver_on", "status")
        .annotate(number=Count("pk"), due_at=Min("deliver_at"))
        .order_by("due_at")
    )
    for row in rows:
        accept = row["status"] == OrderStatus.ORDERED
        if not accept and not can(user, RELEASE):
            continue
        text = _("Accept %(n)s orders") if accept else _("Release %(n)s orders")
        yield MyTask(
            title=text % {"n": row["number"]},
            url=f"{reverse('tracershop:board')}?day={row['deliver_on']:%Y-%m-%d}",
            icon="check" if accept else "shield",
            due_at=row["due_at"],
            count=row["number"],
        )


def _alarms(user: Any) -> Iterator[MyTask]:
    """A rejected batch that orders were released from, and recalls that run."""
    for batch in alarms(user):
        yield MyTask(
            _("Batch %(lot)s was rejected after releases: recall it?") % {"lot": batch.lot},
            reverse("tracershop:batch", args=[batch.pk]),
            icon="bell",
            urgent=True,
        )
    for recall in recalls_for(user).filter(closed_at__isnull=True):
        yield MyTask(
            _("Recall of %(lot)s: %(done)s of %(all)s acknowledged")
            % {"lot": recall.batch.lot, "done": recall.done_count, "all": recall.notice_count},
            reverse("tracershop:recall", args=[recall.pk]),
            icon="bell",
            due_at=recall.started_at,
            urgent=True,
        )


def _to_judge(user: Any) -> Iterator[MyTask]:
    for batch in to_judge(user):
        yield MyTask(
            _("Batch %(lot)s is released, but a test failed: judge it anew") % {"lot": batch.lot},
            reverse("tracershop:batch", args=[batch.pk]),
            icon="flask",
            urgent=True,
        )


def _recalls(user: Any) -> Iterator[MyTask]:
    """Of the customers that the person represents."""
    for recall in waiting_recalls(user):
        yield MyTask(
            _("Recall of %(lot)s: say what became of it") % {"lot": recall.batch.lot},
            reverse("tracershop:recall_notice", args=[recall.pk]),
            icon="bell",
            due_at=recall.started_at,
            urgent=True,
        )


def _held_vials(user: Any) -> Iterator[MyTask]:
    number = (
        visible(user, Vial.objects.all(), VIALS)
        .filter(Q(tracer__isnull=True) | Q(customer__isnull=True))
        .count()
    )
    if number:
        yield MyTask(
            _("Settle %(n)s held vials") % {"n": number},
            reverse("tracershop:vials"),
            icon="vial",
            count=number,
            urgent=True,
        )


def _bookings(user: Any) -> Iterator[MyTask]:
    now = timezone.now()
    rows = (
        visible(user, Booking.objects.all(), ORDER_BOOKINGS)
        .filter(
            WAITING,
            starts_at__gte=now,
            starts_at__lt=now + timedelta(days=7),
        )
        .values("starts_at__date")
        .annotate(number=Count("pk"), due_at=Min("starts_at"))
        .order_by("due_at")
    )
    for row in rows:
        yield MyTask(
            _("Order for %(n)s bookings") % {"n": row["number"]},
            f"{reverse('tracershop:bookings')}?day={row['starts_at__date']:%Y-%m-%d}",
            icon="calendar",
            due_at=row["due_at"],
            count=row["number"],
        )


def _rooms() -> Iterator[MyTask]:
    number = len(rooms_waiting(timezone.now()))
    if number:
        yield MyTask(
            _("Map %(n)s rooms") % {"n": number},
            reverse("tracershop:mappings"),
            icon="link",
            count=number,
        )


def _certifications(user: Any) -> Iterator[MyTask]:
    """Those that end within 30 days, of others: nobody renews their own."""
    today = timezone.localdate()
    ending = Certification.objects.exclude(user=user).filter(
        expires_on__range=(today, today + timedelta(days=30))
    )
    found = ending.aggregate(number=Count("pk"), first=Min("expires_on"))
    if found["number"]:
        yield MyTask(
            _("%(n)s certifications expire within 30 days") % {"n": found["number"]},
            reverse("tracershop:certifications"),
            icon="shield",
            due_at=local_moment(time(0), found["first"], site_zone()),
            count=found["number"],
            urgent=found["first"] <= today + timedelta(days=7),
        )
