"""The pages on which access is granted, composed, mapped and explained."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.access.models import DirectoryGroup, Role, RoleGrant
from portal.accounts.models import User
from portal.audit.models import AccessEntry
from portal.organisation.models import Unit
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def hospital() -> Unit:
    return make_unit("hospital")


@pytest.fixture
def clinic(hospital: Unit) -> Unit:
    return make_unit("clinic", hospital)


@pytest.fixture
def admin(client: Client, clinic: Unit) -> User:
    """Portal administrator of the clinic, logged in."""
    user = make_user("Ada Admin")
    give(user, "access.portal_administrator", clinic)
    return sign_in(client, user)


def text_of(client: Client, name: str, *args: object, **query: object) -> str:
    answer = client.get(reverse(f"access:{name}", args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.requirement("PT-013")
def test_a_role_is_granted_filtered_and_ended_on_its_pages(
    client: Client, admin: User, clinic: Unit
) -> None:
    make_user("Ib Ibsen", username="RDAH0007", email="ib@hospital.invalid")
    auditor = Role.objects.get(code="tracershop.shop_internal")
    assert "RDAH0007" in text_of(client, "grant", person="RDAH0007")
    form = {"user": "IB@hospital.invalid", "role": auditor.pk, "unit": clinic.pk, "below": "on"}
    url = reverse("access:grant")
    assert client.post(url, form).status_code == 422  # no reason
    assert client.post(url, form | {"reason": "reviews logs"}).status_code == 302
    again = client.post(url, form | {"reason": "reviews logs"})
    assert "holds this role at this unit already" in again.content.decode()
    grant = RoleGrant.objects.get(role=auditor)
    assert "Ib Ibsen" in text_of(client, "grants")
    assert "Ib Ibsen" in text_of(client, "grants", person="rdah", role=auditor.pk, unit=clinic.pk)
    assert "Ib Ibsen" not in text_of(client, "grants", person="nobody")
    assert "Ib Ibsen" in text_of(client, "grants", unit="nonsense")

    end = reverse("access:end_grant", args=[grant.pk])
    dialog = client.get(end, headers={"HX-Request": "true"}).content.decode()
    assert "<dialog" in dialog
    assert "<html" not in dialog
    assert client.post(end, {"reason": ""}).status_code == 422
    assert f'id="grant-{grant.pk}"' in text_of(client, "grants")
    assert client.post(end, {"reason": "moved"}).status_code == 302
    assert f'id="grant-{grant.pk}"' not in text_of(client, "grants")
    assert client.get(end).status_code == 404


@pytest.mark.requirement("PT-013")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user": "Ada.Admin"}, "Nobody grants a role to themselves"),
        ({"user": "nobody"}, "Nobody here has this regional ID"),
        ({"user": "twins@hospital.invalid"}, "Several people have this address"),
        ({"unit": "hospital"}, "valid choice"),
        ({"role": 0}, "valid choice"),
        ({"starts_on": "2027-01-02", "ends_on": "2027-01-01"}, "would end before"),
    ],
)
def test_what_is_refused_stands_on_the_form_and_grants_nothing(
    client: Client,
    admin: User,
    hospital: Unit,
    clinic: Unit,
    changes: dict[str, object],
    words: str,
) -> None:
    make_user("Ib")
    for name in ("Twin A", "Twin B"):
        make_user(name, email="twins@hospital.invalid")
    form = {
        "user": "ib",
        "role": Role.objects.get(code="tracershop.shop_internal").pk,
        "unit": clinic.pk,
        "reason": "x",
    } | changes
    if form["unit"] == "hospital":
        form["unit"] = hospital.pk
    answer = client.post(reverse("access:grant"), form)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert RoleGrant.objects.count() == 1


@pytest.mark.requirement("PT-013")
def test_grants_of_other_units_are_neither_listed_nor_ended(
    client: Client, admin: User, hospital: Unit
) -> None:
    other = give(make_user("Eva Else"), "audit.auditor", hospital)
    assert "Eva Else" not in text_of(client, "grants", person="Eva")
    end = reverse("access:end_grant", args=[other.pk])
    assert client.get(end).status_code == 404
    assert client.post(end, {"reason": "x"}).status_code == 404
    other.refresh_from_db()
    assert not other.is_deleted


@pytest.mark.requirement("PT-001")
def test_directory_groups_are_added_and_ended_on_their_pages(
    client: Client, admin: User, clinic: Unit
) -> None:
    assert "No directory group gives a role yet" in text_of(client, "directory")
    text_of(client, "directory_new")
    role = Role.objects.get(code="tracershop.shop_internal")
    form = {"name": "log-readers", "role": role.pk, "unit": clinic.pk, "reason": "new team"}
    url = reverse("access:directory_new")
    assert client.post(url, form).status_code == 302
    assert "already" in client.post(url, form).content.decode()
    assert "log-readers" in text_of(client, "directory")
    mapping = DirectoryGroup.objects.get()
    end = reverse("access:end_mapping", args=[mapping.pk])
    assert "lose the role" in text_of(client, "end_mapping", mapping.pk)
    assert f'id="mapping-{mapping.pk}"' in text_of(client, "directory")
    assert client.post(end, {"reason": "gone"}).status_code == 302
    assert f'id="mapping-{mapping.pk}"' not in text_of(client, "directory")


@pytest.mark.requirement("PT-012", "PT-022")
def test_roles_are_listed_composed_and_changed_and_the_second_saver_is_told(
    client: Client, admin: User
) -> None:
    page = text_of(client, "roles")
    assert "Production user" in page
    assert "Release orders" in page
    new = text_of(client, "role_new")
    assert "audit.browse_logs" in new
    assert "tracershop.release_order" not in new  # not held, so not offered
    form = {"name": "Log reader", "privileges": ["audit.browse_logs"], "reason": "wanted"}
    assert client.post(reverse("access:role_new"), form).status_code == 302
    forged = form | {"privileges": ["tracershop.release_order"]}
    assert client.post(reverse("access:role_new"), forged).status_code == 422

    role = Role.objects.get(name="Log reader")
    url = reverse("access:role", args=[role.pk])
    assert f'name="version" value="{role.version}"' in text_of(client, "role", role.pk)
    changed = form | {"name": "Reader of logs", "version": role.version}
    assert client.post(url, changed).status_code == 302
    late = client.post(url, form | {"name": "Another", "version": role.version})
    assert late.status_code == 409
    assert "Reader of logs" in late.content.decode()
    assert client.post(url, form | {"name": "No version"}).status_code == 409
    role.refresh_from_db()
    assert role.name == "Reader of logs"
    predefined = Role.objects.get(code="audit.auditor")
    assert client.get(reverse("access:role", args=[predefined.pk])).status_code == 404


@pytest.mark.requirement("PT-016")
def test_why_is_answered_and_the_question_is_in_the_access_log(
    client: Client, admin: User, clinic: Unit
) -> None:
    text_of(client, "explain")
    ib = make_user("Ib")
    give(ib, "audit.auditor", clinic)
    yes = text_of(client, "explain", person="ib", privilege="audit.browse_logs")
    assert "role Auditor at Clinic" in yes
    no = text_of(client, "explain", person="ib", privilege="tracershop.release_order")
    assert "No role of this person" in no
    entry = AccessEntry.objects.filter(action="open").first()
    assert (entry.actor_id, entry.object_id) == (admin.pk, str(ib.pk))
    assert entry.data["privilege"] == "tracershop.release_order"
    wrong = client.get(
        reverse("access:explain"),
        {"person": "ib", "privilege": "audit.browse_logs", "object": "no.thing:1"},
    )
    assert wrong.status_code == 422
    assert "no such kind" in wrong.content.decode()


@pytest.mark.requirement("PT-005", "PT-012")
def test_each_page_takes_its_privilege(client: Client, clinic: Unit) -> None:
    Role.objects.create(
        code="granter", name="Granter", module="x", privileges=["access.grant_role"]
    )
    granter, ib = make_user("Gry"), make_user("Ib")
    grant = give(granter, "granter", clinic)
    role = Role.objects.create(code="c", name="c", module="x", privileges=["access.explain"])
    mapping = DirectoryGroup.objects.create(name="x", role=role, unit=clinic)
    pages = {
        ("grants", ()): True,
        ("grant", ()): True,
        ("end_grant", (grant.pk,)): True,
        ("roles", ()): True,
        ("role_new", ()): False,
        ("role", (role.pk,)): False,
        ("directory", ()): False,
        ("directory_new", ()): False,
        ("end_mapping", (mapping.pk,)): False,
        ("explain", ()): False,
    }
    for (name, args), granters in pages.items():
        url = reverse(f"access:{name}", args=args)
        sign_in(client, granter)
        assert client.get(url).status_code == (200 if granters else 403), name
        sign_in(client, ib)
        assert client.get(url).status_code == 403, name
        assert client.post(url, {"reason": "x"}).status_code in (403, 405), name


@pytest.mark.requirement("PT-013")
def test_the_list_takes_the_same_number_of_queries_at_any_length(
    client: Client, admin: User, clinic: Unit
) -> None:
    counts = []
    for number in range(40):
        give(make_user(f"Person {number}"), "audit.auditor", clinic)
        if number in (4, 39):
            with CaptureQueriesContext(connection) as queries:
                text_of(client, "grants")
            counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("key", ["²", "9" * 30, "9" * 5000, "-1"])
def test_a_filter_that_no_key_can_be_filters_nothing(client: Client, admin: User, key: str) -> None:
    assert client.get(reverse("access:grants"), {"unit": key, "role": key}).status_code == 200
