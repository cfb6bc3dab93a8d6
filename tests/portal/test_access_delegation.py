"""Delegated administration: every way to more than one was given is refused (PT-013)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.access import services
from portal.access.authority import house_wide_codes
from portal.access.decision import can, forget_held
from portal.access.models import (
    DirectoryGroup,
    GroupMember,
    NamedPeople,
    PeopleGroup,
    Profile,
    Role,
    RoleGrant,
)
from portal.access.selectors import grants, groups, roles_to_grant, units_to_grant_at
from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused, StaleRecord
from portal.registry import registry
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.requirement("PT-013")

SEE, PLACE = "tracershop.see_own_orders", "tracershop.place_order"
VIEW, PERSONAL = "patients.view", "patients.see_personal_data"
Scope = RoleGrant.DataScope


@dataclass
class World:
    """house → (clinic → room, pharmacy). Mona is Tracershop's module admin at the clinic."""

    house: Unit
    clinic: Unit
    room: Unit
    pharmacy: Unit
    mona: User
    ada: User
    """Administers access at the clinic."""
    root: User
    """Administers access in the whole house."""
    ib: User
    shop: Role
    """A role of Tracershop that Mona could grant."""

    def unit(self, name: str) -> Unit:
        return getattr(self, name)


def compose(code: str, *privileges: str, module: str = "access") -> Role:
    return Role.objects.create(code=code, name=code, module=module, privileges=list(privileges))


@pytest.fixture
def world(db: None) -> World:
    house = make_unit("house")
    clinic, pharmacy = make_unit("clinic", house), make_unit("pharmacy", house)
    room = make_unit("room", clinic)
    compose("t.admin", "access.grant_role", SEE, PLACE, module="tracershop")
    people = {name: make_user(name.capitalize()) for name in ("mona", "ada", "root", "ib")}
    give(people["mona"], "t.admin", clinic)
    give(people["ada"], "access.unit_administrator", clinic)
    give(people["root"], "access.portal_administrator", house)
    shop = Role.objects.get(code="tracershop.shop_external")
    return World(house, clinic, room, pharmacy, shop=shop, **people)


def refused(code: str, act: Callable[..., Any], **values: Any) -> None:
    before = RoleGrant.objects.count(), GroupMember.objects.count(), NamedPeople.objects.count()
    with pytest.raises(Refused) as refusal:
        act(**values)
    assert refusal.value.code == code
    after = RoleGrant.objects.count(), GroupMember.objects.count(), NamedPeople.objects.count()
    assert before == after


def offer(world: World, **values: Any) -> dict[str, Any]:
    """What Mona may do: the shop's role for Ib at the room."""
    return {
        "actor": world.mona,
        "user": world.ib,
        "role": world.shop,
        "unit": world.room,
        "reason": "x",
    } | values


# --- only of the module, only there, never more -------------------------------------------------


def test_a_module_admin_grants_roles_of_the_module_at_and_below_the_unit(world: World) -> None:
    for unit in (world.clinic, world.room):
        grant = services.grant_role(**offer(world, unit=unit))
        assert grant.granted_by == world.mona
    assert can(world.ib, PLACE)
    for unit in (world.house, world.pharmacy):
        refused("outside_unit", services.grant_role, **offer(world, unit=unit))


def test_a_module_admin_grants_nothing_of_another_module_however_much_they_hold(
    world: World,
) -> None:
    give(world.mona, "accounts.account_owner", world.clinic)
    owner = Role.objects.get(code="accounts.account_owner")
    mixed = compose("mixed", PLACE, "accounts.own_requests")
    for role in (owner, mixed):
        refused("other_module", services.grant_role, **offer(world, role=role))
    assert services.grant_role(**offer(world, role=compose("own", PLACE, SEE)))


