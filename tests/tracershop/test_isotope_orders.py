"""Orders of a bare isotope: MBq at a slot, the same way as activity (TS-003)."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.urls import reverse
from tracershop.models import (
    CatalogueEntry,
    DeliverySlot,
    Order,
    OrderDeadline,
    ProcedureMapping,
    ProductionRun,
    RoomMapping,
    Tracer,
)
from tracershop.selectors.booking_plan import plan_day
from tracershop.services.bookings import order_bookings
from tracershop.services.ordering import edit_order, place_activity_order, place_injection_order
from tracershop.services.production import accept_orders

from portal.records.errors import Refused
from tests.support.accounts import sign_in
from tests.tracershop.factories import MONDAY, NOW, local, make_booking, shop_world, stop_clock

pytestmark = pytest.mark.django_db

DAY = {"day": f"{MONDAY:%Y-%m-%d}"}
DEADLINE = local(MONDAY - timedelta(days=3), 11)


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    stop_clock(monkeypatch)
    return world


@pytest.fixture
def slot(world):
    """Fluoride to endpoint_a, Mondays 09:00, to be ordered before 11:00 on the Friday."""
    fluoride = Tracer.objects.create(
        name="F-18 fluoride",
        isotope=world.fdg.isotope,
        kind=Tracer.Kind.ISOTOPE,
        lot_prefix="NAF",
        max_vial_mbq=50_000,
    )
    run = ProductionRun.objects.create(tracer=fluoride, weekday=0, ends_at=time(6))
    CatalogueEntry.objects.create(endpoint=world.endpoint_a, tracer=fluoride, overhead_factor=1.2)
    OrderDeadline.objects.create(order_kind="isotope", kind="daily", at=time(11))
    return DeliverySlot.objects.create(
        endpoint=world.endpoint_a, run=run, weekday=0, deliver_time=time(9)
    )


def order(world, slot, **values):
    fields = {
        "actor": world.secretary,
        "slot_id": slot.pk,
        "day": MONDAY,
        "activity_mbq": 750.0,
        "now": NOW,
    }
    return place_activity_order(**(fields | values))


def url_of(slot):
    return f"{reverse('tracershop:order_activity')}?slot={slot.pk}&day={MONDAY:%Y-%m-%d}"


def shown(response):
    return response.content.decode()


@pytest.mark.requirement("TS-003")
def test_an_isotope_is_ordered_and_changed_in_mbq_at_its_slot(world, slot):
    placed = order(world, slot)

    placed.refresh_from_db()
    assert (placed.kind, placed.activity_mbq, placed.injections) == ("isotope", 750.0, None)
    assert (placed.deliver_at, placed.overhead_factor) == (local(MONDAY, 9), 1.2)
    changed = edit_order(
        actor=world.secretary,
        order_id=placed.pk,
        expected_version=placed.version,
        activity_mbq=800.0,
        now=NOW,
    )
    assert changed.activity_mbq == 800.0
    assert accept_orders(actor=world.producer, order_ids=[placed.pk])


@pytest.mark.requirement("TS-003", "TS-004")
def test_isotopes_have_a_deadline_of_their_own(world, slot):
    assert order(world, slot, now=DEADLINE - timedelta(microseconds=1)).pk
    with pytest.raises(Refused) as refused:
        order(world, slot, now=DEADLINE)
    assert refused.value.code == "deadline_passed"
    # activity can still be ordered then
    assert order(world, world.slot_a, now=DEADLINE).kind == "activity"


@pytest.mark.requirement("TS-003")
def test_an_isotope_is_not_ordered_as_injections(world, slot):
    with pytest.raises(Refused) as refused:
        place_injection_order(
            actor=world.secretary,
            endpoint_id=world.endpoint_a.pk,
            tracer_id=slot.run.tracer.pk,
            inject_at=local(MONDAY, 10),
            injections=1,
            intended_use="human",
            now=NOW,
        )
    assert refused.value.code == "wrong_kind"


@pytest.mark.requirement("TS-003", "TS-007")
def test_the_form_calculates_from_injections_for_an_isotope_too(client, world, slot):
    sign_in(client, world.secretary)
    # 200 MBq two half-lives after the delivery at 09:00
    rows = {"row_time": "12:39", "row_mbq": "200", "intended_use": "human"}

    answer = client.post(url_of(slot), {**rows, "act": "order", "activity_mbq": ""})

    assert answer.status_code == 302
    placed = Order.objects.get()
    assert (placed.kind, placed.activity_mbq) == ("isotope", 798.0)


@pytest.mark.requirement("TS-003", "TS-006")
def test_shop_week_list_and_excel_show_it(client, world, slot):
    placed = order(world, slot)
    sign_in(client, world.secretary)

    for url in ("/tracershop/shop/", "/tracershop/shop/week/"):
        page = shown(client.get(url, DAY))
        assert "F-18 fluoride" in page
        assert "750 MBq" in page
        assert url_of(slot).replace("&", "&amp;") in page
    assert "750" in shown(client.get("/tracershop/orders/"))
    assert client.get("/tracershop/orders/excel/").status_code == 200
    edit = shown(client.get(reverse("tracershop:order_edit", args=[placed.pk])))
    assert "Calculate from the injections" in edit
    sign_in(client, world.producer)
    board = shown(client.get("/tracershop/board/", DAY))
    assert "900" in board  # with the overhead of 1.2


@pytest.mark.requirement("TS-003", "TS-024")
def test_a_booking_mapped_to_an_isotope_is_ordered_by_slot(world, slot):
    RoomMapping.objects.create(room="PET-1", endpoint=world.endpoint_a)
    ProcedureMapping.objects.create(
        procedure_code="NAF-BONE",
        endpoint=world.endpoint_a,
        tracer=slot.run.tracer,
        units=200.0,
        delay_min=0,
    )
    booking = make_booking("A1", local(MONDAY, 9), procedure_code="NAF-BONE")
    plan = plan_day(world.secretary, MONDAY, now=NOW)

    done = order_bookings(
        actor=world.secretary,
        day=MONDAY,
        booking_ids=[booking.pk],
        fingerprint=plan.fingerprint,
        now=NOW,
    )

    assert [(each.kind, each.activity_mbq) for each in done.orders] == [("isotope", 200.0)]
