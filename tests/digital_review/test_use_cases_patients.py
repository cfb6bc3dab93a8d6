"""Acceptance, by name: UC10, UC21, scenarios 6 and 7 (DR-080, DR-081).

Each goes the whole way through the pages, from log-in to what stays behind.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from digital_review.models import Anamnesis, Case
from django.test import Client
from django.urls import reverse

from portal.audit.models import AccessEntry, AuditEntry
from tests.digital_review.conducting import acting_world, begin, form_of, to_review
from tests.digital_review.factories import World
from tests.portal.test_documents_pdf import pages
from tests.support.accounts import sign_in

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def world() -> World:
    return acting_world()


def logged_in(person: Any) -> Client:
    client = Client()
    sign_in(client, person)
    return client


def link(text: str, words: str) -> str:
    """Where the link with these words leads."""
    for address, inside in re.findall(r'<a[^>]*\shref="([^"]+)"[^>]*>(.*?)</a>', text, re.DOTALL):
        if words in unescape(re.sub(r"<[^>]+>", " ", inside)):
            return unescape(address)
    raise AssertionError(f"no link {words!r}")


def opened(case: Case) -> int:
    return AccessEntry.objects.filter(action="open", patient=case.patient.number).count()


@pytest.mark.requirement("DR-080", "DR-036", "DR-024", "DR-181")
def test_uc10_consult_a_patient(world: World) -> None:
    """A clinician opens a patient from the list, looks at a part, and selects another patient:
    the page shows the other one's same part, and the list keeps its place."""
    one, other = to_review(world, "SK-0001"), to_review(world, "SK-0002")
    client = logged_in(world.people["clinician"])
    overview = client.get(reverse("digital_review:overview")).content.decode()

    page = client.get(link(overview, "SK-0001")).content.decode()
    assert "SK-0001" in page
    assert "A.B." in page
    part = client.get(link(page, "Slides")).content.decode()
    assert "Glass not received" in part

    # another patient is selected: the middle alone is asked for, as the browser's script does
    chosen = link(part, "SK-0002")
    assert "tab=slides" in chosen
    answer = client.get(chosen, headers={"HX-Request": "true"}).content.decode()
    assert f'id="case-main" data-case="{other.pk}"' in answer
    assert 'name="tab" value="slides"' in answer
    assert "Glass not received" in answer
    assert 'class="case-others"' not in answer

    # exit condition: nothing was changed, and it is known who saw which patient
    assert (opened(one), opened(other)) == (2, 1)
    assert Case.objects.get(pk=one.pk).version == one.version


@pytest.mark.requirement("DR-080", "DR-039", "DR-024")
def test_uc21_add_and_edit_anamnesis(world: World) -> None:
    """A clinician adds history and background, then edits it; it is stored with the patient, and
    what it said before is kept."""
    case = begin(world)
    client = logged_in(world.people["clinician"])
    part = client.get(reverse("digital_review:case", args=[case.pk]), {"tab": "anamnesis"})
    form = link(part.content.decode(), "Add anamnesis")
    assert "History and background" in client.get(form).content.decode()

    empty = client.post(form, {"text": "  "})
    assert empty.status_code == 422
    assert not Anamnesis.objects.exists()

    stored = client.post(
        form, {"text": "Pale since May; a sister has Fanconi anaemia."}, follow=True
    )
    assert "The anamnesis is stored with the patient." in stored.content.decode()
    assert "a sister has Fanconi anaemia" in stored.content.decode()

    edit = link(stored.content.decode(), "Edit")
    version = Anamnesis.objects.get().version
    changed = client.post(edit, {"text": "Pale since April.", "version": version}, follow=True)
    text = changed.content.decode()
    assert "Pale since April." in text
    assert "Edited" in text
    stale = client.post(edit, {"text": "Pale since March.", "version": version})
    assert stale.status_code == 409

    row = Anamnesis.objects.get()
    assert (row.case, row.written_by) == (case, world.people["clinician"])
    assert row.history.count() == 2
    acts = AuditEntry.objects.filter(object_id=str(case.pk), action__contains="anamnesis")
    assert [entry.action.rpartition("_")[2] for entry in acts.order_by("pk")] == [
        "added",
        "changed",
    ]


@pytest.mark.requirement("DR-081", "DR-094", "DR-181")
def test_scenario_6_print_a_completed_form(world: World) -> None:
    """From the patient's page to the completed form, and from there to paper."""
    case = to_review(world)
    client = logged_in(world.people["clinician"])
    part = client.get(reverse("digital_review:case", args=[case.pk]), {"tab": "forms"})
    form = form_of(case, "precrf")
    page = client.get(link(part.content.decode(), "Precrf"))
    assert page.status_code == 200
    pdf = client.get(link(page.content.decode(), "PDF"))
    assert pdf["Content-Type"] == "application/pdf"
    text = " ".join(pages(b"".join(pdf) if pdf.streaming else pdf.content))
    for said in ("Hb", "7.1", "mmol/L", "MDS"):
        assert said in text, said
    entries = AccessEntry.objects.filter(object_id=str(form.pk), action__in=("print", "export"))
    assert entries.exists()


@pytest.mark.requirement("DR-081", "DR-037", "DR-039")
def test_scenario_7_add_anamnesis(world: World) -> None:
    """What the clinician added is there for everybody who reads the patient, and for nobody else;
    a script in it is text."""
    case = begin(world)
    clinician = logged_in(world.people["clinician"])
    clinician.post(
        reverse("digital_review:anamnesis_add", args=[case.pk]),
        {"text": "<script>alert(1)</script> pale"},
    )
    url = reverse("digital_review:case_tab", args=[case.pk, "anamnesis"])
    for who in ("clinician", "pathologist", "chairman", "secretary", "specialist"):
        text = logged_in(world.people[who]).get(url).content.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt; pale" in text, who
        assert "<script>alert" not in text
    for who in ("clinician_south", "datamanager", "doctor"):
        assert logged_in(world.people[who]).get(url).status_code in (403, 404), who
