"""The yearly access review: every line confirmed or revoked by somebody else, then signed."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import openpyxl
import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from tracershop.models.customers import Customer, CustomerUserObjectPermission

from portal.access import services
from portal.access.decision import can, forget_held
from portal.access.models import (
    AccessReview,
    GroupMember,
    ObjectException,
    PeopleGroup,
    ReviewLine,
    Role,
    RoleGrant,
)
from portal.access.reviewing import due_for, reviews, undecided
from portal.access.rules import REVIEW_EVERY, is_coming_due, review_due_on
from portal.accounts.models import User
from portal.audit.models import AccessEntry, AuditEntry
from portal.audit.services import Access, log_access, record
from portal.operations.access_review import SIGNABLE, sign_review, signed_facts, tasks_for
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.signing.models import Signature
from portal.signing.services import State, verify
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user
from tests.support.signing import PIN, give_pin

pytestmark = pytest.mark.requirement("PT-017")

SHOP = "tracershop.shop_external"
PLACE = "tracershop.place_order"


@dataclass
class World:
    """house → (clinic → room, pharmacy). Rita and Otto review at the clinic."""

    house: Unit
    clinic: Unit
    room: Unit
    pharmacy: Unit
    rita: User
    otto: User
    ib: User
    eva: User
    """In the team, which holds the shop's role at the clinic; has an exception for a customer."""
    customer: Customer
    team: PeopleGroup
    grant: RoleGrant
    """Ib's, at the room."""


@pytest.fixture
def world(db: None) -> World:
    house = make_unit("house")
    clinic, pharmacy = make_unit("clinic", house), make_unit("pharmacy", house)
    room = make_unit("room", clinic)
    rita, otto, ib, eva = (make_user(name) for name in ("Rita", "Otto", "Ib", "Eva"))
    for reviewer in (rita, otto):
        give(reviewer, "access.unit_administrator", clinic)
    role = Role.objects.get(code=SHOP)
    with acting(actor=rita):
        team = PeopleGroup.objects.create(name="Team A", unit=clinic)
        GroupMember.objects.create(group=team, user=eva)
    RoleGrant.objects.create(group=team, role=role, unit=clinic, granted_by=otto)
    customer = Customer.objects.create(name="Ward 3", unit=room)
    services.grant_exception(
        actor=rita, user=eva, privilege="tracershop.see_own_orders", obj=customer, reason="x"
    )
    grant = give(ib, SHOP, room, granted_by=rita, ends_on=timezone.localdate())
    give(ib, SHOP, pharmacy)
    give(eva, SHOP, room, ends_on=timezone.localdate() - timedelta(days=1))
    return World(house, clinic, room, pharmacy, rita, otto, ib, eva, customer, team, grant)


def begin(world: World, **values: Any) -> AccessReview:
    return services.open_review(actor=world.rita, unit=world.clinic, **values)


def line_of(review: AccessReview, **values: Any) -> ReviewLine:
    return ReviewLine.objects.get(review=review, **values)


def decide_all(world: World, review: AccessReview) -> None:
    """Each of the two confirms what is not their own."""
    for reviewer, other in ((world.rita, world.otto), (world.otto, world.rita)):
        lines = undecided(review).exclude(person=reviewer).values_list("pk", flat=True)
        services.confirm_lines(actor=reviewer, review_id=review.pk, line_ids=list(lines))
        assert not undecided(review).exclude(person__in=[reviewer, other]).exists()


def refused(code: str, service: Any, **values: Any) -> None:
    with pytest.raises(Refused) as refusal:
        service(**values)
    assert refusal.value.code == code


# --- what is listed -------------------------------------------------------------------------------


def test_a_review_lists_what_is_held_at_the_unit_and_below(world: World) -> None:
    review = begin(world)
    told = {(line.holder, line.held, line.place) for line in review.lines.all()}
    assert told == {
        ("Rita", "role Administrator of access at a unit", "Clinic"),
        ("Otto", "role Administrator of access at a unit", "Clinic"),
        ("group Team A", "role Shop, external", "Clinic"),
        ("Ib", "role Shop, external", "Room"),
        ("Eva", "place in group Team A", "Clinic"),
        ("Eva", "exception: See orders of represented customers – Ward 3", "Room"),
    }
    line = line_of(review, grant=world.grant)
    assert (line.since, line.granted_by) == (timezone.localdate(), "Rita")
    assert line.details.startswith("until ")
    assert line_of(review, member__isnull=False).granted_by == "Rita"
    assert line_of(review, exception__isnull=False).granted_by == "Rita"


