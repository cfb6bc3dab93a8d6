"""Units are made, renamed and moved; the tree and its history stay whole (PT-010)."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction

from portal.access.decision import can, forget_held, visible
from portal.access.models import Profile
from portal.access.services import grant_role
from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.organisation import selectors
from portal.organisation.apps import CHANGE
from portal.organisation.models import Unit
from portal.organisation.services import change_unit, create_unit, move_unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused, StaleRecord
from tests.support.factories import give, make_role, make_unit, make_user
from tests.support.threads import at_once

WHY = "reorganised"
pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-010")]


@pytest.fixture
def region() -> Unit:
    return make_unit("region")


@pytest.fixture
def north(region: Unit) -> Unit:
    return make_unit("north", region)


@pytest.fixture
def south(region: Unit) -> Unit:
    return make_unit("south", region)


@pytest.fixture
def ward(north: Unit) -> Unit:
    """With a bed below it."""
    ward = make_unit("ward", north)
    make_unit("bed", ward)
    return ward


@pytest.fixture
def admin(region: Unit) -> User:
    """Changes the whole tree."""
    user = make_user("Ada Admin")
    give(user, "access.portal_administrator", region)
    return user


def keeper(name: str, *units: Unit) -> User:
    """Changes the tree at and below these units, and holds nothing else."""
    user = make_user(name)
    make_role("t.keeper", CHANGE)
    for unit in units:
        give(user, "t.keeper", unit)
    return user


def now(unit: Unit) -> Unit:
    return Unit.all_objects.get(pk=unit.pk)


def assert_whole() -> None:
    """Paths, depths, counts of children and the parents that units name all agree."""
    problems = Unit.find_problems()
    assert not any(problems), problems
    by_path = {unit.path: unit for unit in Unit.all_objects.all()}
    for unit in by_path.values():
        above = by_path.get(unit.path[: -Unit.steplen])
        assert unit.parent_id == (above.pk if above else None), unit


def test_a_unit_is_made_below_another_with_its_history(admin: User, north: Unit) -> None:
    made = create_unit(
        actor=admin, parent=north, name=" PET ", code="pet", kind="laboratory", reason=WHY
    )
    assert (made.name, made.parent, now(made).depth) == ("PET", north, 3)
    assert [row.parent_id for row in made.history.all()] == [north.pk]
    entry = AuditEntry.objects.get(action="organisation.unit_created")
    assert (entry.data["parent"], entry.reason, entry.actor_name) == ("north", WHY, "Ada Admin")
    assert_whole()


@pytest.mark.parametrize("code", ["north", "gone"])
def test_no_two_units_ever_have_the_same_code(
    admin: User, region: Unit, north: Unit, code: str
) -> None:
    make_unit("gone", region, closed_on="2020-01-01")
    with pytest.raises(Refused) as refused:
        create_unit(actor=admin, parent=region, name="X", code=code, kind="ward")
    assert refused.value.code == "code_taken"
    south = make_unit("south", region)
    with pytest.raises(Refused) as refused:
        change_unit(actor=admin, unit=south, name="S", code=code, kind="ward", reason=WHY)
    assert refused.value.code == "code_taken"


def test_a_new_top_is_for_services_alone(admin: User) -> None:
    with pytest.raises(PermissionDenied):
        create_unit(actor=admin, parent=None, name="X", code="x", kind="hospital")
    made = create_unit(
        actor=ServiceActor("set-up"), parent=None, name="X", code="x", kind="hospital"
    )
    assert (made.depth, made.parent) == (1, None)


def test_the_second_of_two_who_rename_is_shown_what_differs(admin: User, north: Unit) -> None:
    version = north.version
    values = {"code": "north", "kind": "hospital", "reason": WHY}
    change_unit(actor=admin, unit=north, name="A", expected_version=version, **values)
    with pytest.raises(StaleRecord) as stale:
        change_unit(actor=admin, unit=north, name="B", expected_version=version, **values)
    assert [(each.theirs, each.yours) for each in stale.value.differences] == [("A", "B")]
    assert now(north).name == "A"


def test_a_branch_is_moved_whole_and_its_history_says_from_where(
    admin: User, north: Unit, south: Unit, ward: Unit
) -> None:
    make_unit("first", south)
    bed = Unit.objects.get(code="bed")
    version = bed.version
    move_unit(actor=admin, unit=ward, target=south, reason=WHY)
    moved, bed = now(ward), now(bed)
    assert moved.path.startswith(south.path)
    assert bed.path.startswith(moved.path)
    assert [row.parent_id for row in ward.history.all()] == [south.pk, north.pk]
    assert bed.history.first().path == bed.path
    assert bed.version == version + 1
    entry = AuditEntry.objects.get(action="organisation.unit_moved")
    assert (entry.object_id, entry.data["parent"]) == (str(ward.pk), ["north", "south"])
    latest = selectors.life(moved)[0]
    assert ("North" in latest.what, "South" in latest.what) == (True, True)
    assert (latest.who, latest.reason) == ("Ada Admin", WHY)
    assert_whole()


def test_what_is_granted_at_a_unit_moves_with_it(
    admin: User, north: Unit, south: Unit, ward: Unit
) -> None:
    above, at = make_user("Anna Above"), make_user("Alf At")
    make_role("t.keeper", CHANGE)
    give(above, "t.keeper", north)
    give(at, "t.keeper", ward)
    newcomer = keeper("Nina New", south)
    move_unit(actor=admin, unit=ward, target=south, reason=WHY)
    for person, expected in ((above, False), (at, True), (newcomer, True)):
        forget_held(person)
        assert can(person, CHANGE, now(ward)) is expected
        assert visible(person, Unit.objects.filter(code="bed")).exists() is expected


def test_a_stale_copy_of_a_moved_unit_cannot_write_its_old_path_back(
    admin: User, south: Unit, ward: Unit
) -> None:
    bed = Unit.objects.get(code="bed")
    move_unit(actor=admin, unit=ward, target=south, reason=WHY)
    bed.name = "Bed 1"
    with pytest.raises(StaleRecord), transaction.atomic():
        bed.save()
    assert_whole()


@pytest.mark.parametrize(
    ("unit", "target", "code"),
    [
        ("north", "ward", "under_itself"),
        ("north", "north", "under_itself"),
        ("region", "north", "root"),
        ("ward", "north", "there_already"),
        ("ward", "shut", "closed"),
        ("shut", "south", "closed"),
    ],
)
def test_moves_that_make_no_tree_are_refused(
    admin: User, region: Unit, south: Unit, ward: Unit, unit: str, target: str, code: str
) -> None:
    make_unit("shut", region, closed_on="2020-01-01")
    before = list(Unit.all_objects.values_list("code", "path"))
    with pytest.raises(Refused) as refused:
        move_unit(
            actor=admin,
            unit=Unit.objects.get(code=unit),
            target=Unit.objects.get(code=target),
            reason=WHY,
        )
    assert refused.value.code == code
    assert list(Unit.all_objects.values_list("code", "path")) == before


def test_a_branch_that_would_be_too_deep_is_refused(admin: User, south: Unit, ward: Unit) -> None:
    deep = south
    while deep.depth < 62:
        deep = make_unit(f"u{deep.depth}", deep)
    with pytest.raises(Refused) as refused:
        move_unit(actor=admin, unit=ward, target=deep, reason=WHY)
    assert refused.value.code == "too_deep"
    last = make_unit("last", deep)
    with pytest.raises(Refused) as refused:
        create_unit(actor=admin, parent=last, name="X", code="x", kind="ward")
    assert refused.value.code == "too_deep"
    assert_whole()


@pytest.mark.parametrize("held", [("south",), ("ward", "south"), ("north",), ("ward",)])
def test_nobody_moves_a_unit_without_rights_over_all_that_it_concerns(
    south: Unit, ward: Unit, held: tuple[str, ...]
) -> None:
    """Into one's own reach without a say over the source, or out of the reach of who is above."""
    user = keeper("Kim Keeper", *Unit.objects.filter(code__in=held))
    with pytest.raises(PermissionDenied):
        move_unit(actor=user, unit=ward, target=south, reason=WHY)
    assert_whole()
    assert now(ward).path == ward.path


