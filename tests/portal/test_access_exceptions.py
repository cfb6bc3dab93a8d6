"""Exceptions for one object: given by who may, for others, and no more than they hold (PT-014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models.customers import (
    Customer,
    CustomerUserObjectPermission,
    Endpoint,
    Representation,
)

from portal.access import services
from portal.access.decision import can, forget_held, visible
from portal.access.models import ObjectException, Role
from portal.access.reach import exception_privileges, unit_of
from portal.access.selectors import exceptions
from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-014")]

SEE = "tracershop.see_own_orders"


@dataclass
class World:
    clinic: Unit
    customer: Customer
    """Of the clinic."""
    elsewhere: Customer
    ada: User
    """Administers access at the clinic."""
    mona: User
    """Tracershop's module admin at the clinic; represents no customer."""
    ib: User


@pytest.fixture
def world() -> World:
    house = make_unit("house")
    clinic, pharmacy = make_unit("clinic", house), make_unit("pharmacy", house)
    Role.objects.create(
        code="t.admin",
        name="admin",
        module="tracershop",
        privileges=["access.grant_role", SEE],
    )
    ada, mona, ib = (make_user(name) for name in ("Ada", "Mona", "Ib"))
    give(ada, "access.unit_administrator", clinic)
    give(mona, "t.admin", clinic)
    customer = Customer.objects.create(name="Ward", unit=clinic)
    elsewhere = Customer.objects.create(name="Elsewhere", unit=pharmacy)
    return World(clinic, customer, elsewhere, ada, mona, ib)


def act(world: World, **values: Any) -> dict[str, Any]:
    return {
        "actor": world.ada,
        "user": world.ib,
        "privilege": SEE,
        "obj": world.customer,
        "reason": "stands in",
    } | values


def refused(code: str, service: Any, **values: Any) -> None:
    def there() -> tuple[int, int]:
        return ObjectException.objects.count(), CustomerUserObjectPermission.objects.count()

    before = there()
    with pytest.raises(Refused) as refusal:
        service(**values)
    assert refusal.value.code == code
    assert there() == before


def test_an_exception_is_registered_with_since_when_and_by_whom(world: World) -> None:
    made = services.grant_exception(**act(world))
    assert list(visible(world.ib, Customer.objects.all())) == [world.customer]
    assert (made.granted_by, made.unit, made.object_type) == (
        world.ada,
        world.clinic,
        "tracershop.customer",
    )
    assert made.history.get().history_change_reason == "stands in"
    refused("already_held", services.grant_exception, **act(world))
    services.end_exception(**act(world, reason="is back"))
    forget_held(world.ib)
    assert not can(world.ib, SEE, world.customer)
    assert not CustomerUserObjectPermission.objects.exists()
    assert not ObjectException.objects.exists()
    refused("gone", services.end_exception, **act(world))
    told = AuditEntry.objects.filter(action__startswith="access.exception").order_by("pk")
    assert [each.reason for each in told] == ["stands in", "is back"]
    assert services.grant_exception(**act(world))  # and once more


def test_an_exception_takes_a_say_over_the_objects_unit(world: World) -> None:
    for actor in (world.ada, world.mona):
        refused(
            "outside_unit",
            services.grant_exception,
            **act(world, actor=actor, obj=world.elsewhere),
        )
    services.grant_exception(**act(world, actor=ServiceActor("import"), obj=world.elsewhere))
    refused("outside_unit", services.end_exception, **act(world, obj=world.elsewhere))
    nobody = make_user("Nobody")
    for service in (services.grant_exception, services.end_exception):
        with pytest.raises(PermissionDenied):
            service(**act(world, actor=nobody))


@pytest.mark.parametrize("who", ["ada", "mona"])
def test_nobody_gives_an_exception_to_themselves(world: World, who: str) -> None:
    me = getattr(world, who)
    Representation.objects.create(user=me, customer=world.customer)
    refused("self_grant", services.grant_exception, **act(world, actor=me, user=me))


def test_a_module_admin_gives_what_they_hold_on_the_object_and_of_the_module(
    world: World,
) -> None:
    refused("above_own", services.grant_exception, **act(world, actor=world.mona))
    Representation.objects.create(user=world.mona, customer=world.customer)
    forget_held(world.mona)
    assert services.grant_exception(**act(world, actor=world.mona))
    other = make_user("Otto")
    Role.objects.create(
        code="o.admin", name="o", module="other", privileges=["access.grant_role", SEE]
    )
    give(other, "o.admin", world.clinic)
    refused(
        "other_module",
        services.grant_exception,
        **act(world, actor=other, user=make_user("Eva")),
    )


