"""Recalls: whom they reach, and that no release slips past one (TS-087)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tracershop.models import Batch, Contact, Recall, RecallNotice, Release, Vial
from tracershop.selectors.board import candidate_vials
from tracershop.selectors.recalls import notices_for, trace
from tracershop.services.corrections import correct_release
from tracershop.services.recalls import (
    MEANING,
    REMIND_EVERY,
    Answer,
    acknowledge_recall,
    close_recall,
    record_call,
    remind_customers,
    start_recall,
)
from tracershop.services.release import release_orders
from tracershop.services.vials import allocate_vials

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification, OutboxMail
from portal.notifications.my_tasks import tasks_for
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.signing.services import State, signatures_of, verify_many
from tests.tracershop.batching import make_batch, recall, release_from_lot
from tests.tracershop.factories import MONDAY, local, make_booking, map_fdg, shop_world
from tests.tracershop.releasing import LOT, RELEASE_AT, accepted, at_once, make_vial, signer, wanted

pytestmark = pytest.mark.requirement("TS-087")

CLOCK = ServiceActor("recalls")


@pytest.fixture
def world(db):
    return shop_world()


@pytest.fixture
def committed(transactional_db):
    return shop_world()


def refusal(act, *args, **options) -> Refused:
    with pytest.raises(Refused) as refused:
        act(*args, **options)
    return refused.value


def contact(customer, name, order, email=""):
    return Contact.objects.create(
        customer=customer, name=name, phone="+45 35 45 00 00", order=order, email=email
    )


def both_received(world):
    """A released batch of which both customers received an order."""
    batch = make_batch(world, status="released")
    own, other = accepted(world), accepted(world, slot=world.slot_b)
    release_from_lot(world, own, other)
    return batch, own, other


def task_urls(user):
    return [task.url for group in tasks_for(user) for task in group.tasks]


# --- starting --------------------------------------------------------------------------------


@pytest.mark.requirement("TS-087", "TS-121")
def test_a_recall_reaches_everybody_who_received_of_the_batch(world):
    batch, own, other = both_received(world)
    contact(world.customer_a, "Guard", 1, "guard@nordby.invalid")
    contact(world.customer_a, "No mail", 2)
    started = recall(world, batch)
    batch.refresh_from_db()
    assert (batch.status, batch.status_reason) == ("recalled", "particles seen")
    assert set(started.notices.values_list("order", "customer")) == {
        (own.pk, world.customer_a.pk),
        (other.pk, world.customer_b.pk),
    }
    told = Notification.objects.filter(url=f"/tracershop/recalls/{started.pk}/notice/")
    assert {each.user for each in told} == {
        world.secretary,
        world.superuser,
        world.other_secretary,
        world.external,
    }
    assert {each.level for each in told} == {"alarm"}
    (mail,) = OutboxMail.objects.filter(to="guard@nordby.invalid")
    assert LOT in mail.subject
    assert "Do not use it. Keep it." in mail.text
    (state,) = verify_many(signatures_of(started))
    assert (state.state, state.signature.meaning) == (State.VALID, MEANING)
    entry = AuditEntry.objects.get(action="tracershop.recall_started")
    assert (entry.reason, entry.data["status"]) == ("particles seen", ["released", "recalled"])
    assert entry.data["orders"] == sorted([own.pk, other.pk])


def test_representatives_are_mailed_of_a_recall_whatever_mail_they_chose(world):
    world.secretary.email = "mette@nordby.invalid"
    world.secretary.save()
    world.superuser.email = "lone@nordby.invalid"
    world.superuser.save()
    world.secretary.notification_choices.create(user=world.secretary, level="alarm", mail="never")
    batch, _own, _other = both_received(world)
    contact(world.customer_a, "Mette again", 1, "METTE@nordby.invalid")
    recall(world, batch)
    for address in ("mette@nordby.invalid", "lone@nordby.invalid"):
        assert OutboxMail.objects.filter(to__iexact=address).count() == 1


def test_vials_that_have_not_left_are_taken_from_their_orders(world):
    batch, own, _other = both_received(world)
    waiting, vial = accepted(world), make_vial(world)
    other_lot = make_vial(world, lot="FDG-261123-2")
    allocate_vials(actor=world.producer, order_id=waiting.pk, vial_ids=[vial.pk, other_lot.pk])
    recall(world, batch)
    assert list(Vial.objects.filter(order=waiting)) == [other_lot]
    assert Vial.objects.filter(order=own).count() == 1
    assert not RecallNotice.objects.filter(order=waiting).exists()
    entry = AuditEntry.objects.get(action="tracershop.vials_recalled")
    assert (entry.object_id, entry.data["vials"]) == (str(waiting.pk), [vial.pk])


def test_an_order_whose_release_was_corrected_is_recalled_too(world):
    batch = make_batch(world, status="released")
    (order,) = release_from_lot(world)
    correct_release(
        actor=world.producer,
        order_id=order.pk,
        reason="wrong lot noted",
        signer=signer(world.producer),
        now=RELEASE_AT,
    )
    assert recall(world, batch).notices.get().order == order


def test_an_order_released_twice_from_the_batch_has_one_notice(world):
    batch = make_batch(world, status="released")
    (order,) = release_from_lot(world)
    correct_release(
        actor=world.producer,
        order_id=order.pk,
        reason="wrong vial",
        signer=signer(world.producer),
        now=RELEASE_AT,
    )
    release_from_lot(world, order)
    assert recall(world, batch).notices.count() == 1


def test_nothing_of_a_recalled_batch_is_released_and_no_second_recall_begins(world):
    batch, _own, _other = both_received(world)
    first = recall(world, batch)
    with pytest.raises(Refused) as refused:
        release_from_lot(world)
    assert refused.value.code == "not_releasable"
    assert recall(world, batch, reason="again") == first
    assert first.notices.count() == 2
    close_recall(
        actor=world.producer, recall_id=first.pk, conclusion="all back", reason="by telephone"
    )
    assert refusal(recall, world, batch).code == "recalled"


def test_no_vial_of_a_recalled_batch_is_proposed_or_allocated_any_more(world):
    batch, order, vial = make_batch(world), accepted(world), make_vial(world)
    assert candidate_vials(world.producer, [order]) == [vial]
    recall(world, batch)
    assert candidate_vials(world.producer, [order]) == []
    given = {"actor": world.producer, "order_id": order.pk, "vial_ids": [vial.pk]}
    assert refusal(allocate_vials, **given).code == "condemned"


def test_only_those_who_may_recall_do_with_reason_and_instructions(world):
    batch, _own, _other = both_received(world)
    with pytest.raises(PermissionDenied):
        recall(world, batch, by=world.superuser)
    assert refusal(recall, world, batch, reason=" ").code == "reason_needed"
    assert refusal(recall, world, batch, instructions=" ").code == "instructions_needed"
    assert refusal(recall, world, Batch(pk=10**6)).code == "gone"
    assert not Recall.objects.exists()
    assert Batch.objects.get().status == "released"
    # to recall takes no certification: who sees the danger must be able to stop it
    assert recall(world, batch, by=world.uncertified)


# --- beside a release ------------------------------------------------------------------------


def impatient(act):
    """The act in a connection that waits for nobody: OperationalError where it would."""

    def run():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        return act()

    return run


def releasing(world, order):
    requests, key = [wanted(order, make_vial(world))], signer(world.producer)
    return lambda: release_orders(
        actor=world.producer, requests=requests, signer=key, now=RELEASE_AT
    )


def recalling(world, batch):
    key = signer(world.uncertified)
    return lambda: start_recall(
        actor=world.uncertified,
        batch_id=batch.pk,
        reason="particles seen",
        instructions="Do not use it.",
        signer=key,
    )


def test_a_recall_waits_for_a_release_that_is_being_signed_and_reaches_it(committed):
    batch, order = make_batch(committed, status="released"), accepted(committed)
    release, start = releasing(committed, order), recalling(committed, batch)
    with transaction.atomic():
        release()
        assert isinstance(at_once(impatient(start))[0], OperationalError)
    assert start().notices.get().order == order


def test_a_release_waits_for_a_recall_that_is_being_signed_and_heeds_it(committed):
    batch, order = make_batch(committed, status="released"), accepted(committed)
    release, start = releasing(committed, order), recalling(committed, batch)
    with transaction.atomic():
        start()
        assert isinstance(at_once(impatient(release))[0], OperationalError)
    assert refusal(release).code == "not_releasable"
    assert not Release.objects.exists()
    assert not RecallNotice.objects.exists()


def test_begun_at_the_same_moment_one_comes_first_and_no_released_order_is_forgotten(committed):
    batch = make_batch(committed, status="released")
    orders = [accepted(committed) for _ in range(3)]
    # vials of an order that waits: the recall locks orders and vials too, in the same order
    waiting, vial = accepted(committed), make_vial(committed)
    allocate_vials(actor=committed.producer, order_id=waiting.pk, vial_ids=[vial.pk])
    acts = [releasing(committed, order) for order in orders]
    results = at_once(*acts[:2], recalling(committed, batch), acts[2])
    started = Recall.objects.get()
    assert results[2] == started
    for result in (*results[:2], results[3]):
        assert not isinstance(result, Exception) or result.code == "not_releasable"
    released = set(Release.objects.values_list("order", flat=True))
    assert released == set(started.notices.values_list("order", flat=True))
    assert not Vial.objects.filter(order=waiting).exists()


def test_two_recalls_at_once_are_one(committed):
    batch = make_batch(committed, status="released")
    release_from_lot(committed)
    start = recalling(committed, batch)
    first, second = at_once(start, start)
    assert first == second == Recall.objects.get()
    assert RecallNotice.objects.count() == 1


# --- telephone, answers, reminders, the end --------------------------------------------------


def test_a_call_is_kept_for_the_customer_with_whom_was_told(world):
    batch, own, other = both_received(world)
    started = recall(world, batch)
    given = {"actor": world.producer, "recall_id": started.pk, "customer_id": world.customer_a.pk}
    assert refusal(record_call, **given, reached=" ").code == "reached_needed"
    record_call(**given, reached="Nurse on duty, Eva Lund")
    reached = dict(started.notices.values_list("order", "reached"))
    assert reached == {own.pk: "Nurse on duty, Eva Lund", other.pk: ""}
    entry = AuditEntry.objects.get(action="tracershop.recall_called")
    assert entry.data["customer"] == "Nordby Hospital"
    assert refusal(record_call, **(given | {"customer_id": 10**6}), reached="x").code == "gone"
    with pytest.raises(PermissionDenied):
        record_call(**(given | {"actor": world.secretary}), reached="myself")


def test_a_representative_sees_and_answers_the_notices_of_their_customers_alone(world):
    batch, own, other = both_received(world)
    started = recall(world, batch)
    mine, theirs = (started.notices.get(order=order) for order in (own, other))
    assert list(notices_for(world.secretary)) == [mine]
    assert list(notices_for(world.other_secretary)) == [theirs]
    assert f"/tracershop/recalls/{started.pk}/notice/" in task_urls(world.secretary)

    def answer(actor, notice, use="unused", text="two vials in the hot cell"):
        return acknowledge_recall(
            actor=actor, recall_id=started.pk, answers={notice.pk: Answer(use, text)}
        )

    for person in (world.other_secretary, world.external, world.producer):
        assert refusal(answer, person, mine).code == "gone"
    assert refusal(answer, world.secretary, mine, use="eaten").code == "use_needed"
    assert refusal(acknowledge_recall, actor=world.secretary, recall_id=started.pk, answers={})
    assert answer(world.secretary, mine) == 1
    mine.refresh_from_db()
    assert (mine.acknowledged_by, mine.use) == (world.secretary, "unused")
    assert mine.answer == "two vials in the hot cell"
    assert task_urls(world.secretary) == []
    assert answer(world.superuser, mine) == 0  # the same again changes nothing
    assert answer(world.superuser, mine, use="partly", text="one was used") == 1
    mine.refresh_from_db()
    assert (mine.acknowledged_by, mine.use) == (world.secretary, "partly")
    theirs.refresh_from_db()
    assert theirs.acknowledged_at is None


def test_those_who_have_not_answered_are_reminded_again_and_again(world):
    batch, own, _other = both_received(world)
    started = recall(world, batch)
    acknowledge_recall(
        actor=world.secretary,
        recall_id=started.pk,
        answers={started.notices.get(order=own).pk: Answer("used")},
    )
    now = timezone.now()
    before = Notification.objects.filter(user=world.secretary).count()
    assert remind_customers(actor=CLOCK, now=now + REMIND_EVERY / 2) == 0
    assert remind_customers(actor=CLOCK, now=now + REMIND_EVERY) == 1
    assert remind_customers(actor=CLOCK, now=now + REMIND_EVERY + timedelta(minutes=5)) == 0
    assert remind_customers(actor=CLOCK, now=now + 2 * REMIND_EVERY) == 1
    reminders = Notification.objects.filter(text__startswith="Reminder")
    assert {each.user for each in reminders} == {world.other_secretary, world.external}
    assert Notification.objects.filter(user=world.secretary).count() == before
    close_recall(actor=world.producer, recall_id=started.pk, conclusion="over", reason="called")
    assert remind_customers(actor=CLOCK, now=now + 9 * REMIND_EVERY) == 0


def test_a_recall_closes_with_a_conclusion_and_names_who_is_missing(world):
    batch, own, other = both_received(world)
    started = recall(world, batch)
    given = {"actor": world.producer, "recall_id": started.pk}
    assert refusal(close_recall, **given, conclusion=" ").code == "conclusion_needed"
    refused = refusal(close_recall, **given, conclusion="over")
    assert refused.code == "missing"
    assert refused.details == [
        f"Nordby Hospital, order {own.pk}",
        f"Søndersø Sygehus, order {other.pk}",
    ]
    for person, order in ((world.secretary, own), (world.external, other)):
        acknowledge_recall(
            actor=person,
            recall_id=started.pk,
            answers={started.notices.get(order=order).pk: Answer("used")},
        )
    with pytest.raises(PermissionDenied):
        close_recall(actor=world.secretary, recall_id=started.pk, conclusion="over")
    closed = close_recall(**given, conclusion="everything was used")
    assert (closed.closed_by, closed.conclusion) == (world.producer, "everything was used")
    assert close_recall(**given, conclusion="twice").conclusion == "everything was used"
    late = {started.notices.get(order=own).pk: Answer("unused")}
    refused = refusal(acknowledge_recall, actor=world.secretary, recall_id=started.pk, answers=late)
    assert refused.code == "closed"
    assert f"/tracershop/recalls/{started.pk}/" not in task_urls(world.producer)


# --- from a batch to bookings ----------------------------------------------------------------


def test_the_trace_finds_vials_orders_endpoints_customers_and_bookings(world):
    batch, own, other = both_received(world)
    map_fdg(world)
    booking = make_booking("A1", local(MONDAY, 9), order=own)
    contact(world.customer_a, "second", 2)
    contact(world.customer_a, "first", 1)
    free = make_vial(world)
    waiting = accepted(world)
    allocate_vials(actor=world.producer, order_id=waiting.pk, vial_ids=[make_vial(world).pk])
    found = trace(LOT, recall(world, batch))
    first, second = found.customers
    assert (first.customer, second.customer) == (world.customer_a, world.customer_b)
    assert [each.name for each in first.contacts] == ["first", "second"]
    assert set(first.representatives) == {world.secretary, world.superuser}
    (traced,) = first.orders
    assert (traced.order, traced.bookings) == (own, [booking])
    assert [vial.order for vial in traced.vials] == [own]
    assert traced.notice == RecallNotice.objects.get(order=own)
    assert second.orders[0].order == other
    assert found.endpoint_count == 2
    assert free in found.free_vials
    assert trace("FDG-261123-9").customers == []


def test_the_trace_takes_the_same_queries_for_many_orders(world):
    batch, _own, _other = both_received(world)

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            trace(LOT)
        return len(captured)

    few = queries()
    release_from_lot(world, *(accepted(world) for _ in range(4)))
    assert queries() == few
    assert batch
