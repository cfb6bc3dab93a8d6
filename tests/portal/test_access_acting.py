"""Acting in another role for support: both identities everywhere, and no way up (PT-006)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from portal.access.acting import begin_acting, end_acting, roles_to_act_in, units_to_act_at
from portal.access.decision import can, forget_held, held_by
from portal.access.models import Profile, Role
from portal.access.services import end_grant, grant_role
from portal.access.services.profiles import choose_profile
from portal.access.standing import ACTING_LASTS, KEY, NEVER_ACTED, take_standing
from portal.accounts.models import User
from portal.audit.models import AccessEntry, AuditEntry
from portal.organisation.models import Unit
from portal.organisation.services import close_unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from tests.support.accounts import sign_in
from tests.support.factories import give, make_role, make_unit, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-006")]
WHY = "call 4711: the list looks empty"
CHANGE, EXTERNAL = "organisation.change_units", "accounts.manage_external"


@pytest.fixture
def region() -> Unit:
    return make_unit("region")


@pytest.fixture
def ward(region: Unit) -> Unit:
    return make_unit("ward", region)


@pytest.fixture
def helper(region: Unit) -> User:
    """May act in other roles."""
    user = make_user("Henrik Helper")
    give(user, "access.site_administrator", region)
    return user


@pytest.fixture
def reader(region: Unit) -> Role:
    return make_role("t.reader", CHANGE, EXTERNAL)


def begin(actor: User, role: Role, unit: Unit, session: dict[str, object] | None = None) -> dict:
    session = {} if session is None else session
    begin_acting(actor=actor, session=session, role=role, unit=unit, reason=WHY)
    return session


def begin_on_page(client: Client, role: Role, unit: Unit) -> object:
    form = {"role": role.pk, "unit": unit.pk, "reason": WHY}
    return client.post(reverse("access:act_as"), form)


def test_one_holds_the_other_role_alone_and_both_identities_are_written(
    client: Client, helper: User, reader: Role, ward: Unit
) -> None:
    sign_in(client, helper)
    assert begin_on_page(client, reader, ward).status_code == 302
    assert client.get(reverse("access:explain")).status_code == 403
    page = client.get(reverse("organisation:units"))
    assert page.status_code == 200
    assert "t.reader – Ward" in page.content.decode()
    rename = {"name": "Ward 2", "code": "ward", "kind": "ward", "reason": WHY, "version": 1}
    assert client.post(reverse("organisation:change", args=[ward.pk]), rename).status_code == 302
    entry = AuditEntry.objects.get(action="organisation.unit_changed")
    assert (entry.actor_name, entry.acting_as) == ("Henrik Helper", "t.reader – Ward")
    row = ward.history.first()
    assert (row.history_user, row.history_service) == (helper, "acting as t.reader – Ward")
    history = reverse("operations:history", args=["organisation.unit", ward.pk])
    assert client.get(history).status_code == 200
    opened = AccessEntry.objects.get(action="open", object_type="organisation.unit")
    assert (opened.actor_name, opened.acting_as) == ("Henrik Helper", "t.reader – Ward")

    assert client.post(reverse("access:stop_acting")).status_code == 302
    assert client.get(reverse("organisation:units")).status_code == 403
    assert client.get(reverse("access:explain")).status_code == 200
    begun = AuditEntry.objects.get(action="access.acting_begun")
    ended = AuditEntry.objects.get(action="access.acting_ended")
    assert (begun.acting_as, begun.reason, begun.data["role"]) == ("", WHY, "t.reader")
    assert (ended.acting_as, ended.data) == ("t.reader – Ward", {"acted_as": "t.reader – Ward"})


def test_the_banner_is_on_every_page_with_the_way_back(
    client: Client, helper: User, reader: Role, ward: Unit
) -> None:
    sign_in(client, helper)
    stop = reverse("access:stop_acting")
    sessions = reverse("accounts:sessions")
    assert stop not in client.get(sessions).content.decode()
    begin_on_page(client, reader, ward)
    for url in (sessions, reverse("organisation:units"), reverse("notifications:list")):
        page = client.get(url).content.decode()
        assert f'action="{stop}"' in page
        assert "band--support" in page
    for url, status in ((reverse("access:explain"), 403), ("/no/such/page/", 404)):
        answer = client.get(url)
        assert (answer.status_code, f'action="{stop}"' in answer.content.decode()) == (status, True)
        assert "csrfmiddlewaretoken" in answer.content.decode()
    client.post(stop)
    assert stop not in client.get(sessions).content.decode()
    assert client.post(stop).status_code == 302  # twice does no harm
    assert AuditEntry.objects.filter(action="access.acting_ended").count() == 1


def test_without_the_privilege_nobody_acts(client: Client, reader: Role, ward: Unit) -> None:
    user = make_user("Nobody")
    give(user, "access.portal_administrator", ward)
    with pytest.raises(PermissionDenied):
        begin(user, reader, ward)
    sign_in(client, user)
    assert client.get(reverse("access:act_as")).status_code == 403
    assert begin_on_page(client, reader, ward).status_code == 403
    assert "acting" not in client.session[KEY]


def test_a_role_that_gives_a_say_over_roles_is_nobodys_to_act_in(
    client: Client, helper: User, region: Unit
) -> None:
    roles = [make_role(f"t.{number}", code) for number, code in enumerate(sorted(NEVER_ACTED))]
    sign_in(client, helper)
    for role in (*roles, Role.objects.get(code="access.portal_administrator")):
        assert role not in roles_to_act_in()
        with pytest.raises(Refused) as refused:
            begin(helper, role, region)
        assert refused.value.code == "role_too_high"
        assert begin_on_page(client, role, region).status_code == 422
    assert not AuditEntry.objects.filter(action="access.acting_begun").exists()


def test_a_role_of_the_whole_house_is_acted_in_at_its_top_alone(
    helper: User, region: Unit, ward: Unit
) -> None:
    role = make_role("t.people", "operations.sign_configuration")
    with pytest.raises(Refused) as refused:
        begin(helper, role, ward)
    assert refused.value.code == "house_wide"
    begin(helper, role, region)


def test_one_acts_in_one_role_at_a_time(
    helper: User, reader: Role, region: Unit, ward: Unit
) -> None:
    session = begin(helper, reader, ward)
    with pytest.raises(Refused) as refused:
        begin(helper, reader, region, session)
    assert refused.value.code == "already_acting"
    mine = Profile.objects.create(user=helper, name="Mine", unit=ward)
    with pytest.raises(Refused) as refused:
        choose_profile(actor=helper, session=session, profile_id=mine.pk)
    assert refused.value.code == "acting_as"


def test_only_at_open_units_in_reach_and_with_a_reason(
    reader: Role, region: Unit, ward: Unit
) -> None:
    user = make_user("Lars Local")
    make_role("t.actor", "access.act_as")
    give(user, "t.actor", ward)
    closed = make_unit("closed", ward, closed_on="2020-01-01")
    assert list(units_to_act_at(user)) == [ward]
    for unit in (region, closed):
        with pytest.raises(Refused) as refused:
            begin(user, reader, unit)
        assert refused.value.code == "outside_unit"
    with pytest.raises(Refused) as refused:
        begin_acting(actor=user, session={}, role=reader, unit=ward, reason=" ")
    assert refused.value.code == "reason"
    with pytest.raises(TypeError):
        begin_acting(
            actor=ServiceActor("x"),
            session={},
            role=reader,
            unit=ward,
            reason=WHY,  # type: ignore[arg-type]
        )


def test_what_changes_meanwhile_ends_what_one_holds_by_acting(
    helper: User, reader: Role, region: Unit, ward: Unit
) -> None:
    session = begin(helper, reader, ward)

    def holds() -> set[str]:
        forget_held(helper)
        take_standing(helper, session, timezone.now())
        return held_by(helper).privileges()

    assert holds() == {CHANGE, EXTERNAL}
    reader.privileges = [EXTERNAL, "access.grant_role"]  # somebody composes it anew
    reader.save()
    assert holds() == set()
    reader.privileges = ["access.explain"]
    reader.save()
    assert holds() == {"access.explain"}
    close_unit(actor=ServiceActor("test"), unit=ward, closed_on=timezone.localdate(), reason=WHY)
    assert holds() == set()
    session = begin_again(helper, reader, region)
    assert holds() == {"access.explain"}
    end_grant(actor=ServiceActor("test"), grant_id=helper.role_grants.get().pk, reason=WHY)
    assert holds() == set()
    end_acting(actor=helper, session=session)
    assert holds() == set()


def begin_again(helper: User, role: Role, unit: Unit) -> dict:
    take_standing(helper, {}, timezone.now())
    forget_held(helper)
    return begin(helper, role, unit)


def test_after_an_hour_one_is_oneself_again(
    client: Client, helper: User, reader: Role, ward: Unit
) -> None:
    sign_in(client, helper)
    begin_on_page(client, reader, ward)
    session = client.session
    long_ago = timezone.now() - ACTING_LASTS - timedelta(seconds=1)
    session[KEY]["acting"]["since"] = long_ago.isoformat()
    session.save()
    page = client.get(reverse("access:explain"))
    assert page.status_code == 200
    assert "band--support" not in page.content.decode()


def test_signing_out_ends_it(client: Client, helper: User, reader: Role, ward: Unit) -> None:
    sign_in(client, helper)
    begin_on_page(client, reader, ward)
    assert client.post(reverse("accounts:sign_out")).status_code == 302
    ended = AuditEntry.objects.get(action="access.acting_ended")
    assert (ended.actor_name, ended.acting_as) == ("Henrik Helper", "t.reader – Ward")
    assert AccessEntry.objects.get(action="logout").acting_as == "t.reader – Ward"
    sign_in(client, helper)
    assert client.get(reverse("access:explain")).status_code == 200


def test_acting_grants_nothing_to_oneself_by_any_way(
    helper: User, reader: Role, region: Unit, ward: Unit
) -> None:
    begin(helper, reader, region)
    assert not can(helper, "access.grant_role")
    for person in (helper, make_user("Friend")):
        with pytest.raises(PermissionDenied):
            grant_role(actor=helper, user=person, role=reader, unit=ward, reason=WHY)


def test_a_page_costs_one_query_more_while_acting(client: Client, helper: User, ward: Unit) -> None:
    """The role, the unit and whether one may still act; instead of what one holds and profiles."""
    sign_in(client, helper)

    def queries() -> int:
        client.get(reverse("accounts:sessions"))
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse("accounts:sessions")).status_code == 200
        return len(captured)

    before = queries()
    assert begin_on_page(client, make_role("t.explainer", CHANGE), ward).status_code == 302
    assert queries() == before + 1
