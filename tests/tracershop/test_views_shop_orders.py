"""Placing, calculating, changing and taking back an order on the shop's pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import translation
from guardian.shortcuts import assign_perm
from tracershop.forms.calculator import Calculator
from tracershop.models import (
    Order,
)
from tracershop.selectors.shop import slot_on

from portal.audit.models import AuditEntry
from portal.records.fields import parse_amount, parse_clock
from tests.support.accounts import sign_in
from tests.support.factories import make_user
from tests.tracershop.factories import (
    MONDAY,
    NOW,
    local,
    make_booking,
    make_order,
    map_fdg,
    shop_world,
    stop_clock,
)

pytestmark = pytest.mark.django_db

DAY = {"day": f"{MONDAY:%Y-%m-%d}"}
SHOP = "/tracershop/shop/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    stop_clock(monkeypatch)
    return world


@pytest.fixture
def secretary(client, world):
    sign_in(client, world.secretary)
    return client


def order_url(slot, day=MONDAY):
    return f"{reverse('tracershop:order_activity')}?slot={slot.pk}&day={day:%Y-%m-%d}"


def inject_url(world, endpoint=None):
    endpoint = endpoint or world.endpoint_a
    query = f"endpoint={endpoint.pk}&tracer={world.water.pk}&day={MONDAY:%Y-%m-%d}"
    return f"{reverse('tracershop:order_injections')}?{query}"


def shown(response):
    return response.content.decode()


# --- ordering ----------------------------------------------------------------------------------


@pytest.mark.requirement("TS-001", "TS-002")
def test_an_order_is_placed_without_script(secretary, world):
    page = shown(secretary.get(order_url(world.slot_a)))
    assert "<html" in page

    answer = secretary.post(
        order_url(world.slot_a),
        {"act": "order", "activity_mbq": "850,5", "intended_use": "human", "comment": "as usual"},
    )

    order = Order.objects.get()
    assert (order.activity_mbq, order.comment, order.slot) == (850.5, "as usual", world.slot_a)
    assert answer.status_code == 302
    assert answer["Location"] == f"{SHOP}?day={MONDAY}&customer={world.customer_a.pk}"
    assert f"Order {order.pk} is placed: 850" in shown(secretary.get(answer["Location"]))


def test_the_dialog_brings_the_form_alone_and_goes_back_to_the_day(secretary, world):
    dialog = shown(secretary.get(order_url(world.slot_a), headers=HTMX))
    assert "<html" not in dialog
    assert "<dialog" in dialog

    answer = secretary.post(
        order_url(world.slot_a),
        {"act": "order", "activity_mbq": "900", "intended_use": "human"},
        headers=HTMX,
    )

    assert answer["HX-Redirect"] == f"{SHOP}?day={MONDAY}&customer={world.customer_a.pk}"


@pytest.mark.requirement("TS-003")
def test_injections_are_ordered_by_time_number_and_use(secretary, world):
    answer = secretary.post(
        inject_url(world), {"clock": "10.15", "injections": "3", "intended_use": "other"}
    )

    assert answer.status_code == 302
    order = Order.objects.get()
    assert (order.deliver_at, order.injections) == (local(MONDAY, 10, 15), 3)
    assert order.intended_use == "other"


@pytest.mark.requirement("TS-003")
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"injections": "5"}, "At most 4 injections can be ordered at once."),
        ({"injections": "0"}, "greater than or equal to 1"),
        ({"clock": "25:00"}, "“25:00” is not a time"),
        ({"clock": ""}, "This field is required."),
        ({"intended_use": "veterinary"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_with_an_injection_order_is_said_at_once(secretary, world, sent, told):
    good = {"clock": "10:00", "injections": "2", "intended_use": "human"}

    answer = secretary.post(inject_url(world), good | sent)

    assert answer.status_code == 422
    assert told in shown(answer)
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-002", "TS-004")
def test_what_a_service_refuses_is_said_in_the_form_and_nothing_is_lost(client, world, monkeypatch):
    stop_clock(monkeypatch, local(MONDAY - timedelta(days=3), 13))
    sign_in(client, world.secretary)

    answer = client.post(
        order_url(world.slot_a),
        {"act": "order", "activity_mbq": "850", "intended_use": "human", "comment": "typed"},
    )

    assert answer.status_code == 422
    assert "The deadline was 20 Nov 2026 13:00." in shown(answer)
    assert "typed" in shown(answer)


@pytest.mark.requirement("TS-004")
def test_production_orders_late_on_a_customers_behalf_with_a_reason(client, world, monkeypatch):
    stop_clock(monkeypatch, local(MONDAY - timedelta(days=3), 14))
    sign_in(client, world.producer)
    page = shown(client.get(SHOP, {**DAY, "customer": world.customer_a.pk}))
    assert "Order late…" in page
    sent = {"act": "order", "activity_mbq": "850", "intended_use": "human"}

    refused = client.post(order_url(world.slot_a), sent)
    assert "ordering late needs a reason" in shown(refused)
    client.post(order_url(world.slot_a), {**sent, "late_reason": "They called at 14:00"})

    order = Order.objects.get()
    assert (order.customer, order.late_reason) == (world.customer_a, "They called at 14:00")


@pytest.mark.requirement("TS-007")
@pytest.mark.parametrize("language", ["en", "da"])
@pytest.mark.parametrize(
    ("text", "value"),
    [("8,5", 8.5), ("8.5", 8.5), ("1 200", 1200), ("1\u202f200,5", 1200.5), (" ,5", 0.5)],
)
def test_decimal_comma_and_point_are_read_alike_in_every_language(language, text, value):
    with translation.override(language):
        assert parse_amount(text) == value


@pytest.mark.requirement("TS-007")
@pytest.mark.parametrize(
    "text", ["1.200", "1,200", "12.345", "1.2.3", "1,2.3", "-5", "abc", "1e3", "nan", "inf"]
)
def test_a_number_that_could_be_misread_is_refused(text):
    with pytest.raises(ValidationError):
        parse_amount(text)


@pytest.mark.parametrize("text", ["9:30", "09:30", "09.30", "0930", "930"])
def test_times_are_typed_in_any_usual_way(text):
    assert f"{parse_clock(text):%H:%M}" == "09:30"


# --- the calculator ----------------------------------------------------------------------------


def rows(*typed, **more):
    return {
        "row_time": [clock for clock, _ in typed],
        "row_mbq": [mbq for _, mbq in typed],
        "intended_use": "human",
        **more,
    }


@pytest.mark.requirement("TS-007")
def test_the_calculator_sums_the_rows_at_the_delivery_and_rounds_up(secretary, world):
    # 300.5·2^(75/109.77) + 250·2^(105/109.77) = 482.5 + 485.1
    typed = rows(("9.30", "300,5"), ("", ""), ("10:00", "250"), act="calculate")

    page = shown(secretary.post(order_url(world.slot_a), typed))

    assert "2 injections need <strong>968 MBq</strong> at 08:15" in page
    assert 'value="968"' in page
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-007")
def test_an_injection_before_the_delivery_is_refused_and_the_row_is_named(secretary, world):
    typed = rows(("09:30", "300"), ("", ""), ("08:14", "250"), act="order", activity_mbq="5000")

    answer = secretary.post(order_url(world.slot_a), typed)

    assert answer.status_code == 422
    assert "Row 3: the injection at 08:14 is before the delivery." in shown(answer)
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-007")
@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("9:30", "abc"), "Row 1: “abc” is not a number."),
        (("half past nine", "300"), "Row 1: “half past nine” is not a time"),
        (("9:30", ""), "Row 1: “” is not a number."),
        (("9:30", "0"), "Row 1: the activity must be above 0."),
        (("9:30", "1.200"), "Row 1: “1.200” can be read in two ways: write 1200 or 1.2."),
    ],
)
def test_what_is_wrong_with_a_row_names_the_row(secretary, world, row, told):
    page = shown(secretary.post(order_url(world.slot_a), rows(row, act="order")))

    assert told in page
    assert not Order.objects.exists()


@pytest.mark.requirement("TS-007")
def test_rows_alone_are_an_order_of_what_they_need(secretary, world):
    secretary.post(order_url(world.slot_a), rows(("9:30", "300,5"), ("10:00", "250"), act="order"))

    assert Order.objects.get().activity_mbq == 968


@pytest.mark.requirement("TS-007")
def test_an_amount_that_was_calculated_follows_the_rows(secretary, world):
    typed = rows(("9:30", "300,5"), ("10:00", "250"), act="order")

    secretary.post(order_url(world.slot_a), {**typed, "activity_mbq": "483", "calculated": "483"})

    assert Order.objects.get().activity_mbq == 968


@pytest.mark.requirement("TS-007")
def test_less_than_the_rows_need_is_not_ordered_and_more_is(secretary, world):
    typed = rows(("9:30", "300,5"), ("10:00", "250"), act="order")

    answer = secretary.post(order_url(world.slot_a), {**typed, "activity_mbq": "900"})
    assert "The injections below need 968 MBq." in shown(answer)
    assert not Order.objects.exists()

    secretary.post(order_url(world.slot_a), {**typed, "activity_mbq": "1000"})
    assert Order.objects.get().activity_mbq == 1000


@pytest.mark.requirement("TS-007")
def test_rows_are_added_and_removed_without_script_and_nothing_typed_is_lost(secretary, world):
    typed = rows(("9:30", "300"), ("10:00", "250"), comment="kept")

    page = shown(secretary.post(order_url(world.slot_a), {**typed, "act": "add_row"}))
    assert page.count('name="row_time"') == 3
    assert "kept" in page
    page = shown(secretary.post(order_url(world.slot_a), {**typed, "act": "remove_row_1"}))
    assert page.count('name="row_time"') == 1
    assert 'value="10:00"' in page
    assert 'value="9:30"' not in page


@pytest.mark.requirement("TS-007")
def test_a_changed_row_brings_the_sum_and_the_amount_alone(secretary, world):
    headers = {**HTMX, "HX-Target": "calculation-result"}
    typed = rows(("9:30", "300,5"), act="calculate")

    part = shown(secretary.post(order_url(world.slot_a), typed, headers=headers))

    assert "1 injection needs <strong>483 MBq</strong>" in part
    assert 'name="row_time"' not in part
    assert part.count('hx-swap-oob="true"') == 3  # the row's error, the amount, what was calculated


@pytest.mark.requirement("TS-007")
def test_an_amount_that_the_rows_no_longer_give_does_not_stay_in_the_field(secretary, world):
    headers = {**HTMX, "HX-Target": "calculation-result"}
    typed = rows(("9:30", "300,5"), ("7:00", "20"), act="calculate")

    part = shown(
        secretary.post(
            order_url(world.slot_a),
            {**typed, "activity_mbq": "483", "calculated": "483"},
            headers=headers,
        )
    )

    assert "Row 2: the injection at 07:00 is before the delivery." in part
    assert 'value="483"' not in part


@pytest.mark.requirement("TS-007")
def test_enter_calculates_first_and_orders_when_there_is_nothing_left_to_calculate(
    secretary, world
):
    typed = rows(("9:30", "300,5"), act="enter")

    page = shown(secretary.post(order_url(world.slot_a), typed))
    assert 'value="483"' in page
    assert not Order.objects.exists()

    typed |= {"activity_mbq": "483", "calculated": "483"}
    secretary.post(order_url(world.slot_a), typed)
    assert Order.objects.get().activity_mbq == 483


@pytest.mark.requirement("TS-007")
def test_the_number_of_rows_has_a_bound(rf, world):
    slot = slot_on(world.secretary, world.slot_a.pk, MONDAY, NOW)
    request = rf.post("/", rows(*[("9:30", "1")] * 400))

    assert len(Calculator.of(request.POST, slot).rows) == 40


# --- changing and deleting -----------------------------------------------------------------------


@pytest.mark.requirement("TS-005")
def test_an_order_is_changed_in_the_form(secretary, world):
    order = make_order(world, comment="before")
    url = reverse("tracershop:order_edit", args=[order.pk])
    page = shown(secretary.get(url))
    assert 'value="1000"' in page
    assert "before" in page

    secretary.post(
        url,
        {
            "act": "order",
            "activity_mbq": "1100,5",
            "intended_use": "animal",
            "comment": "after",
            "version": order.version,
        },
    )

    order.refresh_from_db()
    assert (order.activity_mbq, order.intended_use, order.comment) == (1100.5, "animal", "after")


@pytest.mark.requirement("TS-005")
def test_an_injection_order_keeps_its_time_when_it_is_changed(secretary, world):
    order = make_order(world, injections=2)
    url = reverse("tracershop:order_edit", args=[order.pk])
    assert 'name="clock"' not in shown(secretary.get(url))

    secretary.post(url, {"injections": "4", "intended_use": "human", "version": order.version})

    order.refresh_from_db()
    assert (order.injections, order.deliver_at) == (4, local(MONDAY, 10))


@pytest.mark.requirement("TS-005", "PT-022")
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_second_to_save_sees_what_the_first_saved(secretary, world, headers):
    order = make_order(world)
    opened = order.version
    order.activity_mbq = 1234.0
    order.save()

    answer = secretary.post(
        reverse("tracershop:order_edit", args=[order.pk]),
        {"act": "order", "activity_mbq": "700", "intended_use": "human", "version": opened},
        headers=headers,
    )

    assert answer.status_code == 409
    assert "1234" in shown(answer).replace("\u202f", "").replace(",", "")
    order.refresh_from_db()
    assert order.activity_mbq == 1234.0


@pytest.mark.requirement("TS-005", "PT-022")
def test_a_change_that_does_not_say_which_version_it_is_of_is_not_saved(secretary, world):
    order = make_order(world)

    answer = secretary.post(
        reverse("tracershop:order_edit", args=[order.pk]),
        {"act": "order", "activity_mbq": "700", "intended_use": "human"},
    )

    assert answer.status_code == 422
    order.refresh_from_db()
    assert order.activity_mbq == 1000


@pytest.mark.requirement("TS-005")
@pytest.mark.parametrize("status", ["accepted", "released", "rejected"])
@pytest.mark.parametrize("name", ["order_edit", "order_delete"])
def test_what_is_no_longer_ordered_can_no_longer_be_opened_for_change(
    secretary, world, status, name
):
    order = make_order(world, status=status)
    url = reverse(f"tracershop:{name}", args=[order.pk])

    assert secretary.get(url).status_code == 422
    assert secretary.post(url, {"version": 1}).status_code == 422
    assert url not in shown(secretary.get(SHOP, DAY))
    order.refresh_from_db()
    assert order.deleted_at is None


@pytest.mark.requirement("TS-005")
def test_deleting_says_first_what_will_happen(secretary, world):
    map_fdg(world)
    order = make_order(world)
    make_booking("A1", local(MONDAY, 9), order=order)
    url = reverse("tracershop:order_delete", args=[order.pk])

    asked = shown(secretary.get(url, headers=HTMX))
    assert f"Order {order.pk}, 1\u202f000 MBq FDG to Nordby PET on 23 Nov 2026 08:15" in asked
    assert "1 booking that it was for can be ordered anew." in asked
    assert Order.objects.filter(pk=order.pk).exists()

    secretary.post(url, {"version": order.version})

    assert not Order.objects.filter(pk=order.pk).exists()
    assert AuditEntry.objects.filter(action="tracershop.order_deleted").exists()


@pytest.mark.requirement("TS-005")
def test_looking_at_the_page_of_deletion_deletes_nothing(secretary, world):
    order = make_order(world)

    assert secretary.get(reverse("tracershop:order_delete", args=[order.pk])).status_code == 200
    assert Order.objects.filter(pk=order.pk).exists()


@pytest.mark.requirement("TS-006")
def test_an_exception_to_look_shows_the_day_without_buttons(client, world):
    looker = make_user("Ditte Holm")
    assign_perm("tracershop.see_own_orders", looker, world.customer_a)
    order = make_order(world)
    sign_in(client, looker)

    answer = client.get(SHOP, DAY)

    assert answer.status_code == 200
    assert "Order…" not in shown(answer)
    assert client.get(order_url(world.slot_a)).status_code == 403
    assert (
        client.post(reverse("tracershop:order_delete", args=[order.pk]), {"version": 1}).status_code
        == 403
    )
