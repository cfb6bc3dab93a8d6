"""A form on paper and in files: printed, as PDF, empty, as a workbook."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from openpyxl import load_workbook

from portal.accounts.models import User
from portal.audit.models import AccessEntry
from portal.documents.models import IssuedDocument
from portal.documents.rendering import render_pdf
from portal.forms.models import Sheet
from portal.forms.services.sheets import save_sheet
from portal.forms.views import sheet_papers
from portal.records.context import acting
from tests.support.patients_app.urls import RULES
from tests.support.sheets import ROOT_URLCONF, SheetWorld, sheet_world

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls(ROOT_URLCONF),
    pytest.mark.requirement("DR-094"),
]
TYPED = {
    "initials": "A.B.",
    "hb": "7,2",
    "biopsy": "true",
    "biopsy_on": "2026-01-31",
    "cells": "ery\ngra",
    "history": "=HYPERLINK(\"x\") #read(\"/etc/passwd\")\nsecond line",
    "rounds.0.drug": "aspirin",
    "rounds.0.dose": "2,5",
    "stage!": "",
}  # fmt: skip


@pytest.fixture
def world() -> SheetWorld:
    made = sheet_world()
    save_sheet(RULES, actor=made.nurse, sheet_id=made.sheet.pk, typed=TYPED, opened_version=1)
    return made


@pytest.fixture
def papers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each PDF was made from; they are made all the same."""
    found: list[dict[str, Any]] = []
    real: Callable[..., bytes] = render_pdf

    def render(template: Any, data: Any, **more: Any) -> bytes:
        found.append(data)
        return real(template, data, **more)

    monkeypatch.setattr(sheet_papers, "render_pdf", render)
    return found


def fetched(world: SheetWorld, person: User, act: str) -> Any:
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    response = client.get(f"/patients/forms/{world.sheet.pk}/{act}/")
    assert response.status_code == 200
    return response


def fields_of(data: dict[str, Any]) -> dict[str, Any]:
    return {
        field["name"]: field
        for section in data["form"]["sections"]
        for part in section["parts"]
        for row in part["rows"]
        for field in row["fields"]
        if field["shown"]
    }


def lock(world: SheetWorld) -> None:
    with acting(actor=world.nurse):
        sheet = type(world.sheet).objects.get(pk=world.sheet.pk)
        sheet.status = Sheet.Status.LOCKED
        sheet.save()


def test_a_draft_is_printed_as_a_draft(world: SheetWorld, papers: list[dict[str, Any]]) -> None:
    response = fetched(world, world.nurse, "pdf")
    assert response.content.startswith(b"%PDF-")
    assert response["Cache-Control"] == "no-store"
    (data,) = papers
    assert data["document"]["mark"] == "DRAFT"
    fields = fields_of(data)
    assert fields["hb"]["worded"] == "7.2"
    assert fields["cells"]["worded"] == "Red, White"
    assert fields["initials"]["worded"] == "A.B."
    assert fields["rounds.0.drug"]["worded"] == "aspirin"
    assert ["Name", "Jan Jansen"] in data["facts"]
    assert not IssuedDocument.objects.exists()
    assert AccessEntry.objects.get(action="export").patient == "P-17"


def test_who_may_not_see_personal_answers_gets_masks_on_paper_too(
    world: SheetWorld, papers: list[dict[str, Any]]
) -> None:
    fetched(world, world.reader, "pdf")
    (data,) = papers
    assert fields_of(data)["initials"]["worded"] == "•••"
    assert ["Name", "•••"] in data["facts"]


def test_a_locked_form_is_an_issued_document_and_stays_the_same_one(world: SheetWorld) -> None:
    lock(world)
    first = fetched(world, world.nurse, "pdf")
    again = fetched(world, world.colleague, "pdf")
    document = IssuedDocument.objects.get()
    assert first.content == again.content == bytes(document.pdf)
    assert first["X-Document-State"] == "in-force"
    assert fields_of(document.data)["initials"]["worded"] == "A.B."
    # a masked copy is none, and supersedes none
    copy = fetched(world, world.reader, "pdf")
    assert copy.content != first.content
    assert IssuedDocument.objects.count() == 1


def test_the_empty_form_has_every_question_and_no_answer(
    world: SheetWorld, papers: list[dict[str, Any]]
) -> None:
    response = fetched(world, world.nurse, "blank")
    assert response.content.startswith(b"%PDF-")
    (data,) = papers
    fields = fields_of(data)
    assert data["empty"] is True
    assert {"hb", "biopsy_on", "rounds.0.drug", "rounds.2.dose", "scan", "signed"} <= fields.keys()
    assert not any(field["worded"] for field in fields.values())
    assert ["Patient", "P-17"] in data["facts"]  # whose form it is
    assert [option["label"] for option in fields["stage"]["options"]] == ["Early", "Late"]


def test_the_printed_page_says_that_it_is_a_draft(world: SheetWorld) -> None:
    page = fetched(world, world.nurse, "print").content.decode()
    assert "DRAFT: not complete" in page
    assert "second line" in page
    assert "P-17" in page
    assert AccessEntry.objects.filter(action="print", patient="P-17").exists()


def test_the_workbook_has_a_line_for_every_answer_and_no_formula(world: SheetWorld) -> None:
    response = fetched(world, world.nurse, "excel")
    sheet = load_workbook(BytesIO(response.content)).active
    lines = {row[1]: row for row in sheet.iter_rows(min_row=2, values_only=True) if row[1]}
    assert lines["hb"] == ("Blood", "hb", "Haemoglobin", None, "7.2", "mmol/L")
    assert lines["drug"][3:5] == (1, "aspirin")
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type != "f" for cell in cells)
    assert any(str(cell.value).startswith("=HYPERLINK") for cell in cells)
