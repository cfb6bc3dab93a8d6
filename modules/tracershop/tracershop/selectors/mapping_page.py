"""What rooms and procedures mean, and which wait for somebody to say so (TS-023)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, Min, OuterRef, QuerySet

from portal.access.decision import visible
from tracershop.models import Booking, Endpoint, ProcedureMapping, RoomMapping, Tracer
from tracershop.models.reach import MAP
from tracershop.selectors.booking_waiting import WAITING


def procedures_waiting(user: Any, now: datetime) -> list[dict[str, Any]]:
    """Procedures at the person's endpoints that are not mapped, with how many bookings to come wait
    and when the first of them is; the most urgent first."""
    mapped = ProcedureMapping.objects.filter(
        endpoint=OuterRef("endpoint"), procedure_code=OuterRef("procedure_code")
    )
    return list(
        visible(user, Booking.objects.all(), MAP)
        .filter(WAITING, ~Exists(mapped), starts_at__gte=now)
        .order_by()
        .values("endpoint", "endpoint__name", "endpoint__customer__name", "procedure_code")
        .annotate(waiting=Count("pk"), next_at=Min("starts_at"), text=Max("procedure_text"))
        .order_by("next_at", "procedure_code", "endpoint")
    )


def room_mappings(user: Any) -> QuerySet[RoomMapping]:
    return (
        visible(user, RoomMapping.objects.all(), MAP)
        .select_related("endpoint__customer")
        .order_by("endpoint__customer__name", "endpoint__name", "room")
    )


def procedure_mappings(user: Any) -> QuerySet[ProcedureMapping]:
    return (
        visible(user, ProcedureMapping.objects.all(), MAP)
        .select_related("endpoint__customer", "tracer", "automatic_by")
        .order_by("endpoint__customer__name", "endpoint__name", "procedure_code")
    )


def mappable_endpoints(user: Any) -> QuerySet[Endpoint]:
    return (
        visible(user, Endpoint.objects.all(), MAP)
        .select_related("customer__unit")
        .order_by("customer__name", "name")
    )


def tracers_of(endpoint: Endpoint) -> QuerySet[Tracer]:
    """What the endpoint's catalogue allows and people are injected with: no bare isotope."""
    return (
        Tracer.objects.filter(catalogue__endpoint=endpoint, catalogue__deleted_at__isnull=True)
        .exclude(kind=Tracer.Kind.ISOTOPE)
        .select_related("isotope")
        .order_by("name")
    )
