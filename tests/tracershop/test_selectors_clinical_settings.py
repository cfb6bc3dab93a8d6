"""What of Tracershop's configuration is signed (OP-005)."""

from __future__ import annotations

from typing import Any

import pytest
from tracershop.models import CatalogueEntry, OrderDeadline
from tracershop.selectors.clinical_settings import clinical_settings

from portal.records.services import soft_delete
from portal.signing.canonical import canonical, changed_fields
from tests.tracershop.factories import World, shop_world

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("OP-005")]


@pytest.fixture
def world(db: None) -> World:
    return shop_world()


def test_half_lives_vials_deadlines_and_overheads_are_stated(world: World) -> None:
    stated = clinical_settings()
    assert canonical(stated)
    assert stated["isotopes"]["F-18"]["half_life_s"] == 6586.2
    assert stated["tracers"][world.fdg.name]["isotope_symbol"] == "F-18"
    assert stated["deadlines"]["activity"]["at"].count(":") == 1
    entry = stated["catalogue"][
        f"{world.customer_a.name} / {world.endpoint_a.name} / {world.fdg.name}"
    ]
    assert entry["overhead_factor"] == 1.25


def test_each_change_that_matters_shows_and_where_it_is(world: World) -> None:
    before = clinical_settings()
    entry = CatalogueEntry.objects.get(endpoint=world.endpoint_a, tracer=world.fdg)
    entry.overhead_factor = 1.5
    entry.save()
    (overhead,) = changed_fields(before, clinical_settings())
    assert overhead.path.endswith(".overhead_factor")
    assert (overhead.old, overhead.new) == (1.25, 1.5)
    soft_delete(OrderDeadline.objects.get(order_kind="activity"))
    paths = [change.path for change in changed_fields(before, clinical_settings())]
    assert "deadlines.activity" in paths


def test_it_takes_four_queries_however_much_there_is(
    world: World, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(4):
        clinical_settings()
