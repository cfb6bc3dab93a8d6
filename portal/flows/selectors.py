"""Reading flows: a version's machine."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from portal.flows.models import FlowDesign, FlowVersion
from portal.flows.rules.definition import Machine, machine_from_json


def machine_of(version: FlowVersion) -> Machine:
    """The machine of a version. Faulty for a draft that cannot be read."""
    if version.state == FlowVersion.State.DRAFT:
        return machine_from_json(version.content)
    return _published(version.pk, version.published_at)


@lru_cache(maxsize=128)
def _published(pk: int, published_at: datetime) -> Machine:
    # a published version never changes, so what is worked out of it holds for good
    return machine_from_json(FlowVersion.all_objects.get(pk=pk).content)


def latest(design: FlowDesign) -> FlowVersion | None:
    """The version on which new cases begin; None where none is published."""
    return design.versions.filter(
        state=FlowVersion.State.PUBLISHED, deleted_at__isnull=True
    ).first()
