"""What every way of ordering checks: catalogue, kind, amount and use (TS-001, TS-003)."""

from __future__ import annotations

import math
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from portal.records.errors import Refused
from tracershop.models import CatalogueEntry, Endpoint, Order, Tracer
from tracershop.rules.decay import ActivityTooLargeError, activity_at

LARGEST_ORDER_MBQ = 10_000_000


def entry_of(endpoint: Endpoint, tracer: Tracer) -> CatalogueEntry:
    """The endpoint's catalogue entry of the tracer; Refused(``not_in_catalogue``) without one."""
    entry = CatalogueEntry.objects.filter(endpoint=endpoint, tracer=tracer).first()
    if entry is None:
        raise Refused(
            _("%(tracer)s is not in the catalogue of %(endpoint)s.")
            % {"tracer": tracer, "endpoint": endpoint},
            code="not_in_catalogue",
        )
    return entry


def check_kind(tracer: Tracer, *, by_slot: bool) -> None:
    """Refused(``wrong_kind``) when the tracer is ordered in the other way."""
    if tracer.by_slot != by_slot:
        raise Refused(
            _("%(tracer)s is ordered %(kind)s.")
            % {"tracer": tracer, "kind": tracer.get_kind_display()},
            code="wrong_kind",
        )


def check_activity(activity_mbq: float | None) -> None:
    """Refused(``amount``) unless it is a number of MBq that can be delivered."""
    if (
        activity_mbq is None
        or not math.isfinite(activity_mbq)
        or not 0 < activity_mbq <= LARGEST_ORDER_MBQ
    ):
        raise Refused(_("The activity must be above 0 MBq."), code="amount")


def check_due(order: Order, activity_mbq: float, wanted_at: datetime, at: datetime) -> None:
    """Refuse what would have to be more at ``at`` than can be made, to be ``activity_mbq`` MBq at
    ``wanted_at`` (TS-042)."""
    half_life_s = order.tracer.isotope.half_life_s
    try:
        due_mbq = activity_at(activity_mbq, half_life_s, wanted_at, at)
    except ActivityTooLargeError:
        due_mbq = math.inf
    if due_mbq > LARGEST_ORDER_MBQ:
        raise Refused(
            _("At the earlier delivery, more would be needed than can be made."), code="too_much"
        )


def check_injections(injections: int | None, entry: CatalogueEntry) -> None:
    """Refused(``amount``, ``too_many_injections``) unless the catalogue allows as many."""
    if not injections or injections < 1:
        raise Refused(_("Order at least one injection."), code="amount")
    if injections > entry.max_injections:
        raise Refused(
            _("At most %(limit)s injections can be ordered at once.")
            % {"limit": entry.max_injections},
            code="too_many_injections",
        )


def use_of(value: str) -> str:
    """The intended use; Refused(``use``) for anything but the three."""
    if value not in Order.Use.values:
        raise Refused(_("Say what the tracer is for: human, animal or other."), code="use")
    return value
