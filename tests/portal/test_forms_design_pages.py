"""The pages of the form editor: the list, a form, its editor; what each act changes and refuses."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.accounts.models import User
from portal.forms.kinds import FORMS
from portal.forms.models import FormDesign, FormVersion
from portal.forms.rules.definition import Kind
from portal.forms.services.designs import begin_draft, export_design, publish_version, save_draft
from tests.support.accounts import sign_in
from tests.support.definitions import check, form_json, group, item
from tests.support.designs import AREA, Designers, area, make_draft, people

__all__ = ["area", "people"]
pytestmark = [pytest.mark.django_db, pytest.mark.requirement("DR-106")]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def designer(client: Client, people: Designers) -> User:
    return sign_in(client, people.designer)


def url(name: str, thing: Any = None) -> str:
    return reverse(f"forms:{name}", args=[thing.pk] if thing is not None else [])


def shown(client: Client, address: str, **query: Any) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def act(client: Client, draft: Any, name: str, at: str = "", **fields: Any) -> Any:
    """One act in the editor, on the draft as it is now."""
    draft.refresh_from_db()
    sent = {"act": name, "at": at, "version": draft.version, "tab": "items", **fields}
    answer = client.post(url("change", draft), sent, headers=HTMX)
    draft.refresh_from_db()
    return answer


def parts(draft: Any, section: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = draft.content["sections"][section]["parts"]
    return found


def settings_of(client: Client, draft: Any, at: str) -> dict[str, Any]:
    """The settings pane's fields as the page has them, ready to be sent."""
    page = client.get(url("editor", draft), {"at": at}, headers=HTMX)
    settings = page.context["state"].settings
    sent: dict[str, Any] = {}
    for name in settings.fields:
        value = settings.initial.get(name)
        if value not in (None, "", False, []):
            sent[name] = value
    return sent


def publish(people: Designers, draft: Any) -> Any:
    draft.refresh_from_db()
    return publish_version(
        FORMS,
        actor=people.publisher,
        version_id=draft.pk,
        opened_version=draft.version,
        reason="ready",
    )


# --- the list, new forms --------------------------------------------------------------------------


def test_the_list_shows_the_forms_of_ones_units_with_state_and_who_changed_them(
    client: Client, designer: User, people: Designers
) -> None:
    assert "No form yet" in shown(client, url("designs"))
    version = publish(people, make_draft(people))
    begin_draft(FORMS, actor=people.designer, design_id=version.design_id)
    make_draft(people, code="other")
    page = shown(client, url("designs"))
    assert page.count('id="design-') == 2
    assert "version 1" in page
    assert "Draft" in page
    assert "Dora Designer" in page
    assert "Nothing fits the filter" in shown(client, url("designs"), q="zzz")
    assert shown(client, url("designs"), q="other").count('id="design-') == 1
    sign_in(client, people.stranger)
    assert "No form yet" in shown(client, url("designs"))


def test_the_list_costs_the_same_for_one_form_and_for_twenty(
    client: Client, designer: User, people: Designers
) -> None:
    make_draft(people)
    shown(client, url("designs"))
    with CaptureQueriesContext(
        connection,
    ) as few:
        shown(client, url("designs"))
    for number in range(19):
        make_draft(people, code=f"form{number}")
    with CaptureQueriesContext(connection) as many:
        shown(client, url("designs"))
    assert len(many) == len(few)