def test_a_module_admin_grants_no_more_than_they_hold_at_that_unit(world: World) -> None:
    internal = Role.objects.get(code="tracershop.shop_internal")
    refused("above_own", services.grant_role, **offer(world, role=internal))
    give(world.mona, "tracershop.shop_internal", world.pharmacy)
    refused("above_own", services.grant_role, **offer(world, role=internal))
    give(world.mona, "tracershop.shop_internal", world.room)
    assert services.grant_role(**offer(world, role=internal))
    refused("above_own", services.grant_role, **offer(world, role=internal, unit=world.clinic))


def test_who_grants_through_a_composed_role_grants_of_its_modules_alone(world: World) -> None:
    compose("shopkeeper", "access.grant_role", SEE, PLACE)
    keeper = make_user("Kaj Keeper")
    give(keeper, "shopkeeper", world.clinic)
    give(keeper, "accounts.account_owner", world.clinic)
    owner = Role.objects.get(code="accounts.account_owner")
    assert services.grant_role(**offer(world, actor=keeper))
    refused("other_module", services.grant_role, **offer(world, actor=keeper, role=owner))


def test_administrators_of_a_unit_grant_what_they_do_not_hold_but_nothing_house_wide(
    world: World,
) -> None:
    assert services.grant_role(**offer(world, actor=world.ada))
    auditor = Role.objects.get(code="audit.auditor")
    act = offer(world, actor=world.ada, role=auditor)
    refused("house_wide", services.grant_role, **act)
    refused("house_wide", services.grant_role, **act | {"unit": world.clinic, "below": False})
    refused("house_wide", services.grant_role, **act | {"actor": world.root})
    refused("house_wide", services.grant_role, **act | {"actor": ServiceActor("import")})
    refused("outside_unit", services.grant_role, **act | {"unit": world.house})
    assert services.grant_role(**act | {"unit": world.house, "actor": world.root})


def test_what_reaches_no_unit_is_declared_house_wide() -> None:
    assert {
        "audit.browse_logs",
        "audit.export_logs",
        "audit.review_trail",
        "access.act_as",
        "accounts.manage_people",
        "accounts.manage_sessions",
        "inbox.read_messages",
        "inbox.replay_messages",
        "notifications.see_outbox",
        "operations.see_status",
        "operations.sign_configuration",
        "tracershop.see_all_orders",
        "tracershop.release_order",
        "tracershop.manage_vials",
        "tracershop.certify_releaser",
    } <= house_wide_codes()


def test_a_privilege_that_reaches_rows_anywhere_is_declared_house_wide() -> None:
    from portal.access.policies import Anywhere
    from portal.access.reach import policies, ways

    anywhere = {
        code
        for model, policy in policies()
        for code, scope in policy.scopes.items()
        if any(isinstance(way, Anywhere) for way in ways(scope))
    }
    assert anywhere <= house_wide_codes(), anywhere - house_wide_codes()


def test_a_mapping_or_a_composed_role_does_not_carry_house_wide_privileges_below(
    world: World,
) -> None:
    auditor = Role.objects.get(code="audit.auditor")
    with pytest.raises(Refused) as refusal:
        services.map_directory_group(
            actor=world.root, name="logs", role=auditor, unit=world.clinic, reason="x"
        )
    assert refusal.value.code == "house_wide"
    role = compose("composed.one", "organisation.change_units")
    give(world.ib, "composed.one", world.room)
    act = {"actor": world.root, "name": "One", "role_id": role.pk, "reason": "x"}
    with pytest.raises(Refused) as refusal:
        services.compose_role(**act, privileges=["audit.browse_logs"])
    assert refusal.value.code == "house_wide"
    role.refresh_from_db()
    assert role.privileges == ["organisation.change_units"]


