"""*Who saw this file*: listed, printed on a sealed paper, and noted (PT-023, PT-024)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from portal.access.models import Role
from portal.accounts.models import User
from portal.audit.models import AccessEntry
from portal.audit.services import Access, log_access
from portal.documents.checking import Finding, check_pdf
from portal.documents.models import IssuedDocument
from portal.documents.services import issue, response
from portal.documents.spreadsheet import workbook_response
from portal.operations import who_saw
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from tests.support.factories import give, make_unit, make_user
from tests.support.patients_app.models import Patient

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-024")]
PATIENT = "010190-1234"
URL = "/operations/who-saw/"


@pytest.fixture
def unit() -> Unit:
    return make_unit("hospital", name="Nordhavn")


@pytest.fixture
def auditor(unit: Unit) -> User:
    person = make_user("Ingrid Vestermark")
    give(person, "audit.auditor", unit)
    return person


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client


@pytest.fixture
def page_of(auditor: User) -> Client:
    return client_of(auditor)


def seen(count: int = 1, patient: str = PATIENT, name: str = "Nosy Colleague") -> None:
    person = User.objects.filter(name=name).first() or make_user(name)
    with acting(actor=person):
        for n in range(count):
            log_access(Access.OPEN, f"letter {n}", patient=patient)


def told(pdf: bytes) -> dict[str, Any]:
    """What the template was given for these very bytes."""
    return IssuedDocument.objects.get(sha256=hashlib.sha256(pdf).hexdigest()).data


# --- the list --------------------------------------------------------------------------------


def test_the_form_is_empty_until_a_file_is_named(page_of: Client) -> None:
    seen()
    page = page_of.get(URL).content.decode()
    assert "Whose file?" in page
    assert "Nosy Colleague" not in page


@pytest.mark.requirement("PT-023")
def test_who_saw_a_patient_s_file_is_listed_and_the_look_is_noted(
    page_of: Client, auditor: User
) -> None:
    seen()
    seen(patient="020290-1234", name="Somebody Else")
    with acting(actor=ServiceActor("import", on_behalf_of=make_user("Signe Holm"))):
        log_access(Access.EXPORT, "all letters", patient=PATIENT)
    with acting(actor=make_user("Support Person"), acting_as="Nurse at Nordhavn"):
        log_access(Access.PRINT, "letter", patient=PATIENT)
    page = page_of.post(URL, {"patient": PATIENT}).content.decode()
    for words in (
        "Nosy Colleague", "import for Signe Holm", "Support Person, acting as Nurse at Nordhavn",
        "opened", "exported", "printed",
    ):  # fmt: skip
        assert words in page
    assert "Somebody Else" not in page
    noted = AccessEntry.objects.latest("pk")
    assert (noted.action, noted.patient, noted.actor_id) == ("open", PATIENT, auditor.pk)
    assert "Ingrid Vestermark" in page_of.post(URL, {"patient": PATIENT}).content.decode()


def test_an_identifier_stands_in_no_address(page_of: Client) -> None:
    """A patient is named in the body of a request alone: servers log addresses."""
    seen()
    assert "Nosy Colleague" not in page_of.get(URL, {"patient": PATIENT}).content.decode()
    page = page_of.post(URL, {"patient": PATIENT}).content.decode()
    assert f"patient={PATIENT}" not in page


def test_who_saw_one_object_is_reached_by_a_link(page_of: Client, unit: Unit) -> None:
    with acting(actor=make_user("Nosy Colleague")):
        log_access(Access.OPEN, unit)
    page = page_of.get(URL, {"object_type": "organisation.unit", "object_id": unit.pk})
    assert "Nosy Colleague" in page.content.decode()
    assert "Who saw unit" in page.content.decode()


def test_days_narrow_and_pages_go_on_by_post(page_of: Client) -> None:
    seen(60)
    AccessEntry.objects.create(
        action="open", patient=PATIENT, actor_name="Old Hand",
        at=timezone.now() - timedelta(days=40),
    )  # fmt: skip
    first = page_of.post(URL, {"patient": PATIENT}).content.decode()
    assert first.count('id="entry-') == 50
    keys = AccessEntry.objects.filter(patient=PATIENT).order_by("-pk").values_list("pk", flat=True)
    before = {"patient": PATIENT, "before": keys[51]}
    assert page_of.post(URL, before).content.decode().count('id="entry-') >= 10
    today = timezone.localdate().isoformat()
    narrow = page_of.post(URL, {"patient": PATIENT, "since": today, "before": keys[50]})
    assert "Old Hand" not in narrow.content.decode()
    assert page_of.post(URL, {"patient": PATIENT, "since": "x"}).status_code == 422


def test_the_list_costs_the_same_number_of_queries_at_10_and_1000_rows(page_of: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of.post(URL, {"patient": PATIENT})
        return len(captured)

    seen(10)
    queries()
    few = queries()
    AccessEntry.objects.bulk_create(
        AccessEntry(action="open", patient=PATIENT, actor_name=f"P{n}") for n in range(1000)
    )
    assert queries() == few


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_auditors_see_who_saw_a_file(method: str) -> None:
    seen()
    answer = getattr(client_of(make_user("Nobody")), method)(URL, {"patient": PATIENT})
    assert answer.status_code == 403


# --- the paper -------------------------------------------------------------------------------


@pytest.mark.usefixtures("server_keys")
def test_the_list_is_printed_as_a_sealed_pdf_and_that_is_noted(
    page_of: Client, auditor: User
) -> None:
    seen(3)
    seen(patient="020290-1234", name="Somebody Else")
    answer = page_of.post(URL, {"patient": PATIENT, "act": "print"})
    assert answer["Content-Type"] == "application/pdf"
    data = told(answer.content)
    assert data["file"]["patient"] == PATIENT
    assert data["file"]["printed_by"] == "Ingrid Vestermark"
    assert [(row["who"], row["act"]) for row in data["entries"]] == [
        ("Nosy Colleague", "opened")
    ] * 3
    assert check_pdf(answer.content).finding is Finding.IN_FORCE
    notes = AccessEntry.objects.filter(patient=PATIENT, actor_id=auditor.pk).order_by("pk")
    assert [note.action for note in notes] == ["print", "export"]
    assert notes[0].data["entries"] == 3


@pytest.mark.usefixtures("server_keys")
def test_a_file_that_nobody_saw_is_printed_too(page_of: Client) -> None:
    answer = page_of.post(URL, {"patient": "none", "act": "print"})
    assert told(answer.content)["entries"] == []
    assert answer.content.startswith(b"%PDF")


def test_a_paper_is_not_endless(page_of: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(who_saw, "LONGEST", 2)
    seen(3)
    answer = page_of.post(URL, {"patient": PATIENT, "act": "print"})
    assert answer.status_code == 422
    assert "too many for a paper" in answer.content.decode()
    assert not AccessEntry.objects.filter(action="print").exists()


def test_nobody_prints_everybody_s_files(page_of: Client, auditor: User) -> None:
    answer = page_of.post(URL, {"act": "print", "object_type": "organisation.unit"})
    assert answer["Content-Type"].startswith("text/html")
    with pytest.raises(who_saw.Refused) as refused:
        who_saw.print_who_saw(actor=auditor, wanted={})
    assert refused.value.code == "whose_file"


def test_printing_is_a_privilege_of_its_own(unit: Unit) -> None:
    Role.objects.create(
        code="audit.reader", name="Reader", module="audit", privileges=["audit.browse_logs"]
    )
    person = make_user("Reader")
    give(person, "audit.reader", unit)
    client = client_of(person)
    seen()
    assert "sealed PDF" not in client.post(URL, {"patient": PATIENT}).content.decode()
    assert client.post(URL, {"patient": PATIENT, "act": "print"}).status_code == 403
    with pytest.raises(PermissionDenied):
        who_saw.print_who_saw(actor=person, wanted={"patient": PATIENT})


# --- no module can forget ---------------------------------------------------------------------


@pytest.fixture
def patient(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> Patient:
    monkeypatch.setattr(
        Patient, "access_log_patient", property(lambda self: self.name), raising=False
    )
    return Patient.objects.create(name="Anna Andersen", number="1", unit=unit)


@pytest.mark.requirement("PT-023")
def test_every_line_of_a_record_that_says_whose_it_is_names_the_patient(patient: Patient) -> None:
    """Also where the person who acts may not see the name."""
    with acting(actor=make_user("Rita Reader")):
        entry = log_access(Access.OPEN, Patient.objects.get(pk=patient.pk))
    assert entry.patient == "Anna Andersen"
    assert "Anna" not in entry.object_repr


@pytest.mark.requirement("PT-023")
@pytest.mark.usefixtures("server_keys")
def test_a_document_handed_out_is_noted_as_an_export_of_the_patient_s_file(
    patient: Patient, auditor: User, tmp_path: Path
) -> None:
    (tmp_path / "letter.typ").write_text('#import "house.typ": house\n#show: house\n')
    document = issue(
        kind="tests.letter", obj=patient, title="Letter", number="L-1", data={},
        template=tmp_path / "letter.typ",
    )  # fmt: skip
    response(document, user=auditor)
    noted = AccessEntry.objects.latest("pk")
    assert (noted.action, noted.patient, noted.actor_id) == ("export", "Anna Andersen", auditor.pk)


@pytest.mark.requirement("PT-023")
def test_a_sheet_handed_out_is_noted_as_an_export(patient: Patient, auditor: User) -> None:
    with acting(actor=auditor):
        workbook_response("a.xlsx", ["A"], [[1]], of=patient, facts={"rows": 1})
    noted = AccessEntry.objects.latest("pk")
    assert (noted.action, noted.patient) == ("export", "Anna Andersen")
    assert noted.data == {"format": "xlsx", "rows": 1}


@pytest.mark.requirement("PT-023")
def test_files_leave_by_the_ways_that_note_it() -> None:
    """No page hands out a PDF, a sheet or a CSV past the functions that write the access log."""
    ways = {
        "portal/documents/services.py",  # response()
        "portal/documents/spreadsheet.py",  # workbook_response()
        "portal/operations/views/audit.py",  # the logs themselves, which it notes
        "portal/forms/views/sheet_papers.py",  # a form on paper, its files: each noted
        "modules/digital_review/digital_review/views/overview.py",  # the list, noted by patient
        "modules/digital_review/digital_review/views/form_signing.py",  # the scan, noted
    }
    kinds = ("application/pdf", "spreadsheetml", "text/csv", "Content-Disposition", "FileResponse")
    root = Path(__file__).resolve().parents[2]
    found = {
        str(path.relative_to(root))
        for folder in ("portal", "modules")
        for path in (root / folder).rglob("*.py")
        if any(kind in path.read_text(encoding="utf-8") for kind in kinds)
    }
    assert found - _not_handed_out() == ways


def _not_handed_out() -> set[str]:
    """Files that name such a kind to read one, or hand out what holds nothing of a patient."""
    return {
        "portal/documents/forms.py",
        "portal/forms/services/files.py",
        "modules/digital_review/digital_review/services/signing.py",
        # designs of forms and flows
        "portal/forms/views/designs.py",
        "portal/flows/views/designs.py",
    }


def test_the_address_of_the_page_is_stable() -> None:
    assert reverse("operations:who_saw") == URL
