"""The history page of any record (PT-020, PT-024)."""

from __future__ import annotations

import re
from datetime import date
from html import unescape

import pytest
from django.db import connection
from django.template import engines
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django_cotton.compiler_regex import CottonCompiler
from tracershop.models import Customer

from portal.access.models import DirectoryGroup, Role, RoleGrant
from portal.accounts.models import User
from portal.audit.models import AccessEntry
from portal.operations import histories
from portal.operations.histories import changes
from portal.records.context import ServiceActor, acting
from portal.records.services import restore, soft_delete
from tests.support.factories import give, make_unit, make_user
from tests.support.patients_app.models import Patient

pytestmark = pytest.mark.django_db


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client


@pytest.fixture
def auditor() -> User:
    person = make_user("Ingrid Vestermark")
    give(person, "audit.auditor", make_unit("audited"))
    return person


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.mark.requirement("PT-020", "PT-024")
def test_history_shows_old_and_new_in_words_with_who_when_service_and_reason(
    auditor: User,
) -> None:
    one, two = make_unit("one", name="Nordhavn"), make_unit("two", name="Køge Bugt")
    person = make_user("Signe Holm")
    role = Role.objects.create(code="access.t", name="Tester", module="access", privileges=[])
    with acting(actor=person, reason="first"):
        mapping = DirectoryGroup.objects.create(name="testers", role=role, unit=one)
    with acting(actor=ServiceActor("night job", on_behalf_of=person), reason="moved"):
        mapping.unit = two
        mapping.save()
    client = client_of(auditor)
    answer = client.get(f"/operations/history/access.directorygroup/{mapping.pk}/")
    page = answer.content.decode()
    assert "<del>Nordhavn</del>" in page
    assert "<ins>Køge Bugt</ins>" in page
    words = words_of(page)
    assert "night job on behalf of Signe Holm" in words
    assert "moved" in words
    assert words.index("Changed") < words.index("Created")
    labels = {line.label for change in changes(mapping)[0] for line in change.differences}
    assert labels == {"directory group", "role", "unit"}
    noted = AccessEntry.objects.latest("pk")
    assert (noted.action, noted.object_id) == ("open", str(mapping.pk))


@pytest.mark.requirement("PT-020")
def test_deleting_and_restoring_are_told_as_such() -> None:
    role = Role.objects.create(code="access.t", name="Tester", module="access", privileges=["a.b"])
    soft_delete(role)
    restore(role)
    told, more = changes(role)
    assert [change.kind for change in told] == ["restored", "deleted", "created"]
    assert not more
    assert [line.label for line in told[1].differences] == []
    assert ("privileges", "a.b") in [(line.label, line.new) for line in told[2].differences]


def test_choices_truth_and_times_are_in_words(auditor: User) -> None:
    person = make_user("Signe Holm")
    person.is_active = False
    person.kind = User.Kind.STAFF
    person.save()
    newest = changes(person)[0][0]
    assert [(line.label, line.old, line.new) for line in newest.differences] == [
        ("active", "yes", "no")
    ]
    created = {line.label: line.new for line in changes(person)[0][-1].differences}
    assert created["kind"] == "staff (regional ID)"


@pytest.mark.requirement("PT-016")
def test_a_record_that_one_may_not_see_has_no_history_for_one() -> None:
    north, south = make_unit("north"), make_unit("south")
    customer = Customer.objects.create(name="Klinik A", unit=north, **customer_fields())
    path = f"/operations/history/tracershop.customer/{customer.pk}/"
    producer, other = make_user("Producer"), make_user("Other")
    give(producer, "tracershop.production_user", north)
    give(other, "tracershop.production_user", south)
    assert client_of(producer).get(path).status_code == 200
    assert client_of(other).get(path).status_code == 404
    assert Client().get(path).status_code == 302


def customer_fields() -> dict[str, str]:
    names = {field.name for field in Customer._meta.get_fields()}
    return {"code": "A"} if "code" in names else {}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("access.role/987654321/", 404),
        ("access.role/not-a-number/", 404),
        ("audit.auditentry/1/", 404),
        ("nonsense/1/", 404),
        ("gone.thing/1/", 404),
    ],
)
def test_what_is_not_there_is_a_404(auditor: User, path: str, status: int) -> None:
    assert client_of(auditor).get(f"/operations/history/{path}").status_code == status


def test_a_module_that_is_gone_is_explained_to_auditors_only() -> None:
    answer = client_of(make_user("Nobody")).get("/operations/history/gone.thing/1/")
    assert answer.status_code == 403


def test_long_histories_come_in_pages(auditor: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "PAGE_LENGTH", 3)
    role = Role.objects.create(code="access.t", name="0", module="access", privileges=[])
    for n in range(1, 5):
        role.name = str(n)
        role.save()
    first, more = changes(role)
    assert more
    assert [(change.differences[0].old, change.differences[0].new) for change in first] == [
        ("3", "4"), ("2", "3"), ("1", "2"),
    ]  # fmt: skip
    second, more = changes(role, 2)
    assert not more
    assert second[0].differences[0].old == "0"
    page = client_of(auditor).get(f"/operations/history/access.role/{role.pk}/?page=2")
    assert "Newer" in page.content.decode()


