"""A patient's form with one item of every kind, and the people around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from portal.accounts.models import User
from portal.forms.models import FormDesign, FormVersion
from portal.forms.rules.definition import Form, form_from_json
from tests.support.definitions import check, group, item
from tests.support.factories import give, make_role, make_unit, make_user
from tests.support.patients_app.models import Patient, PatientForm

ROOT_URLCONF = "tests.support.patients_app.urls"


def words(en: str, nl: str) -> dict[str, str]:
    return {"en": en, "nl": nl}


def two_languages(code: str, kind: str, en: str, nl: str, **settings: Any) -> dict[str, Any]:
    return item(code, kind, **settings) | {"label": words(en, nl)}


HOSPITALS = ("AMC", "EMC", "LUMC", "UMCG", "UMCN", "UMCU", "VUMC")


def blood_form() -> dict[str, Any]:
    """Every kind of item, in English and Dutch, as JSON."""

    def choices(*codes: tuple[str, str, str]) -> list[dict[str, Any]]:
        return [{"code": code, "label": words(en, nl)} for code, en, nl in codes]

    counts = [
        two_languages("hb", "decimal", "Haemoglobin", "Hemoglobine", unit="mmol/L", decimals=1,
                      required=True, limits={"least": "0", "most": "20"},
                      expected={"least": "3"}, missing_codes=["nd"]),
        two_languages("hb_double", "computed", "Haemoglobin, doubled", "Hemoglobine, dubbel",
                      rule="hb * 2", result="decimal", decimals=1),
        two_languages("blasts", "integer", "Blasts", "Blasten", unit="%",
                      checks=[check("blasts > 100", "hard", "sum")
                              | {"message": words("More than all of them", "Meer dan alle")}]),
        two_languages("taken_on", "date", "Taken on", "Afgenomen op", limits={"most": "today"}),
        two_languages("since", "partial date", "Ill since", "Ziek sinds"),
        two_languages("clock", "time", "At", "Om"),
        two_languages("seen_at", "datetime", "Seen at", "Gezien om"),
    ]  # fmt: skip
    biopsy = [
        two_languages("biopsy", "boolean", "Biopsy done", "Biopt verricht", required=True),
        two_languages("biopsy_on", "date", "Date of the biopsy", "Datum biopt",
                      show_if="biopsy", required=True),
        two_languages("cells", "multiple choice", "Cells seen", "Geziene cellen",
                      code_list="cell"),
        two_languages("liver", "boolean", "Large liver", "Grote lever", appearance="tick"),
        two_languages("stage", "single choice", "Stage", "Stadium", code_list="stage"),
        group("rounds",
              two_languages("drug", "text", "Drug", "Middel"),
              two_languages("dose", "decimal", "Dose", "Dosis", unit="mg"),
              repeats=True, rows_most=3) | {"title": words("Rounds", "Kuren")},
        two_languages("scan", "file", "Letter", "Brief"),
    ]  # fmt: skip
    sections: list[dict[str, Any]] = [
        {"code": "who", "title": words("Patient", "Patiënt"), "parts": [
            two_languages("initials", "text", "Initials", "Initialen", personal=True, longest=10),
            two_languages("hospital", "single choice", "Hospital", "Ziekenhuis",
                          code_list="hospital"),
            two_languages("number", "text", "Number", "Nummer", editable=False),
            two_languages("history", "long text", "History", "Voorgeschiedenis",
                          help=words("What came before", "Wat eraan voorafging")),
        ]},
        {"code": "blood", "title": words("Blood", "Bloed"), "parts": counts},
        {"code": "marrow", "title": words("Marrow", "Beenmerg"), "parts": [
            *biopsy, two_languages("signed", "signature", "Signature", "Handtekening")]},
    ]  # fmt: skip
    return {
        "schema": 1,
        "code": "blood",
        "title": words("Blood and marrow", "Bloed en beenmerg"),
        "languages": ["nl", "en"],
        "code_lists": [
            {"code": "hospital", "choices": choices(*((each, each, each) for each in HOSPITALS))},
            {"code": "cell", "choices": choices(("ery", "Red", "Rood"), ("gra", "White", "Wit"))},
            {"code": "stage", "choices": choices(("i", "Early", "Vroeg"), ("ii", "Late", "Laat"))},
        ],
        "missing_codes": choices(("nd", "not done", "niet verricht")),
        "sections": sections,
    }


def blood() -> Form:
    return form_from_json(blood_form())


@dataclass(frozen=True)
class SheetWorld:
    sheet: PatientForm
    nurse: User
    """Fills in, and sees personal data."""
    colleague: User
    """Likewise."""
    reader: User
    """Reads, with masks."""
    outsider: User


def published(unit: Any, content: dict[str, Any]) -> FormVersion:
    design = FormDesign.objects.create(
        area="patients", unit=unit, code=content["code"], title=content["title"]["en"]
    )
    person = make_user("Publisher", username=f"publisher{design.pk}")
    return FormVersion.objects.create(
        design=design,
        number=1,
        state=FormVersion.State.PUBLISHED,
        content=content,
        published_at=timezone.now(),
        published_by=person,
    )


def sheet_world(content: dict[str, Any] | None = None) -> SheetWorld:
    """A ward with two who fill in its forms, one who reads them, and one from elsewhere."""
    ward = make_unit("ward-9")
    make_role("patients.nurse", "patients.view", "patients.fill", "patients.see_personal_data")
    make_role("patients.reader", "patients.view")
    people = {name: make_user(name) for name in ("Nina Nurse", "Karl Colleague", "Rita Reader")}
    give(people["Nina Nurse"], "patients.nurse", ward)
    give(people["Karl Colleague"], "patients.nurse", ward)
    give(people["Rita Reader"], "patients.reader", ward)
    patient = Patient.objects.create(name="Jan Jansen", number="P-17", unit=ward)
    sheet = PatientForm.objects.create(
        patient=patient, form_version=published(ward, content or blood_form())
    )
    return SheetWorld(sheet, *people.values(), make_user("Otto Outsider"))