def test_exceptions_for_what_belongs_to_no_unit_are_reviewed_at_the_top(world: World) -> None:
    exception = ObjectException.objects.get()
    exception.unit = None
    exception.save()
    root = make_user("Root")
    give(root, "access.portal_administrator", world.house)
    assert not begin(world).lines.filter(exception__isnull=False).exists()
    top = services.open_review(actor=root, unit=world.house)
    assert line_of(top, exception=exception).unit == world.house


def test_the_last_use_is_the_newest_logged_act_in_the_module(world: World) -> None:
    with acting(actor=world.ib):
        log_access(Access.OPEN, world.customer)
        log_access(Access.OPEN, world.clinic)
    with acting(actor=world.ib, acting_as="another role"):
        record("tracershop.something", world.customer)
    with acting(actor=world.eva):
        record("tracershop.something", world.clinic)
    ib_acted = AccessEntry.objects.get(actor_id=world.ib.pk, object_type="tracershop.customer").at
    eva_acted = AuditEntry.objects.get(actor_id=world.eva.pk, action="tracershop.something").at
    User.objects.filter(pk=world.ib.pk).update(last_seen_at=ib_acted)
    review = begin(world)
    line = line_of(review, grant=world.grant)
    assert (line.last_act_at, line.last_seen_at) == (ib_acted, ib_acted)
    assert line_of(review, group=world.team).last_act_at == eva_acted
    assert line_of(review, person=world.otto).last_act_at is None


def test_opening_a_review_takes_the_same_number_of_reads_for_many_lines(world: World) -> None:
    from portal.access.review_lines import lines_of_unit

    review = begin(world)
    counts = []
    for number in range(20):
        person = make_user(f"Person {number}")
        give(person, SHOP, world.room)
        GroupMember.objects.create(group=world.team, user=person)
        if number in (1, 19):
            with CaptureQueriesContext(connection) as queries:
                lines = lines_of_unit(review, timezone.localdate())
            counts.append(len(queries))
    assert counts[0] == counts[1]
    assert len(lines) == 6 + 2 * 20


def test_who_may_begin_a_review_and_only_one_at_a_time(world: World) -> None:
    with pytest.raises(PermissionDenied):
        services.open_review(actor=world.ib, unit=world.clinic)
    with pytest.raises(PermissionDenied):
        services.open_review(actor=ServiceActor("night"), unit=world.clinic)
    for unit in (world.house, world.pharmacy):
        refused("outside_unit", services.open_review, actor=world.rita, unit=unit)
    begin(world)
    refused("already_open", services.open_review, actor=world.otto, unit=world.clinic)
    empty = make_unit("empty", world.clinic)
    refused("nothing", services.open_review, actor=world.rita, unit=empty)
    assert AccessReview.objects.count() == 1


# --- deciding -------------------------------------------------------------------------------------


def test_revoking_takes_it_away_at_once(world: World) -> None:
    review = begin(world)
    act = {"actor": world.rita, "reason": "left the ward"}
    for line, gone in (
        (line_of(review, grant=world.grant), world.ib),
        (line_of(review, member__isnull=False), world.eva),
    ):
        assert can(User.objects.get(pk=gone.pk), PLACE)
        services.revoke_line(**act, line_id=line.pk)
        line.refresh_from_db()
        assert (line.decision, line.reason, line.decided_by) == (
            "revoked",
            "left the ward",
            world.rita,
        )
        refused("decided", services.revoke_line, **act, line_id=line.pk)
    give(world.ib, SHOP, world.room)  # another, not reviewed
    world.grant.refresh_from_db()
    assert world.grant.is_deleted
    assert not GroupMember.objects.filter(group=world.team, user=world.eva).exists()
    services.revoke_line(**act, line_id=line_of(review, exception__isnull=False).pk)
    assert not CustomerUserObjectPermission.objects.exists()
    ended = AuditEntry.objects.filter(reason="left the ward").values_list("action", flat=True)
    assert {"access.role_ended", "access.member_removed", "access.exception_ended"} <= set(ended)


def test_revoking_a_groups_role_takes_it_from_every_member(world: World) -> None:
    review = begin(world)
    line = line_of(review, group=world.team)
    services.revoke_line(actor=world.rita, line_id=line.pk, reason="not needed")
    assert not can(User.objects.get(pk=world.eva.pk), PLACE)


