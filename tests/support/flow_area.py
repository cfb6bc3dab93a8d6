"""A design area of tests: what a module would declare for its flows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from portal.accounts.models import User
from portal.flows.kinds import FLOWS
from portal.flows.models import FlowVersion
from portal.flows.rules.definition import Fact, machine_to_json
from portal.flows.rules.publishing import Registry
from portal.forms.rules.definition import Kind
from portal.forms.rules.texts import Words
from portal.forms.services import designs as services
from portal.organisation.models import Unit
from portal.registry import DesignArea, registry
from tests.support.definitions import REGISTRY, ROLES, mds_bmf
from tests.support.factories import give, make_unit, make_user

CODE = "test_flows"
EXTRA = Fact("crf.A49", Kind.SINGLE_CHOICE, ("yes", "no"), Words.of(en="Seen", nl="Gezien"))


def facts(_design: Any) -> Sequence[Fact]:
    return (*mds_bmf().facts, EXTRA)


def roles(_design: Any) -> dict[str, str]:
    return {code: code.replace("_", " ").capitalize() for code in sorted(ROLES)}


def actions(_design: Any) -> Registry:
    return REGISTRY


AREA = DesignArea(
    CODE,
    "Tests",
    flow_facts=f"{__name__}.facts",
    flow_roles=f"{__name__}.roles",
    flow_actions=f"{__name__}.actions",
)


def declare(monkeypatch: pytest.MonkeyPatch) -> None:
    """The area is declared for as long as the test lasts."""
    declared = registry.design_area
    monkeypatch.setattr(
        registry, "design_area", lambda code: AREA if code == CODE else declared(code)
    )
    there = registry.design_areas
    monkeypatch.setattr(registry, "design_areas", lambda: [*there(), AREA])


def designer(unit: Unit, name: str = "Dora Designer", role: str = "publisher") -> User:
    """Somebody who draws flows at the unit, and as publisher puts them into use."""
    person = make_user(name)
    give(person, f"flows.{role}", unit)
    return person


def draft(actor: User, unit: Unit, machine: Any = None, code: str = "mdsbmf") -> FlowVersion:
    """A flow's first draft: the MDS-BMF machine, or another."""
    made: FlowVersion = services.import_design(
        FLOWS,
        actor=actor,
        unit=unit,
        area=CODE,
        data=_json(machine or replace(mds_bmf(), code=code)),
    )
    return made


def _json(machine: Any) -> str:
    import json

    return json.dumps(machine_to_json(machine))


def small_world() -> tuple[Unit, User]:
    unit = make_unit("haematology")
    return unit, designer(unit)
