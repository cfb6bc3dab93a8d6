"""Who may give which role to whom and where; every way around it is refused."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from portal.access import services
from portal.access.decision import can, forget_held, held_by
from portal.access.models import DirectoryGroup, Role, RoleGrant
from portal.access.selectors import grants, mappings, roles_to_grant, units_to_grant_at
from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused, StaleRecord
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.django_db

PLACE = "tracershop.place_order"
BOOKINGS = "tracershop.order_from_bookings"


def compose(code: str, *privileges: str, module: str = "test") -> Role:
    return Role.objects.create(code=code, name=code, module=module, privileges=list(privileges))


@pytest.fixture
def tree() -> dict[str, Unit]:
    """hospital → (clinic → room, pharmacy)"""
    hospital = make_unit("hospital")
    clinic = make_unit("clinic", hospital)
    room, pharmacy = make_unit("room", clinic), make_unit("pharmacy", hospital)
    return {"hospital": hospital, "clinic": clinic, "room": room, "pharmacy": pharmacy}


@pytest.fixture
def granter(tree: dict[str, Unit]) -> User:
    """May grant at the clinic and below, where they also see the logs."""
    compose("granter", "access.grant_role", PLACE)
    user = make_user("Gry Granter")
    give(user, "granter", tree["clinic"])
    return user


@pytest.fixture
def reader() -> Role:
    return compose("reader", PLACE)


@pytest.fixture
def ib() -> User:
    return make_user("Ib")


def refused(code: str, act: Any, **values: Any) -> None:
    before = RoleGrant.all_objects.count()
    with pytest.raises(Refused) as refusal:
        act(**values)
    assert refusal.value.code == code
    assert RoleGrant.all_objects.count() == before


@pytest.mark.requirement("PT-013", "PT-012")
def test_a_role_is_granted_at_or_below_ones_unit_and_holds_there(
    granter: User, reader: Role, ib: User, tree: dict[str, Unit]
) -> None:
    grant = services.grant_role(
        actor=granter, user=ib, role=reader, unit=tree["room"], reason="reviews"
    )
    assert (grant.granted_by, grant.source) == (granter, "manual")
    assert can(ib, PLACE)
    entry = AuditEntry.objects.get(action="access.role_granted")
    assert (entry.actor_id, entry.reason, entry.data["unit"]) == (granter.pk, "reviews", "room")
    assert grant.history.get().history_change_reason == "reviews"


@pytest.mark.requirement("PT-013")
@pytest.mark.parametrize("unit", ["hospital", "pharmacy"])
def test_no_role_is_granted_above_or_beside_ones_unit(
    granter: User, reader: Role, ib: User, tree: dict[str, Unit], unit: str
) -> None:
    refused(
        "outside_unit",
        services.grant_role,
        actor=granter,
        user=ib,
        role=reader,
        unit=tree[unit],
        reason="x",
    )


@pytest.mark.requirement("PT-013")
def test_nobody_grants_more_than_they_hold_there(
    granter: User, ib: User, tree: dict[str, Unit]
) -> None:
    more = compose("more", PLACE, BOOKINGS)
    act = {"actor": granter, "user": ib, "role": more, "unit": tree["clinic"], "reason": "x"}
    refused("above_own", services.grant_role, **act)
    # held, but somewhere else
    give(granter, "tracershop.shop_internal", tree["pharmacy"])
    refused("above_own", services.grant_role, **act)
    # held at the clinic itself, not in its rooms
    give(granter, "tracershop.shop_internal", tree["clinic"], below=False)
    refused("above_own", services.grant_role, **act)
    services.grant_role(**act, below=False)


@pytest.mark.requirement("PT-013")
def test_who_may_grant_at_one_unit_alone_gives_nothing_below_it(
    reader: Role, ib: User, tree: dict[str, Unit]
) -> None:
    compose("granter", "access.grant_role", PLACE)
    granter = make_user("Gry")
    give(granter, "granter", tree["clinic"], below=False)
    act = {"actor": granter, "user": ib, "role": reader, "unit": tree["clinic"], "reason": "x"}
    refused("outside_unit", services.grant_role, **act)
    refused("outside_unit", services.grant_role, **act | {"unit": tree["room"]}, below=False)
    assert services.grant_role(**act, below=False).below is False


@pytest.mark.requirement("PT-013")
@pytest.mark.parametrize("administers", [False, True])
def test_nobody_grants_a_role_to_themselves(
    granter: User, reader: Role, tree: dict[str, Unit], administers: bool
) -> None:
    if administers:
        give(granter, "access.portal_administrator", tree["hospital"])
    refused(
        "self_grant",
        services.grant_role,
        actor=granter,
        user=User.objects.get(pk=granter.pk),
        role=reader,
        unit=tree["room"],
        reason="x",
    )


@pytest.mark.requirement("PT-013")
def test_without_the_privilege_in_force_nobody_grants_or_ends_anything(
    reader: Role, ib: User, tree: dict[str, Unit]
) -> None:
    compose("granter", "access.grant_role", PLACE)
    today = timezone.localdate()
    late, early, closed = make_user("Late"), make_user("Early"), make_user("Closed")
    give(late, "granter", tree["hospital"], ends_on=today - timedelta(days=1))
    give(early, "granter", tree["hospital"], starts_on=today + timedelta(days=1))
    give(closed, "granter", tree["hospital"])
    User.objects.filter(pk=closed.pk).update(is_active=False)
    held = give(ib, "reader", tree["room"])
    other = make_user("Other")
    for actor in (late, early, User.objects.get(pk=closed.pk), ib):
        with pytest.raises(PermissionDenied):
            services.grant_role(actor=actor, user=other, role=reader, unit=tree["room"], reason="x")
        with pytest.raises(PermissionDenied):
            services.end_grant(actor=actor, grant_id=held.pk, reason="x")
    assert RoleGrant.objects.filter(user=other).count() == 0


@pytest.mark.requirement("PT-013", "TS-100")
def test_nobody_holds_two_single_roles_of_one_module(ib: User, tree: dict[str, Unit]) -> None:
    admin = make_user("Ada")
    give(admin, "access.portal_administrator", tree["hospital"])
    internal, superuser = (
        Role.objects.get(code=f"tracershop.{code}") for code in ("shop_internal", "shop_superuser")
    )
    services.grant_role(actor=admin, user=ib, role=internal, unit=tree["room"], reason="x")
    act = {"actor": admin, "user": ib, "role": superuser, "unit": tree["pharmacy"], "reason": "x"}
    refused("single_role", services.grant_role, **act)
    refused("already_held", services.grant_role, **act | {"role": internal, "unit": tree["room"]})
    services.end_grant(actor=admin, grant_id=RoleGrant.objects.get(user=ib).pk, reason="moved")
    services.grant_role(**act)


@pytest.mark.requirement("PT-013")
def test_a_role_that_ends_before_it_begins_is_refused(
    granter: User, reader: Role, ib: User, tree: dict[str, Unit]
) -> None:
    refused(
        "dates",
        services.grant_role,
        actor=granter,
        user=ib,
        role=reader,
        unit=tree["room"],
        reason="x",
        starts_on=date(2027, 1, 2),
        ends_on=date(2027, 1, 1),
    )


@pytest.mark.requirement("PT-013")
def test_a_role_holds_from_its_first_to_its_last_day(
    granter: User, reader: Role, tree: dict[str, Unit]
) -> None:
    today = timezone.localdate()
    day = timedelta(days=1)
    for starts, ends, holds in [
        (today, today, True),
        (today - day, None, True),
        (None, today - day, False),
        (today + day, None, False),
    ]:
        user = make_user(f"Person {starts} {ends}")
        services.grant_role(
            actor=granter,
            user=user,
            role=reader,
            unit=tree["room"],
            reason="x",
            starts_on=starts,
            ends_on=ends,
        )
        assert can(user, PLACE) is holds


@pytest.mark.requirement("PT-013")
def test_ending_a_role_takes_the_same_say_as_granting_it(
    granter: User, ib: User, tree: dict[str, Unit]
) -> None:
    compose("more", BOOKINGS)
    above = give(ib, "more", tree["room"])
    outside = give(ib, "granter", tree["pharmacy"])
    refused("above_own", services.end_grant, actor=granter, grant_id=above.pk, reason="x")
    refused("outside_unit", services.end_grant, actor=granter, grant_id=outside.pk, reason="x")
    own = give(ib, "granter", tree["room"])
    services.end_grant(actor=granter, grant_id=own.pk, reason="left")
    own.refresh_from_db()
    assert own.is_deleted
    assert AuditEntry.objects.get(action="access.role_ended").reason == "left"
    refused("gone", services.end_grant, actor=granter, grant_id=own.pk, reason="again")


@pytest.mark.requirement("PT-013")
def test_administrators_see_what_lies_in_their_reach_and_nothing_else(
    granter: User, ib: User, tree: dict[str, Unit]
) -> None:
    compose("reader", PLACE)
    for unit in tree.values():
        give(ib, "reader", unit)
    seen = grants(granter, person="ib")
    assert {grant.unit.code for grant in seen} == {"clinic", "room"}
    assert {unit.code for unit in units_to_grant_at(granter)} == {"clinic", "room"}
    assert grants(granter, unit=tree["room"], person="IB").count() == 1
    assert not grants(ib).exists()
    assert not units_to_grant_at(ib).exists()
    assert not roles_to_grant(ib).exists()
    assert {role.code for role in roles_to_grant(granter)} == {"granter", "reader"}


# --- directory groups ---------------------------------------------------------------------------


@pytest.fixture
def admin(tree: dict[str, Unit]) -> User:
    """Administers access at the clinic and below."""
    compose("admin", "access.administer", PLACE)
    user = make_user("Ada Admin")
    give(user, "admin", tree["clinic"])
    return user


@pytest.mark.requirement("PT-001")
def test_directory_groups_are_mapped_where_one_administers_and_are_audited(
    admin: User, granter: User, reader: Role, tree: dict[str, Unit]
) -> None:
    mapping = services.map_directory_group(
        actor=admin, name=" readers ", role=reader, unit=tree["room"], reason="new team"
    )
    assert mapping.name == "readers"
    assert list(mappings(admin)) == [mapping]
    entry = AuditEntry.objects.get(action="access.directory_group_mapped")
    assert entry.data == {"group": "readers", "role": "reader", "unit": "room", "profile": ""}
    act = {"name": "readers", "role": reader, "reason": "x"}
    for actor, unit, code in [
        (admin, "room", "already_mapped"),
        (admin, "hospital", "outside_unit"),
        (admin, "pharmacy", "outside_unit"),
    ]:
        refused(code, services.map_directory_group, actor=actor, unit=tree[unit], **act)
    with pytest.raises(PermissionDenied):
        services.map_directory_group(actor=granter, unit=tree["room"], **act)
    with pytest.raises(PermissionDenied):
        services.end_directory_mapping(actor=granter, mapping_id=mapping.pk, reason="x")

    services.end_directory_mapping(actor=admin, mapping_id=mapping.pk, reason="team is gone")
    assert not mappings(admin).exists()
    assert AuditEntry.objects.get(action="access.directory_mapping_ended").reason == "team is gone"


@pytest.mark.requirement("PT-001")
def test_a_mapping_elsewhere_is_neither_seen_nor_ended(
    admin: User, reader: Role, tree: dict[str, Unit]
) -> None:
    other = DirectoryGroup.objects.create(name="readers", role=reader, unit=tree["pharmacy"])
    assert not mappings(admin).exists()
    refused(
        "outside_unit",
        services.end_directory_mapping,
        actor=admin,
        mapping_id=other.pk,
        reason="x",
    )


# --- predefined roles ---------------------------------------------------------------------------


@pytest.mark.requirement("PT-012")
def test_a_role_that_its_module_declares_anew_is_brought_up_to_date_and_audited() -> None:
    auditor = Role.objects.get(code="audit.auditor")
    auditor.privileges = ["audit.browse_logs"]
    auditor.save()
    services.sync_predefined_roles()
    auditor.refresh_from_db()
    assert auditor.privileges == ["audit.browse_logs", "audit.export_logs", "audit.review_trail"]
    entries = AuditEntry.objects.filter(action="access.role_defined", object_id=str(auditor.pk))
    assert entries.first().service == "set-up"
    version = auditor.version
    services.sync_predefined_roles()
    auditor.refresh_from_db()
    assert auditor.version == version


# --- composed roles -----------------------------------------------------------------------------


@pytest.mark.requirement("PT-012")
def test_administrators_compose_roles_of_what_they_hold(admin: User) -> None:
    role = services.compose_role(
        actor=admin, name="Log reader", privileges=[PLACE], reason="wanted"
    )
    assert (role.code, role.predefined) == ("composed.log-reader", False)
    twin = services.compose_role(
        actor=admin, name="Log reader", privileges=[PLACE], reason="wanted"
    )
    assert twin.code == "composed.log-reader-2"
    entry = AuditEntry.objects.filter(action="access.role_composed").last()
    assert entry.data["privileges"] == [[], [PLACE]]
    assert entry.reason == "wanted"


@pytest.mark.requirement("PT-012")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"privileges": [BOOKINGS]}, "above_own"),
        ({"privileges": ["audit.no_such"]}, "unknown"),
        ({"privileges": []}, "empty"),
        ({"name": "  "}, "empty"),
    ],
)
def test_a_role_of_what_one_does_not_hold_or_of_nothing_is_refused(
    admin: User, values: dict[str, Any], code: str
) -> None:
    before = Role.all_objects.count()
    act = {"name": "Reader", "privileges": [PLACE], "reason": "x"} | values
    refused(code, services.compose_role, actor=admin, **act)
    assert Role.all_objects.count() == before


@pytest.mark.requirement("PT-012")
def test_a_changed_role_changes_for_all_and_never_for_oneself_or_elsewhere(
    admin: User, ib: User, tree: dict[str, Unit]
) -> None:
    give(admin, "tracershop.shop_internal", tree["room"])
    role = compose("composed.reader", PLACE)
    give(ib, "composed.reader", tree["room"])
    act = {
        "actor": admin,
        "name": "Reader",
        "privileges": [PLACE, BOOKINGS],
        "reason": "x",
        "role_id": role.pk,
    }
    services.compose_role(**act, expected_version=1)
    forget_held(ib)
    assert can(ib, BOOKINGS)

    give(ib, "composed.reader", tree["pharmacy"])
    refused("used_elsewhere", services.compose_role, **act)
    RoleGrant.objects.get(user=ib, unit=tree["pharmacy"])
    services.end_grant(
        actor=ServiceActor("test"),
        grant_id=RoleGrant.objects.get(user=ib, unit=tree["pharmacy"]).pk,
        reason="x",
    )
    mapping = DirectoryGroup.objects.create(name="x", role=role, unit=tree["hospital"])
    refused("used_elsewhere", services.compose_role, **act)
    services.end_directory_mapping(actor=ServiceActor("test"), mapping_id=mapping.pk, reason="x")

    give(admin, "composed.reader", tree["room"])
    refused("self_grant", services.compose_role, **act)
    predefined = Role.objects.get(code="tracershop.shop_internal")
    refused("predefined", services.compose_role, **act | {"role_id": predefined.pk})


@pytest.mark.requirement("PT-012", "PT-022")
def test_the_second_to_save_a_role_is_shown_what_differs(admin: User) -> None:
    role = compose("composed.reader", PLACE)
    act = {"actor": admin, "privileges": [PLACE], "reason": "x", "role_id": role.pk}
    services.compose_role(**act, name="First", expected_version=1)
    with pytest.raises(StaleRecord) as stale:
        services.compose_role(**act, name="Second", expected_version=1)
    [difference] = stale.value.differences
    assert (difference.before, difference.theirs, difference.yours) == (
        "composed.reader",
        "First",
        "Second",
    )


@pytest.mark.requirement("PT-012")
def test_composing_takes_the_privilege(granter: User) -> None:
    with pytest.raises(PermissionDenied):
        services.compose_role(actor=granter, name="x", privileges=[PLACE], reason="x")


@pytest.mark.requirement("PT-016")
def test_what_a_person_holds_is_read_once(granter: User, django_assert_num_queries: Any) -> None:
    forget_held(granter)
    with django_assert_num_queries(1):
        held_by(granter)
        assert can(granter, "access.grant_role")
        assert not can(granter, "access.administer")
