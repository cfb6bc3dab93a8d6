"""Accounts that nobody uses are warned and suspended; expired ones are out at once (PT-004)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from websockets.sync.client import connect

from portal.accounts.models import LoginSession, User
from portal.accounts.rules import INACTIVITY_NOTICE, Inactivity, inactivity
from portal.accounts.tasks import end_sessions, suspend_inactive
from portal.audit.models import AccessEntry, AuditEntry
from portal.live.services import publish
from portal.notifications.models import Notification, OutboxMail
from portal.notifications.services import person_topic
from tests.support.accounts import is_logged_in, make_external, sign_in
from tests.support.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-004")]

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
AFTER, NOTICE = timedelta(days=90), timedelta(days=14)
DAY = timedelta(days=1)


def judged(used_ago: timedelta, warned_ago: timedelta | None) -> Inactivity:
    return inactivity(
        now=NOW,
        used_at=NOW - used_ago,
        warned_at=None if warned_ago is None else NOW - warned_ago,
        after=AFTER,
        notice=NOTICE,
    )


@pytest.mark.parametrize(
    ("used_ago", "warned_ago", "what"),
    [
        (75 * DAY, None, Inactivity.NOTHING),
        (76 * DAY, None, Inactivity.WARN),
        (76 * DAY, DAY, Inactivity.NOTHING),
        (89 * DAY, 13 * DAY, Inactivity.NOTHING),
        (90 * DAY, 14 * DAY, Inactivity.SUSPEND),
        (400 * DAY, None, Inactivity.WARN),
        (400 * DAY, 13 * DAY, Inactivity.NOTHING),
        (80 * DAY, 200 * DAY, Inactivity.WARN),  # warned before it was last used
    ],
)
def test_an_account_is_warned_first_and_suspended_two_weeks_later(
    used_ago: timedelta, warned_ago: timedelta | None, what: Inactivity
) -> None:
    assert judged(used_ago, warned_ago) is what


@given(
    used=st.integers(0, 1000), warned=st.none() | st.integers(0, 1000), notice=st.integers(0, 89)
)
def test_nobody_is_suspended_unwarned_or_early(used: int, warned: int | None, notice: int) -> None:
    found = inactivity(
        now=NOW,
        used_at=NOW - used * DAY,
        warned_at=None if warned is None else NOW - warned * DAY,
        after=AFTER,
        notice=notice * DAY,
    )
    if found is Inactivity.SUSPEND:
        assert used >= 90
        assert warned is not None
        assert notice <= warned <= used
    if found is Inactivity.NOTHING and used >= 90:
        assert warned is not None  # who is long away and not warned is warned


def unused(user: User, days: float, **values: Any) -> User:
    """As if the person was last here so long ago."""
    ago = timezone.now() - timedelta(days=days)
    values = {"last_seen_at": ago, "changed_at": ago, "created_at": ago} | values
    User.all_objects.filter(pk=user.pk).update(**values)
    return user


def days_pass(days: float) -> None:
    """As if everything that happened to accounts had happened so many days earlier."""
    for user in User.all_objects.all():
        User.all_objects.filter(pk=user.pk).update(
            **{
                name: getattr(user, name) - timedelta(days=days)
                for name in ("last_seen_at", "changed_at", "created_at", "warned_at")
                if getattr(user, name) is not None
            }
        )


@pytest.mark.parametrize("kind", ["staff", "external"])
def test_who_does_not_come_is_warned_by_mail_then_suspended_and_logged_out(
    client: Client, kind: str, settings: Settings
) -> None:
    user = make_user("Ib Bo") if kind == "staff" else make_external("Ole Ude")
    version = user.version
    sign_in(client, user)
    unused(user, settings.PORTAL_SUSPEND_AFTER.days - INACTIVITY_NOTICE.days)
    assert suspend_inactive() == 0
    [mail] = OutboxMail.objects.all()
    assert mail.to == user.email
    assert "suspended in 14 days" in mail.text
    for personal in ("Ib", "Ole"):
        assert personal not in mail.subject + mail.text
    assert Notification.objects.get().user == user
    assert AuditEntry.objects.get(action="accounts.inactivity_warned").object_id == str(user.pk)
    user.refresh_from_db()
    assert user.version == version  # a warning is no use of the account

    days_pass(13)
    assert suspend_inactive() == 0
    assert OutboxMail.objects.count() == 1  # told once
    days_pass(1)
    assert suspend_inactive() == 1
    user.refresh_from_db()
    assert (user.is_active, user.suspended_at is not None) == (False, True)
    assert not is_logged_in(client)
    entry = AuditEntry.objects.get(action=f"accounts.{kind}_suspended")
    assert (entry.service, entry.reason) == ("account keeper", "not used")
    assert suspend_inactive() == 0


def test_who_comes_back_after_the_warning_begins_anew(client: Client) -> None:
    user = unused(make_user("Ib Bo"), 80)
    suspend_inactive()
    sign_in(client, user)
    days_pass(80)
    assert suspend_inactive() == 0
    assert AuditEntry.objects.filter(action="accounts.inactivity_warned").count() == 2


def test_who_never_came_counts_from_when_the_account_was_made() -> None:
    young = unused(make_user("Ib Bo"), 10, last_seen_at=None)
    old = unused(make_user("Ole Old"), 100, last_seen_at=None)
    suspend_inactive()
    warned = User.objects.filter(warned_at__isnull=False)
    assert set(warned) == {old}
    assert young not in warned


def test_a_local_administrators_account_waits_for_its_day() -> None:
    kept = unused(make_external("Emma Ergency", emergency=True), 400)
    over = unused(make_external("Otto Over", emergency=True), 400, expires_on=date(2020, 1, 1))
    assert suspend_inactive() == 1
    assert set(User.objects.filter(suspended_at__isnull=False)) == {over}
    assert not OutboxMail.objects.exists()
    kept.refresh_from_db()
    assert kept.warned_at is None


def test_an_account_that_waits_for_approval_is_not_suspended_into_being_reactivated() -> None:
    waiting = unused(make_external("Ole Ude", is_active=False), 400)
    expired = make_external("Eva Else", is_active=False, expires_on=date(2020, 1, 1))
    assert suspend_inactive() == 0
    for user in (waiting, expired):
        user.refresh_from_db()
        assert user.awaits_approval


def test_one_without_a_mail_address_is_told_on_the_screen() -> None:
    unused(make_user("Ib Bo", email=""), 80)
    suspend_inactive()
    assert not OutboxMail.objects.exists()
    assert Notification.objects.count() == 1


def test_the_warning_is_in_the_persons_own_language() -> None:
    from django.utils import translation
    from django.utils.translation import gettext

    unused(make_user("Ib Bo", language="da"), 80)
    suspend_inactive()
    with translation.override("da"):
        assert OutboxMail.objects.get().text.startswith(
            gettext(
                "You have not used %(portal)s for a long time. Your account will be suspended in"
                " %(days)d days unless you log in."
            )
            % {"portal": "Hospital Portal", "days": 14}
        )


@pytest.mark.django_db(transaction=True)
def test_two_keepers_at_once_warn_and_suspend_once() -> None:
    unused(make_user("Ib Bo"), 100)
    unused(make_user("Ole Old"), 100, warned_at=timezone.now() - 20 * DAY)
    both = threading.Barrier(2)

    def keep(_number: int) -> int:
        try:
            both.wait(timeout=10)
            return suspend_inactive()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(keep, range(2))) == 1
    assert AuditEntry.objects.filter(action="accounts.staff_suspended").count() == 1
    assert OutboxMail.objects.count() == 1


# --- open pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"expires_on": date(2020, 1, 1)},
        {"is_active": False},
        {"suspended_at": timezone.now()},
        {"deleted_at": timezone.now()},
    ],
)
def test_the_keeper_ends_the_sessions_of_an_account_that_is_over(
    client: Client, values: dict[str, Any]
) -> None:
    other = Client()
    sign_in(other, make_external("Eva Else"))
    user = sign_in(client, make_external("Ole Ude"))
    key = client.session.session_key
    User.all_objects.filter(pk=user.pk).update(**values)
    assert end_sessions() == 1
    assert not Session.objects.filter(session_key=key).exists()
    assert LoginSession.objects.get(session_key=key).ended_at is not None
    assert AccessEntry.objects.get(action="logout").data["why"] == "closed"
    assert is_logged_in(other)
    assert end_sessions() == 0


def test_on_its_last_day_an_account_still_works(client: Client) -> None:
    sign_in(client, make_external("Ole Ude", expires_on=timezone.localdate()))
    assert end_sessions() == 0
    assert is_logged_in(client)


@pytest.mark.requirement("PT-060")
@pytest.mark.django_db(transaction=True)
def test_the_open_page_of_an_expired_account_hears_nothing_more(portal_url: str) -> None:
    client = Client()
    user = sign_in(client, make_external("Ole Ude"))
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    topic = person_topic(user)
    with connect(
        portal_url.replace("http://", "ws://") + "/ws/live/",
        origin=portal_url,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookies},
        proxy=None,
    ) as page:
        page.recv(timeout=10)
        page.send(f'{{"type": "subscribe", "topics": ["{topic}"]}}')
        assert "subscribed" in page.recv(timeout=10)
        User.objects.filter(pk=user.pk).update(expires_on=date(2020, 1, 1))
        end_sessions()
        publish(topic, "notification")
        assert "refused" in page.recv(timeout=10)
