"""Fully automatic mappings: ordered shortly before the deadline, once, and mailed (TS-026)."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import pytest
from tracershop.models import Booking, Order, ProcedureMapping
from tracershop.selectors.automatic import LEAD, due_days
from tracershop.selectors.booking_page import booking_page
from tracershop.services import automatic
from tracershop.services.automatic import (
    AUTOMATIC,
    order_day_automatically,
    order_due_bookings,
    switch_automatic,
)
from tracershop.services.mappings import map_procedure
from tracershop.services.ordering import delete_order

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification, OutboxMail
from portal.records.errors import Refused, StaleRecord
from tests.support.factories import give, make_user
from tests.support.threads import at_once
from tests.tracershop.factories import (
    FDG_HALF_LIFE_S,
    MONDAY,
    NOW,
    local,
    make_booking,
    map_fdg,
    shop_world,
)
from tests.tracershop.test_services_booking_changes import say

pytestmark = pytest.mark.requirement("TS-026")
FRIDAY = MONDAY - timedelta(days=3)
DUE = local(FRIDAY, 12, 30)
"""Half an hour before the deadline of orders for Monday."""
TOO_LATE = local(FRIDAY, 13)


def automatic_world():
    world = shop_world()
    mapping = map_fdg(world)
    switch_automatic(actor=world.superuser, mapping_id=mapping.pk, automatic=True, reason="routine")
    for person in (world.superuser, world.secretary):
        person.email = f"{person.username}@hospital.invalid"
        person.save()
    return world


@pytest.fixture
def world(db):
    return automatic_world()


def at_slot(minutes, mbq=300):
    return mbq * 2 ** (minutes * 60 / FDG_HALF_LIFE_S)


def refused(act, **values):
    with pytest.raises(Refused) as found:
        act(**values)
    return found.value.code


# --- switching -----------------------------------------------------------------------------------


def test_switching_it_on_is_in_ones_own_name_and_audited_with_the_reason(world):
    mapping = ProcedureMapping.objects.get()

    assert (mapping.automatic, mapping.automatic_by) == (True, world.superuser)
    entry = AuditEntry.objects.get(action="tracershop.mapping_automatic")
    assert (entry.reason, entry.data) == ("routine", {"automatic": [False, True]})


def test_switching_needs_a_reason_and_the_mapping_as_it_was_looked_at(world):
    mapping = ProcedureMapping.objects.get()
    act = {"actor": world.superuser, "mapping_id": mapping.pk, "automatic": False}

    assert refused(switch_automatic, **act, reason=" ") == "reason_needed"
    with pytest.raises(StaleRecord):
        switch_automatic(**act, reason="x", expected_version=mapping.version - 1)
    switch_automatic(**act, reason="holidays", expected_version=mapping.version)
    assert not ProcedureMapping.objects.get().automatic


@pytest.mark.requirement("TS-100", "TS-006")
@pytest.mark.parametrize("who", ["secretary", "other_secretary", "external", "producer"])
def test_only_a_superuser_of_the_customer_switches_it(world, who):
    mapping = ProcedureMapping.objects.get()

    code = refused(
        switch_automatic,
        actor=getattr(world, who),
        mapping_id=mapping.pk,
        automatic=True,
        reason="x",
    )

    assert code == "gone"


@pytest.mark.requirement("TS-100")
def test_who_may_map_but_not_order_cannot_have_it_ordered_in_their_name(world):
    site_admin = make_user("Sven Site")
    give(site_admin, "tracershop.site_admin", world.region)
    site_admin.represents.create(customer=world.customer_a)
    mapping = ProcedureMapping.objects.get()
    act = {"actor": site_admin, "mapping_id": mapping.pk, "reason": "support"}

    assert refused(switch_automatic, **act, automatic=True) == "may_not_order"
    switch_automatic(**act, automatic=False)


def test_who_changes_what_an_automatic_mapping_orders_answers_for_it(world):
    other = make_user("Ida Super")
    give(other, "tracershop.shop_superuser", world.customer_a.unit)
    other.represents.create(customer=world.customer_a)
    mapping = ProcedureMapping.objects.get()

    map_procedure(
        actor=other,
        procedure_code="FDG-WB",
        endpoint_id=world.endpoint_a.pk,
        tracer_id=world.fdg.pk,
        units=350.0,
        delay_min=60,
        expected_version=mapping.version,
    )

    mapping.refresh_from_db()
    assert (mapping.automatic, mapping.automatic_by) == (True, other)


# --- ordering ------------------------------------------------------------------------------------


def test_shortly_before_the_deadline_the_bookings_are_ordered_as_the_plan_says(world):
    make_booking("A1", local(MONDAY, 8))
    make_booking("A2", local(MONDAY, 9))
    assert order_due_bookings(DUE - timedelta(seconds=1)) == []
    assert timedelta(minutes=30) == LEAD

    (result,) = order_due_bookings(DUE)

    (order,) = Order.objects.all()
    assert result.orders == [order]
    assert order.activity_mbq == ceil(at_slot(45) + at_slot(105))
    assert (order.ordered_by, order.slot) == (world.superuser, world.slot_a)
    assert Booking.objects.filter(order=order).count() == 2


def test_it_is_marked_as_automatic_in_the_audit_trail(world):
    make_booking("A1", local(MONDAY, 8))

    order_due_bookings(DUE)

    entry = AuditEntry.objects.get(action="tracershop.order_automatic")
    assert entry.object_id == str(Order.objects.get().pk)
    assert entry.service == "automatic ordering"
    assert AuditEntry.objects.get(action="tracershop.bookings_ordered").data["automatic"] is True


def test_only_bookings_of_automatic_mappings_are_ordered(world):
    ProcedureMapping.objects.create(
        procedure_code="BY-HAND",
        endpoint=world.endpoint_a,
        tracer=world.fdg,
        units=100.0,
        delay_min=60,
    )
    make_booking("A1", local(MONDAY, 8))
    left = make_booking("A2", local(MONDAY, 8), procedure_code="BY-HAND")

    order_due_bookings(DUE)

    left.refresh_from_db()
    assert (left.order, left.automatic_at) == (None, None)


def test_nothing_is_ordered_or_mailed_twice(world):
    make_booking("A1", local(MONDAY, 8))
    make_booking("EARLY", local(MONDAY, 6))
    order_due_bookings(DUE)
    mails = OutboxMail.objects.count()

    assert order_due_bookings(DUE + timedelta(minutes=5)) == []
    assert (Order.objects.count(), OutboxMail.objects.count()) == (1, mails)


def test_the_bookings_page_says_what_is_ordered_by_itself_until_it_was_tried(world):
    make_booking("A1", local(MONDAY, 8))
    make_booking("A2", local(MONDAY, 8, 5))

    def marked():
        page = booking_page(world.secretary, MONDAY, DUE)
        return [part.automatic for order in page.orders for part in order.bookings]

    assert marked() == [True, True]
    order_due_bookings(DUE)
    (order,) = Order.objects.all()
    delete_order(actor=world.superuser, order_id=order.pk, now=DUE)
    assert marked() == [False, False]  # somebody took it back: now it is theirs


def test_what_comes_between_the_run_and_the_deadline_is_ordered_then(world):
    make_booking("A1", local(MONDAY, 8))
    order_due_bookings(DUE)
    make_booking("A2", local(MONDAY, 9))

    (result,) = order_due_bookings(DUE + timedelta(minutes=5))

    assert [order.activity_mbq for order in result.orders] == [ceil(at_slot(105))]


def test_a_waiting_booking_that_changed_is_looked_at_anew(world):
    make_booking("A1", local(MONDAY, 6))
    order_due_bookings(DUE)
    assert not Order.objects.exists()

    say("A1", local(MONDAY, 8), now=DUE)
    order_due_bookings(DUE + timedelta(minutes=5))

    assert Order.objects.count() == 1


def test_after_the_deadline_nothing_is_ordered_but_it_is_told(world):
    """The worker was away, or the booking came too late."""
    make_booking("A1", local(MONDAY, 8))

    (result,) = order_due_bookings(TOO_LATE)

    assert result.orders == []
    assert not Order.objects.exists()
    text = OutboxMail.objects.get(to=world.superuser.email).text
    assert "1 × FDG, Nordby PET: The deadline was" in text


def test_the_kinds_of_a_day_are_ordered_together_before_the_first_deadline(world):
    mapping = ProcedureMapping.objects.create(
        procedure_code="H2O", endpoint=world.endpoint_a, tracer=world.water, units=2
    )
    switch_automatic(actor=world.superuser, mapping_id=mapping.pk, automatic=True, reason="x")
    make_booking("A1", local(MONDAY, 8))
    make_booking("W1", local(MONDAY, 9), procedure_code="H2O")

    order_due_bookings(local(FRIDAY, 11, 30))  # injections close at 12:00

    assert set(Order.objects.values_list("kind", flat=True)) == {"activity", "injection"}


def test_an_order_that_is_refused_takes_the_others_of_the_day_with_it(world):
    mapping = ProcedureMapping.objects.create(
        procedure_code="H2O",
        endpoint=world.endpoint_a,
        tracer=world.water,
        units=9,  # more than the catalogue's four
    )
    switch_automatic(actor=world.superuser, mapping_id=mapping.pk, automatic=True, reason="x")
    make_booking("A1", local(MONDAY, 8))
    make_booking("W1", local(MONDAY, 9), procedure_code="H2O")

    (result,) = order_due_bookings(local(FRIDAY, 11, 30))

    assert (result.orders, len(result.left_out)) == ([], 2)
    assert not Order.objects.exists()
    assert not AuditEntry.objects.filter(action="tracershop.order_placed").exists()
    assert "At most 4 injections" in OutboxMail.objects.first().text


def test_days_and_customers_do_not_hold_each_other_up(world, monkeypatch):
    make_booking("A1", local(MONDAY, 15))
    make_booking("A2", local(MONDAY + timedelta(days=1), 8))
    whole = automatic.plan_day

    def broken(user, day, **values):
        if day == MONDAY:
            raise RuntimeError("a fault")
        return whole(user, day, **values)

    monkeypatch.setattr(automatic, "plan_day", broken)
    order_due_bookings(local(MONDAY, 12, 45))
    assert [order.deliver_on for order in Order.objects.all()] == [MONDAY + timedelta(days=1)]
    assert Booking.objects.get(accession="A1").automatic_at is None  # tried again next time


def test_on_the_sunday_of_the_clocks_the_deadline_is_by_the_clock_on_the_wall(world):
    """For Monday 26 October the deadline is Friday 13:00 summer time, 11:00 UTC."""
    day = MONDAY - timedelta(days=28)
    make_booking("A1", local(day, 8))
    closes_at = local(day - timedelta(days=3), 13)

    assert due_days(closes_at - LEAD - timedelta(seconds=1)) == []
    assert due_days(closes_at - LEAD) == [(world.customer_a.pk, day)]


# --- in whose name -------------------------------------------------------------------------------


@pytest.mark.requirement("TS-100", "TS-101")
@pytest.mark.parametrize("how", ["representation", "account", "role", "external"])
def test_it_orders_only_while_the_person_may_order_for_the_customer(world, how):
    make_booking("A1", local(MONDAY, 8))
    if how == "representation":
        for row in world.superuser.represents.filter(deleted_at__isnull=True):
            row.deleted_at = NOW
            row.save()
    elif how == "account":
        world.superuser.is_active = False
        world.superuser.save()
    else:
        for grant in world.superuser.role_grants.all():
            grant.deleted_at = NOW
            grant.save()
    if how == "external":
        give(world.superuser, "tracershop.shop_external", world.customer_a.unit)

    (result,) = order_due_bookings(DUE)

    assert result.orders == []
    assert not Order.objects.exists()
    text = OutboxMail.objects.get(to=world.secretary.email).text
    assert "Lone Krogh, in whose name it is ordered, may no longer order for you." in text


# --- telling -------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-022", "TS-006")
def test_the_result_is_mailed_to_those_who_represent_the_customer_and_names_no_booking(world):
    world.other_secretary.email = "other@hospital.invalid"
    world.other_secretary.save()
    make_booking("SECRET-1", local(MONDAY, 8))
    make_booking("SECRET-2", local(MONDAY, 6))

    order_due_bookings(DUE)

    mails = {mail.to: mail for mail in OutboxMail.objects.all()}
    assert set(mails) == {world.superuser.email, world.secretary.email}
    mail = mails[world.secretary.email]
    order = Order.objects.get()
    assert mail.subject == "Nordby Hospital, 23 Nov 2026: ordered from bookings automatically"
    assert f"- {order.pk}: FDG, Nordby PET, 23 Nov 2026 08:15: {ceil(at_slot(45))} MBq" in mail.text
    assert "- 1 × FDG, Nordby PET: The first delivery, 23 Nov 2026 08:15, is after" in mail.text
    assert "SECRET" not in mail.subject + mail.text
    assert "/tracershop/bookings/?day=2026-11-23" in mail.text
    told = Notification.objects.filter(user__in=[world.superuser, world.secretary])
    assert all("1 order. 1 booking not ordered." in each.text for each in told)
    assert not Notification.objects.filter(user=world.other_secretary).exists()


# --- at once, and killed -------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_order_once(transactional_db):
    world = automatic_world()
    for number in range(4):
        make_booking(f"A{number}", local(MONDAY, 8 + number % 2))

    results = at_once(*[lambda: order_due_bookings(DUE)] * 3)

    assert sorted(len(each) for each in results) == [0, 0, 1]
    assert Order.objects.count() == 1
    assert OutboxMail.objects.filter(to=world.superuser.email).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_half_way_leaves_nothing_and_the_next_one_does_it(
    transactional_db, monkeypatch
):
    world = automatic_world()
    make_booking("A1", local(MONDAY, 8))

    def killed(result):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(automatic, "_tell", killed)
        with pytest.raises(SystemExit):
            order_day_automatically(
                actor=AUTOMATIC, customer_id=world.customer_a.pk, day=MONDAY, now=DUE
            )
    assert not Order.objects.exists()
    assert Booking.objects.get().automatic_at is None

    order_due_bookings(DUE + timedelta(minutes=5))

    assert Order.objects.count() == 1
    assert OutboxMail.objects.filter(to=world.superuser.email).count() == 1
