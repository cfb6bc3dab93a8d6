"""Who represents which customer, and who may say so."""

from __future__ import annotations

import pytest
from tracershop.models import Customer, Representation
from tracershop.selectors.representation import manageable, people_to_choose, representations
from tracershop.services.representation import end_representation, let_represent

from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.records.errors import Refused
from tests.support.factories import give, make_unit, make_user
from tests.tracershop.factories import shop_world

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("TS-101", "TS-100")]


@pytest.fixture
def world():
    return shop_world()


def colleague(world, name="Tove Juhl", role="shop_internal", **values):
    person = make_user(name, **values)
    give(person, f"tracershop.{role}", world.region)
    return person


def let(world, user, **values):
    fields = {
        "actor": world.superuser,
        "customer_id": world.customer_a.pk,
        "reason": "new in the department",
    }
    return let_represent(user=user, **(fields | values))


def refusal(act, *args, **values):
    with pytest.raises(Refused) as refused:
        act(*args, **values)
    return refused.value.code


def test_a_superuser_lets_a_colleague_represent_what_they_represent_themselves(world):
    person = colleague(world)

    representation = let(world, person)

    assert (representation.user, representation.customer) == (person, world.customer_a)
    entry = AuditEntry.objects.get(action="tracershop.representation_granted")
    assert entry.reason == "new in the department"
    assert entry.actor_id == world.superuser.pk


def test_a_superuser_decides_nothing_over_a_customer_that_they_do_not_represent(world):
    person = colleague(world)
    same_hospital = Customer.objects.create(name="Nordby Research", unit=world.customer_a.unit)

    assert refusal(let, world, person, customer_id=world.customer_b.pk) == "gone"
    assert refusal(let, world, person, customer_id=same_hospital.pk) == "gone"
    assert list(manageable(world.superuser, Customer.objects.all())) == [world.customer_a]


def test_a_production_admin_decides_over_every_customer_at_or_below_their_unit(world):
    far = make_unit("far")
    beyond = Customer.objects.create(name="Beyond", unit=far)
    person = colleague(world)

    let(world, person, actor=world.production_admin, customer_id=world.customer_b.pk)

    assert Representation.objects.filter(user=person, customer=world.customer_b).exists()
    act = {"actor": world.production_admin, "customer_id": beyond.pk}
    assert refusal(let, world, person, **act) == "gone"


@pytest.mark.parametrize("who", ["secretary", "other_secretary", "external", "producer"])
def test_nobody_else_lets_anybody_represent(world, who):
    person = colleague(world)

    assert refusal(let, world, person, actor=getattr(world, who)) == "gone"


def test_nobody_lets_themselves_represent(world):
    assert refusal(let, world, world.superuser) == "self_grant"
    act = {"actor": world.production_admin, "customer_id": world.customer_b.pk}
    assert refusal(let, world, world.production_admin, **act) == "self_grant"


def test_who_has_no_role_in_the_shop_represents_nobody(world):
    assert refusal(let, world, make_user("Frede Lund")) == "no_role"
    assert refusal(let, world, world.producer) == "no_role"


def test_external_people_are_let_and_ended_by_production_only(world):
    person = colleague(world, role="shop_external", kind=User.Kind.EXTERNAL)

    assert refusal(let, world, person) == "external"
    representation = let(world, person, actor=world.production_admin)
    end = {"representation_id": representation.pk, "reason": "gone"}
    assert refusal(end_representation, actor=world.superuser, **end) == "external"
    end_representation(actor=world.production_admin, **end)

    assert not Representation.objects.filter(user=person).exists()


def test_the_same_person_represents_a_customer_once(world):
    assert refusal(let, world, world.secretary) == "already"


def test_an_ended_representation_stays_on_record_and_can_be_given_again(world):
    representation = world.secretary.represents.get()

    end_representation(
        actor=world.superuser, representation_id=representation.pk, reason="moved away"
    )

    assert Representation.all_objects.get(pk=representation.pk).is_deleted
    assert AuditEntry.objects.get(action="tracershop.representation_ended").reason == "moved away"
    let(world, world.secretary)
    assert world.secretary.represents.filter(deleted_at__isnull=True).count() == 1


def test_nobody_ends_their_own_representation(world):
    own = world.superuser.represents.get()

    act = {"actor": world.superuser, "representation_id": own.pk, "reason": "x"}
    assert refusal(end_representation, **act) == "self_grant"


@pytest.mark.requirement("TS-006")
def test_representations_of_another_customer_are_not_there_to_end(world):
    other = world.other_secretary.represents.get()

    act = {"actor": world.superuser, "representation_id": other.pk, "reason": "x"}
    assert refusal(end_representation, **act) == "gone"
    assert other not in list(representations(world.superuser))


def test_a_superuser_chooses_among_internal_people_with_a_role_in_the_shop(world):
    inside = colleague(world)
    outside = colleague(world, "Ib Ravn", role="shop_external", kind=User.Kind.EXTERNAL)
    nobody = make_user("Frede Lund")

    chosen = set(people_to_choose(world.superuser))

    assert inside in chosen
    assert chosen.isdisjoint({outside, nobody, world.superuser, world.producer})
    assert outside in set(people_to_choose(world.production_admin))
