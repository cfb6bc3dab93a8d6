"""A verdict and a release at the same moment: one waits for the other, none is missed (TS-082)."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection, transaction
from tracershop.models import Batch, Certification, Release
from tracershop.services.certifications import revoke_certification
from tracershop.services.release import release_orders
from tracershop.services.vials import set_batch_status

from portal.records.errors import Refused
from tests.tracershop.factories import shop_world
from tests.tracershop.releasing import (
    LOT,
    RELEASE_AT,
    accepted,
    at_once,
    make_vial,
    signer,
    wanted,
)


@pytest.fixture
def world(transactional_db):
    return shop_world()


def impatient(act):
    """The act in a connection that waits for nobody: OperationalError where it would."""

    def run():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        return act()

    return run


def reject(world):
    return set_batch_status(
        actor=world.production_admin, lot=LOT, status=Batch.Status.REJECTED, reason="impure"
    )


def revoke(world):
    certification = Certification.objects.get(user=world.producer)
    return revoke_certification(
        actor=world.production_admin, certification_id=certification.pk, reason="left"
    )


def releasing(world):
    """Releasing one order from one vial of `LOT`, which has no verdict yet."""
    requests, key = [wanted(accepted(world), make_vial(world))], signer(world.producer)
    return lambda: release_orders(
        actor=world.producer, requests=requests, signer=key, now=RELEASE_AT
    )


@pytest.mark.requirement("TS-046", "TS-081")
@pytest.mark.parametrize("verdict", [reject, revoke])
def test_a_verdict_waits_for_a_release_that_has_read_what_it_would_change(world, verdict):
    release = releasing(world)
    with transaction.atomic():
        release()
        assert isinstance(at_once(impatient(lambda: verdict(world)))[0], OperationalError)
    assert Release.objects.count() == 1
    verdict(world)


@pytest.mark.requirement("TS-046", "TS-081")
@pytest.mark.parametrize("verdict", [reject, revoke])
def test_a_release_waits_for_a_verdict_that_is_being_given_and_heeds_it(world, verdict):
    release = releasing(world)
    with transaction.atomic():
        verdict(world)
        assert isinstance(at_once(impatient(release))[0], OperationalError)
    with pytest.raises(Refused) as refused:
        release()
    assert refused.value.code == "not_releasable"
    assert Release.objects.count() == 0
