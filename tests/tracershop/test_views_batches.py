"""The pages of batches: list, life line, results, verdicts; and the correction of a release."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tracershop.models import Batch, QualityResult, Verdict

from portal.audit.models import AccessEntry
from tests.support.accounts import sign_in
from tests.support.signing import PIN, give_pin
from tests.tracershop.batching import (
    GOOD,
    certify,
    enter,
    judge,
    make_batch,
    make_tests,
    release_from_lot,
)
from tests.tracershop.factories import MONDAY, local, shop_world, stop_clock
from tests.tracershop.releasing import LOT, RELEASE_AT, accepted, make_vial

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("TS-046")]

LIST = "/tracershop/batches/"


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    stop_clock(monkeypatch, RELEASE_AT)
    return world


@pytest.fixture
def producer(client, world):
    sign_in(client, world.producer)
    give_pin(world.producer)
    return client


def shown(response):
    return response.content.decode()


def page_of(client, batch):
    return shown(client.get(f"{LIST}{batch.pk}/"))


def test_the_list_is_filtered_by_days_tracer_and_status(producer, world):
    first = make_batch(world)
    second = make_batch(world, lot="FDG-261123-2", status="rejected")
    long_ago = local(MONDAY - timedelta(days=20), 9)
    water = make_batch(
        world, lot="H2O-261103-1", tracer=world.water, calibrated_at=long_ago, expires_at=None
    )

    def listed(**query):
        page = shown(producer.get(LIST, query))
        return {int(pk) for pk in re.findall(r'id="batch-(\d+)"', page)}

    assert listed() == {first.pk, second.pk}
    assert listed(status="rejected") == {second.pk}
    assert listed(first="") == {first.pk, second.pk, water.pk}
    assert listed(first="", tracer=world.water.pk) == {water.pk}
    assert listed(first="2026-11-24") == set()
    assert listed(first="", last="2026-11-22") == {water.pk}
    assert "Part of the filter was left out" in shown(producer.get(LIST, {"first": "yesterday"}))


def test_the_list_takes_the_same_queries_for_many_batches(producer, world):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            producer.get(LIST)
        return len(captured)

    make_batch(world)
    few = queries()
    for number in range(2, 9):
        make_batch(world, lot=f"FDG-261123-{number}", status="rejected")
    assert queries() == few


def test_a_batch_page_takes_the_same_queries_for_many_vials_and_orders(producer, world):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, **GOOD)
    judge(world, batch, "conditionally_released")
    confirmed = ["conditional_batch"]
    release_from_lot(world, accepted(world), confirmed=confirmed)
    make_vial(world)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            producer.get(f"{LIST}{batch.pk}/")
        return len(captured)

    few = queries()
    release_from_lot(world, *(accepted(world) for _ in range(3)), confirmed=confirmed)
    for _ in range(3):
        make_vial(world)
    enter(world, batch, sterility=True)
    judge(world, batch, "released")
    assert queries() <= few


def test_the_page_shows_the_life_of_a_batch_and_is_logged(producer, world):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, **GOOD)
    page = page_of(producer, batch)
    assert "3 of 4 passed" in page
    assert "4.5 – 8.5" in page
    assert "≥ 95 %" in page
    assert "verdict=conditionally_released" in page
    assert "verdict=released" not in page  # sterility is missing
    assert AccessEntry.objects.filter(object_type="tracershop.batch").exists()
    fragment = producer.get(f"{LIST}{batch.pk}/", headers={"HX-Request": "true"})
    assert "<html" not in shown(fragment)


def test_results_are_entered_in_one_form_and_those_outside_are_marked(producer, world):
    tests = make_tests(world)
    batch = make_batch(world)
    fields = {
        f"result-{tests['pH'].pk}": "9,5",
        f"result-{tests['appearance'].pk}": "passed",
        f"comment-{tests['pH'].pk}": "strip",
    }
    page = producer.post(f"{LIST}{batch.pk}/results/", fields, follow=True)
    assert "Outside the limits: pH" in shown(page)
    assert "Out of limits" in shown(page)
    assert "result--bad" in shown(page)
    assert dict(QualityResult.objects.values_list("test__name", "passed")) == {
        "pH": False,
        "appearance": True,
    }
    refused = producer.post(f"{LIST}{batch.pk}/results/", {f"result-{tests['pH'].pk}": "6.0"})
    assert refused.status_code == 422
    assert "needs a reason" in shown(refused)
    wrong = producer.post(f"{LIST}{batch.pk}/results/", {f"result-{tests['pH'].pk}": "blue"})
    assert wrong.status_code == 422
    assert "is not a number" in shown(wrong)


def test_a_batch_is_made_and_changed_by_hand(producer, world):
    page = shown(producer.get(f"{LIST}new/?lot={LOT}"))
    assert f'value="{LOT}"' in page
    assert f'<option value="{world.fdg.pk}" selected>' in page
    fields = {
        "lot": LOT,
        "tracer": world.fdg.pk,
        "calibrated_on": "2026-11-23",
        "calibrated_clock": "06:30",
        "activity_mbq": "120000",
        "volume_ml": "20,5",
    }
    producer.post(f"{LIST}new/", fields)
    batch = Batch.objects.get()
    assert (batch.calibrated_at, batch.volume_ml) == (local(MONDAY, 6, 30), 20.5)
    assert batch.expires_at == local(MONDAY, 16, 30)
    again = producer.post(f"{LIST}new/", fields)
    assert again.status_code == 422
    assert "There is a batch of this lot already" in shown(again)
    half = producer.post(f"{LIST}new/", fields | {"lot": "FDG-261123-2", "calibrated_clock": ""})
    assert "Give both the day and the time" in shown(half)
    edit = f"{LIST}{batch.pk}/edit/"
    assert 'value="06:30"' in shown(producer.get(edit))
    changed = fields | {"activity_mbq": "90000", "version": batch.version, "reason": "remeasured"}
    assert producer.post(edit, changed).status_code == 302
    stale = producer.post(edit, changed | {"activity_mbq": "80000"})
    assert stale.status_code == 409
    batch.refresh_from_db()
    assert batch.activity_mbq == 90_000


def test_a_verdict_is_signed_with_the_pin_and_shows_with_its_state(producer, world):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, **GOOD)
    address = f"{LIST}{batch.pk}/verdict/"
    page = shown(producer.get(f"{address}?verdict=conditionally_released"))
    assert "Not known yet: sterility." in page
    assert "data-signs" in page
    fields = {"verdict": "conditionally_released", "reason": "as measured", "pin": PIN}
    refused = producer.post(address, fields)
    assert refused.status_code == 422
    assert "confirm each warning first" in shown(refused)
    wrong = producer.post(address, fields | {"confirm": "tests_pending", "pin": "00000000"})
    assert wrong.status_code == 422
    assert not Verdict.objects.exists()
    done = producer.post(address, fields | {"confirm": "tests_pending"}, follow=True)
    assert "Batch FDG-261123-1: Conditionally released." in shown(done)
    assert "Valid" in page_of(producer, batch)
    enter(world, batch, purity=97.0, reason="copied wrongly")
    assert "Changed since signing" in page_of(producer, batch)


def test_what_stands_against_a_verdict_is_said_before_anybody_signs(client, world):
    make_tests(world)
    batch = make_batch(world)
    sign_in(client, world.uncertified)
    page = shown(client.get(f"{LIST}{batch.pk}/verdict/?verdict=released"))
    assert "You are not certified for this tracer." in page
    assert "pH: there is no result yet." in page
    assert "data-signs" not in page
    for verdict in ("recalled", "", "nonsense"):
        assert client.get(f"{LIST}{batch.pk}/verdict/?verdict={verdict}").status_code == 404


@pytest.mark.requirement("TS-046", "TS-087")
def test_a_rejection_after_releases_proposes_a_recall_until_it_is_put_aside(producer, world):
    batch = make_batch(world, status="released")
    release_from_lot(world)
    fields = {"verdict": "rejected", "reason": "not sterile", "pin": PIN}
    address = f"{LIST}{batch.pk}/verdict/"
    assert "1 order was released from it already" in shown(
        producer.get(f"{address}?verdict=rejected")
    )
    page = shown(producer.post(address, fields, follow=True))
    assert "a recall is proposed" in page
    assert f"/tracershop/batches/{batch.pk}/recall/" in page
    assert "Recall proposed" in shown(producer.get(LIST))
    page = shown(
        producer.post(f"{LIST}{batch.pk}/aside/", {"reason": "came back unopened"}, follow=True)
    )
    assert "a recall is proposed" not in page
    assert "came back unopened" in page


def test_the_vials_page_leads_to_the_batch_or_to_a_new_one(producer, world):
    make_vial(world)
    day = {"day": "2026-11-23"}
    assert f"/batches/new/?lot={LOT}" in shown(producer.get("/tracershop/vials/", day))
    batch = make_batch(world)
    assert f"/tracershop/batches/{batch.pk}/" in shown(producer.get("/tracershop/vials/", day))


@pytest.mark.requirement("TS-084")
def test_a_release_is_corrected_on_a_page_that_says_what_it_does(producer, world):
    (order,) = release_from_lot(world)
    address = f"/tracershop/orders/{order.pk}/correct/"
    assert address in shown(producer.get(f"/tracershop/orders/{order.pk}/"))
    page = shown(producer.get(address))
    assert "marked as superseded" in page
    assert producer.post(address, {"pin": PIN}).status_code == 422  # no reason
    done = producer.post(address, {"reason": "wrong vial", "pin": PIN}, follow=True)
    assert "it is accepted again" in shown(done)
    assert "wrong vial" in shown(done)
    assert "There is nothing to correct" in shown(producer.get(address))


@pytest.mark.requirement("TS-084")
def test_who_may_not_correct_finds_no_such_page(client, world):
    (order,) = release_from_lot(world)
    for person in (world.secretary, world.other_secretary):
        sign_in(client, person)
        assert client.get(f"/tracershop/orders/{order.pk}/correct/").status_code == 404
    certify(world, world.superuser)  # a certification alone is not a role
    sign_in(client, world.superuser)
    assert client.get(f"/tracershop/orders/{order.pk}/correct/").status_code == 404