# --- never to oneself ---------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["mona", "ada", "root"])
def test_nobody_grants_to_themselves_in_whatever_way(world: World, who: str) -> None:
    me = getattr(world, who)
    group = PeopleGroup.objects.create(name="team", unit=world.clinic)
    act = offer(world, actor=me, user=User.objects.get(pk=me.pk))
    refused("self_grant", services.grant_role, **act)
    profile = Profile.objects.create(user=me, name="Other", unit=world.clinic)
    refused("self_grant", services.grant_role, **act, profile=profile)
    # not by putting oneself into a group, whether it holds something yet or not
    join = {"actor": me, "group_id": group.pk, "user": me, "reason": "x"}
    refused("self_grant", services.add_member, **join)
    give_group(group, world.shop, world.room)
    refused("self_grant", services.add_member, **join)
    # not to a group in which somebody else put them
    GroupMember.objects.create(group=group, user=me)
    refused("self_grant", services.grant_role, **act | {"user": None, "group": group})


def give_group(group: PeopleGroup, role: Role, unit: Unit, **values: Any) -> RoleGrant:
    return RoleGrant.objects.create(group=group, role=role, unit=unit, **values)


@pytest.mark.parametrize("who", ["mona", "ada", "root"])
def test_nobody_widens_what_they_hold(world: World, who: str) -> None:
    me = getattr(world, who)
    group = PeopleGroup.objects.create(name="team", unit=world.clinic)
    GroupMember.objects.create(group=group, user=me)
    today = timezone.localdate()
    for own in (
        give(me, "tracershop.shop_external", world.room, ends_on=today),
        give_group(group, world.shop, world.room, ends_on=today),
    ):
        act = {
            "actor": me,
            "grant_id": own.pk,
            "expected_version": own.version,
            "below": True,
            "starts_on": None,
            "ends_on": today + timedelta(days=365),
            "data_scope": Scope.OWN,
            "reason": "x",
        }
        refused("self_grant", services.change_grant, **act)
        own.refresh_from_db()
        assert own.ends_on == today


def test_nobody_changes_a_role_that_they_hold_through_a_group_or_a_later_day(
    world: World,
) -> None:
    role = compose("composed.mine", "access.explain")
    group = PeopleGroup.objects.create(name="team", unit=world.clinic)
    GroupMember.objects.create(group=group, user=world.ada)
    give_group(group, role, world.room)
    act = {
        "actor": world.ada,
        "name": "Mine",
        "privileges": ["access.explain", "access.review_access"],
        "role_id": role.pk,
        "reason": "x",
    }
    refused("self_grant", services.compose_role, **act)
    services.end_grant(actor=world.root, grant_id=RoleGrant.objects.get(group=group).pk, reason="x")
    give(
        world.ada,
        "composed.mine",
        world.room,
        starts_on=timezone.localdate() + timedelta(days=9),
    )
    refused("self_grant", services.compose_role, **act)


def test_a_directory_mapping_gives_nothing_to_who_made_it(world: World) -> None:
    services.map_directory_group(
        actor=world.ada, name="everybody", role=world.shop, unit=world.room, reason="x"
    )
    for person in (world.ada, world.ib):
        services.sync_directory_roles(person, ["everybody"])
    assert RoleGrant.objects.filter(user=world.ib, role=world.shop).exists()
    assert not RoleGrant.objects.filter(user=world.ada, role=world.shop).exists()
    # a second administrator's mapping gives it
    services.end_directory_mapping(
        actor=world.root, mapping_id=DirectoryGroup.objects.get().pk, reason="x"
    )
    services.map_directory_group(
        actor=world.root, name="everybody", role=world.shop, unit=world.room, reason="x"
    )
    services.sync_directory_roles(world.ada, ["everybody"])
    assert RoleGrant.objects.filter(user=world.ada, role=world.shop).exists()


def test_module_admins_map_no_directory_groups_and_compose_no_roles(world: World) -> None:
    with pytest.raises(PermissionDenied):
        services.map_directory_group(
            actor=world.mona, name="x", role=world.shop, unit=world.room, reason="x"
        )
    with pytest.raises(PermissionDenied):
        services.compose_role(actor=world.mona, name="x", privileges=[PLACE], reason="x")


# --- to whom ------------------------------------------------------------------------------------


