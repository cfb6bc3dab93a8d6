"""Batches, their results, verdicts and recalls: production's wherever it works, nobody else's."""

from __future__ import annotations

import pytest
from tracershop.models import Batch, QualityResult, Recall, Verdict
from tracershop.models.reach import RECALL, RELEASE, SEE_ALL, SEE_OWN, VIALS

from portal.access.decision import can, visible
from tests.support.factories import give, make_user
from tests.tracershop.batching import enter, judge, make_batch, make_tests, recall
from tests.tracershop.factories import shop_world

MODELS = (Batch, QualityResult, Verdict, Recall)


@pytest.fixture
def world(db):
    world = shop_world()
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, pH=6.0)
    judge(world, batch, "rejected")
    recall(world, batch)
    return world


@pytest.mark.requirement("TS-006", "PT-016", "TS-046", "TS-087")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_query_and_decision_agree_on_what_belongs_to_production(world, model):
    (row,) = model.objects.all()
    of_one_hospital = make_user("Producer Of B")
    give(of_one_hospital, "tracershop.production_user", world.customer_b.unit)
    for person, sees in (
        (world.producer, True),
        (world.production_admin, True),
        (of_one_hospital, True),
        (world.secretary, False),
        (world.superuser, False),
        (world.external, False),
        (make_user("Nobody"), False),
    ):
        for privilege in (SEE_ALL, VIALS, RELEASE, RECALL):
            assert can(person, privilege, row) is sees
            assert visible(person, model.objects.all(), privilege).exists() is sees
        assert not can(person, SEE_OWN, row)
        assert visible(person, model.objects.all()).exists() is sees