def test_nobody_decides_about_what_they_hold(world: World) -> None:
    review = begin(world)
    own = line_of(review, person=world.rita)
    GroupMember.objects.create(group=world.team, user=world.rita)
    through_group = line_of(review, group=world.team)
    for line in (own, through_group):
        refused(
            "own_line",
            services.confirm_lines,
            actor=world.rita,
            review_id=review.pk,
            line_ids=[line.pk],
        )
        refused("own_line", services.revoke_line, actor=world.rita, line_id=line.pk, reason="x")
    # one such line among others stops all of them
    both = [own.pk, line_of(review, grant=world.grant).pk]
    refused(
        "own_line",
        services.confirm_lines,
        actor=world.rita,
        review_id=review.pk,
        line_ids=both,
    )
    assert not ReviewLine.objects.exclude(decision="").exists()


def test_deciding_takes_the_privilege_at_the_unit_and_a_reason_for_revoking(world: World) -> None:
    review = begin(world)
    line = line_of(review, grant=world.grant)
    elsewhere = make_user("Else")
    give(elsewhere, "access.unit_administrator", world.pharmacy)
    act = {"line_id": line.pk, "reason": "x"}
    refused("outside_unit", services.revoke_line, actor=elsewhere, **act)
    refused(
        "outside_unit",
        services.confirm_lines,
        actor=elsewhere,
        review_id=review.pk,
        line_ids=[line.pk],
    )
    with pytest.raises(PermissionDenied):
        services.revoke_line(actor=world.ib, **act)
    refused("reason_needed", services.revoke_line, actor=world.rita, line_id=line.pk, reason=" ")
    refused("gone", services.revoke_line, actor=world.rita, line_id=0, reason="x")


def test_a_line_of_another_review_is_not_confirmed(world: World) -> None:
    review = begin(world)
    root = make_user("Root")
    give(root, "access.portal_administrator", world.house)
    other = services.open_review(actor=root, unit=world.house)
    theirs = line_of(other, grant=world.grant)
    count = services.confirm_lines(actor=world.rita, review_id=review.pk, line_ids=[theirs.pk])
    assert count == 0
    theirs.refresh_from_db()
    assert theirs.decision == ""


# --- signing off ----------------------------------------------------------------------------------


def test_a_review_is_signed_off_when_every_line_is_decided(world: World) -> None:
    give_pin(world.rita)
    review = begin(world)
    act = {"actor": world.rita, "review_id": review.pk, "signer": None}
    refused("undecided", sign_review, **act)
    decide_all(world, review)
    services.end_grant(
        actor=world.otto, grant_id=RoleGrant.objects.get(group=world.team).pk, reason="meanwhile"
    )
    signed = sign_and_commit(world.rita, review)
    assert signed.closed_by == world.rita
    signature = Signature.objects.get(signable=SIGNABLE)
    assert verify(signature).state is State.VALID
    assert len(signed_facts(signed)["lines"]) == 6
    for service, values in (
        (services.revoke_line, {"line_id": review.lines.first().pk, "reason": "x"}),
        (services.confirm_lines, {"review_id": review.pk, "line_ids": [1]}),
        (services.close_review, {"review_id": review.pk}),
    ):
        refused("closed", service, actor=world.otto, **values)


def sign_and_commit(person: User, review: AccessReview, remark: str = "all well") -> AccessReview:
    return sign_review(actor=person, review_id=review.pk, signer=opened(person), remark=remark)


def opened(person: User) -> Any:
    """The person's key; outside of the test's transaction it is what `unlock` gives."""
    from portal import serverkeys
    from portal.signing import crypto
    from portal.signing.services import signing_key_of
    from portal.signing.services.opening import UnlockedKey, sealed_key

    key = signing_key_of(person)
    found = crypto.open_key(sealed_key(key), PIN, serverkeys.load_pepper())
    return UnlockedKey(user_id=person.pk, key_pk=key.pk, opened=found)


def test_what_ended_by_itself_meanwhile_needs_no_decision(world: World) -> None:
    give_pin(world.rita)
    review = begin(world)
    services.end_grant(actor=world.otto, grant_id=world.grant.pk, reason="left")
    services.remove_member(actor=world.otto, member_id=GroupMember.objects.get().pk, reason="left")
    services.end_exception(
        actor=world.otto,
        user=world.eva,
        privilege="tracershop.see_own_orders",
        obj=world.customer,
        reason="left",
    )
    assert undecided(review).count() == 3
    decide_all(world, review)
    sign_and_commit(world.rita, review)
    decisions = sorted(review.lines.values_list("decision", flat=True))
    assert decisions == ["confirmed"] * 3 + ["ended"] * 3
    closed = AuditEntry.objects.get(action="access.review_closed")
    assert closed.data == {"unit": "clinic", "confirmed": 3, "revoked": 0, "ended": 3}