@pytest.mark.requirement("DR-160")
def test_a_form_is_begun_empty_copied_and_taken_from_a_file(
    client: Client, designer: User, people: Designers
) -> None:
    fields = {"unit": people.clinic.pk, "area": AREA, "code": "crf", "title": "CRF"}
    refused = client.post(url("new"), {**fields, "code": "c r f", "languages": ["en"]})
    assert refused.status_code == 422
    assert client.post(url("new"), {**fields, "languages": []}).status_code == 422
    made = client.post(url("new"), {**fields, "languages": ["en", "nl"]})
    draft = FormVersion.objects.get(design__code="crf")
    assert made["Location"] == url("editor", draft)
    assert draft.content["languages"] == ["en", "nl"]
    assert client.post(url("new"), {**fields, "languages": ["en"]}).status_code == 422, "taken"
    client.post(
        url("copy", draft.design), {"unit": people.clinic.pk, "code": "crf2", "title": "Two"}
    )
    copied = FormVersion.objects.get(design__code="crf2")
    assert copied.content["title"] == {"en": "Two", "nl": "Two"}
    elsewhere = {**fields, "unit": people.elsewhere.pk, "languages": ["en"]}
    assert client.post(url("new"), {**elsewhere, "code": "x"}).status_code == 422
    file = SimpleUploadedFile("crf.json", export_design(copied).encode())
    client.post(url("import"), {**fields, "code": "", "title": "", "file": file})
    assert FormDesign.objects.filter(code="crf2").count() == 1, "the file's code is taken"
    file.seek(0)
    client.post(url("import"), {**fields, "code": "third", "title": "Third", "file": file})
    assert FormDesign.objects.get(code="third").title == "Third"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "this is not JSON"),
        (b"\xff\x00", "this is not JSON"),
        (b'{"schema": 7}', "schema 7 cannot be read"),
        (
            json.dumps(form_json({**item("A"), "kind": "<b>"})).encode(),
            "section 1, item A: “kind” is “&lt;b&gt;”",
        ),
    ],
)
def test_a_bad_file_is_refused_with_the_place(
    client: Client, designer: User, people: Designers, content: bytes, said: str
) -> None:
    fields = {"unit": people.clinic.pk, "area": AREA, "code": "x", "title": "X"}
    file = SimpleUploadedFile("form.json", content)
    answer = client.post(url("import"), {**fields, "file": file})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not FormDesign.objects.exists()


# --- a form ---------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-107")
def test_a_form_shows_its_versions_and_what_differs_with_the_risks(
    client: Client, designer: User, people: Designers
) -> None:
    first = publish(people, make_draft(people, item("A"), item("B")))
    client.post(url("edit", first.design))
    draft = FormVersion.objects.get(state="draft")
    save_draft(
        FORMS,
        actor=people.designer,
        version_id=draft.pk,
        content=form_json(item("A", unit="kg"), item("C")),
        opened_version=draft.version,
    )
    page = shown(client, url("design", first.design))
    assert "Open the draft" in page
    assert page.count('id="version-') == 2
    assert "Per Publisher" in page
    assert "Retire the published version" not in page, "who designs does not retire"
    different = shown(client, url("difference", first.design))
    assert "Answers that were collected are at risk" in different
    assert "the same number means another amount" in different
    assert "item B" in different
    same = shown(client, url("difference", first.design), old=1, new=1)
    assert "Nothing differs" in same
    assert shown(client, url("difference", first.design), old="x", new="999")
    exported = client.get(url("export", first))
    assert json.loads(exported.content) == first.content
    assert "small-1.json" in exported["Content-Disposition"]


def test_publishing_asks_for_a_reason_and_publishes_what_was_seen(
    client: Client, people: Designers
) -> None:
    draft = make_draft(people)
    sign_in(client, people.designer)
    assert client.get(url("publish", draft)).status_code == 403
    sign_in(client, people.publisher)
    draft.refresh_from_db()
    assert "Publish version 1" in shown(client, url("publish", draft))
    assert client.post(url("publish", draft), {"reason": ""}).status_code == 422
    seen = {"reason": "ready", "version": draft.version}
    save_draft(
        FORMS,
        actor=people.designer,
        version_id=draft.pk,
        content=form_json(item("B")),
        opened_version=draft.version,
    )
    assert client.post(url("publish", draft), seen).status_code == 409
    draft.refresh_from_db()
    done = client.post(url("publish", draft), {"reason": "ready", "version": draft.version})
    assert done["Location"] == url("design", draft.design)
    draft.refresh_from_db()
    assert draft.state == "published"
    assert client.get(url("editor", draft)).status_code == 404, "nothing to edit any more"
    client.post(url("retire", draft), {"reason": "out of use"})
    draft.refresh_from_db()
    assert draft.state == "retired"


