"""Sessions end in time, from elsewhere, and with the account; pages speak one's language."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.accounts.middleware import BY_ITSELF
from portal.accounts.models import LoginSession, User
from portal.accounts.tasks import end_sessions
from portal.audit.models import AccessEntry
from tests.support.accounts import PASSWORD, is_logged_in, make_external, sign_in
from tests.support.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-004")]

SESSIONS = "/accounts/sessions/"


@pytest.fixture
def ida(client: Client) -> User:
    return sign_in(client, make_user("Ida Inside"))


def session_of(client: Client) -> LoginSession:
    return LoginSession.objects.get(session_key=client.session.session_key)


def move_back(session: LoginSession, **fields: timedelta) -> None:
    LoginSession.objects.filter(pk=session.pk).update(
        **{name: timezone.now() - ago for name, ago in fields.items()}
    )


def why_logged_out() -> str:
    return AccessEntry.objects.filter(action="logout").first().data["why"]


# --- time ---------------------------------------------------------------------------------------


def test_a_session_that_was_left_alone_ends_and_says_so(
    client: Client, ida: User, settings: Any
) -> None:
    session = session_of(client)
    move_back(session, last_seen_at=settings.PORTAL_SESSION_IDLE + timedelta(seconds=1))
    answer = client.get(SESSIONS)
    assert answer["Location"] == f"{reverse('accounts:login')}?next={SESSIONS}"
    assert "not used for a while" in client.get(answer["Location"]).content.decode()
    assert why_logged_out() == "idle"
    session.refresh_from_db()
    assert session.ended_at is not None
    assert not Session.objects.filter(session_key=session.session_key).exists()


def test_use_keeps_a_session_alive_but_not_beyond_a_working_day(
    client: Client, ida: User, settings: Any
) -> None:
    session = session_of(client)
    almost = settings.PORTAL_SESSION_IDLE - timedelta(minutes=1)
    for _time in range(3):
        move_back(session, last_seen_at=almost)
        assert is_logged_in(client)
    move_back(session, started_at=settings.PORTAL_SESSION_ABSOLUTE + timedelta(seconds=1))
    assert not is_logged_in(client)
    assert why_logged_out() == "absolute"


def test_a_page_that_refreshes_itself_keeps_no_session_alive(client: Client, ida: User) -> None:
    session = session_of(client)
    move_back(session, last_seen_at=timedelta(minutes=30))
    client.get(SESSIONS, headers={BY_ITSELF: "1"})
    session.refresh_from_db()
    assert timezone.now() - session.last_seen_at > timedelta(minutes=29)
    client.get(SESSIONS)
    session.refresh_from_db()
    assert timezone.now() - session.last_seen_at < timedelta(minutes=1)


def test_a_request_costs_one_query_for_its_limits_and_a_write_once_a_minute(
    client: Client, ida: User, django_assert_num_queries: Any
) -> None:
    url = reverse("accounts:login")  # reads nothing but session, person and the log-in session
    with django_assert_num_queries(3):
        client.get(url)
    move_back(session_of(client), last_seen_at=timedelta(minutes=2))
    with django_assert_num_queries(4):
        client.get(url)
    with django_assert_num_queries(3):
        client.get(url)


def test_what_nobody_asks_for_any_more_ends_by_itself(
    client: Client, ida: User, settings: Any
) -> None:
    old = session_of(client)
    move_back(old, last_seen_at=settings.PORTAL_SESSION_IDLE)
    fresh = Client()
    sign_in(fresh, ida)
    gone = Client()
    sign_in(gone, ida)
    Session.objects.filter(session_key=gone.session.session_key).delete()
    assert end_sessions() == 2
    assert not Session.objects.filter(session_key=old.session_key).exists()
    assert is_logged_in(fresh)
    assert end_sessions() == 0


# --- the account --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"is_active": False},
        {"suspended_at": timezone.now()},
        {"expires_on": timezone.localdate() - timedelta(days=1)},
        {"deleted_at": timezone.now()},
    ],
)
@pytest.mark.parametrize("kind", ["staff", "external"])
def test_who_is_closed_suspended_or_expired_is_logged_out_at_once(
    client: Client, kind: str, values: dict[str, Any]
) -> None:
    user = make_user("Ib") if kind == "staff" else make_external("Ole Ude")
    sign_in(client, user)
    assert is_logged_in(client)
    User.all_objects.filter(pk=user.pk).update(**values)
    assert not is_logged_in(client)
    assert why_logged_out() == "closed"
    User.all_objects.filter(pk=user.pk).update(
        is_active=True,
        suspended_at=None,
        deleted_at=None,
        expires_on=None if kind == "staff" else timezone.localdate(),
    )
    assert not is_logged_in(client)  # the session does not come back


# --- one's own sessions -------------------------------------------------------------------------


def test_log_ins_are_listed_with_device_and_the_present_one_is_marked(
    client: Client, ida: User
) -> None:
    phone = Client(HTTP_USER_AGENT="A phone", REMOTE_ADDR="10.1.2.3")
    phone.force_login(ida)
    phone.get(SESSIONS)
    page = client.get(SESSIONS).content.decode()
    assert page.count("This one") == 1
    assert page.count("/end/") == 1


def test_one_other_session_is_ended_and_is_gone_at_once(client: Client, ida: User) -> None:
    other = Client()
    sign_in(other, ida)
    row = session_of(other)
    client.post(reverse("accounts:end_session", args=[row.pk]))
    assert not Session.objects.filter(session_key=row.session_key).exists()
    assert not is_logged_in(other)
    assert "ended from another device" in other.get(reverse("accounts:login")).content.decode()
    assert "ended from another" not in other.get(reverse("accounts:login")).content.decode()
    assert is_logged_in(client)
    assert why_logged_out() == "ended"


def test_nobody_ends_anothers_session(client: Client, ida: User) -> None:
    other = Client()
    sign_in(other, make_user("Ib"))
    client.post(reverse("accounts:end_session", args=[session_of(other).pk]))
    assert is_logged_in(other)
    assert str(session_of(other).pk) not in client.get(SESSIONS).content.decode().split("session-")


def test_all_others_are_ended_or_all_of_them(client: Client, ida: User) -> None:
    others = [Client(), Client()]
    for other in others:
        sign_in(other, ida)
    client.post(reverse("accounts:end_others"))
    assert [is_logged_in(each) for each in (*others, client)] == [False, False, True]
    sign_in(others[0], ida)
    answer = client.post(reverse("accounts:end_all"))
    assert answer["Location"] == reverse("accounts:login")
    assert [is_logged_in(each) for each in (*others, client)] == [False, False, False]


def test_a_row_ended_in_the_database_alone_ends_the_session(client: Client, ida: User) -> None:
    LoginSession.objects.update(ended_at=timezone.now())
    assert not is_logged_in(client)


def test_a_session_that_was_never_a_log_in_is_none(client: Client, ida: User) -> None:
    LoginSession.objects.all().delete()
    assert not is_logged_in(client)


def test_logging_out_takes_a_post_and_is_logged(client: Client, ida: User) -> None:
    assert client.get(reverse("accounts:sign_out")).status_code == 405
    assert is_logged_in(client)
    assert client.post(reverse("accounts:sign_out"))["Location"] == reverse("accounts:login")
    assert not is_logged_in(client)
    entry = AccessEntry.objects.get(action="logout")
    assert (entry.actor_id, entry.data["why"]) == (ida.pk, "signed_out")
    assert LoginSession.objects.get().ended_at is not None


def test_logging_in_as_another_in_the_same_browser_keeps_the_sessions_apart(
    client: Client, ida: User
) -> None:
    first = session_of(client)
    sign_in(client, make_user("Ib"))
    assert session_of(client).session_key != first.session_key
    assert is_logged_in(client)


def test_a_log_in_writes_no_version_of_the_person(client: Client) -> None:
    user = make_user("Ib")
    sign_in(client, user)
    user.refresh_from_db()
    assert user.version == 1
    assert user.history.count() == 1
    assert user.last_login is not None
    assert user.last_seen_at is not None


def test_the_cookie_of_a_session_goes_to_no_script_and_to_no_other_site(client: Client) -> None:
    user = make_external("Ole Ude")
    answer = client.post(
        reverse("accounts:login"), {"username": user.username, "password": PASSWORD}
    )
    cookie = answer.cookies["sessionid"]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"


# --- language -----------------------------------------------------------------------------------


@pytest.mark.requirement("PT-046")
def test_the_site_speaks_its_own_language_and_not_the_browsers(
    client: Client, settings: Any
) -> None:
    settings.LANGUAGE_CODE = "da"
    answer = client.get(reverse("accounts:login"), headers={"Accept-Language": "en"})
    assert answer["Content-Language"] == "da"
    assert '<html lang="da">' in answer.content.decode()


@pytest.mark.requirement("PT-046")
def test_anybody_chooses_a_language_and_a_known_person_keeps_it_everywhere(
    client: Client,
) -> None:
    login = reverse("accounts:login")
    answer = client.post(reverse("accounts:language"), {"language": "da", "next": login})
    assert answer["Location"] == login
    assert client.get(login)["Content-Language"] == "da"

    ida = sign_in(client, make_user("Ida Inside"))
    client.post(reverse("accounts:language"), {"language": "en", "next": SESSIONS})
    elsewhere = Client()
    elsewhere.cookies["django_language"] = "da"
    sign_in(elsewhere, User.objects.get(pk=ida.pk))
    assert elsewhere.get(SESSIONS)["Content-Language"] == "en"


@pytest.mark.requirement("PT-046")
@pytest.mark.parametrize("language", ["", "xx", "../da", "fr"])
def test_a_language_that_the_site_does_not_speak_is_not_kept(
    client: Client, ida: User, language: str
) -> None:
    client.post(reverse("accounts:language"), {"language": language})
    ida.refresh_from_db()
    assert ida.language == ""
    client.cookies["django_language"] = language
    assert client.get(SESSIONS)["Content-Language"] == "en"


def test_choosing_a_language_sends_nobody_elsewhere(client: Client) -> None:
    answer = client.post(
        reverse("accounts:language"), {"language": "da", "next": "https://evil.invalid/"}
    )
    assert answer["Location"] == "/"


def test_a_language_is_chosen_whatever_page_is_named_to_go_back_to(client: Client) -> None:
    for wanted in ("nowhere", "//evil.example/", "https://evil.example/", "javascript:alert(1)"):
        answer = client.post("/accounts/language/", {"language": "en", "next": wanted})
        assert (answer.status_code, answer["Location"]) == (302, "/")
