"""Letters: after the signed review, sealed, told by a link, out of force when it is withdrawn."""

from __future__ import annotations

import pytest
from digital_review.models import Case, Letter, Outcome
from digital_review.rules.letters import differs
from digital_review.services.letters import issue_letter, letters_to_write, preview_letter
from digital_review.services.signing import withdraw_signature
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from portal.audit.models import AccessEntry
from portal.documents.checking import Finding, check_pdf
from portal.documents.models import IssuedDocument
from portal.notifications.models import Notification, OutboxMail
from portal.records.context import acting
from portal.records.errors import Refused
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
from tests.portal.test_documents_pdf import pages
from tests.support.accounts import sign_in
from tests.support.signing import triggers_disabled

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return acting_world()


def reviewed(world: World, local: str = "", diagnosis: str = "saa") -> Case:
    """A case whose central review is signed."""
    case = begin(world)
    complete(form_of(case, "precrf"), world.people["datamanager"], hb="7.1", working="MDS")
    pathology, typed = form_of(case, "pathology"), {"cellularity": "normal"}
    complete(pathology, world.people["pathologist"], **typed, **({"local": local} if local else {}))
    signed(pathology, world.people["pathologist"])
    outcome = world.outcomes[diagnosis]
    outcome.advice = "Repeat the biopsy\nin three months."
    outcome.save()
    crf = concluded(world, Case.objects.get(pk=case.pk), diagnosis)
    signed(crf, world.people["specialist"])
    return Case.objects.get(pk=case.pk)


def write(world: World, case: Case, kind: str = "oncologist", who: str = "specialist") -> Letter:
    with acting(actor=world.people[who]):
        return issue_letter(actor=world.people[who], case_id=case.pk, kind=kind)


def text_of(letter: Letter) -> str:
    [document] = IssuedDocument.objects.filter(object_id=str(letter.pk), supersession=None)
    return " ".join(pages(bytes(document.pdf)))


@pytest.mark.requirement("DR-076", "DR-077")
def test_the_letter_names_patient_diagnosis_and_advice_and_is_sealed(world: World) -> None:
    letter = write(world, reviewed(world))
    text = text_of(letter)
    for said in ("SK-0001", "A.B.", "North", "SAA", "Repeat the biopsy", "Specialist Review"):
        assert said in text, said
    pdf = bytes(IssuedDocument.objects.get(object_id=str(letter.pk)).pdf)
    assert check_pdf(pdf).finding is Finding.IN_FORCE


@pytest.mark.requirement("DR-076", "DR-130")
def test_the_treating_doctor_is_told_by_a_link_and_reads_it(world: World) -> None:
    letter = write(world, reviewed(world))
    doctor = world.people["doctor"]
    note = Notification.objects.filter(user=doctor).latest("pk")
    assert note.url == reverse("digital_review:letter", args=[letter.pk])
    mail = OutboxMail.objects.filter(to=doctor.email).latest("pk")
    assert note.url in mail.text
    for personal in ("SK-0001", "A.B.", "SAA"):
        assert personal not in mail.text + mail.subject
    client = Client()
    sign_in(client, doctor)
    assert client.get(note.url).status_code == 200
    pdf = client.get(reverse("digital_review:letter_pdf", args=[letter.pk]))
    assert pdf["Content-Type"] == "application/pdf"
    assert AccessEntry.objects.filter(action="export", patient="SK-0001").exists()


@pytest.mark.requirement("DR-012", "DR-022")
def test_another_hospitals_doctor_finds_no_letter(world: World) -> None:
    letter = write(world, reviewed(world))
    for who in ("doctor_south", "datamanager", "datamanager_south", "clinician_south"):
        client = Client()
        sign_in(client, world.people[who])
        for name in ("letter", "letter_pdf"):
            url = reverse(f"digital_review:{name}", args=[letter.pk])
            assert client.get(url).status_code == 404, (who, name)


@pytest.mark.requirement("DR-076")
def test_the_local_pathologist_is_written_to_only_where_the_outcome_differs(world: World) -> None:
    case = reviewed(world, local="fanconi")
    assert letters_to_write(case) == ["oncologist", "pathologist"]
    text = text_of(write(world, case, "pathologist"))
    assert "differs from the local diagnosis" in text
    assert "Fanconi" in text


@pytest.mark.parametrize("local", ["saa", ""])
def test_without_a_difference_there_is_no_letter_to_the_pathologist(
    world: World, local: str
) -> None:
    case = reviewed(world, local=local)
    assert letters_to_write(case) == ["oncologist"]
    with pytest.raises(Refused) as refused:
        write(world, case, "pathologist")
    assert refused.value.code == "same"


