"""The merge screen: the second saver chooses, field by field, and saves on top (PT-022)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from django import forms
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from portal.access.models import Role, RoleGrant
from portal.accounts.models import User
from portal.organisation.models import Unit
from portal.records.context import acting
from portal.records.errors import StaleRecord
from portal.records.merging import Mergeable, merge_screen
from portal.records.services import check_version, locked, writes
from tests.support.factories import give, make_unit, make_user
from tests.support.patients_app.models import Patient

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-022")]


class Inputs(HTMLParser):
    """What a browser would send for a form: its hidden fields and ticked radio buttons."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self.radios: set[str] = set()
        self.feed(page[page.index('id="merge"') :])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        name = told.get("name") or ""
        if tag != "input" or name == "csrfmiddlewaretoken":
            return
        if told.get("type") == "radio":
            self.radios.add(name)
            if "checked" not in told:
                return
        self.sent.setdefault(name, []).append(told.get("value") or "")


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


# --- the real page of a role -----------------------------------------------------------------


@pytest.fixture
def admin() -> User:
    person = make_user("Signe Holm")
    give(person, "access.portal_administrator", make_unit("house"))
    return person


@pytest.fixture
def role() -> Role:
    return Role.objects.create(
        code="composed.night", name="Night", module="access", privileges=["access.explain"]
    )


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client


def theirs(role: Role, **values: Any) -> None:
    """Somebody else saves the role."""
    with acting(actor=make_user("Other Person", username=f"other{Role.history.count()}")):
        fresh = Role.objects.get(pk=role.pk)
        for name, value in values.items():
            setattr(fresh, name, value)
        fresh.save()


def mine(role: Role, **values: Any) -> dict[str, Any]:
    return {
        "name": role.name,
        "privileges": role.privileges,
        "reason": "because",
        "version": role.version,
        **values,
    }


def test_the_second_saver_sees_old_theirs_and_yours_in_words(admin: User, role: Role) -> None:
    theirs(role, name="Late", privileges=["access.explain", "audit.browse_logs"])
    answer = client_of(admin).post(
        reverse("access:role", args=[role.pk]), mine(role, name="Evening")
    )
    assert answer.status_code == 409
    page = answer.content.decode()
    words = words_of(page)
    assert "Late was changed while you had it open" in words
    assert "Other Person saved it" in words
    assert re.search(r"Name both changed Night Late Evening", words)
    # the privileges by their labels; only they changed them, so theirs is ticked
    assert "Browse audit trail and access log" in words
    assert Inputs(page).sent["merge-choice-privileges"] == ["theirs"]
    assert "merge-choice-name" in Inputs(page).radios
    assert "merge-choice-name" not in Inputs(page).sent  # both did: nothing is chosen for one
    assert Role.objects.get(pk=role.pk).name == "Late"


def test_what_was_chosen_is_saved_on_top_of_the_newest_version(admin: User, role: Role) -> None:
    client, url = client_of(admin), reverse("access:role", args=[role.pk])
    theirs(role, name="Late", privileges=["access.explain", "audit.browse_logs"])
    page = client.post(url, mine(role, name="Evening")).content.decode()
    answer = client.post(url, {**Inputs(page).sent, "merge-choice-name": "yours"})
    assert answer.status_code == 302
    saved = Role.objects.get(pk=role.pk)
    assert (saved.name, saved.version) == ("Evening", role.version + 2)
    assert saved.privileges == ["access.explain", "audit.browse_logs"]


def test_one_may_keep_theirs_of_everything(admin: User, role: Role) -> None:
    client, url = client_of(admin), reverse("access:role", args=[role.pk])
    theirs(role, name="Late")
    page = client.post(url, mine(role, name="Evening")).content.decode()
    client.post(url, {**Inputs(page).sent, "merge-choice-name": "theirs"})
    assert Role.objects.get(pk=role.pk).name == "Late"


def test_one_more_conflict_shows_the_screen_again(admin: User, role: Role) -> None:
    client, url = client_of(admin), reverse("access:role", args=[role.pk])
    theirs(role, name="Late", privileges=["access.explain", "audit.browse_logs"])
    page = client.post(url, mine(role, name="Evening")).content.decode()
    theirs(role, name="Later still")
    again = client.post(url, {**Inputs(page).sent, "merge-choice-name": "yours"})
    assert again.status_code == 409
    second = again.content.decode()
    assert re.search(r"Name both changed Late Later still Evening", words_of(second))
    saved = client.post(url, {**Inputs(second).sent, "merge-choice-name": "yours"})
    assert saved.status_code == 302
    role.refresh_from_db()
    # what was theirs on the first screen is theirs still, though the second did not ask
    assert (role.name, role.privileges) == ("Evening", ["access.explain", "audit.browse_logs"])


