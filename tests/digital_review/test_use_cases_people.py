"""Acceptance: who works with the reviews gets in, is added, and is deactivated (UC1-2, UC11-15)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from digital_review.models import ReviewType
from digital_review.services.case_forms import RULES
from digital_review.services.people import add_person, deactivate_person
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.decision import can, forget_held
from portal.access.models import Role, RoleGrant
from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.forms.models import UnsavedInput
from portal.forms.services.sheets import keep_typed
from portal.notifications.models import OutboxMail
from portal.notifications.outbox import send_due_mail
from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.signing.models import Signature
from portal.signing.services import State, verify
from tests.digital_review.conducting import acting_world, begin, complete, form_of, signed
from tests.digital_review.factories import World, make_case, make_form, review_world
from tests.support.accounts import PASSWORD, code_of, is_logged_in, make_external, sign_in
from tests.support.factories import give, make_unit, make_user
from tests.support.processes import MailServer

pytestmark = pytest.mark.django_db
IN_A_YEAR = timezone.localdate() + timedelta(days=365)


@pytest.fixture
def world() -> World:
    """As in the factories; a manager of the whole network, with a hospital in it."""
    made = review_world()
    hospital = make_unit("childrens", made.network, kind=Unit.Kind.HOSPITAL)
    manager = make_user("Rita Review", username="rita.review")
    give(manager, "digital_review.review_manager", made.network)
    made.people["network_manager"] = manager
    made.north = hospital
    return made


def managing(world: World) -> Client:
    client = Client()
    sign_in(client, world.people["network_manager"])
    return client


def typed(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Anne Visser",
        "title": "Data manager",
        "email": "Anne.Visser@hospital.example",
        "role": Role.objects.get(code="digital_review.datamanager").pk,
        "unit": world.north.pk,
        "expires_on": IN_A_YEAR.isoformat(),
        "reason": "data manager of the hospital",
        **changes,
    }


def link_in(text: str) -> str:
    [link] = re.findall(r"https?://\S+", text)
    return urlsplit(link).path


def choose_password(link: str, password: str = PASSWORD) -> Any:
    client = Client()
    page = client.get(link, follow=True)
    path = page.request["PATH_INFO"]
    return client.post(path, {"new_password1": password, "new_password2": password})


def log_in(user: User, password: str = PASSWORD) -> Client:
    """Password, then the code of the authenticator app, which is enrolled at the first time."""
    client = Client()
    answer = client.post(
        reverse("accounts:login"), {"username": user.username, "password": password}
    )
    client.get(answer["Location"])
    device = TOTPDevice.objects.filter(user=user).order_by("-pk").first()
    assert device is not None
    client.post(answer["Location"], {"code": code_of(device)})
    return client


def enrolled(name: str, role: str, unit: Unit) -> User:
    user = make_external(name)
    give(user, f"digital_review.{role}", unit)
    TOTPDevice.objects.create(user=user, confirmed=True, name="app")
    return user


# --- UC1, UC2: log in ----------------------------------------------------------------------------


@pytest.mark.requirement("DR-001", "DR-080", "DR-175")
def test_uc1_a_participant_logs_in_with_their_own_name_and_password_and_sees_their_start_page(
    world: World,
) -> None:
    user = enrolled("Dora Data", "datamanager", world.north)
    client = log_in(user)
    assert is_logged_in(client)
    page = client.get("/")
    assert page.status_code == 200
    assert "Dora Data" in page.content.decode()


@pytest.mark.requirement("DR-002", "DR-080", "DR-012")
@pytest.mark.parametrize("name", ["dora.data@company.example", "nobody@company.example"])
def test_uc2_a_wrong_combination_leads_back_to_the_log_in_with_a_message_and_gives_nothing(
    world: World, name: str
) -> None:
    enrolled("Dora Data", "datamanager", world.north)
    client = Client()
    answer = client.post(reverse("accounts:login"), {"username": name, "password": "wrong one"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'name="password"' in page
    assert "wrong" in page.lower() or "not right" in page.lower()
    assert not is_logged_in(client)
    for address in ("digital_review:overview", "digital_review:people"):
        assert client.get(reverse(address)).status_code == 302  # to the log-in


@pytest.mark.requirement("DR-175")
def test_there_is_nothing_to_see_for_who_was_not_registered_or_holds_no_role(world: World) -> None:
    made = make_user("Nora New")
    client = Client()
    sign_in(client, made)
    for address in ("digital_review:people", "digital_review:review_types"):
        assert client.get(reverse(address)).status_code == 403
    answer = client.post(reverse("digital_review:people_new"), typed(world))
    assert answer.status_code == 403
    assert b"403" in answer.content or b"may not" in answer.content.lower()


@pytest.mark.requirement("DR-004")
def test_what_somebody_may_differs_by_review(world: World) -> None:
    """A secretary of one review is nobody in another; a second role there is another grant."""
    other = ReviewType.objects.create(
        unit=world.other_review,
        code="lymphoma",
        name="Lymphoma",
        flow=world.review_type.flow,
        diagnosis="crf.diagnosis",
    )
    secretary = world.people["secretary"]
    here, there = make_case(world), make_case(world, "SK-0002", review_type=other)
    assert can(secretary, "digital_review.keep_minutes", here)
    assert not can(secretary, "digital_review.keep_minutes", there)
    give(secretary, "digital_review.chairman", world.other_review)
    assert can(secretary, "digital_review.lead_meetings", there)
    assert not can(secretary, "digital_review.lead_meetings", here)


# --- UC11, UC12: log out --------------------------------------------------------------------------


@pytest.mark.requirement("DR-006", "DR-080")
def test_uc11_logging_out_takes_every_right_and_shows_the_log_in(world: World) -> None:
    client = log_in(enrolled("Dora Data", "datamanager", world.north))
    assert client.get(reverse("accounts:sign_out")).status_code == 405  # a link cannot do it
    assert is_logged_in(client)
    client.post(reverse("accounts:sign_out"))
    assert not is_logged_in(client)
    assert client.get("/").status_code == 302


@pytest.mark.requirement("DR-007", "DR-006", "DR-080")
def test_uc12_what_was_typed_and_not_saved_is_there_at_the_next_log_in(world: World) -> None:
    """Whoever leaves without saving loses nothing: it was sent as each field was left."""
    user = enrolled("Dora Data", "datamanager", world.north)
    case = make_case(world)
    case.patient.hospital = world.north
    case.patient.save()
    form = make_form(case, world.slots["precrf"])
    client = log_in(user)
    keep_typed(
        RULES, actor=user, sheet_id=form.pk, typed={"history": "half a sen"},
        opened_version=form.version, sequence=1,
    )  # fmt: skip
    client.post(reverse("accounts:sign_out"))
    log_in(user)
    kept = UnsavedInput.objects.get(person=user, sheet_id=form.pk)
    assert kept.typed == {"history": "half a sen"}
    form.refresh_from_db()
    assert form.answers["values"] == {}  # nothing was said yet


# --- UC13, scenario 1a: add a user ----------------------------------------------------------------


@pytest.mark.requirement("DR-008", "DR-080", "DR-081", "DR-175", "DR-130")
@pytest.mark.django_db(transaction=True)
def test_uc13_scenario_1a_a_new_user_gets_a_link_by_mail_and_logs_in_with_their_role(
    world: World, mail_server: MailServer
) -> None:
    client = managing(world)
    answer = client.post(reverse("digital_review:people_new"), typed(world), follow=True)
    assert "Anne Visser has an account; a link was mailed." in answer.content.decode()
    send_due_mail()
    [mail] = mail_server.messages
    assert mail["To"] == "anne.visser@hospital.example"
    text = mail.get_payload(decode=True).decode()
    assert PASSWORD not in text
    assert "Visser" not in text  # nothing personal but the link
    choose_password(link_in(text))
    made = User.objects.get(username="anne.visser@hospital.example")
    assert (made.name, made.title) == ("Anne Visser", "Data manager")
    own = log_in(made)
    assert is_logged_in(own)
    case = make_case(world)
    case.patient.hospital = world.north
    case.patient.save()
    form = make_form(case, world.slots["precrf"])
    assert can(made, "digital_review.fill_hospital_forms", form)
    assert not can(made, "digital_review.see_reviews", case)
    assert "Data manager" in client.get(reverse("digital_review:people")).content.decode()


@pytest.mark.requirement("DR-008", "DR-178")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "required"),
        ({"email": "no mail"}, "valid"),
        ({"email": "rita.review@hospital.invalid"}, "account with this mail address already"),
        ({"expires_on": "2020-01-01"}, "last day is over"),
        ({"reason": ""}, "required"),
        ({"role": "0"}, "valid choice"),
        ({"unit": "0"}, "valid choice"),
    ],
)
def test_what_is_wrong_with_a_new_user_is_said_and_nothing_is_made(
    world: World, changes: dict[str, Any], sentence: str
) -> None:
    before = User.all_objects.count()
    form = typed(world, **changes)
    answer = managing(world).post(reverse("digital_review:people_new"), form)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert (User.all_objects.count(), OutboxMail.objects.count()) == (before, 0)


@pytest.mark.requirement("DR-022")
def test_a_role_of_hospitals_is_not_held_at_a_review(world: World) -> None:
    form = typed(world, unit=world.review.pk)
    answer = managing(world).post(reverse("digital_review:people_new"), form)
    assert answer.status_code == 422
    assert "This role is held at a hospital." in answer.content.decode()


@pytest.mark.requirement("DR-012", "DR-020")
def test_nobody_adds_people_where_they_manage_none(world: World) -> None:
    values: dict[str, Any] = {
        "name": "Anne", "title": "", "email": "anne@hospital.example", "expires_on": IN_A_YEAR,
        "role": Role.objects.get(code="digital_review.datamanager"), "reason": "r",
    }  # fmt: skip
    # of the review alone: the hospitals are not theirs
    for actor in (world.people["manager"], world.people["bureau"], world.people["chairman"]):
        with pytest.raises(PermissionDenied):
            add_person(actor=actor, unit=world.south, **values)
    elsewhere = Role.objects.get(code="tracershop.shop_external")
    with pytest.raises(Refused) as caught:
        add_person(
            actor=world.people["network_manager"], unit=world.north, **values | {"role": elsewhere}
        )
    assert caught.value.code == "other_role"
    assert not User.all_objects.filter(username="anne@hospital.example").exists()


@pytest.mark.requirement("DR-176")
@pytest.mark.parametrize("role", ["datamanager", "secretary", "review_pathologist"])
def test_a_user_name_is_personal_and_says_nothing_of_the_role(world: World, role: str) -> None:
    unit = world.north if role == "datamanager" else world.review
    made = add_person(
        actor=world.people["network_manager"], name="Anne Visser", title="", unit=unit,
        email="anne.visser@hospital.example", expires_on=IN_A_YEAR, reason="r",
        role=Role.objects.get(code=f"digital_review.{role}"),
    )  # fmt: skip
    assert made.username == "anne.visser@hospital.example"  # whatever the role
    page = managing(world).get(reverse("digital_review:people_new")).content.decode()
    assert 'name="username"' not in page


# --- scenario 1b: forgotten password; DR-005: changing it -----------------------------------------


@pytest.mark.requirement("DR-003", "DR-005", "DR-081")
@pytest.mark.django_db(transaction=True)
def test_scenario_1b_who_forgot_the_password_gets_a_link_that_works_once(
    world: World, mail_server: MailServer
) -> None:
    user = enrolled("Dora Data", "datamanager", world.north)
    login = Client().get(reverse("accounts:login")).content.decode()
    assert reverse("accounts:request_link") in login
    Client().post(reverse("accounts:request_link"), {"email": user.email})
    send_due_mail()
    [mail] = mail_server.messages
    link = link_in(mail.get_payload(decode=True).decode())
    choose_password(link, "another horse battery staple")
    assert is_logged_in(log_in(user, "another horse battery staple"))
    again = Client().get(link, follow=True)
    assert "does not work" in again.content.decode()
    old = Client().post(reverse("accounts:login"), {"username": user.email, "password": PASSWORD})
    assert old.status_code == 422


@pytest.mark.requirement("DR-005")
def test_everybody_finds_where_the_second_signing_secret_is_changed(world: World) -> None:
    client = Client()
    sign_in(client, world.people["pathologist"])
    page = client.get(reverse("signing:own"))
    assert page.status_code == 200
    assert "PIN" in page.content.decode()


# --- UC14, UC15: delete a user --------------------------------------------------------------------


@pytest.mark.requirement("DR-009", "DR-080")
def test_uc14_a_user_is_deactivated_after_confirmation_and_never_deleted(world: World) -> None:
    client = managing(world)
    client.post(reverse("digital_review:people_new"), typed(world))
    made = User.objects.get(username="anne.visser@hospital.example")
    made.set_password(PASSWORD)
    made.save()
    own = log_in(made)
    address = reverse("digital_review:people_deactivate", args=[made.pk])
    question = client.get(address).content.decode()
    assert "Deactivate Anne Visser" in question
    assert "stays" in question
    assert client.post(address, {"reason": ""}).status_code == 422  # it needs a reason
    answer = client.post(address, {"reason": "left the hospital"}, follow=True)
    assert answer.status_code == 200
    made.refresh_from_db()
    assert made.suspended_at is not None
    assert not is_logged_in(own)  # at once
    forget_held(made)
    assert RoleGrant.objects.filter(user=made).exists()  # nothing is gone
    trail = AuditEntry.objects.filter(action="accounts.external_suspended")
    assert trail.get().reason == "left the hospital"
    again = Client()
    again.post(reverse("accounts:login"), {"username": made.username, "password": PASSWORD})
    assert not again.session.keys()  # not even half logged in
    assert "Anne Visser" in client.get(reverse("digital_review:people")).content.decode()


@pytest.mark.requirement("DR-009", "DR-080")
def test_uc15_who_goes_back_keeps_the_user(world: World) -> None:
    client = managing(world)
    client.post(reverse("digital_review:people_new"), typed(world))
    made = User.objects.get(username="anne.visser@hospital.example")
    question = client.get(reverse("digital_review:people_deactivate", args=[made.pk]))
    assert f'href="{reverse("digital_review:people")}"' in question.content.decode()
    assert client.get(reverse("digital_review:people")).status_code == 200  # the way back
    made.refresh_from_db()
    assert made.is_active
    assert not AuditEntry.objects.filter(action="accounts.external_suspended").exists()


@pytest.mark.requirement("DR-009", "DR-110")
def test_signatures_of_a_deactivated_user_are_verified_as_before(server_keys: Any) -> None:
    world = acting_world()
    give(world.people["manager"], "digital_review.review_manager", world.north)
    doctor = world.people["doctor"]
    case = begin(world)
    form = complete(form_of(case, "precrf"), world.people["datamanager"], hb="5.1")
    signed(form, doctor)
    deactivate_person(actor=world.people["manager"], user_id=doctor.pk, reason="retired")
    forget_held(doctor)
    assert not RoleGrant.objects.filter(user=doctor).exists()  # staff: their roles here end
    assert not can(User.objects.get(pk=doctor.pk), "digital_review.sign_hospital_forms", form)
    assert verify(Signature.objects.get(signer=doctor)).state is State.VALID


@pytest.mark.requirement("DR-009", "DR-012")
def test_nobody_deactivates_themselves_or_who_is_not_of_their_reviews(world: World) -> None:
    manager = world.people["network_manager"]
    stranger = make_external("Sten Stranger")
    for user, code in ((manager, "own_account"), (stranger, "gone")):
        with pytest.raises(Refused) as caught:
            deactivate_person(actor=manager, user_id=user.pk, reason="r")
        assert caught.value.code == code
    with pytest.raises(PermissionDenied):
        deactivate_person(
            actor=world.people["bureau"], user_id=world.people["secretary"].pk, reason="r"
        )
    assert managing(world).get(
        reverse("digital_review:people_deactivate", args=[stranger.pk])
    ).status_code == 404  # fmt: skip


def test_the_list_of_people_takes_as_many_queries_for_many_as_for_few(world: World) -> None:
    client = managing(world)
    address = reverse("digital_review:people")
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for number in range(15):
        give(make_user(f"Person {number}"), "digital_review.clinician", world.north)
    with CaptureQueriesContext(connection) as many:
        page = client.get(address).content.decode()
    assert "Person 14" in page
    assert len(many) == len(few)


@pytest.mark.requirement("DR-008")
def test_where_accounts_are_made_by_request_the_manager_is_led_there(
    world: World, settings: Any
) -> None:
    settings.PORTAL_ACCOUNTS_BY_REQUEST = True
    answer = managing(world).get(reverse("digital_review:people_new"))
    assert answer["Location"] == reverse("accounts:request_new")