def test_a_faulty_form_is_not_published_and_every_fault_leads_to_its_item(
    client: Client, people: Designers
) -> None:
    parts = [item("A"), group("g", item("B", show_if="Z > 1")), item("C", "single choice")]
    draft = make_draft(people, *parts)
    sign_in(client, people.publisher)
    answer = client.post(url("publish", draft), {"reason": "ready", "version": draft.version})
    assert answer["Location"] == f"{url('editor', draft)}?tab=faults"
    by_htmx = client.get(url("publish", draft), headers=HTMX)
    assert by_htmx["HX-Redirect"] == f"{url('editor', draft)}?tab=faults"
    page = shown(client, url("editor", draft), tab="faults")
    links = re.findall(r'<a href="[^"]*\?at=([\d.]*)">([^<]+)</a> <span>([^<]+)</span>', page)
    assert links == [
        ("0.2", "section 1, item C", "a choice needs a code list"),
        (
            "0.1.0",
            "section 1, group g, item B, show if",
            "“Z” is not a name that this rule can read",
        ),
    ]
    draft.refresh_from_db()
    assert draft.state == "draft"
    assert "“Z” is not a name" in shown(client, url("editor", draft), at="0.1.0")


def test_a_draft_is_discarded_with_a_reason(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people)
    assert client.post(url("discard", draft), {"reason": ""}).status_code == 422
    assert client.post(url("discard", draft), {"reason": "a try"})["Location"] == url("designs")
    assert not FormVersion.objects.exists()


# --- the editor -----------------------------------------------------------------------------------


def test_parts_are_added_moved_copied_and_deleted(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people, item("A"), item("B", show_if="A > 1"))
    answer = act(client, draft, "add", "0.0", what="decimal")
    assert [part["code"] for part in parts(draft)] == ["A", "item", "B"]
    assert parts(draft)[1]["kind"] == "decimal"
    assert answer["HX-Trigger"] == "draft-changed"
    act(client, draft, "down", "0.1")
    act(client, draft, "duplicate", "0.2")
    act(client, draft, "drop", "0.3", to="0.0")
    assert [part["code"] for part in parts(draft)] == ["item_2", "A", "B", "item"]
    asked = act(client, draft, "remove", "0.1").content.decode()
    assert "These rules read what would go" in asked
    assert "A &gt; 1" in asked
    act(client, draft, "remove", "0.1", confirmed="1")
    act(client, draft, "remove", "0.0")
    assert [part["code"] for part in parts(draft)] == ["B", "item"]
    act(client, draft, "undo")
    act(client, draft, "undo")
    act(client, draft, "redo")
    assert [part["code"] for part in parts(draft)] == ["item_2", "B", "item"]
    refused = act(client, draft, "drop", "0.0", to="7.1")
    assert "That cannot stand there" in refused.content.decode()
    for at in ("9.9", "x", "0.0.0.0"):
        assert act(client, draft, "up", at).status_code == 200
    assert "not there any more" in act(client, draft, "unheard of").content.decode()


def test_an_empty_form_gets_a_section_with_its_first_item(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people, sections=[])
    act(client, draft, "add", what="integer")
    assert [part["kind"] for part in parts(draft)] == ["integer"]


def test_another_code_is_followed_by_rules_and_a_bad_one_refused(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people, item("A"), item("B", show_if='A > 1 and "A" != "x"'))
    act(client, draft, "code", "0.0", code="spleen_size")
    assert parts(draft)[1]["show_if"] == 'spleen_size > 1 and "A" != "x"'
    before = draft.version
    taken = act(client, draft, "code", "0.0", code="B").content.decode()
    assert "“B” is taken already" in taken
    assert "is no code" in act(client, draft, "code", "0.0", code="1 a").content.decode()
    assert draft.version == before


