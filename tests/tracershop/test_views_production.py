"""Production's planning: board, plan, planner, moved and ghost orders, vials by hand."""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook
from tracershop.models import Batch, BookingChange, Order, Vial
from tracershop.services.moving import move_order

from portal.operations.templatetags.portal_formats import mbq
from tests.support.accounts import sign_in
from tests.tracershop.factories import (
    FDG_HALF_LIFE_S,
    MONDAY,
    NOW,
    local,
    make_booking,
    make_order,
    map_fdg,
    shop_world,
    stop_clock,
)
from tests.tracershop.releasing import LOT, accepted, make_vial

pytestmark = pytest.mark.django_db

BOARD = f"/tracershop/board/?day={MONDAY:%Y-%m-%d}"
PLAN = f"/tracershop/plan/?day={MONDAY:%Y-%m-%d}"
PLANNER = f"/tracershop/planner/?day={MONDAY:%Y-%m-%d}"
GHOST = f"/tracershop/orders/ghost/?day={MONDAY:%Y-%m-%d}"
VIALS = f"/tracershop/vials/?day={MONDAY:%Y-%m-%d}"
MORNING = local(MONDAY, 7)


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    stop_clock(monkeypatch, MORNING)
    return world


@pytest.fixture
def producer(client, world):
    sign_in(client, world.producer)
    return client


def shown(response) -> str:
    assert response.status_code == 200
    assert b"&lt;" not in response.content, "markup shown as text"
    return re.sub(r"\s+", " ", response.content.decode())


def grown(minutes: float) -> float:
    """So many times more, so many minutes earlier."""
    return float(2 ** (minutes * 60 / FDG_HALF_LIFE_S))


def written(amount: float) -> str:
    """As ``shown`` has it: its digits are grouped by a plain space."""
    return re.sub(r"\s", " ", mbq(amount))


def moved(world, **values) -> Order:
    order = make_order(world, slot=world.slot_a_late, **values)
    return move_order(actor=world.producer, order_id=order.pk, slot_id=world.slot_a.pk, now=NOW)


def row_of(page: str, order: Order) -> str:
    return page.split(f'id="order-{order.pk}"')[1].split("</tr>")[0]


# --- the board --------------------------------------------------------------------------------


@pytest.mark.requirement("TS-040", "TS-044")
def test_the_board_says_what_each_run_needs_and_warns_of_a_short_one(producer, world):
    make_order(world)
    Batch.objects.create(
        lot="FDG-261120-1",
        tracer=world.fdg,
        calibrated_at=local(MONDAY - timedelta(days=3), 6, 30),
        activity_mbq=1500.0,
    )
    page = shown(producer.get(BOARD))
    needed = written(1250 * grown(105))
    assert f"run 06:30 · EOS planned {written(1500)} MBq · needed {needed} MBq" in page
    assert f"FDG, run 06:30: {needed} MBq are needed" in page, "the warning on top"
    assert page.index("FDG, run 06:30") < page.index('id="tracer-')


@pytest.mark.requirement("TS-042", "TS-043")
def test_moved_and_ghost_orders_are_marked_on_the_board(producer, world):
    plain, there, ghost = make_order(world), moved(world), make_order(world, ghost=True)
    page = shown(producer.get(BOARD))
    assert "moved, for 11:30" in row_of(page, there)
    assert "Ghost order" in row_of(page, ghost)
    assert "moved" not in row_of(page, plain)
    assert "Ghost" not in row_of(page, plain)


@pytest.mark.requirement("TS-025", "TS-040")
def test_open_changes_of_bookings_of_the_day_are_counted_on_the_board(producer, world):
    map_fdg(world)
    order, other_day = make_order(world), make_order(world, day=MONDAY + timedelta(days=7))
    for n, of_order in enumerate((order, order, other_day)):
        booking = make_booking(f"A{n}", local(MONDAY, 9), order=of_order)
        BookingChange.objects.create(
            booking=booking,
            order=of_order,
            what="moved",
            old_starts_at=local(MONDAY, 9),
            new_starts_at=local(MONDAY, 10),
            settled_at=MORNING if n == 1 else None,
            outcome="applied" if n == 1 else "",
        )
    assert "1 booking changed after its order was placed" in shown(producer.get(BOARD))


