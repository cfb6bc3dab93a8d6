"""People and their log-ins in the hands of administrators; local administrators (PT-004)."""

from __future__ import annotations

from datetime import date, timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.decision import can, visible
from portal.access.models import RoleGrant
from portal.accounts.models import LoginSession, User
from portal.accounts.services import external, people
from portal.accounts.services.sessions import end_anothers_sessions
from portal.audit.models import AccessEntry, AuditEntry
from portal.notifications.models import Notification, OutboxMail
from portal.organisation.models import Membership, Unit
from portal.records.errors import Refused
from tests.support.accounts import PASSWORD, code_of, is_logged_in, make_external, sign_in
from tests.support.factories import give, make_unit, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-004")]

NEXT_YEAR = timezone.localdate() + timedelta(days=365)


@pytest.fixture
def hospital() -> Unit:
    return make_unit("hospital")


@pytest.fixture
def keeper(hospital: Unit) -> User:
    """Manages people and their log-ins."""
    user = make_user("Kaj Keeper")
    give(user, "accounts.people_administrator", hospital)
    return user


@pytest.fixture
def ida() -> User:
    return make_user("Ida Inside")


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def session_of(client: Client) -> LoginSession:
    return LoginSession.objects.get(session_key=client.session.session_key)


# --- suspending and reactivating ----------------------------------------------------------------


def test_a_suspended_member_of_staff_is_out_at_once_until_reactivated(
    client: Client, keeper: User, ida: User
) -> None:
    sign_in(client, ida)
    people.suspend_person(actor=keeper, user_id=ida.pk, reason="phone stolen")
    assert not is_logged_in(client)
    assert not fresh(ida).is_active
    entry = AuditEntry.objects.get(action="accounts.staff_suspended")
    assert (entry.actor_id, entry.reason) == (keeper.pk, "phone stolen")
    with pytest.raises(Refused) as refusal:
        people.suspend_person(actor=keeper, user_id=ida.pk, reason="again")
    assert refusal.value.code == "suspended"

    people.reactivate_person(actor=keeper, user_id=ida.pk, reason="new phone")
    sign_in(client, fresh(ida))
    assert is_logged_in(client)
    with pytest.raises(Refused) as refusal:
        people.reactivate_person(actor=keeper, user_id=ida.pk, reason="again")
    assert refusal.value.code == "not_suspended"


ACTS: list[tuple[Any, str]] = [
    (people.suspend_person, "user_id"),
    (people.reactivate_person, "user_id"),
    (end_anothers_sessions, "user_id"),
]


@pytest.mark.parametrize(("act", "key"), ACTS)
def test_nobody_does_this_without_the_privilege_a_reason_or_to_themselves(
    keeper: User, ida: User, hospital: Unit, act: Any, key: str
) -> None:
    portal_administrator = make_user("Bo Boss")
    give(portal_administrator, "access.portal_administrator", hospital)
    for stranger in (make_user("Ib Bo"), portal_administrator, make_external("Ole Ude")):
        with pytest.raises(PermissionDenied):
            act(actor=stranger, reason="x", **{key: ida.pk})
    with pytest.raises(Refused) as refusal:
        act(actor=keeper, reason=" ", **{key: ida.pk})
    assert refusal.value.code == "reason"
    with pytest.raises(Refused) as refusal:
        act(actor=keeper, reason="x", **{key: keeper.pk})
    assert refusal.value.code == "own_account"
    with pytest.raises(Refused) as refusal:
        act(actor=keeper, reason="x", **{key: 999_999})
    assert refusal.value.code == "gone"


@pytest.mark.parametrize("act", [people.suspend_person, people.reactivate_person])
def test_an_external_account_is_its_units_and_not_found_here(keeper: User, act: Any) -> None:
    ole = make_external("Ole Ude")
    with pytest.raises(Refused) as refusal:
        act(actor=keeper, user_id=ole.pk, reason="x")
    assert refusal.value.code == "gone"


def test_a_closed_account_is_not_opened_by_reactivating_it(keeper: User) -> None:
    closed = make_user("Gone", is_active=False)
    for act in (people.suspend_person, people.reactivate_person):
        with pytest.raises(Refused):
            act(actor=keeper, user_id=closed.pk, reason="x")
    assert not fresh(closed).is_active


def test_who_may_see_log_ins_alone_suspends_nobody(hospital: Unit, ida: User) -> None:
    from portal.access.models import Role

    Role.objects.create(
        code="test.sessions", name="S", module="x", privileges=["accounts.manage_sessions"]
    )
    watcher = make_user("Wim Watcher")
    give(watcher, "test.sessions", hospital)
    with pytest.raises(PermissionDenied):
        people.suspend_person(actor=watcher, user_id=ida.pk, reason="x")


