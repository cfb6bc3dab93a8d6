"""Patients in review: which are in which list, what a row shows, and how many queries it takes."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from typing import Any

import pytest
from digital_review.models import Case, CaseForm, Patient
from digital_review.selectors.overview import Asked, cases_for, flows_of, rows_of, tab_counts
from digital_review.selectors.search import search
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from portal.access.decision import forget_held
from portal.audit.models import AccessEntry
from portal.records.context import acting
from portal.records.personal import HIDDEN
from portal.records.services import create_many
from tests.digital_review.conducting import listed, meeting
from tests.digital_review.factories import World, make_case, make_form, make_patient, review_world
from tests.portal.test_documents_pdf import pages
from tests.support.accounts import sign_in
from tests.support.factories import make_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return review_world()


def numbers(user: Any, **asked: Any) -> list[str]:
    with acting(actor=user):
        flows = flows_of(user)
        return [
            row.patient.number for row in rows_of(cases_for(user, Asked(**asked), flows), flows)
        ]


def many(world: World, count: int, prefix: str = "SK") -> list[Case]:
    """Cases of patients of both hospitals, each with two forms."""
    patients = create_many(
        Patient,
        [
            Patient(
                number=f"{prefix}-{n:04}",
                initials="A.B.",
                born_on=date(2019, 1, 1),
                hospital=(world.north, world.south)[n % 2],
            )
            for n in range(count)
        ],
    )
    version = world.review_type.flow.versions.get()
    cases = create_many(
        Case,
        [
            Case(
                patient=patient,
                review_type=world.review_type,
                registered_on=timezone.localdate(),
                flow_version=version,
                flow_state="precrf_start",
                flow_since=timezone.now(),
            )
            for patient in patients
        ],
    )
    create_many(
        CaseForm,
        [
            CaseForm(
                case=case,
                slot=world.slots[slot],
                form_version=world.slots[slot].design.versions.get(),
                asked_at=timezone.now(),
            )
            for slot in ("precrf", "pathology")
            for case in cases
        ],
    )
    return cases


# --- lists ----------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-031", "DR-033")
def test_each_list_has_its_patients(world: World) -> None:
    soon, later, held = meeting(world, 10), meeting(world, 100), meeting(world, -90, status="held")
    listed(soon, make_case(world, "SK-1"))
    listed(later, make_case(world, "SK-2"))
    listed(held, make_case(world, "SK-3"), status="discussed")
    listed(held, make_case(world, "SK-4", flow_state="crf_signed"), status="discussed")
    make_case(world, "SK-5")
    user = world.people["secretary"]
    assert numbers(user, tab="next") == ["SK-1"]
    assert numbers(user, tab="future") == ["SK-2"]
    assert sorted(numbers(user, tab="past")) == ["SK-3", "SK-4"]
    assert sorted(numbers(user, tab="in_review")) == ["SK-1", "SK-2", "SK-3", "SK-5"]
    assert len(numbers(user, tab="all")) == 5
    counts = tab_counts(user, flows_of(user))
    assert counts == {"next": 1, "in_review": 4, "future": 1, "past": 2, "all": 5}


@pytest.mark.requirement("DR-032")
def test_a_row_says_how_complete_where_and_when(world: World) -> None:
    case = make_case(world, working_diagnosis="MDS RAEB")
    form = make_form(case, world.slots["precrf"])
    form.save()  # somebody saved it
    listed(meeting(world, 12), case)
    user = world.people["pathologist"]
    with acting(actor=user):
        flows = flows_of(user)
        [row] = rows_of(cases_for(user, Asked(), flows), flows)
    assert [(mark.title, mark.state) for mark in row.marks] == [
        ("Precrf", "draft"),
        ("Pathology", "missing"),
    ]
    assert (row.state, row.diagnosis, row.review_status) == (
        "Precrf start",
        "MDS RAEB",
        "to_discuss",
    )
    assert row.days_left == 12


@pytest.mark.requirement("DR-022", "DR-175")
def test_a_hospital_sees_its_own_patients_and_nobody_else_more(world: World) -> None:
    make_case(world, "SK-N")
    make_case(world, "SK-S", patient=make_patient(world, "SK-S", hospital=world.south))
    assert numbers(world.people["clinician"]) == ["SK-N"]
    assert numbers(world.people["clinician_south"]) == ["SK-S"]
    for who in ("datamanager", "doctor"):
        assert numbers(world.people[who]) == []


def test_filters_narrow_and_sorting_orders(world: World) -> None:
    make_case(world, "SK-10", working_diagnosis="b")
    make_case(world, "SK-11", working_diagnosis="a", flow_state="review_ready")
    south = make_patient(world, "SK-12", hospital=world.south)
    make_case(world, patient=south, working_diagnosis="c")
    user = world.people["manager"]
    assert numbers(user, text="11") == ["SK-11"]
    assert numbers(user, hospital=world.south) == ["SK-12"]
    assert numbers(user, state="review_ready") == ["SK-11"]
    assert numbers(user, sort="diagnosis") == ["SK-11", "SK-10", "SK-12"]
    assert numbers(user, sort="-diagnosis") == ["SK-12", "SK-10", "SK-11"]


@pytest.mark.requirement("DR-185", "PT-015")
def test_initials_are_found_only_by_who_may_see_them(world: World) -> None:
    make_case(world, "SK-1")
    user = world.people["secretary"]
    assert numbers(user, text="a.b.") == ["SK-1"]
    _without_personal_data(world)
    forget_held(user)
    assert numbers(user, text="a.b.") == []
    assert numbers(user, text="SK-1") == ["SK-1"]


def _without_personal_data(world: World) -> None:
    role = make_role("digital_review.secretary")
    role.privileges = [code for code in role.privileges if "personal" not in code]
    role.save()


@pytest.mark.requirement("DR-145", "DR-186")
def test_a_thousand_patients_take_as_many_queries_as_ten(world: World) -> None:
    user = world.people["manager"]

    def queries() -> int:
        forget_held(user)
        with (
            acting(actor=user),
            CaptureQueriesContext(
                connection,
            ) as seen,
        ):
            flows = flows_of(user)
            rows = rows_of(cases_for(user, Asked(tab="all"), flows), flows)
            shown = [(row.patient.initials, row.state, row.marks, row.diagnosis) for row in rows]
        assert HIDDEN not in {initials for initials, *_rest in shown}
        return len(seen)

    many(world, 10)
    queries()
    few = queries()
    many(world, 990, "MK")
    assert queries() == few
    assert few <= 8


# --- pages ----------------------------------------------------------------------------------------


def as_(person: Any) -> Client:
    client = Client()
    sign_in(client, person)
    return client


@pytest.mark.requirement("DR-031")
def test_the_page_shows_the_list_and_says_forms_in_words(world: World) -> None:
    make_form(make_case(world), world.slots["precrf"])
    text = as_(world.people["bureau"]).get(reverse("digital_review:overview")).content.decode()
    for said in ("SK-0001", "A.B.", "Precrf: missing", "Precrf start", "Add a patient"):
        assert said in text


def test_an_empty_list_says_what_to_do_next(world: World) -> None:
    client = as_(world.people["bureau"])
    text = client.get(reverse("digital_review:overview")).content.decode()
    assert "Nobody is in this list" in text
    text = client.get(reverse("digital_review:overview"), {"text": "none"}).content.decode()
    assert "No patient is like this" in text


@pytest.mark.parametrize(
    "query",
    ["list=nonsense", "sort=initials", "page=999", "hospital=x", "review_type=-1"],
)
def test_a_wrong_address_shows_the_list_all_the_same(world: World, query: str) -> None:
    make_case(world)
    answer = as_(world.people["bureau"]).get(f"{reverse('digital_review:overview')}?{query}")
    assert answer.status_code == 200
    assert "SK-0001" in answer.content.decode()


@pytest.mark.requirement("DR-012")
@pytest.mark.parametrize("name", ["overview", "overview_excel", "overview_paper"])
def test_who_fills_in_forms_alone_has_no_overview(world: World, name: str) -> None:
    answer = as_(world.people["datamanager"]).get(reverse(f"digital_review:{name}"))
    assert answer.status_code == 403


@pytest.mark.requirement("DR-094", "DR-181")
def test_excel_has_every_column_and_is_logged_with_its_patients(world: World) -> None:
    make_form(make_case(world), world.slots["precrf"])
    answer = as_(world.people["bureau"]).get(reverse("digital_review:overview_excel"))
    sheet = load_workbook(BytesIO(answer.content)).active
    head, row = ([cell.value for cell in line] for line in sheet.iter_rows())
    told = dict(zip(head, row, strict=True))
    assert (told["Number"], told["Initials"]) == ("SK-0001", "A.B.")
    assert told["Forms"] == "Precrf: missing; Pathology: missing"
    entry = AccessEntry.objects.get(action="export")
    assert entry.data["patients"] == ["SK-0001"]


@pytest.mark.requirement("DR-094", "PT-015")
def test_the_paper_shows_what_its_reader_may_see_and_is_logged(world: World) -> None:
    make_case(world)
    _without_personal_data(world)
    for who, initials in (("bureau", "A.B."), ("secretary", HIDDEN)):
        answer = as_(world.people[who]).get(reverse("digital_review:overview_paper"))
        text = " ".join(pages(answer.content))
        assert "SK-0001" in text
        assert initials in text
        assert ("A.B." in text) is (who == "bureau")
    assert AccessEntry.objects.filter(action="print").count() == 2


# --- search ---------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-034")
def test_the_search_finds_patients_by_number_and_tells_no_initials(world: World) -> None:
    case = make_case(world)
    [(title, url)] = search(world.people["secretary"], " sk-0001 ")
    assert (title, url) == ("SK-0001 MDS-BMF", reverse("digital_review:case", args=[case.pk]))
    assert search(world.people["secretary"], "A.B.") == []
    assert search(world.people["secretary"], " ") == []
    assert search(world.people["clinician_south"], "SK-0001") == []
    assert search(world.people["datamanager"], "SK-0001") == []
