"""Groups of people who are granted roles together: kept by those who may give what they hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from portal.access import services
from portal.access.decision import can, forget_held
from portal.access.models import GroupMember, PeopleGroup, Role, RoleGrant
from portal.access.selectors import groups
from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.organisation.models import Unit
from portal.records.errors import Refused, StaleRecord
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-013")]

PLACE = "tracershop.place_order"


@pytest.fixture
def clinic() -> Unit:
    return make_unit("clinic", make_unit("house"))


@pytest.fixture
def keeper(clinic: Unit) -> User:
    """Module admin of Tracershop at the clinic, with what a shop holds."""
    Role.objects.create(
        code="t.admin",
        name="admin",
        module="tracershop",
        privileges=["access.grant_role", "tracershop.see_own_orders", PLACE],
    )
    user = make_user("Kaj Keeper")
    give(user, "t.admin", clinic)
    return user


@pytest.fixture
def ada(clinic: Unit) -> User:
    user = make_user("Ada Admin")
    give(user, "access.unit_administrator", clinic)
    return user


@pytest.fixture
def ib() -> User:
    return make_user("Ib Ibsen")


@pytest.fixture
def team(keeper: User, clinic: Unit) -> PeopleGroup:
    return services.create_group(actor=keeper, name=" Team A ", unit=clinic, reason="new team")


def hold(group: PeopleGroup, role: str, unit: Unit, **values: Any) -> RoleGrant:
    return RoleGrant.objects.create(
        group=group, role=Role.objects.get(code=role), unit=unit, **values
    )


def refused(code: str, act: Any, **values: Any) -> None:
    before = GroupMember.objects.count(), PeopleGroup.objects.count(), RoleGrant.objects.count()
    with pytest.raises(Refused) as refusal:
        act(**values)
    assert refusal.value.code == code
    assert before == (
        GroupMember.objects.count(),
        PeopleGroup.objects.count(),
        RoleGrant.objects.count(),
    )


def test_who_joins_holds_all_that_the_group_holds_and_who_leaves_loses_it(
    keeper: User, team: PeopleGroup, clinic: Unit, ib: User
) -> None:
    assert team.name == "Team A"
    hold(team, "tracershop.shop_external", clinic)
    act = {"actor": keeper, "group_id": team.pk, "user": ib, "reason": "joins"}
    member = services.add_member(**act)
    forget_held(ib)
    assert can(ib, PLACE)
    refused("already_member", services.add_member, **act)
    services.remove_member(actor=keeper, member_id=member.pk, reason="leaves")
    forget_held(ib)
    assert not can(ib, PLACE)
    told = AuditEntry.objects.filter(action__startswith="access.member").order_by("pk")
    assert [(each.action, each.reason, each.data["person"]) for each in told] == [
        ("access.member_added", "joins", "Ib Ibsen"),
        ("access.member_removed", "leaves", "Ib Ibsen"),
    ]
    assert services.add_member(**act)  # and may come back


@pytest.mark.parametrize(
    ("role", "values", "code"),
    [
        ("tracershop.shop_internal", {}, "above_own"),
        ("accounts.account_owner", {}, "other_module"),
        ("tracershop.shop_internal", {"starts_on": timedelta(days=9)}, "above_own"),
    ],
)
def test_members_change_by_who_may_grant_every_role_of_the_group(
    keeper: User,
    ada: User,
    team: PeopleGroup,
    clinic: Unit,
    ib: User,
    role: str,
    values: dict[str, Any],
    code: str,
) -> None:
    days = {name: timezone.localdate() + after for name, after in values.items()}
    hold(team, "tracershop.shop_external", clinic)
    hold(team, role, clinic, **days)
    inside = GroupMember.objects.create(group=team, user=make_user("Inga Inside"))
    act = {"actor": keeper, "reason": "x"}
    refused(code, services.add_member, **act, group_id=team.pk, user=ib)
    refused(code, services.remove_member, **act, member_id=inside.pk)
    refused(code, services.end_group, **act, group_id=team.pk)
    services.remove_member(actor=ada, member_id=inside.pk, reason="x")


def test_a_role_that_is_over_does_not_keep_members_out(
    keeper: User, team: PeopleGroup, clinic: Unit, ib: User
) -> None:
    yesterday = timezone.localdate() - timedelta(days=1)
    hold(team, "accounts.account_owner", clinic, ends_on=yesterday)
    assert services.add_member(actor=keeper, group_id=team.pk, user=ib, reason="x")


def test_a_group_is_kept_at_and_below_ones_unit_alone(
    keeper: User, team: PeopleGroup, clinic: Unit, ib: User
) -> None:
    house = Unit.objects.get(code="house")
    refused("outside_unit", services.create_group, actor=keeper, name="x", unit=house, reason="x")
    above = PeopleGroup.objects.create(name="above", unit=house)
    member = GroupMember.objects.create(group=above, user=ib)
    act = {"actor": keeper, "reason": "x"}
    refused("outside_unit", services.add_member, **act, group_id=above.pk, user=make_user("Eva"))
    refused("outside_unit", services.remove_member, **act, member_id=member.pk)
    refused("outside_unit", services.end_group, **act, group_id=above.pk)
    refused(
        "outside_unit",
        services.rename_group,
        **act,
        group_id=above.pk,
        name="mine",
        expected_version=1,
    )
    assert list(groups(keeper)) == [team]
    for act in (
        lambda: services.create_group(actor=ib, name="x", unit=clinic, reason="x"),
        lambda: services.add_member(actor=ib, group_id=team.pk, user=keeper, reason="x"),
        lambda: services.end_group(actor=ib, group_id=team.pk, reason="x"),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_ending_a_group_ends_what_it_held(
    keeper: User, team: PeopleGroup, clinic: Unit, ib: User
) -> None:
    grant = hold(team, "tracershop.shop_external", clinic)
    services.add_member(actor=keeper, group_id=team.pk, user=ib, reason="x")
    services.end_group(actor=keeper, group_id=team.pk, reason="dissolved")
    forget_held(ib)
    assert not can(ib, PLACE)
    grant.refresh_from_db()
    assert grant.is_deleted
    assert not GroupMember.objects.filter(group=team).exists()
    actions = AuditEntry.objects.filter(reason="dissolved").values_list("action", flat=True)
    assert set(actions) == {"access.role_ended", "access.group_ended"}
    # the name is free again
    assert services.create_group(actor=keeper, name="Team A", unit=clinic, reason="anew")


def test_a_group_has_a_name_of_its_own_and_the_second_to_rename_it_is_told(
    keeper: User, team: PeopleGroup, clinic: Unit
) -> None:
    make = {"actor": keeper, "unit": clinic, "reason": "x"}
    refused("name_taken", services.create_group, **make, name="Team A")
    refused("empty", services.create_group, **make, name="   ")
    act = {"actor": keeper, "group_id": team.pk, "expected_version": team.version, "reason": "x"}
    services.rename_group(**act, name="Team B")
    with pytest.raises(StaleRecord) as stale:
        services.rename_group(**act, name="Team C")
    [difference] = stale.value.differences
    assert (difference.before, difference.theirs, difference.yours) == (
        "Team A",
        "Team B",
        "Team C",
    )


# --- pages ----------------------------------------------------------------------------------------


def text_of(client: Client, name: str, *args: object, **query: object) -> str:
    answer = client.get(reverse(f"access:{name}", args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_group_is_made_filled_granted_and_ended_on_its_pages(
    client: Client, keeper: User, clinic: Unit, ib: User
) -> None:
    sign_in(client, keeper)
    assert "No groups yet" in text_of(client, "groups")
    text_of(client, "group_new")
    made = client.post(
        reverse("access:group_new"), {"name": "Team A", "unit": clinic.pk, "reason": "new"}
    )
    assert made.status_code == 302
    team = PeopleGroup.objects.get()
    again = client.post(
        reverse("access:group_new"), {"name": "Team A", "unit": clinic.pk, "reason": "new"}
    )
    assert "a group of this name" in again.content.decode()
    page = text_of(client, "group", team.pk)
    assert "Nobody is in it yet" in page
    assert "It holds no role yet" in page
    add = reverse("access:add_member", args=[team.pk])
    dialog = client.get(add, headers={"HX-Request": "true"}).content.decode()
    assert "<dialog" in dialog
    assert (
        "Nobody grants a role to themselves"
        in client.post(add, {"user": "kaj.keeper", "reason": "x"}).content.decode()
    )
    assert client.post(add, {"user": "ib.ibsen", "reason": "joins"}).status_code == 302
    role = Role.objects.get(code="tracershop.shop_external")
    form = {"group": team.pk, "role": role.pk, "unit": clinic.pk, "below": "on", "reason": "x"}
    assert "Team A" in text_of(client, "grant", group=team.pk)
    assert client.post(reverse("access:grant"), form).status_code == 302
    assert can(User.objects.get(pk=ib.pk), PLACE)
    page = text_of(client, "group", team.pk)
    assert "Ib Ibsen" in page
    assert "Shop, external" in page
    assert "Team A" in text_of(client, "groups", text="ibsen")
    assert "Team A" not in text_of(client, "groups", text="nobody")
    assert "Team A" in text_of(client, "grants", person="team")
    rename = reverse("access:rename_group", args=[team.pk])
    version = PeopleGroup.objects.get().version
    assert f'value="{version}"' in text_of(client, "rename_group", team.pk)
    changed = {"name": "Team B", "version": version, "reason": "x"}
    assert client.post(rename, changed).status_code == 302
    assert client.post(rename, changed | {"name": "Team C"}).status_code == 409
    member = GroupMember.objects.get()
    remove = reverse("access:remove_member", args=[member.pk])
    assert "ends now" in text_of(client, "remove_member", member.pk)
    assert client.post(remove, {"reason": "left"}).status_code == 302
    assert client.get(remove).status_code == 404
    end = reverse("access:end_group", args=[team.pk])
    assert client.post(end, {"reason": "over"}).status_code == 302
    assert f'id="group-{team.pk}"' not in text_of(client, "groups")


def test_the_list_of_groups_takes_the_same_number_of_queries_at_any_length(
    client: Client, keeper: User, clinic: Unit
) -> None:
    sign_in(client, keeper)
    counts = []
    for number in range(30):
        group = PeopleGroup.objects.create(name=f"g{number}", unit=clinic)
        for person in range(2):
            GroupMember.objects.create(group=group, user=make_user(f"P {number} {person}"))
        if number in (3, 29):
            with CaptureQueriesContext(connection) as queries:
                page = text_of(client, "groups")
            counts.append(len(queries))
    assert counts[0] == counts[1]
    assert page.count('<td class="number">2</td>') == 30


def test_group_pages_take_a_say(client: Client, team: PeopleGroup, ib: User) -> None:
    sign_in(client, ib)
    for name, args in (
        ("groups", ()),
        ("group_new", ()),
        ("group", (team.pk,)),
        ("rename_group", (team.pk,)),
        ("end_group", (team.pk,)),
        ("add_member", (team.pk,)),
        ("exceptions", ()),
    ):
        url = reverse(f"access:{name}", args=args)
        assert client.get(url).status_code == 403, name
        assert client.post(url, {"reason": "x"}).status_code in (403, 405), name
