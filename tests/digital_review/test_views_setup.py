"""The pages on which review types are set up and looked at as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from digital_review.models import FormSlot, Outcome, OutcomeSpecialist, ReviewType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.records.services import soft_delete
from tests.digital_review.factories import World, review_world
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return review_world()


@pytest.fixture
def client(world: World) -> Client:
    made = Client()
    sign_in(made, world.people["manager"])
    return made


def page(client: Client, name: str, *args: Any) -> str:
    answer = client.get(reverse(f"digital_review:{name}", args=args))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.requirement("DR-064", "DR-160")
def test_a_review_type_s_page_says_what_is_wrong_in_words_and_what_is_still_to_be_done(
    world: World, client: Client
) -> None:
    found = page(client, "review_type", world.review_type.pk)
    assert "Cases can be started" in found
    assert "Nobody is named to sign reviews that end in FANCONI." in found
    soft_delete(world.outcomes["fanconi"])
    found = page(client, "review_type", world.review_type.pk)
    assert "No case can be started" in found
    assert "“fanconi” can be chosen at crf.diagnosis, but is no outcome." in found
    assert "2 things wrong" in page(client, "review_types")


@pytest.mark.requirement("DR-105", "DR-160")
def test_who_has_no_review_type_is_shown_where_to_begin_and_installs_one(world: World) -> None:
    manager, unit = make_user("Nia New"), make_unit("lymphoma")
    give(manager, "digital_review.review_manager", unit)
    client = Client()
    sign_in(client, manager)
    assert "No review type yet" in page(client, "review_types")
    form = {"code": "mds-bmf", "unit": unit.pk, "reason": "for our review"}
    answer = client.post(reverse("digital_review:install_review_type"), form)
    assert answer.status_code == 422  # another unit has it
    assert "has the review type mds-bmf" in answer.content.decode()
    soft_delete(world.review_type)
    answer = client.post(reverse("digital_review:install_review_type"), form)
    made = ReviewType.objects.get()
    assert answer["Location"] == reverse("digital_review:review_type", args=[made.pk])
    found = page(client, "review_type", made.pk)
    assert "Cases can be started" in found
    assert "crf.C15" in found


def test_another_review_s_type_is_not_there(world: World) -> None:
    stranger = make_user("Sten Stranger")
    give(stranger, "digital_review.review_manager", world.other_review)
    client = Client()
    sign_in(client, stranger)
    for name in ("review_type", "setup_types_edit"):
        address = reverse(f"digital_review:{name}", args=[world.review_type.pk])
        assert client.get(address).status_code == 404
    assert "MDS-BMF" not in page(client, "review_types")


@pytest.mark.requirement("DR-075", "DR-120")
def test_a_specialist_is_named_from_the_review_type_s_page(world: World, client: Client) -> None:
    back = reverse("digital_review:review_type", args=[world.review_type.pk])
    address = f"{reverse('digital_review:setup_specialists_new')}?back={back}"
    form = {"outcome": world.outcomes["none"].pk, "person": world.people["specialist"].pk}
    assert client.post(address, form)["Location"] == back
    named = OutcomeSpecialist.objects.get(outcome=world.outcomes["none"])
    assert named.person == world.people["specialist"]
    assert "reviews that end in NONE" not in page(client, "review_type", world.review_type.pk)


def test_every_list_offers_adding_changing_and_ending(world: World, client: Client) -> None:
    for name, row in (
        ("types", world.review_type),
        ("forms", world.slots["precrf"]),
        ("outcomes", world.outcomes["saa"]),
        ("specialists", OutcomeSpecialist.objects.get()),
    ):
        assert str(row) in page(client, f"setup_{name}") or name == "specialists"
        for act, args in (("new", []), ("edit", [row.pk]), ("end", [row.pk])):
            assert page(client, f"setup_{name}_{act}", *args)


def test_a_form_is_changed_with_a_reason_and_an_outcome_is_ended(
    world: World, client: Client
) -> None:
    slot = world.slots["precrf"]
    form = {
        "title": "Pre-registration", "design": slot.design_id, "filled_by": "hospital",
        "signed_by": "doctor", "begins": "start", "needed": "on", "order": 1,
        "version": slot.version, "reason": "a better name",
    }  # fmt: skip
    address = reverse("digital_review:setup_forms_edit", args=[slot.pk])
    assert client.post(address, {**form, "reason": ""}).status_code == 422
    assert client.post(address, form).status_code == 302
    assert FormSlot.objects.get(pk=slot.pk).title == "Pre-registration"
    outcome = world.outcomes["none"]
    ended = reverse("digital_review:setup_outcomes_end", args=[outcome.pk])
    assert client.post(ended, {"reason": "not used"}).status_code == 302
    assert not Outcome.objects.filter(pk=outcome.pk).exists()


def test_the_page_of_a_review_type_takes_as_many_queries_for_many_specialists(
    world: World, client: Client
) -> None:
    address = reverse("digital_review:review_type", args=[world.review_type.pk])
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for outcome in world.outcomes.values():
        for number in range(4):
            person = make_user(f"Specialist {outcome.code} {number}")
            OutcomeSpecialist.objects.create(outcome=outcome, person=person)
    with CaptureQueriesContext(connection) as many:
        client.get(address)
    assert len(many) == len(few)
