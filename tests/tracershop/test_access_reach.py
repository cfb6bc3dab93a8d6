"""For every model that has a policy, the query and the single decision say the same (TS-006)."""

from __future__ import annotations

from dataclasses import fields
from datetime import date

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from tracershop.models import (
    Batch,
    BookingChange,
    CatalogueEntry,
    Certification,
    ClosedDay,
    Contact,
    Customer,
    CustomerUserObjectPermission,
    DeliverySlot,
    Endpoint,
    Isotope,
    Order,
    OrderDeadline,
    Package,
    ProcedureMapping,
    ProductionRun,
    QualityResult,
    QualityTest,
    Recall,
    RecallNotice,
    Release,
    Representation,
    RoomMapping,
    Shipment,
    ShippedOrder,
    StandingOrder,
    Tracer,
    Verdict,
    Vial,
)
from tracershop.models.reach import SEE_ALL, SEE_OWN

from portal.access.decision import can, forget_held, visible
from portal.access.models import Role
from portal.access.services import grant_role
from portal.accounts.models import User
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import soft_delete
from portal.registry import registry
from tests.support.factories import give, make_unit, make_user
from tests.tracershop.factories import MONDAY, World, local, make_booking, make_order, shop_world
from tests.tracershop.releasing import make_vial

PRODUCTIONS = {Batch, QualityResult, Recall, Verdict}
"""What belongs to production alone, and to no customer: tests/tracershop/test_access_batches.py."""
SET_UP = {ClosedDay, Isotope, OrderDeadline, ProductionRun, QualityTest, Tracer}
"""What belongs to the whole house: production looks at it, who sets up keeps it."""
OF_THE_HOUSE = {*SET_UP, Certification}
WITH_POLICY = [
    model
    for model in apps.get_app_config("tracershop").get_models()
    if hasattr(model, "access") and model not in PRODUCTIONS
]
OF_CUSTOMERS = [model for model in WITH_POLICY if model not in OF_THE_HOUSE]
PRIVILEGES = [
    privilege.code
    for privilege in registry.privileges()
    if privilege.code.startswith("tracershop.")
]


@pytest.fixture
def world(db) -> World:
    # so that no two tables' keys agree by accident, as they do in a small fresh database
    for number in range(3):
        Customer.objects.create(name=f"Former customer {number}", unit=_root())
    world = shop_world()
    of_a, of_b = make_order(world), make_order(world, slot=world.slot_b)
    for order in (of_a, of_b, make_order(world, injections=1)):
        Release.objects.create(order=order, released_by=world.producer, lots=["FDG-261123-1"])
    make_vial(world, order=of_a)
    make_vial(world, order=of_b, customer=world.customer_b)
    make_vial(world)
    make_vial(world, tracer=None, customer=None)
    for endpoint, room in ((world.endpoint_a, "A1"), (world.endpoint_b, "B1")):
        RoomMapping.objects.create(room=room, endpoint=endpoint)
        ProcedureMapping.objects.create(
            procedure_code="X", endpoint=endpoint, tracer=world.fdg, units=300
        )
    for room in ("A1", "B1", "nowhere"):
        make_booking(f"acc-{room}", local(MONDAY, 9), room=room)
    batch = Batch.objects.create(lot="FDG-261123-9", tracer=world.fdg)
    recall = Recall.objects.create(
        batch=batch, reason="QC", instructions="set aside", started_by=world.producer
    )
    for order in (of_a, of_b):
        _around(world, order, recall)
    ClosedDay.objects.create(day=date(2026, 12, 24), name="Christmas Eve")
    QualityTest.objects.create(tracer=world.fdg, name="pH", lower_limit=4.5, upper_limit=8.5)
    return world


