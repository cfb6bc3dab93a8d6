"""Release: certified, warned, signed, all or nothing, once (TS-080 to TS-083, TS-086)."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pyhanko.pdf_utils.reader import PdfFileReader
from tracershop.models import Batch, Certification, Order, Release, Tracer, Vial
from tracershop.services.certificates import (
    KIND,
    certificate_data,
    issue_release_certificate,
    releases_without_certificate,
)
from tracershop.services.release import MEANING, release_orders
from tracershop.services.vials import allocate_vials

from portal.audit.models import AuditEntry
from portal.documents.models import IssuedDocument
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.signing.models import Signature
from portal.signing.services import State, WrongPin, unlock, verify, verify_many
from tests.support.factories import give, make_user
from tests.support.signing import triggers_disabled
from tests.tracershop.batching import enter, make_batch, make_tests
from tests.tracershop.factories import MONDAY, World, local, make_order, shop_world
from tests.tracershop.releasing import (
    LOT,
    RELEASE_AT,
    accepted,
    at_once,
    make_vial,
    signer,
    wanted,
)

WORKER = ServiceActor("certificates")
DAY = timedelta(days=1)


@pytest.fixture
def world(db):
    return shop_world()


def release(world: World, *requests, by=None, now=RELEASE_AT):
    actor = by or world.producer
    return release_orders(actor=actor, requests=requests, signer=signer(actor), now=now)


def refusal(world: World, *requests, **options) -> Refused:
    """Why these were not released; that nothing at all was done is looked at too."""
    before = AuditEntry.objects.filter(action__startswith="tracershop").count()
    with pytest.raises(Refused) as refused:
        release(world, *requests, **options)
    assert not Release.objects.exists()
    assert not Signature.objects.exists()
    assert not Order.objects.filter(status="released").exists()
    assert AuditEntry.objects.filter(action__startswith="tracershop").count() == before
    return refused.value


# --- what a release is -----------------------------------------------------------------------


@pytest.mark.requirement("TS-080", "TS-083", "TS-121")
def test_a_certified_person_releases_an_accepted_order_and_signs_for_it(world):
    order, vials = accepted(world), [make_vial(world), make_vial(world)]
    outcome = release(world, wanted(order, *vials))
    assert (outcome.released, outcome.unchanged) == ([order], [])
    order.refresh_from_db()
    assert order.status == "released"
    assert set(Vial.objects.filter(order=order)) == set(vials)
    row = Release.objects.get()
    assert (row.order, row.released_by, row.released_at) == (order, world.producer, RELEASE_AT)
    assert row.lots == [LOT]
    assert row.delivered_mbq == pytest.approx(2 * 2400 * 2 ** (-85 * 60 / 6586.2), rel=1e-3)
    assert row.confirmed == []
    assert row.signature.meaning == MEANING
    assert row.signature.printed_name == "Karen Brandt"
    assert verify(row.signature).state is State.VALID
    entry = AuditEntry.objects.get(action="tracershop.order_released")
    assert entry.actor_id == world.producer.pk
    assert entry.data["lots"] == [LOT]
    assert entry.data["vials"] == sorted(vial.pk for vial in vials)
    assert entry.data["signature"] == row.signature.pk


@pytest.mark.requirement("TS-080")
def test_injections_are_released_from_a_lot(world):
    certify_for(world, world.water)
    order = accepted(world, injections=2)
    release(world, wanted(order, lot=" h2o-261123-2 "))
    row = Release.objects.get()
    assert (row.lots, row.delivered_mbq) == (["H2O-261123-2"], None)
    assert verify(row.signature).state is State.VALID


def certify_for(world: World, tracer: Tracer) -> None:
    Certification.objects.create(
        user=world.producer,
        tracer=tracer,
        valid_from=MONDAY - DAY,
        expires_on=MONDAY,
        granted_by=world.production_admin,
    )


@pytest.mark.requirement("TS-083")
def test_vials_that_were_to_serve_the_order_and_were_not_chosen_are_free_again(world):
    order, chosen, left_out = accepted(world), make_vial(world), make_vial(world)
    allocate_vials(actor=world.producer, order_id=order.pk, vial_ids=[chosen.pk, left_out.pk])
    release(world, wanted(order, chosen))
    left_out.refresh_from_db()
    assert left_out.order is None
    assert set(order.vials.all()) == {chosen}
    assert Release.objects.get().signature.payload.count('"lot":') == 1


# --- who may ---------------------------------------------------------------------------------


@pytest.mark.requirement("TS-080", "TS-085")
def test_without_a_certification_for_that_tracer_nothing_is_released(world):
    order, vial = accepted(world), make_vial(world)
    refused = refusal(world, wanted(order, vial), by=world.uncertified)
    assert refused.code == "not_releasable"
    assert refused.details == [f"Order {order.pk}: You are not certified for this tracer."]
    Certification.objects.create(
        user=world.uncertified,
        tracer=world.water,
        valid_from=MONDAY,
        expires_on=MONDAY,
        granted_by=world.production_admin,
    )
    assert refusal(world, wanted(order, vial), by=world.uncertified).code == "not_releasable"


@pytest.mark.requirement("TS-080", "TS-085")
@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        (-30, -1, "expired on"),
        (1, 30, "is valid from"),
        (0, 0, None),
        (-30, 0, None),
    ],
)
def test_a_certification_holds_from_its_first_to_its_last_day(world, first, last, reason):
    row = Certification.objects.get(user=world.producer)
    row.valid_from, row.expires_on = MONDAY + first * DAY, MONDAY + last * DAY
    row.save()
    request = wanted(accepted(world), make_vial(world))
    if reason is None:
        assert release(world, request).released
    else:
        (detail,) = refusal(world, request).details
        assert reason in detail


@pytest.mark.requirement("TS-080", "TS-100")
def test_a_certification_without_the_production_role_releases_nothing(world):
    order, vial = accepted(world), make_vial(world)
    Certification.objects.create(
        user=world.secretary,
        tracer=world.fdg,
        valid_from=MONDAY,
        expires_on=MONDAY,
        granted_by=world.production_admin,
    )
    assert refusal(world, wanted(order, vial), by=world.secretary).code == "gone"
    refused = refusal(world, wanted(order, lot=LOT), by=world.secretary)
    assert refused.details == [f"Order {order.pk}: Releasing needs a production role."]


@pytest.mark.requirement("TS-006", "TS-080")
def test_an_order_outside_ones_reach_is_as_if_it_did_not_exist(world):
    order, vial = accepted(world), make_vial(world)
    of_b = make_user("Producer of B")
    give(of_b, "tracershop.production_user", world.customer_b.unit)
    for stranger in (of_b, world.other_secretary, world.external):
        refused = refusal(world, wanted(order, vial), by=stranger)
        assert refused.code == "gone"
        assert str(order.pk) not in str(refused)


@pytest.mark.requirement("TS-080", "PT-030")
def test_a_wrong_pin_releases_nothing_and_anothers_key_signs_nothing(world):
    order, vial = accepted(world), make_vial(world)
    signer(world.producer)
    with pytest.raises(WrongPin) as wrong:
        unlock(world.producer, "99999998")
    assert wrong.value.tries_left == 4
    with pytest.raises(PermissionDenied):
        release_orders(
            actor=world.producer,
            requests=[wanted(order, vial)],
            signer=signer(world.uncertified),
            now=RELEASE_AT,
        )
    order.refresh_from_db()
    assert order.status == "accepted"
    assert not Release.objects.exists()


# --- what stands against it ------------------------------------------------------------------


@pytest.mark.requirement("TS-080")
@pytest.mark.parametrize("status", ["ordered", "rejected"])
def test_only_an_accepted_order_is_released(world, status):
    order = make_order(world, status=status)
    refused = refusal(world, wanted(order, make_vial(world)))
    assert refused.details == [f"Order {order.pk}: The order is not accepted."]


@pytest.mark.requirement("TS-080")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tracer": "water"}, "is another tracer than was ordered"),
        ({"customer": "customer_b"}, "was filled for another customer"),
        ({"customer": None}, "was filled for another customer"),
        ({"tracer": None}, "is another tracer than was ordered"),
        ({"expires_at": RELEASE_AT}, "expired at"),
        ({"expires_at": local(MONDAY, 8, 15)}, "before it is delivered"),
        ({"lot": "no lot at all"}, "not of the form"),
        ({"lot": "FDG-261124-1", "filled_at": local(MONDAY + 2 * DAY, 6)}, "is not known"),
    ],
)
def test_a_vial_that_must_not_be_used_stands_against_the_release(world, changes, reason):
    values = {
        name: getattr(world, value) if value in ("water", "customer_b") else value
        for name, value in changes.items()
    }
    vial = make_vial(world, **values)
    refused = refusal(world, wanted(accepted(world), vial))
    assert refused.code == "not_releasable"
    assert any(reason in detail for detail in refused.details), refused.details


@pytest.mark.requirement("TS-080")
def test_without_vials_or_lot_nothing_is_released(world):
    (detail,) = refusal(world, wanted(accepted(world))).details
    assert "No vial is chosen" in detail


@pytest.mark.requirement("TS-080", "TS-046")
@pytest.mark.parametrize("status", ["quarantine", "rejected", "recalled"])
def test_a_lot_that_quality_control_holds_back_is_not_released(world, status):
    Batch.objects.create(lot=LOT, tracer=world.fdg, status=status)
    order, vial = accepted(world), make_vial(world)
    for request in (wanted(order, vial), wanted(order, lot=LOT.lower())):
        (detail,) = refusal(world, request).details
        assert LOT in detail


@pytest.mark.requirement("TS-046")
def test_a_lot_that_quality_control_let_through_is_released(world):
    Batch.objects.create(lot=LOT, tracer=world.fdg, status="released")
    assert release(world, wanted(accepted(world), make_vial(world))).released


@pytest.mark.requirement("TS-046", "TS-081")
def test_a_lot_that_is_released_conditionally_needs_a_confirmation(world):
    Batch.objects.create(lot=LOT, tracer=world.fdg, status="conditionally_released")
    order, vial = accepted(world), make_vial(world)
    refused = refusal(world, wanted(order, vial))
    assert refused.code == "unconfirmed"
    assert "its quality control is not complete" in refused.details[0]
    release(world, wanted(order, vial, confirmed=["conditional_batch"]))
    assert Release.objects.get().confirmed == ["conditional_batch"]


@pytest.mark.requirement("TS-046", "TS-080")
def test_where_batches_are_tested_a_lot_without_a_verdict_is_not_released(world):
    make_tests(world)
    order, vial = accepted(world), make_vial(world)
    (detail,) = refusal(world, wanted(order, vial)).details
    assert "has no batch record" in detail
    batch = make_batch(world, status="released")
    enter(world, batch, pH=12.0)
    (detail,) = refusal(world, wanted(order, vial)).details
    assert "A quality test of the batch" in detail
    enter(world, batch, pH=6.0, reason="diluted wrongly")
    assert release(world, wanted(order, vial)).released


@pytest.mark.requirement("TS-046", "TS-080")
def test_a_vial_expires_with_its_batch_where_that_is_earlier(world):
    make_batch(world, status="released", expires_at=RELEASE_AT - timedelta(minutes=1))
    (detail,) = refusal(world, wanted(accepted(world), make_vial(world))).details
    assert "expired at" in detail


@pytest.mark.requirement("TS-080", "TS-045")
def test_a_vial_in_use_and_a_vial_chosen_twice_are_refused(world):
    order, other = accepted(world), accepted(world)
    vial = make_vial(world, order=other)
    (detail,) = refusal(world, wanted(order, vial)).details
    assert f"serves order {other.pk} already" in detail
    free = make_vial(world)
    assert refusal(world, wanted(order, free), wanted(other, free)).code == "not_releasable"
    assert refusal(world, wanted(order, Vial(pk=10**6))).code == "gone"


# --- warnings --------------------------------------------------------------------------------


@pytest.mark.requirement("TS-081")
@pytest.mark.parametrize(
    ("code", "order_values", "vial_values", "now"),
    [
        (
            "other_day",
            {},
            {"filled_at": local(MONDAY - DAY, 20, 50), "activity_mbq": 90_000.0},
            local(MONDAY - DAY, 21),
        ),
        ("lot_of_other_day", {}, {"lot": "FDG-261122-1"}, RELEASE_AT),
        ("less_activity", {"activity_mbq": 1500.0}, {}, RELEASE_AT),
    ],
)
def test_each_warning_must_be_confirmed_and_is_recorded(
    world, code, order_values, vial_values, now
):
    order, vial = accepted(world, **order_values), make_vial(world, **vial_values)
    refused = refusal(world, wanted(order, vial), now=now)
    assert refused.code == "unconfirmed"
    assert len(refused.details) == 1
    others = {"other_day", "lot_of_other_day", "less_activity"} - {code}
    assert refusal(world, wanted(order, vial, confirmed=others), now=now).code == "unconfirmed"
    release(world, wanted(order, vial, confirmed={code, "of another kind"}), now=now)
    row = Release.objects.get()
    assert row.confirmed == [code]
    entry = AuditEntry.objects.get(action="tracershop.order_released")
    assert list(entry.data["confirmed"]) == [code]
    assert f'"confirmed":["{code}"]' in row.signature.payload


@pytest.mark.requirement("TS-081")
def test_what_was_confirmed_but_is_not_so_is_not_recorded(world):
    order, vial = accepted(world), make_vial(world)
    release(world, wanted(order, vial, confirmed={"other_day", "less_activity"}))
    assert Release.objects.get().confirmed == []


# --- all or nothing, once --------------------------------------------------------------------


@pytest.mark.requirement("TS-082")
def test_one_order_of_a_selection_that_cannot_be_released_holds_back_all_with_every_reason(world):
    good, unaccepted, without = accepted(world), make_order(world), accepted(world)
    refused = refusal(
        world,
        wanted(good, make_vial(world)),
        wanted(unaccepted, make_vial(world)),
        wanted(without),
    )
    assert [detail.partition(":")[0] for detail in refused.details] == [
        f"Order {unaccepted.pk}",
        f"Order {without.pk}",
    ]


@pytest.mark.requirement("TS-082")
def test_a_selection_is_released_together_each_order_with_a_signature_of_its_own(world):
    orders = [accepted(world), accepted(world, slot=world.slot_b, activity_mbq=800.0)]
    vials = [make_vial(world), make_vial(world, customer=world.customer_b)]
    outcome = release(world, *(wanted(o, v) for o, v in zip(orders, vials, strict=True)))
    assert outcome.released == orders
    signatures = Signature.objects.all()
    assert len({signature.object_id for signature in signatures}) == 2
    assert {verdict.state for verdict in verify_many(signatures)} == {State.VALID}


@pytest.mark.requirement("TS-082")
def test_pressed_twice_it_is_released_once_and_the_second_time_says_so(world):
    order, vial = accepted(world), make_vial(world)
    release(world, wanted(order, vial))
    version = Order.objects.get(pk=order.pk).version
    outcome = release(world, wanted(order, vial), by=world.uncertified)
    assert (outcome.released, outcome.unchanged) == ([], [order])
    assert Release.objects.count() == Signature.objects.count() == 1
    assert Order.objects.get(pk=order.pk).version == version
    assert AuditEntry.objects.filter(action="tracershop.order_released").count() == 1


@pytest.mark.requirement("TS-082")
def test_a_released_order_in_a_selection_does_not_hold_back_the_others(world):
    first, second, vial = accepted(world), accepted(world), make_vial(world)
    release(world, wanted(first, make_vial(world)))
    outcome = release(world, wanted(first, vial), wanted(second, vial))
    assert (outcome.released, outcome.unchanged) == ([second], [first])
    assert set(second.vials.all()) == {vial}


@pytest.mark.requirement("TS-082")
def test_the_database_itself_keeps_a_second_release_out(world):
    order = accepted(world)
    release(world, wanted(order, make_vial(world)))
    with pytest.raises(IntegrityError), transaction.atomic():
        Release.objects.create(order=order, released_by=world.producer, lots=[LOT])


@pytest.mark.requirement("TS-082", "PT-030")
def test_two_people_at_the_same_moment_make_one_release_one_signature_one_certificate(
    transactional_db,
):
    world = shop_world()
    second = world.uncertified
    Certification.objects.create(
        user=second,
        tracer=world.fdg,
        valid_from=MONDAY,
        expires_on=MONDAY,
        granted_by=world.production_admin,
    )
    orders = [accepted(world), accepted(world)]
    vials = [make_vial(world), make_vial(world)]
    requests = [wanted(o, v) for o, v in zip(orders, vials, strict=True)]
    people = {world.producer: requests, second: requests[::-1]}
    keys = {person: signer(person) for person in people}
    outcomes = at_once(
        *(
            lambda person=person, asked=asked: release_orders(
                actor=person, requests=asked, signer=keys[person], now=RELEASE_AT
            )
            for person, asked in people.items()
        )
    )
    assert sorted((len(each.released), len(each.unchanged)) for each in outcomes) == [
        (0, 2),
        (2, 0),
    ]
    assert Release.objects.count() == Signature.objects.count() == 2
    assert len({row.released_by for row in Release.objects.all()}) == 1
    keys_of_releases = list(Release.objects.values_list("pk", flat=True))
    at_once(
        *(
            lambda pk=pk: issue_release_certificate(actor=WORKER, release_id=pk)
            for pk in keys_of_releases * 2
        )
    )
    assert IssuedDocument.objects.filter(kind=KIND).count() == 2


@pytest.mark.requirement("TS-082")
def test_one_vial_for_two_orders_at_the_same_moment_serves_one(transactional_db):
    world = shop_world()
    orders, vial = [accepted(world), accepted(world)], make_vial(world)
    key = signer(world.producer)
    outcomes = at_once(
        *(
            lambda order=order: release_orders(
                actor=world.producer, requests=[wanted(order, vial)], signer=key, now=RELEASE_AT
            )
            for order in orders
        )
    )
    refused = [each for each in outcomes if isinstance(each, Refused)]
    assert [each.code for each in refused] == ["not_releasable"]
    assert Release.objects.count() == 1


# --- the signature is bound to the content ---------------------------------------------------


@pytest.mark.requirement("TS-080", "PT-030")
@pytest.mark.parametrize(
    ("statement", "field"),
    [
        ("UPDATE tracershop_order SET activity_mbq = 999", "order.activity_mbq"),
        ("UPDATE tracershop_order SET intended_use = 'animal'", "order.intended_use"),
        ("UPDATE tracershop_order SET status = 'accepted'", "order.status"),
        ("UPDATE tracershop_vial SET lot = 'FDG-261123-2'", "vials[0].lot"),
        ("UPDATE tracershop_vial SET order_id = NULL", "vials[0]"),
        ("UPDATE tracershop_release SET confirmed = '{less_activity}'", "confirmed[0]"),
        ("UPDATE tracershop_release SET released_at = now()", "released_at"),
        (
            """UPDATE tracershop_release SET seen = jsonb_set(seen, '{half_life_s}', '1')""",
            "order.half_life_s",
        ),
    ],
)
def test_a_row_changed_behind_the_portals_back_is_named_by_its_field(world, statement, field):
    release(world, wanted(accepted(world), make_vial(world)))
    with triggers_disabled() as cursor:
        cursor.execute(statement)
    verdict = verify(Signature.objects.get())
    assert (verdict.state, verdict.wrong) == (State.CHANGED, True)
    assert any(path.startswith(field) for path in verdict.fields), verdict.fields


@pytest.mark.requirement("PT-030")
def test_a_customer_renamed_and_a_half_life_evaluated_anew_spoil_no_signature(world):
    release(world, wanted(accepted(world), make_vial(world)))
    world.customer_a.name = "Nordby University Hospital"
    world.customer_a.save()
    world.fdg.isotope.half_life_s = 6584.4
    world.fdg.isotope.save()
    assert verify(Signature.objects.get()).state is State.VALID


def test_verifying_many_releases_takes_as_many_queries_as_one(world, django_assert_num_queries):
    for _ in range(3):
        release(world, wanted(accepted(world), make_vial(world)))
    signatures = list(Signature.objects.all())
    with CaptureQueriesContext(connection) as one:
        verify_many(signatures[:1])
    signatures = list(Signature.objects.all())
    with django_assert_num_queries(len(one)):
        verdicts = verify_many(signatures)
    assert [verdict.state for verdict in verdicts] == [State.VALID] * 3


# --- the certificate -------------------------------------------------------------------------


@pytest.mark.requirement("TS-086")
def test_the_certificate_is_issued_once_and_again_gives_the_same_paper(world):
    release(world, wanted(accepted(world), make_vial(world)))
    row = Release.objects.get()
    assert releases_without_certificate(before=RELEASE_AT + DAY) == [row.pk]
    assert releases_without_certificate(before=RELEASE_AT) == []
    first = issue_release_certificate(actor=WORKER, release_id=row.pk)
    world.customer_a.name = "Nordby University Hospital"
    world.customer_a.save()
    again = issue_release_certificate(actor=WORKER, release_id=row.pk)
    assert first.pk == again.pk
    assert IssuedDocument.objects.count() == 1
    assert releases_without_certificate(before=RELEASE_AT + DAY) == []
    assert len(PdfFileReader(io.BytesIO(bytes(first.pdf))).embedded_signatures) == 1


@pytest.mark.requirement("TS-083", "TS-086")
def test_the_certificate_says_what_was_signed_for_whom_and_by_whom(world):
    order = accepted(world, intended_use="animal", activity_mbq=1500.0)
    release(world, wanted(order, make_vial(world), confirmed={"less_activity"}))
    row = Release.objects.get()
    world.customer_a.name = "Nordby University Hospital"
    world.customer_a.save()
    data = certificate_data(Release.objects.get())
    assert data["use"] == "preclinical"
    assert data["order"]["customer"] == "Nordby Hospital"
    assert data["order"]["number"] == str(order.pk)
    assert [vial["lot"] for vial in data["vials"]] == [LOT]
    assert len(data["warnings"]) == 1
    assert data["signature"]["printed_name"] == "Karen Brandt"
    assert data["signature"]["digest"] == row.signature.digest


@pytest.mark.requirement("TS-086")
def test_the_certificate_of_injections_names_the_lot(world):
    certify_for(world, world.water)
    release(world, wanted(accepted(world, injections=3), lot="H2O-261123-1"))
    data = certificate_data(Release.objects.get())
    assert (data["use"], data["order"]["injections"]) == ("human", "3")
    assert [vial["lot"] for vial in data["vials"]] == ["H2O-261123-1"]
    document = issue_release_certificate(actor=WORKER, release_id=Release.objects.get().pk)
    assert bytes(document.pdf).startswith(b"%PDF")


@pytest.mark.requirement("TS-086")
def test_a_task_for_the_certificate_is_sent_when_the_release_is_committed(
    world, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr("celery.app.base.Celery.send_task", lambda _app, *call: sent.append(call))
    with django_capture_on_commit_callbacks(execute=True):
        release(world, wanted(accepted(world), make_vial(world)))
    assert sent == [("tracershop.tasks.issue_certificate", [Release.objects.get().pk])]


@pytest.mark.requirement("TS-082", "TS-086")
def test_a_broker_that_is_away_loses_no_certificate(
    world, monkeypatch, django_capture_on_commit_callbacks
):
    from kombu.exceptions import OperationalError
    from tracershop.tasks import issue_certificate, issue_missing_certificates

    def away(*_, **__):
        raise OperationalError("no broker")

    monkeypatch.setattr("celery.app.base.Celery.send_task", away)
    with django_capture_on_commit_callbacks(execute=True):
        release(world, wanted(accepted(world), make_vial(world)))
    row = Release.objects.get()
    assert row.order.status == "released"
    monkeypatch.setattr("django.utils.timezone.now", lambda: RELEASE_AT + timedelta(minutes=2))
    monkeypatch.setattr(issue_certificate, "delay", issue_certificate)
    issue_missing_certificates()
    issue_missing_certificates()
    assert IssuedDocument.objects.filter(kind=KIND, object_id=str(row.pk)).count() == 1
