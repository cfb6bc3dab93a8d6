"""The audit trail is reviewed part by part; each review is signed and watched (PT-024)."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import User
from portal.audit.chain import TRAIL
from portal.audit.models import AccessEntry, AuditEntry, ChainLink
from portal.audit.services import record
from portal.audit.verification import verify_chain
from portal.notifications.my_tasks import tasks_for
from portal.operations import reviews
from portal.operations.models import TrailReview
from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.signing.services import State, signatures_of, unlock, verify, verify_all
from tests.support.factories import give, make_unit, make_user
from tests.support.signing import PIN, give_pin
from tests.support.tampering import rewrite_links_from, tamper

# links are made at commit
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("PT-024")]
NEW, LIST = "/operations/reviews/new/", "/operations/reviews/"


@pytest.fixture
def unit(server_keys: object) -> Unit:
    return make_unit("hospital", name="Nordhavn")


def make_auditor(unit: Unit, name: str = "Ingrid Vestermark") -> User:
    person = make_user(name)
    give(person, "audit.auditor", unit)
    give_pin(person)
    return person


@pytest.fixture
def auditor(unit: Unit) -> User:
    return make_auditor(unit)


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client


def head() -> ChainLink:
    return ChainLink.objects.filter(chain=TRAIL).latest("seq")


def review(person: User, **values: Any) -> TrailReview:
    given = {
        "last_seq": head().seq,
        "wanted": {},
        "filters": {},
        "findings": "Every grant of this week, nothing unusual.",
        "signer": unlock(person, PIN),
        **values,
    }
    return reviews.sign_review(actor=person, **given)


# --- the page --------------------------------------------------------------------------------


def test_a_review_is_signed_off_on_its_page(auditor: User) -> None:
    record("test.rare")
    for _n in range(3):
        record("test.often")
    client = client_of(auditor)
    page = client.get(NEW).content.decode()
    assert page.index("test.rare") < page.index("test.often")
    stood = head().seq
    record("test.meanwhile")
    sent = {"last_seq": stood, "findings": "Looked through.", "pin": PIN}
    answer = client.post(NEW, sent)
    assert answer.status_code == 302, answer.content.decode()
    signed = TrailReview.objects.get()
    assert (signed.first_seq, signed.last_seq, signed.reviewed_by) == (1, stood, auditor)
    assert signed.head.seq == stood
    assert signed.from_at <= signed.until_at
    listed = client.get(LIST).content.decode()
    assert "Looked through." in listed
    assert "Valid" in listed
    told = AuditEntry.objects.get(action="audit.reviewed")
    assert (told.object_id, told.reason) == (str(signed.pk), "Looked through.")
    assert "Last reviewed by Ingrid Vestermark" in client.get("/operations/audit/").content.decode()
    noted = AccessEntry.objects.filter(object_repr="audit trail, to review it")
    assert noted.exists()


def test_the_next_review_goes_on_where_the_last_one_ended(auditor: User) -> None:
    first = review(auditor)
    record("test.later")
    second = review(auditor)
    assert second.first_seq == first.last_seq + 1
    assert second.entries == second.last_seq - first.last_seq


def test_the_filter_of_the_reviewer_is_signed_and_counted(auditor: User) -> None:
    record("test.wanted"), record("test.wanted"), record("test.other")
    stood = head().seq
    client = client_of(auditor)
    page = client.get(f"{NEW}?action=test.wanted").content.decode()
    assert "test.wanted" in page
    assert "test.other" not in page
    sent = {"last_seq": stood, "findings": "Only these.", "pin": PIN}
    client.post(f"{NEW}?action=test.wanted", sent)
    signed = TrailReview.objects.get()
    assert (signed.filters, signed.found) == ({"action": "test.wanted"}, 2)
    assert signed.entries > 2


def test_a_wrong_pin_and_a_missing_finding_sign_nothing(auditor: User) -> None:
    client, stood = client_of(auditor), head().seq
    record("test.meanwhile")
    sent = {"last_seq": stood, "findings": "Looked through.", "pin": "99999999"}
    wrong = client.post(NEW, sent)
    assert wrong.status_code == 422
    assert "tries are left" in wrong.content.decode()
    assert f'name="last_seq" value="{stood}"' in wrong.content.decode()  # the part that was shown
    assert "Looked through." in wrong.content.decode()
    assert client.post(NEW, {"last_seq": stood, "findings": " ", "pin": PIN}).status_code == 422
    assert client.post(NEW, {"last_seq": "x", "findings": "a", "pin": PIN}).status_code == 422
    assert client.get(f"{NEW}?since=x").status_code == 422
    assert not TrailReview.objects.exists()


def test_where_nothing_is_new_there_is_nothing_to_sign(auditor: User) -> None:
    tamper("DELETE FROM audit_auditentry", "DELETE FROM audit_chainlink WHERE chain = 'trail'")
    page = client_of(auditor).get(NEW).content.decode()
    assert "Nothing was written since the last review." in page
    assert "data-signs" not in page


# --- the service -----------------------------------------------------------------------------


def test_what_cannot_be_signed_off_is_refused(auditor: User) -> None:
    def code(**values: Any) -> str:
        with pytest.raises(Refused) as refused:
            review(auditor, **values)
        return refused.value.code

    assert code(findings=" ") == "no_findings"
    assert code(last_seq=head().seq + 100) == "nothing_new"
    signed = review(auditor)
    assert code(last_seq=signed.last_seq) == "nothing_new"
    assert code(last_seq=0) == "nothing_new"


def test_administrators_do_not_sign_off_their_own_acts(unit: Unit) -> None:
    person = make_user("Administrator")
    give(person, "access.portal_administrator", unit)
    give_pin(person)
    with pytest.raises(PermissionDenied):
        review(person)
    client = client_of(person)
    assert client.get(LIST).status_code == 200
    assert "Review what is new" not in client.get(LIST).content.decode()
    assert client.get(NEW).status_code == 403
    assert client.post(NEW, {"last_seq": 1, "findings": "x", "pin": PIN}).status_code == 403


def test_a_part_that_does_not_verify_is_not_signed_off(auditor: User) -> None:
    entry = record("test.act")
    record("test.after")
    tamper(f"UPDATE audit_auditentry SET action = 'other' WHERE id = {entry.pk}")
    with pytest.raises(Refused) as refused:
        review(auditor)
    assert refused.value.code == "unsound"
    assert f"entry {entry.pk} " in refused.value.details[0]
    sent = {"last_seq": head().seq, "findings": "Fine.", "pin": PIN}
    answer = client_of(auditor).post(NEW, sent)
    assert answer.status_code == 422
    assert "does not verify" in answer.content.decode()


def test_of_two_who_review_at_once_one_signs(unit: Unit) -> None:
    people = [make_auditor(unit, "First Auditor"), make_auditor(unit, "Second Auditor")]
    signers = [unlock(person, PIN) for person in people]
    stood, start = head().seq, threading.Barrier(2, timeout=20)
    outcomes: list[str] = []

    def sign(number: int) -> None:
        try:
            start.wait()
            review(people[number], last_seq=stood, signer=signers[number])
            outcomes.append("signed")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["nothing_new", "signed"]
    assert verify_chain(TRAIL) == []


def test_the_database_refuses_to_rewrite_a_review(auditor: User) -> None:
    review(auditor)
    for statement in ("UPDATE {} SET findings = 'x'", "DELETE FROM {}"):
        with pytest.raises(Exception, match="is refused on"), connection.cursor() as cursor:
            cursor.execute(statement.format("operations_trailreview"))


# --- what the signature is worth ---------------------------------------------------------------


def test_a_trail_rewritten_after_its_review_spoils_the_signature(auditor: User) -> None:
    entry = record("test.act")
    record("test.after")
    signed = review(auditor)
    (signature,) = signatures_of(signed)
    assert verify(signature).state is State.VALID
    assert verify_all().faults == []
    tamper(f"UPDATE audit_auditentry SET action = 'other' WHERE id = {entry.pk}")
    rewrite_links_from(TRAIL, ChainLink.objects.get(chain=TRAIL, entry_id=entry.pk).seq)
    assert verify_chain(TRAIL) == []  # a thorough forger, and no anchor yet
    verdict = verify(signature)
    assert verdict.state is State.CHANGED
    assert any("head" in field for field in verdict.fields)
    assert "Changed since signing" in client_of(auditor).get(LIST).content.decode()


def test_findings_changed_behind_the_portal_s_back_show(auditor: User) -> None:
    signed = review(auditor)
    tamper(f"UPDATE operations_trailreview SET findings = 'x' WHERE id = {signed.pk}")
    (signature,) = signatures_of(signed)
    assert verify(signature).state is State.CHANGED


# --- the reminder ----------------------------------------------------------------------------


def titles(person: User) -> list[str]:
    return [str(task.title) for group in tasks_for(person) for task in group.tasks]


def test_auditors_are_reminded_in_my_tasks(auditor: User, settings: Settings) -> None:
    settings.PORTAL_TRAIL_REVIEW_DAYS = 31
    review(auditor)
    reviewed_at = TrailReview.objects.get().reviewed_at

    def tasks(now: datetime) -> list[Any]:
        return reviews.task_of(auditor, now)

    assert tasks(reviewed_at + timedelta(days=20)) == []
    (task,) = tasks(reviewed_at + timedelta(days=25))
    assert (task.due_at, task.urgent) == (reviewed_at + timedelta(days=31), False)
    (task,) = tasks(reviewed_at + timedelta(days=32))
    assert task.urgent
    assert reviews.task_of(make_user("Nobody"), reviewed_at + timedelta(days=32)) == []
    settings.PORTAL_TRAIL_REVIEW_DAYS = 0
    assert tasks(reviewed_at + timedelta(days=900)) == []
    assert reviews.due_at() is None


def test_a_first_review_is_due_a_month_after_the_trail_began(
    auditor: User, settings: Settings
) -> None:
    first = AuditEntry.objects.order_by("pk").first()
    assert first is not None
    assert reviews.due_at() == first.at + timedelta(days=31)
    tamper(f"UPDATE audit_auditentry SET at = at - interval '40 days' WHERE id = {first.pk}")
    assert "Review the audit trail and sign it off" in titles(auditor)
    page = client_of(auditor).get(LIST).content.decode()
    assert "A review is overdue" in page


def test_without_any_entry_nothing_is_due(auditor: User) -> None:
    tamper("DELETE FROM audit_auditentry", "DELETE FROM audit_chainlink WHERE chain = 'trail'")
    assert reviews.task_of(auditor, timezone.now()) == []


# --- how much it costs -------------------------------------------------------------------------


def test_the_list_of_reviews_costs_the_same_however_many_there_are(auditor: User) -> None:
    client = client_of(auditor)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(LIST).status_code == 200
        return len(captured)

    for _n in range(3):
        record("test.act")
        review(auditor)
    queries()
    few = queries()
    for _n in range(4):
        record("test.act")
        review(auditor)
    assert queries() == few


def test_a_page_of_a_long_part_costs_the_same_as_of_a_short_one(auditor: User) -> None:
    client = client_of(auditor)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(NEW).status_code == 200
        return len(captured)

    queries()
    few = queries()
    AuditEntry.objects.bulk_create(AuditEntry(action=f"test.{n % 300}") for n in range(1000))
    assert queries() == few
