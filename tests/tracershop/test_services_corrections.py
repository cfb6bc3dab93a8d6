"""Correcting a released order: signed, once, and nothing of what was issued is lost (TS-084)."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import Batch, Order, Release, Vial
from tracershop.services.certificates import issue_release_certificate
from tracershop.services.corrections import MEANING, correct_release
from tracershop.services.release import release_orders

from portal.audit.models import AuditEntry
from portal.documents.models import DocumentSupersession, IssuedDocument
from portal.notifications.models import Notification
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.signing.services import State, signatures_of, verify, verify_many
from tests.support.accounts import sign_in
from tests.tracershop.batching import certify, make_batch, recall, release_from_lot
from tests.tracershop.factories import shop_world
from tests.tracershop.releasing import LOT, RELEASE_AT, accepted, at_once, make_vial, signer, wanted

pytestmark = pytest.mark.requirement("TS-084")

WORKER = ServiceActor("certificates")


@pytest.fixture
def world(db):
    return shop_world()


def correct(world, order, *, by=None, reason="wrong vial", now=RELEASE_AT):
    actor = by or world.producer
    return correct_release(
        actor=actor, order_id=order.pk, reason=reason, signer=signer(actor), now=now
    )


def refusal(*args, **options) -> Refused:
    with pytest.raises(Refused) as refused:
        correct(*args, **options)
    return refused.value


@pytest.mark.requirement("TS-084", "TS-121")
def test_a_correction_gives_the_order_and_its_vials_back_and_keeps_what_was(world):
    (order,) = release_from_lot(world)
    (vial,) = Vial.objects.filter(order=order)
    certificate = issue_release_certificate(
        actor=WORKER, release_id=Release.objects.get(order=order).pk
    )
    correct(world, order)
    order.refresh_from_db()
    vial.refresh_from_db()
    release = Release.objects.get()
    assert (order.status, vial.order) == ("accepted", None)
    assert (release.corrected_at, release.correction_reason) == (RELEASE_AT, "wrong vial")
    assert verify(release.signature).state is State.SUPERSEDED
    assert IssuedDocument.objects.get() == certificate
    assert DocumentSupersession.objects.get().document == certificate
    entry = AuditEntry.objects.get(action="tracershop.release_corrected")
    assert entry.reason == "wrong vial"
    assert entry.data["old"]["status"] == "released"
    assert entry.data["old"]["vials"] == [vial.pk]
    assert entry.data["old"]["lots"] == [LOT]
    assert entry.data["new"] == {"status": "accepted", "vials": []}
    assert entry.data["documents"] == [certificate.number]


def test_a_correction_is_signed_itself_and_stays_valid_after_a_new_release(world):
    (order,) = release_from_lot(world)
    correct(world, order)
    again = wanted(order, *Vial.objects.filter(lot=LOT))
    release_orders(
        actor=world.producer, requests=[again], signer=signer(world.producer), now=RELEASE_AT
    )
    first, second = Release.objects.order_by("pk")
    states = {each.signature.meaning: each.state for each in verify_many(signatures_of(first))}
    assert states[MEANING] is State.VALID
    assert verify(second.signature).state is State.VALID
    assert second.corrected_at is None


def test_the_customer_is_told_why(world):
    (order,) = release_from_lot(world)
    correct(world, order)
    told = Notification.objects.filter(text__contains="corrected")
    assert {each.user for each in told} == {world.secretary, world.superuser}
    assert all("wrong vial" in each.text for each in told)


def test_a_shop_user_sees_that_the_certificate_is_superseded(world, client):
    (order,) = release_from_lot(world)
    issue_release_certificate(actor=WORKER, release_id=Release.objects.get(order=order).pk)
    correct(world, order)
    sign_in(client, world.secretary)
    page = client.get(f"/tracershop/orders/{order.pk}/").content.decode()
    assert "Superseded" in page
    assert "wrong vial" in page
    paper = client.get(f"/tracershop/orders/{order.pk}/certificate/")
    assert paper["X-Document-State"] == "superseded"


def test_a_certificate_that_was_not_made_in_time_is_not_made_any_more(world):
    (order,) = release_from_lot(world)
    correct(world, order)
    release = Release.objects.get()
    assert issue_release_certificate(actor=WORKER, release_id=release.pk) is None
    assert not IssuedDocument.objects.exists()


def test_it_takes_a_certified_person_of_production_a_reason_and_a_release(world):
    (order,) = release_from_lot(world)
    waiting = accepted(world)
    assert refusal(world, waiting).code == "not_released"
    assert refusal(world, order, reason="  ").code == "reason_needed"
    refused = refusal(world, order, by=world.uncertified)
    assert refused.details == ["You are not certified for this tracer."]
    with pytest.raises(PermissionDenied):
        correct(world, order, by=world.secretary)
    assert refusal(world, order, by=world.other_secretary).code == "gone"
    with pytest.raises(PermissionDenied):  # somebody else's key
        correct_release(
            actor=world.producer, order_id=order.pk, reason="x", signer=signer(world.uncertified)
        )
    assert Release.objects.get().corrected_at is None
    assert Order.objects.get(pk=order.pk).status == "released"


def test_corrected_twice_it_is_corrected_once(world):
    (order,) = release_from_lot(world)
    first = correct(world, order)
    assert correct(world, order, reason="again") == first
    assert Release.objects.get().correction_reason == "wrong vial"
    assert AuditEntry.objects.filter(action="tracershop.release_corrected").count() == 1


def test_two_who_correct_at_once_correct_once(transactional_db):
    world = shop_world()
    certify(world, world.uncertified)
    (order,) = release_from_lot(world)
    keys = {person: signer(person) for person in (world.producer, world.uncertified)}
    results = at_once(
        *(
            lambda person=person, key=key: correct_release(
                actor=person, order_id=order.pk, reason="wrong vial", signer=key, now=RELEASE_AT
            )
            for person, key in keys.items()
        )
    )
    assert results[0] == results[1] == Release.objects.get()
    assert AuditEntry.objects.filter(action="tracershop.release_corrected").count() == 1


@pytest.mark.requirement("TS-084", "TS-087")
def test_vials_of_a_recalled_batch_stay_where_they_went(world):
    batch = make_batch(world, status="released")
    make_batch(world, lot="FDG-261123-2", status="released")
    order = accepted(world, activity_mbq=2500.0)
    vials = [make_vial(world), make_vial(world, lot="FDG-261123-2")]
    release_orders(
        actor=world.producer,
        requests=[wanted(order, *vials)],
        signer=signer(world.producer),
        now=RELEASE_AT,
    )
    recall(world, batch)
    correct(world, order)
    assert [vial.lot for vial in Vial.objects.filter(order=order)] == [LOT]
    assert Batch.objects.get(lot=LOT).status == "recalled"
