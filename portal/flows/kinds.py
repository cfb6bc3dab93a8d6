"""Flows as designs: what `portal.forms.services.designs` needs to know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.module_loading import import_string

from portal.flows.models import FlowDesign, FlowVersion
from portal.flows.models.designs import DESIGN_FLOWS, PUBLISH_FLOWS
from portal.flows.rules.definition import Fact, Machine, machine_from_json, machine_to_json
from portal.flows.rules.difference import difference
from portal.flows.rules.editing import new_machine
from portal.flows.rules.publishing import Registry, faults_of
from portal.forms.kinds import DesignKind, change_to_json
from portal.forms.rules.faults import Fault
from portal.registry import registry


def _of_area(design: Any, attribute: str, nothing: Any) -> Any:
    area = registry.design_area(design.area)
    dotted = getattr(area, attribute) if area is not None else ""
    return import_string(dotted)(design) if dotted else nothing


def facts_offered(design: Any) -> Sequence[Fact]:
    """What the guards of this design may read, as its area supplies it."""
    found: Sequence[Fact] = _of_area(design, "flow_facts", ())
    return found


def roles_offered(design: Any) -> Mapping[str, Any]:
    """Who may take transitions: code to label."""
    found: Mapping[str, Any] = _of_area(design, "flow_roles", {})
    return found


def actions_offered(design: Any) -> Registry:
    """The closed registry of actions."""
    found: Registry = _of_area(design, "flow_actions", {})
    return found


def flow_faults(design: Any, machine: Machine) -> list[Fault]:
    """Everything that keeps the machine from being published for this design."""
    return [
        *faults_of(machine, actions_offered(design), roles_offered(design).keys()),
        *_facts_gone(machine, facts_offered(design)),
    ]


def _facts_gone(machine: Machine, offered: Sequence[Fact]) -> list[Fault]:
    """Facts that the application does not supply (any more), or not as the machine has them."""
    there = {fact.name: (fact.kind, fact.codes) for fact in offered}
    return [
        Fault((("fact", fact.name),), "unknown_name", {"name": fact.name})
        for fact in machine.facts
        if there.get(fact.name) != (fact.kind, fact.codes)
    ]


FLOWS = DesignKind(
    app="flows",
    design=FlowDesign,
    version=FlowVersion,
    may_design=DESIGN_FLOWS,
    may_publish=PUBLISH_FLOWS,
    read=machine_from_json,
    write=machine_to_json,
    empty=new_machine,
    faults=flow_faults,
    difference=lambda old, new: [change_to_json(each) for each in difference(old, new)],
    kept_of=("places",),
)
