"""The form editor: the page, what is done on it, rules tried, the preview."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.access.decision import can
from portal.forms.editor_acts import ACTS, Outcome, address_from, properties
from portal.forms.editor_state import TABS, EditorState
from portal.forms.kinds import FORMS
from portal.forms.models import FormVersion
from portal.forms.rules.definition import Form
from portal.forms.rules.tree import Address
from portal.forms.services.designs import redo_draft, save_draft, undo_draft
from portal.forms.views.designs import draft_of
from portal.records.errors import Refused, StaleRecord

STEPS = {"undo": undo_draft, "redo": redo_draft}


def _address(text: str) -> Address:
    try:
        return address_from(text)
    except LookupError:
        return ()


def _context(request: HttpRequest, state: EditorState, **more: Any) -> dict[str, Any]:
    return {
        "state": state,
        "version": state.version,
        "design": state.version.design,
        "tab": state.tab,
        "tabs": TABS,
        "may_publish": can(request.user, FORMS.may_publish, state.version),
        **more,
    }


@require_safe
def editor(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole page; for htmx what changes when another part is chosen."""
    draft = draft_of(request, pk)
    at, tab = _address(request.GET.get("at", "")), request.GET.get("tab", "")
    state = EditorState(draft, FORMS.read(draft.content), at, tab)
    body = request.htmx and not request.htmx.boosted  # type: ignore[attr-defined]
    template = "forms/design_editor_body.html" if body else "forms/design_editor.html"
    return render(request, template, _context(request, state))


@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """One act of the editor: the draft is saved, and what it changed on the page is answered."""
    draft = draft_of(request, pk)
    form, at = FORMS.read(draft.content), _address(request.POST.get("at", ""))
    before = draft.version
    try:
        draft, outcome = _done(request, draft, form, at)
    except StaleRecord:
        return _overtaken(request, pk, at)
    except Refused as error:
        return _body(request, draft_of(request, pk), Outcome(form, at, problem=str(error)))
    except LookupError:
        gone = _("That part is not there any more. This is the draft as it is now.")
        return _body(request, draft, Outcome(form, at, problem=gone))
    if outcome.redraw or outcome.problem or outcome.asks:
        return _body(request, draft, outcome)
    state = EditorState(draft, outcome.form, outcome.at, request.POST.get("tab", ""), outcome)
    answer = render(request, "forms/design_editor_pieces.html", _context(request, state, oob=True))
    answer["HX-Reswap"] = "none"
    return _changed(answer, draft.version != before)


def _done(
    request: HttpRequest, draft: FormVersion, form: Form, at: Address
) -> tuple[FormVersion, Outcome]:
    """The draft after the act; saved only where the act changed something."""
    name, opened = request.POST.get("act", ""), request.POST.get("version", "")
    asked: dict[str, Any] = {
        "actor": request.user,
        "version_id": draft.pk,
        "opened_version": int(opened) if opened.isdecimal() and len(opened) < 9 else 0,
    }
    if name in STEPS:
        draft = STEPS[name](FORMS, **asked)
        return draft, Outcome(FORMS.read(draft.content), at)
    if name == "properties":
        state = EditorState(draft, form, at, "")
        outcome = properties(form, at, request.POST, tuple(state.connectors))
    elif name in ACTS:
        outcome = ACTS[name](form, at, request.POST)
    else:
        raise LookupError(name)
    # as JSON: the order of the languages of a text is no change
    if FORMS.write(outcome.form) != draft.content:
        draft = save_draft(FORMS, content=outcome.form, **asked)
    return draft, outcome


def _body(request: HttpRequest, draft: FormVersion, outcome: Outcome, **more: Any) -> HttpResponse:
    tab = request.POST.get("tab", "")
    state = EditorState(draft, FORMS.read(draft.content), outcome.at, tab, outcome)
    answer = render(request, "forms/design_editor_body.html", _context(request, state, **more))
    return _changed(answer, changed=True)


def _changed(answer: HttpResponse, changed: bool) -> HttpResponse:  # noqa: FBT001
    """The preview asks anew when the draft is another one."""
    if changed:
        answer["HX-Trigger"] = "draft-changed"
    return answer


def _overtaken(request: HttpRequest, pk: int, at: Address) -> HttpResponse:
    """Somebody else saved first: their draft is shown, and what was sent and not kept is said."""
    draft = draft_of(request, pk)
    last = draft.history.select_related("history_user").order_by("-history_id").first()
    form = FORMS.read(draft.content)
    lost = []
    if request.POST.get("act") == "properties":
        state = EditorState(draft, form, at, "")
        sent = type(state.settings)(
            request.POST, form=form, part=state.part, connectors=state.connectors
        )
        lost = [
            (sent[name].label, ", ".join(request.POST.getlist(name))) for name in sent.changed_data
        ]
    elif request.POST.get("text"):
        lost = [(request.POST.get("language", ""), request.POST["text"])]
    overtaken = {
        "by": last.history_user if last is not None else "",
        "at": date_format(timezone.localtime(draft.changed_at), "TIME_FORMAT"),
        "lost": lost,
    }
    return _body(request, draft, Outcome(form, at), overtaken=overtaken)