def test_a_grant_goes_to_one_person_or_one_group_and_to_a_profile_of_that_person(
    world: World,
) -> None:
    group = PeopleGroup.objects.create(name="team", unit=world.clinic)
    refused("receiver", services.grant_role, **offer(world, group=group))
    refused("receiver", services.grant_role, **offer(world, user=None))
    theirs = Profile.objects.create(user=world.ada, name="Head", unit=world.clinic)
    refused("profile", services.grant_role, **offer(world, profile=theirs))
    refused("profile", services.grant_role, **offer(world, user=None, group=group, profile=theirs))
    own = Profile.objects.create(user=world.ib, name="Nurse", unit=world.clinic)
    services.grant_role(**offer(world, profile=own))
    refused("already_held", services.grant_role, **offer(world, profile=own))
    assert services.grant_role(**offer(world))  # in every profile is another grant


def test_closed_units_take_no_new_grants(world: World) -> None:
    world.room.closed_on = date(2026, 1, 1)
    world.room.save()
    refused("closed_unit", services.grant_role, **offer(world))


def test_a_group_is_granted_roles_by_who_keeps_it_and_each_member_holds_them(
    world: World,
) -> None:
    group = PeopleGroup.objects.create(name="team", unit=world.clinic)
    GroupMember.objects.create(group=group, user=world.ib)
    services.grant_role(**offer(world, user=None, group=group))
    forget_held(world.ib)
    assert can(world.ib, PLACE)
    theirs = PeopleGroup.objects.create(name="theirs", unit=world.pharmacy)
    refused("outside_unit", services.grant_role, **offer(world, user=None, group=theirs))
    refused("already_held", services.grant_role, **offer(world, user=None, group=group))


def test_no_member_of_a_group_gets_a_second_single_role_through_it(world: World) -> None:
    group = PeopleGroup.objects.create(name="team", unit=world.clinic)
    GroupMember.objects.create(group=group, user=world.ib)
    give(world.ib, "tracershop.shop_internal", world.pharmacy)
    refused("single_role", services.grant_role, **offer(world, user=None, group=group))


# --- data scopes --------------------------------------------------------------------------------


def test_nobody_lets_others_reach_more_rows_than_they_reach(world: World) -> None:
    compose("p.admin", "access.grant_role", VIEW, module="patients")
    reader = compose("p.reader", VIEW, module="patients")
    admin, colleague = make_user("Pia"), make_user("Carl")
    grant = give(admin, "p.admin", world.clinic)
    act = offer(world, actor=admin, role=reader)
    refused("above_own", services.grant_role, **act, data_scope=Scope.UNIT)
    refused("above_own", services.grant_role, **act, data_scope=Scope.PEOPLE, people=[colleague])
    grant.data_scope = Scope.PEOPLE
    grant.save()
    NamedPeople.objects.create(grant=grant, user=colleague)
    forget_held(admin)
    refused("above_own", services.grant_role, **act, data_scope=Scope.UNIT)
    refused(
        "above_own",
        services.grant_role,
        **act,
        data_scope=Scope.PEOPLE,
        people=[colleague, world.ada],
    )
    made = services.grant_role(**act, data_scope=Scope.PEOPLE, people=[colleague, admin])
    entry = AuditEntry.objects.filter(action="access.role_granted").latest("pk")
    assert entry.data["people"] == ["Carl", "Pia"]
    # nor by changing it afterwards
    refused("above_own", services.change_grant, **_change(admin, made, data_scope=Scope.UNIT))
    assert services.change_grant(**_change(world.ada, made, data_scope=Scope.UNIT))


def test_named_people_and_the_scope_of_named_people_go_together(world: World) -> None:
    act = offer(world, actor=world.ada)
    refused("scope", services.grant_role, **act, data_scope=Scope.PEOPLE)
    refused("scope", services.grant_role, **act, data_scope=Scope.UNIT, people=[world.mona])


