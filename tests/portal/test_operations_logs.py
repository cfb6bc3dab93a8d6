"""Browsing and exporting audit trail and access log (PT-024)."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from portal.accounts.models import User
from portal.audit.models import AccessEntry, AuditEntry
from portal.audit.services import Access, log_access, record
from portal.operations import exports
from portal.operations.trail import PAGE_LENGTH, log_page
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit() -> Unit:
    return make_unit("hospital", name="Nordhavn")


@pytest.fixture
def auditor(unit: Unit) -> User:
    person = make_user("Ingrid Vestermark")
    give(person, "audit.auditor", unit)
    return person


@pytest.fixture
def page_of(auditor: User) -> Client:
    client = Client()
    client.force_login(auditor, backend="portal.accounts.backends.RegionalIdBackend")
    return client


def text(client: Client, path: str, **query: object) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content.decode()
    return answer.content.decode()


TRAIL_PATH, ACCESS_PATH = "/operations/audit/", "/operations/access-log/"


# --- who may ---------------------------------------------------------------------------------


@pytest.mark.requirement("PT-024")
@pytest.mark.parametrize(
    "path",
    ["audit/", "audit/1/", "audit/export/", "access-log/", "access-log/1/",
     "who-saw/", "reviews/", "reviews/new/"],
)  # fmt: skip
def test_only_who_holds_the_privilege_reads_the_logs(path: str) -> None:
    client = Client()
    client.force_login(make_user("Nobody"), backend="portal.accounts.backends.RegionalIdBackend")
    assert client.get(f"/operations/{path}").status_code == 403
    assert Client().get(f"/operations/{path}").status_code == 302


@pytest.mark.requirement("PT-024")
def test_browsing_is_one_privilege_and_exporting_another(unit: Unit) -> None:
    from portal.access.models import Role

    Role.objects.create(
        code="audit.reader", name="Reader", module="audit", privileges=["audit.browse_logs"]
    )
    person = make_user("Reader")
    give(person, "audit.reader", unit)
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    page = text(client, TRAIL_PATH)
    assert "audit/export" not in page
    assert client.get("/operations/audit/export/").status_code == 403


# --- reading is logged -----------------------------------------------------------------------


@pytest.mark.requirement("PT-024")
def test_reading_the_log_is_itself_logged_with_what_was_asked_for(
    page_of: Client, auditor: User
) -> None:
    text(page_of, TRAIL_PATH, text="Nordhavn", since="2026-11-01")
    noted = AccessEntry.objects.filter(object_repr="audit trail").latest("pk")
    assert (noted.action, noted.actor_id) == ("open", auditor.pk)
    assert noted.data == {"text": "Nordhavn", "since": "2026-11-01"}
    text(page_of, ACCESS_PATH, patient="010190-1234")
    noted = AccessEntry.objects.filter(object_repr="access log").latest("pk")
    assert noted.patient == "010190-1234"
    entry = AuditEntry.objects.latest("pk")
    text(page_of, f"{TRAIL_PATH}{entry.pk}/")
    assert AccessEntry.objects.filter(object_repr=f"audit trail entry {entry.pk}").exists()


# --- filters and pages -----------------------------------------------------------------------


@pytest.mark.requirement("PT-024")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "wanted thing"),
        ("text", "wanted reason"),
        ("person", "Wanted"),
        ("person", "wanted serv"),
        ("action", "test.wanted"),
        ("object_type", "organisation.unit"),
        ("until", "2001-01-01"),
    ],
)
def test_every_filter_narrows(page_of: Client, unit: Unit, name: str, value: str) -> None:
    unit.name = "A wanted thing"
    with acting(
        actor=ServiceActor("wanted service", on_behalf_of=make_user("Wanted Person")),
        reason="wanted reason",
    ):
        wanted = record("test.wanted", unit)
    other = record("test.other", data={"n": 1})
    if name == "until":
        wanted = AuditEntry.objects.create(
            action="test.old", at=timezone.now().replace(year=2001, month=1, day=1)
        )
    page = text(page_of, TRAIL_PATH, **{name: value})
    assert f'id="entry-{wanted.pk}"' in page
    assert f'id="entry-{other.pk}"' not in page
    assert f'id="entry-{wanted.pk}"' not in text(page_of, TRAIL_PATH, text="nothing like it")


@pytest.mark.requirement("PT-024")
def test_a_day_is_a_day_of_the_site(page_of: Client) -> None:
    late = timezone.make_aware(timezone.datetime(2026, 3, 4, 23, 30))
    entry = AuditEntry.objects.create(action="test.late", at=late)
    row = f'id="entry-{entry.pk}"'
    assert row in text(page_of, TRAIL_PATH, since="2026-03-04", until="2026-03-04")
    assert row not in text(page_of, TRAIL_PATH, since="2026-03-05")
    assert row not in text(page_of, TRAIL_PATH, until="2026-03-03")


def test_a_filter_that_cannot_be_read_says_so_and_narrows_nothing(page_of: Client) -> None:
    page = text(page_of, TRAIL_PATH, since="yesterday")
    assert "Enter a valid date" in page
    assert text(page_of, TRAIL_PATH, before="x" * 30, after="-1")


@pytest.mark.requirement("PT-024")
def test_pages_by_key_show_every_entry_once_in_both_directions() -> None:
    entries = AuditEntry.objects.filter(action__startswith="test.page")
    for n in range(PAGE_LENGTH * 2 + 3):
        record(f"test.page{n}")
    first = log_page(entries)
    assert first.newer is None
    second = log_page(entries, before=first.older)
    third = log_page(entries, before=second.older)
    assert third.older is None
    seen = [entry.pk for page in (first, second, third) for entry in page.entries]
    assert seen == sorted(entries.values_list("pk", flat=True), reverse=True)
    back = log_page(entries, after=third.newer)
    assert [e.pk for e in back.entries] == [e.pk for e in second.entries]
    top = log_page(entries, after=back.newer)
    assert [e.pk for e in top.entries] == [e.pk for e in first.entries]
    assert top.newer is None


def test_the_page_costs_the_same_number_of_queries_whatever_is_in_the_log(page_of: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(page_of, TRAIL_PATH, text="test.")
        return len(captured)

    for n in range(3):
        record("test.some", data={"n": n}, reason="test.")
    queries()
    few = queries()
    for n in range(40):
        record("test.many", data={"n": n}, reason="test.")
    assert queries() == few


@pytest.mark.requirement("PT-024")
def test_an_entry_is_readable_field_by_field(page_of: Client, unit: Unit) -> None:
    entry = record(
        "test.changed",
        unit,
        data={"kind": ["ward", "laboratory"], "closed_on": [None, "2026-11-21"], "note": "<b>"},
        reason="moved",
    )
    page = text(page_of, f"{TRAIL_PATH}{entry.pk}/")
    for words in ("<del>ward</del>", "<ins>laboratory</ins>", "closed on", "&lt;b&gt;", "moved"):
        assert words in page
    assert f"object_id={unit.pk}" in page
    assert f"/operations/history/organisation.unit/{unit.pk}/" in page


@pytest.mark.requirement("PT-024")
def test_an_entry_of_a_module_that_is_gone_is_readable(page_of: Client) -> None:
    entry = AuditEntry.objects.create(
        action="gone.act",
        object_type="gone.thing",
        object_id="7",
        object_repr="Thing 7",
        data={"some_field": [True, False]},
    )
    page = text(page_of, f"{TRAIL_PATH}{entry.pk}/")
    assert "some field" in page
    assert "<del>yes</del>" in page
    assert page_of.get(f"{TRAIL_PATH}987654321/").status_code == 404
    history = text(page_of, "/operations/history/gone.thing/7/")
    assert "Module gone is not in use" in history
    assert "Thing 7" in history


# --- who saw this ----------------------------------------------------------------------------


@pytest.mark.requirement("PT-006", "PT-024")
def test_who_acted_in_another_role_is_shown_filtered_for_and_exported(page_of: Client) -> None:
    with acting(actor=make_user("Support Person"), acting_as="Shop user at Nordhavn"):
        entry = record("test.support")
    record("test.own")
    page = text(page_of, TRAIL_PATH, acting_as="shop user", action="test.")
    assert "acting as Shop user at Nordhavn" in page
    assert "test.own" not in page
    assert "Shop user at Nordhavn" in text(page_of, f"{TRAIL_PATH}{entry.pk}/")
    (row,) = exported_csv(page_of, acting_as="shop user")
    assert (row["actor_name"], row["acting_as"]) == ("Support Person", "Shop user at Nordhavn")


# --- export ----------------------------------------------------------------------------------

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", '=HYPERLINK("http://x")',
            "\uff1d1+1", "\x01=1+1"]  # fmt: skip


def exported_csv(client: Client, **query: str) -> list[dict[str, str]]:
    answer = client.get("/operations/audit/export/", {"format": "csv", **query})
    assert answer.status_code == 200
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))


@pytest.mark.requirement("PT-024")
@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_an_export_is_a_formula(page_of: Client, formula: str) -> None:
    record("test.formula", reason=formula, data={formula: formula})
    (row,) = exported_csv(page_of, action="test.formula")
    assert row["reason"].startswith("'")
    answer = page_of.get("/operations/audit/export/", {"format": "xlsx", "action": "test.formula"})
    sheet = load_workbook(io.BytesIO(answer.content)).active
    cells = [cell for line in sheet.iter_rows() for cell in line]
    assert "f" not in {cell.data_type for cell in cells}
    assert "'" in [str(cell.value)[0] for cell in cells if cell.value]


@pytest.mark.requirement("PT-024")
def test_an_export_holds_what_the_filter_leaves_and_is_logged(
    page_of: Client, auditor: User
) -> None:
    wanted = [record("test.wanted", data={"æ": "ø"}) for _n in range(3)]
    record("test.other")
    rows = exported_csv(page_of, action="test.wanted")
    assert [int(row["id"]) for row in rows] == [entry.pk for entry in wanted]
    assert rows[0]["data"] == '{"æ": "ø"}'
    noted = AccessEntry.objects.filter(action="export").latest("pk")
    assert (noted.actor_id, noted.object_repr) == (auditor.pk, "audit trail")
    assert noted.data == {"action": "test.wanted", "format": "csv", "entries": 3}
    log_access(Access.OPEN, "something")
    assert exported_csv(page_of, log="access")[-1]["object_repr"] == "something"


def test_an_export_that_cannot_be_made_is_refused(
    page_of: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page_of.get("/operations/audit/export/?log=none").status_code == 422
    assert page_of.get("/operations/audit/export/?since=x").status_code == 422
    record("test.act"), record("test.act")
    monkeypatch.setattr(exports, "LARGEST_SHEET", 1)
    answer = page_of.get("/operations/audit/export/?format=xlsx&action=test.act")
    assert answer.status_code == 422
    assert "too many for a sheet" in answer.content.decode()


def test_a_large_csv_comes_in_parts() -> None:
    entry = record("test.large", reason="x" * 40_000)
    parts = list(exports.as_csv([entry] * 5))
    assert len(parts) > 1
    assert len(list(csv.reader(io.StringIO("".join(parts))))) == 6


def test_the_newest_page_is_shown_first(page_of: Client) -> None:
    old = AuditEntry.objects.create(action="test.old", at=timezone.now() - timedelta(days=1))
    new = record("test.new")
    page = text(page_of, TRAIL_PATH)
    assert page.index(f'id="entry-{new.pk}"') < page.index(f'id="entry-{old.pk}"')
    assert "Filter" in page


@pytest.mark.parametrize(
    "query",
    [
        {"since": "0001-01-01", "until": "9999-12-31"},
        {"since": "9999-12-31", "until": "0001-01-01"},
        {"before": "9" * 5000, "after": "²"},
    ],
)
def test_days_and_keys_at_the_ends_of_what_there_is_are_no_crash(
    page_of: Client, query: dict[str, str]
) -> None:
    assert page_of.get("/operations/audit/", query).status_code == 200


@pytest.mark.parametrize("page", ["9" * 9, "9" * 30, "9" * 5000, "²", "-1"])
def test_a_page_of_a_history_that_cannot_be_is_no_crash(
    page_of: Client, unit: Unit, page: str
) -> None:
    answer = page_of.get(f"/operations/history/organisation.unit/{unit.pk}/", {"page": page})
    assert answer.status_code == 200