def test_a_line_changed_behind_the_signature_is_seen(world: World) -> None:
    give_pin(world.rita)
    review = begin(world)
    decide_all(world, review)
    sign_and_commit(world.rita, review)
    line = review.lines.order_by("pk").first()
    line.decision = "revoked"
    line.save()
    verdict = verify(Signature.objects.get(signable=SIGNABLE))
    assert verdict.state is State.CHANGED
    assert verdict.fields == ["lines[0].decision"]


# --- when it is due -------------------------------------------------------------------------------


def test_a_review_is_due_a_year_after_the_last_one_or_the_first_grant() -> None:
    day = date(2026, 3, 1)
    assert review_due_on(day, date(2020, 1, 1)) == date(2027, 3, 1)
    assert review_due_on(None, day) == date(2027, 3, 1)
    assert review_due_on(None, None) is None
    due = date(2027, 3, 1)
    assert not is_coming_due(due, date(2027, 1, 29))
    assert is_coming_due(due, date(2027, 1, 30))
    assert is_coming_due(due, date(2028, 1, 1))
    assert not is_coming_due(None, day)


def _age(world: World, days: int) -> None:
    for grant in RoleGrant.all_objects.all():
        grant.created_at = timezone.now() - timedelta(days=days)
        grant.save()


@pytest.mark.requirement("PT-017", "PT-045")
def test_a_review_stands_among_the_tasks_when_due_under_way_and_overdue(world: World) -> None:
    assert tasks_for(world.rita) == []
    assert tasks_for(world.ib) == []
    _age(world, REVIEW_EVERY.days - 20)
    [task] = tasks_for(world.rita)
    assert task.title == "Access review of Clinic: begin it"
    assert not task.urgent
    _age(world, REVIEW_EVERY.days + 1)
    assert tasks_for(world.rita)[0].urgent
    review = begin(world)
    [task] = tasks_for(world.rita)
    assert task.title == "Access review of Clinic: 6 lines to decide"
    assert task.url == reverse("operations:access_review", args=[review.pk])
    assert not task.urgent
    review.due_on = timezone.localdate() - timedelta(days=1)
    review.save()
    assert tasks_for(world.rita)[0].urgent
    decide_all(world, review)
    assert tasks_for(world.otto)[0].title == "Access review of Clinic: sign it off"
    give_pin(world.rita)
    sign_and_commit(world.rita, review)
    assert tasks_for(world.rita) == []
    [due] = due_for(world.rita)
    assert due.due_on == timezone.localdate() + REVIEW_EVERY


def test_a_review_of_the_unit_above_counts_for_those_below(world: World) -> None:
    _age(world, REVIEW_EVERY.days + 1)
    below = make_user("Bo Below")
    give(below, "access.unit_administrator", world.room)
    assert tasks_for(below)
    give_pin(world.rita)
    review = begin(world)
    services.confirm_lines(
        actor=world.rita,
        review_id=review.pk,
        line_ids=[line_of(review, person=below).pk],
    )
    decide_all(world, review)
    sign_and_commit(world.rita, review)
    assert tasks_for(below) == []


def test_asking_for_the_tasks_takes_few_queries(world: World) -> None:
    begin(world)
    forget_held(world.rita)
    with CaptureQueriesContext(connection) as queries:
        tasks_for(world.rita)
    assert len(queries) <= 4, [query["sql"] for query in queries]
    forget_held(world.ib)
    with CaptureQueriesContext(connection) as queries:
        tasks_for(world.ib)
    assert len(queries) == 1  # what the person holds


# --- pages ----------------------------------------------------------------------------------------


def url(name: str, *args: Any) -> str:
    return reverse(f"operations:{name}", args=args)