def test_who_is_in_a_named_group_widens_a_grant_so_its_holder_does_not_decide(
    world: World,
) -> None:
    group = PeopleGroup.objects.create(name="team", unit=world.clinic)
    compose("p.reader", VIEW, module="patients")
    own = give(world.ada, "p.reader", world.clinic, data_scope=Scope.PEOPLE)
    NamedPeople.objects.create(grant=own, group=group)
    act = {"group_id": group.pk, "user": world.ib, "reason": "x"}
    refused("self_grant", services.add_member, actor=world.ada, **act)
    # nor does who has no say over that grant
    refused("other_module", services.add_member, actor=world.mona, **act)
    assert services.add_member(actor=world.root, **act)


def _change(actor: User, grant: RoleGrant, **values: Any) -> dict[str, Any]:
    return {
        "actor": actor,
        "grant_id": grant.pk,
        "expected_version": RoleGrant.objects.get(pk=grant.pk).version,
        "below": True,
        "starts_on": None,
        "ends_on": None,
        "data_scope": Scope.OWN,
        "reason": "x",
    } | values


# --- changing a grant ---------------------------------------------------------------------------


def test_a_grant_is_changed_by_who_could_have_made_it(world: World) -> None:
    grant = services.grant_role(**offer(world))
    day = date(2027, 6, 30)
    services.change_grant(**_change(world.mona, grant, ends_on=day, below=False))
    grant.refresh_from_db()
    assert (grant.ends_on, grant.below) == (day, False)
    entry = AuditEntry.objects.get(action="access.role_changed")
    assert entry.data == {"ends_on": [None, "2027-06-30"], "below": [True, False]}
    refused(
        "dates",
        services.change_grant,
        **_change(world.mona, grant, starts_on=day, ends_on=day - timedelta(days=1)),
    )
    elsewhere = give(world.ib, "tracershop.shop_external", world.pharmacy)
    refused("outside_unit", services.change_grant, **_change(world.mona, elsewhere, ends_on=day))
    more = give(world.ib, "tracershop.shop_internal", world.room)
    refused("above_own", services.change_grant, **_change(world.mona, more, ends_on=day))
    with pytest.raises(PermissionDenied):
        services.change_grant(**_change(world.ib, grant, ends_on=None))


@pytest.mark.requirement("PT-022")
def test_the_second_to_change_a_grant_is_shown_what_differs(world: World) -> None:
    reader = compose("p.reader", VIEW, module="patients")
    grant = services.grant_role(
        **offer(world, actor=world.ada, role=reader),
        data_scope=Scope.PEOPLE,
        people=[world.mona],
    )
    seen = grant.version
    first = _change(world.ada, grant, ends_on=date(2027, 1, 31), data_scope=Scope.UNIT)
    services.change_grant(**first)
    late = _change(
        world.root,
        grant,
        expected_version=seen,
        ends_on=date(2028, 1, 31),
        data_scope=Scope.PEOPLE,
        people=[world.mona],
    )
    with pytest.raises(StaleRecord) as stale:
        services.change_grant(**late)
    told = {str(each.label): (each.theirs, each.yours) for each in stale.value.differences}
    assert told["until"] == (date(2027, 1, 31), date(2028, 1, 31))
    assert told["reaches"] == (Scope.UNIT, Scope.PEOPLE)
    assert told["whose rows"] == ("", "Mona")
    grant.refresh_from_db()
    assert grant.ends_on == date(2027, 1, 31)


# --- what is offered and listed -----------------------------------------------------------------