def test_an_answer_that_leaves_a_conflict_open_is_asked_again(admin: User, role: Role) -> None:
    client, url = client_of(admin), reverse("access:role", args=[role.pk])
    theirs(role, name="Late", privileges=["audit.browse_logs"])
    page = client.post(url, mine(role, name="Evening")).content.decode()
    sent = {**Inputs(page).sent, "merge-choice-privileges": "yours"}
    again = client.post(url, sent)
    assert again.status_code == 409
    second = Inputs(again.content.decode())
    assert second.sent["merge-choice-privileges"] == ["yours"]  # as it was answered
    assert "merge-choice-name" not in second.sent
    assert Role.objects.get(pk=role.pk).name == "Late"
    client.post(url, {**second.sent, "merge-choice-name": "theirs"})
    role.refresh_from_db()
    assert (role.name, role.privileges) == ("Late", ["access.explain"])


def test_what_both_made_of_it_together_may_be_refused_and_is_shown(admin: User, role: Role) -> None:
    """The form comes back with what would be saved, and saves from there as any form."""
    client, url = client_of(admin), reverse("access:role", args=[role.pk])
    theirs(role, name="Late")
    page = client.post(url, mine(role, name="Evening")).content.decode()
    sent = {**Inputs(page).sent, "merge-choice-name": "theirs", "reason": ""}
    refused = client.post(url, sent)
    assert refused.status_code == 422
    shown = refused.content.decode()
    assert 'value="Late"' in shown
    assert "Evening" not in shown
    role.refresh_from_db()
    saved = client.post(url, {**mine(role), "reason": "now with one"})
    assert saved.status_code == 302


def test_a_form_without_a_version_is_older_than_everything(admin: User, role: Role) -> None:
    theirs(role, name="Late")
    sent = mine(role, name="Evening")
    del sent["version"]
    answer = client_of(admin).post(reverse("access:role", args=[role.pk]), sent)
    assert answer.status_code == 409
    assert re.search(r"Name both changed – Late Evening", words_of(answer.content.decode()))


@pytest.mark.parametrize("forged", ["-1", "1e3", "99999999999999999999", "\u0663", ""])
def test_a_forged_answer_saves_nothing(admin: User, role: Role, forged: str) -> None:
    theirs(role, name="Late")
    sent = mine(role, name="Evening") | {"merge-asked": "name", "merge-opened": forged}
    answer = client_of(admin).post(reverse("access:role", args=[role.pk]), sent)
    assert answer.status_code == 409
    assert Role.objects.get(pk=role.pk).name == "Late"


def test_a_form_that_htmx_sent_gets_the_screen_in_its_place(admin: User, role: Role) -> None:
    theirs(role, name="Late")
    answer = client_of(admin).post(
        reverse("access:role", args=[role.pk]),
        mine(role, name="Evening"),
        headers={"HX-Request": "true"},
    )
    page = answer.content.decode()
    assert answer.status_code == 409
    assert page.lstrip().startswith("<form")
    assert 'hx-target="this"' in page


# --- a form of personal data -----------------------------------------------------------------


class PatientForm(Mergeable):
    name = forms.CharField(required=False)
    born_on = forms.DateField(required=False)
    number = forms.CharField()
    unit = forms.ModelChoiceField(Unit.objects.all())


@writes
def edit_patient(*, actor: Any, pk: int, expected_version: int, **values: Any) -> Patient:
    patient = locked(Patient.objects.all(), pk)
    check_version(patient, expected_version, values)
    for name, value in values.items():
        setattr(patient, name, value)
    patient.save()
    return patient


def patient_page(request: HttpRequest, pk: int) -> HttpResponse:
    """An edit view as a module would have one."""
    patient = Patient.objects.get(pk=pk)
    fields = ("name", "born_on", "number", "version")
    initial = {name: getattr(patient, name) for name in fields} | {"unit": patient.unit_id}
    form = PatientForm(request.POST or None, initial=initial)
    assert form.is_valid(), form.errors
    values = dict(form.cleaned_data)
    version = values.pop("version")
    sent = {name: value for name, value in values.items() if name in request.POST}
    try:
        edit_patient(actor=request.user, pk=pk, expected_version=version, **sent)
    except StaleRecord as stale:
        return merge_screen(request, form, stale, back="/")
    return HttpResponse("saved")


@pytest.fixture
def patient() -> Patient:
    unit = make_unit("ward", make_unit("hospital"))
    return Patient.objects.create(
        name="Anna Andersen", born_on=date(2015, 3, 4), number="1", unit=unit
    )


@contextmanager
def as_person(person: User, patient: Patient, **sent: Any) -> Iterator[HttpRequest]:
    request = RequestFactory().post("/", {"unit": patient.unit_id, "version": 1, **sent})
    request.user = person
    request.htmx = True  # type: ignore[attr-defined]
    with acting(actor=person):
        yield request