def test_settings_are_kept_as_they_are_typed_and_the_answer_changes_no_field(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people, item("A", "decimal", checks=[check("A > 1")], help={"en": "Why"}))
    sent = settings_of(client, draft, "0.0") | {
        "label.en": "Spleen",
        "unit": "cm",
        "decimals": "1",
        "limits.least": "0,5",
        "expected.most": "20",
        "default": "3,5",
        "personal": "on",
        "missing_codes": ["nd"],
        "show_if": 'precrf.A49 == "yes"',
        "check.0.when": "A > 30",
        "check.0.severity": "hard",
        "check.0.message.en": "Too large?",
        "first_value.connector": "registry",
        "first_value.field": "spleen",
        "note": "to be confirmed by a haematologist",
    }
    answer = act(client, draft, "properties", "0.0", **sent)
    assert answer["HX-Reswap"] == "none", "who types is not disturbed"
    assert 'id="settings"' not in answer.content.decode()
    assert parts(draft)[0] == {
        "code": "A",
        "kind": "decimal",
        "label": {"en": "Spleen"},
        "help": {"en": "Why"},
        "note": "to be confirmed by a haematologist",
        "unit": "cm",
        "decimals": 1,
        "limits": {"least": "0.5"},
        "expected": {"most": "20"},
        "default": "3.5",
        "personal": True,
        "missing_codes": ["nd"],
        "show_if": 'precrf.A49 == "yes"',
        "checks": [
            {"code": "c1", "when": "A > 30", "severity": "hard", "message": {"en": "Too large?"}}
        ],
        "first_value": {"connector": "registry", "field": "spleen"},
    }
    before = draft.version
    again = act(client, draft, "properties", "0.0", **settings_of(client, draft, "0.0"))
    assert draft.version == before, "nothing changed, nothing is written"
    assert "HX-Trigger" not in again
    wrong = act(client, draft, "properties", "0.0", **{**sent, "decimals": "x"})
    assert "This is not saved" in wrong.content.decode()
    assert draft.version == before


def test_another_kind_asks_other_settings_and_drops_what_has_no_meaning(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people, item("A", "decimal", unit="kg", decimals=1))
    sent = settings_of(client, draft, "0.0") | {"kind": "computed"}
    answer = act(client, draft, "properties", "0.0", **sent)
    assert parts(draft)[0] == {
        "code": "A",
        "kind": "computed",
        "label": {"en": "A"},
        "unit": "kg",
        "decimals": 1,
    }
    assert 'name="rule"' in answer.content.decode()
    sent = settings_of(client, draft, "0.0") | {"result": "date", "rule": "today"}
    act(client, draft, "properties", "0.0", **sent)
    assert (parts(draft)[0]["result"], parts(draft)[0]["rule"]) == ("date", "today")


def test_every_kind_of_item_and_part_opens_with_its_settings_and_saves_unchanged(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people, group("g", item("A"), repeats=True, rows_least=1))
    for kind in Kind:
        act(client, draft, "add", "0", what=kind.value)
    before = draft.version
    for at in ("", "0", "0.0", *(f"0.{number}" for number in range(1, len(Kind) + 1))):
        assert client.get(url("editor", draft), {"at": at}).status_code == 200
        act(client, draft, "properties", at, **settings_of(client, draft, at))
    assert draft.version == before
    act(client, draft, "properties", "0.0", **{"title.en": "Results", "repeats": ""})
    assert parts(draft)[0].get("rows_least") is None
    assert parts(draft)[0]["title"] == {"en": "Results"}


def test_checks_are_added_and_deleted(client: Client, designer: User, people: Designers) -> None:
    draft = make_draft(people, item("A", checks=[check("A > 1")]))
    act(client, draft, "check_add", "0.0")
    assert [each["code"] for each in parts(draft)[0]["checks"]] == ["c1", "c2"]
    act(client, draft, "check_remove", "0.0", check=0)
    assert [each["code"] for each in parts(draft)[0]["checks"]] == ["c2"]
    act(client, draft, "check_add", "0")
    act(client, draft, "check_remove", "0.0", check="x")


def test_of_two_editors_the_second_is_told_what_was_not_kept(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people, item("A"))
    sent = settings_of(client, draft, "0.0") | {"label.en": "Mine <b>"}
    opened = draft.version
    save_draft(
        FORMS,
        actor=people.publisher,
        version_id=draft.pk,
        content=form_json(item("A", label={"en": "Theirs"})),
        opened_version=opened,
    )
    fields = {"act": "properties", "at": "0.0", "version": opened, "tab": "items"}
    answer = client.post(url("change", draft), {**fields, **sent}, headers=HTMX)
    page = answer.content.decode()
    assert "Your last change is not saved" in page
    assert "Per Publisher saved this draft" in page
    assert "Mine &lt;b&gt;" in page
    assert "Theirs" in page
    draft.refresh_from_db()
    assert parts(draft)[0]["label"] == {"en": "Theirs"}
    assert "not saved" in client.post(url("change", draft), fields).content.decode(), "no version"


