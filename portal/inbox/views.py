"""Pages of what was received, and of what failed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as notes
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.access.decision import can, require
from portal.audit.services import Access, log_access
from portal.inbox import selectors, services
from portal.inbox.content_text import content_text
from portal.inbox.errors import ContentGone
from portal.inbox.forms import CorrectionForm, FilterForm, ReasonForm
from portal.inbox.models import InboundMessage
from portal.records.errors import Refused

READ = selectors.READ
REPLAY = "inbox.replay_messages"
QUARANTINED = InboundMessage.State.QUARANTINED
PAGE_SIZE = 50


@require_GET
def list_messages(request: HttpRequest) -> HttpResponse:
    """Newest first; without a filter of the state, what is in quarantine stands on top."""
    require(request.user, READ)
    form = FilterForm(request.GET)
    chosen = form.chosen()
    found = selectors.messages(request.user, **chosen)
    on_top = InboundMessage.objects.none()
    if not chosen["state"]:
        on_top = found.filter(state=QUARANTINED)
        found = found.exclude(state=QUARANTINED)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    values = {
        "form": form,
        "filtered": any(chosen.values()),
        "page": page,
        "quarantined": on_top[:PAGE_SIZE] if page.number == 1 else [],
        "quarantined_count": on_top.count() if not chosen["state"] else 0,
    }
    template = "inbox/_list.html" if request.htmx else "inbox/list.html"
    return render(request, template, values)


@require_GET
def show_message(request: HttpRequest, pk: int) -> HttpResponse:
    """The facts; the content is one click further, for opening it is logged."""
    return _message_page(request, _message(request, pk))


def _message(request: HttpRequest, pk: int, *, content: bool = False) -> InboundMessage:
    require(request.user, READ)
    return get_object_or_404(selectors.message_with_facts(request.user, content=content), pk=pk)


def _message_page(
    request: HttpRequest, message: InboundMessage, **sent: ReasonForm
) -> HttpResponse:
    """``sent``: the form of a dialog that came back with an error; that dialog opens again."""
    values = {
        "message": message,
        "replay_form": sent.get("replay_form", ReasonForm(auto_id="replay_%s")),
        "settle_form": sent.get("settle_form", ReasonForm(auto_id="settle_%s")),
        "happenings": selectors.happenings(message),
        "corrections": message.corrections.only("pk", "corrects").order_by("pk"),
        "may_act": message.state == QUARANTINED and can(request.user, REPLAY),
    }
    live = request.htmx and request.method == "GET"
    template = "inbox/_message.html" if live else "inbox/message.html"
    return render(request, template, values, status=422 if sent else 200)


@require_GET
def show_content(request: HttpRequest, pk: int) -> HttpResponse:
    """What was kept of it, escaped. Logged as opening."""
    message = _message(request, pk, content=True)
    values: dict[str, Any] = {"message": message}
    try:
        raw = services.read_raw(message)
    except ContentGone as error:
        values["gone"] = str(error)
    else:
        values |= {"content": content_text(raw), "kept_bytes": len(raw)}
        log_access(Access.OPEN, message)
    template = "inbox/_content.html" if request.htmx else "inbox/content.html"
    return render(request, template, values)


@require_POST
def replay(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, REPLAY)
    form = ReasonForm(request.POST, auto_id="replay_%s")
    if not form.is_valid():
        return _message_page(request, _message(request, pk), replay_form=form)
    services.replay_message(actor=request.user, message_id=pk, reason=form.cleaned_data["reason"])
    notes.success(request, _("The message will be processed anew."))
    return redirect("inbox:message", pk)


@require_POST
def settle(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, REPLAY)
    form = ReasonForm(request.POST, auto_id="settle_%s")
    if not form.is_valid():
        return _message_page(request, _message(request, pk), settle_form=form)
    services.settle_message(actor=request.user, message_id=pk, reason=form.cleaned_data["reason"])
    notes.success(request, _("The message is settled; nothing more happens with it."))
    return redirect("inbox:list")


@require_http_methods(["GET", "POST"])
def correct(request: HttpRequest, pk: int) -> HttpResponse:
    """The kept text in a form. What is sent back goes through the handler's check."""
    require(request.user, REPLAY)
    message = _message(request, pk, content=True)
    original = content_text(_content_to_correct(message))
    if original is None:
        raise Refused(_("This content is no text and cannot be corrected here."), code="no_text")
    if request.method == "GET":
        log_access(Access.OPEN, message)
        form = CorrectionForm(original=original)
    else:
        form = CorrectionForm(request.POST, original=original)
        if form.is_valid() and (corrected := _corrected(request, pk, form)):
            notes.success(request, _("The corrected message is received and will be processed."))
            return redirect("inbox:message", corrected.pk)
    return render(
        request,
        "inbox/correct.html",
        {"message": message, "form": form},
        status=422 if form.errors else 200,
    )


def _content_to_correct(message: InboundMessage) -> bytes:
    if message.state != QUARANTINED:
        raise Refused(_("This message is not in quarantine (any more)."), code="not_quarantined")
    try:
        return services.read_raw(message)
    except ContentGone as error:
        raise Refused(error, code="content_gone") from None


def _corrected(request: HttpRequest, pk: int, form: CorrectionForm) -> InboundMessage | None:
    """None, with the reason in the form, when the text cannot be understood either."""
    try:
        return services.correct_message(
            actor=request.user,
            message_id=pk,
            raw=form.cleaned_data["content"],
            reason=form.cleaned_data["reason"],
        )
    except Refused as refusal:
        if refusal.code not in {"not_understood", "no_handler"}:
            raise
        form.add_error("content", str(refusal.message))
        return None