def _around(world: World, order: Order, recall: Recall) -> None:
    """What else belongs to an order's customer."""
    Contact.objects.create(customer=order.customer, name="On Call", phone="12345678")
    StandingOrder.objects.create(
        customer=order.customer,
        endpoint=order.endpoint,
        tracer=order.tracer,
        slot=order.slot,
        weekday=order.slot.weekday,
        activity_mbq=100,
        starts_on=MONDAY,
        ordered_by=order.ordered_by,
    )
    room = "A1" if order.customer == world.customer_a else "B1"
    booking = make_booking(f"moved-{room}", local(MONDAY, 10), room=room)
    BookingChange.objects.create(
        booking=booking,
        order=order,
        what=BookingChange.What.MOVED,
        old_starts_at=local(MONDAY, 9),
        new_starts_at=booking.starts_at,
    )
    RecallNotice.objects.create(recall=recall, customer=order.customer, order=order)
    shipment = Shipment.objects.create(
        customer=order.customer,
        endpoint=order.endpoint,
        ships_at=order.deliver_at,
        made_by=world.producer,
    )
    ShippedOrder.objects.create(shipment=shipment, order=order)
    Package.objects.create(
        shipment=shipment,
        number=1,
        kind=Package.Kind.TYPE_A,
        surface_msv_h=0.1,
        at_1m_msv_h=0.01,
    )


def _root() -> Unit:
    return make_unit(f"former-{Customer.objects.count()}")


def everybody(world: World) -> dict[str, User]:
    """Every role, at the top, at one hospital, and for a unit without what is below it."""
    people = {
        field.name: getattr(world, field.name)
        for field in fields(world)
        if isinstance(getattr(world, field.name), User)
    }
    people["nobody"] = make_user("Nobody At All")
    people["site admin"] = make_user("Site Admin")
    give(people["site admin"], "tracershop.site_admin", world.region)
    people["producer of b"] = make_user("Producer Of B")
    give(people["producer of b"], "tracershop.production_user", world.customer_b.unit)
    people["producer of the region alone"] = make_user("Producer Alone")
    give(
        people["producer of the region alone"],
        "tracershop.production_user",
        world.region,
        below=False,
    )
    people["represents, but has no role"] = make_user("Former Secretary")
    Representation.objects.create(
        user=people["represents, but has no role"], customer=world.customer_a
    )
    people["has a role, but represents nobody"] = make_user("New Secretary")
    give(people["has a role, but represents nobody"], "tracershop.shop_internal", world.region)
    people["role that ended"] = make_user("Ended Producer")
    give(
        people["role that ended"],
        "tracershop.production_admin",
        world.region,
        ends_on=date(2020, 1, 1),
    )
    people["exception"] = make_user("One Customer Only")
    CustomerUserObjectPermission.objects.create(
        user=people["exception"],
        content_object=world.customer_b,
        permission=Permission.objects.get(
            codename=SEE_OWN.split(".")[1], content_type__app_label="tracershop"
        ),
    )
    closed = make_user("Closed Account", is_active=False)
    give(closed, "tracershop.production_admin", world.region)
    people["closed account"] = closed
    return people


def test_the_policies_are_those_of_all_that_belongs_to_a_customer():
    assert {model.__name__ for model in OF_CUSTOMERS} == {
        "Booking",
        "BookingChange",
        "CatalogueEntry",
        "Contact",
        "Customer",
        "DeliverySlot",
        "Endpoint",
        "Order",
        "Package",
        "ProcedureMapping",
        "RecallNotice",
        "Release",
        "Representation",
        "RoomMapping",
        "Shipment",
        "ShippedOrder",
        "StandingOrder",
        "Vial",
    }


@pytest.mark.requirement("TS-006", "PT-016")
@pytest.mark.parametrize("model", WITH_POLICY, ids=lambda model: model.__name__)
def test_query_and_decision_agree_for_everybody_and_every_privilege(world, model):
    people = everybody(world)
    rows = list(model.objects.all())
    seen_by = dict.fromkeys(people, 0)
    for name, user in people.items():
        for privilege in (*PRIVILEGES, "tracershop.no_such_thing"):
            in_query = set(visible(user, model.objects.all(), privilege))
            decided = {row for row in rows if can(user, privilege, row)}
            assert in_query == decided, (name, privilege)
        in_list = set(visible(user, model.objects.all()))
        assert in_list == {
            row for row in rows if any(can(user, code, row) for code in model.access.view)
        }, name
        seen_by[name] = len(in_list)
    assert seen_by["nobody"] == seen_by["closed account"] == seen_by["role that ended"] == 0
    assert seen_by["site admin"] == seen_by["producer"] > 0
    if model in OF_THE_HOUSE:
        assert seen_by["secretary"] == seen_by["superuser"] == seen_by["external"] == 0
    else:
        assert 0 < seen_by["secretary"] < seen_by["producer"]