def test_what_is_offered_is_what_would_not_be_refused(world: World) -> None:
    """Every role at every unit: offered exactly when the service grants it."""
    compose("mixed", PLACE, "accounts.own_requests")
    compose("own", PLACE)
    give(world.mona, "tracershop.shop_internal", world.room)
    receiver = make_user("Rita Receiver")
    for actor in (world.mona, world.ada, world.root, world.ib):
        offered = set()
        for unit in units_to_grant_at(actor):
            offered |= {(unit.pk, role.pk) for role in roles_to_grant(actor, unit)}
        granted = set()
        for unit in Unit.objects.all():
            for role in Role.objects.all():
                try:
                    grant = services.grant_role(
                        actor=actor, user=receiver, role=role, unit=unit, reason="x"
                    )
                except (Refused, PermissionDenied):
                    continue
                granted.add((unit.pk, role.pk))
                services.end_grant(actor=ServiceActor("test"), grant_id=grant.pk, reason="x")
        assert offered == granted, actor


def test_the_list_shows_what_one_may_administer_and_nothing_else(world: World) -> None:
    shown = [
        give(world.ib, "tracershop.shop_external", world.room),
        give(world.ib, "t.admin", world.clinic),
    ]
    hidden = [
        give(world.ib, "tracershop.shop_internal", world.room),  # more than Mona holds
        give(world.ib, "accounts.account_owner", world.room),  # another module's
        give(world.ib, "tracershop.shop_external", world.house),
    ]
    assert set(grants(world.mona, person="ib")) == set(shown)
    for grant in shown:
        services.end_grant(actor=world.mona, grant_id=grant.pk, reason="x")
    for grant in hidden:
        with pytest.raises(Refused):
            services.end_grant(actor=world.mona, grant_id=grant.pk, reason="x")
    # an administrator ends also what is above the rule of the whole house
    old = give(world.ib, "audit.auditor", world.room)
    assert old in grants(world.ada)
    services.end_grant(actor=world.ada, grant_id=old.pk, reason="x")


def test_held_at_one_unit_alone_it_is_granted_there_alone(world: World) -> None:
    narrow = make_user("Nils Narrow")
    give(narrow, "t.admin", world.clinic, below=False)
    assert [unit.code for unit in units_to_grant_at(narrow)] == ["clinic"]
    assert not groups(narrow).exists()
    refused("outside_unit", services.grant_role, **offer(world, actor=narrow, unit=world.clinic))
    made = services.grant_role(**offer(world, actor=narrow, unit=world.clinic), below=False)
    assert list(grants(narrow, person="ib")) == [made]
    refused("outside_unit", services.change_grant, **_change(narrow, made, below=True))


# --- over the pages -----------------------------------------------------------------------------


def _form(world: World, **values: Any) -> dict[str, Any]:
    return {
        "user": "ib",
        "role": world.shop.pk,
        "unit": world.room.pk,
        "below": "on",
        "reason": "x",
    } | values


def test_forged_keys_in_the_form_grant_nothing(client: Client, world: World) -> None:
    sign_in(client, world.mona)
    theirs = PeopleGroup.objects.create(name="theirs", unit=world.pharmacy)
    profile = Profile.objects.create(user=world.ada, name="Head", unit=world.clinic)
    PeopleGroup.objects.create(name="ours", unit=world.clinic)
    auditor, internal = (
        Role.objects.get(code=code) for code in ("audit.auditor", "tracershop.shop_internal")
    )
    before = RoleGrant.objects.count()
    for forged in (
        {"unit": world.pharmacy.pk},
        {"unit": world.house.pk},
        {"role": auditor.pk},
        {"role": internal.pk},
        {"user": "mona"},
        {"user": "", "group": theirs.pk},
        {"group": theirs.pk},
    ):
        answer = client.post(reverse("access:grant"), _form(world, **forged))
        assert answer.status_code == 422, forged
    assert client.get(reverse("access:group", args=[theirs.pk])).status_code == 404
    # of somebody else's profile the form does not even know
    sent = client.post(reverse("access:grant"), _form(world, profile=profile.pk))
    assert sent.status_code == 302
    assert RoleGrant.objects.latest("pk").profile is None
    assert RoleGrant.objects.count() == before + 1
    for name, key in [
        ("change_grant", give(world.ib, "audit.auditor", world.house).pk),
        ("end_grant", give(world.ib, "tracershop.shop_internal", world.room).pk),
        ("add_member", theirs.pk),
        ("rename_group", theirs.pk),
        ("end_group", theirs.pk),
        ("remove_member", GroupMember.objects.create(group=theirs, user=world.ib).pk),
    ]:
        url = reverse(f"access:{name}", args=[key])
        assert client.get(url).status_code == 404, name
        answer = client.post(url, {"reason": "x", "user": "ib", "name": "x"})
        assert answer.status_code == 404, name


