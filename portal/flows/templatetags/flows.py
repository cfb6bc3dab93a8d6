"""What ``<c-flow>`` asks of `portal.flows.presentation`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template

from portal.flows.presentation import ShownFlow, flow_picture
from portal.flows.rules.definition import Machine, machine_from_json
from portal.flows.rules.drawing import places_in

register = template.Library()


@register.simple_tag
def flow_of(
    machine: Machine | None = None,
    version: Any = None,
    state: str = "",
    passages: Iterable[Any] | None = None,
    places: Any = None,
) -> ShownFlow | None:
    """The picture of ``machine``, or of a `FlowVersion` as it was arranged."""
    if version:
        machine, places = machine_from_json(version.content), version.places
    if not machine:
        return None
    return flow_picture(machine, state=state, passages=passages or (), places=places_in(places))
