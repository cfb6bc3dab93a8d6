"""What the table needs of flows: a draft of each side."""

from __future__ import annotations

from typing import Any

from portal.flows.kinds import FLOWS
from portal.flows.models import FlowDesign, FlowVersion
from portal.flows.rules.editing import new_machine
from portal.organisation.models import Unit


def flow_objects(unit: Unit) -> dict[str, Any]:
    """A flow of the unit with a draft that has nothing in it yet."""
    design = FlowDesign.objects.create(
        area="digital_review", unit=unit, code="drawn", title="Drawn"
    )
    content = FLOWS.write(new_machine("drawn", "Drawn", ("en",)))
    version = FlowVersion.objects.create(design=design, number=1, content=content)
    return {"flow_design": design, "flow_version": version}