@pytest.mark.requirement("TS-040")
def test_orders_of_injections_show_how_many_have_a_vial(producer, world):
    first = accepted(world, injections=2)
    accepted(world, injections=1)
    make_vial(world, tracer=world.water, lot="H2O-261123-1", order=first)
    assert re.search(r"1 <span class=\"bar__of\">\s*of 2", shown(producer.get(BOARD)))


@pytest.mark.requirement("TS-040", "TS-046")
def test_a_lots_verdict_stands_beside_its_free_vials(producer, world):
    make_order(world)
    make_vial(world)
    Batch.objects.create(lot=LOT, tracer=world.fdg, status="recalled")
    assert "Recalled" in shown(producer.get(BOARD))


@pytest.mark.requirement("TS-041")
def test_accepting_from_the_board_and_taking_a_rejection_back(producer, world):
    order, rejected = make_order(world), make_order(world, status="rejected", slot=world.slot_b)
    page = shown(producer.get(BOARD))
    for form, path, button in (
        ("accept-orders", "accept", order),
        ("unreject-orders", "unreject", rejected),
    ):
        assert re.search(rf'id="{form}" method="post" action="/tracershop/board/{path}/"', page)
        assert re.search(rf'form="{form}" name="order" value="{button.pk}"', page)
    producer.post("/tracershop/board/accept/", {"order": order.pk, "day": f"{MONDAY}"})
    order.refresh_from_db()
    assert order.status == "accepted"


@pytest.mark.requirement("TS-040")
def test_the_board_takes_as_many_queries_for_many_orders_as_for_few(producer, world):
    counts = []
    for size in (2, 20):
        for n in range(size):
            order = make_order(world, activity_mbq=500.0 + n, ghost=n % 2 == 0)
            make_vial(world, order=order if n % 2 else None)
            moved(world)
            make_order(world, injections=1)
        producer.get(BOARD)
        with CaptureQueriesContext(connection) as captured:
            producer.get(BOARD)
        counts.append(len(captured))
    assert counts[0] == counts[1]


# --- moved and ghost orders -------------------------------------------------------------------


@pytest.mark.requirement("TS-042")
def test_an_order_is_moved_and_brought_back_on_its_page(producer, world):
    order = make_order(world, slot=world.slot_a_late)
    url = f"/tracershop/orders/{order.pk}/move/"
    page = shown(producer.get(url))
    assert f"08:15: {written(1250 * grown(195))} MBq with overhead" in page
    assert url in shown(producer.get(f"/tracershop/orders/{order.pk}/"))
    assert producer.post(url, {"slot_id": world.slot_a.pk}).status_code == 302
    order.refresh_from_db()
    assert order.moved_from_slot == world.slot_a_late
    detail = shown(producer.get(f"/tracershop/orders/{order.pk}/"))
    assert "moved, for 11:30" in detail
    assert "That is at delivery" in detail
    assert producer.post(url, {"slot_id": world.slot_a_late.pk}).status_code == 302
    order.refresh_from_db()
    assert order.moved_from_slot is None


@pytest.mark.requirement("TS-042")
def test_a_slot_that_is_not_offered_is_refused_and_a_shop_moves_nothing(client, world):
    order = make_order(world, slot=world.slot_a_late)
    url = f"/tracershop/orders/{order.pk}/move/"
    sign_in(client, world.producer)
    for wrong in (world.slot_b.pk, 10**9, "x", ""):
        assert client.post(url, {"slot_id": wrong}).status_code == 422
    assert client.get("/tracershop/orders/999999/move/").status_code == 404
    injected = make_order(world, injections=1)
    assert client.get(f"/tracershop/orders/{injected.pk}/move/").status_code == 404
    sign_in(client, world.secretary)
    assert client.post(url, {"slot_id": world.slot_a.pk}).status_code == 403
    assert url not in shown(client.get(f"/tracershop/orders/{order.pk}/"))