def test_who_may_change_both_sides_moves(north: Unit, south: Unit, ward: Unit) -> None:
    user = keeper("Kim Keeper", north, south)
    move_unit(actor=user, unit=ward, target=south, reason=WHY)
    assert now(ward).parent == south


@pytest.mark.parametrize("where", ["own", "profile", "later"])
def test_nobody_moves_a_unit_to_where_they_hold_more(
    north: Unit, south: Unit, ward: Unit, where: str
) -> None:
    user = keeper("Kim Keeper", north, south)
    make_role("t.reader", "audit.browse_logs")
    values: dict[str, object] = {}
    if where == "profile":
        values["profile"] = Profile.objects.create(user=user, name="Other", unit=south)
    if where == "later":
        values["starts_on"] = "2090-01-01"
    give(user, "t.reader", south, **values)
    with pytest.raises(Refused) as refused:
        move_unit(actor=user, unit=ward, target=south, reason=WHY)
    assert refused.value.code == "self_grant"
    assert len(refused.value.details) == 1


def test_what_will_happen_is_told_before(admin: User, north: Unit, south: Unit, ward: Unit) -> None:
    make_role("t.keeper", CHANGE)
    give(make_user("Anna Above"), "t.keeper", north)
    give(make_user("Nina New"), "t.keeper", south)
    lines = selectors.moving(ward, south)
    assert len(lines) == 4
    assert "North" in lines[1]
    assert "South" in lines[2]


