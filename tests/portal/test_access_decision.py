"""can() and visible() are one decision, said for one object and for many (PT-015, PT-016)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.utils import timezone
from guardian.shortcuts import assign_perm
from tracershop.models.customers import Customer, Endpoint, Representation
from tracershop.models.reach import SEE_ALL, SEE_OWN

from portal.access import policies
from portal.access.decision import can, forget_held, reasons, require, visible
from portal.access.explanation import explain, find_object
from portal.access.models import GroupMember, PeopleGroup, Role, RoleGrant
from portal.access.services import end_exception, grant_exception
from portal.accounts.models import User
from portal.organisation.models import Membership, Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import soft_delete
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.django_db

EVERY_PRIVILEGE = ("a.unit", "a.anywhere", "a.relation", "a.exception", "a.any")


def units_of(user: Any) -> Any:
    memberships = Membership.objects.filter(user=user)
    return memberships.values_list("unit_id", flat=True)


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> policies.AccessPolicy:
    """Customers under every scope there is, each by a privilege of its own."""
    from tracershop.models.customers import CustomerUserObjectPermission

    by_unit = policies.ByUnit("unit")
    by_relation = policies.ByRelation("unit", units_of, "belongs to")
    by_exception = policies.ByException(lambda: CustomerUserObjectPermission)
    made = policies.AccessPolicy(
        view=("a.unit", "a.relation"),
        scopes={
            "a.unit": by_unit,
            "a.anywhere": policies.Anywhere(),
            "a.relation": by_relation,
            "a.exception": by_exception,
            "a.any": policies.AnyOf((by_unit, by_relation, by_exception)),
            "tracershop.see_own_orders": by_exception,
        },
    )
    monkeypatch.setattr(Customer, "access", made)
    return made


def random_tree(dice: random.Random, size: int) -> list[Unit]:
    units = [make_unit("root-a"), make_unit("root-b")]
    for number in range(size):
        units.append(make_unit(f"unit-{number}", dice.choice(units)))
    return [Unit.objects.get(pk=unit.pk) for unit in units]


def random_world(dice: random.Random) -> tuple[list[User], list[Customer]]:
    """People with grants of every kind: wide, narrow, future, past, ended, by group, none."""
    units = random_tree(dice, 12)
    for code in EVERY_PRIVILEGE:
        Role.objects.create(code=f"role.{code}", name=code, module="a", privileges=[code])
    Role.objects.create(
        code="role.all", name="all", module="a", privileges=[*EVERY_PRIVILEGE, SEE_OWN]
    )
    roles = list(Role.objects.filter(module="a"))
    group = PeopleGroup.objects.create(name="group", unit=units[0])
    today = timezone.localdate()
    people = []
    for number in range(10):
        user = make_user(f"person {number}", is_active=dice.random() > 0.1)
        people.append(user)
        if dice.random() < 0.3:
            GroupMember.objects.create(group=group, user=user)
        for unit in dice.sample(units, k=dice.randint(1, 4)):
            Membership.objects.create(user=user, unit=unit)
            grant = RoleGrant.objects.create(
                user=user,
                role=dice.choice(roles),
                unit=unit,
                below=dice.random() < 0.6,
                starts_on=dice.choice([None, None, today, today + timedelta(days=1)]),
            )
            if dice.random() < 0.2:
                soft_delete(grant)
    RoleGrant.objects.create(group=group, role=dice.choice(roles), unit=dice.choice(units))
    customers = [
        Customer.objects.create(name=f"customer {number}", unit=dice.choice(units))
        for number in range(20)
    ]
    for customer in dice.sample(customers, k=6):
        assign_perm("see_own_orders", dice.choice(people), customer)
    soft_delete(Unit.objects.get(pk=dice.choice(units).pk))
    return people, customers


def disagreements(
    people: list[User], objects: list[Any], privileges: Any
) -> Iterator[tuple[str, str, str]]:
    for person in people:
        user = User.objects.get(pk=person.pk)
        for privilege in privileges:
            model = type(objects[0])
            seen = set(
                visible(user, model.all_objects.all(), privilege).values_list("pk", flat=True)
            )
            for obj in objects:
                if can(user, privilege, obj) is not (obj.pk in seen):
                    yield str(user), privilege, str(obj)


@pytest.mark.requirement("PT-015", "PT-016", "PT-014")
@pytest.mark.parametrize("seed", range(5))
def test_can_and_visible_agree_for_every_scope_on_random_worlds(
    policy: policies.AccessPolicy, seed: int
) -> None:
    people, customers = random_world(random.Random(seed))
    customers = list(Customer.all_objects.select_related("unit"))
    assert list(disagreements(people, customers, policy.scopes)) == []
    some = {
        privilege: sum(can(person, privilege, each) for person in people for each in customers)
        for privilege in ("a.any", SEE_OWN)
    }
    assert all(0 < count < len(people) * len(customers) for count in some.values()), some


@pytest.mark.requirement("PT-015", "PT-016")
@pytest.mark.parametrize("seed", range(5, 7))
def test_seeing_is_any_privilege_that_lets_see(policy: policies.AccessPolicy, seed: int) -> None:
    people, customers = random_world(random.Random(seed))
    customers = list(Customer.all_objects.select_related("unit"))
    for person in people:
        user = User.objects.get(pk=person.pk)
        expected = {
            each for each in customers if any(can(user, code, each) for code in policy.view)
        }
        assert set(visible(user, Customer.all_objects.all())) == expected


@pytest.mark.requirement("PT-016", "TS-101")
def test_the_modules_own_policies_agree_too() -> None:
    dice = random.Random(7)
    units = random_tree(dice, 6)
    people = [make_user(f"person {number}") for number in range(6)]
    customers = [Customer.objects.create(name=f"c{n}", unit=dice.choice(units)) for n in range(8)]
    endpoints = [Endpoint.objects.create(customer=c, name="door") for c in customers]
    roles = Role.objects.filter(module="tracershop")
    for person in people[1:]:
        RoleGrant.objects.create(user=person, role=dice.choice(roles), unit=dice.choice(units))
        for customer in dice.sample(customers, k=2):
            Representation.objects.create(user=person, customer=customer)
        assign_perm("see_own_orders", person, dice.choice(customers))
    for objects in (customers, endpoints):
        assert list(disagreements(people, objects, type(objects[0]).access.scopes)) == []
    assert not visible(people[0], Customer.objects.all()).exists()


@pytest.mark.requirement("PT-016")
def test_what_nobody_declared_is_denied(policy: policies.AccessPolicy) -> None:
    unit = make_unit("hospital")
    customer = Customer.objects.create(name="c", unit=unit)
    user = make_user("Ib")
    Role.objects.create(code="all", name="all", module="a", privileges=[*EVERY_PRIVILEGE, "a.new"])
    give(user, "all", unit)
    assert can(user, "a.unit", customer)
    assert not can(user, "a.new", customer)  # held, but no scope says how it reaches
    assert not visible(user, Customer.objects.all(), "a.new").exists()
    assert not can(user, "a.unit", unit)  # a model without a policy
    assert not visible(user, Unit.objects.all()).exists()
    for nobody in (None, AnonymousUser()):
        assert not can(nobody, "a.unit", customer)
        assert not can(nobody, "a.unit")
        assert not visible(nobody, Customer.objects.all()).exists()
    with pytest.raises(PermissionDenied):
        require(user, "a.new", customer)


@pytest.mark.requirement("PT-016")
def test_a_service_acts_by_its_name() -> None:
    unit = make_unit("hospital")
    Customer.objects.create(name="c", unit=unit)
    keeper = ServiceActor("keeper")
    assert reasons(keeper, "a.unit") == ["the service keeper"]
    assert visible(keeper, Customer.objects.all()).count() == 1


# --- exceptions for one object ------------------------------------------------------------------


@pytest.mark.requirement("PT-014")
def test_an_exception_opens_one_object_to_one_person_until_it_is_ended() -> None:
    unit = make_unit("hospital")
    admin, ib = make_user("Ada"), make_user("Ib")
    give(admin, "access.portal_administrator", unit)
    one, other = (Customer.objects.create(name=name, unit=unit) for name in ("one", "other"))
    act = {"privilege": SEE_OWN, "obj": one, "reason": "stands in"}
    grant_exception(actor=admin, user=ib, **act)
    assert list(visible(ib, Customer.objects.all())) == [one]
    assert reasons(ib, SEE_OWN, one) == ["exception for one"]
    assert not can(ib, SEE_OWN, other)
    assert not can(ib, SEE_ALL, one)
    end_exception(actor=admin, user=ib, **act)
    assert not can(ib, SEE_OWN, one)
    with pytest.raises(Refused):
        grant_exception(actor=admin, user=admin, **act)
    with pytest.raises(PermissionDenied):
        grant_exception(actor=ib, user=admin, **act)


# --- why? ---------------------------------------------------------------------------------------


@pytest.fixture
def asked() -> dict[str, Any]:
    hospital = make_unit("hospital")
    clinic = make_unit("clinic", hospital)
    return {
        "hospital": hospital,
        "clinic": clinic,
        "customer": Customer.objects.create(name="Company", unit=hospital),
        "ib": make_user("Ib"),
    }


@pytest.mark.requirement("PT-016")
def test_a_yes_is_explained_by_the_reasons_themselves(asked: dict[str, Any]) -> None:
    give(asked["ib"], "tracershop.production_user", asked["hospital"])
    answer = explain(asked["ib"], SEE_ALL, asked["customer"])
    assert answer.allowed
    assert answer.lines == reasons(asked["ib"], SEE_ALL, asked["customer"])
    assert answer.lines == ["role Production user at Hospital"]


@pytest.mark.requirement("PT-016")
def test_a_no_says_what_is_missing(asked: dict[str, Any]) -> None:
    ib, customer, clinic = asked["ib"], asked["customer"], asked["clinic"]

    def said(privilege: str, obj: Model | None = None) -> str:
        forget_held(ib)
        answer = explain(ib, privilege, obj)
        assert not answer.allowed
        return " | ".join(answer.lines)

    assert "Roles that hold it: Production admin, Production user, Site admin" in said(SEE_ALL)
    tomorrow = timezone.localdate() + timedelta(days=1)
    grant = give(ib, "tracershop.production_user", asked["hospital"], starts_on=tomorrow)
    assert "begins on" in said(SEE_ALL, customer)
    soft_delete(grant)
    give(ib, "tracershop.production_user", clinic)
    assert said(SEE_ALL, customer) == (
        "Role Production user at Clinic holds it, but does not reach this object."
    )
    assert "not reach objects of this kind" in said(SEE_ALL, clinic)
    assert "not reach objects of this kind" in said("audit.browse_logs", customer)
    ib.is_active = False
    assert "closed or suspended" in said(SEE_ALL, customer)


@pytest.mark.requirement("PT-016")
def test_objects_are_found_by_kind_and_number(asked: dict[str, Any]) -> None:
    customer = asked["customer"]
    assert find_object(f"tracershop.customer:{customer.pk}") == customer
    for text, words in [
        ("", "no such kind"),
        ("tracershop", "no such kind"),
        ("tracershop.nothing:1", "no such kind"),
        ("tracershop.customer", "number is missing"),
        ("tracershop.customer:x", "number is missing"),
        ("tracershop.customer:0", "no object with this number"),
    ]:
        with pytest.raises(ValueError, match=words):
            find_object(text)
