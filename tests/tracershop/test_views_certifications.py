"""The certifications page: who may release what, days left, renewed and revoked by others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from tracershop.models import Certification
from tracershop.selectors.certifications import certification_matrix
from tracershop.selectors.tasks import open_tasks

from portal.notifications.models import Notification
from portal.records.context import ServiceActor
from tests.support.accounts import sign_in
from tests.support.factories import give, make_user
from tests.tracershop.factories import shop_world, stop_clock

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("TS-085")]


@pytest.fixture
def world(monkeypatch):
    stop_clock(monkeypatch)
    return shop_world()


@pytest.fixture
def admin(client, world):
    sign_in(client, world.production_admin)
    return client


def certify(world, user, *, days, **values):
    today = timezone.localdate()
    given = {"tracer": world.fdg, "valid_from": today - timedelta(days=400),
             "granted_by": world.production_admin}  # fmt: skip
    return Certification.objects.create(
        user=user, expires_on=today + timedelta(days=days), **(given | values)
    )


PAGE = "/tracershop/certifications/"


def shown(response):
    return " ".join(response.content.decode().split())


def test_the_matrix_says_of_each_person_and_tracer_how_long_it_holds(world):
    today = timezone.localdate()
    certify(world, world.uncertified, days=30)
    certify(world, world.production_admin, days=-1)
    certify(world, world.uncertified, days=90, tracer=world.water,
            valid_from=today + timedelta(days=1))  # fmt: skip
    certify(world, world.secretary, days=31)
    tracers, people = certification_matrix(today)
    assert tracers == [world.fdg, world.water]
    states = {str(row.person): [(c.state, c.days_left) for c in row.cells] for row in people}
    assert states == {
        "Asta Winther": [("expired", -1), ("none", None)],
        "Jens Friis": [("warning", 30), ("waiting", 90)],
        "Karen Brandt": [("active", 203), ("none", None)],
        "Mette Dalgaard": [("active", 31), ("none", None)],
    }
    assert [str(row.person) for row in people if not row.has_role] == ["Mette Dalgaard"]


def test_the_page_takes_as_many_queries_for_many_people_as_for_few(admin, world):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(PAGE).status_code == 200
        return len(captured)

    queries()
    before = queries()
    for number in range(6):
        person = make_user(f"Producer {number}")
        give(person, "tracershop.production_user", world.region)
        certify(world, person, days=number)
    assert queries() == before


def test_it_shows_days_left_who_granted_it_and_what_is_expired(admin, world):
    certify(world, world.uncertified, days=1)
    certify(world, world.secretary, days=-10)
    text = shown(admin.get(PAGE))
    assert "1 day left" in text
    assert "by Asta Winther" in text
    assert "Expired" in text
    assert "no production role: releases nothing" in text


def test_a_certification_is_renewed_and_revoked_with_a_reason(admin, world):
    old = certify(world, world.uncertified, days=5)
    address = reverse("tracershop:renew_certification", args=[old.pk])
    until = timezone.localdate() + timedelta(days=365)
    assert f'value="{until:%Y-%m-%d}"' in shown(admin.get(address))
    assert admin.post(address, {"expires_on": until, "reason": ""}).status_code == 422
    far = until + timedelta(days=2000)
    assert admin.post(address, {"expires_on": far, "reason": "trained"}).status_code == 422
    assert admin.post(address, {"expires_on": until, "reason": "trained"}).status_code == 302
    new = Certification.objects.get(user=world.uncertified)
    assert (new.expires_on, new.valid_from) == (until, timezone.localdate())
    assert Certification.all_objects.get(pk=old.pk).is_deleted
    revoke = reverse("tracershop:revoke_certification", args=[new.pk])
    assert admin.post(revoke, {"reason": ""}).status_code == 422
    assert admin.post(revoke, {"reason": "left"}).status_code == 302
    assert not Certification.objects.filter(user=world.uncertified).exists()
    assert admin.get(revoke).status_code == 404


def test_nobody_has_a_hand_in_their_own(admin, world):
    own = certify(world, world.production_admin, days=5)
    for name in ("renew_certification", "revoke_certification"):
        address = reverse(f"tracershop:{name}", args=[own.pk])
        assert address not in shown(admin.get(PAGE))
        assert admin.get(address).status_code == 403
        until = timezone.localdate() + timedelta(days=365)
        assert admin.post(address, {"expires_on": until, "reason": "x"}).status_code == 403
    sent = {"user": world.production_admin.pk, "tracer": world.fdg.pk, "reason": "x",
            "valid_from": "2026-11-22", "expires_on": "2027-11-22"}  # fmt: skip
    assert admin.post(reverse("tracershop:certify"), sent).status_code == 422
    own.refresh_from_db()
    assert own.version == 1


def test_an_empty_cell_leads_to_the_form_filled_in(admin, world):
    link = f"?user={world.uncertified.pk}&tracer={world.fdg.pk}"
    assert f"{link.replace('&', '&amp;')}#certify" in shown(admin.get(PAGE))
    text = shown(admin.get(PAGE + link))
    assert f'value="{world.uncertified.pk}" selected' in text
    sent = {"user": world.uncertified.pk, "tracer": world.fdg.pk, "reason": "trained"}
    wrong = {**sent, "valid_from": "2027-11-22", "expires_on": "2026-11-22"}
    answer = admin.post(reverse("tracershop:certify"), wrong)
    assert (answer.status_code, "It must end after it begins" in shown(answer)) == (422, True)
    right = {**sent, "valid_from": "2026-11-22", "expires_on": "2027-11-22"}
    assert admin.post(reverse("tracershop:certify"), right).status_code == 302
    assert Certification.objects.get(user=world.uncertified).granted_by == world.production_admin


@pytest.mark.requirement("PT-045")
def test_what_expires_is_a_task_of_those_who_certify_but_not_ones_own(world):
    certify(world, world.uncertified, days=7)
    certify(world, world.production_admin, days=3)

    def task(user):
        found = [each for each in open_tasks(user) if each.url == PAGE]
        return found[0] if found else None

    assert (task(world.production_admin).count, task(world.production_admin).urgent) == (1, True)
    assert task(world.producer) is None
    other = make_user("Other Admin")
    give(other, "tracershop.production_admin", world.region)
    assert task(other).count == 2


def test_a_notice_leads_to_the_page_only_those_who_may_open_it(world):
    from tracershop.services.certifications import announce_expiring

    certify(world, world.uncertified, days=7)
    announce_expiring(actor=ServiceActor("certifications"))
    urls = dict(Notification.objects.values_list("user__name", "url"))
    assert urls == {"Jens Friis": "", "Asta Winther": PAGE}