@pytest.mark.django_db(transaction=True)
def test_a_review_is_begun_worked_through_exported_and_signed_on_its_pages(
    client: Client, transactional_db: None, request: pytest.FixtureRequest
) -> None:
    services.sync_predefined_roles()
    world: World = request.getfixturevalue("world")
    give_pin(world.rita)
    sign_in(client, world.rita)
    overview = client.get(url("access_reviews")).content.decode()
    assert "No review yet" in overview
    start = url("begin_access_review", world.clinic.pk)
    assert start in overview
    due_on = timezone.localdate() + timedelta(days=14)
    assert client.post(start, {"due_on": due_on.isoformat()}).status_code == 302
    again = client.post(start, {"due_on": due_on.isoformat()})
    assert "is under way" in again.content.decode()
    review = AccessReview.objects.get()
    sheet = url("access_review", review.pk)
    page = client.get(sheet).content.decode()
    assert "Yours: somebody else decides" in page
    assert "Ward 3" in page
    assert "Sign the review off" not in page
    assert client.get(sheet, {"text": "ib"}).content.decode().count('id="line-') == 1

    confirm = url("confirm_access_review", review.pk)
    assert client.post(confirm, {}).status_code == 422
    ib = line_of(review, grant=world.grant)
    assert client.post(confirm, {"line": [ib.pk], "back": "text=ib"}).status_code == 302
    revoke = url("revoke_access_line", line_of(review, exception__isnull=False).pk)
    assert client.post(revoke, {"reason": ""}).status_code == 422
    assert client.post(revoke, {"reason": "back at work"}).status_code == 302
    shown = [line.pk for line in undecided(review) if line.person_id != world.rita.pk]
    assert client.post(confirm, {"all": "1", "shown": shown}).status_code == 302
    own = line_of(review, person=world.rita)
    assert list(undecided(review)) == [own]
    refusal = client.post(confirm, {"line": [own.pk]})
    assert refusal.status_code == 422
    assert "Somebody else has to decide" in refusal.content.decode()
    assert client.post(sheet, {"pin": PIN}).status_code == 422  # not yet
    assert not Signature.objects.exists()

    sign_in(client, world.otto)
    assert client.post(confirm, {"line": [own.pk]}).status_code == 302
    sign_in(client, world.rita)
    assert "Sign the review off" in client.get(sheet).content.decode()
    wrong = client.post(sheet, {"pin": "99999999", "remark": "all well"})
    assert wrong.status_code == 422
    assert AccessReview.objects.get().closed_at is None
    assert client.post(sheet, {"pin": PIN, "remark": "all well"}).status_code == 302
    page = client.get(sheet).content.decode()
    assert "Rita" in page
    assert "all well" in page
    assert "Valid" in page

    answer = client.get(url("export_access_review", review.pk))
    rows = list(openpyxl.load_workbook(io.BytesIO(answer.content)).active.values)
    assert len(rows) == 7
    assert "Last logged act in the module" in rows[0]
    by_who = {(row[1], row[8], row[9]) for row in rows[1:]}
    assert ("Ib", "confirmed", None) in by_who
    assert ("Eva", "revoked", "back at work") in by_who
    entry = AccessEntry.objects.filter(action="export").latest("pk")
    assert (entry.object_type, entry.data) == (
        "access.accessreview",
        {"format": "xlsx", "lines": 6},
    )


def test_reviews_of_other_units_are_not_found(client: Client, world: World) -> None:
    review = begin(world)
    line = review.lines.first()
    elsewhere = make_user("Else")
    give(elsewhere, "access.unit_administrator", world.pharmacy)
    assert not reviews(elsewhere).exists()
    pages = [
        url("access_review", review.pk),
        url("confirm_access_review", review.pk),
        url("export_access_review", review.pk),
        url("revoke_access_line", line.pk),
        url("begin_access_review", world.clinic.pk),
    ]
    for person, status in ((elsewhere, 404), (world.ib, 403)):
        sign_in(client, person)
        for page in pages:
            sent = {"reason": "x", "line": [line.pk], "pin": PIN, "due_on": "2027-01-01"}
            assert client.post(page, sent).status_code in (status, 405), page
            assert client.get(page).status_code in (status, 405), page
    assert AccessReview.objects.count() == 1
    assert not ReviewLine.objects.exclude(decision="").exists()


def test_the_worksheet_takes_the_same_number_of_queries_at_any_length(
    client: Client, world: World
) -> None:
    sign_in(client, world.rita)
    client.get(url("access_reviews"))  # what only the first page of a session reads
    counts = []
    for number in range(40):
        give(make_user(f"Person {number}"), SHOP, world.room)
        if number in (3, 39):
            review = begin(world)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url("access_review", review.pk)).status_code == 200
            counts.append(len(queries))
            review.closed_at = timezone.now()
            review.save()
    assert counts[0] == counts[1]


# --- two at once ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_who_begin_at_once_begin_one_review(
    transactional_db: None, request: pytest.FixtureRequest
) -> None:
    services.sync_predefined_roles()
    world: World = request.getfixturevalue("world")
    barrier, outcomes = threading.Barrier(2), []

    def run(actor: User) -> None:
        try:
            barrier.wait(timeout=30)
            services.open_review(actor=actor, unit=world.clinic)
            outcomes.append("begun")
        except Refused as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[actor]) for actor in (world.rita, world.otto)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["already_open", "begun"]
    assert AccessReview.objects.count() == 1
