"""Flow designs: machines as versioned data, with where each state stands in its drawing."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.forms.models.designs import (
    NEVER_CHANGES,
    Design,
    DesignVersion,
    design_constraints,
    design_policy,
    version_constraints,
)
from portal.records.models import BareRecord

DESIGN_FLOWS, PUBLISH_FLOWS = "flows.design_flows", "flows.publish_flows"


class FlowDesign(Design):
    access = design_policy(DESIGN_FLOWS, PUBLISH_FLOWS, "unit")

    class Meta(Design.Meta):
        verbose_name = _("flow")
        verbose_name_plural = _("flows")
        constraints = design_constraints("flow")


class FlowVersion(DesignVersion):
    design = models.ForeignKey(FlowDesign, on_delete=models.PROTECT, related_name="versions")
    places = models.JSONField(default=dict)
    """State code to [x, y] of its box, where somebody dragged it; the others are laid out."""

    access = design_policy(DESIGN_FLOWS, PUBLISH_FLOWS, "design__unit")

    class Meta(DesignVersion.Meta):
        verbose_name = _("version of a flow")
        verbose_name_plural = _("versions of flows")
        constraints = version_constraints("flow_version")
        triggers = [*BareRecord.Meta.triggers, NEVER_CHANGES]