def test_scope_and_people_that_the_form_did_not_ask_are_not_granted(
    client: Client, world: World
) -> None:
    sign_in(client, world.mona)
    forged = _form(world, data_scope="unit", people="ada", by_request="1", granted_by=1)
    assert client.post(reverse("access:grant"), forged).status_code == 302
    made = RoleGrant.objects.latest("pk")
    assert (made.data_scope, made.granted_by) == (Scope.OWN, world.mona)
    assert not NamedPeople.objects.exists()


def test_the_form_offers_what_goes_with_the_choices_made(client: Client, world: World) -> None:
    sign_in(client, world.ada)
    Profile.objects.create(user=world.ib, name="Nurse", unit=world.clinic)
    PeopleGroup.objects.create(name="team", unit=world.clinic)
    reader = compose("p.reader", VIEW, module="patients")

    def page(**query: Any) -> str:
        return client.get(reverse("access:grant"), query).content.decode()

    plain = page()
    assert "data_scope" not in plain
    assert "Nurse" not in plain
    assert "Portal administrator" not in plain  # it reaches the whole house
    chosen = page(user="ib", role=reader.pk, unit=world.room.pk)
    assert "Nurse" in chosen
    assert "all rows of the unit" in chosen
    assert 'name="people"' not in chosen
    assert 'name="people"' in page(role=reader.pk, unit=world.room.pk, data_scope="people")
    sent = client.post(
        reverse("access:grant"),
        _form(
            world,
            role=reader.pk,
            data_scope="people",
            people="mona, root@hospital.invalid\nnobody",
        ),
    )
    assert sent.status_code == 422
    assert "nobody: Nobody here" in sent.content.decode()
    sent = client.post(
        reverse("access:grant"),
        _form(world, role=reader.pk, data_scope="people", people="mona, root@hospital.invalid"),
    )
    assert sent.status_code == 302
    made = RoleGrant.objects.latest("pk")
    assert {each.user for each in NamedPeople.objects.filter(grant=made)} == {
        world.mona,
        world.root,
    }


@pytest.mark.requirement("PT-022")
def test_two_administrators_editing_one_grant_do_not_overwrite_each_other(
    client: Client, world: World
) -> None:
    grant = services.grant_role(**offer(world))
    sign_in(client, world.ada)
    url = reverse("access:change_grant", args=[grant.pk])
    page = client.get(url).content.decode()
    assert f'name="version" value="{grant.version}"' in page
    form = {"below": "on", "reason": "x", "version": grant.version}
    assert client.post(url, form | {"ends_on": "2027-01-31"}).status_code == 302
    late = client.post(url, form | {"ends_on": "2030-01-31"})
    assert late.status_code == 409
    assert "2027" in late.content.decode()
    assert client.post(url, form | {"version": ""}).status_code == 409
    grant.refresh_from_db()
    assert grant.ends_on == date(2027, 1, 31)


def test_whose_role_ended_while_they_are_logged_in_grants_nothing(
    client: Client, world: World
) -> None:
    sign_in(client, world.mona)
    url = reverse("access:grant")
    assert client.get(url).status_code == 200
    services.end_grant(
        actor=world.root, grant_id=RoleGrant.objects.get(user=world.mona).pk, reason="left"
    )
    assert client.get(url).status_code == 403
    assert client.post(url, _form(world)).status_code == 403
    assert not RoleGrant.objects.filter(user=world.ib).exists()


