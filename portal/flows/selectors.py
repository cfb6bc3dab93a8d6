"""Reading flows: a version's machine, the lists of the editor, where cases stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.module_loading import import_string

from portal.access.decision import held_by, visible
from portal.flows.models import FlowDesign, FlowVersion
from portal.flows.models.designs import DESIGN_FLOWS
from portal.flows.rules.definition import Machine, machine_from_json
from portal.organisation.models import Unit
from portal.registry import registry


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


# --- for the editor's pages -----------------------------------------------------------------------


@dataclass(frozen=True)
class ListedFlow:
    """One line of the list of flows: which version is in use, and which is being drawn."""

    design: FlowDesign
    published: FlowVersion | None
    draft: FlowVersion | None
    area: Any

    @property
    def newest(self) -> FlowVersion | None:
        return self.draft or self.published


def flows(actor: Any, text: str = "") -> list[ListedFlow]:
    """The flows that the actor designs, by title. Two queries."""
    designs = visible(actor, FlowDesign.objects.select_related("unit"))
    if text:
        designs = designs.filter(Q(title__icontains=text) | Q(code__icontains=text))
    versions = (
        FlowVersion.objects.filter(design__in=designs)
        .exclude(state=FlowVersion.State.RETIRED)
        .defer("content", "places")
    )
    by_design: dict[tuple[int, str], FlowVersion] = {
        (each.design_id, each.state): each for each in versions
    }
    return [
        ListedFlow(
            design,
            by_design.get((design.pk, FlowVersion.State.PUBLISHED)),
            by_design.get((design.pk, FlowVersion.State.DRAFT)),
            area_label(design),
        )
        for design in designs
    ]


def area_label(design: FlowDesign) -> Any:
    """What the module calls the area in which the design is used."""
    area = registry.design_area(design.area)
    return area.label if area is not None else design.area


def versions_of(design: FlowDesign) -> list[FlowVersion]:
    """Newest first, with who published each. One query."""
    versions = FlowVersion.objects.filter(design=design).select_related("published_by")
    return [*versions.order_by("-number")]


def units_to_design_at(actor: Any) -> QuerySet[Unit]:
    """Open units at which the actor designs flows."""
    held = [*held_by(actor).of(DESIGN_FLOWS)]
    here = [
        Q(path__startswith=each.unit_path) if each.below else Q(path=each.unit_path)
        for each in held
    ]
    if not here:
        return Unit.objects.none()
    return Unit.objects.open().filter(reduce(or_, here)).order_by("path")


@dataclass(frozen=True)
class Standing:
    """How many cases of a version stand in a state."""

    version: FlowVersion
    state: str
    cases: int


def standings(design: FlowDesign) -> list[Standing]:
    """Where the design's cases stand, by version and state; newest versions first. Two queries.

    Counts of everybody's cases: moving moves them all, whether one may open them or not.
    """
    conduct = conduct_of(design)
    if conduct is None:
        return []
    rows = (
        conduct.case_model.objects.filter(flow_version__design=design)
        .order_by("-flow_version__number", "flow_state")
        .values_list("flow_version", "flow_state")
        .annotate(cases=Count("pk"))
    )
    versions = FlowVersion.all_objects.in_bulk({row[0] for row in rows})
    return [Standing(versions[version], state, cases) for version, state, cases in rows]


def conduct_of(design: FlowDesign) -> Any:
    """The module's `Conduct` of the design's cases; None where it has none."""
    area = registry.design_area(design.area)
    return import_string(area.conduct) if area is not None and area.conduct else None