def test_a_script_in_a_text_stays_a_text(client: Client, designer: User, people: Designers) -> None:
    bad = "<script>alert(1)</script>"
    draft = make_draft(people, item("A", label={"en": bad}), title={"en": bad})
    for query in ({"at": "0.0"}, {"tab": "texts"}, {"tab": "lists"}, {"tab": "faults"}):
        assert bad not in shown(client, url("editor", draft), **query)
    assert bad not in client.post(url("preview", draft)).content.decode()


def test_the_editor_costs_the_same_for_one_item_and_for_a_hundred(
    client: Client, designer: User, people: Designers
) -> None:
    counts = []
    for number in (1, 100):
        draft = make_draft(people, *(item(f"A{n}") for n in range(number)), code=f"form{number}")
        shown(client, url("editor", draft))
        with CaptureQueriesContext(connection) as queries:
            shown(client, url("editor", draft))
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- code lists, languages ------------------------------------------------------------------------


def test_code_lists_are_kept_and_items_follow_their_names(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(
        people, item("A", "single choice", code_list="yn", missing_codes=["nd"]), item("B")
    )

    def lists() -> dict[str, list[str]]:
        found = draft.content["code_lists"]
        return {each["code"]: [choice["code"] for choice in each["choices"]] for each in found}

    fields = {"list": "0", "code": "answer", "choice.1.code": "never", "choice.1.en": "Never"}
    answer = act(client, draft, "list_save", **fields)
    assert answer["HX-Reswap"] == "none"
    assert lists()["answer"] == ["yes", "never", "maybe"]
    assert parts(draft)[0]["code_list"] == "answer"
    act(client, draft, "choice_up", list="0", choice="2")
    act(client, draft, "choice_remove", list="0", choice="0")
    act(client, draft, "choice_add", list="0")
    assert lists()["answer"] == ["maybe", "never", "1"]
    act(client, draft, "list_add", tab="lists")
    assert list(lists()) == ["answer", "cell", "list_1"]
    act(client, draft, "list_remove", list="2")
    act(client, draft, "list_save", list="missing", **{"choice.0.code": "not_done"})
    assert draft.content["missing_codes"][0]["code"] == "not_done"
    assert parts(draft)[0]["missing_codes"] == ["not_done"]
    page = shown(client, url("editor", draft), tab="lists")
    assert "Used by A" in page
    for which in ("9", "x", ""):
        gone = act(client, draft, "choice_add", list=which).content.decode()
        assert "not there any more" in gone


@pytest.mark.requirement("DR-097")
def test_languages_are_columns_that_show_what_is_missing(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people, item("A"), code_lists=[], missing_codes=[])
    page = act(client, draft, "language_add", language="nl", tab="texts").content.decode()
    assert "3 missing" in page
    way = "sections.0.parts.0.label"
    act(client, draft, "text", way=way, language="nl", text=" Milt ", tab="texts")
    assert parts(draft)[0]["label"] == {"en": "A", "nl": "Milt"}
    assert "2 missing" in shown(client, url("editor", draft), tab="texts")
    act(client, draft, "language_remove", language="en", tab="texts")
    assert draft.content["languages"] == ["nl"]
    last = act(client, draft, "language_remove", language="nl", tab="texts").content.decode()
    assert "at least one language" in last
    assert (
        "not there any more"
        in act(client, draft, "text", way="code", language="nl", text="x").content.decode()
    )


# --- rules ----------------------------------------------------------------------------------------


def tried(client: Client, draft: Any, rule: str, at: str = "0.1", **fields: Any) -> Any:
    sent = {"of": "show_if", "show_if": rule, "at": at, **fields}
    return client.post(url("rule", draft), sent, headers=HTMX)


def test_a_rule_is_tried_as_it_is_typed(client: Client, designer: User, people: Designers) -> None:
    draft = make_draft(people, item("A", missing_codes=["nd"]), item("B"))
    wrong = tried(client, draft, "A > > 3").content.decode()
    assert "the rule cannot be read at character 5" in wrong
    unknown = tried(client, draft, "Zz > 3").content.decode()
    assert "“Zz” is not a name that this rule can read" in unknown
    asked = tried(client, draft, "A > 3").content.decode()
    assert 'name="try:A"' in asked
    assert "unknown: an answer is missing" in asked
    assert (
        "<strong>yes</strong>" in tried(client, draft, "A > 3", **{"try:A": "4"}).content.decode()
    )
    assert "<strong>no</strong>" in tried(client, draft, "A > 3", **{"try:A": "2"}).content.decode()
    bad = tried(client, draft, "A > 3", **{"try:A": "many"}).content.decode()
    assert "“many” is not a number" in bad
    outside = tried(client, draft, 'precrf.A49 == "yes"', **{"try:precrf.A49": "yes"})
    assert "<strong>yes</strong>" in outside.content.decode()
    assert tried(client, draft, "", at="9.9").status_code == 200
    assert FormVersion.objects.get(pk=draft.pk).version == draft.version, "nothing is stored"


def test_a_condition_is_put_together_without_writing(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(people, item("A"), item("B", "single choice", code_list="yn"), item("C"))
    first = tried(client, draft, "A > 1 or A < 0", step="builder").content.decode()
    assert 'value="B"' in first
    chosen = {"cond.name": "B", "cond.how": "==", "cond.value": "yes", "cond.join": "and"}
    built = tried(client, draft, "A > 1 or A < 0", step="build", **chosen)
    assert json.loads(built["HX-Trigger"])["rule-built"] == {
        "of": "show_if",
        "text": '(A > 1 or A < 0) and B == "yes"',
    }
    wrong = tried(client, draft, "", step="build", **{**chosen, "cond.name": "A"})
    assert "HX-Trigger" not in wrong
    assert "“yes” is not a number" in wrong.content.decode()


# --- the preview ----------------------------------------------------------------------------------


def test_the_preview_reacts_to_what_is_typed_and_stores_nothing(
    client: Client, designer: User, people: Designers
) -> None:
    draft = make_draft(
        people,
        item("A", label={"en": "Spleen"}, checks=[check("A > 9")]),
        item("B", label={"en": "Liver"}, show_if="A > 1"),
        item("C", "computed", result="integer", rule="A * 2", label={"en": "Twice"}),
        group("g", item("D"), repeats=True),
        item("X", show_if="Zz"),
    )

    def seen(**typed: str) -> str:
        page: str = client.post(url("preview", draft), typed).content.decode()
        return page

    def field(page: str, code: str) -> str:
        return re.search(rf'id="f-{code}"[^>]*>', page)[0]  # type: ignore[index]

    assert "hidden" in field(seen(), "B")
    page = seen(A="10")
    assert "hidden" not in field(page, "B")
    assert "20" in page
    assert "not A &gt; 9" in page
    assert "1 fault is left out of the preview" in page
    more = seen(A="10", add="g.0.D")
    assert 'name="g.0.D"' in more
    assert 'name="g.0.D"' not in seen(**{"A": "10", "g.0.D": "1", "remove": "g:0"})
    assert "Twice" in seen(A="x")
    assert FormVersion.objects.get(pk=draft.pk).version == draft.version
    assert "As who fills it in" in shown(client, url("try", draft))
    empty = make_draft(people, sections=[], code="empty")
    assert "nothing to show yet" in client.post(url("preview", empty)).content.decode()


def test_nobody_reaches_drafts_of_other_units(client: Client, people: Designers) -> None:
    draft = make_draft(people)
    sign_in(client, people.stranger)
    for name in ("editor", "publish", "discard", "export", "try"):
        assert client.get(url(name, draft)).status_code == 404, name
    for name in ("change", "rule", "preview"):
        assert client.post(url(name, draft)).status_code == 404, name
    assert client.get(url("design", draft.design)).status_code == 404
    assert client.post(url("edit", draft.design)).status_code == 404