# --- two at once --------------------------------------------------------------------------------


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run the acts in threads of their own, begun together; what each gave or raised."""
    barrier, outcomes = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=30)
            outcomes[number] = act()
        except Exception as error:
            outcomes[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


@pytest.fixture
def committed(transactional_db: None, request: pytest.FixtureRequest) -> World:
    services.sync_predefined_roles()
    return request.getfixturevalue("world")


def test_two_who_grant_two_single_roles_at_once_give_one(committed: World) -> None:
    world = committed
    internal = Role.objects.get(code="tracershop.shop_internal")
    first, second = at_once(
        lambda: services.grant_role(**offer(world, actor=world.ada)),
        lambda: services.grant_role(**offer(world, actor=world.root, role=internal)),
    )
    assert sorted(type(each).__name__ for each in (first, second)) == ["Refused", "RoleGrant"]
    assert RoleGrant.objects.filter(user=world.ib).count() == 1


def test_joining_a_group_while_it_is_granted_more_slips_nobody_in(committed: World) -> None:
    """Mona may let people join while the group holds little; the same moment it gets more."""
    world = committed
    group = PeopleGroup.objects.create(name="team", unit=world.clinic)
    give_group(group, world.shop, world.room)
    internal = Role.objects.get(code="tracershop.shop_internal")
    granted, joined = at_once(
        lambda: services.grant_role(
            actor=world.ada, group=group, role=internal, unit=world.clinic, reason="x"
        ),
        lambda: services.add_member(actor=world.mona, group_id=group.pk, user=world.ib, reason="x"),
    )
    # either Mona was first, and Ada grants a group in which Ib is; or Ada was, and Mona may not
    both = RoleGrant.objects.filter(group=group).count() == 2
    inside = GroupMember.objects.filter(group=group, user=world.ib).exists()
    assert isinstance(granted, RoleGrant) is both
    assert isinstance(joined, GroupMember) is inside
    if both and inside:
        assert isinstance(granted, Refused) is False
        assert granted.created_at >= joined.created_at
    elif both:
        assert joined.code == "above_own"
    else:
        assert granted.code == "single_role"


def test_putting_each_other_into_a_group_while_granting_it_gives_nobody_their_own(
    committed: World,
) -> None:
    """Root puts Ada into the group at the moment Ada grants it a role."""
    world = committed
    group = PeopleGroup.objects.create(name="team", unit=world.clinic)
    granted, joined = at_once(
        lambda: services.grant_role(**offer(world, actor=world.ada, user=None), group=group),
        lambda: services.add_member(
            actor=world.root, group_id=group.pk, user=world.ada, reason="x"
        ),
    )
    inside = GroupMember.objects.filter(group=group, user=world.ada).exists()
    assert inside
    if isinstance(granted, Refused):
        assert granted.code == "self_grant"
    else:  # Ada was first: Root, who may grant it, put her in afterwards
        assert granted.created_at <= joined.created_at


def test_the_same_change_by_two_at_once_is_saved_once(committed: World) -> None:
    world = committed
    grant = services.grant_role(**offer(world, actor=world.root))
    version = grant.version

    def change(actor: User, year: int) -> Callable[[], Any]:
        values = _change(actor, grant, expected_version=version, ends_on=date(year, 1, 31))
        return lambda: services.change_grant(**values)

    outcomes = at_once(change(world.ada, 2027), change(world.root, 2028))
    assert sorted(type(each).__name__ for each in outcomes) == ["RoleGrant", "StaleRecord"]
    saved = next(each for each in outcomes if isinstance(each, RoleGrant))
    grant.refresh_from_db()
    assert grant.ends_on == saved.ends_on


def test_every_role_of_a_portal_app_that_can_be_delegated_says_so() -> None:
    """Only an administrator's role may hold what lets one give what one does not hold."""
    administering = {
        f"{module}.{role.code}"
        for module, role in registry.roles()
        if "access.administer" in role.privileges
    }
    assert administering == {"access.portal_administrator", "access.unit_administrator"}
