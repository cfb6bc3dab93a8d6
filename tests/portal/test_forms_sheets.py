"""Answering a form on its pages: filling in, checking as a field is left, saving, completing."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.accounts.models import User
from portal.audit.models import AccessEntry, AuditEntry
from portal.forms.models import AnswerFile, Sheet, UnsavedInput
from portal.forms.services.files import safe_name
from portal.records.context import acting
from tests.support.definitions import check as edit_check
from tests.support.definitions import form_json, item
from tests.support.patients_app.models import PatientForm
from tests.support.sheets import ROOT_URLCONF, SheetWorld, published, sheet_world

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls(ROOT_URLCONF),
    pytest.mark.requirement("DR-090"),
]
ANSWERED = {"hb": "7,2", "biopsy": "false"}


@pytest.fixture
def world() -> SheetWorld:
    return sheet_world()


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client


def url(world: SheetWorld, act: str = "") -> str:
    return f"/patients/forms/{world.sheet.pk}/{act and f'{act}/'}"


def check(world: SheetWorld, person: User, sequence: int, **typed: str) -> HttpResponse:
    sent = {name.replace("__", "."): text for name, text in typed.items()}
    sent |= {"sequence": str(sequence), "opened_version": str(world.sheet.version)}
    return client_of(person).post(url(world, "check"), sent)


def save(world: SheetWorld, person: User, version: int = 1, **typed: Any) -> HttpResponse:
    sent = {name.replace("__", "."): text for name, text in typed.items()}
    return client_of(person).post(url(world, "fill"), {"opened_version": version, **sent})


def shown(response: HttpResponse) -> str:
    return unescape(response.content.decode())


def words_of(response: HttpResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown(response)))


def answers(world: SheetWorld) -> dict[str, Any]:
    return PatientForm.objects.get(pk=world.sheet.pk).answers["values"]


# --- who --------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-012")
def test_nobody_from_elsewhere_sees_the_form_or_any_part_of_it(world: SheetWorld) -> None:
    client = client_of(world.outsider)
    for act in ("", "fill", "notice", "complete", "reopen", "discard", "print", "pdf", "blank",
                "excel", "files/1"):  # fmt: skip
        assert client.get(url(world, act)).status_code == 404
    for act in ("fill", "check", "upload", "complete", "reopen", "discard"):
        assert client.post(url(world, act)).status_code == 404


@pytest.mark.requirement("DR-012")
def test_who_reads_it_cannot_fill_it_in_and_sees_masks(world: SheetWorld) -> None:
    save(world, world.nurse, initials="A.B.", **ANSWERED)
    client = client_of(world.reader)
    page = shown(client.get(url(world)))
    assert "7.2" in page
    assert "•••" in page
    assert "A.B." not in page
    assert "Fill in" not in page
    assert client.get(url(world, "fill")).status_code == 403
    assert client.post(url(world, "fill"), {"hb": "1"}).status_code == 403
    refused = client.post(url(world, "check"), {"hb": "1", "sequence": "1"})
    assert (refused.status_code, refused["Content-Type"][:10]) == (403, "text/plain")
    assert client.post(url(world, "complete"), {"version": "2"}).status_code == 403
    for act in ("print", "excel"):
        assert b"A.B." not in client.get(url(world, act)).content
    assert not UnsavedInput.objects.exists()
    assert answers(world)["hb"] == "7.2"


def test_opening_a_form_is_logged_under_its_patient(world: SheetWorld) -> None:
    client_of(world.nurse).get(url(world))
    entry = AccessEntry.objects.get(action="open")
    assert (entry.patient, entry.actor_id) == ("P-17", world.nurse.pk)


# --- filling in -------------------------------------------------------------------------------


@pytest.mark.requirement("DR-091", "DR-096")
def test_the_page_has_a_control_for_every_open_question(world: SheetWorld) -> None:
    page = shown(client_of(world.nurse).get(url(world, "fill")))
    assert '<input type="text" inputmode="decimal" class="sheet-number" id="i-hb" name="hb"' in page
    assert '<input type="date" class="sheet-moment" id="i-taken_on"' in page
    assert '<select id="i-hospital" name="hospital"' in page
    assert '<textarea id="i-history" name="history"' in page
    # yes, no, and no answer: by the keyboard too
    assert page.count('type="radio" name="biopsy"') == 3
    assert 'name="number"' not in page  # looked up, not typed
    assert re.search(r'id="f-biopsy_on" hidden', page)
    assert "What came before" in page


def test_in_dutch_the_form_is_dutch(world: SheetWorld) -> None:
    world.nurse.language = "nl"
    world.nurse.save()
    save(world, world.nurse, **ANSWERED)
    page = shown(client_of(world.nurse).get(url(world, "fill")))
    assert "Hemoglobine" in page
    assert 'value="7,2"' in page


def test_what_is_typed_is_kept_and_answered_with_what_it_changes_alone(world: SheetWorld) -> None:
    answer = check(world, world.nurse, 1, biopsy="true")
    page = shown(answer)
    assert answer["X-Sheet-Sequence"] == "1"
    assert 'id="f-biopsy_on" hx-swap-oob="true"' in page
    assert "f-hb" not in page
    assert 'name="hb"' not in page
    assert "1 of 3 required answers" in page
    kept = UnsavedInput.objects.get()
    assert (kept.person, kept.typed) == (world.nurse, {"biopsy": "true"})
    assert answers(world) == {}


def test_a_finding_is_said_beside_the_field_and_read_out(world: SheetWorld) -> None:
    page = shown(check(world, world.nurse, 1, blasts="120"))
    assert 'id="s-blasts" hx-swap-oob="true"' in page
    assert "<p>Blasts: More than all of them</p>" in page
    again = shown(check(world, world.nurse, 2, history="x"))
    assert "More than all" not in again  # said once


def test_what_is_worked_out_is_shown_as_it_changes(world: SheetWorld) -> None:
    assert re.search(
        r'<output class="sheet-value" id="v-hb_double"[^>]*>14\.4<',
        shown(check(world, world.nurse, 1, hb="7,2")),
    )


def test_after_a_lost_answer_the_whole_state_comes(world: SheetWorld) -> None:
    check(world, world.nurse, 1, biopsy="true")
    page = shown(check(world, world.nurse, 1, biopsy="true", whole="1"))
    assert 'id="f-biopsy_on" hx-swap-oob="true"' in page
    assert 'id="f-hb" hx-swap-oob="true"' in page


@pytest.mark.requirement("DR-138")
def test_a_late_change_changes_nothing_and_the_page_is_told_the_last_number(
    world: SheetWorld,
) -> None:
    check(world, world.nurse, 10, hb="8")
    late = check(world, world.nurse, 9, hb="7")
    assert late["X-Sheet-Sequence"] == "10"
    assert UnsavedInput.objects.get().typed == {"hb": "8"}


@pytest.mark.requirement("DR-007", "DR-095")
def test_what_was_not_saved_is_there_again_with_since_when(world: SheetWorld) -> None:
    check(world, world.nurse, 1, hb="seven", history="Pale")
    page = shown(client_of(world.nurse).get(url(world, "fill")))
    assert 'value="seven"' in page
    assert ">\nPale</textarea>" in page
    assert "Not saved yet: what you typed, last" in page
    assert "is not a number" in page
    # for its writer alone
    other = shown(client_of(world.colleague).get(url(world, "fill")))
    assert "Pale" not in other
    assert "Not saved yet" not in other
    assert "You typed something here" in shown(client_of(world.nurse).get(url(world)))


@pytest.mark.requirement("DR-007")
def test_what_was_typed_is_thrown_away_after_asking(world: SheetWorld) -> None:
    check(world, world.nurse, 1, hb="8")
    client = client_of(world.nurse)
    asked = client.get(url(world, "discard"))
    assert "gone then" in shown(asked)
    assert UnsavedInput.objects.exists()
    client.post(url(world, "discard"), {"act": "yes"})
    assert not UnsavedInput.objects.exists()


def test_a_form_that_is_complete_is_not_filled_in(world: SheetWorld) -> None:
    world.sheet.status = Sheet.Status.COMPLETE
    with acting(actor=world.nurse):
        world.sheet.save()
    answer = check(world, world.nurse, 1, hb="8")
    assert answer.status_code == 422
    assert "complete" in answer.content.decode()
    assert client_of(world.nurse).get(url(world, "fill")).status_code == 302


# --- saving -----------------------------------------------------------------------------------


@pytest.mark.requirement("DR-138", "DR-095")
def test_saved_is_said_when_it_is_saved_and_what_waited_in_the_browser_is_let_go(
    world: SheetWorld,
) -> None:
    check(world, world.nurse, 1, hb="7,2")
    client = client_of(world.nurse)
    saved = client.post(url(world, "fill"), {"opened_version": 1, "hb": "7,2", "history": "Pale"})
    page = shown(client.get(saved["Location"]))
    assert "Saved: 2 answers." in page
    assert (
        f'data-sheet-saved="sheet:{world.nurse.pk}:patients.patientform:{world.sheet.pk}"' in page
    )
    assert answers(world) == {"hb": "7.2", "history": "Pale"}
    assert not UnsavedInput.objects.exists()


def test_a_page_that_sends_everything_changes_only_what_differs(world: SheetWorld) -> None:
    save(
        world,
        world.nurse,
        hb="7,2",
        cells=["", "ery"],
        liver=["", "true"],
        seen_at="31-01-2026 9:30",
    )
    save(world, world.colleague, 2, hb="7.2", cells=["", "ery", "gra"], liver=[""],
         seen_at="31-01-2026 09:30", history="")  # fmt: skip
    entry = AuditEntry.objects.filter(action="forms.sheet_saved").latest("pk")
    assert entry.data["changed"] == ["cells", "liver"]


def test_what_cannot_be_read_is_refused_beside_its_field_and_kept(world: SheetWorld) -> None:
    refused = save(world, world.nurse, hb="1.200", history="Pale")
    page = shown(refused)
    assert refused.status_code == 422
    assert (
        '<a href="#i-hb">Haemoglobin: “1.200” can be read in two ways: write 1200 or 1.2.' in page
    )
    assert 'value="1.200"' in page
    assert answers(world) == {}
    assert UnsavedInput.objects.get().typed == {"hb": "1.200", "history": "Pale"}


@pytest.mark.requirement("DR-090")
def test_script_in_a_text_is_shown_as_text_everywhere(world: SheetWorld) -> None:
    evil = "</textarea><script>alert(1)</script>\"onfocus='x'"
    save(world, world.nurse, history=evil, initials='"><b>', rounds__0__drug=evil, **ANSWERED)
    client = client_of(world.nurse)
    pages = [client.get(url(world, act)) for act in ("", "fill", "print")]
    pages.append(check(world, world.colleague, 1, rounds__1__drug=evil, whole="1"))
    for page in pages:
        html = page.content.decode()
        assert page.status_code == 200
        assert "<script>alert" not in html
        assert "<b>" not in html
        assert "&lt;script&gt;alert" in html


@pytest.mark.requirement("PT-022", "DR-139")
def test_two_savers_are_merged_and_choose_only_where_both_answered(world: SheetWorld) -> None:
    client = client_of(world.nurse)
    client.get(url(world, "fill"))
    save(world, world.colleague, hb="8", stage="ii")
    notice = client.get(url(world, "notice"), {"opened": "1"})
    assert "Karl Colleague saved this form" in words_of(notice)

    conflict = save(world, world.nurse, 1, hb="7", history="Pale", biopsy="false")
    page = words_of(conflict)
    assert conflict.status_code == 409
    assert "Karl Colleague saved it" in page
    assert re.search(r"Haemoglobin .*both changed.* – 8 7", page)
    assert "Stage" not in page
    assert answers(world) == {"hb": "8", "stage": "ii"}

    html = shown(conflict)
    sent = dict(re.findall(r'<input type="hidden" name="(?!csrf)([^"]+)" value="([^"]*)"', html))
    assert sent["opened_version"] == "1"
    client.post(url(world, "fill"), {**sent, "merge-choice-hb": "yours"})
    assert answers(world) == {"hb": "7", "stage": "ii", "history": "Pale", "biopsy": False}
    entry = AuditEntry.objects.filter(action="forms.sheet_saved").latest("pk")
    assert entry.data["merged"] == ["stage"]


@pytest.mark.requirement("PT-022")
def test_what_was_chosen_holds_only_for_what_the_screen_showed(world: SheetWorld) -> None:
    save(world, world.colleague, hb="8")
    assert save(world, world.nurse, 1, hb="7").status_code == 409
    save(world, world.colleague, 2, hb="9")
    # the screen showed 8; meanwhile it is 9
    sent = {"opened_version": 1, "merge_version": 2, "hb": "7", "merge-choice-hb": "yours"}
    again = client_of(world.nurse).post(url(world, "fill"), sent)
    assert again.status_code == 409
    assert answers(world) == {"hb": "9"}


@pytest.mark.requirement("PT-022")
def test_rows_are_chosen_as_a_whole(world: SheetWorld) -> None:
    save(world, world.colleague, rounds__0__drug="aspirin")
    conflict = save(world, world.nurse, 1, rounds__0__drug="heparin", rounds__0__dose="5")
    assert "1: aspirin, – 1: heparin, 5" in words_of(conflict)


# --- rows -------------------------------------------------------------------------------------


def test_a_row_is_added_and_taken_away_as_it_is_typed(world: SheetWorld) -> None:
    page = shown(check(world, world.nurse, 1, rounds__0__drug=""))
    assert 'id="part-rounds" hx-swap-oob="true"' in page
    assert 'name="rounds.0.drug"' in page
    assert 'name="add" value="rounds.1.drug"' in page
    check(world, world.nurse, 2, rounds__1__drug="two")
    page = shown(check(world, world.nurse, 3, **{"rounds-": "0"}))
    assert 'name="rounds.0.drug"' not in page
    assert 'name="rounds.1.drug" value="two"' in page


@pytest.mark.requirement("DR-095")
def test_without_a_script_the_buttons_of_rows_keep_all_that_was_typed(world: SheetWorld) -> None:
    added = save(world, world.nurse, add="rounds.0.drug", hb="7,2")
    assert added["Location"].endswith("fill/#part-rounds")
    assert UnsavedInput.objects.get().typed == {"hb": "7,2", "rounds.0.drug": ""}
    save(world, world.nurse, add="rounds.1.drug", hb="7,2", rounds__0__drug="one")
    save(world, world.nurse, remove="rounds:0", hb="7,2", rounds__0__drug="one",
         rounds__1__drug="two")  # fmt: skip
    save(world, world.nurse, hb="7,2", rounds__1__drug="two", **{"rounds-": "0"})
    rows = PatientForm.objects.get(pk=world.sheet.pk).answers["rows"]
    assert rows == {"rounds": [{"drug": "two"}]}


# --- completing -------------------------------------------------------------------------------


def test_completing_lists_what_is_missing_with_links_to_it(world: SheetWorld) -> None:
    save(world, world.nurse, blasts="120")
    client = client_of(world.nurse)
    page = shown(client.get(url(world, "complete")))
    assert "2 answers are missing" in page
    assert f'<a href="{url(world, "fill")}#i-hb">Haemoglobin</a>' in page
    assert "Blasts: More than all of them" in page
    assert "Complete the form</button>" not in page
    refused = client.post(url(world, "complete"), {"version": "2"})
    assert refused.status_code == 422
    assert PatientForm.objects.get().status == "draft"


def test_soft_findings_are_confirmed_one_by_one(world: SheetWorld) -> None:
    save(world, world.nurse, hb="2", biopsy="false")
    client = client_of(world.nurse)
    page = shown(client.get(url(world, "complete"), headers={"HX-Request": "true"}))
    assert 'name="confirmed" value="hb:too_low"' in page
    assert "<dialog" in page
    assert client.post(url(world, "complete"), {"version": "2"}).status_code == 422
    done = client.post(url(world, "complete"), {"version": "2", "confirmed": "hb:too_low"})
    assert done.status_code == 302
    assert PatientForm.objects.get().status == "complete"
    entry = AuditEntry.objects.get(action="forms.sheet_completed")
    assert entry.data == {"confirmed": ["hb:too_low"]}


def test_saving_and_completing_go_together(world: SheetWorld) -> None:
    saved = save(world, world.nurse, complete="1", **ANSWERED)
    assert saved["Location"] == url(world, "complete") + "?saved"
    page = shown(client_of(world.nurse).get(saved["Location"]))
    assert "nothing is in doubt" in page
    assert "data-sheet-saved" in page


def test_a_form_that_changed_since_it_was_looked_at_is_not_completed(world: SheetWorld) -> None:
    save(world, world.nurse, **ANSWERED)
    save(world, world.colleague, 2, history="More")
    refused = client_of(world.nurse).post(url(world, "complete"), {"version": "2"})
    assert refused.status_code == 422
    assert "look again" in shown(refused)


def test_a_complete_form_is_opened_again_with_a_reason(world: SheetWorld) -> None:
    save(world, world.nurse, **ANSWERED)
    client = client_of(world.nurse)
    client.post(url(world, "complete"), {"version": "2"})
    assert "Open again…" in shown(client.get(url(world)))
    assert client.post(url(world, "reopen"), {"reason": " "}).status_code == 422
    client.post(url(world, "reopen"), {"reason": "The date was wrong"})
    assert PatientForm.objects.get().status == "draft"
    assert AuditEntry.objects.get(action="forms.sheet_reopened").reason == "The date was wrong"


# --- files ------------------------------------------------------------------------------------

PDF = b"%PDF-1.7\n%letter"


def upload(world: SheetWorld, person: User, content: bytes, called: str = "letter.pdf") -> Any:
    file = SimpleUploadedFile(called, content, "text/html")
    return client_of(person).post(url(world, "upload"), {"file:scan": file})


def test_a_file_is_taken_in_kept_and_given_back_as_an_attachment(world: SheetWorld) -> None:
    answer = upload(world, world.nurse, PDF, "..\\x/  letter  1.pdf")
    file = AnswerFile.objects.get()
    assert answer.content.decode() == f"{file.pk} letter 1.pdf"
    assert 'id="f-scan" hx-swap-oob="true"' in shown(
        check(world, world.nurse, 1, scan=answer.content.decode())
    )
    save(world, world.nurse, scan=answer.content.decode())
    assert answers(world)["scan"] == {"key": str(file.pk), "name": "letter 1.pdf"}

    reader = client_of(world.reader)
    assert f'href="{url(world)}files/{file.pk}/"' in shown(reader.get(url(world)))
    given = reader.get(url(world, f"files/{file.pk}"))
    assert given.content == PDF
    assert given["Content-Type"] == "application/pdf"
    assert given["Content-Disposition"] == 'attachment; filename="letter 1.pdf"'
    assert given["X-Content-Type-Options"] == "nosniff"
    assert AccessEntry.objects.filter(action="export", data__file=file.pk).exists()


@pytest.mark.parametrize(
    ("called", "name"),
    [("C:\\scans\\a.pdf", "a.pdf"), ("../../etc/passwd", "passwd"), ("a\r\nb.pdf", "a b.pdf"),
     ("", "file"), ("..", "file"), ("x" * 300 + ".pdf", "x" * 196 + ".pdf")],
)  # fmt: skip
def test_a_files_name_has_no_folders_and_no_control_characters(called: str, name: str) -> None:
    assert safe_name(called) == name


def test_without_a_script_a_file_goes_with_the_form(world: SheetWorld) -> None:
    client_of(world.nurse).post(
        url(world, "fill"),
        {"opened_version": 1, "scan": "", "file:scan": SimpleUploadedFile("a.pdf", PDF)},
    )
    assert answers(world)["scan"]["name"] == "a.pdf"


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"<script>alert(1)</script>", "Only PDF"), (b"MZ\x90", "Only PDF"), (b"", "empty")],
)
def test_what_a_file_says_of_itself_is_not_believed(
    world: SheetWorld, content: bytes, why: str
) -> None:
    refused = upload(world, world.nurse, content)
    assert refused.status_code == 422
    assert why in refused.content.decode()
    assert not AnswerFile.objects.exists()


def test_a_file_that_is_too_large_is_refused(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.forms.services.files.MOST_BYTES", 10)
    assert "larger than" in upload(world, world.nurse, PDF).content.decode()


@pytest.mark.requirement("DR-012")
def test_a_file_of_another_form_is_neither_an_answer_nor_given_out(world: SheetWorld) -> None:
    upload(world, world.nurse, PDF)
    file = AnswerFile.objects.get()
    other = PatientForm.objects.create(
        patient=world.sheet.patient, form_version=world.sheet.form_version
    )
    elsewhere = f"/patients/forms/{other.pk}/"
    client = client_of(world.nurse)
    sent = {"opened_version": 1, "scan": f"{file.pk} letter.pdf"}
    assert client.post(f"{elsewhere}fill/", sent).status_code == 422
    assert client.get(f"{elsewhere}files/{file.pk}/").status_code == 404
    # nor under another name than it came with
    forged = client.post(url(world, "fill"), {**sent, "scan": f"{file.pk} other.pdf"})
    assert forged.status_code == 422


# --- how much it asks of the database ---------------------------------------------------------


def _large(items: int) -> dict[str, Any]:
    parts = [item(f"A{n}", "integer", checks=[edit_check(f"A{n} > 5")]) for n in range(items)]
    return form_json(*parts)


def test_a_check_asks_the_same_few_things_however_many_items_there_are(world: SheetWorld) -> None:
    counts = []
    client = client_of(world.nurse)
    for items in (5, 120):
        version = published(world.sheet.patient.unit, _large(items) | {"code": f"of_{items}"})
        sheet = PatientForm.objects.create(patient=world.sheet.patient, form_version=version)
        address, sent = f"/patients/forms/{sheet.pk}/check/", {"A1": "9", "opened_version": "1"}
        client.post(address, {**sent, "sequence": "1"})
        with CaptureQueriesContext(connection) as captured:
            answer = client.post(address, {**sent, "A1": "3", "sequence": "2"})
        assert answer.status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert counts[0] < 30
