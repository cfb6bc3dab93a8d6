"""Verdicts on batches: certified, signed, in two stages, once; and beside releases (TS-046)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from tracershop.models import Batch, Certification, QualityResult, Recall, Release, Verdict
from tracershop.selectors.batches import alarms
from tracershop.services.certifications import revoke_certification
from tracershop.services.release import release_orders
from tracershop.services.verdicts import MEANINGS, give_verdict, put_alarm_aside

from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.notifications.my_tasks import tasks_for
from portal.records.errors import Refused
from portal.signing.models import Signature
from portal.signing.services import State, verify
from tests.tracershop.batching import (
    GOOD,
    JUDGED_AT,
    certify,
    enter,
    judge,
    make_batch,
    make_tests,
    recall,
    release_from_lot,
)
from tests.tracershop.factories import shop_world
from tests.tracershop.releasing import (
    RELEASE_AT,
    accepted,
    at_once,
    make_vial,
    signer,
    wanted,
)


@pytest.fixture
def world(db):
    return shop_world()


@pytest.fixture
def committed(transactional_db):
    return shop_world()


def refusal(act, *args, **options) -> Refused:
    with pytest.raises(Refused) as refused:
        act(*args, **options)
    return refused.value


def task_titles(user):
    return [str(task.title) for group in tasks_for(user) for task in group.tasks]


# --- two stages ------------------------------------------------------------------------------


@pytest.mark.requirement("TS-046", "TS-121")
def test_a_batch_is_released_conditionally_then_fully_each_time_signed(world):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, **GOOD)
    first = judge(world, batch, "conditionally_released")
    assert first.confirmed == ["tests_pending"]
    assert first.signature.meaning == MEANINGS["conditionally_released"]
    assert first.seen["missing"] == ["sterility"]
    enter(world, batch, sterility=True)
    second = judge(world, batch, "released")
    batch.refresh_from_db()
    assert (batch.status, batch.status_reason) == ("released", "as the results say")
    assert second.confirmed == []
    # later results change nothing of what was signed before
    assert {verify(each.signature).state for each in (first, second)} == {State.VALID}
    entries = AuditEntry.objects.filter(action="tracershop.batch_judged").order_by("pk")
    assert [each.data["status"] for each in entries] == [
        ["quarantine", "conditionally_released"],
        ["conditionally_released", "released"],
    ]


@pytest.mark.requirement("TS-046")
def test_a_result_corrected_after_the_verdict_shows_on_its_signature(world):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, **GOOD)
    verdict = judge(world, batch, "conditionally_released")
    enter(world, batch, pH=6.2, reason="misread")
    seen = verify(verdict.signature)
    assert seen.state is State.CHANGED
    assert any("value" in change.path for change in seen.changes)


@pytest.mark.requirement("TS-046")
@pytest.mark.parametrize(
    ("results", "verdict", "detail"),
    [
        ({}, "conditionally_released", "pH: there is no result yet."),
        ({"pH": 6.1, "purity": 99.0}, "conditionally_released", "appearance: there is no result"),
        (GOOD, "released", "sterility: there is no result yet."),
        (GOOD | {"pH": 9.0}, "conditionally_released", "pH: the result is outside its limits."),
        (GOOD | {"sterility": False}, "conditionally_released", "sterility: the result is outside"),
    ],
)
def test_what_is_missing_or_failed_forbids_the_release_and_is_named(
    world, results, verdict, detail
):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, **results)
    refused = refusal(judge, world, batch, verdict)
    assert refused.code == "not_possible"
    assert any(detail in each for each in refused.details), refused.details
    assert not Verdict.objects.exists()
    assert not Signature.objects.exists()


@pytest.mark.requirement("TS-046")
def test_a_warning_must_be_confirmed_first(world):
    make_tests(world)
    batch = make_batch(world)
    enter(world, batch, **GOOD)
    refused = refusal(judge, world, batch, "conditionally_released", confirmed=())
    assert (refused.code, refused.details) == ("unconfirmed", ["Not known yet: sterility."])


@pytest.mark.requirement("TS-046")
def test_an_expired_batch_one_without_expiry_and_a_verdict_without_reason_are_refused(world):
    batch = make_batch(world)
    late = JUDGED_AT + timedelta(days=1)
    assert "expired at" in refusal(judge, world, batch, "released", now=late).details[0]
    bare = make_batch(world, lot="FDG-261123-2", expires_at=None)
    assert refusal(judge, world, bare, "released").details == ["The batch has no expiry."]
    assert refusal(judge, world, batch, "released", reason=" ").code == "reason_needed"
    for verdict in ("recalled", "quarantine", "wonderful"):
        assert refusal(judge, world, batch, verdict).code == "status"


@pytest.mark.requirement("TS-046")
def test_no_verdict_undoes_a_rejection(world):
    batch = make_batch(world)
    judge(world, batch, "rejected")
    for verdict in ("released", "conditionally_released"):
        refused = refusal(judge, world, batch, verdict)
        assert refused.details == ["The batch cannot get this verdict any more."]
    assert Batch.objects.get().status == "rejected"


# --- who may ---------------------------------------------------------------------------------


@pytest.mark.requirement("TS-046", "TS-080")
def test_only_certified_people_of_production_judge(world):
    batch = make_batch(world)
    refused = refusal(judge, world, batch, "released", by=world.uncertified)
    assert refused.details == ["You are not certified for this tracer."]
    Certification.objects.filter(user=world.producer).get()
    with pytest.raises(PermissionDenied):
        judge(world, batch, "released", by=world.superuser)
    with pytest.raises(PermissionDenied):  # another person's key
        give_verdict(
            actor=world.producer,
            batch_id=batch.pk,
            verdict="rejected",
            reason="impure",
            signer=signer(world.production_admin),
            now=JUDGED_AT,
        )
    assert refusal(judge, world, Batch(pk=10**6), "released").code == "gone"
    assert not Verdict.objects.exists()


# --- an alarm: rejected after releases -------------------------------------------------------


@pytest.mark.requirement("TS-046", "TS-087")
def test_a_rejection_after_releases_raises_an_alarm_until_somebody_deals_with_it(world):
    batch = make_batch(world, status="released")
    release_from_lot(world)
    judge(world, batch, "rejected", reason="not sterile")
    told = Notification.objects.filter(level="alarm")
    assert {each.user for each in told} == {
        world.producer,
        world.uncertified,
        world.production_admin,
    }
    assert {each.url for each in told} == {f"/tracershop/batches/{batch.pk}/"}
    assert list(alarms(world.producer)) == [batch]
    wanted_task = f"Batch {batch.lot} was rejected after releases: recall it?"
    assert wanted_task in task_titles(world.uncertified)
    assert task_titles(world.secretary) == []
    with pytest.raises(PermissionDenied):
        put_alarm_aside(actor=world.superuser, batch_id=batch.pk, reason="all came back")
    assert refusal(put_alarm_aside, actor=world.producer, batch_id=batch.pk, reason=" ").code
    put_alarm_aside(actor=world.producer, batch_id=batch.pk, reason="all came back")
    put_alarm_aside(actor=world.production_admin, batch_id=batch.pk, reason="once more")
    batch.refresh_from_db()
    assert (batch.set_aside_by, batch.set_aside_reason) == (world.producer, "all came back")
    assert not alarms(world.producer)
    assert AuditEntry.objects.filter(action="tracershop.alarm_put_aside").count() == 1


@pytest.mark.requirement("TS-087")
def test_a_recall_ends_the_alarm(world):
    batch = make_batch(world, status="released")
    release_from_lot(world)
    judge(world, batch, "rejected")
    recall(world, batch)
    assert not alarms(world.producer)
    assert Recall.objects.count() == 1


@pytest.mark.requirement("TS-046")
def test_a_rejection_before_any_release_is_no_alarm(world):
    batch = make_batch(world)
    judge(world, batch, "rejected")
    assert not alarms(world.producer)
    refused = refusal(put_alarm_aside, actor=world.producer, batch_id=batch.pk, reason="x")
    assert refused.code == "no_alarm"


# --- two at once, and beside a release -------------------------------------------------------


def impatient(act):
    """The act in a connection that waits for nobody: OperationalError where it would."""

    def run():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        return act()

    return run


def rejecting(world, batch):
    """The rejection, its key opened beforehand."""
    certify(world, world.production_admin)
    key = signer(world.production_admin)
    return lambda: give_verdict(
        actor=world.production_admin,
        batch_id=batch.pk,
        verdict="rejected",
        reason="impure",
        signer=key,
        now=JUDGED_AT,
    )


def revoking(world, _batch):
    certification = Certification.objects.get(user=world.producer)
    return lambda: revoke_certification(
        actor=world.production_admin, certification_id=certification.pk, reason="left"
    )


def failing(world, batch):
    make_tests(world)
    return lambda: enter(world, batch, pH=12.0)


def releasing(world):
    """Releasing one order from one vial of the batch."""
    requests, key = [wanted(accepted(world), make_vial(world))], signer(world.producer)
    return lambda: release_orders(
        actor=world.producer, requests=requests, signer=key, now=RELEASE_AT
    )


@pytest.mark.requirement("TS-046", "TS-081")
@pytest.mark.parametrize("act", [rejecting, revoking, failing])
def test_a_verdict_waits_for_a_release_that_has_read_what_it_would_change(committed, act):
    release, verdict = (
        releasing(committed),
        act(committed, make_batch(committed, status="released")),
    )
    with transaction.atomic():
        release()
        assert isinstance(at_once(impatient(verdict))[0], OperationalError)
    assert Release.objects.count() == 1
    verdict()


@pytest.mark.requirement("TS-046", "TS-081")
@pytest.mark.parametrize("act", [rejecting, revoking, failing])
def test_a_release_waits_for_a_verdict_that_is_being_given_and_heeds_it(committed, act):
    release, verdict = (
        releasing(committed),
        act(committed, make_batch(committed, status="released")),
    )
    with transaction.atomic():
        verdict()
        assert isinstance(at_once(impatient(release))[0], OperationalError)
    assert refusal(release).code == "not_releasable"
    assert Release.objects.count() == 0


@pytest.mark.requirement("TS-046")
def test_two_who_give_the_same_verdict_at_once_give_it_once(committed):
    batch = make_batch(committed)
    act = rejecting(committed, batch)
    first, second = at_once(act, act)
    assert first == second
    assert Verdict.objects.count() == Signature.objects.count() == 1


@pytest.mark.requirement("TS-046")
def test_of_two_verdicts_that_contradict_each_other_the_later_sees_the_first(committed):
    batch = make_batch(committed)
    key = signer(committed.producer)
    reject = rejecting(committed, batch)

    def release():
        return give_verdict(
            actor=committed.producer,
            batch_id=batch.pk,
            verdict="released",
            reason="good",
            confirmed=["no_tests"],
            signer=key,
            now=JUDGED_AT,
        )

    results = at_once(release, reject)
    assert Batch.objects.get().status == "rejected"
    assert isinstance(results[1], Verdict)
    assert isinstance(results[0], (Verdict, Refused))


@pytest.mark.requirement("TS-046")
def test_two_who_enter_a_result_at_once_leave_one(committed):
    make_tests(committed)
    batch = make_batch(committed)
    results = at_once(*(lambda v=v: enter(committed, batch, pH=v) for v in (6.0, 6.5)))
    assert QualityResult.objects.count() == 1
    refused = [each for each in results if isinstance(each, Refused)]
    assert [each.code for each in refused] == ["reason_needed"]
