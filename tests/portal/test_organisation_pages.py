"""The pages of the tree: what is seen, what is asked before an act, what is refused (PT-010)."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from portal.accounts.models import User
from portal.organisation.models import Membership, Unit
from tests.portal.test_organisation_tree import WHY, assert_whole, keeper, now
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-010")]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def region() -> Unit:
    return make_unit("region")


@pytest.fixture
def north(region: Unit) -> Unit:
    return make_unit("north", region)


@pytest.fixture
def south(region: Unit) -> Unit:
    return make_unit("south", region)


@pytest.fixture
def admin(client: Client, region: Unit) -> User:
    user = make_user("Ada Admin")
    give(user, "access.portal_administrator", region)
    return sign_in(client, user)


def url(name: str, unit: Unit | None = None) -> str:
    return reverse(f"organisation:{name}", args=[unit.pk] if unit else [])


def text_of(client: Client, address: str, **query: object) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_unit_is_made_renamed_and_found(client: Client, admin: User, region: Unit) -> None:
    form = {"name": "PET", "code": "pet", "kind": "laboratory", "parent": region.pk, "reason": WHY}
    assert client.post(url("unit_new"), {**form, "code": "not a code"}).status_code == 422
    assert client.post(url("unit_new"), {**form, "parent": 0}).status_code == 422
    made_at = client.post(url("unit_new"), form)
    made = Unit.objects.get(code="pet")
    assert made_at["Location"] == url("unit", made)
    again = client.post(url("unit_new"), form)
    assert (again.status_code, 'id="id_code_error"' in again.content.decode()) == (422, True)
    page = url("change", made)
    assert 'name="version" value="1"' in text_of(client, page)
    change = {"name": "PET 2", "code": "pet", "kind": "laboratory", "reason": WHY}
    assert client.post(page, {**change, "version": 1}).status_code == 302
    assert client.post(page, {**change, "version": 1}).status_code == 409
    assert client.post(page, change).status_code == 409  # a form without a version was not ours
    assert "PET 2" in text_of(client, url("units"), text="pet")
    assert "PET 2" not in text_of(client, url("units"), text="nothing like it")
    assert "PET" in text_of(client, url("unit", made))


def test_a_move_shows_first_what_will_happen(
    client: Client, admin: User, north: Unit, south: Unit
) -> None:
    ward = make_unit("ward", north)
    choose = text_of(client, url("move", ward))
    assert f'value="{south.pk}"' in choose
    assert f'<option value="{ward.pk}"' not in choose
    assert now(ward).parent == north
    address = f"{url('move', ward)}?to={south.pk}"
    preview = text_of(client, address)
    assert "Ward moves; nothing is below it." in preview
    assert client.post(address, {"version": ward.version}).status_code == 422  # no reason
    assert client.post(address, {"version": ward.version - 1, "reason": WHY}).status_code == 409
    assert now(ward).parent == north
    assert client.post(address, {"version": ward.version, "reason": WHY}).status_code == 302
    assert now(ward).parent == south
    page = text_of(client, url("unit", ward))
    assert "Moved from North to South" in page
    assert WHY in page
    assert client.get(f"{url('move', ward)}?to=nonsense").status_code == 422


def test_a_merger_shows_what_goes_over(
    client: Client, admin: User, north: Unit, south: Unit
) -> None:
    Membership.objects.create(user=make_user("Per Person"), unit=north)
    address = f"{url('merge', north)}?to={south.pk}"
    assert "Goes over to South" in text_of(client, address)
    assert client.post(address, {"version": north.version, "reason": WHY}).status_code == 302
    closed = text_of(client, url("unit", north))
    assert f'href="{url("unit", south)}"' in closed
    assert url("reopen", north) not in closed
    assert "Per Person" in text_of(client, url("unit", south))


def test_a_unit_is_closed_and_opened_again(client: Client, admin: User, north: Unit) -> None:
    make_unit("ward", north)
    page = url("close", north)
    assert "Still open below it: Ward" in text_of(client, page)
    form = {"closed_on": timezone.localdate().isoformat(), "reason": WHY, "version": north.version}
    refused = client.post(page, form)
    assert (refused.status_code, "Ward" in refused.content.decode()) == (422, True)
    assert now(north).is_open
    assert client.post(page, {**form, "with_below": "on"}).status_code == 302
    link = f'href="{url("unit", north)}"'
    assert link not in text_of(client, url("units"))
    assert link in text_of(client, url("units"), closed="on")
    assert url("reopen", north) in text_of(client, url("unit", north))
    version = now(north).version
    reopened = client.post(url("reopen", north), {"version": version, "reason": "too early"})
    assert reopened.status_code == 302
    assert "too early" in text_of(client, url("unit", north))


def test_people_are_added_changed_and_ended(client: Client, admin: User, north: Unit) -> None:
    make_user("Per Person", username="RDAH0008")
    new = url("member_new", north)
    form = {"user": "rdah0008", "title": "Nurse", "starts_on": "2026-01-01", "reason": WHY}
    assert client.post(new, {**form, "ends_on": "2025-01-01"}).status_code == 422
    assert client.post(new, form).status_code == 302
    assert client.post(new, form).status_code == 422
    member = Membership.objects.get()
    page = reverse("organisation:member", args=[member.pk])
    assert "Nurse" in text_of(client, page)
    change = {"title": "Doctor", "starts_on": "2026-01-01", "reason": WHY}
    assert client.post(page, {**change, "version": member.version}).status_code == 302
    assert "Doctor" in text_of(client, url("unit", north))
    end = reverse("organisation:end_member", args=[member.pk])
    dialog = client.get(end, headers=HTMX).content.decode()
    assert "<dialog" in dialog
    assert client.post(end, {"ends_on": "2026-11-20", "reason": "left"}).status_code == 302
    member.refresh_from_db()
    assert str(member.ends_on) == "2026-11-20"


def test_units_out_of_reach_are_neither_shown_nor_changed(
    client: Client, north: Unit, south: Unit
) -> None:
    sign_in(client, keeper("Kim Keeper", north))
    page = text_of(client, url("units"))
    assert ("North" in page, "South" in page) == (True, False)
    member = Membership.objects.create(user=make_user("Per Person"), unit=south)
    for name in ("unit", "change", "move", "merge", "close", "reopen", "member_new"):
        assert client.get(url(name, south)).status_code == 404, name
    for name in ("member", "end_member"):
        assert client.get(reverse(f"organisation:{name}", args=[member.pk])).status_code == 404
    form = {"name": "X", "code": "x", "kind": "ward", "parent": south.pk, "reason": WHY}
    assert client.post(url("unit_new"), form).status_code == 422
    # what one keeps is not taken out of the reach of who is above, nor does the page offer it
    assert url("move", north) not in text_of(client, url("unit", north))
    ward = make_unit("ward", north)
    moved = client.post(
        f"{url('move', north)}?to={ward.pk}", {"version": north.version, "reason": WHY}
    )
    assert moved.status_code == 422
    sign_in(client, make_user("Nobody"))
    for name in ("units", "unit_new"):
        assert client.get(url(name)).status_code == 403
    assert client.get(url("unit", north)).status_code == 403
    assert_whole()


def test_pages_take_as_many_queries_for_many_units_and_people_as_for_few(
    client: Client, admin: User, region: Unit
) -> None:
    counts = []
    for many in (10, 150):
        for number in range(Unit.objects.count(), many):
            unit = make_unit(f"u{number}", region)
            Membership.objects.create(user=make_user(f"P {number}"), unit=region)
            Membership.objects.create(user=admin, unit=unit)
        for address in (url("units"), url("unit", region)):
            client.get(address)
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address).status_code == 200
            counts.append(len(captured))
    assert counts[:2] == counts[2:]
    assert max(counts) <= 30
