"""Orders that production moves, restores or adds."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.access.acts import ask
from portal.access.decision import require, visible
from portal.operations.templatetags.portal_formats import clock, mbq
from portal.operations.templatetags.portal_formats import day as day_in_words
from tracershop.forms.production import GhostForm, MoveForm
from tracershop.models import Order
from tracershop.models.reach import ACCEPT, ORDER_LATE
from tracershop.rules.moments import local_moment
from tracershop.selectors.delivery_choices import (
    deliveries_of_day,
    earlier_deliveries,
    injection_entries,
)
from tracershop.selectors.schedule import site_zone
from tracershop.services.ghosts import add_ghost_injections, add_ghost_order
from tracershop.services.moving import move_order, restore_order
from tracershop.views.parameters import day_of


@require_http_methods(["GET", "POST"])
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Deliver an order earlier on its day, or again as it was ordered."""
    order = (
        visible(request.user, Order.objects.all())
        .select_related("customer__unit", "endpoint", "tracer__isotope")
        .filter(pk=pk, slot__isnull=False)
        .first()
    )
    if order is None:
        raise Http404
    require(request.user, ACCEPT, order)
    slots: list[tuple[Any, str]] = [
        (
            each.slot.pk,
            _("%(at)s: %(mbq)s MBq with overhead")
            % {"at": clock(each.deliver_at), "mbq": mbq(each.total_mbq)},
        )
        for each in earlier_deliveries(order, timezone.now())
    ]
    if order.moved_from_at is not None:
        at = clock(order.moved_from_at)
        slots.append((order.moved_from_slot_id, _("%(at)s, as it was ordered") % {"at": at}))

    def act(slot_id: int, reason: str) -> None:
        if slot_id == order.moved_from_slot_id:
            restore_order(actor=request.user, order_id=pk, reason=reason)
        else:
            move_order(actor=request.user, order_id=pk, slot_id=slot_id, reason=reason)

    words = _("%(tracer)s to %(endpoint)s, ordered for %(at)s: %(mbq)s MBq.")
    lines = (
        [_("What decays until then is given on top."), _("The customer is told.")]
        if slots
        else [_("There is no earlier delivery to come on that day.")]
    )
    return ask(
        request,
        MoveForm(request.POST or None, slots=slots),
        act,
        title=_("Move order %(number)s") % {"number": order.pk},
        words=words
        % {
            "tracer": order.tracer,
            "endpoint": order.endpoint,
            "at": clock(order.ordered_for_at),
            "mbq": mbq(order.activity_mbq),
        },
        back=reverse("tracershop:order", args=[pk]),
        lines=lines,
    )


@require_http_methods(["GET", "POST"])
def add_ghost(request: HttpRequest) -> HttpResponse:
    """Add an order that no shop placed."""
    require(request.user, ACCEPT)
    require(request.user, ORDER_LATE)
    day = day_of(request)
    form = GhostForm(request.POST or None, deliveries=_deliveries(request, day))

    def act(**fields: Any) -> Order:
        given = {name: fields[name] for name in ("intended_use", "comment", "reason")}
        kind, _dash, keys = fields["delivery"].partition("-")
        if kind == "slot":
            return add_ghost_order(
                actor=request.user,
                slot_id=int(keys),
                day=day,
                activity_mbq=fields["activity_mbq"],
                **given,
            )
        endpoint, _dash, tracer = keys.partition("-")
        return add_ghost_injections(
            actor=request.user,
            endpoint_id=int(endpoint),
            tracer_id=int(tracer),
            inject_at=local_moment(fields["clock"], day, site_zone()),
            injections=fields["injections"],
            **given,
        )

    return ask(
        request,
        form,
        act,
        title=_("Add a ghost order for %(day)s") % {"day": day_in_words(day)},
        words=_("An order that no shop placed. It is marked as such wherever it stands."),
        back=f"{reverse('tracershop:board')}?day={day:%Y-%m-%d}",
    )


def _deliveries(request: HttpRequest, day: Any) -> list[Any]:
    slots = [
        (f"slot-{slot.pk}", f"{clock(at)} {slot.endpoint} · {slot.run.tracer}")
        for at, slot in deliveries_of_day(request.user, day, timezone.now())
    ]
    entries = [
        (f"injections-{entry.endpoint_id}-{entry.tracer_id}", f"{entry.endpoint} · {entry.tracer}")
        for entry in injection_entries(request.user)
    ]
    groups = [(_("Activity"), slots), (_("Injections"), entries)]
    return [group for group in groups if group[1]]
