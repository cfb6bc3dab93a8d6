"""Who may release a tracer: granted and revoked by others, announced before it ends (TS-085)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import Certification
from tracershop.services.certifications import (
    announce_expiring,
    certify,
    revoke_certification,
)

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from tests.support.factories import give, make_user
from tests.tracershop.factories import shop_world

TODAY = date(2026, 11, 23)
ANNOUNCER = ServiceActor("certifications")


@pytest.fixture
def world(db):
    return shop_world()


@pytest.fixture
def grant(world):
    """Certify somebody, as the production admin where nothing else is said."""

    def certified(user, **changes):
        given = {
            "actor": world.production_admin,
            "user": user,
            "tracer_id": world.fdg.pk,
            "valid_from": TODAY,
            "expires_on": TODAY + timedelta(days=365),
            "reason": "Trained",
        }
        return certify(**(given | changes))

    return certified


@pytest.mark.requirement("TS-085", "TS-121")
def test_a_production_admin_certifies_another_with_a_reason(world, grant):
    certification = grant(world.uncertified)
    assert certification.granted_by == world.production_admin
    entry = AuditEntry.objects.get(action="tracershop.release_right_granted")
    assert (entry.actor_id, entry.reason) == (world.production_admin.pk, "Trained")
    assert entry.data == {"valid_from": "2026-11-23", "expires_on": "2027-11-23"}


@pytest.mark.requirement("TS-085")
@pytest.mark.parametrize("role", ["production_admin", "site_admin"])
def test_nobody_certifies_themselves_nor_revokes_their_own(world, grant, role):
    admin = make_user("Some Admin")
    give(admin, f"tracershop.{role}", world.region)
    with pytest.raises(Refused) as refused:
        grant(admin, actor=admin)
    assert refused.value.code == "self_grant"
    own = grant(admin)
    with pytest.raises(Refused) as refused:
        revoke_certification(actor=admin, certification_id=own.pk, reason="Of my own will")
    assert refused.value.code == "self_grant"
    assert Certification.objects.filter(pk=own.pk).exists()


@pytest.mark.requirement("TS-085")
@pytest.mark.parametrize("who", ["producer", "superuser", "secretary", "external"])
def test_only_a_production_admin_certifies(world, grant, who):
    with pytest.raises(PermissionDenied):
        grant(world.uncertified, actor=getattr(world, who))
    theirs = Certification.objects.get(user=world.producer)
    with pytest.raises(PermissionDenied):
        revoke_certification(
            actor=getattr(world, who), certification_id=theirs.pk, reason="because"
        )
    assert not Certification.objects.filter(user=world.uncertified).exists()


@pytest.mark.requirement("TS-085")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reason": " "}, "reason_needed"),
        ({"tracer_id": 10**6}, "gone"),
        ({"expires_on": TODAY - timedelta(days=1)}, "period"),
        ({"expires_on": TODAY + timedelta(days=3 * 366 + 1)}, "period"),
    ],
)
def test_a_certification_is_of_a_tracer_for_a_while_with_a_reason(world, grant, changes, code):
    with pytest.raises(Refused) as refused:
        grant(world.uncertified, **changes)
    assert refused.value.code == code


@pytest.mark.requirement("TS-085")
def test_who_has_no_production_role_is_not_certified(world, grant):
    for user in (world.secretary, make_user("Nobody")):
        with pytest.raises(Refused) as refused:
            grant(user)
        assert refused.value.code == "no_role"


@pytest.mark.requirement("TS-085")
def test_a_new_certification_takes_the_place_of_the_former_for_that_tracer_alone(world, grant):
    first = grant(world.uncertified)
    other = grant(world.uncertified, tracer_id=world.water.pk)
    second = grant(world.uncertified, expires_on=TODAY + timedelta(days=30))
    in_force = Certification.objects.filter(user=world.uncertified)
    assert set(in_force) == {second, other}
    assert Certification.all_objects.get(pk=first.pk).is_deleted


@pytest.mark.requirement("TS-085", "TS-121")
def test_revoking_needs_a_reason_and_leaves_the_row_and_a_trace(world, grant):
    certification = grant(world.uncertified)
    given = {"actor": world.production_admin, "certification_id": certification.pk}
    with pytest.raises(Refused) as refused:
        revoke_certification(**given, reason="")
    assert refused.value.code == "reason_needed"
    revoke_certification(**given, reason="Left the unit")
    assert not Certification.objects.filter(pk=certification.pk).exists()
    assert Certification.all_objects.filter(pk=certification.pk).exists()
    entry = AuditEntry.objects.get(action="tracershop.release_right_revoked")
    assert entry.reason == "Left the unit"
    with pytest.raises(Refused) as refused:
        revoke_certification(**given, reason="Again")
    assert refused.value.code == "gone"


@pytest.mark.requirement("TS-085")
def test_an_expiring_certification_is_announced_at_30_7_and_0_days_once_each(world, grant):
    grant(world.uncertified, expires_on=TODAY + timedelta(days=31))
    Certification.objects.filter(user=world.producer).get()
    announced = []
    for day in range(40):
        count = announce_expiring(actor=ANNOUNCER, today=TODAY + timedelta(days=day))
        again = announce_expiring(actor=ANNOUNCER, today=TODAY + timedelta(days=day))
        announced += [31 - day] * count
        assert again == 0
    assert announced == [30, 7, 0]
    for person in (world.uncertified, world.production_admin):
        texts = Notification.objects.filter(user=person).values_list("text", flat=True)
        assert len(texts) == 3
        assert all("Jens Friis" in text and "FDG" in text for text in texts)


@pytest.mark.requirement("TS-085")
def test_an_announcement_missed_while_nobody_looked_is_made_up_for_once(world, grant):
    grant(world.uncertified, expires_on=TODAY + timedelta(days=5))
    assert announce_expiring(actor=ANNOUNCER, today=TODAY) == 1
    assert announce_expiring(actor=ANNOUNCER, today=TODAY + timedelta(days=5)) == 1
    assert announce_expiring(actor=ANNOUNCER, today=TODAY + timedelta(days=6)) == 0
