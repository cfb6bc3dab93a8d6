"""The flow editor's pages: drawing, publishing, trying out, and who may."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.flows.models import FlowDesign, FlowVersion
from portal.flows.rules import editing
from portal.flows.rules.definition import Machine, machine_from_json, machine_to_json
from portal.organisation.models import Unit
from tests.support import flow_area
from tests.support.accounts import sign_in
from tests.support.definitions import mds_bmf
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def unit(monkeypatch: pytest.MonkeyPatch) -> Unit:
    flow_area.declare(monkeypatch)
    return make_unit("haematology")


@pytest.fixture
def publisher(unit: Unit) -> User:
    return flow_area.designer(unit)


@pytest.fixture
def draft(unit: Unit, publisher: User) -> FlowVersion:
    return flow_area.draft(publisher, unit)


@pytest.fixture
def editor(client: Client, publisher: User) -> Client:
    sign_in(client, publisher)
    return client


def url(name: str, version: FlowVersion) -> str:
    pk = version.design_id if name in ("design", "difference", "begin", "move") else version.pk
    return reverse(f"flows:{name}", args=[pk])


def now(version: FlowVersion) -> FlowVersion:
    return FlowVersion.objects.get(pk=version.pk)


def machine_now(version: FlowVersion) -> Machine:
    return machine_from_json(now(version).content)


def act(editor: Client, version: FlowVersion, act: str, **sent: Any) -> Any:
    fields = {"version": now(version).version, "act": act, **sent}
    return editor.post(url("act", version), fields, headers=HTMX)


# --- drawing --------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-105", "DR-160", "DR-108")
def test_a_flow_for_a_new_review_is_made_without_a_programmer(unit: Unit, editor: Client) -> None:
    made = editor.post(
        reverse("flows:new"),
        {
            "area": flow_area.CODE,
            "unit": unit.pk,
            "title": "Lymphoma",
            "code": "lymphoma",
            "languages": ["en", "nl"],
        },
    )
    draft = FlowVersion.objects.get()
    assert made["Location"] == url("edit", draft)
    assert "Nothing drawn yet" in editor.get(made["Location"]).content.decode()
    act(editor, draft, "add_state")
    act(editor, draft, "add_state")
    act(editor, draft, "add_transition", source="state_1", target="state_2")
    act(editor, draft, "rename", state="state_1", code="registered")
    for state, kind, english, dutch in (
        ("registered", "start", "Registered", "Geregistreerd"),
        ("state_2", "halting", "Done", "Klaar"),
    ):
        sent = {"state": state, "kind": kind, "title_en": english, "title_nl": dutch}
        kept = editor.post(
            url("keep", draft), {**sent, "version": now(draft).version}, headers=HTMX
        )
        assert kept.status_code == 200
        assert english in kept.content.decode()
    sent = {
        "transition": "transition_1",
        "title_en": "Go",
        "title_nl": "Verder",
        "sources": ["registered"],
        "target": "state_2",
        "roles": ["chairman"],
        "guard": 'crf.A49 == "yes"',
        "version": now(draft).version,
    }
    answer = editor.post(url("keep", draft), sent, headers=HTMX)
    assert "it can be published" in answer.content.decode()
    published = editor.post(
        url("publish", draft), {"reason": "First", "version": now(draft).version}
    )
    assert published["Location"] == url("design", draft)
    assert now(draft).state == "published"
    assert [fact.name for fact in machine_now(draft).facts] == ["crf.A49"]
    entry = AuditEntry.objects.filter(action="flows.version_published").get()
    assert entry.reason == "First"


def test_actions_are_chosen_from_the_closed_registry_with_their_arguments(
    editor: Client, draft: FlowVersion
) -> None:
    assert act(editor, draft, "add_action", state="start", action="os.system").status_code == 404
    act(editor, draft, "add_action", state="start", action="notify")
    shown = editor.get(f"{url('edit', draft)}?state=start").content.decode()
    assert 'name="action_0_role"' in shown
    assert "notify needs “role”" in shown.replace("&quot;", '"')
    sent = {
        "state": "start",
        "kind": "start",
        "title_en": "Registered",
        "title_nl": "Geregistreerd",
        "action_0_role": "chairman",
        "action_0_text": "waiting",
        "version": now(draft).version,
    }
    editor.post(url("keep", draft), sent, headers=HTMX)
    (action,) = machine_now(draft).by_code["start"].on_entry
    assert action.arguments.as_dict() == {"role": "chairman", "text": "waiting"}
    act(editor, draft, "remove_action", state="start", number="0")
    assert machine_now(draft).by_code["start"].on_entry == ()


def test_what_cannot_be_kept_is_said_beside_the_form_and_changes_nothing(
    editor: Client, draft: FlowVersion
) -> None:
    timer = machine_now(draft).timers[0]
    sent = {"part": f"timer {timer.code}", "transition": timer.transition, "unit": "days"}
    sent |= {"after": "soon", "version": str(draft.version)}
    refused = editor.post(url("keep", draft), sent, headers=HTMX)
    assert refused.status_code == 422
    assert "Not kept yet" in refused.content.decode()
    assert now(draft).version == draft.version
    taken = act(editor, draft, "rename", state="start", code="review_ready")
    assert taken.status_code == 422
    assert "There is one with the code review_ready already." in taken.content.decode()
    assert machine_now(draft) == mds_bmf()


def test_undo_and_redo_go_through_what_was_drawn(editor: Client, draft: FlowVersion) -> None:
    act(editor, draft, "remove", state="followup_required")
    act(editor, draft, "place", places=json.dumps({"start": [400, 80], "none": [1, 1]}))
    assert now(draft).places == {"start": [400.0, 80.0]}
    act(editor, draft, "undo")
    assert now(draft).places == {}
    assert "followup_required" not in machine_now(draft).by_code
    act(editor, draft, "undo")
    assert machine_now(draft) == mds_bmf()
    act(editor, draft, "redo")
    assert "followup_required" not in machine_now(draft).by_code


@pytest.mark.parametrize(
    "places", ["", "[]", '{"start": "here"}', '{"start": [-4, 2]}', '{"start": [1e9, 2]}', "{"]
)
def test_places_that_are_none_are_left_out(editor: Client, draft: FlowVersion, places: str) -> None:
    assert act(editor, draft, "place", places=places).status_code == 200
    assert now(draft).places == {}


def test_without_script_every_act_leads_back_to_the_editor(
    editor: Client, draft: FlowVersion
) -> None:
    sent = {"version": draft.version, "act": "add_state"}
    answer = editor.post(url("act", draft), sent)
    assert answer["Location"] == f"{url('edit', draft)}?state=state_10"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ('crf.A49 == "yes"', "it reads crf.A49"),
        ('crf.A49 == "perhaps"', "“perhaps” is not a code of crf.A49"),
        ("crf.A49 == ", "ends too early"),
        ("nothing.known", "is not a name that this rule can read"),
        ("crf.A49 == $x", "<mark>$</mark>"),
        ("1 + 1", "here it must give yes or no"),
    ],
)
def test_a_guard_is_checked_as_it_is_typed(
    editor: Client, draft: FlowVersion, text: str, said: str
) -> None:
    answer = editor.post(url("guard", draft), {"guard": text}, headers=HTMX)
    assert said in answer.content.decode().replace("&quot;", '"')
    assert now(draft).version == draft.version


@pytest.mark.requirement("DR-139")
def test_of_two_who_draw_at_once_the_second_is_told_what_the_first_did(
    unit: Unit, editor: Client, draft: FlowVersion
) -> None:
    other = Client()
    sign_in(other, flow_area.designer(unit, "Otto Other", "designer"))
    opened = draft.version
    act(other, draft, "remove", state="followup_required")
    sent = {
        "state": "start",
        "kind": "start",
        "title_en": "Begin",
        "title_nl": "Begin",
        "version": opened,
    }
    answer = editor.post(url("keep", draft), sent, headers=HTMX)
    said = answer.content.decode()
    assert answer.status_code == 409
    assert "Otto Other changed this draft meanwhile" in said
    assert "followup_required" in said or "Follow-up required" in said
    assert "HX-Trigger" not in answer
    assert machine_now(draft).by_code["start"].title.text("en") == "Registered"
    # and keeps theirs on top, if they say so
    again = editor.post(url("keep", draft), {**sent, "version": now(draft).version}, headers=HTMX)
    assert again.status_code == 200
    assert machine_now(draft).by_code["start"].title.text("en") == "Begin"
    assert "followup_required" not in machine_now(draft).by_code
    for late in ("undo", "add_state", "remove"):
        fields = {"act": late, "part": "state start", "version": opened}
        assert editor.post(url("act", draft), fields, headers=HTMX).status_code == 409, late
    gone = {**sent, "part": "state followup_required"}
    assert editor.post(url("keep", draft), gone, headers=HTMX).status_code == 404


# --- publishing -----------------------------------------------------------------------------------


@pytest.mark.requirement("DR-105")
def test_a_faulty_machine_is_refused_with_every_fault_leading_to_its_place(
    editor: Client, draft: FlowVersion
) -> None:
    machine = mds_bmf()
    way = machine.transitions[1]
    machine = editing.put(machine, replace(way, guard="no.such == 1", roles=("nobody",)))
    faulty = editing.add_state(machine)[0]
    _keep(editor, draft, faulty)
    refused = editor.get(url("publish", draft))
    said = refused.content.decode()
    assert refused.status_code == 422
    here = url("edit", draft)
    assert f'href="{here}?transition={way.code}#id_guard"' in said
    assert f'href="{here}?transition={way.code}#part"' in said
    assert f'href="{here}?state=state_{len(faulty.states)}#part"' in said
    sent = {"reason": "All the same", "version": now(draft).version}
    assert editor.post(url("publish", draft), sent).status_code == 422
    assert now(draft).state == "draft"


def _keep(editor: Client, draft: FlowVersion, machine: Machine) -> None:
    file = SimpleUploadedFile("flow.json", json.dumps(machine_to_json(machine)).encode())
    sent = {"file": file, "reason": "Prepared", "version": now(draft).version}
    assert editor.post(url("replace", draft), sent).status_code == 302


def test_publishing_demands_a_reason_and_what_was_looked_at(
    editor: Client, draft: FlowVersion
) -> None:
    opened = draft.version
    assert editor.post(url("publish", draft), {"version": opened}).status_code == 422
    act(editor, draft, "place", places='{"start": [8, 8]}')
    stale = editor.post(url("publish", draft), {"version": opened, "reason": "Seen"})
    assert stale.status_code == 409
    assert now(draft).state == "draft"


@pytest.mark.requirement("DR-107")
def test_a_published_version_never_changes(
    editor: Client, publisher: User, draft: FlowVersion
) -> None:
    editor.post(url("publish", draft), {"reason": "First", "version": draft.version})
    assert editor.get(url("edit", draft))["Location"] == url("version", draft)
    assert act(editor, draft, "add_state").status_code == 422
    assert act(editor, draft, "undo").status_code == 422
    assert machine_now(draft) == mds_bmf()
    version = now(draft)
    version.content = {**version.content, "code": "other"}
    with pytest.raises(ProgrammingError), transaction.atomic():
        version.save()
    # the next one is drawn beside it, and retires it when it is published itself
    begun = editor.post(url("begin", draft))
    second = FlowVersion.objects.get(state="draft")
    assert begun["Location"] == url("edit", second)
    act(editor, second, "remove", state="followup_required")
    differs = editor.get(url("difference", draft)).content.decode()
    assert "would lose their place" in differs
    assert "Follow-up required" in differs
    editor.post(url("publish", second), {"reason": "Shorter", "version": now(second).version})
    assert now(draft).state == "retired"


def test_an_exported_flow_is_read_again_under_another_code(
    unit: Unit, editor: Client, draft: FlowVersion
) -> None:
    exported = editor.get(url("export", draft))
    assert exported["Content-Disposition"] == 'attachment; filename="mdsbmf-1.json"'
    assert machine_from_json(exported.content) == mds_bmf()
    fields = {"area": flow_area.CODE, "unit": unit.pk, "code": "copy"}
    file = SimpleUploadedFile("flow.json", exported.content)
    editor.post(reverse("flows:new"), {**fields, "file": file})
    copied = FlowVersion.objects.get(design__code="copy")
    assert machine_now(copied) == replace(mds_bmf(), code="copy")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG", "This cannot be read"),
        (b'{"schema": 9}', "schema 9 cannot be read"),
        (b'{"schema": 1, "code": "x"}', "“states” is missing"),
    ],
)
def test_a_file_that_is_no_flow_is_refused_with_the_place(
    unit: Unit, editor: Client, content: bytes, said: str
) -> None:
    fields = {"area": flow_area.CODE, "unit": unit.pk, "code": "copy"}
    answer = editor.post(
        reverse("flows:new"), {**fields, "file": SimpleUploadedFile("flow.json", content)}
    )
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not FlowDesign.objects.exists()


def test_a_designer_draws_and_a_publisher_publishes_each_at_their_unit(
    unit: Unit, draft: FlowVersion, client: Client
) -> None:
    designer = make_user("Desi Signer")
    give(designer, "flows.designer", unit)
    sign_in(client, designer)
    assert client.get(url("edit", draft)).status_code == 200
    assert client.get(url("publish", draft)).status_code == 403
    assert client.get(url("move", draft)).status_code == 403
    stranger = make_user("Else Where")
    give(stranger, "flows.publisher", make_unit("elsewhere"))
    other = Client()
    sign_in(other, stranger)
    for name in ("design", "edit", "version", "export", "publish", "trial", "difference"):
        assert other.get(url(name, draft)).status_code == 404, name
    assert other.post(url("act", draft), {"act": "add_state"}).status_code == 404
    assert "MDS" not in other.get(reverse("flows:designs")).content.decode()


def test_the_list_costs_the_same_however_many_flows(
    unit: Unit, editor: Client, publisher: User, draft: FlowVersion, django_assert_num_queries: Any
) -> None:
    with CaptureQueriesContext(connection) as one:
        editor.get(reverse("flows:designs"))
    for number in range(4):
        flow_area.draft(publisher, unit, code=f"more_{number}")
    with django_assert_num_queries(len(one)):
        editor.get(reverse("flows:designs"))


# --- trial run ------------------------------------------------------------------------------------


def trial_of(answer: Any) -> str:
    return str(answer.context["trial"])


@pytest.mark.requirement("DR-100", "DR-105")
def test_a_trial_run_says_where_one_can_go_and_why_not_and_stores_nothing(
    editor: Client, draft: FlowVersion
) -> None:
    begun = editor.get(url("trial", draft))
    assert begun.context["state"] == "start"
    assert "none of these roles may take it" in begun.content.decode()
    sent: dict[str, Any] = {"trial": trial_of(begun), "role": ["trial_bureau", "datamanager"]}
    first = editor.post(url("trial", draft), {**sent, "take": "start_precrf"})
    assert first.context["state"] == "precrf_start"
    said = first.content.decode()
    assert "Would be done:" in said
    assert "open form: form precrf" in said
    assert "its guard is unknown: missing precrf.complete" in said
    sent["trial"] = trial_of(first)
    refused = editor.post(url("trial", draft), {**sent, "take": "complete_precrf"})
    assert refused.status_code == 422
    assert refused.context["state"] == "precrf_start"
    facts = {"fact-precrf.complete": "true"}
    done = editor.post(url("trial", draft), {**sent, **facts, "take": "complete_precrf"})
    assert done.context["state"] == "precrf_complete"
    assert now(draft).version == draft.version
    assert not AuditEntry.objects.filter(action__startswith="flows.case").exists()


def test_time_passes_in_a_trial_and_timers_take_their_transitions(
    editor: Client, draft: FlowVersion
) -> None:
    begun = editor.get(url("trial", draft))
    sent: dict[str, Any] = {"role": ["trial_bureau"], "trial": trial_of(begun)}
    began = editor.post(url("trial", draft), {**sent, "take": "start_precrf"})
    timers = [code for code, _at, _due in began.context["timers"]]
    assert timers
    sent |= {"trial": trial_of(began), "wait": "1", "days": "400", "fact-precrf.complete": "false"}
    later = editor.post(url("trial", draft), sent)
    assert any(each["timer"] in timers for each in later.context["happened"])
    assert (later.context["now"] - began.context["now"]).days == 400


@pytest.mark.parametrize("trial", ["", "{", "[]", '{"state": "gone"}', "[" * 5000])
def test_a_trial_that_is_none_begins_anew(editor: Client, draft: FlowVersion, trial: str) -> None:
    answer = editor.post(url("trial", draft), {"trial": trial, "take": "start_precrf"})
    assert answer.context["state"] == "start"


def test_a_fact_that_cannot_be_read_is_said_at_its_field(
    editor: Client, draft: FlowVersion
) -> None:
    answer = editor.post(url("trial", draft), {"fact-precrf.complete": "perhaps"})
    assert "“perhaps” cannot be read as: yes or no" in answer.content.decode()


def test_a_draft_whose_guards_cannot_be_read_is_mended_before_it_is_tried(
    editor: Client, draft: FlowVersion
) -> None:
    machine = mds_bmf()
    _keep(editor, draft, editing.put(machine, replace(machine.transitions[0], guard="1 +")))
    said = editor.get(url("trial", draft)).content.decode()
    assert "These must be mended before it can be tried" in said
    assert f"?transition={machine.transitions[0].code}#id_guard" in said