def test_only_what_the_policy_names_takes_exceptions(world: World) -> None:
    endpoint = Endpoint.objects.create(customer=world.customer, name="door")
    assert set(exception_privileges(Customer)) == {SEE}
    assert exception_privileges(Endpoint) == {}
    assert exception_privileges(Unit) == {}
    assert unit_of(endpoint) == world.clinic
    refused("no_exception", services.grant_exception, **act(world, obj=endpoint))
    refused(
        "no_exception",
        services.grant_exception,
        **act(world, privilege="tracershop.place_order"),
    )
    # but what is opened by the customer's exception is the customer's endpoints too
    services.grant_exception(**act(world))
    forget_held(world.ib)
    assert can(world.ib, SEE, endpoint)


def test_what_belongs_to_no_unit_is_for_the_administrators_of_the_whole_house(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.access.authority.unit_of", lambda _obj: None)
    refused("outside_unit", services.grant_exception, **act(world))
    root = make_user("Root")
    give(root, "access.portal_administrator", Unit.objects.get(code="house"))
    assert services.grant_exception(**act(world, actor=root))


# --- pages ----------------------------------------------------------------------------------------


def test_an_exception_is_given_and_ended_on_the_page_of_its_object(
    client: Client, world: World
) -> None:
    sign_in(client, world.ada)
    page = reverse("access:exceptions_of", args=["tracershop.customer", world.customer.pk])
    assert "Nobody has an exception" in client.get(page).content.decode()
    form = {"user": "ib", "privilege": SEE, "reason": "stands in"}
    wrong = client.post(page, form | {"user": "ada"})
    assert wrong.status_code == 422
    assert "to themselves" in wrong.content.decode()
    forged = client.post(page, form | {"privilege": "tracershop.place_order"})
    assert forged.status_code == 422
    assert client.post(page, form).status_code == 302
    assert can(User.objects.get(pk=world.ib.pk), SEE, world.customer)
    told = client.get(page).content.decode()
    assert "See orders of represented customers" in told
    assert "Ada" in told
    overview = reverse("access:exceptions")
    assert "Ward" in client.get(overview).content.decode()
    assert "Ward" in client.get(overview, {"text": "ib"}).content.decode()
    assert "Ward" not in client.get(overview, {"text": "nobody"}).content.decode()
    end = reverse("access:end_exception", args=[ObjectException.objects.get().pk])
    assert client.get(end).status_code == 200
    assert client.post(end, {"reason": "is back"}).status_code == 302
    assert not can(User.objects.get(pk=world.ib.pk), SEE, world.customer)
    assert client.get(end).status_code == 404


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("tracershop.customer", "elsewhere"),
        ("tracershop.customer", "0"),
        ("tracershop.customer", "x"),
        ("tracershop.endpoint", "1"),
        ("no.thing", "1"),
        ("nothing", "1"),
        ("organisation.unit", "clinic"),
    ],
)
def test_other_objects_are_not_found(client: Client, world: World, kind: str, key: str) -> None:
    keys = {"elsewhere": world.elsewhere.pk, "clinic": world.clinic.pk}
    sign_in(client, world.ada)
    url = reverse("access:exceptions_of", args=[kind, keys.get(key, key)])
    assert client.get(url).status_code == 404
    form = {"user": "ib", "privilege": SEE, "reason": "x"}
    assert client.post(url, form).status_code == 404
    assert not CustomerUserObjectPermission.objects.exists()


def test_exceptions_of_other_units_and_modules_are_not_listed(world: World) -> None:
    service = ServiceActor("import")
    here = services.grant_exception(**act(world, actor=service))
    services.grant_exception(**act(world, actor=service, obj=world.elsewhere))
    assert list(exceptions(world.ada)) == [here]
    assert list(exceptions(world.mona)) == [here]
    here.privilege = "other.look"
    here.save()
    assert not exceptions(world.mona).exists()
    assert not exceptions(world.ib).exists()


def test_the_list_of_exceptions_takes_the_same_number_of_queries_at_any_length(
    client: Client, world: World
) -> None:
    sign_in(client, world.ada)
    counts = []
    for number in range(30):
        services.grant_exception(**act(world, user=make_user(f"Person {number}")))
        if number in (2, 29):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(reverse("access:exceptions")).status_code == 200
            counts.append(len(queries))
    assert counts[0] == counts[1]