@pytest.mark.requirement("TS-006", "TS-042", "TS-043")
def test_the_shop_sees_that_its_order_comes_earlier_and_which_one_production_added(client, world):
    order = moved(world)
    ghost = make_order(world, slot=world.slot_a, ghost=True, late_reason="By telephone")
    sign_in(client, world.secretary)
    url = f"/tracershop/shop/?day={MONDAY:%Y-%m-%d}"
    page = shown(client.get(url))
    assert f"Delivered at 08:15 for 11:30: {written(1000 * grown(195))} MBq then." in page
    assert "Ghost order" in page
    assert "added by production: By telephone" in page
    listed = shown(client.get("/tracershop/orders/?column=ordered_for&column=ghost"))
    assert "moved, for 11:30" in listed
    book = load_workbook(BytesIO(client.get("/tracershop/orders/excel/").content))
    rows = [list(row) for row in book.active.iter_rows(values_only=True)]
    head = {str(name): place for place, name in enumerate(rows[0])}
    by_number = {row[head["Number"]]: row for row in rows[1:]}
    assert by_number[order.pk][head["Ordered for"]] is not None
    assert by_number[ghost.pk][head["Ghost order"]] == "yes"
    assert not by_number[order.pk][head["Ghost order"]]


@pytest.mark.requirement("TS-042", "TS-007")
def test_the_calculator_of_a_moved_order_counts_to_when_it_was_ordered_for(
    client, world, monkeypatch
):
    order = moved(world)
    stop_clock(monkeypatch, NOW)
    sign_in(client, world.secretary)
    page = shown(client.get(f"/tracershop/shop/orders/{order.pk}/edit/"))
    assert "<strong>11:30</strong>" in page


@pytest.mark.requirement("TS-043")
def test_production_adds_a_ghost_order_on_a_page(producer, world):
    page = shown(producer.get(GHOST))
    assert "08:15 Nordby PET · FDG" in page
    given = {
        "delivery": f"slot-{world.slot_a.pk}",
        "activity_mbq": "750,5",
        "intended_use": "animal",
        "reason": "By telephone",
    }
    assert producer.post(GHOST, given).status_code == 302
    order = Order.objects.get(ghost=True)
    assert (order.activity_mbq, order.intended_use) == (750.5, "animal")
    keys = f"{world.endpoint_b.pk}-{world.water.pk}"
    given = {
        "delivery": f"injections-{keys}",
        "clock": "10:15",
        "injections": "3",
        "intended_use": "human",
        "reason": "By telephone",
    }
    assert producer.post(GHOST, given).status_code == 302
    order = Order.objects.get(kind="injection")
    assert (order.injections, order.deliver_at) == (3, local(MONDAY, 10, 15))


@pytest.mark.requirement("TS-043")
def test_what_is_missing_or_nonsense_adds_no_ghost_order(producer, world):
    good = {
        "delivery": f"slot-{world.slot_a.pk}",
        "activity_mbq": "750",
        "intended_use": "human",
        "reason": "By telephone",
    }
    for wrong in (
        {"delivery": "slot-999999"},
        {"delivery": "injections-1"},
        {"activity_mbq": ""},
        {"activity_mbq": "0"},
        {"activity_mbq": "1.200"},
        {"reason": " "},
        {"intended_use": "party"},
        {"delivery": f"injections-{world.endpoint_a.pk}-{world.water.pk}"},
    ):
        assert producer.post(GHOST, good | wrong).status_code == 422, wrong
    assert not Order.objects.exists()


# --- the plan and the planner -----------------------------------------------------------------


@pytest.mark.requirement("TS-044")
def test_the_plan_shows_needed_beside_recent_batches(producer, world):
    make_order(world)
    make_order(world, injections=2)
    page = shown(producer.get(PLAN))
    assert "No recent batch" in page
    assert written(1250 * grown(105)) in page
    assert "2 injections (orders: 1)." in page
    empty = MONDAY + timedelta(days=5)
    assert "Nothing is made or ordered" in shown(
        producer.get(f"/tracershop/plan/?day={empty:%Y-%m-%d}")
    )


