"""External people of shops: account, role and customer in one act, by production admins alone."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import Representation
from tracershop.models.reach import PLACE
from tracershop.selectors.external_people import external_people, people_to_add
from tracershop.services.external_people import add_customer, admit_external

from portal.access.decision import can, forget_held
from portal.access.models import RoleGrant
from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.notifications.models import OutboxMail
from portal.organisation.models import Membership
from portal.records.errors import Refused
from tests.support.factories import give, make_user
from tests.tracershop.factories import shop_world, stop_clock

pytestmark = pytest.mark.requirement("TS-100", "TS-101", "PT-002")


@pytest.fixture
def world(db, monkeypatch, server_keys):
    stop_clock(monkeypatch)
    return shop_world()


def admit(world, **changes):
    given = {
        "actor": world.production_admin,
        "customer_id": world.customer_a.pk,
        "name": "Ida Holm",
        "email": "ida@company.example",
        "expires_on": date(2027, 6, 30),
        "reason": "orders for the company",
    }
    return admit_external(**(given | changes))


def test_a_new_person_has_account_role_and_customer_at_once(world):
    person = admit(world)
    assert (person.kind, person.username) == (User.Kind.EXTERNAL, "ida@company.example")
    grant = RoleGrant.objects.get(user=person)
    assert (grant.role.code, grant.unit) == ("tracershop.shop_external", world.customer_a.unit)
    assert Representation.objects.get(user=person).customer == world.customer_a
    forget_held(person)
    assert can(person, PLACE, world.customer_a)
    assert not can(person, PLACE, world.customer_b)
    assert OutboxMail.objects.filter(to="ida@company.example").count() == 1
    acts = set(AuditEntry.objects.values_list("action", flat=True))
    assert {
        "accounts.external_created",
        "access.role_granted",
        "tracershop.representation_granted",
    } <= acts


def test_nothing_is_left_of_a_person_who_is_refused(world):
    admit(world)
    with pytest.raises(Refused) as refused:
        admit(world, name="Another", customer_id=world.customer_b.pk)
    assert refused.value.code == "taken"
    with pytest.raises(Refused) as refused:
        admit(world, email="late@company.example", expires_on=date(2020, 1, 1))
    assert refused.value.code == "past"
    assert not User.objects.filter(name="Another").exists()
    assert Representation.objects.filter(user__name="Ida Holm").count() == 1


def test_one_more_customer_needs_no_second_role(world):
    person = admit(world)
    add_customer(
        actor=world.production_admin, user=person, customer_id=world.customer_b.pk, reason="both"
    )
    assert RoleGrant.objects.filter(user=person).count() == 1
    assert Representation.objects.filter(user=person).count() == 2
    with pytest.raises(Refused) as refused:
        add_customer(
            actor=world.production_admin, user=person, customer_id=world.customer_b.pk, reason="x"
        )
    assert refused.value.code == "already"


def test_an_account_without_the_shops_role_gets_it(world):
    person = make_user("Per Lund", kind=User.Kind.EXTERNAL)
    Membership.objects.create(user=person, unit=world.customer_a.unit)
    given = {"user": person, "customer_id": world.customer_a.pk, "reason": "orders"}
    add_customer(actor=world.production_admin, **given)
    assert RoleGrant.objects.get(user=person).role.code == "tracershop.shop_external"


@pytest.mark.requirement("TS-006")
@pytest.mark.parametrize("who", ["producer", "superuser", "secretary", "external"])
def test_others_admit_nobody(world, who):
    person = getattr(world, who)
    with pytest.raises(PermissionDenied):
        admit(world, actor=person)
    with pytest.raises(PermissionDenied):
        add_customer(
            actor=person, user=world.external, customer_id=world.customer_a.pk, reason="mine"
        )


def test_staff_and_people_of_other_units_are_no_external_people_of_ones_own(world):
    admin = make_user("Local Admin")
    give(admin, "tracershop.production_admin", world.customer_a.unit)
    theirs = admit(world, customer_id=world.customer_b.pk)
    for person in (world.secretary, theirs):
        with pytest.raises(Refused) as refused:
            add_customer(actor=admin, user=person, customer_id=world.customer_a.pk, reason="to us")
        assert refused.value.code == "gone"
    with pytest.raises(Refused) as refused:
        admit(world, actor=admin, customer_id=world.customer_b.pk, email="x@company.example")
    assert refused.value.code == "gone"


def test_the_list_has_each_persons_customers_in_a_fixed_number_of_queries(
    world, django_assert_num_queries
):
    admit(world)
    with django_assert_num_queries(2):
        rows = list(external_people(world.production_admin))
        listed = {row.name: [str(each.customer) for each in row.customers] for row in rows}
        assert listed == {"Ida Holm": ["Nordby Hospital"], "Ole Fog": ["Søndersø Sygehus"]}
    assert [row.is_managed for row in rows] == [True, False]  # Ole Fog belongs to no unit
    for number in range(3):
        person = admit(world, name=f"P{number}", email=f"p{number}@company.example")
        add_customer(
            actor=world.production_admin, user=person, customer_id=world.customer_b.pk, reason="x"
        )
    with django_assert_num_queries(2):
        assert sum(len(row.customers) for row in external_people(world.production_admin)) == 8


@pytest.mark.requirement("TS-006")
def test_an_admin_of_one_unit_sees_neither_the_people_nor_the_customers_of_another(world):
    admin = make_user("Local Admin")
    give(admin, "tracershop.production_admin", world.customer_a.unit)
    both = admit(world)
    add_customer(
        actor=world.production_admin, user=both, customer_id=world.customer_b.pk, reason="both"
    )
    rows = list(external_people(admin))
    assert [[str(each.customer) for each in row.customers] for row in rows] == [["Nordby Hospital"]]
    assert not people_to_add(admin).filter(pk=world.external.pk).exists()
