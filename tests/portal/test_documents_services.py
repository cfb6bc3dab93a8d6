"""Issuing documents, keeping them byte for byte, and telling whether one is genuine."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import InternalError, ProgrammingError
from django.urls import reverse
from pyhanko.pdf_utils.reader import PdfFileReader

from portal import serverkeys
from portal.audit.models import AccessEntry, AuditEntry
from portal.documents import services
from portal.documents.models import IssuedDocument
from portal.documents.sealing import SealState, verify_seal
from portal.records.context import acting
from portal.records.errors import Refused
from tests.support.factories import make_unit, make_user
from tests.support.signing import triggers_disabled

pytestmark = pytest.mark.django_db

SHEET = """
#import "house.typ": house, data, label
#show: house
#label("activity"): #data.activity_mbq MBq. #data.comment
"""


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "sheet" / "sheet.typ"
    path.parent.mkdir()
    path.write_text(SHEET, encoding="utf-8")
    return path


@pytest.fixture
def unit():
    return make_unit("pet-centre", name="PET centre")


@pytest.fixture
def issue(template, unit):
    """Issue the sheet of the unit with these facts."""

    def _issue(activity_mbq=Decimal("1520.5"), label="Activity", **more):
        values = {
            "kind": "sheet",
            "obj": unit,
            "title": "Release certificate",
            "number": "RC/1042",
            "data": {
                "activity_mbq": activity_mbq,
                "filled_at": datetime(2026, 11, 21, 7, 30, tzinfo=UTC),
                "comment": '#read("/etc/passwd")',
                "labels": {"activity": label},
            },
            "template": template,
        }
        return services.issue(**{**values, **more})

    return _issue


def stored(document):
    return IssuedDocument.objects.get(pk=document.pk)


def seal_of(document):
    return verify_seal(bytes(stored(document).pdf), serverkeys.load_sealing_certificates())


@pytest.mark.requirement("TS-086", "PT-030")
def test_an_issued_document_is_sealed_hashed_and_in_the_audit_trail(issue):
    person = make_user("Karen Brandt Holm")
    with acting(actor=person):
        document = issue()
    document = stored(document)
    assert seal_of(document) is SealState.INTACT
    assert document.sha256 == hashlib.sha256(bytes(document.pdf)).hexdigest()
    assert (document.revision, document.number, document.issued_by) == (1, "RC/1042", person)
    assert document.data["activity_mbq"] == "1520.5"
    assert document.data["document"]["verify_url"].endswith(reverse("documents:check"))
    entry = AuditEntry.objects.get(action="documents.issued")
    assert (entry.object_id, entry.data["sha256"]) == (str(document.pk), document.sha256)
    assert PdfFileReader(BytesIO(bytes(document.pdf))).embedded_signatures


@pytest.mark.requirement("TS-086")
def test_issuing_the_same_again_gives_the_document_there_is(issue, settings):
    first = issue()
    assert issue() == first
    assert issue(activity_mbq=Decimal("1520.50"), number="another") == first
    assert issue(label="Aktivitet") == first  # worded otherwise, stating the same
    settings.LANGUAGE_CODE = "da"
    assert issue(data={**stored(first).data}) == first
    assert IssuedDocument.objects.count() == 1


@pytest.mark.requirement("TS-086", "TS-084")
def test_other_facts_give_the_next_revision_and_the_former_stays_as_it_was(issue, unit):
    first = issue()
    before = bytes(stored(first).pdf)
    second = issue(activity_mbq=Decimal(9))
    assert (second.revision, second.number) == (2, "RC/1042-r2")
    assert services.current(unit, "sheet") == second
    assert services.is_superseded(stored(first))
    assert stored(first).supersession.reason == "Replaced by revision 2"
    assert bytes(stored(first).pdf) == before
    assert [d.revision for d in services.documents_of(unit)] == [2, 1]
    third = issue(title="Another title", activity_mbq=Decimal(9))
    assert third.revision == 3


@pytest.mark.requirement("TS-084")
def test_a_correction_takes_documents_out_of_force_and_the_same_facts_are_issued_anew(issue, unit):
    first, other = issue(), issue(kind="note", number="DN/1042")
    with pytest.raises(Refused):
        services.supersede_documents(unit, " ")
    assert set(services.supersede_documents(unit, "Wrong vial")) == {first, other}
    assert services.supersede_documents(unit, "again") == []
    assert services.current(unit, "sheet") is None
    assert AuditEntry.objects.filter(action="documents.superseded").count() == 2
    assert AuditEntry.objects.filter(action="documents.superseded", reason="Wrong vial").exists()
    again = issue()
    assert again.revision == 2


def test_one_objects_documents_are_not_anothers(issue, unit):
    issue()
    other = make_unit("ward")
    assert services.current(other, "sheet") is None
    assert issue(obj=other, number="RC/1043").revision == 1
    assert services.current(unit, "other kind") is None


def test_what_fails_to_be_made_leaves_nothing(issue, template):
    template.write_text("#panic()", encoding="utf-8")
    with pytest.raises(Exception, match="panic"):
        issue()
    assert not IssuedDocument.objects.exists()
    assert not AuditEntry.objects.filter(action="documents.issued").exists()


@pytest.mark.requirement("TS-086")
def test_without_the_sealing_key_nothing_is_issued(issue, settings, tmp_path):
    serverkeys._forget()
    settings.PORTAL_KEYS_DIR = str(tmp_path)
    with pytest.raises(Refused) as refused:
        issue()
    assert refused.value.code == "server_key"
    assert not IssuedDocument.objects.exists()


@pytest.mark.requirement("TS-086")
@pytest.mark.django_db(transaction=True)
def test_two_who_issue_at_the_same_moment_get_one_document(issue, unit, monkeypatch):
    both = threading.Barrier(2)
    lock = services._lock

    def lock_together(*given):
        both.wait(timeout=20)
        lock(*given)

    monkeypatch.setattr(services, "_lock", lock_together)
    got, raised = [], []

    def work():
        try:
            got.append(issue())
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert raised == []
    assert got[0] == got[1]
    assert IssuedDocument.objects.count() == 1


@pytest.mark.requirement("TS-086", "PT-021")
@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_to_alter_or_remove_an_issued_document(issue):
    issue()
    for statement in (
        "UPDATE documents_issueddocument SET pdf = 'x'",
        "DELETE FROM documents_issueddocument",
        "TRUNCATE documents_issueddocument CASCADE",
    ):
        with pytest.raises((InternalError, ProgrammingError), match="refused"):
            _run(statement)


@transaction.atomic
def _run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


# --- handing out ----------------------------------------------------------------------------------


@pytest.mark.requirement("TS-086", "PT-023")
def test_a_download_gives_the_same_bytes_each_time_and_is_in_the_access_log(issue):
    person = make_user("Karen Brandt Holm")
    document = issue()
    first, second = (services.response(stored(document), user=person) for _ in range(2))
    assert first.content == second.content == bytes(stored(document).pdf)
    assert first["Content-Type"] == "application/pdf"
    assert first["Content-Disposition"] == 'attachment; filename="RC-1042.pdf"'
    assert first["Cache-Control"] == "no-store"
    assert first["X-Document-State"] == "in-force"
    entries = AccessEntry.objects.filter(action="export", actor_id=person.pk)
    assert [entry.object_id for entry in entries] == [str(document.pk)] * 2


@pytest.mark.requirement("TS-086", "TS-084")
def test_a_superseded_document_says_so_beside_its_bytes_which_stay_as_they_were(issue, unit):
    document = issue()
    before = bytes(stored(document).pdf)
    services.supersede_documents(unit, "Wrong vial")
    answer = services.response(stored(document), user=make_user("Jens Friis"))
    assert answer["X-Document-State"] == "superseded"
    assert 'filename="RC-1042-superseded.pdf"' in answer["Content-Disposition"]
    assert answer.content == before


def damage_bytes(cursor, document):
    cursor.execute("UPDATE documents_issueddocument SET pdf = pdf || 'x'::bytea")


def damage_bytes_and_hash(cursor, document):
    damage_bytes(cursor, document)
    cursor.execute("UPDATE documents_issueddocument SET sha256 = encode(sha256(pdf), 'hex')")


def damage_all_but_the_seal(cursor, document):
    damage_bytes_and_hash(cursor, document)
    cursor.execute(
        "UPDATE audit_auditentry SET data = data || jsonb_build_object('sha256',"
        " (SELECT sha256 FROM documents_issueddocument)) WHERE action = 'documents.issued'"
    )


@pytest.mark.requirement("TS-086", "PT-030")
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (damage_bytes, "its bytes are others"),
        (damage_bytes_and_hash, "the audit trail has another hash"),
        (damage_all_but_the_seal, "its seal is modified"),
    ],
)
def test_a_document_damaged_behind_the_portals_back_is_not_handed_out(issue, damage, found):
    document = issue()
    with triggers_disabled() as cursor:
        damage(cursor, document)
    with pytest.raises(Refused) as refused:
        services.response(stored(document), user=make_user("Jens Friis"))
    assert refused.value.code == "document_damaged"
    told = AuditEntry.objects.get(action="documents.found_damaged")
    assert found in told.data["what"]
    assert not AccessEntry.objects.filter(action="export").exists()


@pytest.mark.requirement("TS-086")
def test_another_documents_bytes_in_its_row_are_found_though_their_seal_is_ours(issue):
    document, other = issue(), issue(kind="note", number="DN/1")
    with triggers_disabled() as cursor:
        cursor.execute(
            "UPDATE documents_issueddocument d SET pdf = o.pdf, sha256 = o.sha256"
            " FROM documents_issueddocument o WHERE d.id = %s AND o.id = %s",
            [document.pk, other.pk],
        )
    assert seal_of(document) is SealState.INTACT
    with pytest.raises(Refused):
        services.response(stored(document), user=make_user("Jens Friis"))


# --- checking one that somebody holds -------------------------------------------------------------


@pytest.fixture
def check(client):
    client.force_login(
        make_user("Jens Friis"), backend="portal.accounts.backends.RegionalIdBackend"
    )

    def _check(content):
        upload = SimpleUploadedFile("held.pdf", content, "application/pdf")
        answer = client.post(reverse("documents:check"), {"pdf": upload})
        assert answer.status_code == 200
        return answer.content.decode()

    return _check


@pytest.mark.requirement("TS-086")
def test_who_holds_a_pdf_learns_whether_it_is_genuine_and_in_force(check, issue, unit):
    pdf = bytes(stored(issue()).pdf)
    assert "Issued by this portal, and in force" in check(pdf)
    services.supersede_documents(unit, "Wrong vial")
    page = check(pdf)
    assert "Issued by this portal, but superseded" in page
    assert "Wrong vial" in page
    spoilt = pdf.replace(b"/Type", b"/Typo", 1)
    assert "Altered since it was sealed" in check(spoilt)
    assert "Not issued by this portal" in check(b"%PDF-1.7 nothing")
    with triggers_disabled() as cursor:
        cursor.execute("DELETE FROM documents_documentsupersession")
        cursor.execute("DELETE FROM documents_issueddocument")
    assert "Sealed by this portal, but not among its documents" in check(pdf)


@pytest.mark.requirement("PT-005")
def test_a_document_is_checked_by_people_who_are_logged_in_only(client):
    assert client.get(reverse("documents:check")).status_code == 302


def test_checking_nothing_or_too_much_is_refused(check, client, monkeypatch):
    assert client.get(reverse("documents:check")).status_code == 200
    assert client.post(reverse("documents:check")).status_code == 422
    monkeypatch.setattr("portal.documents.forms.GREATEST_BYTES", 3)
    upload = SimpleUploadedFile("held.pdf", b"%PDF", "application/pdf")
    answer = client.post(reverse("documents:check"), {"pdf": upload})
    assert answer.status_code == 422


# --- the server's keys ----------------------------------------------------------------------------


def make_keys():
    out = StringIO()
    call_command("make_server_keys", stdout=out)
    return out.getvalue()


@pytest.mark.requirement("PT-030", "OP-001")
def test_the_command_makes_what_is_missing_and_never_overwrites(settings, tmp_path):
    settings.PORTAL_KEYS_DIR = str(tmp_path / "keys")
    assert "made countersign.pem" in make_keys()
    before = {p: p.read_bytes() for p in (tmp_path / "keys").rglob("*") if p.is_file()}
    assert "lacks nothing" in make_keys()
    assert before == {p: p.read_bytes() for p in before}
    (tmp_path / "keys" / "anchor.pem").unlink()
    assert make_keys().startswith("made anchor.pem\n1 made")


def test_the_command_names_a_key_that_cannot_be_read(settings, tmp_path):
    settings.PORTAL_KEYS_DIR = str(tmp_path)
    (tmp_path / "countersign.pem").write_text("no key")
    (tmp_path / "countersign.pem").chmod(0o600)
    with pytest.raises(CommandError, match=r"countersign\.pem"):
        make_keys()