def fields(page: str) -> dict[str, str]:
    """The planner's form as the browser would send it."""
    sent = dict(re.findall(r'<input type="hidden" name="(version-\d+|day)" value="([^"]+)"', page))
    for key, inside in re.findall(r'<select id="vial-\d+" name="(vial-\d+)">(.*?)</select>', page):
        chosen = re.search(r'<option value="(\d*)"[^>]* selected', inside)
        sent[key] = chosen[1] if chosen else ""
    return sent


@pytest.mark.requirement("TS-045")
def test_a_proposal_is_looked_at_overridden_and_applied(producer, world):
    order = accepted(world)
    small, large = make_vial(world), make_vial(world, activity_mbq=4000.0)
    sent = fields(shown(producer.get(PLANNER)))
    assert (sent[f"vial-{small.pk}"], sent[f"vial-{large.pk}"]) == (str(order.pk), "")
    sent |= {f"vial-{small.pk}": "", f"vial-{large.pk}": str(order.pk)}
    page = shown(producer.post(PLANNER, sent | {"act": "look"}))
    assert fields(page)[f"vial-{large.pk}"] == str(order.pk)
    assert not Vial.objects.filter(order=order).exists(), "looking allocates nothing"
    assert producer.post(PLANNER, sent | {"act": "apply"}).status_code == 302
    assert Vial.objects.get(order=order) == large
    again = producer.post(PLANNER, sent | {"act": "apply"}, follow=True)
    assert "Nothing was changed" in shown(again)


@pytest.mark.requirement("TS-045")
def test_a_refused_plan_shows_what_changed_and_pressing_again_overrides_nobody(producer, world):
    order, other = accepted(world), accepted(world, slot=world.slot_a_late)
    vial = make_vial(world)
    sent = fields(shown(producer.get(PLANNER)))
    sent[f"vial-{vial.pk}"] = str(order.pk)
    vial.order = other
    vial.save()
    response = producer.post(PLANNER, sent | {"act": "apply"})
    assert response.status_code == 422
    page = response.content.decode()
    assert f"it serves order {other.pk} now" in page
    assert fields(re.sub(r"\s+", " ", page))[f"vial-{vial.pk}"] == str(other.pk)
    assert Vial.objects.get(pk=vial.pk).order == other


@pytest.mark.requirement("TS-045")
def test_a_form_that_is_no_plan_does_not_exist_and_a_shop_has_no_planner(client, world):
    order, vial = accepted(world), make_vial(world)
    sign_in(client, world.producer)
    for sent in (
        {"vial-x": str(order.pk)},
        {f"vial-{vial.pk}": str(order.pk)},
        {f"vial-{vial.pk}": "x", f"version-{vial.pk}": "1"},
    ):
        assert client.post(PLANNER, sent | {"act": "apply"}).status_code == 404
    sign_in(client, world.secretary)
    assert client.get(PLANNER).status_code == 403
    assert client.post(PLANNER, {"act": "apply"}).status_code == 403
    assert client.get(PLAN).status_code == 403


@pytest.mark.requirement("TS-045")
def test_the_planner_of_an_empty_day_says_so_and_orders_without_vials_say_why(producer, world):
    assert "No order of this day waits for vials" in shown(producer.get(PLANNER))
    accepted(world)
    assert "There is no free vial of this tracer for this customer." in shown(producer.get(PLANNER))


@pytest.mark.requirement("TS-045", "TS-080")
def test_the_release_page_ticks_what_the_planner_would_propose(producer, world):
    order = accepted(world)
    weak, enough = make_vial(world, activity_mbq=1300.0), make_vial(world)
    page = shown(producer.get(f"/tracershop/release/?order={order.pk}"))
    ticked = re.findall(rf'name="vial-{order.pk}" value="(\d+)" checked', page)
    assert ticked == [str(enough.pk)]
    assert f'value="{weak.pk}"' in page


