"""Why may X see Y, who may see Y: the decision's own answer in words, and its price (PT-016)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from guardian.shortcuts import assign_perm
from tracershop.models.customers import Customer, CustomerUserObjectPermission

from portal.access import policies, services
from portal.access.decision import can, forget_held
from portal.access.explanation import explain, may_ask_about
from portal.access.models import (
    GroupMember,
    NamedPeople,
    PeopleGroup,
    Profile,
    Role,
    RoleGrant,
)
from portal.access.standing import Standing
from portal.access.who_may import who_may
from portal.accounts.models import User
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user
from tests.support.patients_app.models import Patient

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-016")]

SEE = "tracershop.see_own_orders"
VIEW, PERSONAL = "patients.view", "patients.see_personal_data"
Scope = RoleGrant.DataScope


@dataclass
class World:
    house: Unit
    ward: Unit
    lab: Unit
    ib: User
    patient: Patient
    """Of the ward, entered by somebody else."""


@pytest.fixture
def world() -> World:
    house = make_unit("house")
    ward, lab = make_unit("ward", house), make_unit("lab", house)
    for code, privilege in (("p.view", VIEW), ("p.personal", PERSONAL)):
        Role.objects.create(code=code, name=code, module="patients", privileges=[privilege])
    patient = Patient.objects.create(
        name="Anna", number="1", unit=ward, entered_by=make_user("Eva")
    )
    return World(house, ward, lab, make_user("Ib"), patient)


def lines(grounds: list[Any]) -> list[str]:
    return [str(ground) for ground in grounds]


# --- why? -----------------------------------------------------------------------------------------


def test_the_answer_names_the_group_the_scope_and_the_last_day(world: World) -> None:
    group = PeopleGroup.objects.create(name="Team A", unit=world.ward)
    GroupMember.objects.create(group=group, user=world.ib)
    today = timezone.localdate()
    RoleGrant.objects.create(
        group=group,
        role=Role.objects.get(code="p.view"),
        unit=world.house,
        data_scope=Scope.UNIT,
        ends_on=today,
    )
    answer = explain(world.ib, VIEW, world.patient)
    [only] = answer.profiles
    [line] = lines(only.grounds)
    assert line.startswith("role p.view at House: all rows of the unit – through group Team A")
    assert "until and including" in line
    assert answer.allowed


def test_a_scope_that_does_not_reach_is_no_ground(world: World) -> None:
    own = give(world.ib, "p.view", world.ward)
    answer = explain(world.ib, VIEW, world.patient)
    assert not answer.allowed
    assert answer.profiles[0].grounds == []
    assert answer.lines == [
        "Role p.view at Ward holds it, but does not reach this object.",
    ]
    own.data_scope = Scope.PEOPLE
    own.save()
    NamedPeople.objects.create(grant=own, user=world.patient.entered_by)
    give(world.ib, "p.view", world.lab, data_scope=Scope.UNIT)
    forget_held(world.ib)
    [line] = lines(explain(world.ib, VIEW, world.patient).profiles[0].grounds)
    assert line == "role p.view at Ward: also rows of named people and groups"


@pytest.mark.requirement("PT-011")
def test_each_profile_has_an_answer_of_its_own(world: World) -> None:
    doctor, nurse = (
        Profile.objects.create(user=world.ib, name=name, unit=world.ward)
        for name in ("Doctor", "Nurse")
    )
    give(world.ib, "p.view", world.ward, profile=doctor, data_scope=Scope.UNIT)
    answers = {each.profile: each for each in explain(world.ib, VIEW, world.patient).profiles}
    assert answers["Doctor"].allowed
    assert "in profile Doctor" in lines(answers["Doctor"].grounds)[0]
    assert not answers["Nurse"].allowed
    assert answers["Nurse"].missing[0] == "No role of this person in force holds the privilege."
    world.ib.standing = Standing(profile_id=nurse.pk)
    forget_held(world.ib)
    assert not can(world.ib, VIEW, world.patient)


@pytest.mark.requirement("PT-015")
def test_it_says_whether_personal_data_is_masked_and_why_not(world: World) -> None:
    give(world.ib, "p.view", world.house, data_scope=Scope.UNIT)
    assert explain(world.ib, VIEW, world.patient).personal == []
    give(world.ib, "p.personal", world.ward)
    assert lines(explain(world.ib, VIEW, world.patient).personal or []) == [
        "role p.personal at Ward"
    ]
    customer = Customer.objects.create(name="c", unit=world.ward)
    assert explain(world.ib, SEE, customer).personal is None


@pytest.mark.requirement("PT-006")
def test_it_says_that_somebody_may_act_in_another_role_here(world: World) -> None:
    assert explain(world.ib, VIEW, world.patient).acting == []
    give(world.ib, "access.site_administrator", world.house)
    forget_held(world.ib)
    answer = explain(world.ib, VIEW, world.patient)
    assert not answer.allowed
    assert lines(answer.acting) == ["role Site administrator at House"]


@pytest.mark.requirement("PT-014")
def test_an_exception_is_a_ground(world: World) -> None:
    customer = Customer.objects.create(name="Ward 3", unit=world.ward)
    services.grant_exception(
        actor=ServiceActor("test"), user=world.ib, privilege=SEE, obj=customer, reason="x"
    )
    forget_held(world.ib)
    assert lines(explain(world.ib, SEE, customer).profiles[0].grounds) == ["exception for Ward 3"]


def test_a_suspended_person_may_nothing(world: World) -> None:
    give(world.ib, "p.view", world.ward, data_scope=Scope.UNIT)
    world.ib.is_active = False
    answer = explain(world.ib, VIEW, world.patient)
    assert not answer.allowed
    assert answer.profiles[0].grounds == []


# --- who may? -------------------------------------------------------------------------------------


EVERY = ("a.unit", "a.anywhere", "a.relation", "a.exception", "a.any", "a.owner")


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> policies.AccessPolicy:
    """Customers under every kind of scope."""
    by_unit = policies.ByUnit("unit")
    by_relation = policies.ByRelation("unit", _own_units, "belongs to")
    by_exception = policies.ByException(lambda: CustomerUserObjectPermission)
    made = policies.AccessPolicy(
        view=EVERY,
        scopes={
            "a.unit": by_unit,
            "a.anywhere": policies.Anywhere(),
            "a.relation": by_relation,
            SEE: policies.AnyOf((by_relation, by_exception)),
            "a.any": policies.AnyOf((by_unit, by_relation)),
        },
    )
    monkeypatch.setattr(Customer, "access", made)
    return made


def _own_units(user: Any) -> Any:
    from portal.organisation.models import Membership

    return Membership.objects.filter(user=user).values_list("unit_id", flat=True)


@pytest.mark.parametrize("seed", range(3))
def test_who_may_is_everybody_of_whom_can_says_yes_in_some_profile(
    world: World, policy: policies.AccessPolicy, seed: int
) -> None:
    from portal.organisation.models import Membership

    dice = random.Random(seed)
    units = [world.house, world.ward, world.lab]
    codes = list(policy.scopes)
    for code in codes:
        Role.objects.create(code=f"r.{code}", name=code, module="a", privileges=[code])
    roles = list(Role.objects.filter(code__startswith="r."))
    group = PeopleGroup.objects.create(name="g", unit=world.ward)
    people = [make_user(f"p{n}", is_active=dice.random() > 0.1) for n in range(12)]
    customer = Customer.objects.create(name="c", unit=world.ward)
    for person in people:
        profile = Profile.objects.create(user=person, name="P", unit=world.ward)
        Membership.objects.create(user=person, unit=dice.choice(units))
        if dice.random() < 0.3:
            GroupMember.objects.create(group=group, user=person)
        if dice.random() < 0.2:
            assign_perm("see_own_orders", person, customer)
        RoleGrant.objects.create(
            user=person,
            role=dice.choice(roles),
            unit=dice.choice(units),
            below=dice.random() < 0.7,
            profile=dice.choice([None, profile]),
            starts_on=dice.choice([None, timezone.localdate() + timedelta(days=1)]),
        )
    RoleGrant.objects.create(group=group, role=dice.choice(roles), unit=dice.choice(units))
    customer = Customer.objects.select_related("unit").get(pk=customer.pk)
    for code in codes:
        said = {person.pk for person, grounds in who_may(code, customer).people if grounds}
        assert said == {
            person.pk
            for person in User.objects.filter(is_active=True)
            if any(each.allowed for each in explain(person, code, customer).profiles)
        }, code


@pytest.mark.requirement("PT-015")
def test_who_may_takes_few_queries_for_many_people_and_names_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for number in range(30):
        give(make_user(f"Person {number:02}"), "p.view", world.ward, data_scope=Scope.UNIT)
        if number in (2, 29):
            patient = Patient.objects.get(pk=world.patient.pk)
            with CaptureQueriesContext(connection) as queries:
                found = who_may(VIEW, patient)
            assert len(found.people) == number + 1
            counts.append(len(queries))
    assert counts[0] == counts[1] <= 8
    monkeypatch.setattr("portal.access.who_may.MOST_PEOPLE", 10)
    found = who_may(VIEW, world.patient)
    assert (len(found.people), found.more) == (10, 20)
    assert who_may("patients.no_such", world.patient).people == []
    assert who_may(VIEW, world.ward).people == []


# --- the page -------------------------------------------------------------------------------------


@pytest.fixture
def asker(world: World, client: Client) -> User:
    user = make_user("Ada Asker")
    give(user, "access.unit_administrator", world.ward)
    return sign_in(client, user)


def ask(client: Client, status: int = 200, **query: Any) -> str:
    answer = client.get(reverse("access:explain"), query)
    assert answer.status_code == status
    return answer.content.decode()


@pytest.mark.requirement("PT-016", "PT-005")
def test_one_asks_about_objects_of_ones_units_and_learns_nothing_of_others(
    client: Client, world: World, asker: User
) -> None:
    here = Customer.objects.create(name="Here", unit=world.ward)
    there = Customer.objects.create(name="Secret Ward", unit=world.lab)
    assert may_ask_about(asker, here)
    give(world.ib, "tracershop.shop_external", world.ward)
    label = "tracershop.customer"
    answer = ask(client, person="ib", privilege=SEE, object=f"{label}:{here.pk}")
    assert "Exceptions for Here" in answer
    for query in ({"person": "ib"}, {"person": ""}):
        answer = ask(client, 422, privilege=SEE, object=f"{label}:{there.pk}", **query)
        assert "There is no object with this number" in answer
        assert "Secret Ward" not in answer
    # what one sees oneself one may ask about, wherever it is
    services.grant_exception(
        actor=ServiceActor("test"), user=asker, privilege=SEE, obj=there, reason="x"
    )
    assert "Who may" in ask(client, privilege=SEE, object=f"{label}:{there.pk}")


def test_without_an_object_roles_at_other_units_are_counted_and_not_told(
    client: Client, world: World, asker: User
) -> None:
    give(world.ib, "tracershop.shop_external", world.ward)
    give(world.ib, "tracershop.shop_external", world.lab)
    answer = ask(client, person="ib", privilege=SEE)
    assert "at Ward" in answer
    assert "at Lab" not in answer
    assert "1 role at a unit that is not yours to explain" in answer


def test_something_has_to_be_named(client: Client, asker: User) -> None:
    assert "Name a person, an object, or both" in ask(client, 422, privilege=SEE)


def test_the_page_lists_who_may(client: Client, world: World, asker: User) -> None:
    give(world.ib, "p.view", world.ward, data_scope=Scope.UNIT)
    # a privilege of an installed module: the form offers no other
    customer = Customer.objects.create(name="c", unit=world.ward)
    label = f"tracershop.customer:{customer.pk}"
    assert "Nobody may" in ask(client, privilege="tracershop.see_all_orders", object=label)
    give(world.ib, "tracershop.production_user", world.ward)
    page = ask(client, privilege="tracershop.see_all_orders", object=label)
    assert "role Production user at Ward" in page


# --- what it costs to decide ----------------------------------------------------------------------


@pytest.mark.requirement("PT-016", "PT-015", "PT-014", "PT-013")
def test_a_hundred_objects_are_decided_in_three_queries(world: World) -> None:
    """By unit, group, data scope with named people, relation and exception."""
    group = PeopleGroup.objects.create(name="g", unit=world.ward)
    GroupMember.objects.create(group=group, user=world.ib)
    shop, view = (Role.objects.get(code=c) for c in ("tracershop.shop_external", "p.view"))
    RoleGrant.objects.create(group=group, role=shop, unit=world.ward)
    grant = RoleGrant.objects.create(
        group=group, role=view, unit=world.house, data_scope=Scope.PEOPLE
    )
    NamedPeople.objects.create(grant=grant, group=group)
    NamedPeople.objects.create(grant=grant, user=world.patient.entered_by)
    give(world.ib, "p.personal", world.ward)
    customers = [Customer.objects.create(name=f"c{n}", unit=world.ward) for n in range(100)]
    for customer in customers[::3]:
        assign_perm("see_own_orders", world.ib, customer)
    rows = [
        Patient.objects.create(
            name=f"P {n}",
            number=f"n{n}",
            unit=world.ward,
            entered_by=world.patient.entered_by if n % 2 else None,
        )
        for n in range(100)
    ]
    for objects, privilege, expected in (
        (list(Customer.objects.select_related("unit")), SEE, 34),
        (
            list(
                Patient.objects.filter(pk__in=[r.pk for r in rows]).select_related(
                    "unit", "entered_by"
                )
            ),
            VIEW,
            50,
        ),
        (rows, PERSONAL, 100),
    ):
        forget_held(world.ib)
        with CaptureQueriesContext(connection) as queries:
            found = sum(can(world.ib, privilege, each) for each in objects)
        assert found == expected, privilege
        assert len(queries) <= 3, [query["sql"] for query in queries]
