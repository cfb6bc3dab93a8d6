"""Personal data is masked by one mechanism wherever it is read (PT-015)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.forms.models import model_to_dict
from django.template import Context, Template

from portal.access.decision import forget_held, visible
from portal.access.masking import HIDDEN, searchable, unmasked
from portal.access.models import GroupMember, NamedPeople, PeopleGroup, Role, RoleGrant
from portal.accounts.models import User
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.records.services import create_many, soft_delete
from tests.support.factories import give, make_unit, make_user
from tests.support.patients_app.models import Patient

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-015")]

PERSONAL = "patients.see_personal_data"


@dataclass
class World:
    ward: Unit
    lab: Unit
    reader: User
    """Sees rows, and no personal data."""
    nurse: User
    """Sees personal data on the ward."""


@pytest.fixture
def world() -> World:
    house = make_unit("house")
    ward, lab = make_unit("ward", house), make_unit("lab", house)
    Role.objects.create(code="p.view", name="v", module="patients", privileges=["patients.view"])
    Role.objects.create(code="p.personal", name="p", module="patients", privileges=[PERSONAL])
    world = World(ward, lab, make_user("Rita Reader"), make_user("Nora Nurse"))
    for person in (world.reader, world.nurse):
        give(person, "p.view", house, data_scope=RoleGrant.DataScope.UNIT)
    give(world.nurse, "p.personal", ward)
    for unit in (ward, lab):
        Patient.objects.create(
            name="Anna Andersen", born_on=date(2015, 3, 4), number=unit.code, unit=unit
        )
    return world


def rows_for(person: User) -> dict[str, Patient]:
    return {row.number: row for row in visible(person, Patient.objects.order_by("number"))}


def test_a_field_is_masked_where_the_reader_lacks_the_privilege(world: World) -> None:
    with acting(actor=world.nurse):
        rows = rows_for(world.nurse)
        assert rows["ward"].name == "Anna Andersen"
        assert rows["ward"].born_on == date(2015, 3, 4)
        assert (rows["lab"].name, rows["lab"].born_on) == (HIDDEN, HIDDEN)
    with acting(actor=world.reader):
        assert {row.name for row in rows_for(world.reader).values()} == {HIDDEN}


def test_templates_json_and_descriptions_show_the_mask_too(world: World) -> None:
    with acting(actor=world.reader):
        row = rows_for(world.reader)["ward"]
        page = Template("{{ row }} {{ row.name }} {{ row.born_on|day }}").render(
            Context({"row": row})
        )
        answer = json.dumps(model_to_dict(row), cls=DjangoJSONEncoder)
    assert "Anna" not in page + answer + str(row)
    assert "2015" not in page + answer
    assert page == f"ward {HIDDEN} {HIDDEN} {HIDDEN}"


def test_a_page_of_rows_costs_no_query_for_its_masks(
    world: World, django_assert_num_queries: Any
) -> None:
    create_many(
        Patient, [Patient(name=f"P {n}", number=str(n), unit=world.ward) for n in range(50)]
    )
    with acting(actor=world.nurse):
        forget_held(world.nurse)
        with django_assert_num_queries(2):  # what the person holds, and the rows
            names = [row.name for row in visible(world.nurse, Patient.objects.all())]
    assert names.count(HIDDEN) == 1
    assert "P 7" in names


def test_a_row_read_in_another_way_is_masked_as_well(world: World) -> None:
    with acting(actor=world.reader):
        assert Patient.objects.get(number="ward").name == HIDDEN
        assert Patient.objects.only("number").get(number="ward").name == HIDDEN
    with acting(actor=world.nurse):
        assert Patient.objects.get(number="ward").name == "Anna Andersen"


def test_nobody_in_particular_sees_masks_and_a_service_sees_what_is_there(world: World) -> None:
    patient = Patient.objects.get(number="ward")
    assert patient.name == HIDDEN
    with acting(actor=ServiceActor("matching")):
        assert patient.name == "Anna Andersen"
    with acting(actor=ServiceActor("export", on_behalf_of=world.reader)):
        assert patient.name == HIDDEN
    with unmasked():
        assert patient.name == "Anna Andersen"


def test_history_is_masked_like_the_record(world: World) -> None:
    with acting(actor=world.reader):
        assert Patient.objects.get(number="ward").history.first().name == HIDDEN
    with acting(actor=world.nurse):
        assert Patient.objects.get(number="ward").history.first().name == "Anna Andersen"
        assert Patient.objects.get(number="lab").history.first().name == HIDDEN


def test_saving_a_record_one_sees_masked_loses_nothing(world: World) -> None:
    with acting(actor=world.reader):
        patient = rows_for(world.reader)["ward"]
        patient.number = "ward-2"
        patient.save()
    with unmasked():
        patient = Patient.objects.get(number="ward-2")
        assert patient.name == "Anna Andersen"
        assert patient.history.first().name == "Anna Andersen"


def test_a_mask_cannot_be_written(world: World) -> None:
    with acting(actor=world.reader):
        patient = rows_for(world.reader)["ward"]
        with pytest.raises(Refused, match="cannot change it"):
            patient.name = HIDDEN
        with pytest.raises(Refused):
            patient.born_on = patient.born_on


def test_values_of_a_personal_field_are_refused(world: World) -> None:
    for fields in (("name",), ("number", "born_on"), ()):
        with pytest.raises(TypeError, match="not masked"):
            Patient.objects.values(*fields)
    with pytest.raises(TypeError, match="not masked"):
        Patient.objects.values_list("name", flat=True)
    assert list(Patient.objects.order_by("number").values_list("number", flat=True)) == [
        "lab",
        "ward",
    ]


def test_a_name_is_searched_for_only_where_it_may_be_seen(world: World) -> None:
    found = searchable(world.nurse, Patient.objects.filter(name__startswith="Anna"))
    assert [row.number for row in found] == ["ward"]
    assert not searchable(world.reader, Patient.objects.filter(name__startswith="Anna")).exists()


def test_the_tightest_data_scope_is_the_default(world: World) -> None:
    clerk, colleague = make_user("Clara Clerk"), make_user("Carl Colleague")
    grant = give(clerk, "p.view", world.ward)
    for who, unit in ((clerk, world.ward), (colleague, world.ward), (clerk, world.lab)):
        number = f"{who.get_short_name()}-{unit.code}"
        Patient.objects.create(name="X", number=number, unit=unit, entered_by=who)
    assert set(rows_for(clerk)) == {"Clara-ward"}

    grant.data_scope = RoleGrant.DataScope.PEOPLE
    grant.save()
    NamedPeople.objects.create(grant=grant, user=colleague)
    forget_held(clerk)
    assert set(rows_for(clerk)) == {"Clara-ward", "Carl-ward"}

    grant.data_scope = RoleGrant.DataScope.UNIT
    grant.save()
    forget_held(clerk)
    assert set(rows_for(clerk)) == {"Clara-ward", "Carl-ward", "ward"}


def test_rows_of_a_named_group_are_those_of_its_present_members(world: World) -> None:
    clerk, member = make_user("Clara Clerk"), make_user("Mona Member")
    group = PeopleGroup.objects.create(name="team", unit=world.ward)
    in_group = GroupMember.objects.create(group=group, user=member)
    grant = give(clerk, "p.view", world.ward, data_scope=RoleGrant.DataScope.PEOPLE)
    NamedPeople.objects.create(grant=grant, group=group)
    Patient.objects.create(name="X", number="m", unit=world.ward, entered_by=member)
    assert set(rows_for(clerk)) == {"m"}
    soft_delete(in_group)
    forget_held(clerk)
    assert set(rows_for(clerk)) == set()
