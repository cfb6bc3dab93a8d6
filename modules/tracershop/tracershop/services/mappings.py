"""What a room and a procedure of the radiology system mean (TS-023)."""

from __future__ import annotations

import math
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from portal.access.decision import can, visible
from portal.audit.services import differences, record
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.services import check_version, locked, soft_delete, writes
from tracershop.models import (
    Booking,
    CatalogueEntry,
    Endpoint,
    ProcedureMapping,
    RoomMapping,
    Tracer,
)
from tracershop.models.reach import MAP
from tracershop.selectors.automatic import may_order_for
from tracershop.selectors.booking_waiting import NOT_ORDERED
from tracershop.selectors.topics import BOOKINGS


@writes
def map_room(
    *, actor: Any, room: str, endpoint_id: int, expected_version: int | None = None
) -> RoomMapping:
    """Say which endpoint a room is; bookings waiting for it are placed there at once.

    ``expected_version`` 0: the room was not mapped when the person looked.
    """
    endpoint = _endpoint(actor, endpoint_id)
    known = (
        RoomMapping.objects.select_for_update(no_key=True, of=("self",))
        .select_related("endpoint__customer")
        .filter(room=room)
        .first()
    )
    if known is not None:
        if not can(actor, MAP, known):
            raise Refused(
                _("The room is mapped for a customer that you do not represent."),
                code="other_customer",
            )
        check_version(known, expected_version, {"endpoint": endpoint})
    mapping = known or RoomMapping(room=room)
    old = str(mapping.endpoint) if known else ""
    mapping.endpoint = endpoint
    _save(mapping)
    record("tracershop.room_mapped", mapping, data={"room": room, "endpoint": [old, str(endpoint)]})
    _place_bookings(room, endpoint)
    publish(BOOKINGS, "mapped")
    return mapping


@writes
def map_procedure(
    *,
    actor: Any,
    procedure_code: str,
    endpoint_id: int,
    tracer_id: int,
    units: float,
    delay_min: int,
    expected_version: int | None = None,
) -> ProcedureMapping:
    """Say what a procedure at an endpoint needs: tracer, MBq or injections, and the delay.

    ``expected_version`` 0: the procedure was not mapped when the person looked.
    """
    endpoint = _endpoint(actor, endpoint_id)
    tracer = Tracer.objects.filter(pk=tracer_id).first()
    allowed = CatalogueEntry.objects.filter(endpoint=endpoint, tracer=tracer)
    if tracer is None or not allowed.exists():
        raise Refused(
            _("The tracer is not in the catalogue of %(endpoint)s.") % {"endpoint": endpoint},
            code="not_in_catalogue",
        )
    if tracer.kind == Tracer.Kind.ISOTOPE:
        raise Refused(_("A bare isotope is not injected: order it by hand."), code="isotope")
    if not (math.isfinite(units) and units > 0) or (not tracer.by_slot and units != int(units)):
        raise Refused(
            _("Give an activity above 0 MBq, or a whole number of injections."), code="units"
        )
    if not -24 * 60 < delay_min < 24 * 60:
        raise Refused(_("The delay must be less than a day."), code="delay")
    mapping = ProcedureMapping.objects.select_for_update(no_key=True).filter(
        procedure_code=procedure_code, endpoint=endpoint
    ).first() or ProcedureMapping(procedure_code=procedure_code, endpoint=endpoint)
    new = {"tracer": tracer, "units": units, "delay_min": delay_min}
    old = {name: getattr(mapping, name) for name in new} if mapping.pk else {}
    if mapping.pk:
        check_version(mapping, expected_version, new)
    for name, value in new.items():
        setattr(mapping, name, value)
    if mapping.automatic:  # whoever says what is ordered by itself answers for it (TS-026)
        mapping.automatic = may_order_for(actor, endpoint.customer)
        mapping.automatic_by = actor if mapping.automatic else None
    _save(mapping)
    changes = differences(
        {name: str(value) for name, value in old.items()},
        {name: str(value) for name, value in new.items()},
    )
    record("tracershop.procedure_mapped", mapping, data=changes)
    publish(BOOKINGS, "mapped")
    return mapping


@writes
def end_procedure_mapping(*, actor: Any, mapping_id: int, reason: str) -> None:
    """The procedure means nothing any more; what is ordered stays ordered."""
    _require_reason(reason)
    mapping = locked(visible(actor, ProcedureMapping.objects.all(), MAP), mapping_id)
    soft_delete(mapping)
    record("tracershop.procedure_unmapped", mapping)
    publish(BOOKINGS, "mapped")


@writes
def end_room_mapping(*, actor: Any, mapping_id: int, reason: str) -> None:
    """The room is nobody's any more: bookings there that are not ordered wait for a new mapping."""
    _require_reason(reason)
    mapping = locked(visible(actor, RoomMapping.objects.all(), MAP), mapping_id)
    soft_delete(mapping)
    _place_bookings(mapping.room, None)
    record("tracershop.room_unmapped", mapping)
    publish(BOOKINGS, "mapped")


def room_is_back(mapping: RoomMapping) -> None:
    """After the mapping was restored: bookings waiting in the room are placed at once."""
    _place_bookings(mapping.room, mapping.endpoint)
    publish(BOOKINGS, "mapped")


def procedure_is_back(mapping: ProcedureMapping) -> None:
    """After the mapping was restored; its tracer may have left the catalogue meanwhile."""
    if not CatalogueEntry.objects.filter(endpoint=mapping.endpoint, tracer=mapping.tracer).exists():
        raise Refused(
            _("The tracer is not in the catalogue of %(endpoint)s.")
            % {"endpoint": mapping.endpoint},
            code="not_in_catalogue",
        )
    publish(BOOKINGS, "mapped")


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise Refused(_("Ending a mapping needs a reason."), code="reason_needed")


def _save(mapping: RoomMapping | ProcedureMapping) -> None:
    try:
        with transaction.atomic():
            mapping.save()
    except IntegrityError:  # two people map it for the first time at once
        raise Refused(
            _("Somebody has just mapped it; look at what they said."), code="taken"
        ) from None


def _place_bookings(room: str, endpoint: Endpoint | None) -> None:
    for booking in (
        Booking.objects.select_for_update(no_key=True, of=("self",))
        .filter(NOT_ORDERED, room=room)
        .order_by("pk")
    ):
        booking.endpoint = endpoint
        booking.save()


def _endpoint(actor: Any, endpoint_id: int) -> Endpoint:
    endpoint = (
        visible(actor, Endpoint.objects.all(), MAP)
        .select_related("customer__unit")
        .filter(pk=endpoint_id)
        .first()
    )
    if endpoint is None:
        raise Refused(_("There is no such endpoint."), code="gone")
    return endpoint