def test_the_page_costs_the_same_number_of_queries_however_long_the_history_is() -> None:
    unit, person = make_unit("hospital"), make_user("Signe Holm")
    grant = give(person, "audit.auditor", unit)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            changes(RoleGrant.objects.get(pk=grant.pk))
        return len(captured)

    few = queries()
    for n in range(10):
        with acting(actor=make_user(f"Person {n}")):
            grant.below = not grant.below
            grant.save()
    assert queries() == few + 1  # the people, who were none before


def test_fields_that_a_model_keeps_secret_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    role = Role.objects.create(code="access.t", name="Tester", module="access", privileges=[])
    monkeypatch.setattr(Role, "secret_fields", ("name",), raising=False)
    assert "Tester" not in [line.new for line in changes(role)[0][0].differences]


# --- personal data, other roles, links ---------------------------------------------------------


def make_patient() -> Patient:
    unit = make_unit("ward")
    Role.objects.create(code="p.v", name="v", module="patients", privileges=["patients.view"])
    Role.objects.create(
        code="p.p", name="p", module="patients", privileges=["patients.see_personal_data"]
    )
    patient = Patient.objects.create(
        name="Anna Andersen", born_on=date(2015, 3, 4), number="1", unit=unit
    )
    with acting(actor=ServiceActor("import")):
        fresh = Patient.objects.get(pk=patient.pk)
        fresh.name, fresh.number = "Berta Bentsen", "2"
        fresh.save()
    return patient


@pytest.mark.requirement("PT-015", "PT-020")
def test_personal_data_is_masked_in_the_history_and_that_it_changed_is_told() -> None:
    patient = make_patient()
    reader, nurse = make_user("Rita Reader"), make_user("Nora Nurse")
    for person in (reader, nurse):
        give(person, "p.v", patient.unit, data_scope=RoleGrant.DataScope.UNIT)
    give(nurse, "p.p", patient.unit)
    path = f"/operations/history/patients.patient/{patient.pk}/"
    page = client_of(reader).get(path).content.decode()
    assert "Andersen" not in page
    assert "Bentsen" not in page
    assert "2015" not in page
    assert "<del>•••</del>" in page
    assert "<ins>•••</ins>" in page
    page = client_of(nurse).get(path).content.decode()
    assert "<del>Anna Andersen</del>" in page
    assert "<ins>Berta Bentsen</ins>" in page


@pytest.mark.requirement("PT-015", "PT-020")
def test_a_long_history_of_personal_data_costs_no_query_a_row() -> None:
    patient = make_patient()
    nurse = make_user("Nora Nurse")
    give(nurse, "p.p", patient.unit)

    def queries() -> int:
        with acting(actor=nurse), CaptureQueriesContext(connection) as captured:
            changes(Patient.objects.get(pk=patient.pk))
        return len(captured)

    queries()
    few = queries()
    with acting(actor=ServiceActor("import")):
        for n in range(40):
            fresh = Patient.objects.get(pk=patient.pk)
            fresh.name = f"Name {n}"
            fresh.save()
    assert queries() == few


@pytest.mark.requirement("PT-006", "PT-020")
def test_who_acted_in_another_role_is_told_with_both(auditor: User) -> None:
    with acting(actor=make_user("Support Person"), acting_as="Shop user at Nordhavn"):
        role = Role.objects.create(code="access.t", name="Tester", module="access", privileges=[])
    (change,) = changes(role)[0]
    assert (change.who, change.service) == ("Support Person", "")
    assert change.acting_as == "Shop user at Nordhavn"
    page = client_of(auditor).get(f"/operations/history/access.role/{role.pk}/").content.decode()
    assert "Support Person, acting as Shop user at Nordhavn" in words_of(page)


@pytest.mark.requirement("PT-021")
def test_deleting_and_restoring_are_marked_on_the_page(auditor: User) -> None:
    role = Role.objects.create(code="access.t", name="Tester", module="access", privileges=[])
    soft_delete(role)
    path = f"/operations/history/access.role/{role.pk}/"
    page = client_of(auditor).get(path).content.decode()
    assert "tone-red" in page
    assert page.count("Deleted") >= 2  # beside the title, and in the timeline
    restore(role)
    assert "tone-green" in client_of(auditor).get(path).content.decode()


def links(person: User, record: object) -> str:
    request = RequestFactory().get("/")
    request.user = person
    source = CottonCompiler().process('<c-record-items :record="record" />')
    return engines["django"].from_string(source).render({"record": record}, request)


@pytest.mark.requirement("PT-024")
def test_every_record_page_can_link_to_history_and_to_who_saw_it(auditor: User) -> None:
    unit = make_unit("hospital")
    for_auditor, for_others = links(auditor, unit), links(make_user("Nobody"), unit)
    assert f"/operations/history/organisation.unit/{unit.pk}/" in for_auditor
    assert f"/operations/who-saw/?object_type=organisation.unit&amp;object_id={unit.pk}" in (
        for_auditor
    )
    assert f"/operations/history/organisation.unit/{unit.pk}/" in for_others
    assert "who-saw" not in for_others