@pytest.mark.requirement("TS-006")
@pytest.mark.parametrize("model", OF_CUSTOMERS, ids=lambda model: model.__name__)
def test_the_shop_sees_all_of_its_own_customer_and_nothing_of_another(world, model):
    lookup = {Customer: "pk", Endpoint: "customer", Order: "customer", Representation: "customer"}
    lookup |= {Contact: "customer", RecallNotice: "customer", StandingOrder: "customer"}
    lookup |= dict.fromkeys((BookingChange, Release, Vial), "order__customer")
    lookup |= dict.fromkeys((Package, ShippedOrder), "shipment__customer")
    lookup |= {Shipment: "customer"}
    customer = lookup.get(model, "endpoint__customer")
    for user, own in (
        (world.secretary, world.customer_a),
        (world.superuser, world.customer_a),
        (world.other_secretary, world.customer_b),
        (world.external, world.customer_b),
    ):
        expected = set(model.objects.filter(**{customer: own.pk}))
        assert expected
        assert set(visible(user, model.objects.all())) == expected


@pytest.mark.requirement("TS-006", "TS-101")
def test_ending_a_representation_ends_the_sight_at_once(world):
    assert visible(world.secretary, Order.objects.all()).exists()
    soft_delete(Representation.objects.get(user=world.secretary))
    forget_held(world.secretary)  # as at the next request
    assert not visible(world.secretary, Order.objects.all()).exists()
    assert not can(world.secretary, SEE_OWN, world.customer_a)


@pytest.mark.requirement("PT-014")
def test_an_exception_opens_one_customer_for_looking_and_for_nothing_else(world):
    user = everybody(world)["exception"]
    assert list(visible(user, Customer.objects.all())) == [world.customer_b]
    assert {order.customer for order in visible(user, Order.objects.all())} == {world.customer_b}
    for privilege in PRIVILEGES:
        for customer in (world.customer_a, world.customer_b):
            expected = privilege == SEE_OWN and customer == world.customer_b
            assert can(user, privilege, customer) is expected


@pytest.mark.requirement("PT-013")
def test_a_role_at_a_unit_without_what_is_below_reaches_no_hospital(world):
    user = everybody(world)["producer of the region alone"]
    assert can(user, SEE_ALL)
    for model in (Customer, Endpoint, DeliverySlot, CatalogueEntry, Order):
        assert not visible(user, model.objects.all()).exists()


@pytest.mark.requirement("PT-016")
def test_what_has_no_policy_is_denied_to_people_and_open_to_services(world):
    history = Order.history.all()  # read through the record it is of, never as a list
    assert not hasattr(history.model, "access")
    assert not visible(world.production_admin, history).exists()
    assert not can(world.production_admin, SEE_ALL, history.first())
    assert visible(ServiceActor("a task"), history).count() == history.count() > 0


@pytest.mark.requirement("PT-016")
@pytest.mark.parametrize("model", WITH_POLICY, ids=lambda model: model.__name__)
def test_no_row_is_listed_twice_though_it_is_in_reach_twice(world, model):
    both = make_user("Both Ways")
    give(both, "tracershop.production_user", world.region)
    give(both, "tracershop.site_admin", world.customer_a.unit)
    for customer in (world.customer_a, world.customer_b):
        Representation.objects.create(user=both, customer=customer)
        CustomerUserObjectPermission.objects.create(
            user=both,
            content_object=customer,
            permission=Permission.objects.get(
                codename="see_own_orders", content_type__app_label="tracershop"
            ),
        )
    keys = list(visible(both, model.objects.all()).values_list("pk", flat=True))
    assert len(keys) == len(set(keys)) > 0


@pytest.mark.requirement("TS-100", "PT-013")
def test_a_production_admin_gives_external_people_their_role_in_the_shop(world):
    admin, person = make_user("Asta Admin"), make_user("Ole Outside", kind=User.Kind.EXTERNAL)
    give(admin, "tracershop.production_admin", world.region)
    for code, given in (("shop_external", True), ("shop_superuser", False)):
        role = Role.objects.get(code=f"tracershop.{code}")
        values = {"actor": admin, "user": person, "role": role, "unit": world.customer_b.unit}
        if given:
            assert grant_role(**values, reason="orders for Søndersø").role == role
        else:
            with pytest.raises(Refused):
                grant_role(**values, reason="more than the admin holds")