def test_can_and_visible_agree_on_people(keeper: User, ida: User) -> None:
    everybody = [keeper, ida, make_external("Ole Ude")]
    for privilege in ("accounts.manage_people", "accounts.manage_sessions"):
        seen = set(visible(keeper, User.objects.all(), privilege))
        assert seen == set(everybody)
        assert all(can(keeper, privilege, person) for person in everybody)
        assert not visible(ida, User.objects.all(), privilege).exists()
        assert not can(ida, privilege, keeper)


# --- log-ins ------------------------------------------------------------------------------------


def test_one_log_in_of_another_is_ended_with_a_reason(
    client: Client, keeper: User, ida: User
) -> None:
    phone = Client()
    sign_in(client, ida)
    sign_in(phone, ida)
    session = session_of(phone)
    ended = end_anothers_sessions(
        actor=keeper, user_id=ida.pk, session_id=session.pk, reason="left on the ward"
    )
    assert ended == 1
    assert [is_logged_in(each) for each in (client, phone)] == [True, False]
    entry = AuditEntry.objects.get(action="accounts.sessions_ended")
    assert (entry.actor_id, entry.reason, entry.data) == (
        keeper.pk,
        "left on the ward",
        {"sessions": 1, "session": session.pk},
    )
    access = AccessEntry.objects.get(action="logout")
    assert (access.actor_id, access.object_id, access.data["why"]) == (
        keeper.pk,
        str(ida.pk),
        "administrator",
    )
    assert "by an administrator" in phone.get(reverse("accounts:login")).content.decode()


def test_all_log_ins_of_another_are_ended_of_staff_and_external_people(
    client: Client, keeper: User, ida: User
) -> None:
    ole = make_external("Ole Ude")
    for person in (ida, ole):
        browsers = [Client(), Client()]
        for browser in browsers:
            sign_in(browser, person)
        assert end_anothers_sessions(actor=keeper, user_id=person.pk, reason="x") == 2
        assert not any(is_logged_in(browser) for browser in browsers)
    with pytest.raises(Refused) as refusal:
        end_anothers_sessions(actor=keeper, user_id=ida.pk, reason="x")
    assert refusal.value.code == "gone"


def test_a_log_in_is_ended_under_its_own_person_alone(
    client: Client, keeper: User, ida: User
) -> None:
    sign_in(client, make_user("Ib Bo"))
    with pytest.raises(Refused) as refusal:
        end_anothers_sessions(
            actor=keeper, user_id=ida.pk, session_id=session_of(client).pk, reason="x"
        )
    assert refusal.value.code == "gone"
    assert is_logged_in(client)


# --- pages --------------------------------------------------------------------------------------


def test_people_are_found_and_logged_out_and_let_in_again_by_the_pages(
    client: Client, keeper: User, ida: User
) -> None:
    browser = Client()
    sign_in(browser, ida)
    LoginSession.objects.update(device="A phone")
    sign_in(client, keeper)
    found = client.get(reverse("accounts:people"), {"search": "insi"}).content.decode()
    assert "Ida Inside" in found
    assert "Kaj Keeper" not in found.split("<tbody>")[1]
    person = reverse("accounts:person", args=[ida.pk])
    page = client.get(person).content.decode()
    assert "A phone" in page
    assert AccessEntry.objects.get(action="open").object_id == str(ida.pk)
    session = session_of(browser)
    end = reverse("accounts:person_end_session", args=[ida.pk, session.pk])
    assert end in page
    assert "<dialog" in client.get(end, headers={"HX-Request": "true"}).content.decode()
    assert client.post(end, {"reason": ""}).status_code == 422
    assert client.post(end, {"reason": "left open"})["Location"] == person
    assert "Logged in nowhere now" in client.get(person).content.decode()

    sign_in(browser, ida)
    end_all = reverse("accounts:person_end_all", args=[ida.pk])
    assert client.post(end_all, {"reason": "left open"}).status_code == 302
    assert not is_logged_in(browser)
    suspend = reverse("accounts:person_suspend", args=[ida.pk])
    assert client.post(suspend, {"reason": "stolen"}).status_code == 302
    page = client.get(person).content.decode()
    assert "Suspended" in page
    assert "stolen" in page
    found = client.get(reverse("accounts:people"), {"state": "suspended"}).content.decode()
    assert "Ida Inside" in found
    reactivate = reverse("accounts:person_reactivate", args=[ida.pk])
    assert client.post(reactivate, {"reason": "found"}).status_code == 302
    assert fresh(ida).is_active


def test_nobodys_person_page_offers_acts_on_oneself(client: Client, keeper: User) -> None:
    sign_in(client, keeper)
    page = client.get(reverse("accounts:person", args=[keeper.pk])).content.decode()
    assert reverse("accounts:person_suspend", args=[keeper.pk]) not in page
    assert reverse("accounts:person_end_all", args=[keeper.pk]) not in page