def test_before_the_review_is_signed_there_is_no_letter(world: World) -> None:
    case = to_review(world)
    concluded(world, case, "saa")
    assert letters_to_write(Case.objects.get(pk=case.pk)) == []
    with pytest.raises(Refused) as refused:
        write(world, case)
    assert refused.value.code == "not_signed"


@pytest.mark.requirement("DR-115")
def test_no_letter_of_a_review_that_is_not_what_was_signed(world: World) -> None:
    case = reviewed(world)
    with triggers_disabled() as cursor:
        cursor.execute(
            "UPDATE digital_review_caseform SET answers ="
            " jsonb_set(answers, '{values,conclusion}', '\"forged\"') WHERE id = %s",
            [form_of(case, "crf").pk],
        )
    with pytest.raises(Refused) as refused:
        write(world, case)
    assert refused.value.code == "not_authentic"


@pytest.mark.parametrize("who", ["secretary", "pathologist", "bureau"])
def test_only_who_signs_reviews_or_manages_them_writes_letters(world: World, who: str) -> None:
    case = reviewed(world)
    with pytest.raises(PermissionDenied):
        write(world, case, who=who)
    with pytest.raises(PermissionDenied), acting(actor=world.people[who]):
        preview_letter(actor=world.people[who], case_id=case.pk, kind="oncologist")


def test_a_preview_issues_nothing(world: World) -> None:
    case, who = reviewed(world), world.people["specialist"]
    with acting(actor=who):
        pictures = preview_letter(actor=who, case_id=case.pk, kind="oncologist")
    assert pictures[0].startswith(b"\x89PNG")
    assert not Letter.objects.exists()
    assert not IssuedDocument.objects.exists()


def test_issued_twice_it_is_one_letter_told_once(world: World) -> None:
    case = reviewed(world)
    before = Notification.objects.count()
    assert write(world, case) == write(world, case)
    assert IssuedDocument.objects.count() == 1
    assert Notification.objects.count() == before + 1


@pytest.mark.requirement("DR-076")
def test_a_withdrawn_finding_takes_its_letters_out_of_force(world: World) -> None:
    case = reviewed(world)
    letter, crf = write(world, case), form_of(case, "crf")
    withdraw_signature(actor=world.people["specialist"], form_id=crf.pk, reason="wrong slides")
    document = IssuedDocument.objects.get(object_id=str(letter.pk))
    assert document.supersession.reason == "wrong slides"
    note = Notification.objects.filter(user=world.people["doctor"]).latest("pk")
    assert "withdrawn" in note.text
    client = Client()
    sign_in(client, world.people["doctor"])
    text = client.get(note.url).content.decode()
    assert "This letter is withdrawn: do not act on it" in text
    assert "wrong slides" in text
    pdf = client.get(reverse("digital_review:letter_pdf", args=[letter.pk]))
    assert pdf["X-Document-State"] == "superseded"


def test_what_was_typed_is_printed_and_not_run(world: World) -> None:
    case = reviewed(world)
    world.outcomes["saa"].advice = '#read("/etc/passwd") *bold*'
    Outcome.objects.filter(pk=world.outcomes["saa"].pk).get()
    world.outcomes["saa"].save()
    assert '#read("/etc/passwd") *bold*' in text_of(write(world, case)).replace("“", '"').replace(
        "”", '"'
    )


def test_the_pages_of_a_letter(world: World) -> None:
    case, client = reviewed(world), Client()
    sign_in(client, world.people["manager"])
    url = reverse("digital_review:letter_new", args=[case.pk, "oncologist"])
    assert "nothing is issued yet" in client.get(url).content.decode()
    png = client.get(reverse("digital_review:letter_preview", args=[case.pk, "oncologist", 1]))
    assert png["Content-Type"] == "image/png"
    nowhere = reverse("digital_review:letter_preview", args=[case.pk, "oncologist", 9])
    assert client.get(nowhere).status_code == 404
    same = client.get(reverse("digital_review:letter_new", args=[case.pk, "pathologist"]))
    assert same.status_code == 422
    assert client.get(url.replace("oncologist", "minister")).status_code == 404
    assert client.post(url).status_code == 302
    tab = client.get(reverse("digital_review:case_tab", args=[case.pk, "letters"]))
    assert "In force" in tab.content.decode()


@pytest.mark.parametrize(
    ("local", "central", "found"),
    [
        ("saa", ("saa", "SAA"), False),
        ("Severe  Aplastic anaemia", ("saa", "severe aplastic anaemia"), False),
        ("fanconi", ("saa", "SAA"), True),
        ("", ("saa", "SAA"), None),
        ("  ", ("saa",), None),
    ],
)
def test_diagnoses_are_compared_by_code_or_by_words(
    local: str, central: tuple[str, ...], found: bool | None
) -> None:
    assert differs(local, *central) is found