def reader(patient: Patient, *, personal: bool) -> User:
    role, _new = Role.objects.get_or_create(
        code="p.view", name="v", module="patients", privileges=["patients.view"]
    )
    person = make_user("Nora Nurse" if personal else "Rita Reader")
    RoleGrant.objects.create(user=person, role=role, unit=patient.unit, data_scope="unit")
    if personal:
        see, _new = Role.objects.get_or_create(
            code="p.see", name="s", module="patients", privileges=["patients.see_personal_data"]
        )
        RoleGrant.objects.create(user=person, role=see, unit=patient.unit)
    return person


def change(patient: Patient, person: User) -> None:
    with acting(actor=person):
        fresh = Patient.objects.get(pk=patient.pk)
        fresh.name, fresh.born_on, fresh.number = "Berta Bentsen", date(2016, 5, 6), "2"
        fresh.save()


@pytest.mark.requirement("PT-015")
def test_personal_data_that_one_may_not_see_is_not_among_the_differences(patient: Patient) -> None:
    change(patient, reader(patient, personal=True))
    with as_person(reader(patient, personal=False), patient, number="3") as request:
        answer = patient_page(request, patient.pk)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Bentsen" not in page
    assert "Andersen" not in page
    assert "2016" not in page
    sent = Inputs(page).sent | {"merge-choice-number": ["yours"]}
    with as_person(reader_again(), patient, **sent) as request:
        assert patient_page(request, patient.pk).content == b"saved"
    patient.refresh_from_db()
    nurse = User.objects.get(name="Nora Nurse")
    with acting(actor=nurse):
        saved = Patient.objects.get(pk=patient.pk)
        assert (saved.number, saved.name, saved.born_on) == (
            "3", "Berta Bentsen", date(2016, 5, 6),
        )  # fmt: skip


def reader_again() -> User:
    return User.objects.get(name="Rita Reader")


def test_dates_and_related_records_are_in_words_and_theirs_keeps_their_type(
    patient: Patient,
) -> None:
    nurse = reader(patient, personal=True)
    other = make_unit("laboratory")
    change(patient, nurse)
    sent = {"name": "Clara", "born_on": "2017-01-02", "number": "1", "unit": other.pk}
    with as_person(nurse, patient, **sent) as request:
        page = patient_page(request, patient.pk).content.decode()
    words = words_of(page)
    assert "Anna Andersen Berta Bentsen Clara" in words
    assert re.search(r"Unit\s+Ward\s+Ward\s+Laboratory", words)
    assert "2016" in words
    chosen = Inputs(page).sent | {
        "merge-choice-name": ["yours"], "merge-choice-born_on": ["theirs"],
        "merge-choice-unit": ["theirs"],
    }  # fmt: skip
    with as_person(nurse, patient, **chosen) as request:
        assert patient_page(request, patient.pk).content == b"saved"
    with acting(actor=nurse):
        saved = Patient.objects.get(pk=patient.pk)
        assert (saved.name, saved.born_on, saved.number) == ("Clara", date(2016, 5, 6), "2")
        assert saved.unit == patient.unit


def test_a_save_that_lost_the_race_itself_is_compared_by_the_screen(patient: Patient) -> None:
    """StaleRecord out of save() names no differences: the screen finds them."""
    nurse = reader(patient, personal=True)
    with as_person(nurse, patient, name="Clara", number="1") as request:
        form = PatientForm(request.POST, initial={"version": 1})
        assert form.is_valid()
        change(patient, nurse)
        page = merge_screen(request, form, StaleRecord(patient), back="/").content.decode()
    assert "Anna Andersen Berta Bentsen Clara" in words_of(page)


def test_a_record_saved_without_a_difference_may_be_saved_on_top(patient: Patient) -> None:
    nurse = reader(patient, personal=True)
    with acting(actor=nurse):
        Patient.objects.get(pk=patient.pk).save()
    sent = {"name": "Anna Andersen", "born_on": "2015-03-04", "number": "1"}
    with as_person(nurse, patient, **sent) as request:
        page = patient_page(request, patient.pk).content.decode()
    assert "Nothing that you sent differs from it" in words_of(page)
    with as_person(nurse, patient, **Inputs(page).sent) as request:
        assert patient_page(request, patient.pk).content == b"saved"


def test_the_screen_costs_a_fixed_number_of_queries(
    patient: Patient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    nurse = reader(patient, personal=True)
    change(patient, nurse)
    with (
        as_person(nurse, patient, name="Clara", number="9") as request,
        django_assert_max_num_queries(16),
    ):
        assert patient_page(request, patient.pk).status_code == 409
