"""The pages of forms to fill in and to sign, of beginning cases, and of acts on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from digital_review.models import Case, CaseForm, Patient
from digital_review.services.signing import TRANSCRIBED
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.records.services import change_many
from tests.digital_review.conducting import (
    acting_world,
    begin,
    complete,
    concluded,
    form_of,
    signed,
    to_review,
)
from tests.digital_review.factories import World
from tests.support.accounts import sign_in
from tests.support.outside import Outside, outside_systems
from tests.support.signing import PIN, give_pin

pytestmark = pytest.mark.django_db

START, FOLLOW_UP = "digital_review:start_case", "digital_review:start_follow_up"
FORMS = "digital_review:forms"
Go = Callable[[str], Client]


@pytest.fixture
def world() -> World:
    return acting_world()


@pytest.fixture
def outside(tmp_path: Path, settings: Any) -> Iterator[Outside]:
    with outside_systems(tmp_path) as running:
        settings.PORTAL_OUTSIDE_SYSTEMS = running.tables()
        running.patients.patients["SK-0001"] = {
            "number": "SK-0001",
            "initials": "A.B.",
            "born_on": "2019-03-04",
            "hospital": "north",
        }
        yield running


@pytest.fixture
def as_person(client: Client, world: World) -> Go:
    def go(who: str) -> Client:
        sign_in(client, world.people[who])
        return client

    return go


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


# --- beginning a case -----------------------------------------------------------------------------


def number(world: World, text: str = "SK-0001") -> dict[str, Any]:
    return {"number": text, "review_type": world.review_type.pk}


def test_what_the_registry_says_is_shown_to_be_verified_and_begins_nothing(
    world: World, outside: Outside, as_person: Go
) -> None:
    page = as_person("bureau").get(reverse(START), number(world, "sk-0001"))
    assert page.status_code == 200
    told = text_of(page)
    for word in ("SK-0001", "A.B.", "North"):
        assert word in told
    assert not Case.objects.exists()


def test_a_verified_patient_is_begun_with_what_the_registry_said(
    world: World, outside: Outside, as_person: Go
) -> None:
    sent = {**number(world), "initials": "Z.Z.", "hospital": world.south.pk}
    answer = as_person("bureau").post(reverse(START), sent)
    case = Case.objects.get()
    assert answer.url == reverse("digital_review:case", args=[case.pk])
    patient = case.patient
    assert (patient.hospital, patient.registry_as_of is not None) == (world.north, True)
    assert Patient.objects.filter(initials="A.B.").exists()  # and not what the page was made to say


def test_an_unknown_number_is_said_and_begins_nothing(
    world: World, outside: Outside, as_person: Go
) -> None:
    page = as_person("bureau").post(reverse(START), number(world, "SK-9999"))
    assert page.status_code == 422
    assert "The registry knows no patient SK-9999" in text_of(page)
    assert not Case.objects.exists()
    assert not Patient.objects.exists()


@pytest.mark.parametrize("fault", ["refused", "half"])
def test_a_registry_that_is_away_lets_the_patient_be_typed_in(
    world: World, outside: Outside, as_person: Go, fault: str
) -> None:
    outside.registry.fault = fault
    client = as_person("bureau")
    page = client.get(reverse(START), number(world))
    assert "The registry does not answer" in text_of(page)
    incomplete = client.post(reverse(START), number(world))
    assert incomplete.status_code == 422
    assert not Case.objects.exists()
    typed = {"initials": "C.D.", "born_on": "2018-01-02", "hospital": world.south.pk}
    client.post(reverse(START), {**number(world), **typed})
    assert Case.objects.get().patient.hospital == world.south


def test_an_answer_about_somebody_else_is_not_believed(
    world: World, outside: Outside, as_person: Go
) -> None:
    outside.patients.patients["SK-0001"]["number"] = "SK-0002"
    page = as_person("bureau").get(reverse(START), number(world))
    assert "The registry does not answer" in text_of(page)


def test_a_patient_who_is_in_the_review_already_is_named(
    world: World, outside: Outside, as_person: Go
) -> None:
    case = begin(world)
    client = as_person("bureau")
    page = client.get(reverse(START), number(world))
    assert reverse("digital_review:case", args=[case.pk]) in text_of(page)
    refused = client.post(reverse(START), number(world))
    assert refused.status_code == 422
    assert "is in this review already" in text_of(refused)


def test_a_follow_up_is_begun_by_number(world: World, as_person: Go) -> None:
    case = to_review(world)
    concluded(world, case, "none")
    client = as_person("bureau")
    assert "A.B." in text_of(client.get(reverse(FOLLOW_UP), number(world)))
    answer = client.post(reverse(FOLLOW_UP), number(world))
    form = form_of(case, "follow_up")
    assert answer.url == reverse("digital_review:form", args=[form.pk])
    twice = client.post(reverse(FOLLOW_UP), number(world))
    assert twice.status_code == 422
    unknown = client.get(reverse(FOLLOW_UP), number(world, "SK-0404"))
    assert "No patient SK-0404 is in this review" in text_of(unknown)


# --- the list -------------------------------------------------------------------------------------


def rows(page: Any) -> list[str]:
    return [form.case.patient.number for form in page.context["page"]]


def test_a_data_manager_sees_what_waits_for_the_own_hospital_what_is_due_first(
    world: World, as_person: Go
) -> None:
    later, sooner = begin(world, "SK-0001"), begin(world, "SK-0002")
    begin(world, "SK-0003", hospital_id=world.south.pk)
    change_many([form_of(sooner, "precrf")], due_on=timezone.localdate() - timedelta(days=2))
    page = as_person("datamanager").get(reverse(FORMS))
    assert rows(page) == ["SK-0002", "SK-0001"]
    assert "Overdue" in text_of(page)
    assert "A.B." in text_of(page)
    complete(form_of(later, "precrf"), world.people["datamanager"], hb="7")
    assert rows(as_person("datamanager").get(reverse(FORMS))) == ["SK-0002"]
    assert rows(as_person("doctor").get(reverse(FORMS))) == ["SK-0002", "SK-0001"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": "all"}, ["SK-0001", "SK-0002", "SK-0001"]),
        ({"status": "draft"}, ["SK-0002", "SK-0001"]),
        ({"status": "complete"}, ["SK-0001"]),
        ({"status": "all", "slot": "Pathology"}, ["SK-0001"]),
        ({"status": "all", "number": "0002"}, ["SK-0002"]),
        ({"status": "all", "sort": "-patient"}, ["SK-0002", "SK-0001", "SK-0001"]),
        ({"status": "signed"}, []),
    ],
)
def test_the_list_is_filtered_and_sorted(
    world: World, as_person: Go, filters: dict[str, str], expected: list[str]
) -> None:
    one, other = begin(world, "SK-0001"), begin(world, "SK-0002", hospital_id=world.south.pk)
    complete(form_of(one, "precrf"), world.people["datamanager"], hb="7")
    assert form_of(other, "precrf").status == "draft"
    assert rows(as_person("bureau").get(reverse(FORMS), filters)) == expected


def test_the_list_of_many_takes_as_many_queries_as_that_of_few(
    world: World, as_person: Go, django_assert_max_num_queries: Any
) -> None:
    client = as_person("bureau")
    for place in range(3):
        begin(world, f"SK-{place:04}")
    client.get(reverse(FORMS))
    with django_assert_max_num_queries(100) as few:
        client.get(reverse(FORMS), {"status": "all"})
    for place in range(3, 12):
        begin(world, f"SK-{place:04}")
    with django_assert_max_num_queries(len(few)):
        assert len(rows(client.get(reverse(FORMS), {"status": "all"}))) == 12


def test_nothing_that_waits_says_what_to_do_next(world: World, as_person: Go) -> None:
    assert "Nothing waits for you" in text_of(as_person("datamanager").get(reverse(FORMS)))
    page = as_person("bureau").get(reverse(FORMS), {"status": "signed"})
    assert "No form is like this" in text_of(page)


# --- signing --------------------------------------------------------------------------------------


@pytest.fixture
def form(world: World) -> CaseForm:
    return complete(form_of(begin(world), "precrf"), world.people["datamanager"], hb="7.1")


def test_the_doctor_signs_after_reading_what_is_signed(
    world: World, form: CaseForm, as_person: Go
) -> None:
    give_pin(world.people["doctor"])
    client, url = as_person("doctor"), reverse("digital_review:form_sign", args=[form.pk])
    told = text_of(client.get(url))
    assert "Sign Precrf of patient SK-0001" in told
    assert "Reviewed and signed as true and complete" in told
    wrong = client.post(url, {"version": form.version, "pin": "00000000"})
    assert wrong.status_code == 422
    assert CaseForm.objects.get(pk=form.pk).signature is None
    assert client.post(url, {"version": form.version, "pin": PIN}).status_code == 302
    assert CaseForm.objects.get(pk=form.pk).status == "locked"
    again = client.get(url)
    assert again.status_code == 302


def test_a_data_manager_attests_and_the_scan_is_found_again(
    world: World, form: CaseForm, as_person: Go
) -> None:
    give_pin(world.people["datamanager"])
    client, url = as_person("datamanager"), reverse("digital_review:form_attest", args=[form.pk])
    assert TRANSCRIBED in text_of(client.get(url))
    without = client.post(url, {"version": form.version, "pin": PIN})
    assert without.status_code == 422
    scan = SimpleUploadedFile("scan.pdf", b"%PDF-1.7 paper", "application/pdf")
    client.post(url, {"version": form.version, "pin": PIN, "scan": scan})
    paper = client.get(reverse("digital_review:form_paper", args=[form.pk]))
    assert (paper.content, paper["Content-Type"]) == (b"%PDF-1.7 paper", "application/pdf")
    assert as_person("datamanager_south").get(
        reverse("digital_review:form_paper", args=[form.pk])
    ).status_code == 404  # fmt: skip


def test_a_signature_is_withdrawn_after_asking_why(
    world: World, form: CaseForm, as_person: Go
) -> None:
    signed(form, world.people["doctor"])
    url = reverse("digital_review:form_withdraw", args=[form.pk])
    client = as_person("doctor")
    assert client.post(url, {"reason": ""}).status_code == 422
    client.post(url, {"reason": "the wrong patient"})
    assert CaseForm.objects.get(pk=form.pk).status == "draft"


# --- acts on a case -------------------------------------------------------------------------------


def test_the_hospital_is_asked_from_the_patients_page(world: World, as_person: Go) -> None:
    case = begin(world)
    url = reverse("digital_review:ask_hospital", args=[case.pk])
    client = as_person("bureau")
    assert client.post(url, {"what": ""}).status_code == 422
    assert client.post(url, {"what": "a biopsy"}).status_code == 302


def test_a_script_in_a_text_is_shown_and_not_run(world: World, as_person: Go) -> None:
    begin(world, initials="<script>1</script>")
    told = text_of(as_person("datamanager").get(reverse(FORMS)))
    assert "<script>1" not in told
    assert "&lt;script&gt;1" in told