@pytest.mark.requirement("TS-081")
def test_a_short_order_is_offered_what_there_is_and_the_shortage_to_confirm(producer, world):
    order = accepted(world)
    vial, expired = make_vial(world, activity_mbq=1000.0), make_vial(world, expires_at=MORNING)
    page = shown(producer.get(f"/tracershop/release/?order={order.pk}"))
    ticked = re.findall(rf'name="vial-{order.pk}" value="(\d+)" checked', page)
    assert ticked == [str(vial.pk)]
    assert str(expired.pk) not in ticked
    assert 'value="less_activity"' in page


# --- vials by hand ----------------------------------------------------------------------------


def typed(world, **changed) -> dict[str, str]:
    return {
        "lot": LOT,
        "customer": str(world.customer_a.pk),
        "filled_on": f"{MONDAY:%Y-%m-%d}",
        "filled_clock": "06:45",
        "activity_mbq": "13233,5",
        "volume_ml": "7.5",
        "expires_on": f"{MONDAY:%Y-%m-%d}",
        "expires_clock": "18:00",
        "reason": "Filled by hand",
    } | changed


@pytest.mark.requirement("TS-063")
def test_a_vial_is_added_by_hand(producer, world):
    assert "/tracershop/vials/add/" in shown(producer.get(VIALS))
    assert producer.post("/tracershop/vials/add/", typed(world)).status_code == 302
    vial = Vial.objects.get()
    assert (vial.activity_mbq, vial.filled_at) == (13233.5, local(MONDAY, 6, 45))
    page = shown(producer.get(VIALS))
    assert "typed" in page
    assert "Karen Brandt" in page
    for wrong in (
        {"lot": "rubbish"},
        {"activity_mbq": "much"},
        {"expires_clock": ""},
        {"filled_on": "yesterday"},
        {"reason": ""},
        {"customer": "999999"},
        {},  # the very same vial
    ):
        response = producer.post("/tracershop/vials/add/", typed(world, **wrong))
        assert response.status_code == 422, wrong
    assert Vial.objects.count() == 1


@pytest.mark.requirement("TS-063")
def test_a_correction_keeps_the_seconds_of_a_time_that_was_not_touched(producer, world):
    vial = make_vial(world, filled_at=local(MONDAY, 6, 50) + timedelta(seconds=42))
    url = f"/tracershop/vials/{vial.pk}/edit/"
    assert url in shown(producer.get(VIALS))
    page = shown(producer.get(url))
    assert 'value="06:50"' in page
    sent = typed(world, filled_clock="06:50", version=str(vial.version))
    assert producer.post(url, sent).status_code == 302
    fresh = Vial.objects.get(pk=vial.pk)
    assert (fresh.filled_at, fresh.activity_mbq) == (vial.filled_at, 13233.5)
    sent = typed(world, filled_clock="06:51", version=str(fresh.version))
    assert producer.post(url, sent).status_code == 302
    assert Vial.objects.get(pk=vial.pk).filled_at == local(MONDAY, 6, 51)


@pytest.mark.requirement("TS-063")
def test_the_second_who_corrects_chooses_field_by_field(producer, world):
    vial = make_vial(world)
    url = f"/tracershop/vials/{vial.pk}/edit/"
    sent = typed(world, version=str(vial.version))
    vial.volume_ml = 9.0
    vial.save()
    assert producer.post(url, sent).status_code == 409
    assert Vial.objects.get(pk=vial.pk).activity_mbq == 2400


@pytest.mark.requirement("TS-063")
def test_a_vial_of_a_released_order_has_no_way_to_correct_it(producer, world):
    vial = make_vial(world, order=accepted(world, status="released"))
    assert f"/vials/{vial.pk}/edit/" not in shown(producer.get(VIALS))
    sent = typed(world, version=str(vial.version))
    assert producer.post(f"/tracershop/vials/{vial.pk}/edit/", sent).status_code == 422
