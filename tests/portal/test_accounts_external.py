"""External people: an account made by an administrator, a password by mail, a code by an app."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from axes.models import AccessAttempt
from django.conf import settings as django_settings
from django.contrib.auth import SESSION_KEY
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.decision import can, forget_held, visible
from portal.access.models import Role
from portal.accounts.models import LoginSession, User
from portal.accounts.services import external
from portal.accounts.services.second_factor import begin_enrolment, confirm_enrolment
from portal.accounts.tasks import suspend_inactive
from portal.audit.models import AccessEntry, AuditEntry
from portal.notifications.models import OutboxMail
from portal.organisation.models import Membership, Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from tests.support.accounts import (
    PASSWORD,
    code_of,
    is_logged_in,
    make_external,
    sign_in,
    wrong_code,
)
from tests.support.factories import give, make_unit, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-002")]

IN_A_YEAR = timezone.localdate() + timedelta(days=365)
YESTERDAY = timezone.localdate() - timedelta(days=1)


@pytest.fixture
def hospital() -> Unit:
    return make_unit("hospital")


@pytest.fixture
def clinic(hospital: Unit) -> Unit:
    return make_unit("clinic", hospital)


@pytest.fixture
def manager(hospital: Unit, clinic: Unit) -> User:
    """Manages external accounts at the clinic, not at the hospital."""
    Role.objects.create(
        code="test.manager", name="Manager", module="x", privileges=["accounts.manage_external"]
    )
    user = make_user("Mia Manager")
    give(user, "test.manager", clinic)
    return user


def make(manager: User, unit: Unit, **changes: Any) -> User:
    values: dict[str, Any] = {
        "email": "Ole@Company.example",
        "name": "Ole Ude",
        "expires_on": IN_A_YEAR,
        "unit": unit,
        "reason": "orders for the company",
    }
    return external.create_external_account(actor=manager, **values | changes)


def mailed_link() -> str:
    """The path of the link in the newest mail."""
    mail = OutboxMail.objects.latest("pk")
    [link] = re.findall(r"https?://\S+", mail.text)
    return urlsplit(link).path


def choose_password(client: Client, link: str, password: str = PASSWORD) -> Any:
    page = client.get(link, follow=True)
    return client.post(
        page.request["PATH_INFO"], {"new_password1": password, "new_password2": password}
    )


def give_password(client: Client, user: User, password: str = PASSWORD) -> Any:
    return client.post(
        reverse("accounts:login"), {"username": user.username.upper(), "password": password}
    )


def enrolled(name: str = "Ole Ude", **values: Any) -> tuple[User, TOTPDevice]:
    user = make_external(name, **values)
    return user, TOTPDevice.objects.create(user=user, confirmed=True, name="app")


# --- the whole life -----------------------------------------------------------------------------


def test_an_external_account_lives_from_invitation_to_expiry(
    client: Client, manager: User, clinic: Unit
) -> None:
    sign_in(client, manager)
    form = {
        "name": "Ole Ude",
        "email": "ole@company.example",
        "unit": clinic.pk,
        "expires_on": IN_A_YEAR.isoformat(),
        "reason": "orders for the company",
    }
    assert client.post(reverse("accounts:external_new"), form).status_code == 302
    ole = User.objects.get(username="ole@company.example")
    assert (ole.kind, ole.managed_by, ole.has_usable_password()) == ("external", manager, False)
    assert "Invited" in client.get(reverse("accounts:external")).content.decode()

    own = Client()
    assert choose_password(own, mailed_link())["Location"] == reverse("accounts:login")
    assert own.get(mailed_link()).content.decode().count("does not work") == 1  # it worked once

    answer = give_password(own, ole)
    assert answer["Location"] == reverse("accounts:enrol")
    assert not is_logged_in(own)
    page = own.get(reverse("accounts:enrol")).content.decode()
    assert "<svg" in page
    assert "style=" not in page  # the content security policy would refuse it
    device = TOTPDevice.objects.get(user=ole, confirmed=False)
    assert own.post(reverse("accounts:enrol"), {"code": code_of(device)})["Location"] == "/"
    assert is_logged_in(own)

    own.post(reverse("accounts:sign_out"))
    assert not is_logged_in(own)
    assert give_password(own, ole)["Location"] == reverse("accounts:code")
    assert not is_logged_in(own)
    device.refresh_from_db()
    assert own.post(reverse("accounts:code"), {"code": code_of(device, steps=1)}).status_code == 302
    assert is_logged_in(own)

    User.objects.filter(pk=ole.pk).update(expires_on=YESTERDAY)
    assert not is_logged_in(own)
    assert "has expired" in give_password(Client(), ole).content.decode()
    written = AuditEntry.objects.filter(object_id=str(ole.pk), action__startswith="accounts.")
    assert list(written.order_by("pk").values_list("action", flat=True)) == [
        "accounts.external_created",
        "accounts.password_set",
        "accounts.second_factor_enrolled",
    ]


# --- making -------------------------------------------------------------------------------------


def test_an_account_is_made_where_its_maker_manages_and_nowhere_else(
    manager: User, hospital: Unit, clinic: Unit
) -> None:
    made = make(manager, clinic)
    assert made.email == "ole@company.example"
    assert can(manager, "accounts.manage_external", made)
    assert AuditEntry.objects.get(action="accounts.external_created").reason == (
        "orders for the company"
    )
    with pytest.raises(PermissionDenied):
        make(manager, hospital, email="other@company.example")
    assert not User.all_objects.filter(username="other@company.example").exists()


def test_nobody_without_the_privilege_makes_an_account(hospital: Unit) -> None:
    with pytest.raises(PermissionDenied):
        make(make_user("Ib"), hospital)


def test_an_invitation_names_nobody(manager: User, clinic: Unit) -> None:
    make(manager, clinic)
    mail = OutboxMail.objects.get()
    assert mail.to == "ole@company.example"
    for personal in ("Ole", "Ude", "Mia", "Clinic"):
        assert personal not in mail.subject + mail.text
    assert mail.text.count("http") == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reason": " "}, "reason"),
        ({"email": "no mail"}, "mail"),
        ({"expires_on": YESTERDAY}, "past"),
        ({"email": "TAKEN@company.example"}, "taken"),
        ({"email": "staff@hospital.invalid"}, "taken"),
    ],
)
def test_an_account_that_makes_no_sense_is_refused(
    manager: User, clinic: Unit, changes: dict[str, Any], code: str
) -> None:
    make_external("Somebody", username="taken@company.example")
    make_user("Staff", username="RDAH1", email="staff@hospital.invalid")
    with pytest.raises(Refused) as refusal:
        make(manager, clinic, **changes)
    assert refusal.value.code == code


# --- managing -----------------------------------------------------------------------------------


@pytest.fixture
def ole(manager: User, clinic: Unit) -> User:
    user, _device = enrolled(expires_on=IN_A_YEAR)
    Membership.objects.create(user=user, unit=clinic)
    return user


def test_suspending_logs_out_at_once_and_keeps_out_until_reactivated(
    client: Client, manager: User, ole: User
) -> None:
    sign_in(client, ole)
    assert is_logged_in(client)
    external.suspend_account(actor=manager, user_id=ole.pk, reason="left the company")
    assert not is_logged_in(client)
    assert "your account is closed" in client.get(reverse("accounts:login")).content.decode()
    assert "suspended" in give_password(Client(), ole).content.decode()
    entry = AuditEntry.objects.get(action="accounts.external_suspended")
    assert (entry.actor_id, entry.reason) == (manager.pk, "left the company")

    external.reactivate_account(actor=manager, user_id=ole.pk, reason="came back")
    assert give_password(Client(), ole).status_code == 302


def test_a_suspended_person_may_nothing_at_once(manager: User, ole: User, clinic: Unit) -> None:
    give(ole, "audit.auditor", clinic)
    assert can(ole, "audit.browse_logs")
    external.suspend_account(actor=manager, user_id=ole.pk, reason="x")
    assert not can(User.objects.get(pk=ole.pk), "audit.browse_logs")


def test_extending_sets_the_last_day_and_an_expired_account_is_extended_first(
    manager: User, ole: User
) -> None:
    User.objects.filter(pk=ole.pk).update(expires_on=YESTERDAY)
    suspend_inactive()
    with pytest.raises(Refused) as refusal:
        external.reactivate_account(actor=manager, user_id=ole.pk, reason="x")
    assert refusal.value.code == "past"
    external.extend_account(actor=manager, user_id=ole.pk, expires_on=IN_A_YEAR, reason="goes on")
    external.reactivate_account(actor=manager, user_id=ole.pk, reason="goes on")
    assert AuditEntry.objects.get(action="accounts.external_extended").data == {
        "expires_on": [YESTERDAY.isoformat(), IN_A_YEAR.isoformat()]
    }
    with pytest.raises(Refused):
        external.extend_account(actor=manager, user_id=ole.pk, expires_on=YESTERDAY, reason="x")


def test_a_reset_begins_anew_by_mail_and_the_old_password_is_worth_nothing(
    client: Client, manager: User, ole: User
) -> None:
    sign_in(client, ole)
    external.reset_second_factor(actor=manager, user_id=ole.pk, reason="lost phone")
    assert not is_logged_in(client)
    assert not TOTPDevice.objects.filter(user=ole).exists()
    assert give_password(Client(), ole).status_code == 422
    own = Client()
    choose_password(own, mailed_link(), "another long password 7")
    assert give_password(own, ole, "another long password 7")["Location"] == reverse(
        "accounts:enrol"
    )


def test_only_a_suspended_account_is_reactivated(manager: User, ole: User) -> None:
    with pytest.raises(Refused) as refusal:
        external.reactivate_account(actor=manager, user_id=ole.pk, reason="x")
    assert refusal.value.code == "not_suspended"


def test_nobody_sets_a_password_for_a_closed_account_or_for_staff() -> None:
    closed = make_external("Closed", is_active=False)
    for user, code in ((closed, "closed"), (make_user("Staff"), "gone")):
        with pytest.raises(Refused) as refusal:
            external.set_password(actor=user, password=PASSWORD)
        assert refusal.value.code == code


ACTS: list[tuple[Any, dict[str, Any]]] = [
    (external.suspend_account, {}),
    (external.reactivate_account, {}),
    (external.extend_account, {"expires_on": IN_A_YEAR}),
    (external.reset_second_factor, {}),
]


@pytest.mark.parametrize(("act", "values"), ACTS)
def test_nobody_manages_accounts_of_other_units_of_staff_or_their_own(
    manager: User, hospital: Unit, clinic: Unit, act: Any, values: dict[str, Any]
) -> None:
    elsewhere = make_external("Eva Else")
    Membership.objects.create(user=elsewhere, unit=hospital)
    nowhere = make_external("Nis Nowhere")
    staff = make_user("Ida Inside")
    Membership.objects.create(user=staff, unit=clinic)
    for target in (elsewhere, nowhere, staff):
        with pytest.raises(Refused) as refusal:
            act(actor=manager, user_id=target.pk, reason="x", **values)
        assert refusal.value.code == "gone"
    external_manager = make_external("Max Manager")
    Membership.objects.create(user=external_manager, unit=clinic)
    give(external_manager, "test.manager", clinic)
    with pytest.raises(Refused) as refusal:
        act(actor=external_manager, user_id=external_manager.pk, reason="x", **values)
    assert refusal.value.code == "own_account"


@pytest.mark.parametrize(("act", "values"), ACTS)
def test_every_act_demands_a_reason(
    manager: User, ole: User, act: Any, values: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refusal:
        act(actor=manager, user_id=ole.pk, reason=" ", **values)
    assert refusal.value.code == "reason"


def test_a_service_acts_on_external_accounts_alone() -> None:
    staff = make_user("Ida Inside")
    with pytest.raises(Refused):
        external.suspend_account(actor=ServiceActor("keeper"), user_id=staff.pk, reason="x")


def test_can_and_visible_agree_on_accounts(manager: User, hospital: Unit, clinic: Unit) -> None:
    below = make_unit("room", clinic)
    for number, unit in enumerate([hospital, clinic, below, below]):
        person = make_external(f"Person {number}")
        Membership.objects.create(user=person, unit=unit)
    Membership.objects.create(user=make_user("Staff"), unit=below)
    forget_held(manager)
    seen = set(visible(manager, User.objects.all()))
    assert {user.name for user in seen} == {"Person 1", "Person 2", "Person 3"}
    for user in User.objects.all():
        assert can(manager, "accounts.manage_external", user) is (user in seen)


def test_the_pages_of_other_units_accounts_are_not_there(
    client: Client, manager: User, hospital: Unit, ole: User
) -> None:
    other = make_external("Eva Else")
    Membership.objects.create(user=other, unit=hospital)
    sign_in(client, manager)
    page = client.get(reverse("accounts:external")).content.decode()
    assert "Ole Ude" in page
    assert "Eva Else" not in page
    for name in ("account", "suspend", "reactivate", "extend", "reset"):
        url = reverse(f"accounts:external_{name}", args=[other.pk])
        assert client.get(url).status_code == 404
        assert client.post(url, {"reason": "x"}).status_code in (404, 405)
    assert Client().get(reverse("accounts:external")).status_code == 302


def test_acts_are_asked_for_in_a_dialog_and_done_with_their_reason(
    client: Client, manager: User, ole: User
) -> None:
    sign_in(client, manager)
    url = reverse("accounts:external_suspend", args=[ole.pk])
    dialog = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<dialog" in dialog
    assert "<html" not in dialog
    assert client.get(url).content.decode().count("<html") == 1
    assert client.post(url, {"reason": ""}).status_code == 422
    page = reverse("accounts:external_account", args=[ole.pk])
    assert client.post(url, {"reason": "left the company"})["Location"] == page
    shown = client.get(page).content.decode()
    assert "left the company" in shown
    assert "Mia Manager" in shown
    assert AccessEntry.objects.get(action="open").object_id == str(ole.pk)
    ole.refresh_from_db()
    assert ole.suspended_at is not None
    assert "already" in client.post(url, {"reason": "again"}).content.decode()


def test_the_list_filters_by_name_and_state(client: Client, manager: User, ole: User) -> None:
    sign_in(client, manager)

    def names(**query: str) -> bool:
        return "Ole Ude" in client.get(reverse("accounts:external"), query).content.decode()

    assert names()
    assert names(search="ude", state="active")
    assert not names(search="nobody")
    assert not names(state="suspended")


def test_staff_without_the_privilege_see_no_list(client: Client) -> None:
    sign_in(client, make_user("Ib"))
    account = make_external("Ole Ude")
    for name, args in (("external", []), ("external_new", []), ("external_account", [account.pk])):
        assert client.get(reverse(f"accounts:{name}", args=args)).status_code == 403


def test_the_list_takes_the_same_number_of_queries_at_any_length(
    client: Client, manager: User, clinic: Unit
) -> None:
    sign_in(client, manager)
    counts = []
    for number in range(40):
        person = make_external(f"Person {number}")
        Membership.objects.create(user=person, unit=clinic)
        if number in (4, 39):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(reverse("accounts:external")).status_code == 200
            counts.append(len(queries))
    assert counts[0] == counts[1]


# --- passwords ----------------------------------------------------------------------------------


def test_asking_for_a_link_answers_the_same_whether_the_account_exists(client: Client) -> None:
    user = make_external("Ole Ude")
    make_user("Staff", email="staff@hospital.invalid")
    closed = make_external("Closed", is_active=False)
    pages = set()
    for mail in (user.email, "nobody@x.example", "staff@hospital.invalid", closed.email):
        page = client.post(reverse("accounts:request_link"), {"email": mail}).content.decode()
        # tokens against forgery and the clock differ on every page
        pages.add(re.sub(r'value="[^"]*"|content="[^"]*"|\w{64}', "", page))
    assert len(pages) == 1
    assert [mail.to for mail in OutboxMail.objects.all()] == [user.email]


def test_asking_again_and_again_floods_nobodys_mailbox(client: Client) -> None:
    user = make_external("Ole Ude")
    for _time in range(5):
        client.post(reverse("accounts:request_link"), {"email": user.email})
    assert OutboxMail.objects.count() == 1


def test_a_new_password_by_link_ends_every_session(client: Client) -> None:
    user, device = enrolled()
    other = Client()
    sign_in(other, user)
    client.post(reverse("accounts:request_link"), {"email": user.email})
    assert choose_password(client, mailed_link(), "another long password 7").status_code == 302
    assert not is_logged_in(other)
    assert LoginSession.objects.get(user=user).ended_at is not None
    assert give_password(Client(), user).status_code == 422
    assert TOTPDevice.objects.filter(pk=device.pk, confirmed=True).exists()


@pytest.mark.parametrize(
    "password", ["short1", "12345678901234", "ole.ude@company.example", "qwertyqwerty"]
)
def test_a_weak_password_is_refused_and_the_link_still_works(client: Client, password: str) -> None:
    user = make_external("Ole Ude")
    before = user.password
    client.post(reverse("accounts:request_link"), {"email": user.email})
    link = mailed_link()
    assert choose_password(client, link, password).status_code == 422
    with pytest.raises(Refused):
        external.set_password(actor=user, password=password)
    user.refresh_from_db()
    assert user.password == before
    assert choose_password(client, link).status_code == 302


def test_a_link_of_a_closed_account_or_of_staff_opens_nothing(client: Client) -> None:
    user = make_external("Ole Ude")
    client.post(reverse("accounts:request_link"), {"email": user.email})
    link = mailed_link()
    User.objects.filter(pk=user.pk).update(suspended_at=timezone.now())
    assert "does not work" in client.get(link).content.decode()
    User.objects.filter(pk=user.pk).update(suspended_at=None, kind="staff")
    assert "does not work" in client.get(link).content.decode()
    assert "does not work" in client.get("/accounts/password/xx/1-2/").content.decode()


def test_a_link_ends_after_some_days(client: Client, settings: Any) -> None:
    user = make_external("Ole Ude")
    client.post(reverse("accounts:request_link"), {"email": user.email})
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "does not work" in client.get(mailed_link()).content.decode()


# --- the second factor and the lock -------------------------------------------------------------


@pytest.mark.requirement("PT-005")
def test_half_logged_in_is_not_logged_in(client: Client) -> None:
    user, _device = enrolled()
    give_password(client, user)
    assert SESSION_KEY not in client.session
    assert not is_logged_in(client)
    assert not AccessEntry.objects.filter(action="login").exists()


@pytest.mark.parametrize("page", ["wagtailadmin_login", "wagtailcore_login"])
def test_a_password_alone_opens_no_other_page_either(client: Client, page: str) -> None:
    user, _device = enrolled()
    answer = client.post(reverse(page), {"username": user.username, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, reverse("accounts:login"))
    assert SESSION_KEY not in client.session
    assert not LoginSession.objects.exists()
    assert not is_logged_in(client)


def test_a_session_that_loses_its_second_factor_is_ended(client: Client) -> None:
    user, device = enrolled()
    sign_in(client, user)
    device.delete()
    assert not is_logged_in(client)
    assert "second factor" in client.get(reverse("accounts:login")).content.decode()


def test_a_code_opens_once_and_a_wrong_one_never(client: Client) -> None:
    user, device = enrolled()
    give_password(client, user)
    assert client.post(reverse("accounts:code"), {"code": "letters"}).status_code == 422
    assert not is_logged_in(client)
    device.refresh_from_db()
    device.throttle_reset()
    code = code_of(device)
    assert client.post(reverse("accounts:code"), {"code": code}).status_code == 302
    other = Client()
    give_password(other, user)
    assert other.post(reverse("accounts:code"), {"code": code}).status_code == 422
    assert not is_logged_in(other)


def test_the_step_between_ends_in_time_and_with_the_password(client: Client) -> None:
    user, device = enrolled()
    give_password(client, user)
    assert client.get(reverse("accounts:code")).status_code == 200
    user.set_password("another long password 7")
    user.save()
    assert client.get(reverse("accounts:code"))["Location"] == reverse("accounts:login")

    give_password(client, user, "another long password 7")
    session = client.session
    session["half_login"] = session["half_login"] | {"at": session["half_login"]["at"] - 601}
    session.save()
    answer = client.post(reverse("accounts:code"), {"code": code_of(device)})
    assert answer["Location"] == reverse("accounts:login")
    assert not is_logged_in(client)


def test_nobody_begins_with_the_second_step(client: Client) -> None:
    for name in ("code", "enrol"):
        url = reverse(f"accounts:{name}")
        assert client.get(url)["Location"] == reverse("accounts:login")
        assert client.post(url, {"code": "000000"})["Location"] == reverse("accounts:login")


def test_who_knows_a_password_cannot_enrol_over_an_existing_factor(client: Client) -> None:
    user, _device = enrolled()
    give_password(client, user)
    answer = client.get(reverse("accounts:enrol"))
    assert answer["Location"] == reverse("accounts:code")
    begin_enrolment(user)
    waiting = TOTPDevice.objects.get(user=user, confirmed=False)
    with pytest.raises(Refused) as refusal:
        confirm_enrolment(actor=user, code=code_of(waiting))
    assert refusal.value.code == "enrolled"


def test_a_wrong_first_code_enrols_nothing(client: Client) -> None:
    user = make_external("Ole Ude")
    give_password(client, user)
    client.get(reverse("accounts:enrol"))
    device = TOTPDevice.objects.get(user=user)
    answer = client.post(reverse("accounts:enrol"), {"code": wrong_code(device)})
    assert answer.status_code == 422
    device.refresh_from_db()
    assert not device.confirmed
    assert not is_logged_in(client)


def test_five_wrong_passwords_lock_the_account_even_for_the_right_one(client: Client) -> None:
    user = make_external("Ole Ude")
    answers = [
        Client(REMOTE_ADDR=f"10.0.0.{n}").post(
            reverse("accounts:login"), {"username": user.username, "password": "wrong"}
        )
        for n in range(5)
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 429]
    assert "30 minutes" in answers[-1].content.decode()
    assert give_password(client, user).status_code == 429
    assert AccessEntry.objects.filter(action="refused").count() == 6
    assert AccessEntry.objects.filter(action="refused").first().actor_id is None

    AccessAttempt.objects.update(
        attempt_time=timezone.now() - django_settings.AXES_COOLOFF_TIME - timedelta(seconds=1)
    )
    assert give_password(client, user).status_code == 302


def test_five_wrong_codes_lock_the_account_too(client: Client) -> None:
    user, device = enrolled()
    give_password(client, user)
    for _time in range(5):
        answer = client.post(reverse("accounts:code"), {"code": wrong_code(device)})
    assert answer.status_code == 429
    device.refresh_from_db()
    device.throttle_reset()
    answer = client.post(reverse("accounts:code"), {"code": code_of(device)})
    assert answer.status_code == 429
    assert not is_logged_in(client)


def test_an_account_that_does_not_exist_answers_and_locks_like_one_that_does(
    client: Client,
) -> None:
    for _time in range(4):
        answer = client.post(
            reverse("accounts:login"), {"username": "nobody@x.example", "password": "wrong"}
        )
        assert answer.status_code == 422
        assert "is not right" in answer.content.decode()
    answer = client.post(
        reverse("accounts:login"), {"username": "nobody@x.example", "password": "wrong"}
    )
    assert answer.status_code == 429


def test_staff_have_no_password_here(client: Client) -> None:
    staff = make_user("Ida Inside", username="ida@hospital.invalid")
    staff.set_password(PASSWORD)
    staff.save()
    assert give_password(client, staff).status_code == 422


def test_passwords_reach_neither_log_nor_attempts(client: Client) -> None:
    user = make_external("Ole Ude")
    give_password(client, user, "a secret that is wrong")
    assert "a secret" not in AccessAttempt.objects.get().post_data
    assert "a secret" not in str(AccessEntry.objects.values())


# --- inactive accounts --------------------------------------------------------------------------


@pytest.mark.requirement("PT-004")
def test_accounts_that_expired_are_suspended_and_no_others() -> None:
    used = make_external("Used")
    expired = make_external("Expired", expires_on=date(2020, 1, 1))
    assert suspend_inactive() == 1
    assert set(User.objects.filter(suspended_at__isnull=False)) == {expired}
    assert used.suspended_at is None
    written = AuditEntry.objects.get(action="accounts.external_suspended")
    assert (written.service, written.reason) == ("account keeper", "expired")
    assert suspend_inactive() == 0


@pytest.mark.requirement("PT-004")
def test_a_reactivated_account_is_not_suspended_again_the_next_night(
    manager: User, ole: User, settings: Any
) -> None:
    long_ago = timezone.now() - settings.PORTAL_SUSPEND_AFTER - timedelta(days=1)
    warned_at = timezone.now() - timedelta(days=14)
    User.objects.filter(pk=ole.pk).update(
        last_seen_at=long_ago, changed_at=long_ago, created_at=long_ago, warned_at=warned_at
    )
    assert suspend_inactive() == 1
    external.reactivate_account(actor=manager, user_id=ole.pk, reason="works again")
    assert suspend_inactive() == 0
