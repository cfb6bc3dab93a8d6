"""Verdict, recall and correction by passkey: what the device signs before the act is what the act
signs (PT-030)."""

from __future__ import annotations

import pytest
from tracershop.services.corrections import correct_release
from tracershop.services.recalls import start_recall
from tracershop.services.verdicts import give_verdict

from portal.signing.models import Signature
from portal.signing.services import State, verify
from tests.support.authenticators import SoftAuthenticator
from tests.support.passkeys import accept, ask, give_passkey
from tests.tracershop.batching import (
    GOOD,
    JUDGED_AT,
    enter,
    make_batch,
    make_tests,
    release_from_lot,
)
from tests.tracershop.factories import shop_world
from tests.tracershop.releasing import RELEASE_AT, accepted

pytestmark = pytest.mark.requirement("TS-046", "TS-084", "TS-087", "PT-030")


@pytest.fixture
def world(db):
    return shop_world()


def judging(world):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, **GOOD)
    return lambda key, minute: give_verdict(
        actor=world.producer,
        batch_id=batch.pk,
        verdict="conditionally_released",
        reason="as measured",
        confirmed=["tests_pending"],
        signer=key,
        now=JUDGED_AT.replace(minute=minute),
    )


def recalling(world):
    batch = make_batch(world, status="released")
    release_from_lot(world, accepted(world), accepted(world, slot=world.slot_b))
    return lambda key, minute: start_recall(
        actor=world.producer,
        batch_id=batch.pk,
        reason="particles",
        instructions="Do not use it.",
        signer=key,
    )


def correcting(world):
    (order,) = release_from_lot(world)
    return lambda key, minute: correct_release(
        actor=world.producer,
        order_id=order.pk,
        reason="wrong vial",
        signer=key,
        now=RELEASE_AT.replace(minute=minute),
    )


@pytest.mark.parametrize("prepare", [judging, recalling, correcting])
def test_what_the_device_was_shown_is_what_is_signed(world, prepare):
    device, act = SoftAuthenticator(), prepare(world)
    give_passkey(world.producer, device)
    before = Signature.objects.count()
    options = ask(world.producer, lambda key: act(key, 31))
    assert Signature.objects.count() == before  # asked, and nothing done yet
    act(accept(world.producer, device.get(options)), 32)  # a minute later
    made = Signature.objects.latest("pk")
    assert (made.method, verify(made).state) == ("passkey", State.VALID)
