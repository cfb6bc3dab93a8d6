"""The demo: an invented region and its people, made once (OP-001)."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from portal.access.decision import can
from portal.access.models import DirectoryGroup
from portal.accounts.models import User
from portal.content import demo as content_demo
from portal.operations import demo
from portal.operations.configuration import look_at, modules_with_clinical_settings
from portal.operations.demo import DemoPerson, as_rows, load_tree, people
from portal.operations.models import SignedConfiguration
from portal.organisation.models import Unit
from portal.signing.services import has_pin

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("server_keys")]


@pytest.fixture
def portal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the portal's own declarations: the modules' data have tests of their own."""
    monkeypatch.setattr(demo.registry, "modules", lambda: [m for m in modules() if m.is_portal])


modules = demo.registry.modules


def rows() -> dict[str, int]:
    """How many rows each table has."""
    with connection.cursor() as cursor:
        return {
            table: _count(cursor, table)
            for table in connection.introspection.table_names(cursor)
            if not table.startswith("django_")
        }


def _count(cursor: object, table: str) -> int:
    cursor.execute(f'SELECT count(*) FROM "{table}"')  # type: ignore[attr-defined]
    return cursor.fetchone()[0]  # type: ignore[attr-defined]


@pytest.mark.requirement("OP-001")
def test_the_demo_is_loaded_once_and_a_second_start_changes_nothing(
    settings: Settings, portal_only: None
) -> None:
    settings.PORTAL_DEMO = True
    said = StringIO()
    call_command("load_demo", stdout=said)
    assert "loaded" in said.getvalue()
    first = rows()
    assert first["organisation_unit"] >= 9
    call_command("load_demo", stdout=said)
    assert rows() == first


@pytest.mark.requirement("OP-005")
def test_the_demo_begins_with_signed_configurations(settings: Settings) -> None:
    settings.PORTAL_DEMO = True
    call_command("load_demo", stdout=StringIO())
    (signed,) = SignedConfiguration.objects.all()
    assert (signed.module, signed.signed_by.subject) == ("tracershop", demo.CONFIGURATION_SIGNER)
    assert "F-18" in signed.stated["isotopes"]
    assert {look_at(module).state for module in modules_with_clinical_settings()} == {"signed"}
    assert can(signed.signed_by, "operations.sign_configuration")


@pytest.mark.requirement("PT-001", "PT-010")
def test_the_demo_s_people_hold_their_roles_by_the_directory(
    settings: Settings, portal_only: None
) -> None:
    settings.PORTAL_DEMO = True
    call_command("load_demo", stdout=StringIO())
    by_sub = {user.subject: user for user in User.objects.exclude(subject=None)}
    assert can(by_sub["demo-administrator"], "access.administer", None)
    assert can(by_sub["demo-operator"], "operations.see_status")
    assert not can(by_sub["demo-operator"], "audit.browse_logs")
    assert can(by_sub["demo-auditor"], "audit.export_logs")
    assert DirectoryGroup.objects.get(name="portal-auditors").unit.code == "region"
    pet = Unit.objects.get(code="pet")
    assert pet.kind == Unit.Kind.LABORATORY
    assert Unit.objects.get(code="hosp-north").covers(pet)
    assert not Unit.objects.get(code="external").covers(pet)
    assert Unit.find_problems() == ([], [], [], [], [])


@pytest.mark.requirement("OP-001")
def test_the_people_are_listed_for_the_identity_provider_and_for_people() -> None:
    said = StringIO()
    call_command("demo_people", "--json", stdout=said)
    listed = json.loads(said.getvalue())
    own = next(row for row in listed if row["sub"] == "demo-auditor")
    assert own["regional_id"] == "REG0003"
    assert own["groups"] == ["portal-auditors"]
    assert set(own) >= {"sub", "regional_id", "name", "email", "groups", "role", "pin", "external"}
    said = StringIO()
    call_command("demo_people", stdout=said)
    assert "Ingrid Vestermark: Auditor" in said.getvalue()


def test_the_demo_is_never_loaded_elsewhere(settings: Settings) -> None:
    settings.PORTAL_DEMO = False
    with pytest.raises(CommandError, match="not the demo's"):
        call_command("load_demo")
    assert not Unit.objects.filter(code="region").exists()


def test_an_account_with_a_pin_can_sign_and_an_external_one_has_its_password() -> None:
    signer = demo.ensure_account(
        DemoPerson("demo-signer", "REG7", "Signer", "s@demo.invalid", pin="58271936")
    )
    assert has_pin(signer)
    outside = demo.ensure_account(
        DemoPerson(
            "demo-outside", "", "Out", "o@company.invalid", external=True, password="long enough"
        )
    )
    assert outside.check_password("long enough")
    assert (outside.kind, outside.subject) == (User.Kind.EXTERNAL, None)
    again = DemoPerson("demo-outside", "", "Out", "o@company.invalid", external=True)
    assert demo.ensure_account(again) == outside


def test_invented_people_have_addresses_that_no_mail_reaches() -> None:
    for row in as_rows(people()):
        assert row["email"].endswith(".invalid")
    assert load_tree()["region"].name == "Region Øresund"
    assert content_demo.INTRODUCTION.startswith("<p>")
