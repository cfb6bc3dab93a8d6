"""Designers, their units, and an area that uses what they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from portal.accounts.models import User
from portal.forms.kinds import FORMS
from portal.forms.rules.terms import Term, Type
from portal.forms.services.designs import create_design, save_draft
from portal.organisation.models import Unit
from portal.registry import DesignArea, registry
from tests.support.definitions import form_json, item
from tests.support.factories import give, make_unit, make_user

AREA = "testing"


def form_names(design: Any) -> Mapping[str, Term]:
    """Every form of the area may read this name of another form."""
    return {"precrf.A49": Term(Type.CHOICE, ("yes", "no"))}


@pytest.fixture
def area(monkeypatch: pytest.MonkeyPatch) -> DesignArea:
    """An area beside those that modules declare."""
    testing = DesignArea(
        AREA, "Testing", form_names="tests.support.designs.form_names", connectors=("registry",)
    )
    monkeypatch.setattr(registry, "design_area", {AREA: testing}.get)
    monkeypatch.setattr(registry, "design_areas", lambda: [testing])
    return testing


@dataclass(frozen=True)
class Designers:
    clinic: Unit
    elsewhere: Unit
    designer: User
    """Designs at the clinic, and may not publish."""
    publisher: User
    stranger: User
    """Designs and publishes, elsewhere."""


@pytest.fixture
def people(db: None, area: DesignArea) -> Designers:
    clinic, elsewhere = make_unit("clinic"), make_unit("elsewhere")
    designer, publisher = make_user("Dora Designer"), make_user("Per Publisher")
    stranger = make_user("Stig Stranger")
    give(designer, "forms.designer", clinic)
    give(publisher, "forms.publisher", clinic)
    give(stranger, "forms.publisher", elsewhere)
    return Designers(clinic, elsewhere, designer, publisher, stranger)


def make_draft(people: Designers, *parts: dict[str, Any], **settings: Any) -> Any:
    """A draft of the form ``small`` at the clinic, with one section of these parts."""
    draft = create_design(
        FORMS,
        actor=people.designer,
        unit=people.clinic,
        area=AREA,
        code=settings.get("code", "small"),
        title="Small",
    )
    content = form_json(*(parts or (item("A"),)), **settings)
    return save_draft(
        FORMS, actor=people.designer, version_id=draft.pk, content=content, opened_version=1
    )
