"""The tables of flows: designs with their versions, and what every case in a flow has in common."""

from portal.flows.models.cases import FlowCase, Passage
from portal.flows.models.designs import FlowDesign, FlowVersion

__all__ = ["FlowCase", "FlowDesign", "FlowVersion", "Passage"]
