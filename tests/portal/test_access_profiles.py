"""Profiles: made by administrators, stood in by their owner, switched in the header (PT-011)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.access.decision import can, forget_held
from portal.access.models import DirectoryGroup, Profile, RoleGrant
from portal.access.profiles import profiles_in_reach, profiles_of
from portal.access.services import sync_directory_roles
from portal.access.services.profiles import (
    change_profile,
    choose_profile,
    end_profile,
    make_profile,
)
from portal.access.standing import KEY, Standing, keep_profile, standing_in, take_standing
from portal.accounts.models import User
from portal.audit.models import AccessEntry, AuditEntry
from portal.live.services import publish
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused, StaleRecord
from tests.portal.test_live_socket import socket
from tests.support.accounts import sign_in
from tests.support.factories import give, make_role, make_unit, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-011")]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
WHY = "also works there"
LOGS = "audit.browse_logs"
AUDIT_PAGE = "operations:audit"


@pytest.fixture
def region() -> Unit:
    return make_unit("region")


@pytest.fixture
def ward(region: Unit) -> Unit:
    return make_unit("ward", region)


@pytest.fixture
def admin(ward: Unit) -> User:
    """Administers access at the ward."""
    user = make_user("Ada Admin")
    give(user, "access.portal_administrator", ward)
    return user


@pytest.fixture
def person(ward: Unit) -> User:
    """Auditor in the profile of that name, nothing in the other."""
    user = make_user("Paula Person")
    auditor = Profile.objects.create(user=user, name="Auditor", unit=ward)
    Profile.objects.create(user=user, name="Nurse", unit=ward)
    give(user, "audit.auditor", ward, profile=auditor)
    return user


def profile_of(person: User, name: str) -> Profile:
    return Profile.objects.get(user=person, name=name)


def stands_in(client: Client) -> int | None:
    return client.session[KEY]["profile"]


def switch(client: Client, profile: Profile, back: str = "/") -> object:
    url = reverse("access:choose_profile")
    return client.post(url, {"profile": profile.pk, "next": back})


# --- made, changed, ended -------------------------------------------------------------------------


def test_a_profile_is_made_changed_and_ended_with_its_grants(
    admin: User, region: Unit, ward: Unit
) -> None:
    person = make_user("Paula Person")
    made = make_profile(actor=admin, user=person, name=" Nurse ", unit=ward, reason=WHY)
    give(person, "audit.auditor", ward, profile=made)
    version = made.version
    change_profile(
        actor=admin, profile_id=made.pk, name="Trial nurse", unit=ward, reason=WHY,
        expected_version=version,
    )  # fmt: skip
    with pytest.raises(StaleRecord):
        change_profile(
            actor=admin, profile_id=made.pk, name="X", unit=ward, reason=WHY,
            expected_version=version,
        )  # fmt: skip
    session: dict[str, object] = {}
    keep_profile(session, made.pk)
    take_standing(person, session, NOW)
    forget_held(person)
    assert can(person, LOGS)
    end_profile(actor=admin, profile_id=made.pk, reason=WHY)
    forget_held(person)
    assert not can(person, LOGS)
    assert standing_in(session, NOW) == Standing(made.pk)
    assert not RoleGrant.objects.filter(user=person).exists()
    acts = AuditEntry.objects.exclude(action__contains="role_defined").values_list(
        "action", flat=True
    )
    assert [act for act in acts.order_by("pk") if act.startswith("access.")] == [
        "access.profile_made",
        "access.profile_changed",
        "access.role_ended",
        "access.profile_ended",
    ]


def test_two_profiles_of_a_person_have_two_names(admin: User, person: User, ward: Unit) -> None:
    with pytest.raises(Refused) as refused:
        make_profile(actor=admin, user=person, name="Nurse", unit=ward, reason=WHY)
    assert refused.value.code == "name_taken"
    with pytest.raises(Refused) as refused:
        make_profile(actor=admin, user=person, name=" ", unit=ward, reason=WHY)
    assert refused.value.code == "empty"


def test_profiles_are_kept_at_or_below_ones_own_unit(
    admin: User, person: User, region: Unit, ward: Unit
) -> None:
    above = Profile.objects.create(user=person, name="Director", unit=region)
    closed = make_unit("closed", ward, closed_on="2020-01-01")
    assert set(profiles_in_reach(admin)) == set(profiles_of(person)) - {above}
    nurse = profile_of(person, "Nurse")
    for unit, code in ((region, "outside_unit"), (closed, "closed_unit")):
        with pytest.raises(Refused) as refused:
            make_profile(actor=admin, user=person, name="New", unit=unit, reason=WHY)
        assert refused.value.code == code
        with pytest.raises(Refused) as refused:
            change_profile(
                actor=admin, profile_id=nurse.pk, name="New", unit=unit, reason=WHY,
                expected_version=None,
            )  # fmt: skip
        assert refused.value.code == code
    with pytest.raises(Refused) as refused:
        end_profile(actor=admin, profile_id=above.pk, reason=WHY)
    assert refused.value.code == "outside_unit"
    with pytest.raises(PermissionDenied):
        make_profile(actor=make_user("Nobody"), user=person, name="N", unit=ward, reason=WHY)


def test_a_profile_with_a_role_beyond_ones_say_is_not_ended(
    person: User, region: Unit, ward: Unit
) -> None:
    """Ending it would take the role away."""
    make_role("audit.granter", "access.grant_role")
    module_admin = make_user("Mo Admin")
    give(module_admin, "audit.granter", ward)
    with pytest.raises(Refused) as refused:
        end_profile(actor=module_admin, profile_id=profile_of(person, "Auditor").pk, reason=WHY)
    assert refused.value.code == "above_own"
    assert RoleGrant.objects.filter(user=person).exists()


# --- chosen ---------------------------------------------------------------------------------------


def test_choosing_is_noted_as_access_and_not_as_a_change_of_the_record(person: User) -> None:
    auditor = profile_of(person, "Auditor")
    session: dict[str, object] = {}
    take_standing(person, session, NOW)
    choose_profile(actor=person, session=session, profile_id=auditor.pk)
    assert person.standing == Standing(auditor.pk)
    assert can(person, LOGS)
    chosen = profile_of(person, "Auditor")
    assert chosen.last_used_at is not None
    assert (chosen.version, chosen.history.count()) == (auditor.version, 1)
    entry = AccessEntry.objects.get(object_type="access.profile")
    assert (entry.action, entry.data) == ("change", {"stands_in": "Auditor"})


@pytest.mark.parametrize("forged", ["another's", "ended", "none such"])
def test_nobody_stands_in_a_profile_that_is_not_theirs(
    client: Client, person: User, ward: Unit, forged: str
) -> None:
    other = make_user("Otto Other")
    theirs = Profile.objects.create(user=other, name="Auditor", unit=ward)
    give(other, "audit.auditor", ward, profile=theirs)
    ended = profile_of(person, "Auditor")
    sign_in(client, person)
    end_profile(actor=ServiceActor("test"), profile_id=ended.pk, reason=WHY)
    key = {"another's": theirs.pk, "ended": ended.pk, "none such": 0}[forged]
    before = client.session[KEY]
    answer = client.post(reverse("access:choose_profile"), {"profile": key})
    assert answer.status_code == 422
    assert client.session[KEY] == before
    session = client.session
    keep_profile(session, key)  # as if the session itself were forged
    session.save()
    assert client.get(reverse(AUDIT_PAGE)).status_code == 403


def test_who_stands_in_a_profile_that_ends_stands_in_none(client: Client, person: User) -> None:
    sign_in(client, person)
    assert client.get(reverse(AUDIT_PAGE)).status_code == 200
    auditor = profile_of(person, "Auditor")
    end_profile(actor=ServiceActor("test"), profile_id=auditor.pk, reason=WHY)
    assert client.get(reverse(AUDIT_PAGE)).status_code == 403
    home = client.get(reverse("accounts:sessions")).content.decode()
    assert "No profile" in home


@pytest.mark.parametrize("body", [{}, {"profile": "x"}, {"profile": "9" * 30}, {"profile": "-1"}])
def test_nonsense_chooses_nothing(client: Client, person: User, body: dict[str, str]) -> None:
    sign_in(client, person)
    assert client.post(reverse("access:choose_profile"), body).status_code == 422
    assert client.get(reverse("access:choose_profile")).status_code == 405


# --- at log-in, in the header, on the socket ------------------------------------------------------


def test_log_in_lands_in_the_profile_used_last_else_the_first(client: Client, person: User) -> None:
    sign_in(client, person)
    assert stands_in(client) == profile_of(person, "Auditor").pk
    switch(client, profile_of(person, "Nurse"))
    client.logout()
    elsewhere = Client()
    sign_in(elsewhere, person)
    assert stands_in(elsewhere) == profile_of(person, "Nurse").pk
    without = Client()
    sign_in(without, make_user("Nora None"))
    assert stands_in(without) is None


def test_the_header_shows_the_profile_to_who_has_any(client: Client, person: User) -> None:
    sign_in(client, person)
    page = client.get(reverse("accounts:sessions")).content.decode()
    assert page.count("Auditor") >= 2
    assert 'name="profile"' in page
    other = Client()
    sign_in(other, make_user("Nora None"))
    assert 'name="profile"' not in other.get(reverse("accounts:sessions")).content.decode()


def test_a_switch_keeps_the_page_where_it_is_allowed_else_goes_home(
    client: Client, person: User
) -> None:
    sign_in(client, person)
    here = reverse("accounts:sessions")
    nurse, auditor = profile_of(person, "Nurse"), profile_of(person, "Auditor")
    answer = client.post(
        reverse("access:choose_profile"), {"profile": nurse.pk, "next": here}, follow=True
    )
    assert answer.redirect_chain == [(here, 302)]
    switch(client, auditor)
    page = reverse(AUDIT_PAGE) + "?page=1"
    answer = client.post(
        reverse("access:choose_profile"), {"profile": nurse.pk, "next": page}, follow=True
    )
    assert answer.redirect_chain == [(page, 302), ("/", 302)]
    assert "not part of this profile" in answer.content.decode()
    assert client.get(reverse(AUDIT_PAGE)).status_code == 403  # asked for by itself it says so


def test_a_switch_leads_to_no_other_site(client: Client, person: User) -> None:
    sign_in(client, person)
    for evil in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        answer = switch(client, profile_of(person, "Nurse"), evil)
        assert answer["Location"] == "/"


def test_switching_takes_a_fixed_number_of_queries(
    client: Client, person: User, ward: Unit
) -> None:
    sign_in(client, person)
    counts = []
    for many in (2, 30):
        for number in range(Profile.objects.count(), many):
            made = Profile.objects.create(user=person, name=f"P{number}", unit=ward)
            give(person, "audit.auditor", ward, profile=made)
        client.get(reverse("accounts:sessions"))
        with CaptureQueriesContext(connection) as captured:
            assert switch(client, profile_of(person, "Nurse")).status_code == 302
        counts.append(len(captured) - 1)  # one is this test's own
    assert counts[0] == counts[1] <= 16, [each["sql"] for each in captured]


@pytest.mark.django_db(transaction=True)
def test_live_sockets_take_the_new_standing(portal_url: str) -> None:
    ward = make_unit("ward")
    person = make_user("Paula Person")
    make_role("t.operator", "inbox.read_messages")
    for name in ("A operator", "B nurse"):
        Profile.objects.create(user=person, name=name, unit=ward)
    give(person, "t.operator", ward, profile=profile_of(person, "A operator"))
    client = Client()
    sign_in(client, person)
    with socket(portal_url, client) as page:
        page.receive()
        assert page.subscribe("inbox")["type"] == "subscribed"
        switch(client, profile_of(person, "B nurse"))
        publish("inbox", "stored")
        assert page.receive() == {"type": "refused", "topic": "inbox"}
        assert page.subscribe("inbox")["type"] == "refused"
        switch(client, profile_of(person, "A operator"))
        assert page.subscribe("inbox")["type"] == "subscribed"


# --- from the directory ---------------------------------------------------------------------------


@pytest.mark.requirement("PT-001")
def test_a_directory_group_grants_in_the_profile_that_it_names(region: Unit, ward: Unit) -> None:
    role = make_role("t.auditor", LOGS)
    person = make_user("Paula Person")
    every = make_role("t.all", "access.explain")
    DirectoryGroup.objects.create(name="g-audit", role=role, unit=ward, profile_name="Auditor")
    DirectoryGroup.objects.create(name="g-all", role=every, unit=ward)
    sync_directory_roles(person, ["g-audit", "g-all"])
    made = profile_of(person, "Auditor")
    assert made.unit == ward
    held = RoleGrant.objects.filter(user=person).values_list("role__code", "profile__name")
    assert set(held) == {("t.auditor", "Auditor"), ("t.all", None)}
    rows = set(RoleGrant.objects.values_list("pk", flat=True))
    sync_directory_roles(person, ["g-audit", "g-all"])
    assert set(RoleGrant.objects.values_list("pk", flat=True)) == rows
    sync_directory_roles(person, ["g-all"])
    assert not RoleGrant.objects.filter(role=role).exists()
    assert profile_of(person, "Auditor") == made
    sync_directory_roles(person, ["g-audit"])
    assert RoleGrant.objects.get(role=role).profile == made


# --- pages ----------------------------------------------------------------------------------------


def test_administrators_keep_profiles_on_their_pages(
    client: Client, admin: User, ward: Unit
) -> None:
    sign_in(client, admin)
    make_user("Ib Ibsen", username="RDAH0007")
    empty = client.get(reverse("access:profiles"))
    assert "Make a profile" in empty.content.decode()
    form = {"user": "rdah0007", "name": "Nurse", "unit": ward.pk, "reason": WHY}
    new = reverse("access:profile_new")
    assert client.post(new, {**form, "reason": ""}).status_code == 422
    assert client.post(new, form).status_code == 302
    assert client.post(new, form).status_code == 422
    made = Profile.objects.get()
    page = reverse("access:profile", args=[made.pk])
    assert f'value="{made.version}"' in client.get(page).content.decode()
    changed = {"name": "Trial nurse", "unit": ward.pk, "reason": WHY}
    assert client.post(page, {**changed, "version": made.version}).status_code == 302
    assert client.post(page, {**changed, "name": "X", "version": made.version}).status_code == 409
    found = client.get(reverse("access:profiles"), {"person": "ibsen"})
    assert "Trial nurse" in found.content.decode()
    end = reverse("access:end_profile", args=[made.pk])
    assert client.post(end, {"reason": "left"}).status_code == 302
    assert client.get(page).status_code == 404
    sign_in(client, make_user("Nobody"))
    for name in ("access:profiles", "access:profile_new"):
        assert client.get(reverse(name)).status_code == 403
    assert client.get(end).status_code == 403
