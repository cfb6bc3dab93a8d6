"""The pages of what leaves: packing, papers, labels, the scanner; and that a shop sees its own."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models import Package, Shipment
from tracershop.services.labels import issue_vial_label
from tracershop.services.shipments import issue_papers

from portal.audit.models import AccessEntry
from portal.documents.models import IssuedDocument
from tests.support.accounts import sign_in
from tests.tracershop.factories import MONDAY, shop_world
from tests.tracershop.releasing import LOT, make_vial
from tests.tracershop.test_services_shipments import packed, released, ship, take_back

pytestmark = pytest.mark.django_db

DAY = f"{MONDAY:%Y-%m-%d}"


@pytest.fixture
def world():
    world = shop_world()
    world.fdg.chemical_form = "liquid"
    world.fdg.save()
    return world


@pytest.fixture
def producer(client, world):
    sign_in(client, world.producer)
    return client


def url(name, *args):
    return reverse(f"tracershop:{name}", args=args)


def shown(response):
    return response.content.decode()


def filled_in(*orders, **values):
    """The packing form as somebody sends it: every order in a package of its own."""
    sent = {"order": [order.pk for order in orders], "day": DAY, "leaves_at": "07:45"}
    for number, order in enumerate(orders, start=1):
        sent |= {
            f"package_{order.pk}": number,
            f"kind_{number}": "type_a",
            f"surface_{number}": "0,05",
            f"at_1m_{number}": "0.0021",
        }
    return sent | values


@pytest.mark.requirement("TS-086")
def test_production_sees_what_leaves_next_packs_it_and_has_its_papers(producer, world):
    one, two = released(world), released(world)
    page = shown(producer.get(url("shipments"), {"day": DAY}))
    assert f"{url('make_shipment')}?order={one.pk},{two.pk}" in page
    form = shown(producer.get(url("make_shipment"), {"order": f"{one.pk},{two.pk}"}))
    assert f'name="package_{two.pk}"' in form
    answer = producer.post(url("make_shipment"), filled_in(one, two))
    shipment = Shipment.objects.get()
    assert answer.url == url("shipment", shipment.pk)
    assert [package.orders for package in Package.objects.order_by("number")] == [
        [one.pk],
        [two.pk],
    ]
    page = shown(producer.get(answer.url))
    assert "Papers issued" in page
    assert "II-YELLOW" in page
    page = shown(producer.get(url("shipments"), {"day": DAY}))
    assert "Nothing waits to be packed" in page
    assert url("shipment", shipment.pk) in page


def test_human_and_preclinical_orders_are_packed_apart(producer, world):
    patient, mouse = released(world), released(world, intended_use="animal")
    page = shown(producer.get(url("shipments"), {"day": DAY}))
    for order in (patient, mouse):
        assert f'{url("make_shipment")}?order={order.pk}"' in page


def test_what_is_typed_wrong_stands_beside_its_field(producer, world):
    order = released(world)
    answer = producer.post(url("make_shipment"), filled_in(order, surface_1="", at_1m_1="much"))
    assert answer.status_code == 422
    assert "Measure it: the package is not empty." in shown(answer)
    assert "is not a number" in shown(answer)
    answer = producer.post(url("make_shipment"), filled_in(order, surface_1="2,5", at_1m_1="0,2"))
    assert answer.status_code == 422
    assert "beyond III-YELLOW" in shown(answer)
    assert Shipment.objects.count() == 0


def test_packing_anew_needs_a_reason_and_issues_the_next_papers(producer, world):
    one, two = released(world), released(world)
    producer.post(url("make_shipment"), filled_in(one, two))
    shipment = Shipment.objects.get()
    sent = filled_in(one, two, **{f"package_{two.pk}": "0", "version": shipment.version})
    change = url("change_shipment", shipment.pk)
    assert 'name="reason"' in shown(producer.get(change))
    assert producer.post(change, sent).status_code == 422
    assert producer.post(change, {**sent, "reason": "no room"}).status_code == 302
    numbers = set(
        IssuedDocument.objects.filter(object_type="tracershop.shipment").values_list(
            "number", flat=True
        )
    )
    assert numbers == {f"{kind}-{shipment.pk}{rev}" for kind in ("DN", "TD") for rev in ("", "-r2")}
    assert producer.post(change, {**sent, "reason": "again"}).status_code == 409
    page = shown(producer.get(url("shipment", shipment.pk)))
    assert f"?number=DN-{shipment.pk}-r2" in page
    former = producer.get(
        url("paper", shipment.pk, "delivery-note"), {"number": f"DN-{shipment.pk}"}
    )
    assert former["X-Document-State"] == "superseded"


def test_a_shipment_is_discarded_with_a_reason(producer, world):
    shipment = ship(world, packed(released(world)))
    discard = url("discard_shipment", shipment.pk)
    assert "It does not leave" in shown(producer.get(discard))
    assert producer.post(discard, {"reason": ""}).status_code == 422
    assert producer.post(discard, {"reason": "no car"}).status_code == 302
    assert producer.get(url("shipment", shipment.pk)).status_code == 404


@pytest.mark.requirement("TS-084", "TS-086")
def test_a_shipment_with_an_order_that_was_taken_back_says_so_everywhere(producer, world):
    order = released(world)
    shipment = ship(world, packed(order))
    issue_papers(actor=world.producer, shipment_id=shipment.pk)
    take_back(order)
    assert "An order was taken back" in shown(producer.get(url("shipments"), {"day": DAY}))
    page = shown(producer.get(url("shipment", shipment.pk)))
    assert f"The release of order {order.pk} was taken back" in page
    assert "Issue the papers" not in page
    answer = producer.post(url("issue_papers", shipment.pk), follow=True)
    assert f"Order {order.pk} is Accepted, not released." in shown(answer)


@pytest.mark.requirement("TS-006", "TS-086", "PT-023")
def test_a_shop_downloads_the_papers_of_its_customers_and_nobody_elses(client, world):
    shipment = ship(world, packed(released(world)))
    issue_papers(actor=world.producer, shipment_id=shipment.pk)
    note = url("paper", shipment.pk, "delivery-note")
    sign_in(client, world.secretary)
    assert url("shipment", shipment.pk) in shown(client.get(url("shipments"), {"day": DAY}))
    page = shown(client.get(url("shipment", shipment.pk)))
    assert "Pack anew" not in page
    for word in ("delivery-note", "transport-document"):
        answer = client.get(url("paper", shipment.pk, word))
        assert answer["Content-Type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF")
    exports = AccessEntry.objects.filter(action="export", actor_id=world.secretary.pk)
    assert exports.count() == 2
    assert client.get(url("paper", shipment.pk, "recipe")).status_code == 404
    sign_in(client, world.other_secretary)
    assert client.get(note).status_code == 404
    assert client.get(url("shipment", shipment.pk)).status_code == 404
    assert url("shipment", shipment.pk) not in shown(client.get(url("shipments"), {"day": DAY}))
    assert AccessEntry.objects.filter(action="export").count() == 2


@pytest.mark.requirement("TS-086")
def test_labels_are_printed_from_the_order_and_fetched_again(producer, world):
    order = released(world, vials=2)
    page = shown(producer.get(url("order", order.pk)))
    assert url("order_labels", order.pk) in page
    assert producer.get(url("order_labels", order.pk)).status_code == 404
    printed = producer.post(url("order_labels", order.pk))
    assert printed.content.startswith(b"%PDF")
    assert producer.get(url("order_labels", order.pk)).content == printed.content
    vial = order.vials.first()
    assert producer.post(url("vial_label", vial.pk)).content.startswith(b"%PDF")


@pytest.mark.requirement("TS-086", "TS-006")
def test_a_label_leads_to_the_order_for_those_who_may_see_it(client, world):
    order = released(world)
    vial = order.vials.get()
    issue_vial_label(actor=world.producer, vial_id=vial.pk)
    code = {"code": f"TSV:{vial.pk}:{LOT}"}
    for who in (world.producer, world.secretary):
        sign_in(client, who)
        assert client.get(url("scan"), code).url == f"{url('order', order.pk)}#vial-{vial.pk}"
    sign_in(client, world.other_secretary)
    assert client.get(url("scan")).status_code == 200
    refused = [
        client.get(url("scan"), {"code": each})
        for each in (code["code"], "TSV:999999:FDG-261123-1", f"TSV:{vial.pk}:FDG-261123-2", "?")
    ]
    assert {each.status_code for each in refused} == {422}
    # what is another's and what does not exist look alike
    assert len({shown(each).split("<main")[1].split("value=")[0] for each in refused}) == 1


def test_the_label_of_a_free_vial_leads_to_the_vials_of_its_day(producer, world):
    vial = make_vial(world)
    found = producer.get(url("scan"), {"code": f"TSV:{vial.pk}:{LOT}"})
    assert found.url == f"{url('vials')}?day={DAY}#vial-{vial.pk}"


def test_the_pages_cost_no_more_with_more_on_them(producer, world):
    def cost(path, **query):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert producer.get(path, query).status_code == 200
        return len(queries)

    few = ship(world, packed(released(world)))
    released(world)
    day, one = cost(url("shipments"), day=DAY), cost(url("shipment", few.pk))
    many = ship(world, *[packed(released(world)) for _ in range(3)])
    released(world)
    released(world)
    assert cost(url("shipments"), day=DAY) <= day
    assert cost(url("shipment", many.pk)) <= one