@pytest.mark.parametrize(
    ("name", "of_session"),
    [
        ("people", None),
        ("person", False),
        ("person_suspend", False),
        ("person_reactivate", False),
        ("person_end_all", False),
        ("person_end_session", True),
    ],
)
def test_the_pages_are_closed_to_everybody_else(
    client: Client, ida: User, hospital: Unit, name: str, of_session: bool | None
) -> None:
    browser = Client()
    sign_in(browser, ida)
    args = {None: [], False: [ida.pk], True: [ida.pk, session_of(browser).pk]}[of_session]
    boss = make_user("Bo Boss")
    give(boss, "access.portal_administrator", hospital)
    for stranger in (make_user("Ib Bo"), boss):
        sign_in(client, stranger)
        url = reverse(f"accounts:{name}", args=args)
        assert client.get(url).status_code == 403
        assert client.post(url, {"reason": "x"}).status_code in (403, 405)
    assert is_logged_in(browser)
    assert fresh(ida).is_active


def test_the_list_takes_the_same_number_of_queries_at_any_length(
    client: Client, keeper: User
) -> None:
    sign_in(client, keeper)
    counts = []
    for number in range(40):
        make_user(f"Person {number}")
        if number in (4, 39):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(reverse("accounts:people")).status_code == 200
            counts.append(len(queries))
    assert counts[0] == counts[1]


# --- local administrators -----------------------------------------------------------------------


def make_local_administrator(**options: Any) -> str:
    told = StringIO()
    values = {"expires_on": NEXT_YEAR, "reason": "login service down", **options}
    call_command(
        "create_local_administrator",
        values.pop("email", "Emma@hospital.example"),
        "Emma Ergency",
        stdout=told,
        **values,
    )
    return told.getvalue().strip()


@pytest.mark.requirement("PT-001", "PT-002")
def test_a_local_administrator_made_at_the_command_line_gets_in_without_login_service_and_mail(
    client: Client, hospital: Unit, keeper: User
) -> None:
    link = make_local_administrator()
    emma = User.objects.get(username="emma@hospital.example")
    assert (emma.kind, emma.emergency, emma.expires_on) == ("external", True, NEXT_YEAR)
    assert not OutboxMail.objects.exists()
    entry = AuditEntry.objects.get(action="accounts.local_administrator_created")
    assert (entry.service, entry.reason) == ("command line", "login service down")
    for privilege in ("access.administer", "accounts.manage_people", "accounts.manage_sessions"):
        assert can(emma, privilege)

    page = client.get(urlsplit(link).path, follow=True)
    client.post(page.request["PATH_INFO"], {"new_password1": PASSWORD, "new_password2": PASSWORD})
    login = {"username": emma.username, "password": PASSWORD}
    assert client.post(reverse("accounts:login"), login)["Location"] == reverse("accounts:enrol")
    client.get(reverse("accounts:enrol"))
    assert not is_logged_in(client)  # never by the password alone
    device = TOTPDevice.objects.get(user=emma)
    client.post(reverse("accounts:enrol"), {"code": code_of(device)})
    assert is_logged_in(client)
    assert client.get(reverse("accounts:people")).status_code == 200
    alarm = Notification.objects.get(user=keeper)
    assert (alarm.level, alarm.text) == ("alarm", "The local administrator Emma Ergency logged in.")
    assert not Notification.objects.filter(user=emma).exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"email": "no mail"}, "no mail address"),
        ({"email": "ida.inside@hospital.invalid"}, "already"),
        ({"expires_on": date(2020, 1, 1)}, "over"),
        ({"reason": " "}, "why"),
        ({"unit": "nowhere"}, "0 fit"),
    ],
)
def test_a_local_administrator_that_makes_no_sense_is_refused(
    hospital: Unit, ida: User, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        make_local_administrator(**options)
    assert not User.objects.filter(emergency=True).exists()
    assert not RoleGrant.objects.exists()


def test_where_there_are_several_roots_the_unit_is_named(hospital: Unit) -> None:
    make_unit("another-hospital")
    with pytest.raises(CommandError, match="2 fit"):
        make_local_administrator()
    make_local_administrator(unit="another-hospital")
    assert {grant.unit.code for grant in RoleGrant.objects.all()} == {"another-hospital"}


def test_a_local_administrator_is_reached_by_who_manages_people_and_by_no_unit(
    client: Client, hospital: Unit, keeper: User
) -> None:
    make_local_administrator()
    emma = User.objects.get(emergency=True)
    unit_manager = make_user("Mia Manager")
    give(unit_manager, "accounts.account_administrator", hospital)
    with pytest.raises(Refused) as refusal:
        external.suspend_account(actor=unit_manager, user_id=emma.pk, reason="x")
    assert refusal.value.code == "gone"
    assert not Membership.objects.filter(user=emma).exists()
    sign_in(client, emma)
    people.suspend_person(actor=keeper, user_id=emma.pk, reason="over")
    assert not is_logged_in(client)
    User.objects.filter(pk=emma.pk).update(expires_on=date(2020, 1, 1))
    with pytest.raises(Refused) as refusal:
        people.reactivate_person(actor=keeper, user_id=emma.pk, reason="x")
    assert refusal.value.code == "past"


def test_no_member_of_staff_is_a_local_administrator() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_user("Ida", emergency=True)