@pytest.mark.django_db(transaction=True)
def test_of_two_moves_at_once_that_make_a_circle_one_is_refused(region: Unit) -> None:
    admin = make_user("Ada Admin")
    give(admin, "access.portal_administrator", region)
    a, b = make_unit("a", region), make_unit("b", region)
    for _again in range(3):
        results = at_once(
            lambda: move_unit(
                actor=User.objects.get(pk=admin.pk), unit=now(a), target=now(b), reason=WHY
            ),
            lambda: move_unit(
                actor=User.objects.get(pk=admin.pk), unit=now(b), target=now(a), reason=WHY
            ),
        )
        refused = [each for each in results if isinstance(each, Exception)]
        assert [getattr(each, "code", each) for each in refused] == ["under_itself"]
        assert_whole()
        for unit in (a, b):
            if now(unit).parent != region:
                move_unit(actor=admin, unit=now(unit), target=region, reason=WHY)


@pytest.mark.django_db(transaction=True)
def test_units_made_and_moved_at_once_get_places_of_their_own(region: Unit) -> None:
    admin = make_user("Ada Admin")
    give(admin, "access.portal_administrator", region)
    a, b = make_unit("a", region), make_unit("b", region)

    def make(code: str) -> Unit:
        actor = User.objects.get(pk=admin.pk)
        return create_unit(actor=actor, parent=b, name=code, code=code, kind="ward")

    results = at_once(
        lambda: make("x"),
        lambda: make("y"),
        lambda: make("x"),
        lambda: move_unit(actor=User.objects.get(pk=admin.pk), unit=a, target=b, reason=WHY),
    )
    refused = [each for each in results if isinstance(each, Exception)]
    assert [getattr(each, "code", each) for each in refused] == ["code_taken"]
    assert set(Unit.objects.filter(parent=b).values_list("code", flat=True)) == {"a", "x", "y"}
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_a_grant_and_a_move_at_once_leave_the_grant_where_the_unit_is(region: Unit) -> None:
    admin = make_user("Ada Admin")
    give(admin, "access.portal_administrator", region)
    a, b = make_unit("a", region), make_unit("b", region)
    person = make_user("Per Person")
    role = make_role("t.keeper", CHANGE)

    def grant() -> None:
        actor = User.objects.get(pk=admin.pk)
        grant_role(actor=actor, user=person, role=role, unit=a, reason=WHY)

    results = at_once(
        grant,
        lambda: move_unit(actor=User.objects.get(pk=admin.pk), unit=a, target=b, reason=WHY),
    )
    assert [each for each in results if isinstance(each, Exception)] == []
    forget_held(person)
    assert can(person, CHANGE, now(a))
    assert not can(person, CHANGE, now(b))
    assert_whole()
